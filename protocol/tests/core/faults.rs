//! Faults of messages and of what is said about them: what provokes each, what almost does, and who pays.

use std::time::Duration;

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Blame, Effect, Event, Fault, Input, Judgement, Lane, Publication, SignedHeader, Slot,
    Timestamp,
    network::{Defence, Kind},
    wire::Frame,
};

use crate::rig::{
    GENERATION, Rig, START, asks_the_application, delivered, key, network_with, sent,
};

/// A message whose signature is somebody else's.
fn forged(rig: &Rig, seq: u64) -> Publication {
    let slot = Slot { author: key(9).id(), topic: rig.open(), generation: GENERATION, seq };
    rig.sign(8, slot, rig.wall(), Duration::from_secs(60), "forged")
}

#[test]
fn a_topic_that_the_network_lacks_is_its_senders_fault() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.send_bytes(peer, Lane::Control, Bytes::from_static(&[0x2a, 2, 8, 77]));
    assert_eq!(rig.faults(), [Fault::UnknownTopic]);
    assert_eq!(rig.banned(), [peer]);
}

#[test]
fn a_payload_must_be_as_long_as_its_header_says_and_the_topic_allows() {
    let mut rig = Rig::new();
    let (one, two, three) = (rig.inbound(1), rig.inbound(2), rig.inbound(3));
    let message = rig.message(9, rig.open(), 0, "hi");
    let longer = Publication::from_parts(message.signed().clone(), Bytes::from_static(b"hi!"));
    rig.relay(one, &longer);
    let max = rig.network.topic(rig.open()).payload_bytes_max as usize;
    let large = rig.message(9, rig.open(), 1, &"x".repeat(max + 1));
    rig.relay(two, &large);
    assert_eq!(rig.faults(), [Fault::BadPayload, Fault::BadPayload]);
    let largest = rig.message(9, rig.open(), 2, &"x".repeat(max));
    assert_eq!(delivered(&rig.relay(three, &largest)).len(), 1);
    let empty = rig.message(9, rig.open(), 3, "");
    assert_eq!(delivered(&rig.relay(three, &empty)).len(), 1);
}

#[test]
fn a_forgery_is_neither_relayed_nor_vouched_for_and_its_sender_is_banned() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    let tampered = Publication::from_parts(message.signed().clone(), Bytes::from_static(b"ho"));
    for bad in [forged(&rig, 5), tampered] {
        let effects = rig.relay(liar, &bad);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Send { .. })));
        assert!(delivered(&effects).is_empty());
    }
    assert_eq!(rig.faults(), [Fault::Forged]);
    assert_eq!(rig.banned(), [liar]);
    assert!(
        rig.banned().iter().all(|peer| *peer != key(9).id()),
        "the alleged author is not blamed"
    );
    assert_eq!(delivered(&rig.relay(honest, &message)).len(), 1, "the true one still gets through");
}

