//! One core among peers that the test plays: connects, speaks for them, and reads what the core ordered.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Accepted, Address, Ban, Candidate, Check, Config, Connection, Core, Direction, Effect, Event,
    Fault, Input, Lane, MessageId, Network, Participant, Publication, ShortId, Shortfall, Slot,
    Snapshot, Ticket, Time, Timestamp, TopicId, Validator, VouchKey, Whom, check_all,
    network::{Defence, Kind, Policy, Topic},
    wire::{Frame, Hello, Intent, VERSION},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What the wall clock shows when a rig starts.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const GENERATION: u64 = START.as_secs();

/// The key under which the core names messages to peers.
pub(crate) const KEY: VouchKey = VouchKey::from_bytes([3; 16]);

/// What a core wants to have checked.
pub(crate) type Checks = Vec<(Ticket, Check)>;

/// A core under test.
pub(crate) struct Rig {
    pub(crate) core: Core,
    pub(crate) network: Arc<Network>,
    pub(crate) now: Time,
    pub(crate) log: Vec<Effect>,
    /// The keys under which peers name messages to the core.
    keys: BTreeMap<NodeId, VouchKey>,
    /// What peers meant by the names that they told it.
    named: BTreeMap<(NodeId, ShortId), (TopicId, MessageId)>,
    rng: ChaCha8Rng,
    /// Peers that are asked whether they vouch do not answer; else they know nothing of it.
    pub(crate) silent: bool,
}

/// Where a peer that the test plays may be reached.
pub(crate) fn candidate(tag: u8) -> Candidate {
    let address = Address::new(&format!("/ip4/127.0.0.{tag}/tcp/8650")).unwrap();
    Candidate { peer: key(tag).id(), address }
}

/// A peer that the test plays.
pub(crate) fn key(tag: u8) -> Keypair {
    Keypair::from_seed([tag; 32])
}

/// A network with the topics `open` (verified) and `news` (vouched 2 of 3).
pub(crate) fn network() -> Network {
    network_with(Defence::recommended(Kind::Local))
}

pub(crate) fn network_with(defence: Defence) -> Network {
    network_of(Policy::Vouched { k: 2, n: 3 }, defence)
}

