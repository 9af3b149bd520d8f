//! A small network under attack, in virtual time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use forsooth_crypto::{Digest, Keypair, NodeId};
use forsooth_protocol::{
    Config, Core, Defences, Fault, Input, Network, Participant, Time, TopicId,
    network::{self, Defence, Policy, Topic},
};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    clock::RunClock,
    gate::Gate,
    record::{Findings, Recorder, Roster, Seat},
    strategy::{Adversary, Brain, Brief, Intensity, Kind, Onset, Standing, Strategy, Wire},
    tap::Tap,
    world::{Conditions, Index, World},
};

/// When the attack begins.
const ONSET_S: u64 = 8;
/// How long the network has after the attack.
const SETTLE_S: u64 = 60;
/// A frame that is not finished by then is a fault, as in the transport.
const STALL_S: u64 = 20;

/// What happens on a field. The fields are for the tests to change.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) seed: u64,
    pub(super) honest: usize,
    pub(super) hostile: usize,
    pub(super) kind: &'static Kind,
    pub(super) intensity: f64,
    /// Seats of honest nodes that they are after.
    pub(super) targets: Vec<usize>,
    /// When how many messages are published after the attack begins, in seconds, and how far apart.
    pub(super) load: Vec<(f64, usize, f64)>,
    pub(super) payload_bytes: usize,
    pub(super) defences: Defences,
    /// Whose messages are published; any honest node's if `None`.
    pub(super) author: Option<usize>,
    pub(super) lifetime_s: u64,
}

/// How it ended.
pub(super) struct End {
    pub(super) findings: Findings,
    pub(super) trace: Digest,
    /// Collections that honest nodes had over their bounds.
    pub(super) over_bounds: Vec<String>,
}

/// Does nothing at all: the baseline of every kind.
struct Idle;

impl Strategy for Idle {}

pub(super) static IDLE: Kind = Kind {
    name: "idle",
    row: 0,
    sentence: "Is honest.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |_| Box::new(Idle),
};

impl Field {
    /// 24 honest nodes and 6 of a kind, 40 messages in 8 seconds.
    pub(super) fn of(kind: &'static Kind) -> Self {
        Self {
            seed: 1,
            honest: 24,
            hostile: 6,
            kind,
            intensity: 1.0,
            targets: Vec::new(),
            load: vec![(0.0, 40, 0.2)],
            payload_bytes: 256,
            defences: Defences::ALL,
            author: None,
            lifetime_s: 120,
        }
    }

    /// The same field with honest nodes instead of attackers.
    pub(super) fn baseline(&self) -> Self {
        Self { kind: &IDLE, ..self.clone() }
    }

    pub(super) fn keypair(&self, node: usize) -> Keypair {
        Keypair::from_seed(self.rng(1, node).random())
    }

    fn rng(&self, purpose: u64, node: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream((purpose << 32) | node as u64);
        rng
    }

    pub(super) fn network(&self) -> (Arc<Network>, TopicId) {
        let topic = Topic {
            rate_per_minute: 240,
            burst: 20,
            payload_bytes_max: u32::try_from(self.payload_bytes.max(1024)).unwrap(),
            lifetime_max: Duration::from_secs(self.lifetime_s),
            ..Topic::new("news", Policy::Vouched { k: 5, n: 8 })
        };
        let kind = network::Kind::Local;
        let network = Network::new("field", kind, vec![topic], Defence::recommended(kind)).unwrap();
        let (topic, _) = network.topics().next().unwrap();
        (Arc::new(network), topic)
    }

    fn nodes(&self) -> usize {
        self.honest + self.hostile
    }

