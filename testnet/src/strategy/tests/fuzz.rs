//! Whatever comes, a core does not panic and keeps its bounds.

use forsooth_protocol::{
    Config, Connection, Core, Defences, Direction, Effect, MessageId, Proof, Safeguard, ShortId,
    Slot, VouchKey, check_all,
    wire::{Announce, Hello, Intent},
};
use rand::RngExt as _;

use super::*;
use crate::strategy::mutate::mutate;

/// A core alone with its fuzzer.
struct Fuzzed {
    core: Core,
    rng: ChaCha8Rng,
    now: Time,
    /// Frames of every kind that it was sent or has sent.
    corpus: Vec<Bytes>,
    disconnected: Vec<NodeId>,
}

const PEERS: usize = 8;

impl Fuzzed {
    fn new(seed: u64, defences: Defences) -> Self {
        let field = Field { seed, ..Field::of(&FORGE) };
        let (network, topic) = field.network();
        let mut config = Config::new(Arc::clone(&network), 1);
        config.defences = defences;
        let core = Core::new(config, field.keypair(0), [7; 32]);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let corpus = seeds(&field, &network, topic);
        let mut fuzzed = Self { core, rng, now: Time::ZERO, corpus, disconnected: Vec::new() };
        fuzzed.tell(Input::WallClock(Timestamp::from_millis(WALL_MS)));
        fuzzed.tell(Input::Subscribe { topic, policy: None });
        (0..PEERS).for_each(|peer| fuzzed.connect(field.keypair(peer + 1).id()));
        fuzzed
    }

    fn connect(&mut self, peer: NodeId) {
        let direction = if self.rng.random() { Direction::Outbound } else { Direction::Inbound };
        self.tell(Input::Connected { peer, connection: Connection { direction, remote: None } });
        let frame = Frame::Hello(hello()).encode();
        self.tell(Input::Received { from: peer, lane: Lane::Control, frame });
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut checks = Vec::new();
            let effects: Vec<Effect> = self.core.handle(self.now, input).collect();
            for effect in effects {
                match effect {
                    Effect::Verify { ticket, check } => checks.push((ticket, check)),
                    Effect::Disconnect { peer, .. } => self.disconnected.push(peer),
                    Effect::Send { frame, .. } if self.corpus.len() < 500 => {
                        self.corpus.push(frame);
                    }
                    Effect::Send { .. }
                    | Effect::Dial { .. }
                    | Effect::Validate { .. }
                    | Effect::Deliver(_)
                    | Effect::Published { .. }
                    | Effect::Keep { .. }
                    | Effect::Load { .. }
                    | Effect::Store(_)
                    | Effect::Event(_) => {}
                }
            }
            if !checks.is_empty() {
                inputs.push_back(Input::Verdicts(check_all(checks, &mut self.rng)));
            }
        }
    }

    /// Something broken arrives, or time passes.
    fn step(&mut self, peers: &mut [NodeId]) {
        let pick = self.rng.random_range(0..peers.len());
        let from = peers[pick];
        let frame = self.corpus[self.rng.random_range(0..self.corpus.len())].clone();
        let frame = if self.rng.random_bool(0.9) { mutate(&frame, &mut self.rng) } else { frame };
        let lane = Lane::ALL[usize::from(self.rng.random_bool(0.5))];
        self.now = self.now + Duration::from_millis(self.rng.random_range(0..50));
        self.tell(Input::Received { from, lane, frame });
        if self.core.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.tell(Input::Tick);
        }
        // Whoever was sent away comes back under another name.
        while let Some(gone) = self.disconnected.pop() {
            self.tell(Input::Disconnected { peer: gone });
            let next = NodeId::from_bytes(self.rng.random());
            if let Some(peer) = peers.iter_mut().find(|peer| **peer == gone) {
                *peer = next;
                self.connect(next);
            }
        }
    }
}

const WALL_MS: u64 = 1_767_225_600_000;

/// A good frame of each kind.
fn seeds(field: &Field, network: &Network, topic: TopicId) -> Vec<Bytes> {
    let key = field.keypair(1);
    let say = |seq, word: &'static str| {
        let slot = Slot { author: key.id(), topic, generation: 1, seq };
        let (wall, life) = (Timestamp::from_millis(WALL_MS), Duration::from_secs(60));
        Publication::sign(slot, wall, life, Bytes::from_static(word.as_bytes()), &key, network)
    };
    let ids: Vec<_> =
        (0..5).map(|id| MessageId::from_bytes([id; 32])).chain([say(0, "a").id()]).collect();
    let proof = Proof::new(say(9, "a").signed().clone(), say(9, "b").signed().clone()).unwrap();
    let hello = hello();
    let names: Vec<_> = (0..5).map(|name| ShortId::from_bytes([name; 8])).collect();
    let mut frames: Vec<_> =
        (0..20).map(|seq| say(seq, "a good message").frame().clone()).collect();
    frames.extend(
        [
            Frame::Hello(hello),
            Frame::Vouch { topic, ids: ids.clone() },
            Frame::Announce(Announce { topic, id: ids[0], bytes: 60_000, sent: false }),
            Frame::Announce(Announce { topic, id: ids[1], bytes: 60_000, sent: true }),
            Frame::Graft { topic, ids },
            Frame::ShortVouch { names: names.clone() },
            Frame::Inquire { names: names.clone(), payloads: false },
            Frame::Ask { names: names.clone() },
            Frame::Unknown { names: names.clone() },
            Frame::Inquire { names, payloads: true },
            Frame::Prune { topic, author: None },
            Frame::Proof(proof),
        ]
        .iter()
        .map(Frame::encode),
    );
    frames
}

fn fuzz(seed: u64, defences: Defences, steps: usize) {
    let mut fuzzed = Fuzzed::new(seed, defences);
    let field = Field { seed, ..Field::of(&FORGE) };
    let mut peers: Vec<_> = (0..PEERS).map(|peer| field.keypair(peer + 1).id()).collect();
    for step in 0..steps {
        fuzzed.step(&mut peers);
        if step.is_multiple_of(100) {
            for bound in fuzzed.core.snapshot().bounds {
                assert!(bound.used <= bound.max, "seed {seed}, step {step}: {bound:?}");
            }
        }
    }
}

#[test]
fn damaged_frames_never_panic_a_core_nor_fill_it() {
    (0..8).for_each(|seed| fuzz(seed, Defences::ALL, 3000));
}

#[test]
fn not_even_when_nobody_is_ever_banned() {
    (10..14).for_each(|seed| {
        fuzz(seed, Defences::ALL.without(Safeguard::Bans).without(Safeguard::Quota), 6000);
    });
}

fn hello() -> Hello {
    let agent = "fuzzer".to_owned();
    let vouch_key = VouchKey::from_bytes([1; 16]);
    Hello { version: 1, generation: 1, agent, intent: Intent::Gossip, vouch_key }
}
