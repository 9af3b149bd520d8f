//! Whom the core dials, how often, and what it does when nobody answers.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Address, Candidate, Connection, Direction, Effect, Input, Role};

use crate::rig::{Rig, candidate, hello};

fn dialled(effects: &[Effect]) -> Vec<NodeId> {
    let peer = |effect: &Effect| match effect {
        Effect::Dial { peer, .. } => Some(*peer),
        _ => None,
    };
    effects.iter().filter_map(peer).collect()
}

#[test]
fn it_dials_until_it_has_as_many_as_it_wants() {
    let mut rig = Rig::new();
    let known = (1..100).map(candidate).collect();
    let mut waiting = dialled(&rig.input(Input::Known(known)));
    assert_eq!(waiting.len(), 8, "no more dials at once than the bound");
    let mut linked = 0;
    while let Some(peer) = waiting.pop() {
        let connection = Connection { direction: Direction::Outbound, remote: None };
        rig.input(Input::Connected { peer, connection });
        waiting.extend(dialled(&rig.send(peer, &hello())));
        linked += 1;
    }
    assert_eq!(linked, rig.snapshot().witnesses_wanted);
    assert!(rig.snapshot().links.iter().all(|link| link.role == Role::Witness));
}

#[test]
fn a_lost_witness_is_replaced() {
    let mut rig = Rig::new();
    let first = dialled(&rig.input(Input::Known((1..100).map(candidate).collect())));
    for peer in &first {
        let connection = Connection { direction: Direction::Outbound, remote: None };
        rig.input(Input::Connected { peer: *peer, connection });
        rig.send(*peer, &hello());
    }
    let effects = rig.input(Input::Disconnected { peer: first[0] });
    let replacement = dialled(&effects);
    assert_eq!(replacement.len(), 1);
    assert!(!first.contains(&replacement[0]), "who just left is not asked at once");
}

#[test]
fn a_dead_bootnode_is_tried_ever_less_often() {
    let mut rig = Rig::new();
    let mut times = Vec::new();
    let mut effects = rig.input(Input::Known(vec![candidate(1)]));
    while times.len() < 12 {
        if let Some(peer) = dialled(&effects).first() {
            times.push(rig.now);
            rig.input(Input::DialFailed { peer: *peer });
        }
        effects = rig.wait(Duration::from_millis(500));
    }
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(gaps[0] >= Duration::from_secs(1) && gaps[0] < Duration::from_secs(3), "{gaps:?}");
    let longest = gaps.iter().max().unwrap();
    assert!(
        *longest > Duration::from_secs(290) && *longest <= Duration::from_secs(451),
        "{gaps:?}"
    );
}

#[test]
fn a_dial_that_is_never_answered_counts_as_failed() {
    let mut rig = Rig::new();
    assert_eq!(dialled(&rig.input(Input::Known(vec![candidate(1)]))).len(), 1);
    assert!(dialled(&rig.wait(Duration::from_secs(59))).is_empty());
    assert_eq!(dialled(&rig.wait(Duration::from_secs(5))).len(), 1);
}

#[test]
fn it_does_not_dial_itself_nor_the_banned() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.send_bytes(peer, forsooth_protocol::Lane::Control, vec![0xff; 4].into());
    assert_eq!(rig.banned(), [peer]);
    let effects = rig.input(Input::Known(vec![candidate(1), candidate(200)]));
    assert!(dialled(&effects).is_empty());
    assert_eq!(rig.snapshot().candidates, 1, "the ban will be over, the candidate is kept");
    assert_eq!(dialled(&rig.input(Input::Pardon { whom: peer.into() })), [peer]);
}

#[test]
fn a_candidate_is_chosen_again_when_its_ban_is_over() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.send_bytes(peer, forsooth_protocol::Lane::Control, vec![0xff; 4].into());
    rig.input(Input::Known(vec![candidate(1)]));
    assert!(dialled(&rig.wait(Duration::from_secs(3599))).is_empty());
    assert_eq!(dialled(&rig.wait(Duration::from_secs(2))), [peer]);
}

#[test]
fn a_candidate_that_is_banned_is_not_chosen_until_the_ban_is_over() {
    let mut rig = Rig::new();
    let peer = dialled(&rig.input(Input::Known(vec![candidate(1)])))[0];
    rig.link(1, Direction::Outbound, None);
    rig.send_bytes(peer, forsooth_protocol::Lane::Control, vec![0xff; 4].into());
    assert_eq!(rig.banned(), [peer]);
    assert!(dialled(&rig.wait(Duration::from_secs(3599))).is_empty());
    assert_eq!(dialled(&rig.wait(Duration::from_secs(2))), [peer]);
}

#[test]
fn candidates_are_bounded() {
    let mut rig = Rig::new();
    let many = (0u32..10_000).map(|n| {
        let mut id = [1; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Candidate { peer: NodeId::from_bytes(id), address: Address::new("x").unwrap() }
    });
    rig.input(Input::Known(many.collect()));
    assert_eq!(rig.snapshot().candidates, 4096);
    assert!(Address::new(&"x".repeat(257)).is_none());
}
