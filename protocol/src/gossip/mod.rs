//! Plumtree: payloads go once along each author's [tree], ids to those who chose us.
//!
//! Leitão, Pereira, Rodrigues, "Epidemic Broadcast Trees" (SRDS 2007). A link carries an author's payloads when it
//! brought a message first, and no longer when it brings one that was here. An id is a vouch: this machine sends
//! ids, short ones ([`naming`]), only of messages that are verified and valid, to all who chose us as a witness and do not get the payload,
//! the sender included, and now and then to others. There are no round numbers on the wire, so there are none to
//! lie about: who has a message how early, one sees by its vouches. A peer of our choice that vouches well before
//! the parent brings the payload is adopted as a parent, and the old one pruned when the new one is first.
//!
//! It keeps what may be asked for ([`store`]) and what others have and we lack ([`missing`]). It does not
//! know what a vouch is worth, nor who is a witness.

mod large;
mod missing;
mod naming;
mod outbox;
mod patience;
mod serving;
mod store;
mod thrift;
mod tree;
mod unkept;

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::{NodeId, Verified};

use crate::{
    Class, Effect, Fault,
    defences::{Defences, Safeguard},
    links::Role,
    machine::{Cx, Machine},
    message::{MessageId, Publication, Slot},
    network::TopicId,
    short_id::{ShortId, VouchKey, VouchKeys},
    snapshot::Bound,
    time::Time,
    wire::{Announce, Frame, IDS_MAX},
};
use missing::{Arrival, Manner, Missing, Step, Voucher};
use naming::{Due, Known, Naming};

pub(crate) use naming::{Heard, Named};
use outbox::Outbox;
use store::{Store, Told};
use thrift::Thrift;
use tree::{Adoption, Carried, Share, Size, Trees};
use unkept::Unkept;

pub(crate) use tree::Repeated;
pub(crate) use unkept::Vouching;

/// A voucher that is so much earlier than the parent makes a better one, and by an eighth of what is waited for the tree.
/// Less would chase jitter, of which an overloaded network has more.
const EARLIER: Duration = Duration::from_millis(10);
const EARLIER_SHARE: u32 = 8;
/// Whoever was asked and has not answered by then has broken its promise. Long enough for a slow honest one.
const PROMISE: Duration = Duration::from_secs(8);

/// Dissemination of messages: what to push, what to vouch for, what to ask for.
#[derive(Debug)]
pub(crate) struct Gossip {
    defences: Defences,
    trees: Trees,
    store: Store,
    thrift: Thrift,
    missing: Missing,
    naming: Naming,
    /// Vouches that leave when the input at hand is dealt with, or a little later, so that a batch of messages costs
    /// each peer one frame.
    outbox: Outbox,
    /// Vouches that wait for the disk.
    unkept: Unkept,
}

