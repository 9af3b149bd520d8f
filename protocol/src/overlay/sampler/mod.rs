//! Whom this node samples: a view of the network that nobody else can steer.
//!
//! Basalt (Auvolat, Bromberg, Frey, Mvondo, Taiani: "BASALT: A Rock-Solid Byzantine-Tolerant Peer Sampling for
//! Very Large Decentralized Networks", Middleware 2023, algorithm 1). Each slot of the view keeps the
//! candidate that ranks lowest under the slot's secret, of all it was ever offered: to be offered a
//! thousand times is worth no more than once. Each round, whoever has been met least is asked for its
//! view, and the next is sent ours; every `r` rounds the `k` oldest slots hand out whom they
//! hold as samples, and begin anew. The sampler holds still while joining, until the view has
//! settled: what is known before is what the first contacts said.
//!
//! It counts rounds and knows no clock, no signature and no wire. Its caller offers only what is verified. All that
//! a peer can feed is `view` slots and a table that grows up to a size which they set.

mod seen;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use self::{
    seen::Seen,
    slots::{Offered, Slots},
};
use super::{
    place::Place,
    rank::{Candidate, Names},
    size::{CAPACITY_MIN, Rate, Size, VIEW_MIN},
};

/// The most rounds without reseeding after the start. A view of a thousand peers under attack settles in 30 on
/// average, one of ten thousand in 40. Bounded, since whoever trickles new names keeps a view from settling.
pub const JOINING: u32 = 160;
/// Over how many rounds it is seen whether a view has settled.
const CALM_ROUNDS: usize = 8;
/// It has when at most one slot in so many changed hands in these rounds.
const CALM_SHARE: usize = 64;
/// Who is offered in the first so many rounds is a first contact: kept in reserve, as far as there is room.
const FIRST_ROUNDS: u32 = 3;
/// Reseedings that are remembered one by one. Who was last ranked before them is ranked for all slots.
const LOG: u32 = 256;
/// Candidates whose lines in the table are fetched together, since they are anywhere in memory.
const AHEAD: usize = 16;
/// Rounds between looks at the size of the network.
const FIT_EVERY: u32 = 16;

/// What a sampler is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Who we are: never a candidate.
    pub me: NodeId,
    /// Slots of the view at the start: `v`. Recommended: 64.
    pub view: usize,
    /// How fast they are reseeded. Recommended: one every two rounds.
    pub rate: Rate,
    /// The most rounds without reseeding after the start. Recommended: [`JOINING`].
    pub joining: u32,
    /// Whether view and rate follow the size of the network.
    pub sizing: Sizing,
}

/// Whether view and rate follow the size of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizing {
    /// They stay as they are.
    Fixed,
    /// The view grows and shrinks with the network, and the rate falls where the view may not grow.
    Follow {
        /// The most slots.
        view_max: usize,
    },
}

/// A view of the network, and what is drawn from it.
#[derive(Debug)]
pub struct Sampler {
    config: Config,
    /// Names candidates in `seen` and in the slots.
    names: Names,
    slots: Slots,
    seen: Seen,
    size: Size,
    /// Who was known first, and then who was drawn last: as many as there are slots.
    reserve: VecDeque<Candidate>,
    /// How many reseedings there were; from 1, since 0 is never.
    clock: u32,
    /// Which slots were reseeded last, by the clock then.
    log: Vec<usize>,
    /// The slot to reseed next: the oldest.
    next: usize,
    /// The rate that the size of the network allows.
    rate: Rate,
    /// Slots that there are to be, however small the network is.
    least: usize,
    /// Rounds so far.
    age: u32,
    /// Rounds since the last reseeding by age.
    idle: u32,
    /// Slots that changed hands in this round.
    changed: usize,
    /// And in the rounds before, as long as it joins.
    unrest: VecDeque<usize>,
    joining: bool,
}

/// What to do in a round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Whom to ask for its view.
    pub pull: Option<NodeId>,
    /// Whom to send our view. Somebody else, unless nobody else is known.
    pub push: Option<NodeId>,
    /// Who was drawn: a uniform choice among places, as far as it was offered.
    pub samples: Vec<NodeId>,
}

impl Sampler {
    /// An empty view.
    #[must_use]
    pub fn new(config: Config, rng: &mut ChaCha8Rng) -> Self {
        let view = config.view.max(1);
        let mut sampler = Self {
            names: Names::draw(rng),
            slots: Slots::default(),
            seen: Seen::new(view),
            size: Size::default(),
            reserve: VecDeque::new(),
            clock: 1,
            log: vec![0; LOG as usize],
            next: 0,
            rate: config.rate,
            least: 0,
            age: 0,
            // So that not all nodes that start together draw together.
            idle: rng.next_u32() % config.rate.rounds,
            changed: 0,
            unrest: VecDeque::new(),
            joining: config.joining > 0,
            config,
        };
        (0..view).for_each(|_| sampler.slots.push(rng));
        sampler
    }

