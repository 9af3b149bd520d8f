//! Witnesses that have said nothing of a message are asked, and say whether they vouch for it.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Effect, MessageId, ShortId, Shortfall, Slot,
    wire::{Frame, Intent},
};

use crate::rig::{GENERATION, KEY, Rig, delivered, dropped, greeting, key, sent};

/// What a peer is asked about, frame by frame.
fn asked(rig: &Rig, effects: &[Effect], peer: NodeId) -> Vec<Vec<ShortId>> {
    let names = |frame| match frame {
        Frame::Ask { names } => Some(names),
        _ => None,
    };
    sent(rig, effects, peer).into_iter().filter_map(names).collect()
}

fn rig() -> (Rig, [NodeId; 3]) {
    let mut rig = Rig::new();
    rig.silent = true;
    let witnesses = [1, 2, 3].map(|tag| rig.witness(tag));
    (rig, witnesses)
}

#[test]
fn a_vouch_that_was_lost_is_asked_for() {
    let (mut rig, [one, two, three]) = rig();
    let message = rig.message(9, rig.news(), 0, "hi");
    assert!(delivered(&rig.relay(one, &message)).is_empty(), "two of three must vouch");
    let effects = rig.wait(Duration::from_millis(999));
    assert!(asked(&rig, &effects, two).is_empty(), "it may be on its way");
    let effects = rig.wait(Duration::from_millis(2));
    assert!(asked(&rig, &effects, one).is_empty(), "it has vouched");
    let [of_two, of_three] = [two, three].map(|peer| asked(&rig, &effects, peer).remove(0));
    assert_eq!((of_two.len(), of_three.len()), (1, 1));
    let effects = rig.send(three, &Frame::Unknown { names: of_three });
    assert!(delivered(&effects).is_empty());
    assert_eq!(delivered(&rig.send(two, &Frame::ShortVouch { names: of_two })).len(), 1);
    assert!(rig.faults().is_empty());
}

#[test]
fn what_nobody_answers_is_asked_again_and_what_is_accepted_is_not() {
    let (mut rig, [one, two, three]) = rig();
    let [slow, quick] = [0, 1].map(|seq| rig.message(9, rig.news(), seq, "hi"));
    rig.relay(one, &slow);
    rig.relay(one, &quick);
    rig.vouch(two, &quick);
    let effects = rig.wait(Duration::from_secs(20));
    let all = asked(&rig, &effects, three);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1], "after 1, 3 and 9 s");
}

#[test]
fn who_answers_late_and_more_than_once_is_not_asked_what_it_means() {
    let (mut rig, [one, two, _]) = rig();
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(one, &message);
    let effects = rig.wait(Duration::from_secs(4));
    let questions = asked(&rig, &effects, two);
    assert_eq!(questions.len(), 2, "after 1 and 3 s");
    // Its vouch, which was on its way, and an answer to each question.
    let vouch = Frame::ShortVouch { names: questions.concat()[..1].to_vec() };
    (0..3).for_each(|_| drop(rig.send(two, &vouch)));
    let effects = rig.wait(Duration::from_secs(20));
    let frames = sent(&rig, &effects, two);
    assert!(!frames.iter().any(|frame| matches!(frame, Frame::Inquire { .. })), "it is here");
    assert!(rig.faults().is_empty());
}

#[test]
fn who_chose_us_is_told_what_we_hold_and_what_we_do_not_know() {
    let mut rig = Rig::new();
    let (from, asker) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.relay(from, &message);
    let known = KEY.name(&message.id());
    let strange = KEY.name(&MessageId::from_bytes([5; 32]));
    let ask = Frame::Ask { names: vec![known, strange] };
    let effects = rig.send(asker, &ask);
    let answer =
        [Frame::ShortVouch { names: vec![known] }, Frame::Unknown { names: vec![strange] }];
    assert_eq!(sent(&rig, &effects, asker), answer);
    rig.send(asker, &greeting(Intent::Gossip));
    let effects = rig.send(asker, &ask);
    assert!(sent(&rig, &effects, asker).is_empty(), "it has not chosen us");
}

#[test]
fn the_application_is_told_whether_witnesses_said_no_or_nothing() {
    for (silent, why) in [(true, Shortfall::Unanswered), (false, Shortfall::TooFewVouches)] {
        let (mut rig, [one, ..]) = rig();
        rig.silent = silent;
        let message = rig.message(9, rig.news(), 0, "hi");
        rig.relay(one, &message);
        let gone = dropped(&rig.wait(Duration::from_secs(70)));
        assert_eq!(gone.iter().map(|(_, _, why)| *why).collect::<Vec<_>>(), [why]);
    }
}

#[test]
fn where_messages_are_kept_the_application_is_told_later_and_nobody_is_asked_meanwhile() {
    for (silent, why) in [(true, Shortfall::Unanswered), (false, Shortfall::TooFewVouches)] {
        let mut rig = Rig::with(crate::keeping::network(), |_| {});
        rig.silent = silent;
        let [one, two, _] = [1, 2, 3].map(|tag| rig.witness(tag));
        let message = rig.message(9, rig.news(), 0, "hi");
        rig.relay(one, &message);
        let effects = rig.wait(Duration::from_secs(70));
        assert!(dropped(&effects).is_empty(), "others may be found to keep it");
        let effects = rig.wait(Duration::from_secs(600));
        assert!(asked(&rig, &effects, two).is_empty(), "nobody vouches for what is over");
        let gone = dropped(&effects);
        assert_eq!(gone.iter().map(|(_, _, why)| *why).collect::<Vec<_>>(), [why]);
    }
}

#[test]
fn nobody_is_asked_about_what_is_over_before_it_was_time_to() {
    let mut rig = Rig::with(crate::keeping::network(), |_| {});
    rig.silent = true;
    let [one, two, _] = [1, 2, 3].map(|tag| rig.witness(tag));
    let slot = Slot { author: key(9).id(), topic: rig.news(), generation: GENERATION, seq: 0 };
    let message = rig.sign(9, slot, rig.wall(), Duration::from_millis(500), "hi");
    rig.relay(one, &message);
    let effects = rig.wait(Duration::from_secs(300));
    assert!(asked(&rig, &effects, two).is_empty() && dropped(&effects).is_empty());
}

#[test]
fn of_what_is_over_only_so_much_waits_on() {
    let mut rig = Rig::with(crate::keeping::network(), |_| {});
    rig.silent = true;
    let one = rig.witness(1);
    for author in 20..120 {
        for seq in 0..90 {
            let message = rig.message(author, rig.news(), seq, "hi");
            rig.relay(one, &message);
        }
    }
    let gone = dropped(&rig.wait(Duration::from_secs(70)));
    assert_eq!(gone.len(), 9000 - 8192);
    let gone = dropped(&rig.wait(Duration::from_secs(600)));
    assert_eq!(gone.len(), 8192);
}

#[test]
fn of_a_flood_a_witness_is_asked_about_a_bounded_part_at_a_time() {
    let (mut rig, [one, two, _]) = rig();
    for author in 20..60 {
        for seq in 0..20 {
            let message = rig.message(author, rig.news(), seq, "hi");
            rig.relay(one, &message);
        }
    }
    let effects = rig.wait(Duration::from_millis(1001));
    let first = asked(&rig, &effects, two);
    assert_eq!(first.iter().map(Vec::len).collect::<Vec<_>>(), [256]);
    let effects = rig.wait(Duration::from_millis(1500));
    let rest = asked(&rig, &effects, two);
    assert_eq!(rest.iter().map(Vec::len).sum::<usize>(), 800 - 256, "all have their chance");
}
