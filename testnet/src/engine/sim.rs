//! The simulator's engine: cores, taps and adversaries in a [`World`], from a seed.
//!
//! Phases: nodes link up; then there is load, and what the timeline says; then the network settles, until
//! nothing is due any more or its time is up.

mod faults;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use forsooth_protocol::{Config, Core, Defences, Input, Participant, Time};
use rand::{RngExt as _, seq::index};

use super::{
    Pace, Ran, Unfit,
    active::Active,
    classes::Classes,
    contacts, is_ready,
    load::Load,
    recall::Recall,
    seat,
    timeline::{Act, Timeline},
};
use crate::{
    cast::Cast,
    clock::RunClock,
    plan::{Plan, Purpose},
    record::{Mark, Recovery, What},
    scenario::Scenario,
    world::{EPOCH, Index, World},
};

/// Nodes that each node knows at first, for each link that it wants.
const KNOWN_PER_LINK: usize = 4;
/// Nodes start at random within this time.
const START_WITHIN: Duration = Duration::from_secs(1);
/// How often is looked whether a phase is over.
const STEP: Duration = Duration::from_millis(500);
/// How often nodes are looked at from inside.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Nodes that are looked at; of more, some are drawn.
const SAMPLED_MAX: usize = 200;

/// Simulates a scenario.
pub(crate) fn run(scenario: &Scenario, defences: Defences) -> Result<Ran, Unfit> {
    simulate(scenario, defences, &|_, core| Box::new(core))
}

/// Puts something between an honest node's core and its tap; for the tests of what watches.
type Sabotage<'a> = &'a dyn Fn(usize, Core) -> Box<dyn Participant>;

fn simulate(scenario: &Scenario, defences: Defences, sabotage: Sabotage<'_>) -> Result<Ran, Unfit> {
    let begun = Instant::now();
    let mut plan = Plan::of(scenario)?;
    plan.defences = defences;
    let mut scene = Scene::new(scenario, &plan, sabotage);
    scene.warm_up();
    scene.load();
    scene.settle();
    let elapsed_seconds = begun.elapsed().as_secs_f64();
    let frames = scene.world.frames();
    let pace = Pace {
        nodes: plan.nodes(),
        trace_digest: Some(scene.world.trace_digest()),
        virtual_seconds: Some(scene.world.now().as_duration().as_secs_f64()),
        elapsed_seconds,
        frames: Some(frames),
        frames_per_second: Some(frames as f64 / elapsed_seconds.max(1e-9)),
        peak_memory_bytes: super::memory::peak_bytes(),
    };
    let recorder = Arc::clone(&scene.cast.recorder);
    Ok(Ran { findings: recorder.findings(), recorder, pace })
}

/// A world and who is in it.
struct Scene<'a> {
    scenario: &'a Scenario,
    plan: &'a Plan,
    cast: Cast,
    world: World,
    sabotage: Sabotage<'a>,
    nodes: Vec<Index>,
    /// Which of its lives each node lives.
    lives: Vec<u64>,
    down: BTreeSet<usize>,
    /// Faults that are on.
    active: Active,
    /// Honest nodes that lacked witnesses when they were last looked at.
    lacking: BTreeSet<usize>,
    /// Gangs that have begun frames which they do not finish, and since when.
    stalling: BTreeMap<usize, Time>,
    classes: Classes,
    timeline: Timeline,
    sample_at: Time,
    /// When the load began.
    origin: Time,
}

