//! Which peers this node is linked to, and which of them are its witnesses.
//!
//! A witness is a peer that this node chose, at random among those it knows; a peer that dialled us is not
//! one until we choose it too. [`Witness`] can be made here alone, so no inbound peer's vouch is ever
//! counted. For now all connected peers are links, and candidates come from the operator alone; the
//! sampler and the address book will feed this machine later.

use core::{net::IpAddr, time::Duration};
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use crate::{
    Class, Effect, Fault,
    defences::{Defences, Safeguard},
    input::{Address, Candidate, Connection, Direction},
    machine::{Cx, Machine, Signal},
    network::Grouping,
    peer_map::PeerMap,
    time::Time,
    wire::{Frame, Hello, VERSION},
};

/// Peers whose addresses are kept; further ones are ignored.
const CANDIDATES_MAX: usize = 4096;
/// Addresses kept of one peer; the oldest goes first.
const ADDRESSES_MAX: usize = 8;
/// Dials under way at once.
const DIALS_MAX: usize = 8;
/// A dial that the shell has not answered by then has failed.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// A linked peer must have said hello by then.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// Second hellos that are answered in the life of one link.
const ANSWERS_MAX: u8 = 8;
/// Back-off after the first failure; doubles up to the maximum, with up to half of it as jitter.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// What a linked peer is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// We chose it: its vouches count.
    Witness,
    /// It came to us: it may relay, but not vouch.
    Inbound,
}

impl Role {
    /// `witness` or `inbound`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Inbound => "inbound",
        }
    }
}

/// A peer that this node chose, with the group in which it is one voter. Made by [`Links`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    peer: NodeId,
    group: Group,
}

impl Witness {
    /// Who.
    pub(crate) const fn peer(&self) -> NodeId {
        self.peer
    }

    /// Those in one group are one voter.
    pub(crate) const fn group(&self) -> Group {
        self.group
    }
}

/// Peers that count as one voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// A voter of its own.
    Peer(NodeId),
    /// One address, or the network part of one.
    Net(IpAddr),
    /// All peers whose address the transport does not tell.
    Unknown,
}

impl Group {
    fn of(peer: NodeId, remote: Option<IpAddr>, grouping: Grouping) -> Self {
        let remote = remote.map(|ip| ip.to_canonical());
        match (grouping, remote) {
            (Grouping::Peer, _) => Self::Peer(peer),
            (Grouping::Host | Grouping::Subnet, None) => Self::Unknown,
            (Grouping::Host, Some(ip)) => Self::Net(ip),
            (Grouping::Subnet, Some(IpAddr::V4(ip))) => {
                Self::Net(IpAddr::V4((ip.to_bits() & (!0 << 8)).into()))
            }
            (Grouping::Subnet, Some(IpAddr::V6(ip))) => {
                Self::Net(IpAddr::V6((ip.to_bits() & (!0 << 80)).into()))
            }
        }
    }
}

/// All links, and the peers that could become links.
#[derive(Debug)]
pub(crate) struct Links {
    config: Config,
    candidates: BTreeMap<NodeId, Prospect>,
    dialing: BTreeMap<NodeId, Time>,
    links: PeerMap<Link>,
    /// Computed after each change, because the core asks after every input.
    wake: Option<Time>,
}

/// What [`Links`] is told when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) me: NodeId,
    pub(crate) outbound_target: usize,
    pub(crate) grouping: Grouping,
    pub(crate) defences: Defences,
    pub(crate) hello: Hello,
}

#[derive(Debug, Default)]
struct Prospect {
    addresses: Vec<Address>,
    failures: u32,
    next_try: Time,
}

/// A connected peer.
#[derive(Debug)]
pub(crate) struct Link {
    /// Chosen by us, or come to us.
    pub(crate) role: Role,
    /// Since when.
    pub(crate) since: Time,
    /// What it said of itself; until then it does not take part.
    pub(crate) hello: Option<Hello>,
    group: Group,
    /// Hellos answered after the first.
    answers: u8,
}

/// What [`Links`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Peers may be reached there, but are not to be chosen before then.
    Known(Vec<(Candidate, Time)>),
    /// A link is up.
    Connected { peer: NodeId, connection: Connection },
    /// A link is gone.
    Disconnected { peer: NodeId },
    /// A dial came to nothing.
    DialFailed { peer: NodeId },
    /// A peer introduced itself.
    Greeted { from: NodeId, hello: Hello },
    /// A peer is banned until then, or for good: do not choose it.
    Banned { peer: NodeId, until: Option<Time> },
    /// A peer's ban is lifted.
    Pardoned { peer: NodeId },
}