/// What [`Gossip`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A peer takes part from now on, with messages named under its key, and is to be vouched to if it chose us.
    Joined { peer: NodeId, key: VouchKey, vouches: bool },
    /// A peer that takes part has chosen us, or no longer does.
    Wanted { peer: NodeId, vouches: bool },
    /// A peer is gone.
    Left { peer: NodeId },
    /// A payload is here, whatever it is worth. `id` is the digest of its header, not a claim.
    Seen { id: MessageId, from: NodeId },
    /// The payload is being checked.
    Checking { id: MessageId },
    /// What was checked was no message: it is missing still.
    Spoiled { id: MessageId },
    /// It cannot be used now, and maybe later: nobody owes it to us.
    Unusable { id: MessageId },
    /// A payload came that we had.
    Duplicate { topic: TopicId, author: NodeId, from: NodeId, what: Repeated },
    /// A verified message will not be passed on, whoever has it: do not ask for it again.
    Refused { id: MessageId, from: NodeId },
    /// As [`Self::Refused`], of one whose signature is good, so that there are not many: its names are understood.
    Overruled { id: MessageId, topic: TopicId, from: NodeId },
    /// A peer says, since then, that it holds these; we lack them.
    Vouched { from: NodeId, role: Role, topic: TopicId, ids: Vec<MessageId>, since: Time },
    /// As [`Self::Vouched`], of one that is asked for the payload already.
    Promised { id: MessageId, topic: TopicId, role: Role, named: Named },
    /// A peer says that it sends a large message, or would; we lack it.
    Announced { from: NodeId, role: Role, announce: Announce },
    /// A witness has not vouched for these, and is to be asked whether it does.
    Ask { to: NodeId, ids: Vec<MessageId> },
    /// A peer asks whether we vouch for what we would name so.
    Asked { from: NodeId, names: Vec<ShortId> },
    /// A peer asks what we meant by these names, or for the payloads.
    Inquired { from: NodeId, names: Vec<ShortId>, payloads: bool },
    /// A peer asks for these, and to be sent what their authors say from now on.
    Grafted { from: NodeId, topic: TopicId, ids: Vec<MessageId> },
    /// A peer asks to be sent what an author says from now on.
    Adopted { from: NodeId, author: NodeId },
    /// A peer asks not to be sent what this author says; or those that have no tree of their own, on this topic.
    Pruned { from: NodeId, topic: TopicId, author: Option<NodeId> },
    /// A message is on disk, or will never be: those who wait for this node's vouch get it.
    Kept { id: MessageId },
}

/// What became of a message that was passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Links that got the payload, or that were told to ask for it.
    pub(crate) pushed: usize,
    /// Links that got the id.
    pub(crate) vouched: usize,
    /// Who had vouched for it before it was here.
    pub(crate) holders: Vec<NodeId>,
}

impl Gossip {
    pub(crate) fn new(defences: Defences, keys: VouchKeys) -> Self {
        Self {
            defences,
            trees: Trees::default(),
            store: Store::default(),
            thrift: Thrift::new(),
            missing: Missing::new(defences),
            naming: Naming::new(keys),
            outbox: Outbox::new(),
            unkept: Unkept::default(),
        }
    }

    /// Passes on a message that is verified, valid, and new here. `from` is `None` for our own.
    pub(crate) fn spread(
        &mut self,
        message: &Verified<Publication>,
        from: Option<NodeId>,
        vouching: Vouching,
        cx: &mut Cx<'_>,
    ) -> Spread {
        let id = message.id();
        let Slot { author, topic, .. } = message.header().slot;
        let Arrival { holders, offers, first, lag, was_asked } = self.missing.arrived(&id, cx.now);
        let (known, size) = (Known { topic, id, is_held: true }, large::size(message.frame()));
        let how = Carried { was_asked, size };
        let is_grown = self.trees.carry(author, topic, (from, how), cx.now);
        self.naming.note(known);
        // A tree that has yet to find its shape says nothing of the others, and a large payload nothing of small ones.
        if is_grown
            && size == Size::Small
            && from.is_some()
            && let Some(lag) = lag
        {
            self.missing.learn(lag);
        }
        let mut spread = Spread { pushed: 0, vouched: 0, holders: Vec::new() };
        let has = |peer: &NodeId| Some(*peer) == from || holders.contains(peer);
        self.thrift.note(message.frame().len());
        let mut told = Told::default();
        let mut later = Vec::new();
        let Self { trees, outbox, naming, .. } = self;
        let now = cx.now;
        trees.shares(&author, (topic, size), now, has, |to, share| match share {
            Share::Payload if vouching != Vouching::Quietly => {
                spread.pushed += 1;
                told.pushed.push(to);
                Self::send(to, Class::Payload, (known, message.frame()), cx);
            }
            Share::Offer if vouching != Vouching::Quietly => {
                spread.pushed += 1;
                told.offered.push(to);
                cx.order(large::announce(to, known, message.frame(), Manner::Offered));
            }
            Share::Payload | Share::Offer | Share::Vouch => {
                spread.vouched += 1;
                match vouching {
                    Vouching::Now => outbox.add(to, naming.name(&to, &id), now),
                    Vouching::OnceKept | Vouching::Quietly => later.push(to),
                }
            }
        });
        if vouching != Vouching::Now {
            // A push is no vouch then: whoever counts on this node gets one beside it.
            let pushed = told.pushed.iter().chain(&told.offered).copied();
            later.extend(pushed.filter(|to| self.trees.wants(to)));
            self.unkept.insert(message, later);
        }
        // Who offered it in vain is a parent too many, which has cost no payload.
        let offers = offers.into_iter().filter(|offer| Some(*offer) != from);
        offers.for_each(|offer| self.decline((offer, Repeated::Offered), topic, author, cx));
        self.reparent((author, topic), (from, first), &holders, cx);
        let expires = cx.now + message.header().expires().since(cx.wall);
        self.store.insert(message, from, [cx.now, expires], told);
        spread.holders = holders;
        spread
    }