impl<'a> Scene<'a> {
    fn new(scenario: &'a Scenario, plan: &'a Plan, sabotage: Sabotage<'a>) -> Self {
        let cast = Cast::new(plan, RunClock::Shared);
        let timeline = Timeline::new(scenario, plan);
        cast.recorder.follow(timeline.killed().into_iter().map(seat));
        let classes = Classes::new(scenario, plan, &timeline.losses());
        let mut scene = Self {
            scenario,
            plan,
            cast,
            world: World::new(plan.seed, classes.links(&BTreeMap::new())),
            sabotage,
            nodes: Vec::new(),
            lives: vec![1; plan.nodes()],
            down: BTreeSet::new(),
            active: Active::default(),
            lacking: BTreeSet::new(),
            stalling: BTreeMap::new(),
            classes,
            timeline,
            sample_at: Time::ZERO,
            origin: Time::ZERO,
        };
        let messages_max = scenario.network.retention_messages;
        if let Some(messages) = messages_max.and_then(|max| usize::try_from(max).ok()) {
            scene.world.limit_disks(messages);
        }
        for node in 0..plan.nodes() {
            let participant = scene.participant(node);
            let index = scene.join(node, participant);
            scene.nodes.push(index);
        }
        for node in 0..plan.nodes() {
            let at = Time::ZERO
                + START_WITHIN.mul_f64(plan.stream(Purpose::Graph, node).random::<f64>());
            scene.introduce(node, at);
        }
        scene
    }

    /// A node's participant in its present life.
    fn participant(&self, node: usize) -> Box<dyn Participant> {
        // As a real node's: membership takes it for the time of the start.
        let life = self.lives.get(node).copied().unwrap_or(1);
        let generation = EPOCH.as_secs().saturating_add(life);
        let mut config = Config::new(Arc::clone(&self.plan.network), generation);
        config.outbound_target = self.plan.outbound_target(node);
        config.defences = self.plan.defences;
        let core = Core::new(config, self.plan.keypair(node), self.plan.core_seed(node));
        let participant = self.cast.participant(node, (self.sabotage)(node, core));
        if node >= self.plan.honest {
            return participant;
        }
        let recorder = Arc::clone(&self.cast.recorder);
        Box::new(Recall::around(participant, seat(node), recorder, self.cast.clock))
    }

    /// Tells a node whom it may link to: what its group says, or a random part of the network.
    fn introduce(&mut self, node: usize, at: Time) {
        let life = self.lives.get(node).copied().unwrap_or(1);
        let mut rng = self.plan.stream(Purpose::Graph, node);
        // Other acquaintances in another life, and the same for a seed.
        rng.set_word_pos(u128::from(life) << 32);
        let Some(index) = self.nodes.get(node).copied() else { return };
        let said = contacts::of_group(self.plan, node, life, &mut rng);
        let mut told = said.unwrap_or_else(|| {
            let wanted = (self.plan.outbound_target(node) * KNOWN_PER_LINK).min(self.nodes.len());
            index::sample(&mut rng, self.nodes.len(), wanted).into_vec()
        });
        told.extend(contacts::of_gang(self.plan, node));
        let others = told.iter().filter(|other| **other != node);
        let others = others.filter_map(|other| self.nodes.get(*other));
        let known = others.map(|other| self.world.candidate(*other)).collect();
        for (topic, _) in self.plan.network.topics() {
            self.world.tell(at, index, Input::Subscribe { topic, policy: None });
        }
        self.world.tell(at, index, Input::Known(known));
    }

    /// Runs until every honest node could accept a message.
    fn warm_up(&mut self) {
        self.mark(Mark::new(What::Phase, "warm-up"));
        let end = Time::ZERO + self.scenario.run.warm_up.max(START_WITHIN);
        self.advance(Time::ZERO + START_WITHIN);
        while self.world.now() < end && !self.is_linked() {
            self.advance((self.world.now() + STEP).min(end));
        }
    }

    fn is_linked(&self) -> bool {
        let witnesses = usize::from(self.plan.network.witnesses_max());
        let ready = |node: usize| {
            let wanted = witnesses.min(self.plan.outbound_target(node)).min(self.plan.honest - 1);
            self.nodes.get(node).is_none_or(|index| self.world.snapshot(*index).witnesses >= wanted)
        };
        (0..self.plan.honest).all(ready)
    }

