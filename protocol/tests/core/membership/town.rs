//! A few dozen whole cores in virtual time, which hear each other after 5 ms.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Address, Candidate, Config, Connection, Core, Direction, Effect, Event, Input, Lane, Network,
    Participant, Snapshot, Time, Timestamp, check_all,
    membership::{News, Preset, Settings},
    network::{Defence, Kind, Policy, Topic},
    wire::Frame,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::rig::START;

const LATENCY: Duration = Duration::from_millis(5);

/// What becomes of a frame between two nodes; not delivered if `false`.
pub(crate) type Filter = Box<dyn Fn(usize, usize, &Frame) -> bool>;

/// Some cores, by number.
pub(crate) struct Town {
    pub(crate) network: Arc<Network>,
    pub(crate) now: Time,
    pub(crate) cores: Vec<Option<Core>>,
    keys: Vec<Keypair>,
    /// When the core of a node began: its clock starts there.
    born: Vec<Time>,
    lives: Vec<u64>,
    links: BTreeSet<(usize, usize)>,
    queue: BTreeMap<(Time, u64), (usize, u64, Input)>,
    order: u64,
    /// What each node said of members, and when.
    pub(crate) news: Vec<(Time, usize, News)>,
    /// Faults that were held against whom, by whom.
    pub(crate) blamed: Vec<(usize, Option<NodeId>, forsooth_protocol::Fault)>,
    /// Bytes of frames that carry membership, by sender.
    pub(crate) bytes: Vec<usize>,
    pub(crate) filter: Filter,
    /// Nodes that are asleep, and until when: then they are told at once what they have missed.
    asleep: BTreeMap<usize, Time>,
    rng: ChaCha8Rng,
}

pub(crate) fn network(settings: Settings) -> Network {
    let topics = vec![Topic::new("open", Policy::Verified)];
    let network = Network::new("town", Kind::Local, topics, Defence::recommended(Kind::Local));
    network.unwrap().with_membership(Some(settings)).unwrap()
}

fn ip(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, u8::try_from(node + 1).unwrap())
}

impl Town {
    /// So many nodes, that know the first few.
    pub(crate) fn new(count: usize) -> Self {
        Self::with(count, Settings::preset(Preset::Lan))
    }

    /// The same, with other settings.
    pub(crate) fn with(count: usize, settings: Settings) -> Self {
        let mut town = Self {
            network: Arc::new(network(settings)),
            now: Time::ZERO,
            cores: Vec::new(),
            keys: Vec::new(),
            born: Vec::new(),
            lives: Vec::new(),
            links: BTreeSet::new(),
            queue: BTreeMap::new(),
            order: 0,
            news: Vec::new(),
            blamed: Vec::new(),
            bytes: vec![0; count],
            filter: Box::new(|_, _, _| true),
            asleep: BTreeMap::new(),
            rng: ChaCha8Rng::from_seed([5; 32]),
        };
        for node in 0..count {
            let mut seed = [9; 32];
            seed[..8].copy_from_slice(&(node as u64).to_le_bytes());
            town.keys.push(Keypair::from_seed(seed));
            town.cores.push(None);
            town.born.push(Time::ZERO);
            town.lives.push(0);
        }
        (0..count).for_each(|node| town.start(node));
        town
    }

    /// A town in which everybody knows everybody.
    pub(crate) fn settled(count: usize) -> Self {
        let mut town = Self::new(count);
        town.settle();
        town
    }

    /// Runs until everybody knows everybody.
    pub(crate) fn settle(&mut self) {
        self.run(60);
        let count = self.cores.len();
        for node in 0..count {
            assert_eq!(self.view(node).len(), count - 1, "of node {node}");
        }
    }

    pub(crate) fn start(&mut self, node: usize) {
        let generation = self.wall().as_secs();
        let config = Config { outbound_target: 6, ..Config::new(self.network.clone(), generation) };
        let mut seed = [1; 32];
        seed[..8].copy_from_slice(&(node as u64).to_le_bytes());
        seed[8..16].copy_from_slice(&self.lives[node].to_le_bytes());
        self.cores[node] = Some(Core::new(config, self.keys[node].clone(), seed));
        self.born[node] = self.now;
        self.lives[node] += 1;
        let known = (0..self.keys.len()).filter(|other| other % 8 == 0 && *other != node);
        let known = known.map(|other| self.candidate(other)).collect();
        let address = self.candidate(node).address;
        self.input(node, Input::WallClock(self.wall()));
        self.input(node, Input::Listening(vec![address]));
        self.input(node, Input::Known(known));
    }

    /// Stops a node for so long.
    pub(crate) fn pause(&mut self, node: usize, pause: Duration) {
        self.asleep.insert(node, self.now + pause);
    }

    /// Ends a node's process: its links are closed.
    pub(crate) fn kill(&mut self, node: usize) {
        self.cores[node] = None;
        self.lives[node] += 1;
        for (one, other) in self.links.clone() {
            if one == node || other == node {
                self.links.remove(&(one, other));
                let peer = self.id(node);
                let left = if one == node { other } else { one };
                self.later(left, Input::Disconnected { peer });
            }
        }
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.keys[node].id()
    }

