//! A network in virtual time: any [`Participant`]s, linked over conditions and faults, from a seed.
//!
//! One calendar of events; the earliest is carried out, and what it causes is scheduled. The same seed, the
//! same participants and the same orders give the same events in the same order, which
//! [`World::trace_digest`] proves. Each distinct signature is checked once for the whole world. The world
//! knows no protocol rule and no adversary; participants make both.

mod conditions;
mod disk;
mod faults;
mod index;
mod judge;
mod links;
pub(crate) mod moment;
mod net;
mod node;
mod queue;
pub(crate) mod road;
mod trace;
mod troubles;

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use forsooth_crypto::{Digest, NodeId};
use forsooth_protocol::{
    Address, Candidate, Connection, Direction, Fault, Input, Lane, Participant, Snapshot, Time,
    Timestamp, snapshot::MemberState,
};

pub use self::{
    conditions::{Conditions, Drawn, Group, Latency, Links},
    index::Index,
};
use self::{
    index::Ids,
    judge::Judge,
    links::{LinkId, Side},
    moment::nanos,
    net::Net,
    node::{Hands, Node},
    queue::{Caller, Occurrence, Queue, Writing},
    trace::Trace,
};

/// What the wall shows when a world begins: 2026-01-01, 00:00 UTC.
pub(crate) const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);
/// How often nodes read the wall clock.
const WALL_CLOCK_EVERY: Duration = Duration::from_secs(60);
/// Where all nodes listen.
const PORT: u16 = 8650;
/// A dial that nobody answers has failed after so long.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// A simulated network.
pub struct World {
    now: Time,
    queue: Queue,
    nodes: Vec<Node>,
    ids: Ids,
    net: Net,
    judge: Judge,
    trace: Trace,
    frames: u64,
    /// What a node is told next; empty between two occurrences.
    inputs: VecDeque<Input>,
    /// Messages that a disk keeps; all, if not said.
    disk_messages_max: Option<usize>,
}

