//! The recorder on its own.

use std::time::Duration;

use forsooth_crypto::Keypair;
use forsooth_protocol::{Ban, BanCause, Slot};

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
        recorder.mark_hostile(&liar.id(), message.frame());
        recorder.received(Seat(0), &liar.id(), Lane::Data, message.frame(), Time::ZERO);
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
    for sender in [3, 1] {
        let sender = plan.keypair(sender).id();
        recorder.received(Seat(0), &sender, Lane::Data, relayed.frame(), Time::ZERO);
    }
    let findings = recorder.findings();
    assert_eq!((findings.hostile_actions(), findings.copies), (0, 2));
}

fn seconds(seconds: u64) -> Time {
    Time::from_duration(Duration::from_secs(seconds))
}

fn broken(recorder: &Recorder) -> Vec<(&'static str, u64)> {
    let invariants = recorder.findings().invariants.into_iter();
    invariants.map(|(it, count)| (it.name(), count)).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn the_first_violation_keeps_its_time_its_node_and_its_message() {
    let plan = plan();
    let recorder = recorder(&plan);
    let message = message(&plan, 0, &plan.keypair(0), 1, "news");
    recorder.believed(Seat(1), &message, seconds(1), WALL);
    assert_eq!(recorder.findings().first_violation, None);
    recorder.believed(Seat(1), &message, seconds(2), WALL);
    recorder.believed(Seat(1), &message, seconds(3), WALL);
    let first = recorder.findings().first_violation.unwrap();
    assert_eq!(
        (first.invariant, first.at, first.seat, first.message),
        (Invariant::DeliveredTwice, seconds(2), Seat(1), Some(message.id()))
    );
    assert!(first.to_string().starts_with("2.000s: honest node 1 delivered twice"), "{first}");
    assert_eq!(broken(&recorder), [("delivered_twice", 2)]);
    let events = recorder.history().events;
    assert_eq!(events.iter().filter(|event| event.what == "violation").count(), 2);
}

#[test]
fn a_ban_of_an_honest_node_and_a_forged_frame_that_is_sent_are_noticed() {
    let plan = plan();
    let recorder = recorder(&plan);
    let ban = |node: usize| {
        Event::Banned(Ban {
            whom: plan.keypair(node).id().into(),
            cause: BanCause::Fault(forsooth_protocol::Fault::Forged),
            until: None,
        })
    };
    recorder.event(Seat(0), &ban(3), seconds(1));
    assert_eq!(broken(&recorder), []);
    assert_eq!(recorder.findings().banned_adversaries, 1);
    recorder.event(Seat(0), &ban(1), seconds(2));
    let forged = message(&plan, 0, &plan.keypair(3), 1, "forsooth");
    recorder.sent(Seat(2), Class::Payload, forged.frame(), seconds(3));
    assert_eq!(broken(&recorder), [("unverified_relayed", 1), ("false_ban", 1)]);
}

#[test]
fn a_collection_over_its_bound_is_noticed() {
    let plan = plan();
    let recorder = recorder(&plan);
    let bound = |used| forsooth_protocol::snapshot::Bound { name: "store", used, max: 10 };
    let snapshot = |used| Snapshot { bounds: vec![bound(used)], ..Snapshot::default() };
    recorder.sample(seconds(1), Seat(0), &snapshot(10));
    assert_eq!((broken(&recorder), recorder.findings().fullest), (vec![], Some(("store", 1.0))));
    recorder.sample(seconds(2), Seat(1), &snapshot(11));
    assert_eq!(broken(&recorder), [("over_bound", 1)]);
    let peak = recorder.history().bounds.remove(0);
    assert_eq!((peak.used, peak.max, peak.node, peak.at_s), (11, 10, 1, 2.0));
}

#[test]
fn two_honest_nodes_that_accept_different_messages_for_a_slot_are_counted_and_not_accused() {
    let plan = plan();
    let recorder = recorder(&plan);
    let liar = plan.keypair(3);
    for (seat, word) in [(0, "yes"), (1, "no"), (2, "yes")] {
        recorder.believed(Seat(seat), &message(&plan, 3, &liar, 1, word), seconds(1), WALL);
    }
    assert_eq!((recorder.findings().slots_split, broken(&recorder)), (1, vec![]));
}

#[test]
fn recovery_is_the_time_from_the_end_of_the_last_fault_to_the_last_late_message_and_witness() {
    let plan = plan();
    let recorder = recorder(&plan);
    let topic = |acceptable| forsooth_protocol::snapshot::TopicState {
        subscribed: true,
        acceptable,
        ..Default::default()
    };
    let look = |at, acceptable| {
        let topics = [(plan.topic, topic(acceptable))].into();
        recorder.sample(seconds(at), Seat(1), &Snapshot { topics, ..Snapshot::default() });
    };
    assert_eq!(recorder.findings().recovery, Recovery::NotNeeded);
    let message = message(&plan, 0, &plan.keypair(0), 1, "news");
    recorder.mark(seconds(1), Mark::new(What::FaultBegins, "partition"));
    recorder.published(Seat(0), message.id(), seconds(2));
    look(3, false);
    recorder.mark(seconds(5), Mark::new(What::FaultEnds, "partition"));
    assert_eq!(recorder.findings().recovery, Recovery::Never);
    assert_eq!(recorder.findings().metrics()["recovery_s"], f64::INFINITY);
    look(6, true);
    recorder.believed(Seat(1), &message, seconds(7), WALL);
    assert_eq!(recorder.findings().recovery, Recovery::Never, "node 2 has not got it");
    recorder.believed(Seat(2), &message, seconds(8), WALL);
    recorder.felt(0);
    let findings = recorder.findings();
    assert_eq!(findings.recovery, Recovery::Within(Duration::from_secs(3)));
    assert_eq!((findings.disturbed.count, findings.calm.count, findings.faults_applied), (2, 0, 1));
}

#[test]
fn a_fault_and_an_attack_have_their_stretch_of_the_timeline() {
    let plan = plan();
    let recorder = recorder(&plan);
    let mark = |at, what, name: &str| recorder.mark(seconds(at), Mark::new(what, name).nodes([2]));
    mark(0, What::Phase, "warm-up");
    mark(2, What::Phase, "load");
    mark(3, What::AttackBegins, "forge");
    mark(4, What::FaultBegins, "kill");
    mark(5, What::AttackEnds, "forge");
    let timeline = recorder.history().timeline;
    let spans: Vec<_> =
        timeline.iter().map(|span| (span.name.as_str(), span.from_s, span.to_s)).collect();
    assert_eq!(
        spans,
        [
            ("warm-up", 0.0, Some(2.0)),
            ("load", 2.0, None),
            ("forge", 3.0, Some(5.0)),
            ("kill", 4.0, None)
        ]
    );
}

#[test]
fn a_followed_message_leaves_its_tree_and_what_it_cost() {
    let plan = plan();
    let recorder = recorder(&plan);
    let message = message(&plan, 0, &plan.keypair(0), 1, "news");
    recorder.published(Seat(0), message.id(), seconds(1));
    recorder.sent(Seat(0), Class::Payload, message.frame(), seconds(1));
    let relayed = |from: usize| Event::Relayed {
        id: message.id(),
        from: Some(plan.keypair(from).id()),
        pushed: 1,
        vouched: 1,
    };
    recorder.event(Seat(1), &relayed(3), seconds(2));
    recorder.event(Seat(2), &relayed(1), seconds(3));
    recorder.believed(Seat(2), &message, seconds(4), WALL);
    let history = recorder.history();
    let tree = history.tree.unwrap();
    let hops: Vec<_> = tree.hops.iter().map(|hop| (hop.node, hop.from, hop.accepted_ms)).collect();
    assert_eq!(hops, [(1, Some(3), None), (2, Some(1), Some(3000.0))]);
    let row = &history.delivery[0];
    assert_eq!((row.published, row.wanted, row.accepted), (1, 2, 1));
    let bytes: u64 = history.moments.iter().map(|moment| moment.bytes["payload"]).sum();
    assert_eq!(bytes, message.frame().len() as u64);
}
