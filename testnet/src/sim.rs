//! The simulator's engine: cores, taps and adversaries in a [`World`].
//!
//! Phases: nodes link up; then the attack is on and honest nodes publish; then the network settles, until
//! nothing is due any more or its time is up.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use forsooth_crypto::Digest;
use forsooth_protocol::{Config, Core, Input, Participant, Time};
use rand::{Rng as _, RngExt as _, seq::index};
use serde::Serialize;

use crate::{
    cast::Cast,
    clock::RunClock,
    plan::{Plan, Purpose},
    report::Report,
    world::{Conditions, Index, World},
};

/// Nodes that each node knows at first, for each link that it wants.
const KNOWN_PER_LINK: usize = 4;
/// Nodes start at random within this time.
const START_WITHIN: Duration = Duration::from_secs(1);
/// The longest time in which nodes link up before it begins all the same.
const WARM_UP_MAX: Duration = Duration::from_secs(30);
/// How often is looked whether a phase is over.
const STEP: Duration = Duration::from_millis(500);
/// The longest time for what is on its way to arrive.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Messages that honest nodes publish, together.
    pub messages: usize,
    /// Messages in a second, of all honest nodes together.
    pub rate: f64,
    /// Bytes of a payload.
    pub payload_bytes: u32,
    /// What links are like.
    pub conditions: Conditions,
}

/// The outcome of a simulated run.
#[derive(Clone, Debug, Serialize)]
pub struct Simulated {
    /// The verdict and what it rests on.
    #[serde(flatten)]
    pub report: Report,
    /// Nodes of all kinds.
    pub nodes: usize,
    /// Equal for equal runs.
    pub trace_digest: Digest,
    /// How long it took in the simulated world.
    pub virtual_seconds: f64,
    /// How long it took here.
    pub elapsed_seconds: f64,
    /// Frames that arrived.
    pub frames: u64,
    /// Frames that arrived in a second of this machine's time.
    pub frames_per_second: f64,
}

/// Simulates a network.
#[must_use]
pub fn run(plan: &Plan, options: &Options, repeat: String) -> Simulated {
    simulate(plan, options, repeat, &|_, core| Box::new(core))
}

/// Puts something between an honest node's core and its tap; for the tests of what watches.
type Sabotage<'a> = &'a dyn Fn(usize, Core) -> Box<dyn Participant>;

fn simulate(plan: &Plan, options: &Options, repeat: String, sabotage: Sabotage<'_>) -> Simulated {
    let begun = Instant::now();
    let mut scene = Scene::new(plan, options.conditions, sabotage);
    scene.warm_up();
    scene.cast.gate.open();
    let last = scene.publish(options);
    scene.world.run_until(last);
    // The attack goes on for a moment after the last message, so that it meets that one too.
    scene.world.run_until(scene.world.now() + STEP);
    scene.cast.gate.close();
    scene.settle();

    let elapsed = begun.elapsed().as_secs_f64();
    let frames = scene.world.frames();
    let frames_per_second = frames as f64 / elapsed.max(1e-9);
    Simulated {
        report: Report::new(&scene.cast.recorder.findings(), plan.seed, repeat),
        nodes: plan.nodes(),
        trace_digest: scene.world.trace_digest(),
        virtual_seconds: scene.world.now().as_duration().as_secs_f64(),
        elapsed_seconds: elapsed,
        frames,
        frames_per_second,
    }
}

/// A world and who is in it.
struct Scene<'a> {
    plan: &'a Plan,
    cast: Cast,
    world: World,
    nodes: Vec<Index>,
}

impl<'a> Scene<'a> {
    fn new(plan: &'a Plan, conditions: Conditions, sabotage: Sabotage<'_>) -> Self {
        let cast = Cast::new(plan, RunClock::Shared);
        let mut world = World::new(plan.seed, conditions);
        let add = |node| {
            let mut config = Config::new(Arc::clone(&plan.network), 1);
            config.outbound_target = plan.outbound_target();
            let core = Core::new(config, plan.keypair(node), plan.core_seed(node));
            let id = core.id();
            world.add(id, cast.participant(node, sabotage(node, core)))
        };
        let nodes = (0..plan.nodes()).map(add).collect();
        let mut scene = Self { plan, cast, world, nodes };
        (0..plan.nodes()).for_each(|node| scene.introduce(node));
        scene
    }

    /// Tells a node whom it may link to: a random part of the network.
    fn introduce(&mut self, node: usize) {
        let mut rng = self.plan.stream(Purpose::Graph, node);
        let Some(index) = self.nodes.get(node).copied() else { return };
        let wanted = (self.plan.outbound_target() * KNOWN_PER_LINK).min(self.nodes.len());
        let drawn = index::sample(&mut rng, self.nodes.len(), wanted);
        let others = drawn
            .into_iter()
            .filter(|other| *other != node)
            .filter_map(|other| self.nodes.get(other));
        let known = others.map(|other| self.world.candidate(*other)).collect();
        let at = Time::ZERO + START_WITHIN.mul_f64(rng.random());
        self.world.tell(at, index, Input::Subscribe { topic: self.plan.topic });
        self.world.tell(at, index, Input::Known(known));
    }

    fn honest(&self) -> impl Iterator<Item = Index> {
        self.nodes.iter().take(self.plan.honest).copied()
    }

    /// Runs until every honest node could accept a message.
    fn warm_up(&mut self) {
        let end = self.world.now() + WARM_UP_MAX;
        self.world.run_until(Time::ZERO + START_WITHIN);
        while self.world.now() < end && !self.honest().all(|node| self.is_ready(node)) {
            self.world.run_until(self.world.now() + STEP);
        }
    }

    fn is_ready(&self, node: Index) -> bool {
        let snapshot = self.world.snapshot(node);
        let wanted =
            usize::from(self.plan.network.witnesses_max()).min(self.plan.outbound_target());
        snapshot.witnesses >= wanted
    }

    /// Schedules the load; returns when the last message is published.
    fn publish(&mut self, options: &Options) -> Time {
        let mut rng = self.plan.stream(Purpose::Load, 0);
        let gap = Duration::from_secs_f64(1.0 / options.rate);
        let mut at = self.world.now();
        for request in 0..options.messages {
            at = at + gap.mul_f64(rng.random_range(0.5..1.5));
            let mut payload = vec![0; options.payload_bytes as usize];
            rng.fill_bytes(&mut payload);
            let author = rng.random_range(0..self.plan.honest);
            let (request, payload) = (request as u64, Bytes::from(payload));
            let input = Input::Publish { request, topic: self.plan.topic, payload, lifetime: None };
            if let Some(author) = self.nodes.get(author) {
                self.world.tell(at, *author, input);
            }
        }
        at
    }

    /// Runs until nothing is due any more.
    fn settle(&mut self) {
        let end = self.world.now() + SETTLE_MAX;
        while self.world.now() < end && !self.cast.recorder.findings().is_settled() {
            self.world.run_until(self.world.now() + STEP);
        }
    }
}

impl fmt::Display for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Simulated: {:.1} s of a network's life in {:.1} s",
            self.virtual_seconds, self.elapsed_seconds
        )?;
        self.report.fmt(f)?;
        writeln!(
            f,
            "  {} frames arrived, {:.0} a second of this machine",
            self.frames, self.frames_per_second
        )?;
        writeln!(f, "  trace digest {}", self.trace_digest)
    }
}

#[cfg(test)]
mod tests;