/// As [`network_with`], with another policy for `news`.
pub(crate) fn network_of(news: Policy, defence: Defence) -> Network {
    let news = Topic::new("news", news);
    let open = Topic::new("open", Policy::Verified);
    Network::new("rig", Kind::Local, vec![news, open], defence).unwrap()
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(network(), |_| {})
    }

    pub(crate) fn with(network: Network, adjust: impl FnOnce(&mut Config)) -> Self {
        let network = Arc::new(network);
        let mut config = Config::new(network.clone(), GENERATION);
        adjust(&mut config);
        let core = Core::new(config, key(200), [7; 32]);
        let rng = ChaCha8Rng::from_seed([9; 32]);
        let (keys, named) = (BTreeMap::new(), BTreeMap::new());
        let mut rig = Self {
            core,
            network,
            now: Time::ZERO,
            log: Vec::new(),
            keys,
            named,
            rng,
            silent: false,
        };
        rig.input(Input::WallClock(START));
        for topic in [rig.open(), rig.news()] {
            rig.input(Input::Subscribe { topic, policy: None });
        }
        rig
    }

    pub(crate) fn open(&self) -> TopicId {
        self.network.topic_id("open").unwrap()
    }

    pub(crate) fn news(&self) -> TopicId {
        self.network.topic_id("news").unwrap()
    }

    pub(crate) fn wall(&self) -> Timestamp {
        START.saturating_add(self.now.as_duration())
    }

    /// Feeds an input, carries out the checks that it leads to, and says for peers what they meant by names. Returns
    /// everything else ordered.
    pub(crate) fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut inputs = vec![input];
        let mut ordered = Vec::new();
        while let Some(input) = inputs.pop() {
            let mut checks = Vec::new();
            let effects: Vec<_> = self.core.handle(self.now, input).collect();
            for effect in effects {
                let answers = self.answer(&effect);
                match effect {
                    Effect::Verify { ticket, check } => checks.push((ticket, check)),
                    _ if !answers.is_empty() => inputs.extend(answers),
                    other => ordered.push(other),
                }
            }
            if !checks.is_empty() {
                inputs.push(Input::Verdicts(check_all(checks, &mut self.rng)));
            }
        }
        self.log.extend(ordered.iter().cloned());
        ordered
    }

    /// What a peer says to a hello or to a question about the names it told: its key is noted, and the answer is ready.
    fn answer(&mut self, effect: &Effect) -> Vec<Input> {
        let Effect::Send { to, frame, .. } = effect else { return Vec::new() };
        match Frame::decode(frame, &self.network) {
            Ok(Frame::Hello(hello)) => drop(self.keys.insert(*to, hello.vouch_key)),
            Ok(Frame::Inquire { names, payloads: false }) => {
                let meant = names.iter().filter_map(|name| self.named.get(&(*to, *name)));
                let frames =
                    meant.map(|(topic, id)| Frame::Vouch { topic: *topic, ids: vec![*id] });
                let received = |frame: Frame| Input::Received {
                    from: *to,
                    lane: Lane::Control,
                    frame: frame.encode(),
                };
                return frames.map(received).collect();
            }
            Ok(Frame::Ask { names }) if !self.silent => {
                let frame = Frame::Unknown { names }.encode();
                return vec![Input::Received { from: *to, lane: Lane::Control, frame }];
            }
            _ => {}
        }
        Vec::new()
    }

    /// A peer passes a message on, and what is to be checked of it waits for [`Self::verdicts`].
    pub(crate) fn relay_unchecked(&mut self, from: NodeId, message: &Publication) -> Checks {
        let frame = message.frame().clone();
        let ordered = self.core.handle(self.now, Input::Received { from, lane: Lane::Data, frame });
        let check = |effect| match effect {
            Effect::Verify { ticket, check } => Some((ticket, check)),
            _ => None,
        };
        ordered.filter_map(check).collect()
    }

    /// What waited is checked.
    pub(crate) fn verdicts(&mut self, checks: Checks) -> Vec<Effect> {
        let verdicts = check_all(checks, &mut self.rng);
        self.input(Input::Verdicts(verdicts))
    }

    /// Lets time pass, tick by tick as the core asks for it.
    pub(crate) fn wait(&mut self, duration: Duration) -> Vec<Effect> {
        let end = self.now + duration;
        let mut ordered = Vec::new();
        let mut ticks = 0;
        while let Some(deadline) = self.core.deadline().filter(|deadline| *deadline <= end) {
            ticks += 1;
            assert!(ticks < 100_000, "a deadline that does not move");
            self.now = self.now.max(deadline);
            ordered.extend(self.input(Input::Tick));
            assert!(self.core.deadline().is_none_or(|next| next > self.now), "ticked in vain");
        }
        self.now = end;
        ordered
    }

    /// Links a peer that we dialled: a witness.
    pub(crate) fn witness(&mut self, tag: u8) -> NodeId {
        self.link(tag, Direction::Outbound, Some([127, 0, 0, tag].into()))
    }

    /// Links a peer that dialled us.
    pub(crate) fn inbound(&mut self, tag: u8) -> NodeId {
        self.link(tag, Direction::Inbound, Some([127, 0, 0, tag].into()))
    }

    pub(crate) fn link(&mut self, tag: u8, direction: Direction, remote: Option<IpAddr>) -> NodeId {
        let peer = key(tag).id();
        if direction == Direction::Outbound {
            // Only who was reached is drawn for a witness, and only who is known is reached.
            self.input(Input::Known(vec![candidate(tag)]));
        }
        self.input(Input::Connected { peer, connection: Connection { direction, remote } });
        self.send(peer, &hello());
        peer
    }

    /// A peer sends a frame, on the lane that it belongs to.
    pub(crate) fn send(&mut self, from: NodeId, frame: &Frame) -> Vec<Effect> {
        let lane = frame.class().lane();
        self.send_bytes(from, lane, frame.encode())
    }

    /// A peer passes a message on.
    pub(crate) fn relay(&mut self, from: NodeId, message: &Publication) -> Vec<Effect> {
        self.send(from, &Frame::Publication(message.clone()))
    }

    pub(crate) fn send_bytes(&mut self, from: NodeId, lane: Lane, frame: Bytes) -> Vec<Effect> {
        self.input(Input::Received { from, lane, frame })
    }

    pub(crate) fn vouch(&mut self, from: NodeId, message: &Publication) -> Vec<Effect> {
        let (topic, id) = (message.header().slot.topic, message.id());
        let name = self.keys.get(&from).unwrap_or(&KEY).name(&id);
        self.named.insert((from, name), (topic, id));
        self.send(from, &Frame::ShortVouch { names: vec![name] })
    }

    /// A peer vouches for 1,024 messages that nobody has; others in each batch.
    pub(crate) fn invent(&mut self, from: NodeId, batch: u64) -> Vec<Effect> {
        let ids = (0u64..1024).map(|n| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&(batch * 1024 + n).to_be_bytes());
            MessageId::from_bytes(id)
        });
        let frame = Frame::Vouch { topic: self.open(), ids: ids.collect() };
        self.send(from, &frame)
    }

    /// A peer shows that it is there.
    pub(crate) fn speak(&mut self, from: NodeId) {
        let prune = Frame::Prune { topic: self.open(), author: Some(key(199).id()) };
        self.send(from, &prune);
    }

    /// A message of an author's, made now.
    pub(crate) fn message(
        &self,
        author: u8,
        topic: TopicId,
        seq: u64,
        payload: &str,
    ) -> Publication {
        let slot = Slot { author: key(author).id(), topic, generation: GENERATION, seq };
        self.sign(author, slot, self.wall(), Duration::from_secs(60), payload)
    }

    pub(crate) fn sign(
        &self,
        author: u8,
        slot: Slot,
        at: Timestamp,
        lifetime: Duration,
        payload: &str,
    ) -> Publication {
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        Publication::sign(slot, at, lifetime, payload, &key(author), &self.network)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    pub(crate) fn faults(&self) -> Vec<Fault> {
        let fault = |effect: &Effect| match effect {
            Effect::Event(Event::Fault { fault, .. }) => Some(*fault),
            _ => None,
        };
        self.log.iter().filter_map(fault).collect()
    }

    pub(crate) fn banned(&self) -> Vec<NodeId> {
        let peer = |ban: &Ban| match ban.whom {
            Whom::Peer(peer) => Some(peer),
            Whom::Net(_) => None,
        };
        self.snapshot().bans.iter().filter_map(peer).collect()
    }

    pub(crate) fn linked(&self, peer: &NodeId) -> bool {
        self.snapshot().links.iter().any(|link| link.peer == *peer)
    }
}

