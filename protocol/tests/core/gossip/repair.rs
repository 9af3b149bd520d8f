//! What the tree does not bring: who is asked for it, and what that costs who withholds.

use super::*;

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
    rig.relay(two, &message);
    assert!(rig.wait(Duration::from_secs(20)).iter().all(|e| !matches!(e, Effect::Send { .. })));
    assert!(rig.faults().is_empty(), "the message came: nobody can tell who was late");
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
        rig.relay(honest, &message);
    }
    first
}

#[test]
fn whoever_was_asked_in_vain_is_asked_last() {
    assert!(asked_first(Defences::ALL) <= 1);
    assert!(asked_first(Defences::ALL.without(Safeguard::Promises)) >= 5);
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
        rig.invent(liar, batch);
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
fn a_forged_copy_does_not_keep_us_from_asking_for_the_true_one() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.vouch(honest, &message);
    let tampered = Publication::from_parts(message.signed().clone(), "ho".into());
    let effects = rig.relay(liar, &tampered);
    let frames = sent(&rig, &effects, honest);
    assert!(matches!(frames.as_slice(), [Frame::Graft { ids, .. }] if *ids == [message.id()]));
    assert_eq!(delivered(&rig.relay(honest, &message)).len(), 1);
}