    pub(super) fn run(&self) -> End {
        let stage = Stage::new(self);
        let conditions = Conditions::uniform(Duration::from_millis(10), Duration::from_millis(50));
        let mut world = World::new(self.seed, conditions);
        let nodes: Vec<Index> = (0..self.nodes())
            .map(|node| world.add(stage.ids[node], stage.participant(self, node)))
            .collect();
        self.introduce(&mut world, &nodes, stage.topic);
        let close = self.publish(&mut world, &nodes, stage.topic);
        let mut end = End {
            findings: Findings::default(),
            trace: world.trace_digest(),
            over_bounds: Vec::new(),
        };
        for second in 1..=close + SETTLE_S {
            world.run_until(Time::from_duration(Duration::from_secs(second)));
            if second == ONSET_S {
                stage.gate.open();
                self.wire(&mut world, &nodes, Some(0));
            } else if second == close {
                stage.gate.close();
                self.wire(&mut world, &nodes, None);
            }
            if second > ONSET_S && second <= close && (second - ONSET_S).is_multiple_of(STALL_S) {
                self.stall(&mut world, &nodes);
            }
            end.look(&world, &nodes[..self.honest]);
            if second > close + 10 && stage.recorder.findings().is_settled() {
                break;
            }
        }
        end.findings = stage.recorder.findings();
        end.trace = world.trace_digest();
        end
    }

    /// Everybody knows everybody, from some moment of the first second on.
    fn introduce(&self, world: &mut World, nodes: &[Index], topic: TopicId) {
        let everybody: Vec<_> = nodes.iter().map(|node| world.candidate(*node)).collect();
        let mut rng = self.rng(4, 0);
        for node in nodes {
            let at = Time::from_duration(Duration::from_millis(rng.random_range(0..1000)));
            world.tell(at, *node, Input::Subscribe { topic, policy: None });
            world.tell(at, *node, Input::Known(everybody.clone()));
        }
    }

    /// Schedules the load; returns the second in which the attack ends.
    fn publish(&self, world: &mut World, nodes: &[Index], topic: TopicId) -> u64 {
        let mut rng = self.rng(5, 0);
        let (mut request, mut last) = (0, Duration::ZERO);
        for (start, count, gap) in &self.load {
            for message in 0..*count {
                let nth = message as f64 + rng.random_range(0.0..0.9);
                let after = Duration::from_secs_f64(start + gap * nth);
                last = last.max(after);
                let mut payload = vec![0; self.payload_bytes];
                rng.fill_bytes(&mut payload);
                let payload = Bytes::from(payload);
                let by = self.author.unwrap_or(rng.random_range(0..self.honest));
                let publish = Input::Publish { request, topic, payload, lifetime: None };
                let at = Time::from_duration(Duration::from_secs(ONSET_S) + after);
                world.tell(at, nodes[by], publish);
                request += 1;
            }
        }
        ONSET_S + last.as_secs() + 2
    }
}

/// What all participants of a field share.
struct Stage {
    ids: Vec<NodeId>,
    network: Arc<Network>,
    topic: TopicId,
    recorder: Arc<Recorder>,
    gate: Gate,
    targets: Arc<[NodeId]>,
    brain: Arc<Mutex<Brain>>,
}

impl Stage {
    fn new(field: &Field) -> Self {
        let (network, topic) = field.network();
        let ids: Vec<NodeId> = (0..field.nodes()).map(|node| field.keypair(node).id()).collect();
        let (honest, hostile) = ids.split_at(field.honest);
        let roster =
            Roster::new(honest.iter().copied(), hostile.iter().map(|id| (*id, field.kind)));
        Self {
            recorder: Arc::new(Recorder::new(roster, Arc::clone(&network))),
            targets: field.targets.iter().map(|seat| ids[*seat]).collect(),
            gate: Gate::default(),
            brain: Arc::default(),
            ids,
            network,
            topic,
        }
    }

    fn participant(&self, field: &Field, node: usize) -> Box<dyn Participant> {
        let mut config = Config::new(Arc::clone(&self.network), 1);
        config.defences = field.defences;
        let core = Core::new(config, field.keypair(node), field.rng(2, node).random());
        let recorder = Arc::clone(&self.recorder);
        if node < field.honest {
            let seat = Seat(u32::try_from(node).unwrap());
            return Box::new(Tap::around(Box::new(core), seat, recorder, RunClock::Shared));
        }
        let brief = Brief {
            intensity: Intensity::new(field.intensity).unwrap(),
            targets: Arc::clone(&self.targets),
            brain: Some(Arc::clone(&self.brain)),
            seat: node - field.honest,
        };
        let standing = Standing {
            keypair: field.keypair(node),
            network: Arc::clone(&self.network),
            topic: self.topic,
            rng: field.rng(3, node),
            gate: self.gate.clone(),
            onset: field.kind.onset,
            targets: Arc::clone(&self.targets),
            recorder,
        };
        Box::new(Adversary::new(Box::new(core), (field.kind.build)(&brief), standing))
    }
}

