//! Observers that lie: by accusing all whom they observe, or by accusing nobody.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Class, Drain, Effect, Event, Input, Network, Participant, Snapshot, Time, Timestamp,
    membership::{Accusation, signed::Signed},
    snapshot::MemberState,
    wire::Frame,
};

/// How often a liar accuses.
const EVERY: Duration = Duration::from_secs(3);
/// Peers that it tells at once.
const TOLD: usize = 6;

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Accuse,
    Silence,
}

/// A core whose owner lies.
pub(super) struct Schemer {
    inner: Box<dyn Participant>,
    scheme: Scheme,
    keypair: Keypair,
    network: Arc<Network>,
    peers: BTreeSet<NodeId>,
    wall: (Timestamp, Time),
    next: Time,
    effects: VecDeque<Effect>,
}

impl Schemer {
    pub(super) fn new(
        inner: Box<dyn Participant>,
        scheme: Scheme,
        keypair: Keypair,
        network: Arc<Network>,
    ) -> Self {
        let (peers, wall, next) = (BTreeSet::new(), Default::default(), Time::ZERO + EVERY);
        Self { inner, scheme, keypair, network, peers, wall, next, effects: VecDeque::new() }
    }

    fn accuse(&mut self, now: Time) {
        let time = self.wall.0.saturating_add(now.since(self.wall.1));
        let accuser = self.keypair.id();
        let accuse = |state: MemberState| {
            let subject = state.record.content();
            let (subject, epoch) = (subject.id, subject.epoch);
            let accusation = Accusation { accuser, subject, epoch, ring: state.observed_on?, time };
            Some(Signed::sign(accusation, &self.keypair, &self.network))
        };
        let accusations = self.inner.members().into_iter().filter_map(accuse).collect();
        let frame = Frame::Rumours { members: Vec::new(), accusations, asked: false }.encode();
        let class = Class::Members;
        let send = |to: &NodeId| Effect::Send { to: *to, class, frame: frame.clone() };
        self.effects.extend(self.peers.iter().take(TOLD).map(send));
    }

    /// Leaves accusations out of what is sent.
    fn hush(&self, effect: Effect) -> Effect {
        let Effect::Send { to, class: Class::Members, frame } = effect else { return effect };
        let decoded = Frame::decode(&frame, &self.network);
        let frame = if let Ok(Frame::Rumours { members, asked, .. }) = decoded {
            Frame::Rumours { members, accusations: Vec::new(), asked }.encode()
        } else {
            frame
        };
        Effect::Send { to, class: Class::Members, frame }
    }
}

impl Participant for Schemer {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        if let Input::WallClock(wall) = &input {
            self.wall = (*wall, now);
        }
        let effects: Vec<_> = self.inner.handle(now, input).collect();
        for effect in effects {
            if let Effect::Event(Event::LinkUp { peer, .. }) = &effect {
                self.peers.insert(*peer);
            } else if let Effect::Event(Event::LinkDown { peer }) = &effect {
                self.peers.remove(peer);
            }
            let effect = if self.scheme == Scheme::Silence { self.hush(effect) } else { effect };
            self.effects.push_back(effect);
        }
        if self.scheme == Scheme::Accuse && self.next <= now {
            self.next = now + EVERY;
            self.accuse(now);
        }
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        let own = (self.scheme == Scheme::Accuse).then_some(self.next);
        own.into_iter().chain(self.inner.deadline()).min()
    }

    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn members(&self) -> Vec<MemberState> {
        self.inner.members()
    }
}
