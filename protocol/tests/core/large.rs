//! Large messages: announced before they are sent, taken from one peer, and owed by whoever announced them.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Effect, Fault, Input, MessageId, Publication, TopicId,
    wire::{Announce, Frame},
};

use crate::rig::{Rig, delivered, key, pushed_to, sent};

/// A payload that is announced.
fn large() -> String {
    "x".repeat(5000)
}

fn message(rig: &Rig, topic: TopicId, seq: u64) -> Publication {
    rig.message(9, topic, seq, &large())
}

fn announce(rig: &mut Rig, from: NodeId, message: &Publication, sent: bool) -> Vec<Effect> {
    let bytes = u32::try_from(message.frame().len()).unwrap();
    announce_as(rig, from, message, bytes, sent)
}

fn announce_as(
    rig: &mut Rig,
    from: NodeId,
    message: &Publication,
    bytes: u32,
    sent: bool,
) -> Vec<Effect> {
    let topic = message.header().slot.topic;
    rig.send(from, &Frame::Announce(Announce { topic, id: message.id(), bytes, sent }))
}

/// What a peer was told of large messages: which, and whether it is sent.
fn announced(rig: &Rig, effects: &[Effect], to: NodeId) -> Vec<(MessageId, bool)> {
    let told = |frame| match frame {
        Frame::Announce(Announce { id, sent, .. }) => Some((id, sent)),
        _ => None,
    };
    sent(rig, effects, to).into_iter().filter_map(told).collect()
}

/// Whether a peer is asked for a payload.
fn is_asked(rig: &Rig, effects: &[Effect], peer: NodeId) -> bool {
    sent(rig, effects, peer)
        .iter()
        .any(|frame| matches!(frame, Frame::Graft { .. } | Frame::Inquire { payloads: true, .. }))
}

fn publish(rig: &mut Rig) -> (MessageId, Vec<Effect>) {
    let (topic, payload) = (rig.open(), large().into());
    let effects = rig.input(Input::Publish { request: 7, topic, payload, lifetime: None });
    let id = effects.iter().find_map(|effect| match effect {
        Effect::Published { outcome: Ok(receipt), .. } => Some(receipt.id),
        _ => None,
    });
    (id.unwrap(), effects)
}

#[test]
fn a_large_message_is_announced_to_who_may_have_it_and_sent_to_who_asked_before() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let (id, effects) = publish(&mut rig);
    for peer in [one, two] {
        assert_eq!(announced(&rig, &effects, peer), [(id, false)]);
        assert!(pushed_to(&rig, &effects, peer).is_empty());
    }
    let effects = rig.send(one, &Frame::Graft { topic: rig.open(), ids: vec![id] });
    assert_eq!(announced(&rig, &effects, one), [(id, true)], "so that it knows the size");
    assert_eq!(pushed_to(&rig, &effects, one), [id]);
    let (id, effects) = publish(&mut rig);
    assert_eq!(announced(&rig, &effects, one), [(id, true)]);
    assert_eq!(pushed_to(&rig, &effects, one), [id], "it has no other parent");
    assert_eq!(announced(&rig, &effects, two), [(id, false)]);
    let author = Some(rig.core.id());
    rig.send(two, &Frame::Prune { topic: rig.open(), author });
    let (_, effects) = publish(&mut rig);
    assert!(announced(&rig, &effects, two).is_empty(), "it gets a vouch");
}

#[test]
fn the_first_who_offers_is_asked_at_once_and_the_others_are_told_that_they_need_not() {
    let mut rig = Rig::new();
    let [one, two, three] = [1, 2, 3].map(|tag| rig.inbound(tag));
    let message = message(&rig, rig.open(), 0);
    let effects = announce(&mut rig, one, &message, false);
    assert!(is_asked(&rig, &effects, one));
    let effects = announce(&mut rig, two, &message, false);
    assert!(!is_asked(&rig, &effects, two));
    let effects = rig.relay(one, &message);
    let prune = Frame::Prune { topic: rig.open(), author: Some(key(9).id()) };
    assert!(sent(&rig, &effects, two).contains(&prune));
    assert!(!sent(&rig, &effects, one).contains(&prune));
    let effects = announce(&mut rig, three, &message, false);
    assert!(sent(&rig, &effects, three).contains(&prune), "what it offers is here");
    assert!(!is_asked(&rig, &effects, three));
    assert!(rig.faults().is_empty());
}

#[test]
fn while_a_large_payload_is_on_its_way_nobody_else_is_asked_for_it() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let message = message(&rig, rig.open(), 0);
    rig.vouch(two, &message);
    // The name that waits is understood by it, and so is one that comes later.
    announce_as(&mut rig, one, &message, 60 << 10, true);
    let effects = rig.wait(Duration::from_millis(150));
    assert!(!is_asked(&rig, &effects, two), "60 KiB and a round trip take longer");
    let effects = rig.wait(Duration::from_millis(100));
    assert!(is_asked(&rig, &effects, two), "but not for ever");
}

