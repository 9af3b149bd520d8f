//! What those try who want to be drawn more than their share, or to cut others off: the rules that stop each.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Address, Candidate, Connection, Direction, Effect, Input, PeerRecord, Role, SignedRecord,
    wire::{Frame, Intent},
};

use crate::{
    overlay::{dialled, roles, said, settled, witnesses},
    rig::{Rig, greeting, hello, key, sent},
};

fn at(net: u8, host: u8) -> (IpAddr, Address) {
    let ip = IpAddr::from([net, host, 0, 1]);
    (ip, Address::new(&format!("/ip4/{ip}/tcp/8650")).unwrap())
}

/// Connects a peer that we dialled, without a hello.
fn answers(rig: &mut Rig, tag: u8) -> NodeId {
    let connection = Connection { direction: Direction::Outbound, remote: Some(at(20, tag).0) };
    rig.input(Input::Connected { peer: key(tag).id(), connection });
    key(tag).id()
}

fn know(rig: &mut Rig, tag: u8) {
    let (peer, address) = (key(tag).id(), at(20, tag).1);
    rig.input(Input::Known(vec![Candidate { peer, address }]));
}

/// Lets time pass while everybody who is dialled answers, but for some.
fn live(rig: &mut Rig, seconds: u64, is_deaf: impl Fn(&NodeId) -> bool) {
    for _ in 0..seconds {
        let effects = rig.wait(Duration::from_secs(1));
        let pulled = |effect: &Effect| match effect {
            Effect::Send { to, frame, .. } => {
                matches!(Frame::decode(frame, &rig.network), Ok(Frame::Pull)).then_some(*to)
            }
            _ => None,
        };
        let asked: Vec<_> = effects.iter().filter_map(pulled).collect();
        asked.into_iter().for_each(|peer| drop(rig.send(peer, &Frame::Answer(vec![]))));
        for peer in dialled(&effects) {
            let tag = (1..=60).find(|tag| key(*tag).id() == peer).unwrap();
            if is_deaf(&peer) {
                rig.input(Input::DialFailed { peer });
            } else {
                answers(rig, tag);
                rig.send(peer, &hello());
            }
        }
    }
}

#[test]
fn a_drawn_peer_that_wants_no_gossip_loses_its_place_and_its_vouches_never_count() {
    let mut rig = settled();
    know(&mut rig, 30);
    let gone = witnesses(&rig)[0];
    let lazy = key(30).id();
    rig.input(Input::Disconnected { peer: gone });
    // Nobody else is free at once.
    live(&mut rig, 1, |_| true);
    answers(&mut rig, 30);
    rig.send(lazy, &greeting(Intent::Visit));
    rig.input(Input::Disconnected { peer: witnesses(&rig)[0] });
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(witnesses(&rig)[0], &message);
    rig.vouch(lazy, &message);
    let effects = rig.wait(Duration::from_secs(25));
    let leaves =
        |effect: &Effect| matches!(effect, Effect::Disconnect { peer, .. } if *peer == lazy);
    assert!(effects.iter().any(leaves), "it holds a place and gives nothing");
    assert!(rig.faults().is_empty());
}

#[test]
fn newcomers_of_one_subnet_displace_few_and_none_that_we_know() {
    let mut rig = settled();
    // 48 places: one of ours to know, and 47 of others.
    let known = rig.link(40, Direction::Inbound, Some(at(20, 40).0));
    let record = said(&rig, 40, vec![at(20, 40).1]);
    rig.send(known, &Frame::Push(vec![record]));
    assert_eq!(rig.snapshot().overlay.view, 9, "found where it says it is");
    for tag in 60..107 {
        rig.link(tag, Direction::Inbound, Some(at(30, tag).0));
    }
    let inbound = |rig: &Rig| roles(rig).values().filter(|role| **role == Role::Inbound).count();
    assert_eq!(inbound(&rig), 48);
    let honest: Vec<_> = (60..107).map(|tag| key(tag).id()).collect();
    // One subnet, again and again with fresh keys.
    for turn in 0..100u8 {
        rig.wait(Duration::from_millis(10));
        let peer =
            rig.link(120 + turn % 60, Direction::Inbound, Some(IpAddr::from([66, 6, 6, turn])));
        rig.input(Input::Disconnected { peer });
    }
    let left = honest.iter().filter(|peer| rig.linked(peer)).count();
    assert!((43..47).contains(&left), "{left} of 47 are left");
    assert!(rig.linked(&known));
}

#[test]
fn a_short_outage_empties_nothing_and_who_is_gone_for_good_is_dropped() {
    let mut rig = settled();
    for tag in 20..40 {
        know(&mut rig, tag);
    }
    live(&mut rig, 400, |_| false);
    let view = rig.snapshot().overlay.view;
    live(&mut rig, 50, |_| true);
    let after = rig.snapshot().overlay.view;
    // One slot is seeded anew every 20 s, outage or not.
    assert!(view >= 12 && after + 3 >= view, "{view}, {after} after the outage");
    let is_dead = |peer: &NodeId| (20..30).any(|tag| key(tag).id() == *peer);
    for tag in 20..30 {
        rig.input(Input::Disconnected { peer: key(tag).id() });
    }
    live(&mut rig, 3000, is_dead);
    rig.log.clear();
    live(&mut rig, 300, is_dead);
    assert_eq!(dialled(&rig.log), [], "who is gone is not asked any more");
}

