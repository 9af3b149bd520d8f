//! What each author has said: one message for each slot, and the proof when there are two.
//!
//! A slot is remembered until its message expires, after which the message is refused for its age; so
//! nothing is taken twice. The rate per author is counted on the author's own timestamps, in windows of
//! [`RATE_WINDOW`], so that an honest author whose messages come late or bunched is never over it.
//! Everything here is signed: it does not look at anything unverified, and knows no peers but as those
//! who are charged for the authors they introduce.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use forsooth_crypto::{NodeId, Verified};

use crate::{
    defences::{Defences, Safeguard},
    message::{MessageId, Proof, Publication, SignedHeader, Slot},
    network::{Network, RATE_WINDOW, TopicId},
    time::{Timestamp, millis},
};

/// Authors with live slots that one peer may have introduced.
const AUTHORS_PER_PEER_MAX: usize = 4096;
/// Authors with live slots in all.
const AUTHORS_MAX: usize = 65_536;
/// Proofs kept. A new one is refused beyond it; its author stays banned by those who hold it.
const PROOFS_MAX: usize = 16_384;

/// Slots, authors and proofs.
#[derive(Debug)]
pub(crate) struct Ledger {
    network: Arc<Network>,
    defences: Defences,
    slots: BTreeMap<Slot, SignedHeader>,
    ids: BTreeSet<MessageId>,
    expiry: BTreeSet<(Timestamp, Slot)>,
    authors: BTreeMap<NodeId, Author>,
    introduced: BTreeMap<Option<NodeId>, usize>,
    proofs: BTreeMap<NodeId, Verified<Proof>>,
    /// Everything that expired up to here has been forgotten, so it must not come back, even if the wall
    /// clock is set back.
    horizon: Timestamp,
}

#[derive(Debug)]
struct Author {
    introducer: Option<NodeId>,
    live: usize,
    /// Messages by topic and window of their timestamps.
    windows: BTreeMap<(TopicId, u64), u64>,
}

/// What the ledger says of a verified message.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The first for its slot: it is recorded.
    New,
    /// It was recorded before.
    Known,
    /// Another one is recorded for its slot: here are both headers.
    Conflict(Proof),
    /// Its author has more of them than the topic's rate allows.
    OverRate,
    /// There is no room for another author from whoever brought it.
    Full,
}

impl Ledger {
    /// An empty ledger for a network.
    pub(crate) fn new(network: Arc<Network>, defences: Defences) -> Self {
        Self {
            network,
            defences,
            slots: BTreeMap::new(),
            ids: BTreeSet::new(),
            expiry: BTreeSet::new(),
            authors: BTreeMap::new(),
            introduced: BTreeMap::new(),
            proofs: BTreeMap::new(),
            horizon: Timestamp::default(),
        }
    }

    /// Records a message if it is the first for its slot. `from` is who brought it, `None` for our own.
    pub(crate) fn record(
        &mut self,
        message: &Verified<Publication>,
        from: Option<NodeId>,
    ) -> Entry {
        let signed = message.signed();
        let slot = signed.header().slot;
        if let Some(held) = self.slots.get(&slot) {
            return Proof::new(held.clone(), signed.clone()).map_or(Entry::Known, Entry::Conflict);
        }
        if !self.authors.contains_key(&slot.author) && !self.has_room(from) {
            return Entry::Full;
        }
        let window = window(signed.header().timestamp);
        let window_max = self.network.topic(slot.topic).window_max();
        let author = self.authors.entry(slot.author).or_insert_with(|| {
            let count = self.introduced.entry(from).or_default();
            *count = count.saturating_add(1);
            Author { introducer: from, live: 0, windows: BTreeMap::new() }
        });
        let said = author.windows.entry((slot.topic, window)).or_default();
        if *said >= window_max && self.defences.has(Safeguard::AuthorRate) {
            return Entry::OverRate;
        }
        *said = said.saturating_add(1);
        author.live = author.live.saturating_add(1);
        self.ids.insert(signed.id());
        self.expiry.insert((signed.header().expires(), slot));
        // The ledger remembers longer than messages are stored, and must not keep their payloads alive.
        self.slots.insert(slot, signed.detached());
        Entry::New
    }