impl Field {
    /// What engines do for strategies that do not read.
    fn wire(&self, world: &mut World, nodes: &[Index], bytes_per_second: Option<u64>) {
        if self.kind.wire == Wire::Deaf && self.intensity > 0.0 {
            for node in &nodes[self.honest..] {
                world.reads_slowly(*node, bytes_per_second);
            }
        }
    }

    /// What a transport notices of strategies that stop in the middle of a frame.
    fn stall(&self, world: &mut World, nodes: &[Index]) {
        if self.kind.wire != Wire::Stalls || self.intensity == 0.0 {
            return;
        }
        for victim in &nodes[..self.honest] {
            for link in world.snapshot(*victim).links {
                if (self.honest..self.nodes()).any(|node| self.keypair(node).id() == link.peer) {
                    let (peer, fault) = (link.peer, Fault::Stalled);
                    world.tell(world.now(), *victim, Input::Misbehaved { peer, fault });
                }
            }
        }
    }
}

impl End {
    fn look(&mut self, world: &World, honest: &[Index]) {
        for node in honest {
            for bound in world.snapshot(*node).bounds {
                if bound.used > bound.max {
                    self.over_bounds.push(format!("{bound:?}"));
                }
            }
        }
    }

    pub(super) fn hostile(&self) -> u64 {
        self.findings.hostile_actions()
    }

    pub(super) fn fault(&self, name: &str) -> u64 {
        self.findings.faults.get(name).copied().unwrap_or(0)
    }

    pub(super) fn upload(&self) -> u64 {
        self.findings.bytes_sent.values().sum()
    }

    pub(super) fn p99_ms(&self) -> u128 {
        self.findings.latency.p99.as_millis()
    }

    /// What every attack must leave intact, whatever its row says besides; for one that happened.
    #[track_caller]
    pub(super) fn assert_safe(&self) {
        let f = &self.findings;
        assert!(f.published > 0 && self.hostile() > 0, "no attack: {}", self.summary());
        assert_eq!(f.false_bans, 0, "{}", self.summary());
        assert_eq!(f.false_proofs, 0, "{}", self.summary());
        assert_eq!((f.forged_relayed, f.forged_delivered), (0, 0), "{}", self.summary());
        assert_eq!((f.expired_delivered, f.delivered_twice), (0, 0), "{}", self.summary());
        assert!(self.over_bounds.is_empty(), "{:?}", self.over_bounds);
    }

    /// As [`Self::assert_safe`], and every honest message was accepted everywhere.
    #[track_caller]
    pub(super) fn assert_held(&self) {
        self.assert_safe();
        assert_eq!(self.findings.accepted, self.findings.wanted, "{}", self.summary());
    }

    pub(super) fn summary(&self) -> String {
        let f = &self.findings;
        format!(
            "accepted {}/{}, p50 {:?} p99 {:?} max {:?}, hostile {:?}, bans {} (false {}), faults {:?}, false \
             blame {:?}, equivocations {} proofs {}/{}, upload {} {:?}, {:?}",
            f.accepted,
            f.wanted,
            f.latency.p50,
            f.latency.p99,
            f.latency.max,
            f.hostile,
            f.bans,
            f.false_bans,
            f.faults,
            f.false_blame,
            f.equivocations,
            f.proofs_held,
            f.proofs_wanted(),
            self.upload(),
            f.bytes_sent,
            f.violations,
        )
    }
}

/// As [`IDLE`], for the kinds that begin with their node.
pub(super) static IDLE_FROM_BIRTH: Kind = Kind { onset: Onset::Birth, ..IDLE };