#[test]
fn whoever_sends_the_same_forgery_while_it_is_checked_pays_too() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let bad = forged(&rig, 0);
    let received = |from| Input::Received { from, lane: Lane::Data, frame: bad.frame().clone() };
    use forsooth_protocol::Participant as _;
    let mut checks = Vec::new();
    for from in [one, two] {
        for effect in rig.core.handle(rig.now, received(from)) {
            match effect {
                Effect::Verify { ticket, check } => checks.push((ticket, check)),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(checks.len(), 1, "one frame is checked once");
    let mut rng =
        <rand_chacha::ChaCha8Rng as rand_chacha::rand_core::SeedableRng>::from_seed([0; 32]);
    rig.input(Input::Verdicts(forsooth_protocol::check_all(checks, &mut rng)));
    let mut banned = rig.banned();
    banned.sort_unstable();
    let mut both = vec![one, two];
    both.sort_unstable();
    assert_eq!(banned, both);
}

#[test]
fn old_and_future_messages_are_refused_and_nobody_is_blamed() {
    let skew = Duration::from_secs(15);
    let minute = Duration::from_secs(60);
    let tick = Duration::from_millis(1);
    let year = Duration::from_secs(365 * 86_400);
    let generation_max = START.saturating_add(year).as_secs();
    let cases: [(&str, Timestamp, u64, Option<Fault>); 8] = [
        ("now", START, GENERATION, None),
        ("just alive", START.saturating_sub(minute - tick), GENERATION, None),
        ("just dead", START.saturating_sub(minute), GENERATION, Some(Fault::Expired)),
        ("from the epoch", Timestamp::from_millis(0), GENERATION, Some(Fault::Expired)),
        ("just within skew", START.saturating_add(skew), GENERATION, None),
        ("just over skew", START.saturating_add(skew + tick), GENERATION, Some(Fault::FromFuture)),
        ("the end of time", Timestamp::from_millis(u64::MAX), GENERATION, Some(Fault::FromFuture)),
        ("a generation too far", START, generation_max + 1, Some(Fault::AbsurdGeneration)),
    ];
    for (what, at, generation, fault) in cases {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let slot = Slot { author: key(9).id(), topic: rig.open(), generation, seq: 0 };
        let message = rig.sign(9, slot, at, minute, "hi");
        let effects = rig.relay(peer, &message);
        assert_eq!(delivered(&effects).len(), usize::from(fault.is_none()), "{what}");
        assert_eq!(rig.faults(), Vec::from_iter(fault), "{what}");
        assert!(rig.linked(&peer), "{what}");
        assert!(rig.snapshot().links.iter().all(|link| link.score == 0.0), "{what}");
    }
}

#[test]
fn a_lifetime_over_the_topics_is_its_senders_fault() {
    for (lifetime, fault) in
        [(120_000, None), (120_001, Some(Fault::LongLifetime)), (0, Some(Fault::LongLifetime))]
    {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let slot = Slot { author: key(9).id(), topic: rig.open(), generation: 1, seq: 0 };
        let message = rig.sign(9, slot, rig.wall(), Duration::from_millis(lifetime), "hi");
        rig.relay(peer, &message);
        assert_eq!(rig.faults(), Vec::from_iter(fault), "{lifetime} ms");
    }
}

#[test]
fn nothing_old_comes_back_even_when_the_clock_is_set_back() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let message = rig.message(9, rig.open(), 0, "hi");
    assert_eq!(delivered(&rig.relay(peer, &message)).len(), 1);
    rig.wait(Duration::from_secs(120));
    assert_eq!(rig.snapshot().bounds.iter().find(|b| b.name == "ledger.slots").unwrap().used, 0);
    rig.input(Input::WallClock(START));
    assert!(delivered(&rig.relay(peer, &message)).is_empty());
    assert_eq!(rig.faults(), [Fault::Expired]);
}

#[test]
fn an_authors_excess_is_not_relayed_and_only_the_author_pays() {
    let mut rig = Rig::new();
    let (relay, other) = (rig.inbound(1), rig.inbound(2));
    let spammer = rig.inbound(9);
    let window = rig.network.topic(rig.open()).window_max();
    for seq in 0..window {
        let message = rig.message(9, rig.open(), seq, "spam");
        assert_eq!(delivered(&rig.relay(relay, &message)).len(), 1, "within the rate");
    }
    assert!(rig.faults().is_empty());
    for seq in window..window + 99 {
        let message = rig.message(9, rig.open(), seq, "spam");
        let effects = rig.relay(relay, &message);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Send { .. })));
        rig.relay(other, &message);
    }
    assert!(rig.linked(&spammer));
    let last = rig.message(9, rig.open(), window + 99, "spam");
    rig.relay(relay, &last);
    assert_eq!(rig.banned(), [spammer]);
    assert!(rig.linked(&relay) && rig.linked(&other));
    assert!(rig.faults().iter().all(|fault| *fault == Fault::OverRate));
}

#[test]
fn an_honest_authors_delayed_messages_are_never_over_its_rate() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    // Two minutes at the full rate, arriving all at once.
    let topic = rig.network.topic(rig.open()).clone();
    let interval = Duration::from_secs(60) / topic.rate_per_minute;
    for seq in 0..u32::from(u16::MAX).min(topic.rate_per_minute * 19 / 10) {
        let at = rig.wall().saturating_sub(interval * seq);
        let slot = Slot { author: key(9).id(), topic: rig.open(), generation: 1, seq: seq.into() };
        let message = rig.sign(9, slot, at, Duration::from_secs(120), "late");
        assert_eq!(delivered(&rig.relay(peer, &message)).len(), 1, "message {seq}");
    }
    assert!(rig.faults().is_empty());
}

#[test]
fn what_the_application_rejects_is_the_authors_fault_and_what_it_ignores_nobodys() {
    let judge = |judgement| {
        let mut rig = Rig::with(crate::rig::network(), asks_the_application);
        let peer = rig.inbound(1);
        let message = rig.message(9, rig.open(), 0, "hi");
        let effects = rig.relay(peer, &message);
        let ticket = match effects.as_slice() {
            [Effect::Validate { ticket, .. }] => *ticket,
            other => panic!("{other:?}"),
        };
        let effects = rig.input(Input::Validated { ticket, judgement });
        let vouched = crate::rig::vouched_to(&rig, &effects, peer).len();
        (delivered(&effects).len(), vouched, rig.faults(), rig.linked(&peer))
    };
    assert_eq!(judge(Judgement::Accept), (1, 1, vec![], true));
    assert_eq!(judge(Judgement::Ignore), (0, 0, vec![], true));
    assert_eq!(judge(Judgement::Reject), (0, 0, vec![Fault::Invalid], true));
}