#[test]
fn the_host_of_a_visit_waits_for_what_its_visitor_wants() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection = Connection { direction: Direction::Inbound, remote: Some(at(20, 1).0) };
    rig.input(Input::Connected { peer, connection });
    rig.send(peer, &greeting(Intent::Visit));
    let effects = rig.wait(Duration::from_secs(8));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Disconnect { .. })));
    let effects = rig.send(peer, &Frame::Pull);
    assert!(sent(&rig, &effects, peer).iter().any(|frame| matches!(frame, Frame::Answer(_))));
}

#[test]
fn an_older_record_replaces_no_newer_one() {
    let mut rig = settled();
    let own = at(99, 1).1;
    rig.input(Input::Listening(vec![own]));
    let (id, addresses) = (key(1).id(), vec![at(20, 1).1]);
    let mut tell = |number| {
        let (time, work) = (rig.wall(), Bytes::new());
        let record = PeerRecord { id, addresses: addresses.clone(), number, time, work };
        let record = SignedRecord::sign(record, &key(1), &rig.network);
        rig.send(id, &Frame::Push(vec![record]));
    };
    tell(7);
    tell(5);
    tell(6);
    let asker = key(2).id();
    let effects = rig.send(asker, &Frame::Pull);
    let numbers = sent(&rig, &effects, asker).into_iter().find_map(|frame| match frame {
        Frame::Answer(records) => Some(
            records
                .iter()
                .filter(|one| one.record().id == id)
                .map(|one| one.record().number)
                .collect::<Vec<_>>(),
        ),
        _ => None,
    });
    assert_eq!(numbers, Some(vec![7]));
}

#[test]
fn a_clock_that_was_ahead_does_not_hide_us() {
    let mut rig = settled();
    rig.input(Input::Listening(vec![at(99, 1).1]));
    let announced = |rig: &Rig| rig.snapshot().overlay.record;
    let first = announced(&rig);
    assert!(first.is_some());
    let back = rig.wall().saturating_add(Duration::ZERO).as_millis() - 3_600_000;
    rig.input(Input::WallClock(forsooth_protocol::Timestamp::from_millis(back)));
    rig.wait(Duration::from_secs(20));
    assert!(announced(&rig) > first, "others take no record from the future");
}

#[test]
fn fresh_keys_of_one_subnet_do_not_keep_others_records_from_being_tried() {
    let mut rig = settled();
    let honest = witnesses(&rig)[0];
    let told = said(&rig, 50, vec![at(20, 50).1]);
    rig.send(honest, &Frame::Push(vec![told]));
    for turn in 0..300u32 {
        let mut seed = [5; 32];
        seed[..4].copy_from_slice(&turn.to_be_bytes());
        let liar = Keypair::from_seed(seed);
        let [_, _, high, low] = turn.to_be_bytes();
        let remote = Some(IpAddr::from([66, 6, 6, low]));
        let connection = Connection { direction: Direction::Inbound, remote };
        rig.input(Input::Connected { peer: liar.id(), connection });
        rig.send(liar.id(), &greeting(Intent::Visit));
        let address = Address::new(&format!("/ip4/77.{high}.{low}.1/tcp/8650")).unwrap();
        let (time, work) = (rig.wall(), Bytes::new());
        let record = PeerRecord { id: liar.id(), addresses: vec![address], number: 1, time, work };
        let record = SignedRecord::sign(record, &liar, &rig.network);
        rig.send(liar.id(), &Frame::Push(vec![record]));
        rig.input(Input::Disconnected { peer: liar.id() });
    }
    let mut tried = Vec::new();
    for _ in 0..120 {
        let dials = dialled(&rig.wait(Duration::from_secs(1)));
        dials.iter().for_each(|peer| drop(rig.input(Input::DialFailed { peer: *peer })));
        tried.extend(dials);
    }
    assert!(tried.contains(&key(50).id()), "{} were tried", tried.len());
}

#[test]
fn a_link_that_both_have_drawn_outlives_the_one_that_needs_it_no_more() {
    let mut rig = settled();
    (20..32).for_each(|tag| know(&mut rig, tag));
    let mut told = None;
    for _ in 0..4000 {
        live(&mut rig, 1, |_| false);
        let visit = |effect: &Effect| match effect {
            Effect::Send { to, frame, .. } => match Frame::decode(frame, &rig.network) {
                Ok(Frame::Hello(hello)) if hello.intent == Intent::Visit => Some(*to),
                _ => None,
            },
            _ => None,
        };
        told = rig
            .log
            .iter()
            .find_map(visit)
            .filter(|peer| roles(&rig).get(peer) == Some(&Role::Inbound));
        if told.is_some() {
            break;
        }
        rig.log.clear();
    }
    let peer = told.expect("a link is drawn anew");
    assert_eq!(roles(&rig)[&peer], Role::Inbound, "it may have drawn us");
    rig.send(peer, &greeting(Intent::Visit));
    assert!(!rig.linked(&peer), "nobody needs it");
    assert!(rig.faults().is_empty() && rig.banned().is_empty());
}
