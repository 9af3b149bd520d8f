//! A network in virtual time: any [`Participant`]s, linked over latency and loss, from a seed.
//!
//! One heap of events; the earliest is carried out, and what it causes is scheduled. The same seed and the
//! same participants give the same events in the same order, which [`World::trace_digest`] proves. Each
//! distinct signature is checked once for the whole world. The world knows no protocol rule and no
//! adversary; participants make both.

mod conditions;
mod judge;
mod node;
mod queue;
mod trace;

use std::{
    collections::{HashMap, VecDeque},
    net::Ipv4Addr,
    time::Duration,
};

use forsooth_crypto::{Digest, NodeId};
use forsooth_protocol::{
    Address, Candidate, Connection, Direction, Input, Lane, Participant, Snapshot, Time, Timestamp,
};
use rand_chacha::ChaCha8Rng;

pub use self::{conditions::Conditions, queue::Index};
use self::{
    judge::Judge,
    node::Node,
    queue::{Occurrence, Queue},
    trace::Trace,
};
use crate::plan::{Purpose, stream};

/// What the wall shows when a world begins: 2026-01-01, 00:00 UTC.
const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// How often nodes read the wall clock.
const WALL_CLOCK_EVERY: Duration = Duration::from_secs(60);

/// A simulated network.
pub struct World {
    now: Time,
    queue: Queue,
    nodes: Vec<Node>,
    indices: HashMap<NodeId, Index>,
    conditions: Conditions,
    rng: ChaCha8Rng,
    judge: Judge,
    trace: Trace,
    frames: u64,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            now: Time::ZERO,
            queue: Queue::default(),
            nodes: Vec::new(),
            indices: HashMap::new(),
            conditions,
            rng: stream(seed, Purpose::Links, 0),
            judge: Judge::default(),
            trace: Trace::default(),
            frames: 0,
        }
    }

    /// Adds a node that starts now. Ids must differ.
    pub fn add(&mut self, id: NodeId, participant: Box<dyn Participant>) -> Index {
        let index =
            Index(u32::try_from(self.nodes.len()).expect("a world has far less than 2^32 nodes"));
        self.nodes.push(Node::new(id, participant));
        self.indices.insert(id, index);
        self.queue.push(self.now, Occurrence::WallClock { node: index });
        index
    }

    /// Where a node may be reached.
    #[must_use]
    pub fn candidate(&self, node: Index) -> Candidate {
        let address =
            Address::new(&format!("world/{}", node.0)).expect("an index is a short address");
        Candidate { peer: self.node(node).id, address }
    }

    /// Tells a node something at a moment; now, if that is over.
    pub fn tell(&mut self, at: Time, node: Index, input: Input) {
        self.queue.push(at.max(self.now), Occurrence::Told { node, input: Box::new(input) });
    }

    /// Carries out all that happens up to a moment.
    pub fn run_until(&mut self, until: Time) {
        while let Some((at, occurrence)) = self.queue.pop_until(until) {
            self.now = at;
            self.occur(occurrence);
        }
        self.now = self.now.max(until);
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// What a node looks like from inside.
    #[must_use]
    pub fn snapshot(&self, node: Index) -> Snapshot {
        self.node(node).participant.snapshot()
    }

    /// Frames that arrived.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Covers every input of every node so far, with its time and its bytes.
    #[must_use]
    pub fn trace_digest(&self) -> Digest {
        self.trace.digest()
    }

    fn occur(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::WallClock { node } => {
                self.queue.push(self.now + WALL_CLOCK_EVERY, Occurrence::WallClock { node });
                self.handle(node, Input::WallClock(self.wall()));
            }
            Occurrence::Told { node, input } => self.handle(node, *input),
            Occurrence::Tick { node } => {
                let now = self.now;
                if self.node_mut(node).take_tick(now) {
                    self.handle(node, Input::Tick);
                }
            }
            Occurrence::Arrived { to, from, link, lane, frame } => {
                if self.node(to).linked(from, link) {
                    self.frames += 1;
                    let from = self.node(from).id;
                    self.handle(to, Input::Received { from, lane, frame });
                }
            }
            Occurrence::Dialled { from, to } => self.dialled(from, to),
            Occurrence::Answered { from, to, link } => self.answered(from, to, link),
            Occurrence::DialFailed { node, peer } => {
                let peer = self.node(peer).id;
                self.handle(node, Input::DialFailed { peer });
            }
            Occurrence::Closed { node, peer, link } => {
                if self.node_mut(node).unlink(peer, link) {
                    let peer = self.node(peer).id;
                    self.handle(node, Input::Disconnected { peer });
                }
            }
        }
    }

    /// A dial arrives where it was directed.
    fn dialled(&mut self, from: Index, to: Index) {
        // The other end's dial came first: one link is enough, and the dialler has it or will.
        if self.node(from).is_linked(to) {
            return;
        }
        let later = self.now + self.conditions.latency(&mut self.rng);
        let (caller, wall) = (self.node(from).id, self.wall());
        let host = self.node_mut(to);
        if host.is_linked(from) || host.refuses(&caller, wall) {
            return self.queue.push(later, Occurrence::DialFailed { node: from, peer: to });
        }
        let link = self.queue.next_link();
        // What the host sends at once must not overtake the answer to the dial.
        self.node_mut(to).link(from, link, later);
        self.queue.push(later, Occurrence::Answered { from, to, link });
        self.connected(to, from, Direction::Inbound);
    }

    /// The answer to a dial arrives at the dialler.
    fn answered(&mut self, from: Index, to: Index, link: u64) {
        if !self.node(to).linked(from, link) || self.node(from).is_linked(to) {
            return self.occur(Occurrence::DialFailed { node: from, peer: to });
        }
        let now = self.now;
        self.node_mut(from).link(to, link, now);
        self.connected(from, to, Direction::Outbound);
    }

    fn connected(&mut self, node: Index, peer: Index, direction: Direction) {
        let connection = Connection { direction, remote: Some(ip(peer).into()) };
        let peer = self.node(peer).id;
        self.handle(node, Input::Connected { peer, connection });
    }

    /// Lets a node react, and to the verdicts on what it wants verified.
    fn handle(&mut self, index: Index, input: Input) {
        let now = self.now;
        let Self { queue, nodes, indices, conditions, rng, judge, trace, .. } = self;
        let Some(node) = nodes.get_mut(index.0 as usize) else { return };
        let mut hands = node::Hands { now, index, queue, indices, conditions, rng, judge };
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            trace.note(now, index, &input);
            node.handle(input, &mut hands, &mut inputs);
        }
        node.schedule_tick(&mut hands);
    }

    fn wall(&self) -> Timestamp {
        EPOCH.saturating_add(self.now.as_duration())
    }

    fn node(&self, index: Index) -> &Node {
        self.nodes.get(index.0 as usize).expect("indices are given out by `add` and nodes stay")
    }

    fn node_mut(&mut self, index: Index) -> &mut Node {
        self.nodes.get_mut(index.0 as usize).expect("indices are given out by `add` and nodes stay")
    }
}

/// A node's address: each in a /24 of its own.
fn ip(Index(index): Index) -> Ipv4Addr {
    let [_, high, middle, low] = index.to_be_bytes();
    Ipv4Addr::new(high.wrapping_add(10), middle, low, 1)
}

/// A lane's place in arrays of two.
const fn place(lane: Lane) -> usize {
    match lane {
        Lane::Control => 0,
        Lane::Data => 1,
    }
}

#[cfg(test)]
mod tests;
