//! Attacks in the simulator, and runs that break what is watched for, to see that it is noticed.

use std::{cell::Cell, collections::VecDeque};

use forsooth_crypto::{Untrusted, verify};
use forsooth_protocol::{
    Class, Drain, Effect, Event, Fault, Proof, Publication, Slot, Snapshot, wire::Frame,
};

use super::*;
use crate::{plan::Load, strategy::KINDS, verdict::Verdict};

const CONDITIONS: Conditions = Conditions {
    latency_min: Duration::from_millis(10),
    latency_max: Duration::from_millis(50),
    loss: 0.0,
};
const OPTIONS: Options =
    Options { messages: 30, rate: 10.0, payload_bytes: 256, conditions: CONDITIONS };

fn plan(seed: u64, honest: usize, adversaries: &[&str]) -> Plan {
    let adversaries: Vec<_> = adversaries.iter().map(|group| group.parse().unwrap()).collect();
    Plan::new(seed, honest, &adversaries, Load { rate: 1.0, payload_bytes: 256 }).unwrap()
}

fn run_plan(plan: &Plan) -> Simulated {
    run(plan, &OPTIONS, String::new())
}

/// What all attacks of this issue must leave intact.
fn assert_held(report: &Report) {
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
    assert_eq!(report.published, 30);
    assert!((report.delivery_ratio - 1.0).abs() < f64::EPSILON);
    assert!((report.proof_coverage - 1.0).abs() < f64::EPSILON);
    assert_eq!((report.forged_relayed, report.false_bans), (0, 0));
}

#[test]
fn without_an_attack_everything_arrives() {
    let calm = run_plan(&plan(1, 25, &[]));
    assert_held(&calm.report);
    assert_eq!((calm.report.hostile_actions, calm.report.bans), (0, 0));
    assert!(calm.report.faults.is_empty(), "{:?}", calm.report.faults);
    let latency = calm.report.latency_ms;
    assert!(
        latency.p50 >= 20.0 && latency.p50 <= latency.p99 && latency.p99 <= latency.max,
        "{latency:?}"
    );
}

#[test]
fn loss_costs_time_and_nothing_else() {
    let options = Options { conditions: Conditions { loss: 0.1, ..CONDITIONS }, ..OPTIONS };
    assert_held(&run(&plan(2, 25, &[]), &options, String::new()).report);
}

#[test]
fn forgers_are_banned_and_none_of_their_forgeries_is_relayed() {
    for seed in 1..4 {
        let report = run_plan(&plan(seed, 22, &["forge=4"])).report;
        assert_held(&report);
        assert!(report.faults["forged"] > 20, "{report}");
        assert!(report.bans >= 22, "{report}");
    }
}

#[test]
fn spam_is_not_relayed_beyond_the_rate_and_drowns_nobody() {
    for seed in 1..4 {
        let report = run_plan(&plan(seed, 22, &["spam=3"])).report;
        assert_held(&report);
        assert!(report.hostile_actions > 300, "{report}");
        assert!(report.faults["over_rate"] > 100, "{report}");
    }
}

#[test]
fn equivocators_are_exposed_at_every_honest_node() {
    for seed in 1..4 {
        let report = run_plan(&plan(seed, 22, &["equivocate=3"])).report;
        assert_held(&report);
        assert!(report.equivocations >= 3, "{report}");
        assert!(report.bans >= 3 * 22, "{report}");
    }
}

#[test]
fn all_kinds_at_once_are_withstood() {
    let all: Vec<_> = KINDS.iter().map(|kind| format!("{kind}=2")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let report = run_plan(&plan(5, 24, &all)).report;
    assert_held(&report);
    assert!(report.hostile_actions_by_kind.len() == KINDS.len(), "{report}");
}

#[test]
fn one_seed_is_one_run_and_another_seed_is_another() {
    let digest =
        |seed| run_plan(&plan(seed, 18, &["forge=1", "spam=1", "equivocate=1"])).trace_digest;
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}

/// A core whose effects somebody has tampered with, out of an honest node's sight.
struct Saboteur {
    core: Core,
    tamper: Tamper,
    effects: VecDeque<Effect>,
}

type Tamper = Box<dyn FnMut(Effect) -> Vec<Effect> + Send>;

impl Participant for Saboteur {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.effects.extend(self.core.handle(now, input).flat_map(&mut self.tamper));
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.core.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }
}

