//! What happens to a message while its signature is being checked, or the application looks at it.

use std::time::Duration;

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{Effect, Input, Judgement, Publication, Slot, Ticket, wire::Frame};

use crate::rig::{GENERATION, Rig, asks_the_application, delivered, key, network, pushed_to, sent};

/// A message of an author whom nobody has heard.
fn strange(rig: &Rig, number: u16) -> Publication {
    let mut seed = [5; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    let keypair = Keypair::from_seed(seed);
    let slot = Slot { author: keypair.id(), topic: rig.open(), generation: 1, seq: 0 };
    let life = Duration::from_secs(60);
    Publication::sign(slot, rig.wall(), life, "x".into(), &keypair, &rig.network)
}

fn brief(rig: &Rig, lifetime: Duration) -> Publication {
    let slot = Slot { author: key(9).id(), topic: rig.open(), generation: GENERATION, seq: 0 };
    rig.sign(9, slot, rig.wall(), lifetime, "brief")
}

/// As many authors as one peer may introduce.
fn introduces_all_it_may(rig: &mut Rig, from: NodeId) {
    for number in 0..4096 {
        let message = strange(rig, number);
        assert_eq!(delivered(&rig.relay(from, &message)).len(), 1, "{number}");
    }
}

fn asked_to_judge(effects: &[Effect]) -> Vec<Ticket> {
    let ticket = |effect: &Effect| match effect {
        Effect::Validate { ticket, .. } => Some(*ticket),
        _ => None,
    };
    effects.iter().filter_map(ticket).collect()
}

#[test]
fn nobody_else_is_asked_for_it() {
    for vouch_first in [true, false] {
        let mut rig = Rig::new();
        let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
        let message = rig.message(9, rig.open(), 0, "hi");
        if vouch_first {
            rig.vouch(two, &message);
        }
        let checks = rig.relay_unchecked(one, &message);
        if !vouch_first {
            rig.vouch(two, &message);
        }
        let effects = rig.wait(Duration::from_millis(1500));
        assert!(sent(&rig, &effects, two).is_empty(), "{vouch_first}");
        assert_eq!(delivered(&rig.verdicts(checks)).len(), 1);
    }
}

#[test]
fn it_is_not_passed_on_if_its_author_is_exposed_meanwhile() {
    let mut rig = Rig::new();
    let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
    let checks = {
        let message = rig.message(9, rig.open(), 1, "late");
        rig.relay_unchecked(one, &message)
    };
    for text in ["yes", "no"] {
        let message = rig.message(9, rig.open(), 0, text);
        rig.relay(one, &message);
    }
    let effects = rig.verdicts(checks);
    assert!(delivered(&effects).is_empty());
    assert!(pushed_to(&rig, &effects, two).is_empty());
}

#[test]
fn it_is_neither_delivered_nor_relayed_if_it_expires_meanwhile() {
    let mut rig = Rig::new();
    let [one, two] = [1, 2].map(|tag| rig.inbound(tag));
    let message = brief(&rig, Duration::from_millis(100));
    let checks = rig.relay_unchecked(one, &message);
    rig.wait(Duration::from_secs(1));
    let effects = rig.verdicts(checks);
    assert!(delivered(&effects).is_empty());
    assert!(pushed_to(&rig, &effects, two).is_empty());
}

#[test]
fn the_application_is_not_shown_what_is_over_and_cannot_revive_it() {
    let mut rig = Rig::with(network(), asks_the_application);
    let one = rig.inbound(1);
    let message = brief(&rig, Duration::from_millis(500));
    let checks = rig.relay_unchecked(one, &message);
    rig.wait(Duration::from_secs(1));
    assert!(asked_to_judge(&rig.verdicts(checks)).is_empty());

    let mut rig = Rig::with(network(), asks_the_application);
    let one = rig.inbound(1);
    let message = brief(&rig, Duration::from_millis(500));
    let tickets = asked_to_judge(&rig.relay(one, &message));
    rig.wait(Duration::from_secs(1));
    let judged = Input::Validated { ticket: tickets[0], judgement: Judgement::Accept };
    assert!(delivered(&rig.input(judged)).is_empty());
}

#[test]
fn a_peer_without_room_for_more_authors_does_not_spoil_it_for_others() {
    let mut rig = Rig::new();
    let [full, idle] = [1, 2].map(|tag| rig.inbound(tag));
    introduces_all_it_may(&mut rig, full);
    let [together, after] = [5000, 5001].map(|number| strange(&rig, number));
    // Both bring it while it is checked; the first has no room.
    let checks = rig.relay_unchecked(full, &together);
    assert!(rig.relay_unchecked(idle, &together).is_empty(), "checked once");
    assert_eq!(delivered(&rig.verdicts(checks)).len(), 1);
    // The first alone, and then the other.
    assert!(delivered(&rig.relay(full, &after)).is_empty());
    assert_eq!(delivered(&rig.relay(idle, &after)).len(), 1);
}

#[test]
fn a_tree_that_is_slow_is_waited_for() {
    let mut rig = Rig::new();
    let [pusher, voucher] = [1, 2].map(|tag| rig.inbound(tag));
    let asked = |rig: &mut Rig, seq: u64| {
        let message = rig.message(9, rig.open(), seq, "slow");
        rig.vouch(voucher, &message);
        let effects = rig.wait(Duration::from_millis(600));
        rig.relay(pusher, &message);
        sent(rig, &effects, voucher).iter().any(|frame| matches!(frame, Frame::Graft { .. }))
    };
    assert!(asked(&mut rig, 0), "at first a quarter of a second is long");
    for seq in 1..20 {
        asked(&mut rig, seq);
    }
    assert!(!asked(&mut rig, 20), "it is known by now that the tree takes so long");
}
