//! The run: nodes link up, the overlay settles, and then authors publish in turn.

use std::{sync::Arc, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Config, Core, Input, Time};
use rand::{Rng as _, RngExt as _, seq::index};

use super::{
    Progress,
    flood::Graph,
    setting::{Error, INTERVAL, Setting, Since},
    sheet::{Message, Sheet},
    watch::Shared,
};
use crate::{
    cast::Cast,
    clock::RunClock,
    plan::{Plan, Purpose},
    world::{Conditions, Drawn, Index, Links, World},
};

/// Nodes that each node knows at first, for each link that it wants.
const KNOWN_PER_LINK: usize = 4;
/// Nodes start at random within this time.
const START_WITHIN: Duration = Duration::from_secs(1);
/// How often is looked whether the network has come together.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The longest that nodes may take to have all their links.
const LINKED_WITHIN: Duration = Duration::from_secs(180);
/// The longest that their views may take to settle.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// The share of honest nodes whose views are waited for: a few take several times as long as the rest.
const SETTLED_SHARE: f64 = 0.99;
/// The longest break between the warm-up and what is measured, and after that in which bytes are counted.
const BREAK: Duration = Duration::from_secs(5);
/// The longest time for what is on its way in the end.
const DRAIN: Duration = Duration::from_secs(60);
/// How often is looked whether all has arrived.
const STEP: Duration = Duration::from_millis(500);

/// A world and who is in it.
pub(super) struct Scene<'a> {
    pub(super) setting: &'a Setting,
    pub(super) cast: Cast,
    pub(super) world: World,
    pub(super) sheet: Shared,
    plan: Plan,
    nodes: Vec<Index>,
    authors: Vec<usize>,
    /// Microseconds that floods of the measured messages took.
    pub(super) floods: Vec<u32>,
    /// When all had their links.
    pub(super) linked_at: Time,
    /// When the warm-up began.
    pub(super) begun_at: Time,
    /// Honest nodes whose views had settled by then.
    pub(super) settled: usize,
}

impl<'a> Scene<'a> {
    pub(super) fn new(setting: &'a Setting) -> Result<Self, Error> {
        let plan = Plan::of(&setting.scenario())?;
        let cast = Cast::new(&plan, RunClock::Shared);
        let conditions = Conditions { latency: setting.latency, ..Conditions::default() };
        let links = Links { drawn: Drawn::OncePerPair, ..Links::from(conditions) };
        let ids: Vec<NodeId> = (0..plan.nodes()).map(|node| plan.keypair(node).id()).collect();
        let messages = [setting.warm_up_messages(), setting.measured_messages()];
        let sheet = Sheet::new(Arc::clone(&plan.network), &ids, plan.honest, messages);
        let mut rng = plan.stream(Purpose::Load, 0);
        let authors = index::sample(&mut rng, plan.honest, setting.authors).into_vec();
        let mut scene = Self {
            setting,
            cast,
            world: World::new(plan.seed, links),
            sheet: Shared::new(sheet),
            plan,
            nodes: Vec::new(),
            authors,
            floods: Vec::new(),
            linked_at: Time::ZERO,
            begun_at: Time::ZERO,
            settled: 0,
        };
        ids.into_iter().enumerate().for_each(|(node, id)| scene.join(node, id));
        (0..scene.nodes.len()).for_each(|node| scene.introduce(node));
        Ok(scene)
    }

    fn join(&mut self, node: usize, id: NodeId) {
        let mut config = Config::new(Arc::clone(&self.plan.network), 1);
        config.outbound_target = self.plan.outbound_target(node);
        let core = Core::new(config, self.plan.keypair(node), self.plan.core_seed(node));
        let participant = self.cast.participant(node, Box::new(core));
        let index = self.world.add(id, self.sheet.watch(node, participant));
        self.nodes.push(index);
    }

    /// Tells a node of a random part of the network.
    fn introduce(&mut self, node: usize) {
        let mut rng = self.plan.stream(Purpose::Graph, node);
        let at = Time::ZERO + START_WITHIN.mul_f64(rng.random::<f64>());
        let wanted = (self.plan.outbound_target(node) * KNOWN_PER_LINK).min(self.nodes.len());
        let told = index::sample(&mut rng, self.nodes.len(), wanted).into_iter();
        let others = told.filter(|other| *other != node);
        let others = others.filter_map(|other| self.nodes.get(other));
        let known = others.map(|other| self.world.candidate(*other)).collect();
        let Some(index) = self.nodes.get(node).copied() else { return };
        for (topic, _) in self.plan.network.topics() {
            self.world.tell(at, index, Input::Subscribe { topic, policy: None });
        }
        self.world.tell(at, index, Input::Known(known));
    }

    /// Runs until every honest node has the links that it wants, and its view has settled.
    pub(super) fn link_up(&mut self, progress: &mut impl FnMut(Progress)) -> Result<(), Error> {
        while self.lacking() > 0 || self.world.now() == Time::ZERO {
            if self.world.now() >= Time::ZERO + LINKED_WITHIN {
                return Err(Error::NotLinked {
                    seconds: LINKED_WITHIN.as_secs(),
                    lacking: self.lacking(),
                    honest: self.plan.honest,
                });
            }
            progress(Progress::Linking);
            self.advance(LOOK_EVERY);
        }
        self.linked_at = self.world.now();
        let end = self.world.now() + SETTLED_WITHIN;
        // While views settle, links come and go.
        let enough = self.plan.honest as f64 * SETTLED_SHARE;
        let is_settled = |scene: &Self| scene.settled() as f64 >= enough && scene.lacking() == 0;
        while !is_settled(self) && self.world.now() < end {
            progress(Progress::Settling);
            self.advance(LOOK_EVERY);
        }
        (self.begun_at, self.settled) = (self.world.now(), self.settled());
        Ok(())
    }

