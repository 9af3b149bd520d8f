//! What a review found that liars could do with honest nodes as their tools. None of it works any more.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use forsooth_crypto::Keypair;
use forsooth_protocol::{
    Effect, Event, Fault, Input, Proof, Publication, Record, Slot, wire::Frame,
};

use crate::rig::{GENERATION, Rig, START, delivered, key, pushed_to, sent, vouched_to};

fn score(rig: &Rig, tag: u8) -> f64 {
    rig.snapshot().links.iter().find(|link| link.peer == key(tag).id()).unwrap().score
}

fn short_lived(rig: &Rig, seq: u64, lifetime: Duration) -> Publication {
    let slot = Slot { author: key(9).id(), topic: rig.open(), generation: GENERATION, seq };
    rig.sign(9, slot, rig.wall(), lifetime, "brief")
}

/// True evidence against a key that nobody has heard of.
fn throwaway_proof(rig: &Rig, n: u16) -> Proof {
    let mut seed = [3; 32];
    seed[..2].copy_from_slice(&n.to_be_bytes());
    let keypair = Keypair::from_seed(seed);
    let slot = Slot { author: keypair.id(), topic: rig.open(), generation: 1, seq: 0 };
    let sign = |text: &'static [u8]| {
        let payload = Bytes::from_static(text);
        let life = Duration::from_secs(9);
        Publication::sign(slot, rig.wall(), life, payload, &keypair, &rig.network)
    };
    let (one, two) = (sign(b"a"), sign(b"b"));
    Proof::new(one.signed().clone(), two.signed().clone()).unwrap()
}

#[test]
fn serving_what_has_expired_on_the_way_keeps_the_promise() {
    let mut rig = Rig::new();
    rig.inbound(1);
    let messages: Vec<_> =
        (0..60).map(|seq| short_lived(&rig, seq, Duration::from_millis(100))).collect();
    messages.iter().for_each(|message| drop(rig.vouch(key(1).id(), message)));
    rig.wait(Duration::from_secs(1));
    messages.iter().for_each(|message| drop(rig.relay(key(1).id(), message)));
    rig.wait(Duration::from_secs(20));
    assert!(rig.faults().iter().all(|fault| *fault == Fault::Expired));
    assert!(score(&rig, 1).abs() < 0.01);
}

#[test]
fn what_was_over_when_it_came_is_asked_of_nobody_else() {
    let mut rig = Rig::new();
    let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
    let message = short_lived(&rig, 0, Duration::from_millis(100));
    rig.vouch(one, &message);
    rig.vouch(two, &message);
    rig.wait(Duration::from_millis(200));
    rig.relay(one, &message);
    assert!(rig.wait(Duration::from_secs(5)).iter().all(|e| !matches!(e, Effect::Send { .. })));
}

#[test]
fn what_lost_to_another_message_for_its_slot_is_not_asked_for() {
    let mut rig = Rig::new();
    let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
    let [first, second] = ["yes", "no"].map(|text| rig.message(9, rig.open(), 0, text));
    rig.relay(one, &first);
    rig.relay(one, &second);
    rig.vouch(two, &second);
    assert!(rig.wait(Duration::from_secs(5)).iter().all(|e| !matches!(e, Effect::Send { .. })));
}

#[test]
fn what_we_said_in_an_earlier_life_is_passed_on_and_no_news_to_ourselves() {
    let mut rig = Rig::new();
    let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
    let slot =
        Slot { author: key(200).id(), topic: rig.open(), generation: GENERATION - 1, seq: 0 };
    let ours = rig.sign(200, slot, rig.wall(), Duration::from_secs(60), "earlier");
    let effects = rig.relay(one, &ours);
    assert_eq!(pushed_to(&rig, &effects, two), [ours.id()]);
    assert!(delivered(&effects).is_empty());
}

#[test]
fn a_newcomer_is_not_told_of_what_is_over() {
    let mut rig = Rig::new();
    rig.inbound(1);
    let message = short_lived(&rig, 0, Duration::from_secs(1));
    rig.relay(key(1).id(), &message);
    rig.wait(Duration::from_secs(2));
    rig.log.clear();
    let newcomer = rig.inbound(2);
    assert!(vouched_to(&rig, &rig.log.clone(), newcomer).is_empty());
}

