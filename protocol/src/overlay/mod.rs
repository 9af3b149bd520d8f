//! The overlay: whom a node knows, whom it samples, and whom it draws for its links.
//!
//! Each round, one member of the [view](sampler) is asked for its view and one is sent ours, over a link if
//! there is one and else in a short *visit*. What is told of is a [record], whose signature is checked if it
//! would win a place in the view or is news for the [book]; and nobody enters the view before it was found
//! where its record says: by a dial of ours, or because it came from there. So a liar pays for a place with an address
//! that it has.
//!
//! Links are drawn from the sampler alone: what it handed out, else a random slot of the view, else, while the
//! network is smaller than the view, any member. Nobody comes to be drawn by asking. This machine draws and
//! counts; it does not know how links are made, nor what they carry.

pub mod asn;
pub mod book;
mod directory;
mod draw;
mod exchange;
mod memory;
pub mod place;
pub(crate) mod rank;
pub mod record;
mod round;
pub mod sampler;
pub mod size;
mod status;
mod talk;
#[cfg(test)]
mod tests;
mod trials;
pub mod work;

use core::{net::IpAddr, num::NonZeroU32, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use forsooth_crypto::{NodeId, Verified};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

pub(crate) use self::draw::Target;
use self::{
    asn::AsnMap,
    book::Book,
    directory::{Directory, ip_of},
    exchange::Exchange,
    memory::STORE_EVERY,
    place::Place,
    record::SignedRecord,
    sampler::{JOINING, Round, Sampler, Sizing},
    size::{CAPACITY_MIN, Rate},
    trials::Trials,
};
use crate::{
    Class, Effect, Fault,
    defences::{Defences, Safeguard},
    group::Group,
    input::{Address, Candidate, Direction},
    machine::{Cx, Machine, Signal, below},
    network::{Kind, Network},
    snapshot::{self, Bound},
    time::{Time, millis},
    wire::{Frame, RECORDS_MAX},
};

/// Slots of the view at the start; it follows the size of the network, up to the second.
const VIEW: usize = 64;
const VIEW_MAX: usize = 256;
/// Slots for each link, while more are drawn than usual: some slots hold whom others hold, and most are to be left over.
const SLOTS_PER_LINK: usize = 2;
/// One slot every two rounds.
const RATE: Rate = Rate { replaced: 1, rounds: NonZeroU32::new(2).expect("two is not zero") };
/// Rounds are this far apart while the view settles, and then. Two lists of a hundred records are some 30 KB.
const ROUND: Duration = Duration::from_secs(10);
const CALM_ROUND: Duration = Duration::from_secs(30);
/// The first rounds are this far apart, and then twice as far each time.
const FIRST_ROUND: Duration = Duration::from_secs(1);
/// How often somebody of the book is dialled only to see whether it is there.
const FEELER_EVERY: Duration = Duration::from_secs(120);
/// A member that did not answer is asked once more after this, and dropped if it does not then. If others answer.
const DOUBT: Duration = Duration::from_secs(60);
/// Peers that wait to be visited.
const VISITS_MAX: usize = 64;
/// Peers that the operator wants, whatever the sampler says.
const KEPT_MAX: usize = 64;

/// Whom this node knows and draws.
#[derive(Debug)]
pub(crate) struct Overlay {
    config: Config,
    sampler: Sampler,
    book: Book,
    directory: Directory,
    exchange: Exchange,
    trials: Trials,
    /// What the sampler handed out, the oldest first.
    samples: VecDeque<NodeId>,
    /// Whom the operator wants.
    kept: BTreeMap<NodeId, Address>,
    /// Peers that are connected and have said hello.
    met: BTreeMap<NodeId, Option<IpAddr>>,
    /// What is to be done as soon as a peer is met.
    errands: BTreeMap<NodeId, Errand>,
    /// Whom to visit for it, in this order.
    visits: VecDeque<NodeId>,
    /// Members that did not answer lately, and since when.
    doubtful: BTreeMap<NodeId, Time>,
    /// When anybody last answered us.
    reached_at: Option<Time>,
    /// Contacts that nobody has tried yet.
    fresh: Vec<NodeId>,
    /// Anchors of an earlier life that are not links again yet.
    anchors: Vec<NodeId>,
    /// All anchors of an earlier life.
    trusted: BTreeSet<NodeId>,
    /// Where this node may be reached.
    listening: Vec<Address>,
    /// What it says of itself.
    own: Option<Verified<SignedRecord>>,
    /// Records of those who are dialled to see whether they tell the truth.
    tried: BTreeMap<NodeId, Verified<SignedRecord>>,
    round_at: Time,
    interval: Duration,
    rounds: u64,
    feeler_at: Time,
    rotate_at: Time,
    /// When the view had settled; whoever was drawn before was drawn from what the first contacts said.
    settled_at: Option<Time>,
    store_at: Time,
    restless: bool,
}

/// What [`Overlay`] is told when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) me: NodeId,
    pub(crate) network: Arc<Network>,
    /// Who runs which network.
    pub(crate) asns: Arc<AsnMap>,
    pub(crate) defences: Defences,
}

