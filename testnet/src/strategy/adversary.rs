//! An honest core with a strategy around it, as something that a shell can drive.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{
    Drain, Effect, Event, Input, Network, Participant, Snapshot, Time, TopicId,
};
use rand_chacha::ChaCha8Rng;

use super::{Cx, Onset, Strategy, whereabouts::Whereabouts};
use crate::{clock::WallClock, gate::Gate, record::Recorder};

/// How often an adversary looks whether the attack has begun.
const GLANCE: Duration = Duration::from_millis(50);

/// What an adversary is given besides its core.
pub struct Standing {
    /// Its own key.
    pub keypair: Keypair,
    /// The network under attack.
    pub network: Arc<Network>,
    /// The topic under attack.
    pub topic: TopicId,
    /// Its own randomness.
    pub rng: ChaCha8Rng,
    /// When the attack is on.
    pub gate: Gate,
    /// Whether it waits for that.
    pub onset: Onset,
    /// Whom it is after; everybody honest if empty.
    pub targets: Arc<[NodeId]>,
    /// Where hostile frames are known, so that their arrival can be counted.
    pub recorder: Arc<Recorder>,
}

/// A [`Participant`] that lies: the same one in the simulator and in real nodes.
pub struct Adversary {
    core: Box<dyn Participant>,
    strategy: Box<dyn Strategy>,
    standing: Standing,
    /// The generation that its core publishes with.
    generation: u64,
    wall: WallClock,
    peers: BTreeSet<NodeId>,
    whereabouts: Whereabouts,
    wake: Wake,
    /// Whether the attack has been on.
    begun: bool,
    facts: VecDeque<Input>,
    orders: VecDeque<Effect>,
}

/// When the strategy acts next.
#[derive(Clone, Copy)]
enum Wake {
    /// The attack has not begun: look again then.
    Glance(Time),
    /// It wants to act then.
    At(Time),
    /// It only reacts from now on.
    Never,
}

impl Adversary {
    /// Puts `strategy` around `core`, which is honest.
    #[must_use]
    pub fn new(
        core: Box<dyn Participant>,
        strategy: Box<dyn Strategy>,
        standing: Standing,
    ) -> Self {
        Self {
            generation: core.snapshot().generation,
            core,
            strategy,
            standing,
            wall: WallClock::default(),
            peers: BTreeSet::new(),
            whereabouts: Whereabouts::default(),
            wake: Wake::Glance(Time::ZERO),
            begun: false,
            facts: VecDeque::new(),
            orders: VecDeque::new(),
        }
    }

    /// Whether the strategy is asked.
    fn is_on(&mut self) -> bool {
        let open = self.standing.gate.is_open();
        self.begun |= open;
        match self.standing.onset {
            Onset::Attack => open,
            Onset::Birth => open || !self.begun,
        }
    }

    /// Lets the strategy do something.
    fn scheme<T>(
        &mut self,
        now: Time,
        what: impl FnOnce(&mut dyn Strategy, &mut Cx<'_>) -> T,
    ) -> T {
        let Standing { keypair, network, topic, rng, recorder, targets, .. } = &mut self.standing;
        let mut cx = Cx {
            now,
            wall: self.wall.read(now),
            generation: self.generation,
            keypair,
            network,
            topic: *topic,
            peers: &self.peers,
            core: &*self.core,
            whereabouts: &self.whereabouts,
            rng,
            targets,
            recorder,
            orders: &mut self.orders,
            facts: &mut self.facts,
        };
        what(&mut *self.strategy, &mut cx)
    }

    fn act_if_due(&mut self, now: Time) {
        let due = match self.wake {
            Wake::Glance(at) | Wake::At(at) => at <= now,
            Wake::Never => false,
        };
        if due && self.is_on() {
            self.wake =
                self.scheme(now, |strategy, cx| strategy.act(cx)).map_or(Wake::Never, Wake::At);
        } else if due {
            self.wake = Wake::Glance(now + GLANCE);
        }
    }

    /// Lets the core react, and the strategy to what the core orders.
    fn feed(&mut self, now: Time, input: Input) {
        let effects: Vec<Effect> = self.core.handle(now, input).collect();
        for effect in effects {
            self.note_links(&effect);
            let done = if self.is_on() {
                self.scheme(now, |strategy, cx| strategy.on_effect(effect, cx))
            } else {
                Some(effect)
            };
            self.orders.extend(done);
        }
    }

    fn note_links(&mut self, effect: &Effect) {
        if let Effect::Event(Event::LinkUp { peer, .. }) = effect {
            self.peers.insert(*peer);
        } else if let Effect::Event(Event::LinkDown { peer }) = effect {
            self.peers.remove(peer);
        }
    }
}

impl Participant for Adversary {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.wall.observe(now, &input);
        self.whereabouts.observe(&input);
        let heard = if self.is_on() {
            self.scheme(now, |strategy, cx| strategy.on_input(input, cx))
        } else {
            Some(input)
        };
        if let Some(input) = heard {
            self.feed(now, input);
        }
        self.act_if_due(now);
        while let Some(input) = self.facts.pop_front() {
            self.feed(now, input);
        }
        Drain::new(&mut self.orders)
    }

    fn deadline(&self) -> Option<Time> {
        let own = match self.wake {
            Wake::Glance(at) | Wake::At(at) => Some(at),
            Wake::Never => None,
        };
        [own, self.core.deadline()].into_iter().flatten().min()
    }

    fn snapshot(&self) -> Snapshot {
        self.core.snapshot()
    }

    fn members(&self) -> Vec<MemberState> {
        self.core.members()
    }
}
