//! Faults of links: frames that are none, missing hellos, floods. What provokes each, what almost does, and
//! who pays.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{
    Effect, Fault, Input, Lane,
    network::{Defence, Kind},
    wire::{Frame, Hello, Intent, VERSION},
};

use crate::rig::{KEY, Rig, delivered, key, network_with};

#[test]
fn bytes_that_are_no_frame_are_malformed() {
    let good = Frame::Hello(Hello {
        version: VERSION,
        generation: 1,
        agent: "x".into(),
        intent: Intent::Gossip,
        vouch_key: KEY,
    })
    .encode();
    let long = Frame::Hello(Hello {
        version: VERSION,
        generation: 1,
        agent: "x".repeat(65),
        intent: Intent::Gossip,
        vouch_key: KEY,
    })
    .encode();
    let control = Frame::Hello(Hello {
        version: VERSION,
        generation: 1,
        agent: "\u{7}".into(),
        intent: Intent::Gossip,
        vouch_key: KEY,
    })
    .encode();
    let cases: [(&str, Bytes); 8] = [
        ("nothing", Bytes::new()),
        ("noise", Bytes::from_static(&[0xff; 20])),
        ("truncated", good.slice(..good.len() - 1)),
        ("an unknown body", Bytes::from_static(&[0x7a, 0])),
        ("a length over the end", Bytes::from_static(&[0x1a, 0xff, 0xff, 0xff, 0x7f, 1])),
        ("an id of 31 bytes", Bytes::from([&[0x1a, 33, 0x12, 31][..], &[0; 31]].concat())),
        ("an agent of 65 bytes", long),
        ("a bell in the agent", control),
    ];
    for (what, bytes) in cases {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        rig.send_bytes(peer, Lane::Control, bytes);
        assert_eq!(rig.faults(), [Fault::Malformed], "{what}");
        assert_eq!(rig.banned(), [peer], "{what}");
        assert!(!rig.linked(&peer), "{what}");
    }
}

#[test]
fn a_frame_on_the_wrong_lane_is_malformed() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.send_bytes(one, Lane::Control, message.frame().clone());
    let vouch = Frame::Vouch { topic: rig.open(), ids: vec![message.id()] };
    rig.send_bytes(two, Lane::Data, vouch.encode());
    assert_eq!(rig.faults(), [Fault::Malformed, Fault::Malformed]);
}

#[test]
fn an_unknown_field_is_ignored_and_does_not_travel_on() {
    let mut rig = Rig::new();
    let (from, other) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    // Field 1000 of the frame: 3 bytes of junk.
    let junk = [&message.frame()[..], &[0xc2, 0x3e, 3, 1, 2, 3]].concat();
    let effects = rig.send_bytes(from, Lane::Data, junk.into());
    assert_eq!(delivered(&effects).len(), 1);
    let relayed = effects.iter().find_map(|effect| match effect {
        Effect::Send { to, frame, .. } if *to == other => Some(frame.clone()),
        _ => None,
    });
    assert_eq!(relayed.as_ref(), Some(message.frame()));
    assert!(rig.faults().is_empty());
}

#[test]
fn a_peer_that_never_says_hello_is_silent() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection = forsooth_protocol::Connection {
        direction: forsooth_protocol::Direction::Inbound,
        remote: None,
    };
    rig.input(Input::Connected { peer, connection });
    rig.wait(Duration::from_millis(9_900));
    assert!(rig.faults().is_empty());
    let effects = rig.wait(Duration::from_millis(200));
    assert_eq!(rig.faults(), [Fault::Silent]);
    assert!(effects.iter().any(|e| matches!(e, Effect::Disconnect { banned: false, .. })));
    assert!(rig.banned().is_empty());
}

#[test]
fn an_unknown_version_is_a_bad_hello_and_no_crime() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection = forsooth_protocol::Connection {
        direction: forsooth_protocol::Direction::Inbound,
        remote: None,
    };
    rig.input(Input::Connected { peer, connection });
    rig.send(
        peer,
        &Frame::Hello(Hello {
            version: 2,
            generation: 1,
            agent: String::new(),
            intent: Intent::Gossip,
            vouch_key: KEY,
        }),
    );
    assert_eq!(rig.faults(), [Fault::BadHello]);
    assert!(!rig.linked(&peer));
    assert!(rig.banned().is_empty());
}

#[test]
fn whoever_has_not_said_hello_takes_no_part() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection = forsooth_protocol::Connection {
        direction: forsooth_protocol::Direction::Outbound,
        remote: None,
    };
    rig.input(Input::Connected { peer, connection });
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.vouch(peer, &message);
    assert!(rig.wait(Duration::from_secs(5)).is_empty(), "nothing is asked of it");
    rig.send(peer, &crate::rig::hello());
    rig.vouch(peer, &message);
    assert!(!rig.wait(Duration::from_secs(1)).is_empty());
    assert!(rig.faults().is_empty());
}