/// What a peer is visited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Errand {
    pull: bool,
    push: bool,
}

/// What [`Overlay`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Peers may be reached there.
    Known(Vec<Candidate>),
    /// The operator wants these as peers.
    Keep(Vec<Candidate>),
    /// This node may be reached there.
    Listening(Vec<Address>),
    /// This node's own record, signed anew.
    Own(Verified<SignedRecord>),
    /// A peer has said hello.
    Met { peer: NodeId, direction: Direction, remote: Option<IpAddr> },
    /// A peer is gone.
    Gone { peer: NodeId, direction: Direction, remote: Option<IpAddr> },
    /// A dial has not found a peer.
    Unreached { peer: NodeId },
    /// A peer asks for records.
    Pulled { from: NodeId, group: Group },
    /// A peer answers.
    Answered { from: NodeId, records: Vec<SignedRecord> },
    /// A peer tells unasked.
    Pushed { from: NodeId, group: Group, records: Vec<SignedRecord> },
    /// A record is its peer's.
    Verified { record: Verified<SignedRecord>, from: NodeId, group: Group, remote: Option<IpAddr> },
    /// What the book knew of a peer in an earlier life.
    Stored { peer: NodeId, entry: Bytes },
    /// The book's key of an earlier life.
    BookKey(u64),
    /// Anchors of an earlier life.
    Anchors(Vec<NodeId>),
    /// A peer is banned, for good or not.
    Banned { peer: NodeId, for_good: bool },
    /// A peer's ban is lifted.
    Pardoned,
}

impl Overlay {
    pub(crate) fn new(config: Config, rng: &mut ChaCha8Rng) -> Self {
        let Config { me, network, asns, defences: _ } = &config;
        let sampler = sampler::Config {
            me: *me,
            view: VIEW,
            rate: RATE,
            joining: JOINING,
            sizing: Sizing::Follow { view_max: VIEW_MAX },
        };
        let book = book::Config {
            me: *me,
            kind: network.kind(),
            grouping: network.defence().grouping,
            key: rng.next_u64(),
            asns: Arc::clone(asns),
        };
        Self {
            sampler: Sampler::new(sampler, rng),
            book: Book::new(book),
            directory: Directory::default(),
            exchange: Exchange::new(),
            trials: Trials::new(),
            samples: VecDeque::new(),
            kept: BTreeMap::new(),
            met: BTreeMap::new(),
            errands: BTreeMap::new(),
            visits: VecDeque::new(),
            doubtful: BTreeMap::new(),
            reached_at: None,
            fresh: Vec::new(),
            anchors: Vec::new(),
            trusted: BTreeSet::new(),
            listening: Vec::new(),
            own: None,
            tried: BTreeMap::new(),
            round_at: Time::ZERO + FIRST_ROUND,
            interval: FIRST_ROUND,
            rounds: 0,
            feeler_at: Time::ZERO + FEELER_EVERY,
            rotate_at: Time::ZERO,
            settled_at: None,
            store_at: Time::ZERO + STORE_EVERY,
            restless: true,
            config,
        }
    }

    /// Whether whom to reach is to be looked at again, since the last time that this was asked.
    pub(crate) const fn take_restless(&mut self) -> bool {
        core::mem::replace(&mut self.restless, false)
    }

    /// Whom else this node may dial for its own reasons, where it says that it is.
    pub(crate) fn endpoint(
        &self,
        peer: NodeId,
        addresses: &[Address],
        rng: &mut ChaCha8Rng,
    ) -> Option<Target> {
        let usable: Vec<_> =
            addresses.iter().filter(|address| !self.book.is_own(address)).collect();
        let address = (*usable.get(below(rng, usable.len()))?).clone();
        let group = Group::of(peer, ip_of(&address), self.config.network.defence().grouping);
        Some(Target { peer, address, group })
    }