impl Links {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            candidates: BTreeMap::new(),
            dialing: BTreeMap::new(),
            links: PeerMap::new(),
            wake: None,
        }
    }

    /// The link to a connected peer.
    pub(crate) fn get(&self, peer: &NodeId) -> Option<&Link> {
        self.links.get(peer)
    }

    /// All peers that have said hello.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (NodeId, &Link)> {
        self.links.iter().filter(|(_, link)| link.hello.is_some()).map(|(peer, link)| (*peer, link))
    }

    /// The peer as a witness, if it is one.
    pub(crate) fn witness(&self, peer: &NodeId) -> Option<Witness> {
        let anybody = !self.config.defences.has(Safeguard::Witnesses);
        let link = self.links.get(peer).filter(|link| anybody || link.role == Role::Witness)?;
        Some(Witness { peer: *peer, group: link.group })
    }

    /// Independent witnesses that have said hello.
    pub(crate) fn independent_witnesses(&self) -> usize {
        let witnesses = self.joined().filter(|(_, link)| link.role == Role::Witness);
        witnesses.map(|(_, link)| link.group).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// Links that this node wants to have chosen.
    pub(crate) const fn outbound_target(&self) -> usize {
        self.config.outbound_target
    }

    /// Peers whose addresses are known, and the most there may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.candidates.len(), CANDIDATES_MAX)
    }

    fn learn(&mut self, (Candidate { peer, address }, not_before): (Candidate, Time)) {
        let known = self.candidates.contains_key(&peer);
        if peer == self.config.me || (!known && self.candidates.len() >= CANDIDATES_MAX) {
            return;
        }
        let prospect = self.candidates.entry(peer).or_default();
        prospect.next_try = prospect.next_try.max(not_before);
        if !prospect.addresses.contains(&address) {
            if prospect.addresses.len() >= ADDRESSES_MAX {
                prospect.addresses.remove(0);
            }
            prospect.addresses.push(address);
        }
    }

    fn connect(&mut self, peer: NodeId, connection: Connection, cx: &mut Cx<'_>) {
        self.dialing.remove(&peer);
        if let Some(prospect) = self.candidates.get_mut(&peer) {
            prospect.failures = 0;
        }
        let role = match connection.direction {
            Direction::Outbound => Role::Witness,
            Direction::Inbound => Role::Inbound,
        };
        let group = Group::of(peer, connection.remote, self.config.grouping);
        self.links.insert(peer, Link { role, since: cx.now, hello: None, group, answers: 0 });
        self.say_hello(peer, cx);
    }

    fn disconnect(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        self.back_off(peer, cx);
        if link.hello.is_some() {
            cx.signals.push_back(Signal::Left { peer });
        }
    }

    fn back_off(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(prospect) = self.candidates.get_mut(&peer) else {
            return;
        };
        let doubled = BACKOFF.saturating_mul(1 << prospect.failures.min(16)).min(BACKOFF_MAX);
        let jitter = doubled.mul_f64(f64::from(cx.rng.next_u32()) / f64::from(u32::MAX) / 2.0);
        prospect.failures = prospect.failures.saturating_add(1);
        // A ban that has just ended the link lasts longer.
        prospect.next_try = prospect.next_try.max(cx.now + doubled + jitter);
    }

    fn avoid(&mut self, peer: NodeId, until: Option<Time>) {
        self.dialing.remove(&peer);
        match (self.candidates.get_mut(&peer), until) {
            (Some(prospect), Some(until)) => prospect.next_try = until,
            (Some(_), None) => drop(self.candidates.remove(&peer)),
            (None, _) => {}
        }
    }

    fn greet(&mut self, from: NodeId, hello: Hello, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&from) else { return };
        if hello.version != VERSION {
            return cx.fault(from, Fault::BadHello);
        }
        let role = link.role;
        match link.hello.replace(hello) {
            None => cx.signals.push_back(Signal::Joined { peer: from, role }),
            // It lost a connection that we still have, and now waits to be greeted again. Counted, since two
            // who both answer would never end.
            Some(_) if link.answers < ANSWERS_MAX => {
                link.answers += 1;
                self.say_hello(from, cx);
            }
            Some(_) => {}
        }
    }

    fn say_hello(&self, to: NodeId, cx: &mut Cx<'_>) {
        let frame = Frame::Hello(self.config.hello.clone()).encode();
        // Not behind the evidence, which is ignored until the hello is here.
        cx.order(Effect::Send { to, class: Class::Evidence, frame });
    }

    /// Chooses peers until there are as many as wanted.
    fn choose(&mut self, cx: &mut Cx<'_>) {
        while self.wants_more() {
            let mut eligible: Vec<NodeId> = self.eligible(cx.now).collect();
            if eligible.is_empty() {
                return;
            }
            let index = below(cx, eligible.len());
            let peer = eligible.swap_remove(index);
            match self.links.get_mut(&peer) {
                // It came to us before we chose it; from now on it is chosen.
                Some(link) => link.role = Role::Witness,
                None => self.dial(peer, cx),
            }
        }
    }

    fn wants_more(&self) -> bool {
        let chosen = self.links.values().filter(|link| link.role == Role::Witness).count();
        self.dialing.len() < DIALS_MAX && chosen + self.dialing.len() < self.config.outbound_target
    }

    /// Candidates that may be chosen now.
    fn eligible(&self, now: Time) -> impl Iterator<Item = NodeId> {
        let free = move |(peer, prospect): &(&NodeId, &Prospect)| {
            let chosen = self.links.get(peer).is_some_and(|link| link.role == Role::Witness);
            prospect.next_try <= now && !chosen && !self.dialing.contains_key(*peer)
        };
        self.candidates.iter().filter(free).map(|(peer, _)| *peer)
    }

    fn dial(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(prospect) = self.candidates.get(&peer) else {
            return;
        };
        let index = below(cx, prospect.addresses.len());
        let Some(address) = prospect.addresses.get(index).cloned() else {
            return;
        };
        self.dialing.insert(peer, cx.now + DIAL_TIMEOUT);
        cx.order(Effect::Dial { peer, address });
    }

    fn next_wake(&self) -> Option<Time> {
        let waiting = self.wants_more().then(|| {
            let idle = self.candidates.iter().filter(|(peer, _)| {
                let chosen = self.links.get(peer).is_some_and(|link| link.role == Role::Witness);
                !chosen && !self.dialing.contains_key(*peer)
            });
            idle.map(|(_, prospect)| prospect.next_try).min()
        });
        let hello = self.hello_deadlines().map(|(_, deadline)| deadline).min();
        let dial = self.dialing.values().min().copied();
        [waiting.flatten(), hello, dial].into_iter().flatten().min()
    }

    fn hello_deadlines(&self) -> impl Iterator<Item = (NodeId, Time)> {
        let silent = self.links.iter().filter(|(_, link)| link.hello.is_none());
        silent.map(|(peer, link)| (*peer, link.since + HELLO_TIMEOUT))
    }
}