/// Runs with one honest node sabotaged; says which checks did not hold.
fn broken_by(
    plan: &Plan,
    tamper: impl FnMut(Effect) -> Vec<Effect> + Send + 'static,
) -> Vec<&'static str> {
    let tamper = Cell::new(Some(Box::new(tamper) as Tamper));
    let simulated = simulate(plan, &OPTIONS, String::new(), &|node, core| match (node == 0)
        .then(|| tamper.take())
        .flatten()
    {
        Some(tamper) => Box::new(Saboteur { core, tamper, effects: VecDeque::new() }),
        None => Box::new(core),
    });
    let checks = simulated.report.checks.into_iter();
    checks.filter(|check| !check.held).map(|check| check.name).collect()
}

/// The frame with another payload under the same signature.
fn forged(frame: &Bytes, plan: &Plan) -> Option<Bytes> {
    let Ok(Frame::Publication(message)) = Frame::decode(frame, &plan.network) else { return None };
    let payload = Bytes::from(vec![0; message.payload().len()]);
    Some(Publication::from_parts(message.signed().clone(), payload).frame().clone())
}

#[test]
fn a_saboteur_who_changes_nothing_is_not_accused() {
    assert!(broken_by(&plan(1, 12, &[]), |effect| vec![effect]).is_empty());
}

#[test]
fn a_forged_frame_that_is_relayed_is_noticed() {
    let plan = plan(1, 12, &[]);
    let network = plan.clone();
    let broken = broken_by(&plan, move |effect| {
        let Effect::Send { to, class, frame } = &effect else { return vec![effect] };
        // In whatever class it is hidden.
        let class = if *class == Class::Payload { Class::Requested } else { *class };
        let also = forged(frame, &network).map(|frame| Effect::Send { to: *to, class, frame });
        also.into_iter().chain([effect]).collect()
    });
    assert!(broken.contains(&"forgery"), "{broken:?}");
}

#[test]
fn a_second_delivery_is_noticed() {
    let broken = broken_by(&plan(1, 12, &[]), |effect| {
        let again = if let Effect::Deliver(_) = &effect { Some(effect.clone()) } else { None };
        again.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["safety"]);
}

#[test]
fn a_message_that_is_swallowed_is_missed() {
    let mut first = true;
    let broken = broken_by(&plan(1, 12, &[]), move |effect| {
        let swallow = matches!(effect, Effect::Deliver(_)) && std::mem::take(&mut first);
        if swallow { Vec::new() } else { vec![effect] }
    });
    assert_eq!(broken, ["delivery"]);
}

#[test]
fn a_ban_of_an_honest_node_is_noticed() {
    let plan = plan(1, 12, &[]);
    let peer = plan.keypair(5).id();
    let broken = broken_by(&plan, move |effect| {
        let ban = matches!(effect, Effect::Deliver(_));
        let ban =
            ban.then_some(Effect::Event(Event::Banned { peer, fault: Fault::Greedy, until: None }));
        ban.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["bans"]);
}

#[test]
fn a_proof_against_an_honest_node_is_noticed() {
    let plan = plan(1, 12, &[]);
    let (keypair, topic) = (plan.keypair(5), plan.topic);
    let say = |word: &'static str| {
        let slot = Slot { author: keypair.id(), topic, generation: 1, seq: 0 };
        let (payload, lifetime) = (Bytes::from_static(word.as_bytes()), Duration::from_secs(9));
        let message =
            Publication::sign(slot, Default::default(), lifetime, payload, &keypair, &plan.network);
        message.signed().clone()
    };
    let proof = verify(Untrusted::new(Proof::new(say("yes"), say("no")).unwrap())).unwrap();
    let broken = broken_by(&plan, move |effect| {
        let expose = matches!(effect, Effect::Deliver(_));
        let expose = expose.then(|| Effect::Event(Event::Exposed { proof: proof.clone() }));
        expose.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["equivocation", "safety"]);
}

#[test]
fn an_equivocator_that_one_node_does_not_know_of_is_noticed() {
    let broken = broken_by(&plan(1, 12, &["equivocate=1"]), |effect| {
        if matches!(effect, Effect::Event(Event::Exposed { .. })) {
            Vec::new()
        } else {
            vec![effect]
        }
    });
    assert_eq!(broken, ["equivocation"]);
}
