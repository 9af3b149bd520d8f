//! Who gets payloads, and who gets ids.

use super::*;

#[test]
fn a_newcomer_is_eager_and_a_duplicate_prunes() {
    let mut rig = Rig::new();
    let (one, two) = (rig.inbound(1), rig.inbound(2));
    let first = rig.message(9, rig.open(), 0, "first");
    let effects = rig.relay(one, &first);
    assert_eq!(pushed_to(&rig, &effects, two), [first.id()]);
    let effects = rig.relay(two, &first);
    // The author is new, so its tree is the topic's.
    let prune = |author| Frame::Prune { topic: rig.open(), author };
    assert_eq!(sent(&rig, &effects, two), [prune(Some(key(9).id())), prune(None)]);
    assert!(
        rig.relay(two, &first).iter().all(|e| !matches!(e, Effect::Send { .. })),
        "pruned once"
    );

    let second = rig.message(9, rig.open(), 1, "second");
    let effects = rig.relay(one, &second);
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
    rig.relay(one, &message);
    let prunes = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
    };
    assert_eq!(prunes(&rig.relay(two, &message)), 2);
    assert_eq!(prunes(&rig.relay(two, &message)), 0, "what was on its way is no news");
    rig.wait(Duration::from_secs(1));
    // Its graft and our prune have crossed: it believes that we want its payloads.
    assert_eq!(prunes(&rig.relay(two, &message)), 2);
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
    let effects = rig.relay(from, &message);
    assert!(pushed_to(&rig, &effects, holder).is_empty());
    assert_eq!(
        vouched_to(&rig, &effects, holder),
        [KEY.name(&message.id())],
        "it may have chosen us"
    );
}

#[test]
fn each_author_has_a_tree_of_its_own() {
    let mut rig = Rig::new();
    let [one, two, three] = [1, 2, 3].map(|tag| rig.inbound(tag));
    let say = |rig: &Rig, author, seq| rig.message(author, rig.open(), seq, "hi");
    for seq in 0..2 {
        for (author, first) in [(8, one), (9, two)] {
            let message = say(&rig, author, seq);
            rig.relay(first, &message);
        }
    }
    let message = say(&rig, 8, 1);
    let effects = rig.relay(two, &message);
    let prune = Frame::Prune { topic: rig.open(), author: Some(key(8).id()) };
    assert_eq!(sent(&rig, &effects, two), std::slice::from_ref(&prune), "of this author alone");
    rig.send(three, &prune);
    let message = say(&rig, 8, 2);
    let effects = rig.relay(one, &message);
    assert_eq!([two, three].map(|peer| pushed_to(&rig, &effects, peer).len()), [0, 0]);
    let message = say(&rig, 9, 2);
    let effects = rig.relay(two, &message);
    assert_eq!([one, three].map(|peer| pushed_to(&rig, &effects, peer).len()), [1, 1]);
    rig.send(three, &Frame::Adopt { author: key(8).id() });
    let message = say(&rig, 8, 3);
    let effects = rig.relay(one, &message);
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
        rig.relay(parent, &message)
    };
    let effects = lead(&mut rig, 0, early, 5);
    assert!(!adopts(&rig, &effects, early), "jitter");
    let effects = lead(&mut rig, 1, stranger, 20);
    assert!(!adopts(&rig, &effects, stranger), "whom we did not choose chooses nothing for us");
    let effects = lead(&mut rig, 2, early, 20);
    assert!(adopts(&rig, &effects, early));
    // It brings the next one first, and the old parent is told that it need not.
    let message = rig.message(9, rig.open(), 3, "hi");
    rig.relay(early, &message);
    let effects = rig.relay(parent, &message);
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
        rig.relay(parent, &message);
    }
    // The parent has it and sends it when it is asked.
    let withheld = |rig: &mut Rig, seq| {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.vouch(parent, &message);
        rig.wait(Duration::from_millis(400));
        rig.vouch(second, &message);
        let effects = rig.relay(parent, &message);
        [parent, second].map(|peer| sent(rig, &effects, peer).contains(&Frame::Adopt { author }))
    };
    assert_eq!(withheld(&mut rig, 10), [false; 2], "it may happen once");
    assert_eq!(withheld(&mut rig, 11), [false, true]);
    assert_eq!(withheld(&mut rig, 12), [false; 2], "two are enough");
    let prune = Frame::Prune { topic: rig.open(), author: Some(author) };
    let message = rig.message(9, rig.open(), 13, "hi");
    let prunes = [parent, second, third].map(|from| {
        let effects = rig.relay(from, &message);
        sent(&rig, &effects, from).contains(&prune)
    });
    assert_eq!(
        prunes,
        [false, false, true],
        "of whoever was asked for it a second copy is welcome"
    );
}

#[test]
fn who_was_asked_in_vain_lately_is_no_second_parent() {
    let mut rig = Rig::new();
    let [parent, liar, honest] = [1, 2, 3].map(|tag| rig.witness(tag));
    let author = key(9).id();
    for seq in 0..10 {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.relay(parent, &message);
    }
    let message = rig.message(9, rig.open(), 10, "hi");
    rig.vouch(liar, &message);
    rig.wait(Duration::from_millis(400));
    rig.vouch(parent, &message);
    rig.wait(Duration::from_secs(2));
    rig.relay(parent, &message);
    let mut adopts = |seq, voucher| {
        let message = rig.message(9, rig.open(), seq, "hi");
        rig.vouch(parent, &message);
        rig.wait(Duration::from_millis(400));
        rig.vouch(voucher, &message);
        let effects = rig.relay(parent, &message);
        sent(&rig, &effects, voucher).contains(&Frame::Adopt { author })
    };
    assert!(!adopts(11, liar));
    assert!(adopts(12, honest));
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
            let effects = rig.relay(from, &message);
            rig.wait(Duration::from_secs(1));
            vouched_to(rig, &effects, peer).len()
        });
        told.sum::<usize>()
    };
    assert_eq!(told(&mut rig, 0), 5, "the first after eight messages, one in 15 s from then on");
    rig.send(peer, &hello());
    assert_eq!(told(&mut rig, 80), 80, "now it has");
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