#[test]
fn a_peer_is_asked_for_a_bounded_number_at_a_time_and_in_the_end_for_all() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let messages: Vec<_> = (0..300).map(|seq| rig.message(30, rig.open(), seq, "old")).collect();
    let ids: Vec<_> = messages.iter().map(Publication::id).collect();
    rig.send(peer, &Frame::Vouch { topic: rig.open(), ids });
    let mut asked = 0;
    for round in 0..20 {
        let effects = rig.wait(Duration::from_secs(1));
        let frames = sent(&rig, &effects, peer);
        assert!(frames.len() <= 3, "{} frames where one would do", frames.len());
        for frame in frames {
            let Frame::Graft { ids, .. } = frame else { continue };
            asked += ids.len();
            for message in messages.iter().filter(|message| ids.contains(&message.id())) {
                rig.relay(key(1).id(), message);
            }
        }
        assert!(round > 0 || asked <= 128, "{asked} at once");
    }
    assert_eq!(asked, 300);
    assert!(rig.faults().iter().all(|fault| *fault == Fault::OverRate), "{:?}", rig.faults());
}

#[test]
fn votes_of_witnesses_that_left_are_gone_with_them() {
    let mut rig = Rig::new();
    let lie = rig.message(9, rig.news(), 0, "a lie");
    for liar in 10..30 {
        let liar = rig.witness(liar);
        rig.vouch(liar, &lie);
        rig.input(Input::Disconnected { peer: liar });
    }
    let last = rig.witness(30);
    let effects = rig.send(last, &Frame::Publication(lie));
    assert!(delivered(&effects).is_empty());
    let vouches =
        rig.snapshot().bounds.iter().find(|b| b.name == "acceptance.vouches").unwrap().used;
    assert_eq!(vouches, 1);
}

#[test]
fn a_short_lifetime_buys_no_second_message_for_a_slot() {
    let mut rig = Rig::new();
    rig.inbound(1);
    let first = short_lived(&rig, 0, Duration::from_millis(300));
    assert_eq!(delivered(&rig.relay(key(1).id(), &first)).len(), 1);
    rig.wait(Duration::from_secs(5));
    let slot = first.header().slot;
    let second = rig.sign(9, slot, rig.wall(), Duration::from_secs(60), "another");
    assert!(delivered(&rig.relay(key(1).id(), &second)).is_empty());
    assert_eq!(rig.banned(), [key(9).id()], "it is an equivocation like any other");
}

#[test]
fn an_honest_author_may_restart_with_a_backlog_and_is_not_over_its_rate() {
    let mut rig = Rig::new();
    rig.inbound(1);
    let topic = rig.network.topic(rig.open()).clone();
    let burst = u64::from(topic.rate_per_minute / 6 + topic.burst);
    for generation in [GENERATION, GENERATION + 1] {
        for seq in 0..burst {
            let slot = Slot { author: key(9).id(), topic: rig.open(), generation, seq };
            let message = rig.sign(9, slot, rig.wall(), Duration::from_secs(60), "backlog");
            assert_eq!(delivered(&rig.relay(key(1).id(), &message)).len(), 1);
        }
    }
    assert!(rig.faults().is_empty());
}

#[test]
fn a_clock_that_jumps_ahead_and_back_does_not_make_everything_old() {
    let mut rig = Rig::new();
    rig.inbound(1);
    let before = rig.message(9, rig.open(), 0, "before");
    rig.relay(key(1).id(), &before);
    let year = Duration::from_secs(365 * 86_400);
    rig.input(Input::WallClock(START.saturating_add(year)));
    rig.wait(Duration::from_secs(1));
    rig.input(Input::WallClock(START.saturating_add(Duration::from_secs(1))));
    rig.wait(Duration::from_secs(130));
    let after = rig.message(9, rig.open(), 1, "after");
    assert_eq!(delivered(&rig.relay(key(1).id(), &after)).len(), 1);
}

#[test]
fn those_who_came_to_us_cannot_shut_out_a_witness() {
    let mut rig = Rig::new();
    let message = rig.message(9, rig.open(), 0, "hi");
    for liar in 10..40 {
        let liar = rig.inbound(liar);
        rig.vouch(liar, &message);
    }
    let witness = rig.witness(1);
    rig.vouch(witness, &message);
    let effects = rig.wait(Duration::from_millis(300));
    let frames = sent(&rig, &effects, witness);
    assert!(matches!(frames.as_slice(), [Frame::Graft { .. }]), "and it is asked first");
}

#[test]
fn a_liar_cannot_evict_what_honest_peers_vouch_for_by_vouching_first() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let truth = rig.message(9, rig.open(), 0, "true");
    rig.vouch(liar, &truth);
    rig.vouch(honest, &truth);
    (0..20).for_each(|batch| _ = rig.invent(liar, batch));
    let effects = rig.wait(Duration::from_secs(1));
    assert!(!sent(&rig, &effects, honest).is_empty());
}

