//! The recorder on its own.

use std::time::Duration;

use forsooth_crypto::Keypair;
use forsooth_protocol::Slot;

use super::*;
use crate::plan::{Load, Plan};

const WALL: Timestamp = Timestamp::from_millis(1_000_000);
const LIFETIME: Duration = Duration::from_secs(10);

fn plan() -> Plan {
    let load = Load { rate: 1.0, payload_bytes: 64 };
    Plan::new(1, 3, &["equivocate=1".parse().unwrap()], load).unwrap()
}

fn recorder(plan: &Plan) -> Recorder {
    let ids: Vec<_> = (0..plan.nodes()).map(|node| plan.keypair(node).id()).collect();
    Recorder::new(plan.roster(&ids), Arc::clone(&plan.network))
}

fn message(
    plan: &Plan,
    author: usize,
    signer: &Keypair,
    seq: u64,
    word: &'static str,
) -> Publication {
    let slot = Slot { author: plan.keypair(author).id(), topic: plan.topic, generation: 1, seq };
    Publication::sign(
        slot,
        WALL,
        LIFETIME,
        Bytes::from_static(word.as_bytes()),
        signer,
        &plan.network,
    )
}

#[test]
fn a_forged_message_that_is_delivered_is_noticed() {
    let plan = plan();
    let recorder = recorder(&plan);
    let good = message(&plan, 0, &plan.keypair(0), 1, "hear me");
    recorder.believed(Seat(1), &good, Time::ZERO, WALL);
    assert_eq!(recorder.findings().forged_delivered, 0);
    let bad = message(&plan, 0, &plan.keypair(3), 2, "forsooth");
    recorder.believed(Seat(1), &bad, Time::ZERO, WALL);
    let findings = recorder.findings();
    assert_eq!((findings.forged_delivered, findings.violations.len()), (1, 1));
}

#[test]
fn a_message_that_is_delivered_after_its_lifetime_is_noticed() {
    let plan = plan();
    let recorder = recorder(&plan);
    let message = message(&plan, 0, &plan.keypair(0), 1, "news");
    recorder.believed(Seat(1), &message, Time::ZERO, WALL.saturating_add(LIFETIME));
    assert_eq!(recorder.findings().expired_delivered, 0);
    recorder.believed(Seat(2), &message, Time::ZERO, WALL.saturating_add(LIFETIME * 2));
    assert_eq!(recorder.findings().expired_delivered, 1);
}

#[test]
fn only_two_good_signatures_for_one_slot_are_an_equivocation() {
    let plan = plan();
    let recorder = recorder(&plan);
    let liar = plan.keypair(3);
    let hear = |message: &Publication| {
        recorder.mark_hostile(message.frame());
        recorder.received(&liar.id(), Lane::Data, message.frame());
    };
    hear(&message(&plan, 3, &liar, 1, "yes"));
    hear(&message(&plan, 3, &liar, 1, "yes"));
    hear(&message(&plan, 3, &liar, 2, "no"));
    hear(&message(&plan, 3, &plan.keypair(0), 2, "yes"));
    assert_eq!(recorder.findings().equivocations, 0);
    hear(&message(&plan, 3, &liar, 1, "no"));
    let findings = recorder.findings();
    assert_eq!(
        (findings.equivocations, findings.equivocators, findings.proofs_wanted()),
        (1, 1, 3)
    );
    assert_eq!(findings.hostile_actions(), 5);
}

#[test]
fn what_a_liar_does_honestly_is_no_hostile_action() {
    let plan = plan();
    let recorder = recorder(&plan);
    let relayed = message(&plan, 0, &plan.keypair(0), 1, "news");
    recorder.received(&plan.keypair(3).id(), Lane::Data, relayed.frame());
    recorder.received(&plan.keypair(1).id(), Lane::Data, relayed.frame());
    let findings = recorder.findings();
    assert_eq!((findings.hostile_actions(), findings.copies), (0, 2));
}