    /// Offers a candidate, whose record must have been verified, at the place where it says it is.
    pub fn offer(&mut self, peer: NodeId, place: Place) {
        self.offer_all(&[(peer, place)]);
    }

    /// Offers several candidates.
    pub fn offer_all(&mut self, list: &[(NodeId, Place)]) {
        for part in list.chunks(AHEAD) {
            let mut named = [const { None }; AHEAD];
            for (name, (peer, place)) in named.iter_mut().zip(part) {
                let candidate =
                    Candidate { peer: *peer, mark: self.names.mark(peer), place: *place };
                // Another place is another candidate here: it is ranked anew.
                let hash = self.names.mark_at(candidate.mark, place);
                self.seen.fetch(hash);
                *name = Some((candidate, hash));
            }
            for (candidate, hash) in named.iter().flatten() {
                if candidate.peer != self.config.me {
                    self.offer_one(candidate, *hash);
                }
            }
        }
    }

    fn offer_one(&mut self, candidate: &Candidate, hash: u64) {
        match self.seen.visit(hash, self.clock) {
            Some(known) if self.clock.saturating_sub(known.clock()) <= LOG => {
                self.offer_again(candidate, hash, known);
            }
            Some(_) | None => {
                // Later ones are whoever pushed.
                if self.age < FIRST_ROUNDS && self.reserve.len() < self.slots.len() {
                    self.keep(*candidate);
                }
                let all = 0..self.slots.len();
                let holds = all.filter(|at| self.offer_to(*at, candidate)).count() > 0;
                self.seen.hold(hash, holds);
            }
        }
    }

    /// Whether a candidate would hold a slot if it were offered now. Nothing changes, so it need not be verified.
    #[must_use]
    pub fn would_win(&self, peer: &NodeId, place: Place) -> bool {
        let candidate = Candidate { peer: *peer, mark: self.names.mark(peer), place };
        *peer != self.config.me
            && (0..self.slots.len()).any(|at| self.slots.would_win(at, &candidate))
    }

    /// Offers somebody that all slots know but those reseeded since.
    fn offer_again(&mut self, candidate: &Candidate, hash: u64, known: seen::Entry) {
        let mut holds = known.holds() && self.slots.meet(candidate.mark);
        for clock in known.clock()..self.clock {
            let Some(at) = self.log.get((clock % LOG) as usize).copied() else { continue };
            let held = self.slots.occupant(at).is_some_and(|(held, _)| held.mark == candidate.mark);
            holds |= held || self.offer_to(at, candidate);
        }
        if holds != known.holds() {
            self.seen.hold(hash, holds);
        }
    }

    /// Whether the candidate holds the slot afterwards.
    fn offer_to(&mut self, at: usize, candidate: &Candidate) -> bool {
        match self.slots.offer(at, candidate) {
            Offered::Refused => false,
            Offered::Met => true,
            Offered::Won => {
                self.changed = self.changed.saturating_add(1);
                true
            }
        }
    }

    /// A round has passed: draws samples if it is time, and chooses whom to exchange views with.
    pub fn round(&mut self, rng: &mut ChaCha8Rng) -> Round {
        self.age = self.age.saturating_add(1);
        let samples = if self.still_joining() { Vec::new() } else { self.draw(rng) };
        let pull = self.slots.choose(None, rng);
        let push = self.slots.choose(pull, rng).or(pull);
        Round { pull, push, samples }
    }

    fn still_joining(&mut self) -> bool {
        if self.joining {
            // An empty view is not calm: it knows nobody yet.
            if self.slots.occupants().next().is_some() {
                self.unrest.push_back(self.changed);
            }
            self.changed = 0;
            self.unrest.drain(..self.unrest.len().saturating_sub(CALM_ROUNDS));
            let calm = self.unrest.iter().sum::<usize>() <= self.slots.len() / CALM_SHARE;
            let settled = self.unrest.len() == CALM_ROUNDS && calm;
            self.joining = self.age <= self.config.joining && !settled;
        }
        self.joining
    }

    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Vec<NodeId> {
        if self.age.is_multiple_of(FIT_EVERY) {
            self.fit(rng);
        }
        self.idle = self.idle.saturating_add(1);
        if self.idle < self.rate.rounds.get() {
            return Vec::new();
        }
        self.idle = 0;
        let mut samples = Vec::new();
        for _ in 0..self.rate.replaced {
            let at = self.next % self.slots.len().max(1);
            self.next = at + 1;
            if let Some(held) = self.slots.occupant(at).copied() {
                samples.push(held.0.peer);
                self.size.learn(&held);
                self.keep(held.0);
            }
            self.reseed(at, None, rng);
        }
        samples
    }

