//! What the overlay remembers over a restart, and what becomes of it.

use std::time::Duration;

use forsooth_protocol::{
    Address, Connection, Direction, Effect, Input, Participant as _, Record,
    network::{Defence, Grouping, Kind},
    wire::Frame,
};

use crate::{
    overlay::{dialled, forged, ids, record, said, settled},
    rig::{Rig, hello, key, network_with, sent},
};

#[test]
fn after_a_restart_the_anchors_are_dialled_first() {
    let mut rig = settled();
    for tag in 1..=8 {
        let address = Address::new(&format!("/ip4/20.{tag}.0.1/tcp/1")).unwrap();
        let record = said(&rig, tag, vec![address]);
        rig.send(key(tag).id(), &Frame::Push(vec![record]));
    }
    rig.wait(Duration::from_secs(200));
    let records = stored(&rig.log);
    let anchors = records.iter().rev().find_map(|record| match record {
        Record::Anchors { peers } => Some(peers.clone()),
        _ => None,
    });
    let anchors = anchors.expect("anchors are stored");
    assert_eq!(anchors.len(), 2);
    let defence = Defence { grouping: Grouping::Subnet, ..Defence::recommended(Kind::Local) };
    let mut next = Rig::with(network_with(defence), |config| config.generation += 1);
    let first = dialled(&next.input(Input::Loaded(records)));
    assert_eq!(first.get(..2), Some(&anchors[..]), "{first:?}");
    let known: Vec<_> = (1..=8).map(|tag| key(tag).id()).collect();
    assert!(first.len() > 2 && first.iter().all(|peer| known.contains(peer)));
}

/// A record that its peer did not sign, as a disk would bring it.
fn tampered(rig: &Rig, records: Vec<Record>) -> Vec<Record> {
    let bad = forged(rig).to_bytes();
    let signed = record(rig, 9, 9).to_bytes();
    let forge = |record| match record {
        Record::Peer { peer, entry } => {
            let at = entry.windows(signed.len()).position(|window| window == signed);
            let at = at.expect("the record is in the entry");
            let (before, rest) = entry.split_at(at);
            let (_, after) = rest.split_at(signed.len());
            let entry = [before, &bad, after].concat();
            Record::Peer { peer, entry: entry.into() }
        }
        other => other,
    };
    records.into_iter().map(forge).collect()
}

fn stored(effects: &[Effect]) -> Vec<Record> {
    let stored = |effect: &Effect| match effect {
        Effect::Store(record) => Some(record.clone()),
        _ => None,
    };
    effects.iter().filter_map(stored).collect()
}

#[test]
fn what_was_learned_in_the_last_minute_is_stored_at_the_end() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.wait(Duration::from_secs(90));
    let before = stored(&rig.log).len();
    let record = record(&rig, 9, 9);
    rig.send(peer, &Frame::Push(vec![record]));
    assert_eq!(stored(&rig.log).len(), before, "nobody can make the disk busy");
    let last = stored(&rig.input(Input::Stopping));
    assert!(matches!(&last[..], [Record::Peer { peer, .. }] if *peer == key(9).id()), "{last:?}");
    assert!(stored(&rig.input(Input::Stopping)).is_empty(), "once");
    // And comes back.
    let records = stored(&rig.log);
    let mut next = Rig::new();
    next.input(Input::Loaded(records));
    assert_eq!(next.snapshot().candidates, 1);
}

#[test]
fn a_record_from_the_disk_is_dialled_by_and_never_passed_on() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let honest = record(&rig, 9, 9);
    rig.send(peer, &Frame::Push(vec![honest]));
    rig.input(Input::Stopping);
    let records = stored(&rig.log);
    for is_tampered in [false, true] {
        let mut next = Rig::new();
        let records = if is_tampered { tampered(&next, records.clone()) } else { records.clone() };
        let mut checks = 0;
        for effect in next.core.handle(next.now, Input::Loaded(records)) {
            checks += usize::from(matches!(effect, Effect::Verify { .. }));
        }
        assert_eq!(checks, 0, "nothing is verified at the start");
        let known = key(9).id();
        assert!(dialled(&next.wait(Duration::from_secs(300))).contains(&known));
        // It answers, and shows its key thereby; somebody asks whom we know.
        let remote = Some([127, 0, 0, 9].into());
        let connection = Connection { direction: Direction::Outbound, remote };
        next.input(Input::Connected { peer: known, connection });
        next.send(known, &hello());
        let asker = next.inbound(3);
        let said = next.send(asker, &Frame::Pull);
        assert!(!ids(&sent(&next, &said, asker)).contains(&known));
        // It says where it is, in this life.
        let anew = record(&next, 9, 9);
        next.send(known, &Frame::Push(vec![anew]));
        next.wait(Duration::from_secs(60));
        let said = next.send(asker, &Frame::Pull);
        assert!(ids(&sent(&next, &said, asker)).contains(&known));
        assert_eq!(next.faults(), []);
    }
}