/// Of a peer that chose us.
pub(crate) fn hello() -> Frame {
    greeting(Intent::Witness)
}

pub(crate) fn greeting(intent: Intent) -> Frame {
    let agent = "test".into();
    Frame::Hello(Hello { version: VERSION, generation: 1, agent, intent, vouch_key: KEY })
}

pub(crate) fn delivered(effects: &[Effect]) -> Vec<Accepted> {
    let accepted = |effect: &Effect| match effect {
        Effect::Deliver(accepted) => Some(accepted.clone()),
        _ => None,
    };
    effects.iter().filter_map(accepted).collect()
}

/// Messages that were dropped unaccepted, by which policy, and why.
pub(crate) fn dropped(effects: &[Effect]) -> Vec<(MessageId, Policy, Shortfall)> {
    let dropped = |effect: &Effect| match effect {
        Effect::Event(Event::Unaccepted { id, policy, why, .. }) => Some((*id, *policy, *why)),
        _ => None,
    };
    effects.iter().filter_map(dropped).collect()
}

/// Accepted messages that turned out to be contested.
pub(crate) fn contested(effects: &[Effect]) -> Vec<MessageId> {
    let contested = |effect: &Effect| match effect {
        Effect::Event(Event::Contested { id, .. }) => Some(*id),
        _ => None,
    };
    effects.iter().filter_map(contested).collect()
}

/// Frames sent to a peer, decoded.
pub(crate) fn sent(rig: &Rig, effects: &[Effect], peer: NodeId) -> Vec<Frame> {
    let frame = |effect: &Effect| match effect {
        Effect::Send { to, class, frame } if *to == peer => {
            let decoded = Frame::decode(frame, &rig.network).expect("the core sends frames");
            assert_eq!(class.lane(), decoded.class().lane());
            Some(decoded)
        }
        _ => None,
    };
    effects.iter().filter_map(frame).collect()
}

/// What a peer is vouched to, by name.
pub(crate) fn vouched_to(rig: &Rig, effects: &[Effect], peer: NodeId) -> Vec<ShortId> {
    let names = |frame| match frame {
        Frame::ShortVouch { names } => names,
        _ => Vec::new(),
    };
    sent(rig, effects, peer).into_iter().flat_map(names).collect()
}

/// Messages that a peer is sent whole.
pub(crate) fn pushed_to(rig: &Rig, effects: &[Effect], peer: NodeId) -> Vec<MessageId> {
    let id = |frame| match frame {
        Frame::Publication(message) => Some(message.id()),
        _ => None,
    };
    sent(rig, effects, peer).into_iter().filter_map(id).collect()
}

/// Whether the validator of a core is the application.
pub(crate) fn asks_the_application(config: &mut Config) {
    config.validator = Validator::Application;
}