    /// Whether a peer is in the view.
    pub(crate) fn views(&self, peer: &NodeId) -> bool {
        self.sampler.view().any(|(other, _)| other == *peer)
    }

    /// Where this node may be reached.
    pub(crate) fn listening(&self) -> &[Address] {
        &self.listening
    }

    /// The place of an address, in its autonomous system if that is known.
    fn place(&self, ip: Option<IpAddr>) -> Place {
        Place::of(ip, ip.and_then(|ip| self.config.asns.lookup(ip)))
    }

    /// Where a record says that its peer is, first of all.
    fn place_said(&self, record: &SignedRecord) -> Place {
        self.place(record.record().addresses.first().and_then(ip_of))
    }

    fn know(&mut self, candidates: Vec<Candidate>, cx: &mut Cx<'_>) {
        let me = self.config.me;
        for candidate in candidates.into_iter().filter(|one| one.peer != me) {
            let peer = candidate.peer;
            let is_new = self.directory.know(candidate);
            if let Some(remote) = self.met.get(&peer).copied() {
                self.recognise(peer, remote, cx);
            } else if is_new {
                self.fresh.push(peer);
            }
        }
    }

    /// Somebody who came to us is where the operator says that it is: as good as a dial.
    fn recognise(&mut self, peer: NodeId, remote: Option<IpAddr>, cx: &mut Cx<'_>) {
        let place = self.place(remote);
        let mut said = self.directory.contact(&peer).into_iter().flatten();
        if said.any(|address| ip_of(address) == place.ip()) {
            self.found(peer, place);
            self.book.tried(&peer, remote, cx.wall);
        }
    }

    fn keep(&mut self, candidates: Vec<Candidate>, cx: &mut Cx<'_>) {
        for Candidate { peer, address } in &candidates {
            if *peer != self.config.me && self.kept.len() < KEPT_MAX {
                self.kept.entry(*peer).or_insert_with(|| address.clone());
            }
        }
        self.know(candidates, cx);
    }

    fn listen(&mut self, addresses: Vec<Address>, cx: &mut Cx<'_>) {
        self.book.set_own(&addresses);
        let kind = self.config.network.kind();
        let endpoint = |address: &Address| book::Endpoint::parse(address).ok();
        let usable = |address: &Address| endpoint(address).is_some_and(|it| it.check(kind).is_ok());
        let mut usable: Vec<_> = addresses.into_iter().filter(usable).collect();
        let mut known = BTreeSet::new();
        usable.retain(|address| known.insert(address.clone()));
        // Others see the first as the place where we are.
        usable.sort_by_key(|address| endpoint(address).is_none_or(|it| it.ip.is_loopback()));
        if usable != self.listening {
            if usable.is_empty() {
                self.own = None;
            }
            self.listening = usable;
            cx.signals.push_back(Signal::Announce);
        }
    }

    /// A peer has said hello.
    fn meet(
        &mut self,
        peer: NodeId,
        remote: Option<IpAddr>,
        direction: Direction,
        cx: &mut Cx<'_>,
    ) {
        self.met.insert(peer, remote);
        let mut errand = self.errands.remove(&peer).unwrap_or_default();
        match direction {
            Direction::Outbound => {
                // Whoever is reached at first, is asked, whatever it was dialled for: it may be the only one that we know.
                errand.pull |= self.settled_at.is_none();
                self.reached_at = Some(cx.now);
                self.found(peer, self.place(remote));
                self.book.tried(&peer, remote, cx.wall);
            }
            Direction::Inbound => self.recognise(peer, remote, cx),
        }
        // Both sides, since either may come to draw the other, and a member without a record is told to nobody.
        if !errand.push {
            self.introduce(peer, cx);
        }
        self.run(peer, errand, cx);
    }

    /// A dial of ours, or what is as good, has found a peer there.
    fn found(&mut self, peer: NodeId, place: Place) {
        let contact = self.directory.contact(&peer).into_iter().flatten();
        let address = contact.rev().find(|address| ip_of(address) == place.ip()).cloned();
        self.directory.found(peer, place, address);
        if let Some(record) = self.tried.remove(&peer) {
            self.directory.sign(&record);
        }
        self.offer(peer, place);
        self.doubtful.remove(&peer);
    }

