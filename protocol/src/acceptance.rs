//! k-of-n acceptance: a message is handed to the application when enough witnesses vouch for it.
//!
//! Only a [`Witness`] can vouch here, which only `links` makes, for peers that this node chose. Vouches may
//! come before the message; a message may wait for vouches until it expires. It does not relay, and does not
//! know how a vouch travels.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use forsooth_crypto::{NodeId, Verified};

use crate::{
    Effect,
    agenda::Agenda,
    bounded::FairMap,
    defences::{Defences, Safeguard},
    group::Group,
    links::Witness,
    machine::{Cx, Machine},
    message::{Accepted, MessageId, Publication},
    network::{Network, Policy, TopicId},
    snapshot::{Bound, TopicState},
    tally::Tally,
    time::Time,
};

/// Open vouches of one witness. More than what arrives ahead of its messages; its own oldest go first.
const VOUCHES_PER_WITNESS_MAX: usize = 16_384;
/// Bytes of messages that wait for vouches, each charged to the link that brought it.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// What a waiting message weighs beyond its payload.
const OVERHEAD_BYTES: usize = 512;

/// Messages that wait for vouches, and vouches that wait for messages.
#[derive(Debug)]
pub(crate) struct Acceptance {
    network: Arc<Network>,
    defences: Defences,
    tally: Tally<MessageId, NodeId, Group>,
    waiting: FairMap<MessageId, Option<NodeId>, Waiting>,
    expiry: Agenda<Time, MessageId>,
    subscribed: BTreeSet<TopicId>,
    counts: BTreeMap<TopicId, TopicState>,
}

#[derive(Debug)]
struct Waiting {
    message: Verified<Publication>,
    expires: Time,
}

/// What [`Acceptance`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message is verified and valid. `from` is who brought it.
    Held { message: Verified<Publication>, from: NodeId },
    /// A witness vouches for messages that are not decided yet.
    Vouched { witness: Witness, ids: Vec<MessageId> },
    /// A peer is gone, or was caught lying: what it said of undecided messages counts no more. Otherwise all
    /// liars that we ever chose would vote, one after the other.
    Withdrawn { peer: NodeId },
    /// A message will never be held.
    Refused { id: MessageId },
    /// One of our own was published.
    Published { topic: TopicId },
    /// The application wants a topic, or no longer does.
    Subscribed { topic: TopicId },
    /// The application no longer wants a topic.
    Unsubscribed { topic: TopicId },
}

