//! The tree: who gets payloads, who gets ids, and how a broken tree is mended.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Connection, Defences, Direction, Effect, Input, Lane, Participant as _, Publication,
    Receipt, Refusal, Safeguard, Time,
    wire::{Frame, Intent},
};

use crate::rig::{KEY, Rig, delivered, greeting, hello, key, network, pushed_to, sent, vouched_to};

fn publish(
    rig: &mut Rig,
    payload: &'static str,
    lifetime: Option<Duration>,
) -> (Result<Receipt, Refusal>, Vec<Effect>) {
    let topic = rig.open();
    let effects =
        rig.input(Input::Publish { request: 7, topic, payload: payload.into(), lifetime });
    let outcome = effects.iter().find_map(|effect| match effect {
        Effect::Published { request: 7, outcome } => Some(*outcome),
        _ => None,
    });
    (outcome.unwrap(), effects)
}

fn relay(rig: &mut Rig, from: NodeId, message: &Publication) -> Vec<Effect> {
    rig.relay(from, message)
}

#[test]
fn a_newcomer_is_eager_and_a_duplicate_prunes() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let first = rig.message(9, rig.open(), 0, "first");
    let effects = relay(&mut rig, one, &first);
    assert_eq!(pushed_to(&rig, &effects, two), [first.id()]);
    let effects = relay(&mut rig, two, &first);
    // The author is new, so its tree is the topic's.
    let prune = |author| Frame::Prune { topic: rig.open(), author };
    assert_eq!(sent(&rig, &effects, two), [prune(Some(key(9).id())), prune(None)]);
    assert!(
        relay(&mut rig, two, &first).iter().all(|e| !matches!(e, Effect::Send { .. })),
        "pruned once"
    );

    let second = rig.message(9, rig.open(), 1, "second");
    let effects = relay(&mut rig, one, &second);
    assert!(pushed_to(&rig, &effects, two).is_empty());
    assert_eq!(
        vouched_to(&rig, &effects, two),
        [KEY.name(&second.id())],
        "what the tree does not carry, the vouch tells"
    );
}

#[test]
fn whoever_keeps_sending_duplicates_is_told_again_after_a_while() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    relay(&mut rig, one, &message);
    let prunes = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
    };
    assert_eq!(prunes(&relay(&mut rig, two, &message)), 2);
    assert_eq!(prunes(&relay(&mut rig, two, &message)), 0, "what was on its way is no news");
    rig.wait(Duration::from_secs(1));
    // Its graft and our prune have crossed: it believes that we want its payloads.
    assert_eq!(prunes(&relay(&mut rig, two, &message)), 2);
}

#[test]
fn a_pruned_link_carries_ids_until_it_is_grafted() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    rig.send(peer, &Frame::Prune { topic: rig.open(), author: None });
    let (receipt, effects) = publish(&mut rig, "mine", None);
    let receipt = receipt.unwrap();
    assert_eq!(
        (receipt.sent_to, vouched_to(&rig, &effects, peer)),
        (0, vec![KEY.name(&receipt.id)])
    );
    let graft = Frame::Graft { topic: rig.open(), ids: vec![receipt.id] };
    let effects = rig.send(peer, &graft);
    assert_eq!(pushed_to(&rig, &effects, peer), [receipt.id]);
    let (receipt, _) = publish(&mut rig, "more", None);
    assert_eq!(receipt.unwrap().sent_to, 1);
}

#[test]
fn who_has_vouched_is_not_sent_the_payload() {
    let mut rig = Rig::new();
    let (from, holder) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.vouch(holder, &message);
    let effects = relay(&mut rig, from, &message);
    assert!(pushed_to(&rig, &effects, holder).is_empty());
    assert_eq!(
        vouched_to(&rig, &effects, holder),
        [KEY.name(&message.id())],
        "it may have chosen us"
    );
}

#[test]
fn what_the_tree_does_not_bring_is_asked_of_one_voucher_after_another() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.vouch(one, &message);
    rig.vouch(two, &message);
    assert!(rig.wait(Duration::from_millis(49)).is_empty(), "the tree is given its time");
    let asked = |rig: &Rig, effects: &[Effect], peer| {
        sent(rig, effects, peer)
            .into_iter()
            .filter(|frame| matches!(frame, Frame::Graft { .. }))
            .count()
    };
    let effects = rig.wait(Duration::from_millis(10));
    assert_eq!(asked(&rig, &effects, one) + asked(&rig, &effects, two), 1);
    let effects = [effects, rig.wait(Duration::from_millis(300))].concat();
    assert_eq!((asked(&rig, &effects, one), asked(&rig, &effects, two)), (1, 1));
    relay(&mut rig, two, &message);
    assert!(rig.wait(Duration::from_secs(20)).iter().all(|e| !matches!(e, Effect::Send { .. })));
    assert!(rig.faults().is_empty(), "the message came: nobody can tell who was late");
}

