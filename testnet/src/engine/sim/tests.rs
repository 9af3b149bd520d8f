//! Attacks in the simulator, and runs that break what is watched for, to see that it is noticed.

mod faults;

use std::{cell::Cell, collections::VecDeque};

use bytes::Bytes;
use forsooth_crypto::{Untrusted, verify};
use forsooth_protocol::{
    Ban, BanCause, Class, Drain, Effect, Event, Fault, Proof, Publication, Slot, Snapshot,
    wire::Frame,
};

use super::*;
use crate::{
    engine::{self, Engine, Options, Outcome},
    report::Report,
    scenario::{Gang, Group, Seen},
    verdict::{self, Verdict},
};

/// So many nodes and adversaries, such as `forge=3`, and 30 messages in 3 seconds.
fn scenario(seed: u64, honest: usize, adversaries: &[&str]) -> Scenario {
    let gang = |group: &&str| {
        let group: crate::plan::Adversaries = group.parse().unwrap();
        Gang::of(group.kind, group.count)
    };
    let rate = 10.0 / honest as f64;
    let group = Group { rate, messages: Some(30), ..Group::of("honest", honest) };
    let adversaries = adversaries.iter().map(gang).collect();
    let mut scenario = Scenario { seed, adversaries, ..Scenario::of("test", vec![group]) };
    scenario.run.duration = Duration::from_secs(4);
    scenario
}

fn outcome(scenario: &Scenario) -> Outcome {
    engine::simulate(scenario, Options::of(Engine::Sim), String::new()).unwrap()
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
    let calm = outcome(&scenario(1, 25, &[]));
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
    let mut lossy = scenario(2, 25, &[]);
    lossy.links.default.loss = 0.1;
    assert_held(&outcome(&lossy).report);
}

#[test]
fn forgers_are_banned_and_none_of_their_forgeries_is_relayed() {
    for seed in 1..4 {
        let report = outcome(&scenario(seed, 22, &["forge=4"])).report;
        assert_held(&report);
        assert!(report.faults["forged"] > 20, "{report}");
        assert!(report.bans >= 22, "{report}");
    }
}

#[test]
fn spam_is_not_relayed_beyond_the_rate_and_drowns_nobody() {
    for seed in 1..4 {
        let report = outcome(&scenario(seed, 22, &["spam=3"])).report;
        assert_held(&report);
        assert!(report.hostile_actions > 300, "{report}");
        assert!(report.faults["over_rate"] > 100, "{report}");
    }
}

#[test]
fn equivocators_are_exposed_at_every_honest_node() {
    for seed in 1..4 {
        let report = outcome(&scenario(seed, 22, &["equivocate=3"])).report;
        assert_held(&report);
        assert!(report.equivocations >= 3, "{report}");
        assert!(report.bans >= 3 * 22, "{report}");
    }
}

#[test]
fn several_kinds_at_once_are_withstood() {
    let kinds = ["forge=2", "spam=2", "equivocate=2"];
    let report = outcome(&scenario(5, 24, &kinds)).report;
    assert_held(&report);
    assert!(report.hostile_actions_by_kind.len() == kinds.len(), "{report}");
}

#[test]
fn one_seed_is_one_run_and_another_seed_is_another() {
    let digest = |seed| {
        outcome(&scenario(seed, 18, &["forge=1", "spam=1", "equivocate=1"])).pace.trace_digest
    };
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
    scenario: &Scenario,
    tamper: impl FnMut(Effect) -> Vec<Effect> + Send + 'static,
) -> Vec<&'static str> {
    let tamper = Cell::new(Some(Box::new(tamper) as Tamper));
    let sabotage = |node, core| -> Box<dyn Participant> {
        match (node == 0).then(|| tamper.take()).flatten() {
            Some(tamper) => Box::new(Saboteur { core, tamper, effects: VecDeque::new() }),
            None => Box::new(core),
        }
    };
    let ran = simulate(scenario, Defences::ALL, &sabotage).unwrap();
    let judged = verdict::judge(scenario, &Seen { run: &ran.findings, baseline: None });
    judged.checks.into_iter().filter(|check| !check.held).map(|check| check.name).collect()
}

/// The frame with another payload under the same signature.
fn forged(frame: &Bytes, plan: &Plan) -> Option<Bytes> {
    let Ok(Frame::Publication(message)) = Frame::decode(frame, &plan.network) else { return None };
    let payload = Bytes::from(vec![0; message.payload().len()]);
    Some(Publication::from_parts(message.signed().clone(), payload).frame().clone())
}

#[test]
fn a_saboteur_who_changes_nothing_is_not_accused() {
    assert!(broken_by(&scenario(1, 12, &[]), |effect| vec![effect]).is_empty());
}

#[test]
fn a_forged_frame_that_is_relayed_is_noticed() {
    let scenario = scenario(1, 12, &[]);
    let network = Plan::of(&scenario).unwrap();
    let broken = broken_by(&scenario, move |effect| {
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
    let broken = broken_by(&scenario(1, 12, &[]), |effect| {
        let again = if let Effect::Deliver(_) = &effect { Some(effect.clone()) } else { None };
        again.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["safety"]);
}

#[test]
fn a_message_that_is_swallowed_is_missed() {
    let mut first = true;
    let broken = broken_by(&scenario(1, 12, &[]), move |effect| {
        let swallow = matches!(effect, Effect::Deliver(_)) && std::mem::take(&mut first);
        if swallow { Vec::new() } else { vec![effect] }
    });
    assert_eq!(broken, ["delivery"]);
}

#[test]
fn a_ban_of_an_honest_node_is_noticed() {
    let scenario = scenario(1, 12, &[]);
    let plan = Plan::of(&scenario).unwrap();
    let peer = plan.keypair(5).id();
    let broken = broken_by(&scenario, move |effect| {
        let ban = matches!(effect, Effect::Deliver(_));
        let cause = BanCause::Fault(Fault::Greedy);
        let banned = Event::Banned(Ban { whom: peer.into(), cause, until: None });
        let ban = ban.then_some(Effect::Event(banned));
        ban.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["bans"]);
}

#[test]
fn a_proof_against_an_honest_node_is_noticed() {
    let scenario = scenario(1, 12, &[]);
    let plan = Plan::of(&scenario).unwrap();
    let (keypair, topic) = (plan.keypair(5), plan.topic);
    let say = |word: &'static str| {
        let slot = Slot { author: keypair.id(), topic, generation: 1, seq: 0 };
        let (payload, lifetime) = (Bytes::from_static(word.as_bytes()), Duration::from_secs(9));
        let message =
            Publication::sign(slot, Default::default(), lifetime, payload, &keypair, &plan.network);
        message.signed().clone()
    };
    let proof = verify(Untrusted::new(Proof::new(say("yes"), say("no")).unwrap())).unwrap();
    let broken = broken_by(&scenario, move |effect| {
        let expose = matches!(effect, Effect::Deliver(_));
        let expose = expose.then(|| Effect::Event(Event::Exposed { proof: proof.clone() }));
        expose.into_iter().chain([effect]).collect()
    });
    assert_eq!(broken, ["equivocation", "safety"]);
}

#[test]
fn an_equivocator_that_one_node_does_not_know_of_is_noticed() {
    let broken = broken_by(&scenario(1, 12, &["equivocate=1"]), |effect| {
        if matches!(effect, Effect::Event(Event::Exposed { .. })) {
            Vec::new()
        } else {
            vec![effect]
        }
    });
    assert_eq!(broken, ["equivocation"]);
}