    fn has_room(&self, from: Option<NodeId>) -> bool {
        let introduced = self.introduced.get(&from).copied().unwrap_or(0);
        self.authors.len() < AUTHORS_MAX && (from.is_none() || introduced < AUTHORS_PER_PEER_MAX)
    }

    /// Whether this message is recorded. Ids are digests of headers that this node has verified.
    pub(crate) fn contains(&self, id: &MessageId) -> bool {
        self.ids.contains(id)
    }

    /// Whether a message that ends then may already have been forgotten.
    pub(crate) fn forgotten(&self, expires: Timestamp) -> bool {
        expires <= self.horizon
    }

    /// When [`Self::expire`] has something to do next.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.first().map(|(expires, _)| *expires)
    }

    /// Forgets the slots of messages that expired.
    pub(crate) fn expire(&mut self, wall: Timestamp) {
        self.horizon = self.horizon.max(wall);
        while let Some((expires, slot)) = self.expiry.first().copied()
            && expires <= wall
        {
            self.expiry.pop_first();
            let Some(signed) = self.slots.remove(&slot) else {
                continue;
            };
            self.ids.remove(&signed.id());
            self.leave_window(&slot, signed.header().timestamp);
        }
    }

    fn leave_window(&mut self, slot: &Slot, timestamp: Timestamp) {
        let Some(author) = self.authors.get_mut(&slot.author) else {
            return;
        };
        author.live = author.live.saturating_sub(1);
        let key = (slot.topic, window(timestamp));
        if let Some(said) = author.windows.get_mut(&key) {
            *said = said.saturating_sub(1);
            if *said == 0 {
                author.windows.remove(&key);
            }
        }
        if author.live == 0
            && let Some(author) = self.authors.remove(&slot.author)
            && let Some(count) = self.introduced.get_mut(&author.introducer)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.introduced.remove(&author.introducer);
            }
        }
    }

    /// Keeps a proof; `false` if its author is exposed already, or there is no room.
    pub(crate) fn expose(&mut self, proof: Verified<Proof>) -> bool {
        if self.proofs.len() >= PROOFS_MAX || self.proofs.contains_key(&proof.author()) {
            return false;
        }
        self.proofs.insert(proof.author(), proof);
        true
    }

    /// The proof against an author.
    pub(crate) fn exposed(&self, author: &NodeId) -> Option<&Verified<Proof>> {
        self.proofs.get(author)
    }

    /// All proofs, by author.
    pub(crate) fn proofs(&self) -> impl ExactSizeIterator<Item = &Verified<Proof>> {
        self.proofs.values()
    }

    /// Slots, authors and proofs held, with the most there may be of each. The slots are bounded by the
    /// authors, their rate and the longest lifetime.
    pub(crate) fn usage(&self) -> [(usize, usize); 3] {
        let slots_max = |(_, topic): (TopicId, &crate::network::Topic)| {
            let span = topic.lifetime_max + self.network.defence().clock_skew_max;
            let windows = millis(span).div_ceil(millis(RATE_WINDOW)).saturating_add(1);
            topic.window_max().saturating_mul(windows)
        };
        let per_author = self.network.topics().map(slots_max).fold(0u64, u64::saturating_add);
        let per_author = usize::try_from(per_author).unwrap_or(usize::MAX);
        [
            (self.slots.len(), per_author.saturating_mul(AUTHORS_MAX)),
            (self.authors.len(), AUTHORS_MAX),
            (self.proofs.len(), PROOFS_MAX),
        ]
    }
}

fn window(timestamp: Timestamp) -> u64 {
    timestamp.as_millis() / millis(RATE_WINDOW)
}