#[test]
fn what_a_banned_author_says_is_not_asked_for_again() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    for text in ["yes", "no"] {
        let message = rig.message(9, rig.open(), 0, text);
        rig.send(one, &Frame::Publication(message));
    }
    let later = rig.message(9, rig.open(), 1, "later");
    rig.vouch(two, &later);
    rig.relay(key(1).id(), &later);
    assert!(rig.wait(Duration::from_secs(20)).iter().all(|e| !matches!(e, Effect::Send { .. })));
    assert!(score(&rig, 2).abs() < 0.01);
}

#[test]
fn a_forged_twin_alarms_nobody() {
    let mut rig = Rig::new();
    let liar = rig.inbound(1);
    let slot =
        Slot { author: key(200).id(), topic: rig.open(), generation: GENERATION + 1, seq: 0 };
    let forged = rig.sign(8, slot, rig.wall(), Duration::from_secs(60), "not ours");
    rig.relay(key(1).id(), &forged);
    assert!(!rig.log.iter().any(|effect| matches!(effect, Effect::Event(Event::Twin(_)))));
    assert_eq!(rig.banned(), [liar]);
}

#[test]
fn junk_around_a_message_is_let_go_of() {
    let rig = Rig::new();
    let message = rig.message(9, rig.open(), 0, "x");
    let mut junk = message.frame().to_vec();
    junk.extend_from_slice(&[0xc2, 0x3e, 0x80, 0x80, 0x04]);
    junk.extend(std::iter::repeat_n(7, 1 << 16));
    let received = Bytes::from(junk);
    let Ok(Frame::Publication(decoded)) = Frame::decode(&received, &rig.network) else {
        panic!("junk is ignored")
    };
    assert_eq!(decoded.frame(), message.frame());
    let frame = decoded.frame().as_ptr_range();
    for part in [decoded.payload(), decoded.signed().encoded()] {
        assert!(frame.contains(&part.as_ptr()), "a slice of the clean frame, not of the junk");
    }
}

#[test]
fn junk_around_a_proof_is_let_go_of() {
    let rig = Rig::new();
    let [one, two] = ["a", "b"].map(|text| rig.message(9, rig.open(), 0, text));
    let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
    let mut junk = Frame::Proof(proof).encode().to_vec();
    junk.extend_from_slice(&[0xc2, 0x3e, 0x80, 0x80, 0x01]);
    junk.extend(std::iter::repeat_n(7, 1 << 14));
    let received = Bytes::from(junk);
    let Ok(Frame::Proof(decoded)) = Frame::decode(&received, &rig.network) else {
        panic!("junk is ignored")
    };
    let (first, second) = decoded.headers();
    for header in [first, second] {
        assert!(!received.as_ptr_range().contains(&header.encoded().as_ptr()));
    }
}

#[test]
fn newcomers_are_told_different_proofs_where_there_are_too_many() {
    let mut rig = Rig::new();
    let records = (0..600).map(|n| {
        let proof = throwaway_proof(&rig, n);
        Record::Proof { author: proof.author(), frame: Frame::Proof(proof).encode() }
    });
    let records = records.collect();
    rig.input(Input::Loaded(records));
    assert_eq!(rig.snapshot().exposed, 600);
    let told = [1, 2, 3].map(|tag| {
        rig.log.clear();
        let newcomer = rig.inbound(tag);
        let told = sent(&rig, &rig.log.clone(), newcomer).into_iter().filter_map(|frame| {
            if let Frame::Proof(proof) = frame { Some(proof.author()) } else { None }
        });
        told.collect::<BTreeSet<_>>()
    });
    assert!(told.iter().all(|authors| authors.len() == 256));
    assert!(told[0] != told[1] && told[1] != told[2]);
}

#[test]
fn a_flood_of_true_proofs_against_throwaway_keys_is_not_spread_for_free() {
    let mut rig = Rig::new();
    let (flooder, other) = (rig.inbound(1), rig.inbound(2));
    for n in 0..600 {
        let frame = Frame::Proof(throwaway_proof(&rig, n));
        rig.send(flooder, &frame);
    }
    assert_eq!(rig.snapshot().exposed, 256);
    assert_eq!(sent(&rig, &rig.log.clone(), other).len(), 1 + 256, "a hello and what is allowed");
    // An author that we hear is exposed all the same.
    let heard = rig.message(9, rig.open(), 0, "heard");
    rig.relay(key(2).id(), &heard);
    let (one, two) = (rig.message(9, rig.open(), 1, "a"), rig.message(9, rig.open(), 1, "b"));
    let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
    rig.send(flooder, &Frame::Proof(proof));
    assert_eq!(rig.snapshot().exposed, 257);
}