    /// Whoever vouched for a message well before `from` brought it becomes a parent, and so does another one, while parents withhold.
    fn reparent(
        &mut self,
        (author, topic): (NodeId, TopicId),
        (from, first): (Option<NodeId>, Option<(NodeId, Duration)>),
        holders: &[NodeId],
        cx: &mut Cx<'_>,
    ) {
        let tell = |to, frame: Frame, cx: &mut Cx<'_>| {
            cx.order(Effect::Send { to, class: Class::Tree, frame: frame.encode() });
        };
        if let Some((first, lead)) = first
            && Some(first) != from
            && lead >= EARLIER.max(self.missing.patience() / EARLIER_SHARE)
            && let Some(Adoption { from }) = self.trees.adopt(&author, first)
        {
            tell(first, Frame::Adopt { author }, cx);
            if let Some(to) = from {
                tell(to, Frame::Prune { topic, author: Some(author) }, cx);
            }
        }
        // Whoever was asked in vain lately may withhold it, too.
        let willing = holders.iter().copied().filter(|peer| self.missing.in_vain(peer) == 0);
        if let Some(to) = self.trees.double(&author, willing, cx.now, cx.rng) {
            tell(to, Frame::Adopt { author }, cx);
        }
    }

    /// Sends the vouches that the input at hand gave rise to, and those that have waited for them.
    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>) {
        for (to, names) in self.outbox.take(cx.now) {
            for names in names.chunks(IDS_MAX) {
                let frame = Frame::ShortVouch { names: names.to_vec() }.encode();
                cx.order(Effect::Send { to, class: Class::Vouch, frame });
            }
        }
    }

    /// A peer vouches for what is called so. Returns the messages that are held here, and those that were announced; of
    /// the others it is found out what they are.
    pub(crate) fn told(
        &mut self,
        from: &NodeId,
        role: Role,
        names: &[ShortId],
        now: Time,
    ) -> Heard {
        self.naming.told(from, role, names, (now, self.missing.patience()))
    }

    /// A peer that was asked does not vouch for what is called so: these.
    pub(crate) fn unknown(&mut self, from: &NodeId, names: &[ShortId]) -> Vec<MessageId> {
        self.naming.unknown(from, names)
    }

    /// A message is here. Who had named it without our knowing what was meant.
    pub(crate) fn recognise(&mut self, id: &MessageId) -> Vec<Named> {
        self.naming.recognise(id)
    }

    /// A peer vouches for a message by its full id. Whose names that explains, its own among them.
    pub(crate) fn answered(&mut self, from: &NodeId, id: &MessageId) -> Vec<Named> {
        self.naming.answered(from, id)
    }

    /// Who wrote a message that may be asked for here.
    pub(crate) fn author(&self, id: &MessageId) -> Option<NodeId> {
        self.store.author(id)
    }

    /// Whether a message was verified before and is not to be passed on.
    pub(crate) fn refused(&self, id: &MessageId) -> bool {
        self.store.refused(id)
    }

    /// Topics on which a peer gets payloads at once, among `topics`.
    pub(crate) fn eager_topics(
        &self,
        peer: &NodeId,
        topics: impl Iterator<Item = TopicId>,
    ) -> usize {
        topics.filter(|topic| self.trees.eager(peer, *topic)).count()
    }

    /// How full the collections are.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = Bound> {
        self.store.bounds().into_iter().chain([
            self.missing.bound(),
            self.trees.bound(),
            self.naming.bound(),
            self.outbox.bound(self.naming.links()),
            self.thrift.bound(),
        ])
    }

    /// Tells a newcomer what is here, and gives it what nobody was here to get.
    fn welcome(&mut self, peer: NodeId, key: VouchKey, vouches: bool, cx: &mut Cx<'_>) {
        self.trees.join(peer);
        self.thrift.join(peer, cx.now);
        self.naming.join(peer, key);
        for frame in self.store.take_unsent() {
            cx.order(Effect::Send { to: peer, class: Class::Payload, frame });
        }
        self.want(peer, vouches, cx);
    }

    /// Who chose us is told of what is here, and from now on of what comes.
    fn want(&mut self, peer: NodeId, vouches: bool, cx: &Cx<'_>) {
        if self.trees.want(&peer, vouches) {
            let Self { store, naming, unkept, .. } = self;
            let recent = store.recent(cx.now).into_values().flatten();
            let kept = recent.filter(|id| !unkept.wait(id, peer));
            let names = kept.filter_map(|id| naming.name(&peer, &id)).collect::<Vec<_>>();
            self.outbox.add(peer, names, cx.now);
        }
    }

    /// A neighbour sent what is here, or offered to.
    fn decline(
        &mut self,
        (from, what): (NodeId, Repeated),
        topic: TopicId,
        author: NodeId,
        cx: &mut Cx<'_>,
    ) {
        let told = self.trees.duplicate((from, what), topic, &author, cx.now);
        let whose = [told.author.then_some(Some(author)), told.topic.then_some(None)];
        for author in whose.into_iter().flatten() {
            let frame = Frame::Prune { topic, author }.encode();
            cx.order(Effect::Send { to: from, class: Class::Tree, frame });
        }
    }

    fn refuse(&mut self, id: MessageId, from: NodeId, now: Time) {
        self.naming.unexpect(&id);
        self.missing.arrived(&id, now);
        self.store.refuse(id, from);
    }

    /// Asks what was meant by names that wait for too long, and somebody for what it named.
    fn inquire(&mut self, cx: &mut Cx<'_>) {
        if !self.defences.has(Safeguard::Repair) {
            return;
        }
        let Self { naming, missing, .. } = self;
        let in_vain = |peer: &NodeId| missing.in_vain(peer);
        let Due { unclear, late, broken } =
            naming.due(cx.now, missing.round_trip(), in_vain, cx.rng);
        let unclear = unclear.into_iter().map(|(to, names)| (to, names, false));
        let late = late.into_iter().map(|(to, names)| (to, names, true));
        for (to, names, payloads) in late.chain(unclear) {
            let frame = Frame::Inquire { names, payloads }.encode();
            cx.order(Effect::Send { to, class: Class::Tree, frame });
        }
        if self.defences.has(Safeguard::Promises) {
            broken.into_iter().for_each(|peer| cx.fault(peer, Fault::BrokenPromise));
        }
    }

    /// Asks each peer in one frame for all that it is asked for.
    fn ask(&mut self, wanted: BTreeMap<(NodeId, TopicId), Vec<MessageId>>, cx: &mut Cx<'_>) {
        for ((peer, topic), ids) in wanted {
            let frame = Frame::Graft { topic, ids }.encode();
            cx.order(Effect::Send { to: peer, class: Class::Tree, frame });
        }
    }
}