/// A random number below `bound`; 0 if the bound is.
fn below(cx: &mut Cx<'_>, bound: usize) -> usize {
    // The bias of a remainder of 64 bits is beyond measure for the few thousand candidates there may be.
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(cx.rng.next_u64() % bound).unwrap_or(0)
}

impl Machine for Links {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Known(candidates) => candidates.into_iter().for_each(|known| self.learn(known)),
            Event::Connected { peer, connection } => self.connect(peer, connection, cx),
            Event::Disconnected { peer } => self.disconnect(peer, cx),
            Event::DialFailed { peer } => {
                if self.dialing.remove(&peer).is_some() {
                    self.back_off(peer, cx);
                }
            }
            // Nothing to choose, and cheap, since a peer may greet as often as its quota allows.
            Event::Greeted { from, hello } => return self.greet(from, hello, cx),
            Event::Banned { peer, until } => self.avoid(peer, until),
            Event::Pardoned { peer } => {
                if let Some(prospect) = self.candidates.get_mut(&peer) {
                    prospect.next_try = cx.now;
                }
            }
        }
        self.choose(cx);
        self.wake = self.next_wake();
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let late: Vec<_> =
            self.hello_deadlines().filter(|(_, deadline)| *deadline <= cx.now).collect();
        late.into_iter().for_each(|(peer, _)| cx.fault(peer, Fault::Silent));
        let now = cx.now;
        let stuck: Vec<_> = self.dialing.extract_if(.., |_, deadline| *deadline <= now).collect();
        stuck.into_iter().for_each(|(peer, _)| self.back_off(peer, cx));
        self.choose(cx);
        self.wake = self.next_wake();
    }
}