impl Acceptance {
    pub(crate) fn new(network: Arc<Network>, defences: Defences) -> Self {
        Self {
            network,
            defences,
            tally: Tally::new(VOUCHES_PER_WITNESS_MAX),
            waiting: FairMap::new(WAITING_BYTES_MAX),
            expiry: Agenda::new(),
            subscribed: BTreeSet::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Whether a held message still waits for vouches.
    pub(crate) fn waits(&self, id: &MessageId) -> bool {
        self.waiting.contains(id)
    }

    /// How each topic stands, with this many independent witnesses.
    pub(crate) fn topics(&self, witnesses: usize) -> BTreeMap<TopicId, TopicState> {
        let mut waiting: BTreeMap<TopicId, u64> = BTreeMap::new();
        for (_, Waiting { message, .. }) in self.waiting.iter() {
            let count = waiting.entry(message.header().slot.topic).or_default();
            *count = count.saturating_add(1);
        }
        let state = |(id, topic): (TopicId, &crate::network::Topic)| {
            let state = TopicState {
                subscribed: self.subscribed.contains(&id),
                acceptable: witnesses >= usize::from(topic.policy.threshold()),
                waiting: waiting.get(&id).copied().unwrap_or(0),
                ..self.counts.get(&id).copied().unwrap_or_default()
            };
            (id, state)
        };
        self.network.topics().map(state).collect()
    }

    /// How full the collections are.
    pub(crate) fn bounds(&self, links: usize) -> [Bound; 2] {
        let waiting = &self.waiting;
        let vouches_max = links.max(1).saturating_mul(VOUCHES_PER_WITNESS_MAX);
        [
            Bound { name: "acceptance.vouches", used: self.tally.len(), max: vouches_max },
            Bound {
                name: "acceptance.waiting_bytes",
                used: waiting.weight(),
                max: waiting.weight_max(),
            },
        ]
    }

    fn count(&mut self, topic: TopicId) -> &mut TopicState {
        self.counts.entry(topic).or_default()
    }

    fn hold(&mut self, message: Verified<Publication>, from: NodeId, cx: &mut Cx<'_>) {
        let (id, topic) = (message.id(), message.header().slot.topic);
        let verified = &mut self.count(topic).verified;
        *verified = verified.saturating_add(1);
        let decides = self.defences.has(Safeguard::Threshold);
        match self.network.topic(topic).policy {
            Policy::Vouched { .. } if !decides => self.decide(message, cx),
            Policy::Verified => self.accept(message, Vec::new(), cx),
            Policy::Vouched { k, .. } if self.tally.count(&id) >= usize::from(k) => {
                self.decide(message, cx)
            }
            Policy::Vouched { .. } => self.wait(message, from, cx),
        }
    }

    fn wait(&mut self, message: Verified<Publication>, from: NodeId, cx: &mut Cx<'_>) {
        let id = message.id();
        let expires = cx.now + message.header().expires().since(cx.wall);
        let weight = message.payload().len().saturating_add(OVERHEAD_BYTES);
        self.expiry.insert((expires, id));
        let evicted = self.waiting.insert(id, Some(from), weight, Waiting { message, expires });
        for (id, Waiting { message, expires }) in evicted {
            self.expiry.remove(&(expires, id));
            self.give_up(&message, cx);
        }
    }

    fn vouch(&mut self, witness: &Witness, id: MessageId, cx: &mut Cx<'_>) {
        self.tally.support(id, witness.peer(), witness.group());
        let Some(Waiting { message, .. }) = self.waiting.get(&id) else {
            return;
        };
        let threshold = self.network.topic(message.header().slot.topic).policy.threshold();
        if self.tally.count(&id) < usize::from(threshold) {
            return;
        }
        if let Some(Waiting { message, expires }) = self.waiting.remove(&id) {
            self.expiry.remove(&(expires, id));
            // The wall clock may have been set ahead while it waited.
            if message.header().expires() <= cx.wall && self.defences.has(Safeguard::Expiry) {
                return self.give_up(&message, cx);
            }
            self.decide(message, cx);
        }
    }

    /// Enough witnesses vouch.
    fn decide(&mut self, message: Verified<Publication>, cx: &mut Cx<'_>) {
        let vouchers = self.tally.independent(&message.id());
        self.tally.close(&message.id());
        self.accept(message, vouchers, cx);
    }

    fn accept(&mut self, message: Verified<Publication>, vouchers: Vec<NodeId>, cx: &mut Cx<'_>) {
        let topic = message.header().slot.topic;
        let accepted = &mut self.count(topic).accepted;
        *accepted = accepted.saturating_add(1);
        if self.subscribed.contains(&topic) {
            cx.order(Effect::Deliver(Accepted::new(message, vouchers, cx.now)));
        }
    }

    fn give_up(&mut self, message: &Publication, cx: &mut Cx<'_>) {
        let (id, topic) = (message.id(), message.header().slot.topic);
        let threshold = self.network.topic(topic).policy.threshold();
        let vouched = self.tally.count(&id);
        self.tally.close(&id);
        let unaccepted = &mut self.count(topic).unaccepted;
        *unaccepted = unaccepted.saturating_add(1);
        cx.report(crate::Event::Unaccepted { id, topic, vouched, threshold });
    }
}

impl Machine for Acceptance {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Held { message, from } => self.hold(message, from, cx),
            Event::Vouched { witness, ids } => {
                ids.into_iter().for_each(|id| self.vouch(&witness, id, cx))
            }
            Event::Withdrawn { peer } => self.tally.withdraw(&peer),
            Event::Refused { id } => self.tally.close(&id),
            Event::Published { topic } => {
                let published = &mut self.count(topic).published;
                *published = published.saturating_add(1);
            }
            Event::Subscribed { topic } => drop(self.subscribed.insert(topic)),
            Event::Unsubscribed { topic } => drop(self.subscribed.remove(&topic)),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.expiry.first().map(|(expires, _)| *expires)
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        while let Some((expires, id)) = self.expiry.first().copied()
            && expires <= cx.now
        {
            self.expiry.pop_first();
            if let Some(Waiting { message, .. }) = self.waiting.remove(&id) {
                self.give_up(&message, cx);
            }
        }
    }
}