impl Machine for Gossip {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Joined { peer, key, vouches } => self.welcome(peer, key, vouches, cx),
            Event::Wanted { peer, vouches } => self.want(peer, vouches, cx),
            Event::Left { peer } => {
                self.trees.leave(&peer);
                self.thrift.leave(peer, cx.now);
                self.missing.leave(&peer);
                self.naming.leave(&peer);
                self.outbox.leave(&peer);
                self.unkept.leave(&peer);
            }
            Event::Seen { id, from } => self.missing.kept(&id, &from, cx.now),
            Event::Checking { id } => self.missing.checking(&id, cx.now),
            Event::Unusable { id } => drop(self.missing.arrived(&id, cx.now)),
            Event::Spoiled { id } => self.missing.spoiled(&id, cx.now),
            Event::Duplicate { topic, author, from, what } => {
                self.decline((from, what), topic, author, cx);
            }
            Event::Refused { id, from } => self.refuse(id, from, cx.now),
            Event::Overruled { id, topic, from } => {
                self.naming.note(Known { topic, id, is_held: false });
                self.refuse(id, from, cx.now);
            }
            Event::Ask { to, ids } => {
                let names = self.naming.poll(&to, &ids);
                if !names.is_empty() {
                    let frame = Frame::Ask { names }.encode();
                    cx.order(Effect::Send { to, class: Class::Tree, frame });
                }
            }
            Event::Asked { from, names } => self.testify(from, &names, cx),
            Event::Inquired { from, names, payloads: false } => self.describe(from, &names, cx),
            Event::Inquired { from, names, payloads: true } => {
                let meant: Vec<_> = self.naming.meant(&from, &names).collect();
                meant.into_iter().for_each(|(topic, id)| self.serve(from, topic, &[id], cx));
            }
            Event::Promised { id, topic, role, named } => {
                let Named { peer, since, grafted } = named;
                if self.trees.knows(&peer) && !self.store.refused(&id) {
                    let voucher = Voucher { peer, role, topic };
                    self.missing.vouched(id, voucher, since, cx.now);
                    grafted.into_iter().for_each(|at| self.missing.asked(&id, &peer, at));
                }
            }
            Event::Vouched { from, role, topic, ids, since } => {
                if self.trees.knows(&from) && self.defences.has(Safeguard::Repair) {
                    let lacking = ids.into_iter().filter(|id| !self.store.refused(id));
                    let voucher = Voucher { peer: from, role, topic };
                    lacking.for_each(|id| self.missing.vouched(id, voucher, since, cx.now));
                }
            }
            Event::Announced { from, role, announce } => self.announced(from, role, announce, cx),
            Event::Grafted { from, topic, ids } => self.serve(from, topic, &ids, cx),
            Event::Adopted { from, author } => {
                if !self.defences.has(Safeguard::ServeLimit) || self.thrift.take(&from, 0, cx.now) {
                    self.trees.add_child(from, &author);
                }
            }
            Event::Pruned { from, topic, author } => {
                self.trees.prune(&from, topic, author.as_ref(), cx.now);
            }
            Event::Kept { id } => self.vouch(&id, cx.now),
        }
    }

    fn deadline(&self) -> Option<Time> {
        let names = self.naming.deadline().filter(|_| self.defences.has(Safeguard::Repair));
        let machines = [self.missing.deadline(), self.store.deadline(), self.outbox.deadline()];
        machines.into_iter().chain([names]).flatten().min()
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.store.expire(cx.now);
        self.inquire(cx);
        let mut wanted: BTreeMap<_, Vec<MessageId>> = BTreeMap::new();
        while let Some(step) = self.missing.step(cx.now, cx.rng) {
            match step {
                Step::Ask { voucher, id } => {
                    wanted.entry((voucher.peer, voucher.topic)).or_default().push(id);
                }
                Step::Broken { peer } if self.defences.has(Safeguard::Promises) => {
                    cx.fault(peer, Fault::BrokenPromise);
                }
                Step::Broken { .. } => {}
            }
        }
        self.ask(wanted, cx);
    }
}
