//! Who tells nothing while most of the witnesses tell much, and who only seems to.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::Fault;

use crate::rig::{Rig, key};

/// Longer than the time between two reviews.
const REVIEW: Duration = Duration::from_secs(61);
/// More than others are judged by.
const ENOUGH: u64 = 33;

/// A core with so many witnesses, tags 1 and up.
fn rig(witnesses: u8) -> (Rig, Vec<NodeId>) {
    let mut rig = Rig::new();
    let witnesses = (1..=witnesses).map(|tag| rig.witness(tag)).collect();
    rig.wait(REVIEW);
    (rig, witnesses)
}

/// Messages that all of these tell of: the first brings them, the others vouch.
fn tell(rig: &mut Rig, from: u64, peers: &[NodeId]) {
    for seq in from..from + ENOUGH {
        let message = rig.message(99, rig.open(), seq, "news");
        let (first, others) = peers.split_first().unwrap();
        rig.relay(*first, &message);
        others.iter().for_each(|peer| drop(rig.vouch(*peer, &message)));
    }
}

fn withheld(rig: &Rig) -> usize {
    rig.faults().iter().filter(|fault| **fault == Fault::Withheld).count()
}

#[test]
fn who_tells_nothing_that_most_witnesses_tell_is_let_go() {
    let (mut rig, witnesses) = rig(7);
    let (talkers, silent) = witnesses.split_at(6);
    let [useful, useless] = [30, 31].map(|tag| rig.inbound(tag));
    // They are looked at from the next review on.
    tell(&mut rig, 0, &witnesses);
    rig.wait(REVIEW);
    let told: Vec<_> = talkers.iter().chain([&useful]).copied().collect();
    tell(&mut rig, 100, &told);
    rig.wait(REVIEW);
    assert!(told.iter().all(|peer| rig.linked(peer)));
    assert!(!rig.linked(&silent[0]) && !rig.linked(&useless));
    assert_eq!((withheld(&rig), rig.banned()), (2, vec![]));
    // A witness is not drawn anew for a while; there is nobody else here.
    rig.wait(Duration::from_secs(600));
    assert!(!rig.linked(&silent[0]));
}

#[test]
fn a_vouch_that_came_before_its_message_counts() {
    let (mut rig, witnesses) = rig(6);
    let early = rig.inbound(30);
    tell(&mut rig, 0, &witnesses);
    rig.wait(REVIEW);
    for seq in 100..100 + ENOUGH {
        let message = rig.message(99, rig.open(), seq, "news");
        rig.vouch(early, &message);
        rig.relay(witnesses[0], &message);
        witnesses[1..].iter().for_each(|peer| drop(rig.vouch(*peer, &message)));
    }
    rig.wait(REVIEW);
    assert!(rig.linked(&early));
    assert_eq!(withheld(&rig), 0);
}

#[test]
fn who_comes_back_to_be_silent_is_turned_away() {
    let (mut rig, witnesses) = rig(6);
    let mut stays = 0;
    for turn in 0..6 {
        let silent = rig.inbound(30);
        stays += usize::from(rig.linked(&silent));
        tell(&mut rig, turn * 1000, &witnesses);
        rig.wait(REVIEW);
        tell(&mut rig, turn * 1000 + 500, &witnesses);
        rig.wait(REVIEW);
        assert!(!rig.linked(&silent));
    }
    assert_eq!((stays, withheld(&rig)), (1, 1));
    assert_eq!(rig.banned(), []);
}

#[test]
fn what_a_minority_says_to_itself_makes_nobody_look_silent() {
    let (mut rig, witnesses) = rig(7);
    let honest = rig.inbound(30);
    tell(&mut rig, 0, &witnesses);
    rig.wait(REVIEW);
    for turn in 1..10 {
        // Three of seven tell us alone of what they made up.
        tell(&mut rig, turn * 100, &witnesses[..3]);
        rig.wait(REVIEW);
    }
    assert!(witnesses.iter().chain([&honest]).all(|peer| rig.linked(peer)));
    assert_eq!(withheld(&rig), 0);
}

#[test]
fn nobody_is_silent_when_there_is_nothing_to_tell_or_nobody_to_compare_with() {
    let (mut rig, witnesses) = rig(6);
    rig.wait(10 * REVIEW);
    assert!(witnesses.iter().all(|peer| rig.linked(peer)));
    let (mut few, witnesses) = self::rig(4);
    let quiet = few.inbound(30);
    for turn in 0..4 {
        tell(&mut few, turn * 100, &witnesses);
        few.wait(REVIEW);
    }
    assert!(few.linked(&quiet));
    assert_eq!([withheld(&rig), withheld(&few)], [0, 0]);
}

#[test]
fn little_news_adds_up_over_several_reviews() {
    let (mut rig, witnesses) = rig(6);
    let silent = rig.inbound(30);
    tell(&mut rig, 0, &witnesses);
    rig.wait(REVIEW);
    for seq in 100..100 + ENOUGH {
        assert!(rig.linked(&silent) || seq > 130);
        let message = rig.message(99, rig.open(), seq, "a message a minute");
        witnesses.iter().for_each(|peer| drop(rig.relay(*peer, &message)));
        rig.wait(REVIEW);
    }
    assert!(!rig.linked(&silent));
    assert!(rig.linked(&witnesses[5]) && rig.linked(&key(1).id()));
}

#[test]
fn whom_the_operator_wants_may_be_silent() {
    let (mut rig, witnesses) = rig(6);
    let kept = crate::rig::candidate(30);
    rig.input(forsooth_protocol::Input::Keep(vec![kept]));
    let kept = rig.link(30, forsooth_protocol::Direction::Outbound, None);
    for turn in 0..4 {
        tell(&mut rig, turn * 100, &witnesses);
        rig.wait(REVIEW);
    }
    assert!(rig.linked(&kept));
    assert_eq!(withheld(&rig), 0);
}