#[test]
fn each_author_has_a_tree_of_its_own() {
    let mut rig = Rig::new();
    let [one, two, three] = [1, 2, 3].map(|tag| rig.inbound(tag));
    let say = |rig: &Rig, author, seq| rig.message(author, rig.open(), seq, "hi");
    for seq in 0..2 {
        for (author, first) in [(8, one), (9, two)] {
            let message = say(&rig, author, seq);
            relay(&mut rig, first, &message);
        }
    }
    let message = say(&rig, 8, 1);
    let effects = relay(&mut rig, two, &message);
    let prune = Frame::Prune { topic: rig.open(), author: Some(key(8).id()) };
    assert_eq!(sent(&rig, &effects, two), std::slice::from_ref(&prune), "of this author alone");
    rig.send(three, &prune);
    let message = say(&rig, 8, 2);
    let effects = relay(&mut rig, one, &message);
    assert_eq!([two, three].map(|peer| pushed_to(&rig, &effects, peer).len()), [0, 0]);
    let message = say(&rig, 9, 2);
    let effects = relay(&mut rig, two, &message);
    assert_eq!([one, three].map(|peer| pushed_to(&rig, &effects, peer).len()), [1, 1]);
    rig.send(three, &Frame::Adopt { author: key(8).id() });
    let message = say(&rig, 8, 3);
    let effects = relay(&mut rig, one, &message);
    assert_eq!([two, three].map(|peer| pushed_to(&rig, &effects, peer).len()), [0, 1]);
}

#[test]
fn a_witness_that_is_well_ahead_of_the_parent_is_adopted() {
    let mut rig = Rig::new();
    let (parent, early) = (rig.inbound(1), rig.witness(2));
    let stranger = rig.inbound(3);
    let adopts = |rig: &Rig, effects: &[Effect], peer| {
        let adopt = Frame::Adopt { author: key(9).id() };
        sent(rig, effects, peer).contains(&adopt)
    };
    let lead = |rig: &mut Rig, seq, voucher, ms| {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.vouch(voucher, &message);
        rig.wait(Duration::from_millis(ms));
        relay(rig, parent, &message)
    };
    let effects = lead(&mut rig, 0, early, 5);
    assert!(!adopts(&rig, &effects, early), "jitter");
    let effects = lead(&mut rig, 1, stranger, 20);
    assert!(!adopts(&rig, &effects, stranger), "whom we did not choose chooses nothing for us");
    let effects = lead(&mut rig, 2, early, 20);
    assert!(adopts(&rig, &effects, early));
    // It brings the next one first, and the old parent is told that it need not.
    let message = rig.message(9, rig.open(), 3, "hi");
    relay(&mut rig, early, &message);
    let effects = relay(&mut rig, parent, &message);
    let prune = Frame::Prune { topic: rig.open(), author: Some(key(9).id()) };
    assert_eq!(sent(&rig, &effects, parent), [prune]);
}

#[test]
fn while_payloads_have_to_be_asked_for_a_second_parent_sends_them_as_well() {
    let mut rig = Rig::new();
    let [parent, second, third] = [1, 2, 3].map(|tag| rig.witness(tag));
    let author = key(9).id();
    for seq in 0..10 {
        let message = rig.message(9, rig.open(), seq, "hi");
        relay(&mut rig, parent, &message);
    }
    // The parent has it and sends it when it is asked.
    let withheld = |rig: &mut Rig, seq| {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.vouch(parent, &message);
        rig.wait(Duration::from_millis(400));
        rig.vouch(second, &message);
        let effects = relay(rig, parent, &message);
        [parent, second].map(|peer| sent(rig, &effects, peer).contains(&Frame::Adopt { author }))
    };
    assert_eq!(withheld(&mut rig, 10), [false; 2], "it may happen once");
    assert_eq!(withheld(&mut rig, 11), [false, true]);
    assert_eq!(withheld(&mut rig, 12), [false; 2], "two are enough");
    let prune = Frame::Prune { topic: rig.open(), author: Some(author) };
    let message = rig.message(9, rig.open(), 13, "hi");
    let prunes = [parent, second, third].map(|from| {
        let effects = relay(&mut rig, from, &message);
        sent(&rig, &effects, from).contains(&prune)
    });
    assert_eq!(
        prunes,
        [false, false, true],
        "of whoever was asked for it a second copy is welcome"
    );
}