    /// Keeps a candidate in reserve, once, where it was last.
    fn keep(&mut self, candidate: Candidate) {
        self.reserve.retain(|known| known.mark != candidate.mark);
        self.reserve.push_back(candidate);
        let surplus = self.reserve.len().saturating_sub(self.slots.len());
        self.reserve.drain(..surplus);
    }

    /// Begins a slot anew, from the view and the reserve, but for one peer.
    ///
    /// Basalt begins from the view alone, whose young slots have met few but those who push the most.
    /// Who was drawn is a fair choice already, so a slot begins closer to where it will end. And first contacts
    /// that lost all slots to a crowd of liars get another chance, since nobody else may know this node.
    fn reseed(&mut self, at: usize, but: Option<u64>, rng: &mut ChaCha8Rng) {
        let before = self.slots.reseed(at, rng).map(|(held, _)| held);
        self.log_reseeded(at);
        let others: Vec<Candidate> = self.slots.occupants().map(|(held, _)| *held).collect();
        let known = before.iter().chain(&others).chain(&self.reserve);
        for candidate in known.filter(|known| Some(known.mark) != but) {
            if self.slots.offer(at, candidate) == Offered::Won {
                let hash = self.names.mark_at(candidate.mark, &candidate.place);
                self.seen.hold(hash, true);
            }
        }
    }

    fn log_reseeded(&mut self, at: usize) {
        if let Some(entry) = self.log.get_mut((self.clock % LOG) as usize) {
            *entry = at;
        }
        self.clock = self.clock.saturating_add(1);
    }

    /// Forgets a peer, as one that is gone or banned. The caller must not offer it again.
    pub fn remove(&mut self, peer: &NodeId, rng: &mut ChaCha8Rng) {
        let mark = self.names.mark(peer);
        self.reserve.retain(|known| known.mark != mark);
        let held: Vec<usize> = self.slots.held_by(mark).collect();
        held.into_iter().for_each(|at| self.reseed(at, Some(mark), rng));
    }

    /// The view: each peer once for every slot that it holds.
    pub fn view(&self) -> impl Iterator<Item = (NodeId, Place)> {
        self.slots.occupants().map(|(held, _)| (held.peer, held.place))
    }

    /// How many slots the view has.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How fast slots are reseeded at present.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether it still holds still, so that nobody is drawn.
    #[must_use]
    pub const fn joining(&self) -> bool {
        self.joining
    }

    /// Peers in the network, oneself left out, as far as the ranks tell; 0 while the view is empty.
    #[must_use]
    pub fn peers(&self) -> u32 {
        // Until as many were drawn as there are slots, the view itself tells more.
        if usize::try_from(self.clock).is_ok_and(|clock| clock > self.slots.len()) {
            return self.size.peers();
        }
        let mut size = Size::default();
        self.slots.occupants().for_each(|held| size.learn(held));
        size.peers()
    }

    /// `C = 2 v^2 / (rho N)`: below [`CAPACITY_MIN`] the network is too large for the view.
    #[must_use]
    pub fn capacity(&self) -> f64 {
        self.rate.capacity(self.slots.len(), self.peers().max(1))
    }

    /// From now on there are to be so many slots at least, if the view may follow the size of the network, and no more than it
    /// may have. Whether there are more than before.
    pub fn widen(&mut self, least: usize, rng: &mut ChaCha8Rng) -> bool {
        let Sizing::Follow { view_max } = self.config.sizing else { return false };
        self.least = least.min(view_max);
        let is_wider = self.least > self.slots.len();
        if is_wider {
            self.grow(self.least, rng);
        }
        is_wider
    }

    /// Whether there are to be more slots than the network asks for.
    pub const fn is_widened(&self) -> bool {
        self.least > 0
    }

    /// Fits view and rate to the size of the network.
    fn fit(&mut self, rng: &mut ChaCha8Rng) {
        let Sizing::Follow { view_max } = self.config.sizing else { return };
        let peers = self.peers().max(1);
        let view = self.slots.len();
        let wanted = self.config.rate.view_for(peers).max(self.least);
        let wanted = wanted.clamp(VIEW_MIN.min(view_max), view_max.max(1));
        // Not for every breath of the estimate: each slot that comes or goes is a draw that an attacker sees.
        if wanted > view + view / 10 || (wanted == view_max && wanted > view) {
            self.grow(wanted, rng);
        } else if wanted < view - view / 4 {
            (wanted..view).for_each(|_| self.slots.pop());
        }
        let view = self.slots.len();
        let enough = self.config.rate.capacity(view, peers) >= f64::from(CAPACITY_MIN);
        self.rate = if enough { self.config.rate } else { self.config.rate.bearable(view, peers) };
    }

    fn grow(&mut self, view: usize, rng: &mut ChaCha8Rng) {
        for at in self.slots.len()..view {
            self.slots.push(rng);
            self.reseed(at, None, rng);
        }
        self.seen.make_room(view);
    }
}
