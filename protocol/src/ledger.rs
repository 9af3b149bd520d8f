//! What each author has said: one message for each slot, and the proof when there are two.
//!
//! A slot is remembered for the longest lifetime that its topic allows, whatever lifetime the message claims,
//! and a message is refused for its age before that; so nothing is taken twice, and a short lifetime buys
//! no second message for a slot. The rate per author is counted on the author's own timestamps, in windows of
//! [`RATE_WINDOW`], so that an honest author whose messages come late or bunched is never over it.
//! Everything here is signed: it does not look at anything unverified, and knows no peers but as those
//! who are charged for the authors they introduce.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use forsooth_crypto::{NodeId, Verified};

use crate::{
    agenda::Agenda,
    bounded::FairMap,
    defences::{Defences, Safeguard},
    message::{Header, MessageId, Proof, Publication, SignedHeader, Slot},
    network::{Network, RATE_WINDOW, TopicId},
    sync::{Index, Item, SketchKey},
    time::{Timestamp, millis},
};

/// Authors with live slots that one peer may have introduced.
const AUTHORS_PER_PEER_MAX: usize = 4096;
/// Authors with live slots in all.
const AUTHORS_MAX: usize = 65_536;
/// Slots that one link may have caused, and slots in all.
const SLOTS_PER_PEER_MAX: usize = 262_144;
const SLOTS_MAX: usize = 1 << 20;
/// Proofs kept, each charged to whoever brought it. Whom a forgotten one exposed stays banned.
const PROOFS_MAX: usize = 16_384;
/// Windows of messages that came after their lifetime, each charged to its author.
const LATE_MAX: usize = 65_536;

/// Slots, authors and proofs.
#[derive(Debug)]
pub(crate) struct Ledger {
    network: Arc<Network>,
    defences: Defences,
    slots: BTreeMap<Slot, Record>,
    ids: BTreeSet<MessageId>,
    expiry: Agenda<Timestamp, Slot>,
    authors: BTreeMap<NodeId, Author>,
    introduced: BTreeMap<Option<NodeId>, usize>,
    brought: BTreeMap<Option<NodeId>, usize>,
    proofs: FairMap<NodeId, Option<NodeId>, Verified<Proof>>,
    /// Whom they expose, to be compared with others'.
    exposed: Index,
    /// Messages of an author in one window that came after their lifetime.
    late: FairMap<(NodeId, TopicId, u64), NodeId, u64>,
    /// The latest end of what has been forgotten. It must not come back, even if the wall clock is set back.
    horizon: Timestamp,
}