#[test]
fn a_second_hello_is_answered_for_whoever_lost_a_connection_waits_for_one() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.log.clear();
    let effects = rig.send(peer, &crate::rig::hello());
    assert!(matches!(crate::rig::sent(&rig, &effects, peer).as_slice(), [Frame::Hello(_)]));
    assert_eq!(effects.len(), 1, "it joins once");
    let answered = (0..100).filter(|_| !rig.send(peer, &crate::rig::hello()).is_empty()).count();
    assert_eq!(answered, 7, "two who answer each other must come to an end");
    assert!(rig.faults().is_empty());
}

#[test]
fn a_payload_may_overtake_the_hello() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection = forsooth_protocol::Connection {
        direction: forsooth_protocol::Direction::Inbound,
        remote: None,
    };
    rig.input(Input::Connected { peer, connection });
    let message = rig.message(9, rig.open(), 0, "hi");
    assert_eq!(delivered(&rig.relay(peer, &message)).len(), 1);
    rig.send(peer, &crate::rig::hello());
    assert!(rig.faults().is_empty());
    assert!(rig.linked(&peer));
}

#[test]
fn a_flood_is_over_quota_and_only_its_sender_pays() {
    let defence = Defence {
        control_frames_per_second: 10,
        burst_seconds: 2,
        ..Defence::recommended(Kind::Local)
    };
    let mut rig = Rig::with(network_with(defence), |_| {});
    let (flooder, honest) = (rig.inbound(1), rig.inbound(2));
    let prune = Frame::Prune { topic: rig.open(), author: None };
    // The hello was one of twenty.
    (0..19).for_each(|_| drop(rig.send(flooder, &prune)));
    assert!(rig.faults().is_empty(), "a burst within the quota is nobody's fault");
    let message = rig.message(9, rig.open(), 0, "hi");
    let vouch = Frame::Vouch { topic: rig.open(), ids: vec![message.id()] };
    (0..5000).for_each(|_| drop(rig.send(flooder, &vouch)));
    assert_eq!(rig.faults(), [Fault::OverQuota; 5000]);
    let missing = |rig: &Rig| {
        rig.snapshot().bounds.iter().find(|bound| bound.name == "gossip.missing").unwrap().used
    };
    assert_eq!(missing(&rig), 0, "what is over quota is not even decoded");
    rig.send(honest, &vouch);
    assert_eq!(missing(&rig), 1);
    assert!(rig.banned().is_empty(), "overload makes honest nodes do it too");
    assert!(rig.snapshot().links.iter().all(|link| (link.peer == flooder) == (link.score < -50.0)));
}

#[test]
fn a_flood_from_everywhere_leaves_each_its_part() {
    let defence = Defence {
        control_frames_per_second: 16,
        burst_seconds: 2,
        ..Defence::recommended(Kind::Local)
    };
    let mut rig = Rig::with(network_with(defence), |_| {});
    let flooders: Vec<_> = (1..=20).map(|tag| rig.inbound(tag)).collect();
    let honest = rig.inbound(21);
    let message = rig.message(9, rig.open(), 0, "hi");
    let prune = Frame::Prune { topic: rig.open(), author: None };
    for flooder in flooders {
        (0..31).for_each(|_| drop(rig.send(flooder, &prune)));
    }
    assert!(rig.snapshot().crowded > 0);
    assert!(rig.faults().is_empty(), "none of them sent more than it may");
    let vouch = Frame::Vouch { topic: rig.open(), ids: vec![message.id()] };
    rig.send(honest, &vouch);
    let bounds = rig.snapshot().bounds;
    let missing = bounds.iter().find(|bound| bound.name == "gossip.missing").unwrap().used;
    assert_eq!(missing, 1, "the honest one is heard");
}

#[test]
fn a_fault_below_the_frames_closes_the_link() {
    for (fault, banned) in [(Fault::Oversized, true), (Fault::Stalled, false)] {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        rig.input(Input::Misbehaved { peer, fault });
        assert_eq!(rig.faults(), [fault]);
        assert!(!rig.linked(&peer));
        assert_eq!(rig.banned().contains(&peer), banned);
    }
}

#[test]
fn a_stranger_is_not_heard() {
    let mut rig = Rig::new();
    let stranger = key(1).id();
    let message = rig.message(9, rig.open(), 0, "hi");
    assert!(rig.relay(stranger, &message).is_empty());
    assert!(rig.send_bytes(stranger, Lane::Control, Bytes::from_static(&[0xff; 9])).is_empty());
    assert!(rig.banned().is_empty());
}