/// Where a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which nodes its links are like.
    pub group: Group,
    /// Its address as others see it; one in a /24 of its own if not said.
    pub ip: Option<IpAddr>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, links: impl Into<Links>) -> Self {
        Self {
            now: Time::ZERO,
            queue: Queue::default(),
            nodes: Vec::new(),
            ids: Ids::default(),
            net: Net::new(seed, links.into()),
            judge: Judge::default(),
            trace: Trace::default(),
            frames: 0,
            inputs: VecDeque::new(),
            disk_messages_max: None,
        }
    }

    /// From now on each disk keeps so many messages, and the oldest go.
    pub const fn limit_disks(&mut self, messages: usize) {
        self.disk_messages_max = Some(messages);
    }

    /// Adds a node that starts now, at any time. Ids must differ.
    pub fn add(&mut self, id: NodeId, participant: Box<dyn Participant>) -> Index {
        self.add_at(Place::default(), id, participant)
    }

    /// Adds a node that starts now, in a group or with an address. Ids must differ.
    pub fn add_at(&mut self, place: Place, id: NodeId, participant: Box<dyn Participant>) -> Index {
        let ip = |index| place.ip.unwrap_or_else(|| ip(index).into());
        let index = self.ids.add(id, |index| address(ip(index)));
        self.nodes.push(Node::new(participant, ip(index)));
        self.net.add(place.group);
        self.queue.push(self.now, Occurrence::WallClock { node: index });
        let address = self.ids.address(index).clone();
        self.tell(self.now, index, Input::Listening(vec![address]));
        index
    }

    /// Where a node may be reached.
    #[must_use]
    pub fn candidate(&self, node: Index) -> Candidate {
        Candidate { peer: self.ids.id(node), address: self.ids.address(node).clone() }
    }

    /// Tells a node where it may be reached.
    fn tell_address(&mut self, node: Index) {
        let address = self.ids.address(node).clone();
        self.handle(node, Input::Listening(vec![address]));
    }

    /// Tells a node something at a moment; now, if that is over. A node that is down then does not hear it.
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

    /// What a node looks like from inside; like nothing at all while it is down.
    #[must_use]
    pub fn snapshot(&self, node: Index) -> Snapshot {
        let participant = self.node(node).participant.as_ref();
        participant.map(|participant| participant.snapshot()).unwrap_or_default()
    }

    /// Whom a node holds for members; nobody while it is down.
    #[must_use]
    pub fn members(&self, node: Index) -> Vec<MemberState> {
        let participant = self.node(node).participant.as_ref();
        participant.map(|participant| participant.members()).unwrap_or_default()
    }

    /// How long every frame between two nodes takes, if all take as long: see [`Drawn::OncePerPair`].
    #[must_use]
    pub fn distance(&self, one: Index, other: Index) -> Option<Duration> {
        self.net.constant(one, other).map(Duration::from_nanos)
    }

    /// Nodes that were ever added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no node was ever added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.len() == 0
    }

    /// Frames that arrived.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames that were dropped because a queue was full.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.net.dropped()
    }

    /// Covers every input of every node so far, with its time and its bytes.
    #[must_use]
    pub fn trace_digest(&self) -> Digest {
        self.trace.digest()
    }

    fn occur(&mut self, occurrence: Occurrence) {
        let Some(occurrence) = self.put_off(occurrence) else { return };
        match occurrence {
            Occurrence::Arrived { link, to, lane, frame } => self.arrived(link, to, lane, frame),
            Occurrence::Tick { node } => {
                let now = self.now;
                if self.node_mut(node).take_tick(now) {
                    self.handle(node, Input::Tick);
                }
            }
            Occurrence::WallClock { node } => {
                self.queue.push(self.now + WALL_CLOCK_EVERY, Occurrence::WallClock { node });
                self.handle(node, Input::WallClock(self.wall(node)));
            }
            Occurrence::Begins { node } => {
                self.handle(node, Input::WallClock(self.wall(node)));
                self.tell_address(node);
                let records = self.node(node).disk.records();
                self.handle(node, Input::Loaded(records));
                let held = self.node(node).disk.held();
                if !held.is_empty() {
                    self.handle(node, Input::Holds(held));
                }
            }
            Occurrence::Told { node, input } => self.handle(node, *input),
            Occurrence::Dialled { from, to } => self.dialled(from, to),
            Occurrence::Answered { from, to, link } => self.answered(from, to, link),
            Occurrence::DialFailed { from, to } => self.dial_failed(from, to),
            Occurrence::Closed { link, at } => self.closed(link, at),
            Occurrence::Pump { node } => self.net.pump(nanos(self.now), node, &mut self.queue),
            Occurrence::Readable { link, from } => {
                self.net.line_up(nanos(self.now), link, from, &mut self.queue);
            }
            Occurrence::Stalled { link, from } => self.stalled(link, from),
            Occurrence::Dead { link, at, since } => self.dead(link, at, since),
            Occurrence::Written { node, messages } => self.written(node, messages),
            Occurrence::Resumed { node } => self.resumed(node),
        }
    }

    /// A frame arrives.
    fn arrived(&mut self, link: LinkId, to: Side, lane: Lane, frame: bytes::Bytes) {
        let Some(end) = self.net.links.end(link, to) else { return };
        let to_node = end.node;
        let Some(from) = self.net.links.peer(link, to) else { return };
        self.frames += 1;
        let from = self.ids.id(from);
        self.handle(to_node, Input::Received { from, lane, frame });
    }

    /// A dial arrives where it was directed.
    fn dialled(&mut self, from: Caller, to: Index) {
        // The other end's dial came first: one link is enough, and the dialler has it or will.
        if self.node(from.node).linked(to).is_some() {
            return;
        }
        let (now, queue) = (nanos(self.now), &mut self.queue);
        if self.net.troubles.cuts(from.node, to) || self.net.troubles.cuts(to, from.node) {
            return queue.push(self.now + DIAL_TIMEOUT, Occurrence::DialFailed { from, to });
        }
        let later = now.saturating_add(self.net.takes(to, from.node));
        let (caller, wall) = (self.ids.id(from.node), self.wall(to));
        let host = self.node(to);
        let is_up = host.participant.is_some();
        if !is_up || host.linked(from.node).is_some() || host.refuses(&caller, wall) {
            return self.queue.push_at(later, Occurrence::DialFailed { from, to });
        }
        // What the host sends at once must not overtake the answer to the dial.
        let link = self.net.links.open(from.node, to, later);
        self.node_mut(to).link(from.node, link);
        self.queue.push_at(later, Occurrence::Answered { from, to, link });
        self.connected(to, from.node, Direction::Inbound);
    }

    /// A disk has written messages. What a process that is gone had under way is lost.
    fn written(&mut self, by: Caller, messages: Vec<Writing>) {
        let node = self.node_mut(by.node);
        if node.life != by.life || node.participant.is_none() {
            return;
        }
        let requests = messages.iter().map(|writing| writing.request).collect();
        messages.into_iter().for_each(|writing| node.disk.keep(&writing));
        let gone = self.disk_messages_max.map(|max| self.node_mut(by.node).disk.trim(max));
        self.handle(by.node, Input::Kept { requests });
        if let Some(gone) = gone.filter(|gone| !gone.is_empty()) {
            self.handle(by.node, Input::Forgotten(gone));
        }
    }

    /// The answer to a dial arrives at the dialler.
    fn answered(&mut self, from: Caller, to: Index, link: LinkId) {
        let is_up = self.net.links.end(link, Side::Host).is_some();
        let caller = self.node(from.node);
        let is_gone = caller.participant.is_none() || caller.life != from.life;
        if is_up && (is_gone || caller.linked(to).is_some()) {
            // Nobody is there for it: the host finds the link closed.
            self.net.links.answer(link, nanos(self.now));
            self.hands(from.node).close(link, Side::Caller);
        }
        if !is_up || is_gone || self.node(from.node).linked(to).is_some() {
            return self.dial_failed(from, to);
        }
        self.net.links.answer(link, nanos(self.now));
        self.node_mut(from.node).link(to, link);
        self.connected(from.node, to, Direction::Outbound);
    }

    fn dial_failed(&mut self, from: Caller, to: Index) {
        if self.node(from.node).life == from.life {
            let peer = self.ids.id(to);
            self.handle(from.node, Input::DialFailed { peer });
        }
    }

    fn connected(&mut self, node: Index, peer: Index, direction: Direction) {
        let connection = Connection { direction, remote: Some(self.node(peer).ip) };
        let peer = self.ids.id(peer);
        self.handle(node, Input::Connected { peer, connection });
    }

    /// The other end has closed a link.
    fn closed(&mut self, link: LinkId, at: Side) {
        let Some(node) = self.net.links.end(link, at).map(|end| end.node) else { return };
        let Some((peer, _)) = self.net.links.close(link, at) else { return };
        self.node_mut(node).unlink(peer);
        let peer = self.ids.id(peer);
        self.handle(node, Input::Disconnected { peer });
    }

    /// Frames for a peer may have waited for too long.
    fn stalled(&mut self, link: LinkId, from: Side) {
        let Some(node) = self.net.links.end(link, from).map(|end| end.node) else { return };
        let Some(peer) = self.net.links.peer(link, from) else { return };
        if self.net.has_stalled(nanos(self.now), link, from, &mut self.queue) {
            let peer = self.ids.id(peer);
            self.handle(node, Input::Misbehaved { peer, fault: Fault::Stalled });
        }
    }

    /// Lets a node react, and to the verdicts on what it wants verified.
    fn handle(&mut self, index: Index, input: Input) {
        let now = self.now;
        let Self { queue, nodes, ids, net, judge, trace, inputs, .. } = self;
        let Some(node) = nodes.get_mut(index.place()) else { return };
        if node.participant.is_none() {
            return;
        }
        let caller = Caller { node: index, life: node.life };
        let mut hands = Hands { now, caller, queue, ids, net, judge };
        inputs.push_back(input);
        while let Some(input) = inputs.pop_front() {
            trace.note(now, index, &input);
            node.handle(input, &mut hands, inputs);
        }
        node.schedule_tick(&mut hands);
    }

    fn hands(&mut self, index: Index) -> Hands<'_> {
        let caller = Caller { node: index, life: self.node(index).life };
        let Self { now, queue, ids, net, judge, .. } = self;
        Hands { now: *now, caller, queue, ids, net, judge }
    }

    /// What a node's clock shows.
    fn wall(&self, node: Index) -> Timestamp {
        let wall = EPOCH.saturating_add(self.now.as_duration());
        let ahead_ms = self.node(node).ahead_ms;
        let off = Duration::from_millis(ahead_ms.unsigned_abs());
        if ahead_ms < 0 { wall.saturating_sub(off) } else { wall.saturating_add(off) }
    }

    fn node(&self, index: Index) -> &Node {
        self.nodes.get(index.place()).expect("indices are given out by `add` and nodes stay")
    }

    fn node_mut(&mut self, index: Index) -> &mut Node {
        self.nodes.get_mut(index.place()).expect("indices are given out by `add` and nodes stay")
    }
}

/// An address as real ones are.
fn address(ip: IpAddr) -> Address {
    let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
    Address::new(&format!("/{family}/{ip}/tcp/{PORT}")).expect("an IP address is short")
}

/// A node's address: each in a /24 of its own, spread evenly over 64 of the /8 that are public.
fn ip(Index(index): Index) -> Ipv4Addr {
    // Multiplying by an odd number shuffles the 22 bits that are kept (Knuth, TAOCP 3, section 6.4).
    let [_, high, middle, low] = (index.wrapping_mul(0x9e37_79b1) & 0x3f_ffff).to_be_bytes();
    Ipv4Addr::new(high + 32, middle, low, 1)
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