    /// Runs while honest nodes publish.
    fn load(&mut self) {
        self.mark(Mark::new(What::Phase, "load"));
        self.origin = self.world.now();
        let mut load = Load::new(self.scenario, self.plan);
        let mut request = 0;
        let mut at = Duration::ZERO;
        let end = self.scenario.run.duration;
        loop {
            self.act(at);
            let done = at >= end && load.next_at().is_none();
            if done {
                break;
            }
            let step = at + STEP;
            let next = self.timeline.next_at().map_or(step, |act| act.min(step));
            let next = if at < end { next.min(end) } else { next };
            while let Some(publication) = load.pop_until(next) {
                request += 1;
                self.publish(publication, request);
            }
            self.advance(self.origin + next);
            at = next;
        }
    }

    fn publish(&mut self, publication: super::load::Publication, request: u64) {
        let Some(author) = self.nodes.get(publication.node).copied() else { return };
        if self.down.contains(&publication.node) {
            return;
        }
        let super::load::Publication { at, topic, payload, .. } = publication;
        let input = Input::Publish { request, topic, payload, lifetime: None };
        self.world.tell(self.origin + at, author, input);
    }

    /// Runs until nothing is due any more and all have recovered.
    fn settle(&mut self) {
        self.mark(Mark::new(What::Phase, "cool-down"));
        let begun = self.world.now();
        let end = begun + self.scenario.run.cool_down;
        while self.world.now() < end && !self.is_settled() {
            let step = (self.world.now() + STEP).min(end);
            let act = self.timeline.next_at().map(|act| self.origin + act);
            self.advance(act.map_or(step, |act| act.max(self.world.now()).min(step)));
            self.act(self.world.now().since(self.origin));
        }
        // Of many, not all are looked at each time.
        (0..self.plan.honest).for_each(|node| self.look_at(node));
    }

    fn is_settled(&mut self) -> bool {
        let findings = self.cast.recorder.findings();
        self.timeline.next_at().is_none()
            && findings.is_settled()
            && self.has_recovered(findings.recovery)
    }

    /// Whether every honest node that is there has its witnesses, if something is to be recovered from.
    fn has_recovered(&mut self, recovery: Recovery) -> bool {
        match recovery {
            Recovery::NotNeeded => true,
            Recovery::Within(_) | Recovery::Never => {
                let there = |node: &usize| !self.active.condition(*node).is_away();
                let there: Vec<usize> = (0..self.plan.honest).filter(there).collect();
                there.iter().for_each(|node| self.look_at(*node));
                there.iter().all(|node| !self.lacking.contains(node))
            }
        }
    }

    /// Runs up to a moment, and looks at the nodes now and then.
    fn advance(&mut self, until: Time) {
        while self.sample_at <= until {
            self.world.run_until(self.sample_at);
            self.sample();
            self.tire_of_stallers();
            self.sample_at = self.sample_at + SAMPLE_EVERY;
        }
        self.world.run_until(until);
    }

    fn sample(&mut self) {
        let every = self.plan.honest.div_ceil(SAMPLED_MAX).max(1);
        // Those that lack something are followed until they do not.
        let mut nodes = self.lacking.clone();
        nodes.extend((0..self.plan.honest).step_by(every));
        nodes.into_iter().for_each(|node| self.look_at(node));
    }

    fn look_at(&mut self, node: usize) {
        let Some(index) = self.nodes.get(node).filter(|_| !self.down.contains(&node)) else {
            return;
        };
        let snapshot = self.world.snapshot(*index);
        self.cast.recorder.sample(self.world.now(), seat(node), &snapshot);
        if is_ready(&snapshot) {
            self.lacking.remove(&node);
        } else {
            self.lacking.insert(node);
        }
    }

    /// Does what is due.
    fn act(&mut self, until: Duration) {
        while let Some((_, act)) = self.timeline.pop_until(until) {
            self.mark(act.mark(self.plan));
            match act {
                Act::Attack(gang) => self.attack(gang),
                Act::Relent(gang) => self.relent(gang),
                Act::Strike(blow) => self.strike(&blow),
                Act::Heal(blow) => self.heal(&blow),
            }
        }
    }

    fn mark(&self, mark: Mark) {
        self.cast.recorder.mark(self.world.now(), mark);
    }
}

#[cfg(test)]
mod tests;