#[test]
fn whoever_asks_again_and_again_is_greedy() {
    let mut rig = Rig::new();
    let (from, drain) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.relay(from, &message);
    let graft = Frame::Graft { topic: rig.open(), ids: vec![message.id()] };
    rig.send(drain, &graft);
    assert!(rig.faults().is_empty(), "a push and a graft may cross");
    let before = copies(&rig, drain);
    for _ in 0..300 {
        rig.send(drain, &graft);
    }
    assert_eq!(copies(&rig, drain), before, "not one more copy");
    assert!(rig.faults().iter().all(|fault| *fault == Fault::Greedy));
    assert_eq!(rig.faults().len(), 300 - 256, "an honest one asks in vain now and then");
}

fn copies(rig: &Rig, peer: NodeId) -> usize {
    crate::rig::pushed_to(rig, &rig.log.clone(), peer).len()
}

#[test]
fn whoever_vouches_and_does_not_serve_breaks_a_promise() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let lie = rig.message(9, rig.open(), 0, "never sent");
    let truth = rig.message(9, rig.open(), 1, "sent when asked");
    rig.vouch(liar, &lie);
    rig.vouch(honest, &truth);
    let effects = rig.wait(Duration::from_secs(1));
    let asked = crate::rig::sent(&rig, &effects, honest);
    assert!(matches!(asked.as_slice(), [Frame::Graft { ids, .. }] if *ids == [truth.id()]));
    rig.relay(honest, &truth);
    rig.wait(Duration::from_secs(5));
    rig.speak(liar);
    rig.wait(Duration::from_secs(15));
    assert_eq!(broken(&rig), [liar]);
    let missing = rig.snapshot().bounds.iter().find(|b| b.name == "gossip.missing").unwrap().used;
    assert_eq!(missing, 0);
}

fn broken(rig: &Rig) -> Vec<NodeId> {
    let blamed = |effect: &Effect| match effect {
        Effect::Event(Event::Fault { fault: Fault::BrokenPromise, blamed, .. }) => *blamed,
        _ => None,
    };
    rig.log.iter().filter_map(blamed).collect()
}

#[test]
fn whoever_may_be_cut_off_is_excused_once_for_all_that_it_was_asked() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let mut seqs = 0..;
    let mut promise = |rig: &mut Rig, count: usize| {
        for seq in seqs.by_ref().take(count) {
            let message = rig.message(9, rig.open(), seq, "never sent");
            rig.vouch(peer, &message);
        }
        rig.wait(Duration::from_secs(30));
        broken(rig).len()
    };
    assert_eq!(promise(&mut rig, 5), 0, "nothing came since it was asked");
    assert_eq!(promise(&mut rig, 3), 3, "again so soon");
    rig.wait(Duration::from_secs(600));
    let asked = rig.log.len();
    assert_eq!(promise(&mut rig, 2), 3);
    let graft = |frame: &Frame| matches!(frame, Frame::Graft { .. });
    assert!(sent(&rig, &rig.log[asked..], peer).iter().any(graft), "it was asked");
}

#[test]
fn every_fault_has_a_name_of_its_own_and_somebody_to_blame_or_nobody() {
    let names: std::collections::BTreeSet<_> =
        Fault::ALL.iter().map(|fault| fault.name()).collect();
    assert_eq!(names.len(), Fault::ALL.len());
    let nobody = Fault::ALL.iter().filter(|fault| fault.blame() == Blame::Nobody).count();
    assert_eq!(nobody, 3);
}

#[test]
fn a_header_of_another_network_is_a_forgery_here() {
    let elsewhere = network_with(Defence {
        clock_skew_max: Duration::from_secs(16),
        ..Defence::recommended(Kind::Local)
    });
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let keypair: Keypair = key(9);
    let topic = elsewhere.topic_id("open").unwrap();
    let slot = Slot { author: keypair.id(), topic, generation: 1, seq: 0 };
    let at = rig.wall();
    let message =
        Publication::sign(slot, at, Duration::from_secs(9), "hi".into(), &keypair, &elsewhere);
    let replayed: &SignedHeader = message.signed();
    assert_eq!(replayed.header().slot, slot);
    rig.relay(peer, &message);
    assert_eq!(rig.faults(), [Fault::Forged]);
}