    fn part(
        &mut self,
        peer: NodeId,
        direction: Direction,
        remote: Option<IpAddr>,
        cx: &mut Cx<'_>,
    ) {
        self.exchange.part(&peer);
        // It may have left before it said hello: then it was not met for what it was to be met for.
        self.errands.remove(&peer);
        self.tried.remove(&peer);
        if self.met.remove(&peer).is_none() {
            return;
        }
        if direction == Direction::Outbound {
            self.book.tried(&peer, remote, cx.wall);
        }
        if self.met.is_empty() {
            self.hurry(cx.now);
        }
    }

    /// This node looks for others as it did at its start.
    fn hurry(&mut self, now: Time) {
        self.interval = FIRST_ROUND;
        self.round_at = self.round_at.min(now + FIRST_ROUND);
    }

    /// Whether others are looked for without pause: the view has yet to settle, or is to hold more than usual.
    fn is_searching(&self) -> bool {
        self.settled_at.is_none() || self.sampler.is_widened()
    }

    /// More links are drawn than usual, or no more, if `links` is 0. The view gets room for them, and is filled without delay: what
    /// it holds may be drawn already.
    pub(crate) fn relieve(&mut self, links: usize, cx: &mut Cx<'_>) {
        if self.sampler.widen(links.saturating_mul(SLOTS_PER_LINK), cx.rng) {
            self.hurry(cx.now);
        }
    }

    /// A dial has come to nothing.
    fn miss(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.errands.remove(&peer);
        self.tried.remove(&peer);
        self.book.failed(&peer, cx.wall);
        if self.met.contains_key(&peer) || self.directory.member(&peer).is_none() {
            return;
        }
        // Whoever reaches nobody at all has itself to doubt: a short outage must not empty the view.
        let since = *self.doubtful.entry(peer).or_insert(cx.now);
        if cx.now.since(since) >= DOUBT && self.reached_at > Some(since) {
            self.drop(&peer, cx.rng);
        }
    }

    /// A peer is not where it was found, or not welcome any more.
    fn drop(&mut self, peer: &NodeId, rng: &mut ChaCha8Rng) {
        self.directory.lose(peer);
        self.doubtful.remove(peer);
        self.samples.retain(|sample| sample != peer);
        self.sampler.remove(peer, rng);
    }

    fn ban(&mut self, peer: NodeId, for_good: bool, cx: &mut Cx<'_>) {
        self.drop(&peer, cx.rng);
        self.errands.remove(&peer);
        self.tried.remove(&peer);
        if for_good {
            self.directory.forget(&peer);
            self.book.forget(&peer);
            self.kept.remove(&peer);
        }
    }

    /// Whether a peer owes an answer.
    pub(crate) fn waits_for(&self, peer: &NodeId) -> bool {
        self.exchange.waits_for(peer)
    }

    /// Has something done over a link, or over a visit.
    fn send_on(&mut self, peer: NodeId, errand: Errand, cx: &mut Cx<'_>) {
        if self.met.contains_key(&peer) {
            return self.run(peer, errand, cx);
        }
        if self.visits.len() < VISITS_MAX {
            let pending = self.errands.entry(peer).or_default();
            *pending =
                Errand { pull: pending.pull | errand.pull, push: pending.push | errand.push };
            self.visits.push_back(peer);
        }
    }
}

impl Machine for Overlay {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Known(candidates) => self.know(candidates, cx),
            Event::Keep(candidates) => self.keep(candidates, cx),
            Event::Listening(addresses) => self.listen(addresses, cx),
            Event::Own(record) => self.own = Some(record),
            Event::Met { peer, direction, remote } => self.meet(peer, remote, direction, cx),
            Event::Gone { peer, direction, remote } => self.part(peer, direction, remote, cx),
            Event::Unreached { peer } => self.miss(peer, cx),
            // Nobody new to reach.
            Event::Pulled { from, group } => return self.pulled(from, group, cx),
            Event::Answered { from, records } => self.answered(from, records, cx),
            Event::Pushed { from, group, records } => self.pushed(from, group, records, cx),
            Event::Verified { record, from, group, remote } => {
                self.verified(record, from, group, remote, cx);
            }
            Event::Stored { peer, entry } => drop(self.restore(peer, entry)),
            Event::BookKey(key) => self.book.restore_key(key),
            Event::Anchors(peers) => self.restore_anchors(peers),
            Event::Banned { peer, for_good } => self.ban(peer, for_good, cx),
            Event::Pardoned => {}
        }
        self.restless = true;
    }

    fn deadline(&self) -> Option<Time> {
        Some(self.round_at)
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        if self.round_at <= cx.now {
            self.round(cx);
            self.remember(cx);
            self.restless = true;
        }
    }
}