    /// Has the authors publish: at first what is not measured, and then what is.
    pub(super) fn publish(&mut self, progress: &mut impl FnMut(Progress)) {
        let (warm_up, measured) =
            (self.setting.warm_up_messages(), self.setting.measured_messages());
        let mut tell = |done| progress(Progress::Published { done, of: warm_up + measured });
        let since = self.setting.withholders.map(|who| who.since);
        if since == Some(Since::WarmUp) {
            self.attack();
        }
        let begin = self.world.now();
        for number in 0..warm_up {
            self.publish_one(begin, number, number);
            tell(number + 1);
        }
        self.drain(BREAK, Sheet::warm_up);
        if since == Some(Since::Flash) {
            self.attack();
        }
        self.sheet.lock().begin();
        let begin = self.world.now();
        for number in 0..measured {
            self.publish_one(begin, number, warm_up + number);
            self.flood(warm_up + number);
            tell(warm_up + number + 1);
        }
        self.drain(BREAK, Sheet::measured);
        // What the overlay says while the last stragglers are waited for is no cost of these messages.
        self.sheet.lock().end();
        self.drain(DRAIN, Sheet::measured);
    }

    /// Publishes the message of this number in its turn.
    fn publish_one(&mut self, begin: Time, turn: usize, number: usize) {
        let at = begin + INTERVAL.saturating_mul(u32::try_from(turn).unwrap_or(u32::MAX));
        let Some(author) = self.author(number).and_then(|author| self.nodes.get(author)) else {
            return;
        };
        let mut payload = vec![0; self.setting.payload_bytes as usize];
        self.plan.stream(Purpose::Load, number + 1).fill_bytes(&mut payload);
        let (request, topic) = (number as u64, self.plan.topic);
        let input = Input::Publish { request, topic, payload: payload.into(), lifetime: None };
        self.world.tell(at, *author, input);
        self.world.run_until(at);
    }

    fn author(&self, number: usize) -> Option<usize> {
        self.authors.get(number % self.authors.len().max(1)).copied()
    }

    /// How long a flood of this message would take over the links that there are now.
    fn flood(&mut self, number: usize) {
        let Some(author) = self.author(number) else { return };
        let sheet = self.sheet.lock();
        let distance = |one: usize, other: usize| {
            self.world.distance(*self.nodes.get(one)?, *self.nodes.get(other)?)
        };
        let links = |node| {
            let peers = sheet.linked(node);
            peers.filter_map(|peer| Some((peer, distance(node, peer)?))).collect()
        };
        let graph = Graph::new((0..self.nodes.len()).map(links).collect(), self.plan.honest);
        let micros = |takes: Duration| u32::try_from(takes.as_micros()).unwrap_or(u32::MAX);
        self.floods.extend(graph.flood(author).map(micros));
    }

    fn attack(&self) {
        if let Some(gate) = self.cast.gate(0) {
            gate.open();
        }
    }

    /// Honest nodes that lack some of the links that they want.
    fn lacking(&self) -> usize {
        let lacks = |index: &&Index| {
            let snapshot = self.world.snapshot(**index);
            snapshot.witnesses < snapshot.witnesses_wanted
        };
        self.honest().filter(lacks).count()
    }

    /// Honest nodes whose views have settled.
    fn settled(&self) -> usize {
        self.honest().filter(|index| !self.world.snapshot(**index).overlay.is_joining).count()
    }

    fn honest(&self) -> impl Iterator<Item = &Index> {
        self.nodes.iter().take(self.plan.honest)
    }

    /// Runs until everybody has all of these messages, and not longer than this.
    fn drain(&mut self, at_most: Duration, of: fn(&Sheet) -> &[Message]) {
        let end = self.world.now() + at_most;
        while self.world.now() < end && !self.is_complete(of) {
            self.advance(STEP);
        }
    }

    fn is_complete(&self, of: fn(&Sheet) -> &[Message]) -> bool {
        let sheet = self.sheet.lock();
        sheet.is_complete(of(&sheet))
    }

    fn advance(&mut self, by: Duration) {
        self.world.run_until(self.world.now() + by);
    }
}

#[cfg(test)]
impl Scene<'_> {
    /// The links of all nodes as their snapshots have them, both ends agreeing.
    pub(super) fn snapshot_links(&self) -> std::collections::BTreeSet<(usize, usize)> {
        let ids: Vec<NodeId> =
            (0..self.plan.nodes()).map(|node| self.plan.keypair(node).id()).collect();
        let place = |peer: &NodeId| ids.iter().position(|id| id == peer);
        let of = |node: usize| {
            let links = self.world.snapshot(self.nodes[node]).links;
            links.into_iter().filter_map(move |link| Some((node, place(&link.peer)?)))
        };
        let all: std::collections::BTreeSet<_> = (0..self.nodes.len()).flat_map(of).collect();
        all.iter().filter(|(one, other)| all.contains(&(*other, *one))).copied().collect()
    }
}