#[test]
fn what_is_vouched_for_while_it_is_checked_was_not_withheld() {
    let mut rig = Rig::new();
    let [parent, early] = [1, 2].map(|tag| rig.witness(tag));
    for seq in 0..20 {
        let message = rig.message(9, rig.open(), seq, "hi");
        let checks = rig.relay_unchecked(parent, &message);
        let mut effects = rig.vouch(early, &message);
        effects.extend(rig.verdicts(checks));
        assert_eq!(delivered(&effects).len(), 1);
        assert!(!sent(&rig, &effects, early).contains(&Frame::Adopt { author: key(9).id() }));
    }
}

#[test]
fn who_did_not_choose_us_is_vouched_to_now_and_then() {
    let mut rig = Rig::new();
    let from = rig.inbound(1);
    let connection = Connection { direction: Direction::Inbound, remote: None };
    let peer = key(2).id();
    rig.input(Input::Connected { peer, connection });
    rig.send(peer, &greeting(Intent::Gossip));
    rig.send(peer, &Frame::Prune { topic: rig.open(), author: None });
    let told = |rig: &mut Rig, first: u64| {
        let told = (first..first + 80).map(|seq| {
            let message = rig.message(9, rig.open(), seq, "hi");
            let effects = relay(rig, from, &message);
            rig.wait(Duration::from_secs(1));
            vouched_to(rig, &effects, peer).len()
        });
        told.sum::<usize>()
    };
    assert_eq!(told(&mut rig, 0), 5, "the first after eight messages, one in 15 s from then on");
    rig.send(peer, &hello());
    assert_eq!(told(&mut rig, 80), 80, "now it has");
}

/// How often a liar is asked before the one who serves, of twenty messages for which both vouch.
fn asked_first(defences: Defences) -> usize {
    let mut rig = Rig::with(network(), |config| config.defences = defences);
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let mut first = 0;
    for seq in 0..20 {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.vouch(liar, &message);
        rig.vouch(honest, &message);
        let effects = rig.wait(Duration::from_millis(260));
        let asked = effects.iter().find_map(|effect| match effect {
            Effect::Send { to, class: Class::Tree, .. } => Some(*to),
            _ => None,
        });
        let is_first = asked == Some(liar);
        if is_first {
            first += 1;
            rig.wait(Duration::from_millis(400));
        }
        relay(&mut rig, honest, &message);
    }
    first
}

#[test]
fn whoever_was_asked_in_vain_is_asked_last() {
    assert!(asked_first(Defences::ALL) <= 1);
    assert!(asked_first(Defences::ALL.without(Safeguard::Promises)) >= 5);
}

#[test]
fn nobody_here_means_kept_and_sent_to_the_first_who_comes() {
    let mut rig = Rig::new();
    let (receipt, _) = publish(&mut rig, "patience", None);
    let receipt = receipt.unwrap();
    assert_eq!((receipt.sent_to, receipt.queued), (0, true));
    rig.log.clear();
    let first = rig.inbound(1);
    assert_eq!(pushed_to(&rig, &rig.log.clone(), first), [receipt.id]);
    rig.log.clear();
    let second = rig.inbound(2);
    assert!(pushed_to(&rig, &rig.log.clone(), second).is_empty());
    assert_eq!(vouched_to(&rig, &rig.log.clone(), second), [KEY.name(&receipt.id)]);
}

#[test]
fn a_queued_message_is_forgotten_after_its_lifetime() {
    let mut rig = Rig::new();
    let (receipt, _) = publish(&mut rig, "short", Some(Duration::from_secs(1)));
    assert!(receipt.unwrap().queued);
    rig.wait(Duration::from_secs(15));
    rig.log.clear();
    let peer = rig.inbound(1);
    assert!(pushed_to(&rig, &rig.log.clone(), peer).is_empty());
}

#[test]
fn publishing_is_refused_with_a_reason_and_takes_no_slot() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let topic = rig.open();
    let max = rig.network.topic(topic).payload_bytes_max;
    let payload = vec![0; max as usize + 1].into();
    let effects = rig.input(Input::Publish { request: 7, topic, payload, lifetime: None });
    let oversize = Refusal::Oversize { bytes: max as usize + 1, max };
    assert!(
        matches!(effects.as_slice(), [Effect::Published { outcome: Err(r), .. }] if *r == oversize)
    );
    for lifetime in [Duration::ZERO, Duration::from_secs(121)] {
        assert!(matches!(publish(&mut rig, "x", Some(lifetime)).0, Err(Refusal::Lifetime { .. })));
    }
    let (receipt, effects) = publish(&mut rig, "first", None);
    let frames = sent(&rig, &effects, peer);
    assert!(
        matches!(frames.as_slice(), [Frame::Publication(m)] if m.header().slot.seq == 0 && m.id() == receipt.unwrap().id)
    );
}