    pub(crate) fn key(&self, node: usize) -> &Keypair {
        &self.keys[node]
    }

    pub(crate) fn number(&self, id: &NodeId) -> usize {
        (0..self.keys.len()).find(|node| self.id(*node) == *id).unwrap()
    }

    pub(crate) fn wall(&self) -> Timestamp {
        START.saturating_add(self.now.as_duration())
    }

    fn candidate(&self, node: usize) -> Candidate {
        let address = format!("/ip4/{}/tcp/8650", ip(node));
        Candidate { peer: self.id(node), address: Address::new(&address).unwrap() }
    }

    /// Whom a node holds for members.
    pub(crate) fn view(&self, node: usize) -> BTreeSet<usize> {
        let core = self.cores[node].as_ref().unwrap();
        core.members().iter().map(|it| self.number(&it.record.content().id)).collect()
    }

    pub(crate) fn snapshot(&self, node: usize) -> Snapshot {
        self.cores[node].as_ref().unwrap().snapshot()
    }

    pub(crate) fn up(&self) -> impl Iterator<Item = usize> {
        (0..self.keys.len()).filter(|node| self.cores[*node].is_some())
    }

    /// Who reported a death, of whom.
    pub(crate) fn deaths(&self) -> Vec<(usize, usize)> {
        let death = |(_, by, news): &(Time, usize, News)| match news {
            News::Died { certificate } => Some((*by, self.number(&certificate.subject))),
            _ => None,
        };
        self.news.iter().filter_map(death).collect()
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            let next = self.queue.first_key_value().map(|((at, _), _)| *at);
            let ticks = self.up().filter_map(|node| Some((self.deadline(node)?, node))).min();
            let now = [next, ticks.map(|(at, _)| at)].into_iter().flatten().min();
            let Some(now) = now.filter(|now| *now <= end) else { break };
            self.now = self.now.max(now);
            if next == Some(now) {
                let (_, (node, life, input)) = self.queue.pop_first().unwrap();
                if let Some(until) = self.asleep.get(&node).copied().filter(|until| *until > now) {
                    self.order += 1;
                    self.queue.insert((until, self.order), (node, life, input));
                } else if self.lives[node] == life {
                    self.input(node, input);
                }
            } else {
                self.input(ticks.unwrap().1, Input::Tick);
            }
        }
        self.now = end;
    }

    fn deadline(&self, node: usize) -> Option<Time> {
        let deadline = self.cores[node].as_ref()?.deadline()?;
        let until = self.asleep.get(&node).copied().unwrap_or(Time::ZERO);
        Some((self.born[node] + deadline.as_duration()).max(until))
    }

    fn later(&mut self, node: usize, input: Input) {
        self.order += 1;
        self.queue.insert((self.now + LATENCY, self.order), (node, self.lives[node], input));
    }

    /// Tells a node something at once.
    pub(crate) fn input(&mut self, node: usize, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let Some(core) = &mut self.cores[node] else { return };
            let own = Time::from_duration(self.now.since(self.born[node]));
            let effects: Vec<_> = core.handle(own, input).collect();
            let mut checks = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Verify { ticket, check } => checks.push((ticket, check)),
                    other => self.carry_out(node, other),
                }
            }
            if !checks.is_empty() {
                inputs.push(Input::Verdicts(check_all(checks, &mut self.rng)));
            }
        }
    }

    /// Has one node send something to another, linked or not.
    pub(crate) fn send(&mut self, from: usize, to: usize, frame: &Frame) {
        let input =
            Input::Received { from: self.id(from), lane: Lane::Control, frame: frame.encode() };
        self.input(to, input);
    }

    fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { to, class, frame } => {
                let other = self.number(&to);
                let decoded = Frame::decode(&frame, &self.network).unwrap();
                if class == forsooth_protocol::Class::Members {
                    self.bytes[node] += frame.len();
                }
                let linked = self.links.contains(&(node.min(other), node.max(other)));
                if linked && (self.filter)(node, other, &decoded) {
                    let from = self.id(node);
                    self.later(other, Input::Received { from, lane: class.lane(), frame });
                }
            }
            Effect::Dial { peer, .. } => {
                let other = self.number(&peer);
                let pair = (node.min(other), node.max(other));
                if self.links.contains(&pair) {
                    // The other's dial came first.
                } else if self.cores[other].is_none() {
                    self.later(node, Input::DialFailed { peer });
                } else {
                    self.links.insert(pair);
                    for (me, it, direction) in
                        [(other, node, Direction::Inbound), (node, other, Direction::Outbound)]
                    {
                        let remote = Some(ip(it).into());
                        let connection = Connection { direction, remote };
                        self.later(me, Input::Connected { peer: self.id(it), connection });
                    }
                }
            }
            Effect::Disconnect { peer, .. } => {
                let other = self.number(&peer);
                if self.links.remove(&(node.min(other), node.max(other))) {
                    let peer = self.id(node);
                    self.later(other, Input::Disconnected { peer });
                }
            }
            Effect::Event(Event::Membership(news)) => self.news.push((self.now, node, news)),
            Effect::Event(Event::Fault { blamed, fault, .. }) => {
                self.blamed.push((node, blamed, fault));
            }
            _ => {}
        }
    }
}
