//! A node that has lost everybody, and how it finds its way back.

use std::{collections::BTreeMap, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Address, Input, Time, wire::Frame};

use super::{
    overlay::{dialled, said, settled},
    rig::{Rig, key},
};

const SECOND: Duration = Duration::from_secs(1);
/// How long a dial takes where nobody answers.
const DEAD_DIAL: u64 = 8;

/// A node with eight links whose book also knows a hundred others, from which all are taken at once.
fn bereft() -> Rig {
    let mut rig = settled();
    for tag in 1..=8 {
        let address = Address::new(&format!("/ip4/20.{tag}.0.1/tcp/1")).unwrap();
        let own = said(&rig, tag, vec![address]);
        rig.send(key(tag).id(), &Frame::Push(vec![own]));
        let others = (0..13).map(|other| {
            let address = Address::new(&format!("/ip4/60.{tag}.{other}.1/tcp/1")).unwrap();
            said(&rig, 20 + tag * 13 + other, vec![address])
        });
        let others = others.collect();
        rig.send(key(tag).id(), &Frame::Push(others));
    }
    rig.wait(Duration::from_secs(130));
    rig.log.clear();
    for tag in 1..=8 {
        rig.input(Input::Disconnected { peer: key(tag).id() });
    }
    rig
}

/// Lets so many seconds pass in which nobody answers. When was each dialled?
fn nobody_answers(rig: &mut Rig, seconds: u64) -> BTreeMap<NodeId, Vec<Time>> {
    let mut dials: BTreeMap<NodeId, Vec<Time>> = BTreeMap::new();
    let mut open: Vec<(u64, NodeId)> = Vec::new();
    let mut seen = 0;
    for second in 0..seconds {
        for (_, peer) in open.extract_if(.., |(at, _)| *at <= second) {
            rig.input(Input::DialFailed { peer });
        }
        rig.wait(SECOND);
        let new = dialled(rig.log.get(seen..).unwrap_or_default());
        seen = rig.log.len();
        for peer in new {
            open.push((second + DEAD_DIAL, peer));
            dials.entry(peer).or_default().push(rig.now);
        }
    }
    dials
}

#[test]
fn who_loses_everybody_dials_its_anchors_its_contacts_and_its_book_again_and_again() {
    let mut rig = bereft();
    let dials = nobody_answers(&mut rig, 900);
    // All contacts, two of which are the anchors.
    for tag in 1..=8 {
        let times = &dials[&key(tag).id()];
        let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]));
        let longest = gaps.max().unwrap();
        assert!(longest < Duration::from_secs(75), "{tag}: {longest:?}");
    }
    assert!(dials.len() > 60, "the book is dialled too: {}", dials.len());
}

#[test]
fn who_loses_everybody_looks_for_others_within_a_second_or_two() {
    let mut rig = bereft();
    let dials = nobody_answers(&mut rig, 4);
    let known: Vec<_> = (1..=8).map(|tag| key(tag).id()).collect();
    assert!(dials.keys().filter(|peer| known.contains(peer)).count() >= 6, "{dials:?}");
}