#[test]
fn our_own_rate_is_kept_before_others_have_to() {
    let mut rig = Rig::new();
    let topic = rig.network.topic(rig.open()).clone();
    for _ in 0..topic.burst {
        publish(&mut rig, "x", None).0.unwrap();
    }
    let Err(Refusal::OverRate { retry_after }) = publish(&mut rig, "x", None).0 else {
        panic!("not refused")
    };
    rig.wait(retry_after);
    publish(&mut rig, "x", None).0.unwrap();
    // A core that keeps the rate never fills the window that others judge it by.
    let mut published = u64::from(topic.burst) + 1;
    while rig.now < Time::from_duration(Duration::from_secs(30)) {
        rig.wait(Duration::from_millis(50));
        published += u64::from(publish(&mut rig, "x", None).0.is_ok());
    }
    assert!(published > 300);
}

#[test]
fn a_batch_of_messages_costs_each_peer_one_vouch_frame() {
    let mut rig = Rig::new();
    let (from, other) = (rig.inbound(1), rig.inbound(2));
    rig.send(other, &Frame::Prune { topic: rig.open(), author: None });
    let mut checks = Vec::new();
    for seq in 0..50 {
        let frame = rig.message(9, rig.open(), seq, "hi").frame().clone();
        for effect in rig.core.handle(rig.now, Input::Received { from, lane: Lane::Data, frame }) {
            match effect {
                Effect::Verify { ticket, check } => checks.push((ticket, check)),
                other => panic!("{other:?}"),
            }
        }
    }
    let mut rng =
        <rand_chacha::ChaCha8Rng as rand_chacha::rand_core::SeedableRng>::from_seed([0; 32]);
    let effects = rig.input(Input::Verdicts(forsooth_protocol::check_all(checks, &mut rng)));
    assert_eq!(delivered(&effects).len(), 50);
    let frames = sent(&rig, &effects, other);
    assert!(matches!(frames.as_slice(), [Frame::ShortVouch { names }] if names.len() == 50));
}

#[test]
fn requests_of_those_who_are_no_neighbours_are_not_served() {
    let mut rig = Rig::new();
    let (receipt, _) = publish(&mut rig, "mine", None);
    let graft = Frame::Graft { topic: rig.open(), ids: vec![receipt.unwrap().id] };
    assert!(rig.send(key(1).id(), &graft).is_empty());
    let peer = rig.inbound(2);
    let unknown =
        Frame::Graft { topic: rig.open(), ids: vec![rig.message(9, rig.open(), 0, "no").id()] };
    assert!(rig.send(peer, &unknown).is_empty());
}

#[test]
fn a_liars_vouches_stay_within_bounds_and_cost_no_one_else() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let truth = rig.message(9, rig.open(), 0, "true");
    rig.vouch(honest, &truth);
    for batch in 0u64..200 {
        let ids = (0u64..1024).map(|n| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(batch * 1024 + n).to_be_bytes());
            forsooth_protocol::MessageId::from_bytes(id)
        });
        let frame = Frame::Vouch { topic: rig.open(), ids: ids.collect() };
        rig.send(liar, &frame);
        rig.now = rig.now + Duration::from_millis(1);
    }
    for bound in rig.snapshot().bounds {
        assert!(bound.used <= bound.max, "{bound:?}");
    }
    rig.wait(Duration::from_secs(1));
    let frames = sent(&rig, &rig.log, honest);
    assert!(matches!(frames.as_slice(), [.., Frame::Graft { ids, .. }] if *ids == [truth.id()]));
    rig.wait(Duration::from_secs(5));
    rig.speak(liar);
    rig.wait(Duration::from_secs(25));
    let score = |peer| rig.snapshot().links.iter().find(|link| link.peer == peer).unwrap().score;
    assert!(score(liar) < -50.0, "a promise broken many times");
    assert!(score(honest) > -3.0);
}

#[test]
fn the_same_inputs_give_the_same_effects() {
    let run = || {
        let mut rig = Rig::new();
        for tag in 1..20 {
            rig.witness(tag);
        }
        for seq in 0..40 {
            let message = rig.message(30, rig.news(), seq, "hi");
            rig.vouch(key((seq % 19) as u8 + 1).id(), &message);
            rig.wait(Duration::from_millis(170));
        }
        format!("{:?}", rig.log)
    };
    assert_eq!(run(), run());
}

#[test]
fn a_forged_copy_does_not_keep_us_from_asking_for_the_true_one() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.vouch(honest, &message);
    let tampered = Publication::from_parts(message.signed().clone(), "ho".into());
    let effects = relay(&mut rig, liar, &tampered);
    let frames = sent(&rig, &effects, honest);
    assert!(matches!(frames.as_slice(), [Frame::Graft { ids, .. }] if *ids == [message.id()]));
    assert_eq!(delivered(&relay(&mut rig, honest, &message)).len(), 1);
}