#[test]
fn of_two_sizes_that_are_claimed_the_least_counts() {
    let mut rig = Rig::new();
    let [liar, honest, third] = [1, 2, 3].map(|tag| rig.inbound(tag));
    let message = message(&rig, rig.open(), 0);
    rig.vouch(third, &message);
    announce_as(&mut rig, liar, &message, 64 << 10, true);
    announce(&mut rig, honest, &message, false);
    let effects = rig.wait(Duration::from_millis(170));
    assert!(is_asked(&rig, &effects, honest) || is_asked(&rig, &effects, third));
}

#[test]
fn who_announces_and_does_not_send_gains_no_time_again() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let mut waits = Vec::new();
    for seq in 0..3 {
        let message = message(&rig, rig.open(), seq);
        rig.vouch(honest, &message);
        announce(&mut rig, liar, &message, true);
        let begun = rig.now;
        loop {
            let effects = rig.wait(Duration::from_millis(10));
            if is_asked(&rig, &effects, honest) {
                break;
            }
            assert!(rig.now.since(begun) < Duration::from_secs(2));
        }
        waits.push(rig.now.since(begun));
        rig.wait(Duration::from_millis(5));
        rig.relay(honest, &message);
    }
    assert!(waits[0] >= Duration::from_millis(150), "{waits:?}");
    assert!(waits[1..].iter().all(|wait| *wait <= Duration::from_millis(70)), "{waits:?}");
}

#[test]
fn an_announcement_is_a_promise() {
    for sent in [true, false] {
        let mut rig = Rig::new();
        let liar = rig.inbound(1);
        let message = message(&rig, rig.open(), 0);
        announce(&mut rig, liar, &message, sent);
        rig.wait(Duration::from_secs(7));
        assert!(rig.faults().is_empty());
        rig.speak(liar);
        rig.wait(Duration::from_secs(2));
        assert_eq!(rig.faults(), [Fault::BrokenPromise]);
    }
}

#[test]
fn an_announcement_of_more_than_the_topic_allows_is_a_fault() {
    let mut rig = Rig::new();
    let liar = rig.inbound(1);
    let message = message(&rig, rig.open(), 0);
    let max = rig.network.topic(rig.open()).payload_bytes_max;
    announce_as(&mut rig, liar, &message, max + 512, true);
    assert!(rig.faults().is_empty());
    announce_as(&mut rig, liar, &message, max + 513, true);
    assert_eq!(rig.faults(), [Fault::BadPayload]);
    assert!(!rig.linked(&liar));
}

#[test]
fn an_announcement_is_a_vouch() {
    let mut rig = Rig::new();
    let [one, two, three] = [1, 2, 3].map(|tag| rig.witness(tag));
    let message = message(&rig, rig.news(), 0);
    assert!(delivered(&announce(&mut rig, one, &message, false)).is_empty());
    // Whoever sends it stands behind it, so that makes two of three.
    assert_eq!(delivered(&rig.relay(two, &message)).len(), 1);
    let next = self::message(&rig, rig.news(), 1);
    rig.relay(three, &next);
    assert_eq!(delivered(&announce(&mut rig, one, &next, false)).len(), 1);
}

#[test]
fn what_a_second_parent_only_offers_it_does_not_bring() {
    let mut rig = Rig::new();
    let [parent, second, third] = [1, 2, 3].map(|tag| rig.witness(tag));
    let adopt = Frame::Adopt { author: key(9).id() };
    for seq in 0..12 {
        let small = rig.message(9, rig.open(), seq, "hi");
        if seq >= 10 {
            // The parent has it and sends it when it is asked.
            rig.vouch(parent, &small);
            rig.wait(Duration::from_millis(400));
            rig.vouch(second, &small);
        }
        let effects = rig.relay(parent, &small);
        assert_eq!(sent(&rig, &effects, second).contains(&adopt), seq == 11);
    }
    rig.wait(Duration::from_secs(2));
    for seq in 12..17 {
        let large = message(&rig, rig.open(), seq);
        announce(&mut rig, parent, &large, true);
        announce(&mut rig, if seq < 16 { second } else { third }, &large, false);
        let effects = rig.relay(parent, &large);
        assert_eq!(sent(&rig, &effects, third).contains(&adopt), seq == 16);
    }
}

#[test]
fn a_flood_of_announcements_stays_within_bounds_and_shuts_nobody_out() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let real = message(&rig, rig.open(), 0);
    announce(&mut rig, honest, &real, true);
    for tag in 0..20_000_u32 {
        let mut id = [7; 32];
        id[..4].copy_from_slice(&tag.to_be_bytes());
        let (topic, id) = (rig.open(), MessageId::from_bytes(id));
        rig.send(liar, &Frame::Announce(Announce { topic, id, bytes: 60 << 10, sent: false }));
    }
    for bound in rig.snapshot().bounds {
        assert!(bound.used <= bound.max, "{bound:?}");
    }
    let effects = rig.relay(honest, &real);
    assert!(!pushed_to(&rig, &effects, liar).is_empty() || !effects.is_empty());
    assert_eq!(delivered(&effects).len(), 1);
}
