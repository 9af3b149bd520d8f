//! Where messages wait until a policy is met, or their time is over.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Verified};

use crate::{
    agenda::Agenda,
    bounded::FairMap,
    message::{MessageId, Publication},
    network::{Policy, TopicId},
    time::Time,
};

/// Bytes of messages that wait, each charged to the link that brought it.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// What a waiting message weighs beyond its payload.
const OVERHEAD_BYTES: usize = 512;

/// Messages that wait.
#[derive(Debug)]
pub(super) struct Room {
    messages: FairMap<MessageId, NodeId, Waiting>,
    /// When each is worth a look again.
    due: Agenda<Time, MessageId>,
    /// Whoever is exposed loses all that waits; a search among all messages for it would be worth provoking.
    authors: BTreeSet<(NodeId, MessageId)>,
    /// How many of each topic are late.
    late: BTreeMap<TopicId, usize>,
}

/// A message that some policy does not accept yet.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) message: Verified<Publication>,
    /// Who brought it.
    pub(super) from: NodeId,
    /// Since when this node holds it.
    pub(super) held: Time,
    pub(super) expires: Time,
    /// Policies that are not met yet: the topic's, and those of subscriptions that ask for more.
    pub(super) open: Vec<Policy>,
    /// Its lifetime is over.
    pub(super) is_late: bool,
    /// Witnesses that had been asked when it ended and did not know it, if any had been.
    pub(super) unknown: Option<usize>,
    /// When it is worth a look again; the room's own.
    due: Time,
}

impl Waiting {
    /// A message that is held since one moment, and waits until another.
    pub(super) const fn new(
        message: Verified<Publication>,
        from: NodeId,
        (held, expires): (Time, Time),
        open: Vec<Policy>,
    ) -> Self {
        Self { message, from, held, expires, open, is_late: false, unknown: None, due: expires }
    }

    /// When something may change without an event: a settling time is over, or the message's.
    fn next_due(&self, now: Time) -> Time {
        let settled = self.open.iter().map(|policy| self.held + policy.settle());
        let first = settled.filter(|at| *at > now).min();
        first.map_or(self.expires, |first| first.min(self.expires))
    }

    fn key(&self) -> (NodeId, MessageId) {
        (self.message.header().slot.author, self.message.id())
    }
}

impl Room {
    pub(super) const fn new() -> Self {
        let messages = FairMap::new(WAITING_BYTES_MAX);
        Self { messages, due: Agenda::new(), authors: BTreeSet::new(), late: BTreeMap::new() }
    }

    /// Takes a message in that is not here. Returns those that had to go for it: of whoever brought most, the oldest.
    pub(super) fn insert(&mut self, mut waiting: Waiting, now: Time) -> Vec<Waiting> {
        waiting.due = waiting.next_due(now);
        let id = waiting.message.id();
        let weight = waiting.message.payload().len().saturating_add(OVERHEAD_BYTES);
        self.due.insert((waiting.due, id));
        self.authors.insert(waiting.key());
        if waiting.is_late {
            self.note_late(waiting.message.header().slot.topic);
        }
        let evicted = self.messages.insert(id, waiting.from, weight, waiting);
        let evicted: Vec<_> = evicted.into_iter().map(|(_, waiting)| waiting).collect();
        evicted.iter().for_each(|waiting| self.forget(waiting));
        evicted
    }

    /// Lets a message go.
    pub(super) fn remove(&mut self, id: &MessageId) -> Option<Waiting> {
        let waiting = self.messages.remove(id)?;
        self.forget(&waiting);
        Some(waiting)
    }

    fn forget(&mut self, waiting: &Waiting) {
        self.due.remove(&(waiting.due, waiting.message.id()));
        self.authors.remove(&waiting.key());
        let topic = waiting.message.header().slot.topic;
        if waiting.is_late
            && let Some(late) = self.late.get_mut(&topic)
        {
            *late = late.saturating_sub(1);
        }
    }

    fn note_late(&mut self, topic: TopicId) {
        let late = self.late.entry(topic).or_default();
        *late = late.saturating_add(1);
    }

    /// How many of a topic are late.
    pub(super) fn late(&self, topic: TopicId) -> usize {
        self.late.get(&topic).copied().unwrap_or(0)
    }

    /// A message goes on to wait for these policies.
    pub(super) fn keep(&mut self, id: &MessageId, open: Vec<Policy>, now: Time) {
        if let Some(waiting) = self.messages.get_mut(id) {
            waiting.open = open;
            reschedule(waiting, &mut self.due, now);
        }
    }

    /// A message was looked at in vain.
    pub(super) fn postpone(&mut self, id: &MessageId, now: Time) {
        if let Some(waiting) = self.messages.get_mut(id)
            && waiting.due <= now
        {
            reschedule(waiting, &mut self.due, now);
        }
    }

    /// A message's lifetime is over, and it waits on until then. So many witnesses did not know it.
    pub(super) fn wait_on(
        &mut self,
        id: &MessageId,
        until: Time,
        unknown: Option<usize>,
        now: Time,
    ) -> Option<Verified<Publication>> {
        let waiting = self.messages.get_mut(id)?;
        waiting.is_late = true;
        waiting.unknown = unknown;
        waiting.expires = until;
        reschedule(waiting, &mut self.due, now);
        let message = waiting.message.clone();
        self.note_late(message.header().slot.topic);
        Some(message)
    }

    pub(super) fn get(&self, id: &MessageId) -> Option<&Waiting> {
        self.messages.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn contains(&self, id: &MessageId) -> bool {
        self.messages.contains(id)
    }

    /// What is due first, and when.
    pub(super) const fn first_due(&self) -> Option<(Time, MessageId)> {
        self.due.first().copied()
    }

    /// All that wait of an author.
    pub(super) fn of(&self, author: NodeId) -> Vec<MessageId> {
        let all =
            (author, MessageId::from_bytes([0; 32]))..=(author, MessageId::from_bytes([0xff; 32]));
        self.authors.range(all).map(|(_, id)| *id).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.messages.iter().map(|(_, waiting)| waiting)
    }

    /// Bytes that wait, and the most there may be.
    pub(super) const fn usage(&self) -> (usize, usize) {
        (self.messages.weight(), self.messages.weight_max())
    }
}

fn reschedule(waiting: &mut Waiting, due: &mut Agenda<Time, MessageId>, now: Time) {
    let id = waiting.message.id();
    due.remove(&(waiting.due, id));
    waiting.due = waiting.next_due(now);
    due.insert((waiting.due, id));
}