#[derive(Debug)]
struct Record {
    signed: SignedHeader,
    from: Option<NodeId>,
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
        let exposed = Index::new().keyed(SketchKey::of(&network));
        Self {
            network,
            defences,
            slots: BTreeMap::new(),
            ids: BTreeSet::new(),
            expiry: Agenda::new(),
            authors: BTreeMap::new(),
            introduced: BTreeMap::new(),
            brought: BTreeMap::new(),
            proofs: FairMap::new(PROOFS_MAX),
            exposed,
            late: FairMap::new(LATE_MAX),
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
            return Proof::new(held.signed.clone(), signed.clone())
                .map_or(Entry::Known, Entry::Conflict);
        }
        let known = self.authors.contains_key(&slot.author);
        if !self.has_room_for_slot(from) || !(known || self.has_room_for_author(from)) {
            return Entry::Full;
        }
        let window = window(signed.header().timestamp);
        let window_max = self.network.topic(slot.topic).window_max();
        let author = self.authors.entry(slot.author).or_insert_with(|| {
            add(&mut self.introduced, from);
            Author { introducer: from, live: 0, windows: BTreeMap::new() }
        });
        let said = author.windows.entry((slot.topic, window)).or_default();
        if *said >= window_max && self.defences.has(Safeguard::AuthorRate) {
            return Entry::OverRate;
        }
        *said = said.saturating_add(1);
        author.live = author.live.saturating_add(1);
        self.ids.insert(signed.id());
        add(&mut self.brought, from);
        self.expiry.insert((self.ends(signed.header()), slot));
        // The ledger remembers longer than messages are stored, and must not keep their payloads alive.
        self.slots.insert(slot, Record { signed: signed.detached(), from });
        Entry::New
    }

    /// The proof that this header and the one recorded for its slot make, if they make one.
    pub(crate) fn conflict(&self, signed: &SignedHeader) -> Option<Proof> {
        let held = self.slots.get(&signed.header().slot)?;
        Proof::new(held.signed.clone(), signed.clone())
    }

    /// Counts a message that came after its lifetime, by its author's timestamps as well: no slot is recorded, and no more pass than
    /// the topic's rate allows, as far as windows are remembered.
    pub(crate) fn record_late(&mut self, message: &Verified<Publication>) -> Entry {
        let Header { slot, timestamp, .. } = *message.header();
        let window_max = self.network.topic(slot.topic).window_max();
        let window = (slot.author, slot.topic, window(timestamp));
        let said = self.late.get_mut(&window);
        if said.as_ref().is_some_and(|said| **said >= window_max)
            && self.defences.has(Safeguard::AuthorRate)
        {
            return Entry::OverRate;
        }
        match said {
            Some(said) => *said = said.saturating_add(1),
            None => drop(self.late.insert(window, slot.author, 1, 1)),
        }
        Entry::New
    }

    fn has_room_for_author(&self, from: Option<NodeId>) -> bool {
        let introduced = self.introduced.get(&from).copied().unwrap_or(0);
        self.authors.len() < AUTHORS_MAX && (from.is_none() || introduced < AUTHORS_PER_PEER_MAX)
    }

    fn has_room_for_slot(&self, from: Option<NodeId>) -> bool {
        let brought = self.brought.get(&from).copied().unwrap_or(0);
        from.is_none() || has_room(self.slots.len(), brought)
    }

    /// When a slot is forgotten: no lifetime that its topic allows reaches further.
    fn ends(&self, header: &Header) -> Timestamp {
        header.timestamp.saturating_add(self.network.topic(header.slot.topic).lifetime_max)
    }

    /// Whether this message is recorded. Ids are digests of headers that this node has verified.
    pub(crate) fn contains(&self, id: &MessageId) -> bool {
        self.ids.contains(id)
    }

    /// Whether a message is so old that its slot may have been forgotten.
    pub(crate) fn forgotten(&self, header: &Header) -> bool {
        self.ends(header) <= self.horizon
    }

    /// When [`Self::expire`] has something to do next.
    pub(crate) fn next_expiry(&self) -> Option<Timestamp> {
        self.expiry.first().map(|(expires, _)| *expires)
    }

    /// Forgets the slots of messages that expired.
    pub(crate) fn expire(&mut self, wall: Timestamp) {
        while let Some((expires, slot)) = self.expiry.first().copied()
            && expires <= wall
        {
            self.expiry.pop_first();
            self.horizon = self.horizon.max(expires);
            let Some(Record { signed, from }) = self.slots.remove(&slot) else { continue };
            take(&mut self.brought, from);
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
        {
            take(&mut self.introduced, author.introducer);
        }
    }

    /// Keeps a proof that `from` brought; `false` if its author is exposed already.
    pub(crate) fn expose(&mut self, proof: Verified<Proof>, from: Option<NodeId>) -> bool {
        let news = !self.proofs.contains(&proof.author());
        if news {
            self.exposed.insert(whom(&proof.author()));
            for (gone, _) in self.proofs.insert(proof.author(), from, 1, proof) {
                self.exposed.remove(&whom(&gone));
            }
        }
        news
    }

    /// Whether an author has said anything that is remembered.
    pub(crate) fn hears(&self, author: &NodeId) -> bool {
        self.authors.contains_key(author)
    }

    /// Whether an author is exposed.
    pub(crate) fn exposed(&self, author: &NodeId) -> bool {
        self.proofs.contains(author)
    }

    /// Whom the proofs that are kept expose.
    pub(crate) const fn exposures(&self) -> &Index {
        &self.exposed
    }

    /// The proof against an author.
    pub(crate) fn proof(&self, author: &NodeId) -> Option<&Verified<Proof>> {
        self.proofs.get(author)
    }

    /// All proofs, by author, beginning somewhere.
    pub(crate) fn proofs(&self, from: NodeId) -> impl Iterator<Item = &Verified<Proof>> {
        self.proofs.iter_from(from).map(|(_, proof)| proof)
    }

    /// Slots, authors and proofs held, with the most there may be of each.
    pub(crate) fn usage(&self) -> [(usize, usize); 4] {
        [
            (self.slots.len(), SLOTS_MAX),
            (self.authors.len(), AUTHORS_MAX),
            (self.proofs.len(), PROOFS_MAX),
            (self.late.len(), LATE_MAX),
        ]
    }
}

/// An author, as what is compared.
pub(crate) const fn whom(author: &NodeId) -> Item {
    Item::new(0, *author.as_bytes())
}

fn add(counts: &mut BTreeMap<Option<NodeId>, usize>, whom: Option<NodeId>) {
    let count = counts.entry(whom).or_default();
    *count = count.saturating_add(1);
}

fn take(counts: &mut BTreeMap<Option<NodeId>, usize>, whom: Option<NodeId>) {
    if let Some(count) = counts.get_mut(&whom) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&whom);
        }
    }
}

fn window(timestamp: Timestamp) -> u64 {
    timestamp.as_millis() / millis(RATE_WINDOW)
}

/// Whether one more slot has its place among all, and among those that its bringer has caused.
const fn has_room(all: usize, brought: usize) -> bool {
    all < SLOTS_MAX && brought < SLOTS_PER_PEER_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_bounded_in_all_and_for_each_bringer() {
        assert!(has_room(SLOTS_MAX - 1, SLOTS_PER_PEER_MAX - 1));
        assert!(!has_room(SLOTS_MAX, 0));
        assert!(!has_room(0, SLOTS_PER_PEER_MAX));
    }
}
