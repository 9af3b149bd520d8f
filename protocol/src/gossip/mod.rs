//! Plumtree: payloads go once along a tree of eager links, ids along all others.
//!
//! Leitão, Pereira, Rodrigues, "Epidemic Broadcast Trees" (SRDS 2007). A link becomes eager when it brings
//! a message first, and lazy when it brings one that was here. What travels on lazy links is a vouch: this
//! machine sends ids only of messages that are verified and valid, and sends them to everybody who does not
//! get the payload, the sender included, since any of them may have chosen us as a witness. There are no
//! round numbers on the wire, so there are none to lie about.
//!
//! It keeps what may be asked for ([`store`]) and what others have and we lack ([`missing`]). It does not
//! know what a vouch is worth, nor who is a witness.

mod missing;
mod patience;
mod store;
mod tree;

use std::collections::BTreeMap;

use bytes::Bytes;
use forsooth_crypto::{NodeId, Verified};

use crate::{
    Class, Effect, Fault,
    defences::{Defences, Safeguard},
    links::Role,
    machine::{Cx, Machine},
    message::{MessageId, Publication},
    network::TopicId,
    snapshot::Bound,
    time::Time,
    wire::{Frame, IDS_MAX},
};
use missing::{Missing, Step, Voucher};
use store::{Serve, Store};
use tree::Trees;

/// Dissemination of messages: what to push, what to vouch for, what to ask for.
#[derive(Debug)]
pub(crate) struct Gossip {
    defences: Defences,
    trees: Trees,
    store: Store,
    missing: Missing,
    /// Vouches that leave when the input at hand is dealt with, so that a batch of messages costs each
    /// peer one frame.
    outbox: BTreeMap<(NodeId, TopicId), Vec<MessageId>>,
}

/// What [`Gossip`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A peer takes part from now on.
    Joined { peer: NodeId },
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
    Duplicate { topic: TopicId, from: NodeId },
    /// A verified message will not be passed on, whoever has it: do not ask for it again.
    Refused { id: MessageId, from: NodeId },
    /// A peer says that it holds these; we lack them.
    Vouched { from: NodeId, role: Role, topic: TopicId, ids: Vec<MessageId> },
    /// A peer asks for these, and to be eager.
    Grafted { from: NodeId, topic: TopicId, ids: Vec<MessageId> },
    /// A peer asks to be lazy.
    Pruned { from: NodeId, topic: TopicId },
}

/// What became of a message that was passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Links that got the payload.
    pub(crate) pushed: usize,
    /// Links that got the id.
    pub(crate) vouched: usize,
    /// Who had vouched for it before it was here.
    pub(crate) holders: Vec<NodeId>,
}

impl Gossip {
    pub(crate) fn new(defences: Defences) -> Self {
        Self {
            defences,
            trees: Trees::default(),
            store: Store::default(),
            missing: Missing::new(defences),
            outbox: BTreeMap::new(),
        }
    }

    /// Passes on a message that is verified, valid, and new here. `from` is `None` for our own.
    pub(crate) fn spread(
        &mut self,
        message: &Verified<Publication>,
        from: Option<NodeId>,
        cx: &mut Cx<'_>,
    ) -> Spread {
        let (id, topic) = (message.id(), message.header().slot.topic);
        let holders = self.missing.arrived(&id, cx.now);
        if let Some(from) = from {
            self.trees.graft(from, topic);
        }
        let mut spread = Spread { pushed: 0, vouched: 0, holders: Vec::new() };
        for (peer, eager) in self.trees.neighbours(topic) {
            if eager && Some(peer) != from && !holders.contains(&peer) {
                spread.pushed += 1;
                cx.order(Effect::Send {
                    to: peer,
                    class: Class::Payload,
                    frame: message.frame().clone(),
                });
            } else {
                spread.vouched += 1;
                self.outbox.entry((peer, topic)).or_default().push(id);
            }
        }
        let expires = cx.now + message.header().expires().since(cx.wall);
        let unsent = from.is_none() && spread.pushed == 0;
        self.store.insert(message, from, expires, unsent);
        spread.holders = holders;
        spread
    }

