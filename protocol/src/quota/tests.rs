use super::*;
use crate::network::Kind;

fn peer(tag: u8) -> NodeId {
    NodeId::from_bytes([tag; 32])
}

fn alone(tag: u8) -> Group {
    Group::Peer(peer(tag))
}

fn subnet(n: u8) -> Group {
    Group::Net([192, 0, n, 0].into())
}

fn at(seconds: u64) -> Time {
    Time::from_duration(Duration::from_secs(seconds))
}

fn quotas(frames_per_second: u32) -> (Quotas, CoreClock) {
    let clock = CoreClock::default();
    let defence = Defence {
        control_frames_per_second: frames_per_second,
        burst_seconds: 2,
        ..Defence::recommended(Kind::Local)
    };
    let largest = Largest { control: 16, data: 1 << 20 };
    (Quotas::new(defence, largest, clock.clone()), clock)
}

fn admits(quotas: &Quotas, tag: u8, lane: Lane, bytes: usize) -> bool {
    quotas.admit(&peer(tag), lane, false, bytes) == Charge::Paid
}

#[test]
fn a_peer_spends_its_burst_and_then_its_rate() {
    let (mut quotas, clock) = quotas(10);
    quotas.join(peer(1), alone(1));
    let spend = |n: u32| (0..n).filter(|_| admits(&quotas, 1, Lane::Control, 10)).count();
    assert_eq!(spend(100), 20);
    clock.set(at(1));
    assert_eq!(spend(100), 10);
}

#[test]
fn one_peers_flood_costs_no_other_peer_anything() {
    let (mut quotas, _) = quotas(10);
    quotas.join(peer(1), alone(1));
    quotas.join(peer(2), alone(2));
    let flood = (0..1000).filter(|_| admits(&quotas, 1, Lane::Control, 10)).count();
    assert_eq!(flood, 20);
    assert!(admits(&quotas, 2, Lane::Control, 10));
    assert!(admits(&quotas, 1, Lane::Data, 10), "the lanes have quotas of their own");
}

#[test]
fn bytes_are_charged_as_well_as_frames() {
    let (mut quotas, _) = quotas(10);
    quotas.join(peer(1), alone(1));
    let megabyte = 1 << 20;
    let admitted = (0..100).filter(|_| admits(&quotas, 1, Lane::Data, megabyte)).count();
    assert_eq!(admitted, 16, "two seconds of 8 MiB");
    assert!(!admits(&quotas, 1, Lane::Data, usize::MAX), "more than the burst can ever hold");
}

#[test]
fn reconnecting_does_not_refill_the_quota() {
    let (mut quotas, clock) = quotas(10);
    quotas.join(peer(1), alone(1));
    assert!((0..20).all(|_| admits(&quotas, 1, Lane::Control, 1)));
    quotas.leave(peer(1), at(0));
    quotas.join(peer(1), alone(1));
    assert!(!admits(&quotas, 1, Lane::Control, 1));
    quotas.leave(peer(1), at(0));
    clock.set(at(2));
    quotas.join(peer(1), alone(1));
    assert!(admits(&quotas, 1, Lane::Control, 1));
}

#[test]
fn strangers_have_no_quota_and_absent_peers_are_forgotten() {
    let (mut quotas, _) = quotas(10);
    assert!(!admits(&quotas, 9, Lane::Control, 1));
    for tag in 0..=255 {
        for other in 0..10 {
            let mut id = [tag; 32];
            id[0] = other;
            quotas.join(NodeId::from_bytes(id), Group::Peer(NodeId::from_bytes(id)));
            quotas.leave(NodeId::from_bytes(id), at(0));
        }
    }
    assert_eq!(quotas.usage().0, ABSENT_MAX);
    quotas.join(peer(1), alone(1));
    quotas.leave(peer(1), at(10));
    assert_eq!(quotas.usage().0, 1, "the others' quotas are full again");
}

#[test]
fn many_keys_of_one_group_may_spend_no_more_than_four() {
    let (mut quotas, clock) = quotas(10);
    let spend = |quotas: &Quotas, tag: u8| {
        (0..100).filter(|_| admits(quotas, tag, Lane::Control, 10)).count()
    };
    (1..=8).for_each(|tag| quotas.join(peer(tag), subnet(1)));
    quotas.join(peer(20), subnet(2));
    let spent: usize = (1..=8).map(|tag| spend(&quotas, tag)).sum();
    assert_eq!((spent, spend(&quotas, 20)), (80, 20));
    // Nor do new keys help.
    (1..=8).for_each(|tag| quotas.leave(peer(tag), at(0)));
    (11..=18).for_each(|tag| quotas.join(peer(tag), subnet(1)));
    assert_eq!((11..=18).map(|tag| spend(&quotas, tag)).sum::<usize>(), 0);
    clock.set(at(2));
    assert_eq!((11..=18).map(|tag| spend(&quotas, tag)).sum::<usize>(), 80);
}

#[test]
fn however_many_flood_who_sends_little_is_heard_and_nobody_is_blamed_for_others() {
    let (mut quotas, clock) = quotas(80);
    (0..100).for_each(|tag| quotas.join(peer(tag), alone(tag)));
    let flood = |tag: u8| {
        let admit = |_| quotas.admit(&peer(tag), Lane::Control, false, 10);
        (0..160).map(admit).filter(|charge| *charge == Charge::Paid).count()
    };
    let spent: usize = (0..99).map(flood).sum();
    // Two seconds of eight peers, and an eighth of those of 99.
    assert_eq!(spent, 8 * 160 + 99 * 20);
    let more = quotas.admit(&peer(98), Lane::Control, false, 10);
    assert_eq!(more, Charge::OverQuota, "what is refused because of others counts as well");
    assert!((0..20).all(|_| admits(&quotas, 99, Lane::Control, 10)));
    let more = quotas.admit(&peer(99), Lane::Control, false, 10);
    assert_eq!(more, Charge::Crowded);
    let sync = quotas.admit(&peer(98), Lane::Control, true, 10);
    assert_eq!(sync, Charge::Paid, "what was missed has a quota of its own");
    clock.set(at(1));
    assert!((0..80).all(|_| admits(&quotas, 99, Lane::Control, 10)), "what comes back is shared");
}

#[test]
fn a_frame_of_any_size_is_heard_however_much_others_send() {
    let clock = CoreClock::default();
    let largest = Largest { control: 64 << 10, data: 1 << 20 };
    let defence = Defence {
        control_bytes_per_second: 4096,
        data_bytes_per_second: 1 << 18,
        burst_seconds: 1,
        ..Defence::recommended(Kind::Local)
    };
    let mut quotas = Quotas::new(defence, largest, clock);
    (0..100).for_each(|tag| quotas.join(peer(tag), alone(tag)));
    for tag in 0..99 {
        for _ in 0..100 {
            quotas.admit(&peer(tag), Lane::Data, false, 1 << 18);
            quotas.admit(&peer(tag), Lane::Control, false, 1 << 14);
        }
    }
    assert!(admits(&quotas, 99, Lane::Data, 1 << 20));
    assert!(admits(&quotas, 99, Lane::Control, 64 << 10));
}

#[test]
fn groups_are_forgotten_when_their_quotas_are_full_again() {
    let (mut quotas, _) = quotas(10);
    for n in 0..=255 {
        quotas.join(peer(n), subnet(n));
        quotas.leave(peer(n), at(0));
    }
    assert_eq!(quotas.groups.len(), 256);
    quotas.join(peer(1), subnet(1));
    quotas.leave(peer(1), at(10));
    assert_eq!(quotas.groups.len(), 1);
}
