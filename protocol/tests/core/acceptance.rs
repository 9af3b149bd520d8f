//! k-of-n: whose vouches count, when a message is accepted, and when it is given up.

use std::time::Duration;

use crate::rig::{KEY, Rig, candidate, delivered, key, network_with, pushed_to, vouched_to};
use forsooth_protocol::{
    Direction, Effect, Event, Input, Role, Shortfall,
    network::{Defence, Grouping, Kind},
    wire::Frame,
};

#[test]
fn a_verified_topic_accepts_at_once() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let message = rig.message(9, rig.open(), 0, "hi");
    let effects = rig.relay(peer, &message);
    let accepted = delivered(&effects);
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].message().id(), message.id());
    assert!(accepted[0].vouchers().is_empty());
}

#[test]
fn a_vouched_topic_waits_for_k_witnesses() {
    let mut rig = Rig::new();
    let (first, second) = (rig.witness(1), rig.witness(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    let effects = rig.relay(first, &message);
    assert!(delivered(&effects).is_empty(), "one witness is not two");
    let effects = rig.vouch(second, &message);
    let mut vouchers = delivered(&effects)[0].vouchers().to_vec();
    vouchers.sort_unstable();
    let mut expected = vec![first, second];
    expected.sort_unstable();
    assert_eq!(vouchers, expected);
}

#[test]
fn a_clock_that_is_set_ahead_ends_what_waits() {
    for (hours, accepted) in [(0, 1), (1, 0)] {
        let mut rig = Rig::new();
        let (first, second) = (rig.witness(1), rig.witness(2));
        let message = rig.message(9, rig.news(), 0, "hi");
        rig.relay(first, &message);
        let ahead = Duration::from_secs(hours * 3600);
        rig.input(Input::WallClock(rig.wall().saturating_add(ahead)));
        assert_eq!(delivered(&rig.vouch(second, &message)).len(), accepted, "{hours} h ahead");
    }
}

#[test]
fn vouches_may_come_before_the_message() {
    let mut rig = Rig::new();
    let (first, second, inbound) = (rig.witness(1), rig.witness(2), rig.inbound(3));
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.vouch(first, &message);
    rig.vouch(second, &message);
    let frame = Frame::Publication(message);
    assert_eq!(delivered(&rig.send(inbound, &frame)).len(), 1);
}

#[test]
fn no_inbound_peers_vouch_counts_however_many_there_are() {
    let mut rig = Rig::new();
    let witness = rig.witness(1);
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(witness, &message);
    for tag in 10..60 {
        let peer = rig.inbound(tag);
        assert!(delivered(&rig.vouch(peer, &message)).is_empty());
    }
}

#[test]
fn a_witness_counts_once_however_often_it_vouches() {
    let mut rig = Rig::new();
    let (witness, _) = (rig.witness(1), rig.witness(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    let frame = Frame::Publication(message.clone());
    rig.send(witness, &frame);
    for _ in 0..3 {
        assert!(delivered(&rig.vouch(witness, &message)).is_empty());
        assert!(delivered(&rig.send(witness, &frame)).is_empty());
    }
}

#[test]
fn witnesses_of_one_subnet_are_one_voter() {
    let defence = Defence { grouping: Grouping::Subnet, ..Defence::recommended(Kind::Local) };
    let mut rig = Rig::with(network_with(defence), |_| {});
    let near = rig.link(1, Direction::Outbound, Some([10, 0, 0, 1].into()));
    let neighbour = rig.link(2, Direction::Outbound, Some([10, 0, 0, 200].into()));
    let far = rig.link(3, Direction::Outbound, Some([10, 0, 1, 1].into()));
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(near, &message);
    assert!(delivered(&rig.vouch(neighbour, &message)).is_empty());
    assert_eq!(delivered(&rig.vouch(far, &message)).len(), 1);
    assert_eq!(rig.snapshot().witnesses, 2);
}

#[test]
fn a_message_is_delivered_once_even_when_all_vouch() {
    let mut rig = Rig::new();
    let peers: Vec<_> = (1..10).map(|tag| rig.witness(tag)).collect();
    let message = rig.message(9, rig.news(), 0, "hi");
    let frame = Frame::Publication(message.clone());
    for peer in &peers {
        rig.send(*peer, &frame);
        rig.vouch(*peer, &message);
    }
    assert_eq!(delivered(&rig.log).len(), 1);
    let vouches =
        rig.snapshot().bounds.iter().find(|b| b.name == "acceptance.vouches").unwrap().used;
    assert_eq!(vouches, 0, "late vouches are not kept");
}

#[test]
fn a_banned_witness_has_never_vouched() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.witness(1), rig.witness(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.vouch(liar, &message);
    rig.send_bytes(liar, forsooth_protocol::Lane::Control, vec![0xff; 9].into());
    let frame = Frame::Publication(message.clone());
    assert!(delivered(&rig.send(honest, &frame)).is_empty());
    let third = rig.witness(3);
    assert_eq!(delivered(&rig.vouch(third, &message)).len(), 1);
}

#[test]
fn a_message_nobody_vouches_for_is_given_up_with_a_reason() {
    let mut rig = Rig::new();
    let witness = rig.witness(1);
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(witness, &message);
    assert_eq!(rig.snapshot().topics[&rig.news()].waiting, 1);
    let effects = rig.wait(Duration::from_secs(61));
    let given_up = effects.iter().any(|effect| {
        let why = Shortfall::TooFewVouches;
        matches!(effect, Effect::Event(Event::Unaccepted { id, vouched: 1, threshold: 2, why: said, .. }) if (*id, *said) == (message.id(), why))
    });
    assert!(given_up);
    let topic = rig.snapshot().topics[&rig.news()];
    assert_eq!((topic.waiting, topic.unaccepted.total(), topic.accepted), (0, 1, 0));
}

#[test]
fn a_topic_says_whether_it_can_be_accepted_at_all() {
    let mut rig = Rig::new();
    rig.witness(1);
    rig.inbound(2);
    assert!(!rig.snapshot().topics[&rig.news()].acceptable);
    assert!(rig.snapshot().topics[&rig.open()].acceptable);
    rig.witness(3);
    assert!(rig.snapshot().topics[&rig.news()].acceptable);
}

#[test]
fn what_is_not_subscribed_is_relayed_and_not_delivered() {
    let mut rig = Rig::new();
    let topic = rig.open();
    rig.input(Input::Unsubscribe { topic, policy: None });
    let (from, other) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, topic, 0, "hi");
    let effects = rig.relay(from, &message);
    assert!(delivered(&effects).is_empty());
    assert_eq!(pushed_to(&rig, &effects, other), [message.id()]);
    assert_eq!(
        vouched_to(&rig, &effects, from),
        [KEY.name(&message.id())],
        "who sent it may need our vouch"
    );
}

#[test]
fn a_peer_that_came_to_us_becomes_a_witness_when_we_choose_it() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    assert_eq!(rig.snapshot().links[0].role, Role::Inbound);
    let effects = rig.input(Input::Known(vec![candidate(1)]));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Dial { .. })));
    assert_eq!(rig.snapshot().links[0].role, Role::Witness);
    assert_eq!(key(1).id(), peer);
}