    /// Sends the vouches that the input at hand gave rise to.
    pub(crate) fn flush(&mut self, cx: &mut Cx<'_>) {
        // Most peers are sent the same ids: one frame serves them all.
        let mut last: Option<(Frame, Bytes)> = None;
        while let Some(((peer, topic), ids)) = self.outbox.pop_first() {
            for ids in ids.chunks(IDS_MAX) {
                let vouch = Frame::Vouch { topic, ids: ids.to_vec() };
                let same = last.take().filter(|(frame, _)| *frame == vouch);
                let (vouch, frame) = same.unwrap_or_else(|| {
                    let encoded = vouch.encode();
                    (vouch, encoded)
                });
                last = Some((vouch, frame.clone()));
                cx.order(Effect::Send { to: peer, class: Class::Vouch, frame });
            }
        }
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
        self.store.bounds().into_iter().chain([self.missing.bound()])
    }

    /// Tells a newcomer what is here, and gives it what nobody was here to get.
    fn welcome(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.trees.join(peer);
        for frame in self.store.take_unsent() {
            cx.order(Effect::Send { to: peer, class: Class::Payload, frame });
        }
        for (topic, ids) in self.store.recent(cx.now) {
            self.outbox.entry((peer, topic)).or_default().extend(ids);
        }
    }

    fn serve(&mut self, from: NodeId, topic: TopicId, ids: &[MessageId], cx: &mut Cx<'_>) {
        if !self.trees.knows(&from) {
            return;
        }
        self.trees.graft(from, topic);
        for id in ids {
            match self.store.serve(id, from) {
                Serve::Frame(frame) => {
                    cx.order(Effect::Send { to: from, class: Class::Requested, frame })
                }
                Serve::Greedy(frame) if !self.defences.has(Safeguard::ServeLimit) => {
                    cx.order(Effect::Send { to: from, class: Class::Requested, frame });
                }
                Serve::Greedy(_) => cx.fault(from, Fault::Greedy),
                Serve::Unknown => {}
            }
        }
    }

    /// Asks each peer in one frame for all that it is asked for.
    fn ask(&mut self, wanted: BTreeMap<(NodeId, TopicId), Vec<MessageId>>, cx: &mut Cx<'_>) {
        for ((peer, topic), ids) in wanted {
            self.trees.graft(peer, topic);
            let frame = Frame::Graft { topic, ids }.encode();
            cx.order(Effect::Send { to: peer, class: Class::Tree, frame });
        }
    }
}

impl Machine for Gossip {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Joined { peer } => self.welcome(peer, cx),
            Event::Left { peer } => {
                self.trees.leave(&peer);
                self.missing.leave(&peer);
            }
            Event::Seen { id, from } => self.missing.kept(&id, &from, cx.now),
            Event::Checking { id } => self.missing.checking(&id, cx.now),
            Event::Unusable { id } => drop(self.missing.arrived(&id, cx.now)),
            Event::Spoiled { id } => self.missing.spoiled(&id, cx.now),
            Event::Duplicate { topic, from } => {
                if self.trees.prune(from, topic, cx.now) {
                    let frame = Frame::Prune { topic }.encode();
                    cx.order(Effect::Send { to: from, class: Class::Tree, frame });
                }
            }
            Event::Refused { id, from } => {
                self.missing.arrived(&id, cx.now);
                self.store.refuse(id, from);
            }
            Event::Vouched { from, role, topic, ids } => {
                if self.trees.knows(&from) && self.defences.has(Safeguard::Repair) {
                    let lacking = ids.into_iter().filter(|id| !self.store.refused(id));
                    let voucher = Voucher { peer: from, role, topic };
                    lacking.for_each(|id| self.missing.vouched(id, voucher, cx.now));
                }
            }
            Event::Grafted { from, topic, ids } => self.serve(from, topic, &ids, cx),
            Event::Pruned { from, topic } => {
                self.trees.prune(from, topic, cx.now);
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        [self.missing.deadline(), self.store.deadline()].into_iter().flatten().min()
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        self.store.expire(cx.now);
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
