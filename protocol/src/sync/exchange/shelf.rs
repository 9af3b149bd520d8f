//! What this node holds of one topic: what it stands behind, what is pending, and which slots are taken.
//!
//! The index is served to others, so what is in it is vouched for. What was pulled and is not accepted yet is
//! *pending*: it is compared with what others hold, and served to nobody. Positions are the authors' timestamps.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use crate::{
    held::Held,
    message::{MessageId, Publication, SignedHeader, Slot},
    sync::{Index, Item, SketchKey},
    time::Timestamp,
};

/// Where a message stands in the order that all nodes share.
pub(crate) fn item(timestamp: Timestamp, id: &MessageId) -> Item {
    Item::new(timestamp.as_millis(), *id.as_bytes())
}

/// One topic's messages.
#[derive(Debug)]
pub(super) struct Shelf {
    index: Index,
    /// What is in the index and what is pending; only while something is.
    view: Option<Index>,
    pending: BTreeMap<Item, Pending>,
    pending_bytes: usize,
    /// Of these, how many each peer has brought, and their bytes.
    brought: BTreeMap<NodeId, (usize, usize)>,
    /// On its way to the disk: neither served nor fetched.
    arriving: BTreeSet<Item>,
    /// Slots of both, by author, generation and number.
    slots: BTreeMap<NodeId, BTreeMap<(u64, u64), Item>>,
    /// Before this, messages may be gone that others still have.
    floor: u64,
}

#[derive(Debug)]
struct Pending {
    signed: SignedHeader,
    weight: usize,
    from: NodeId,
}

impl Shelf {
    /// Nothing is held yet; sketches are made under this key, which all nodes share.
    pub(super) fn new(key: SketchKey) -> Self {
        Self {
            index: Index::new().keyed(key),
            view: None,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            brought: BTreeMap::new(),
            arriving: BTreeSet::new(),
            slots: BTreeMap::new(),
            floor: 0,
        }
    }

    /// A message is on disk, and this node stands behind it.
    pub(super) fn insert(&mut self, held: &Held) {
        let item = item(held.timestamp, &held.id);
        self.arriving.remove(&item);
        let was_pending = self.take_pending(&item);
        self.index.insert(item);
        if let Some(view) = self.view.as_mut().filter(|_| was_pending.is_none()) {
            view.insert(item);
        }
        self.take(&held.slot, item);
        self.tidy();
    }

    /// A message is being written to disk.
    pub(super) fn expect(&mut self, held: &Held) {
        let item = item(held.timestamp, &held.id);
        if !self.index.contains(&item) {
            self.arriving.insert(item);
            self.take(&held.slot, item);
        }
    }

    /// A message will not be on disk.
    pub(super) fn give_up(&mut self, held: &Held) {
        let item = item(held.timestamp, &held.id);
        self.drop_pending(&item);
        if self.arriving.remove(&item) && !self.index.contains(&item) {
            self.free(&held.slot, &item);
        }
    }

    /// A message is not on disk any more: its time, or its topic's room, was over.
    pub(super) fn forget(&mut self, held: &Held) {
        let item = item(held.timestamp, &held.id);
        self.index.remove(&item);
        if let Some(view) = &mut self.view {
            view.remove(&item);
        }
        self.free(&held.slot, &item);
        self.floor = self.floor.max(item.at().saturating_add(1));
    }

    /// A message was pulled from a peer, and waits to be accepted.
    pub(super) fn hold(&mut self, message: &Publication, from: NodeId) {
        let header = message.header();
        let item = item(header.timestamp, &message.id());
        if self.index.contains(&item) {
            return;
        }
        let Self { view, index, .. } = self;
        view.get_or_insert_with(|| index.clone()).insert(item);
        self.take(&header.slot, item);
        let (signed, weight) = (message.signed().detached(), message.frame().len());
        self.take_pending(&item);
        self.pending.insert(item, Pending { signed, weight, from });
        self.pending_bytes = self.pending_bytes.saturating_add(weight);
        let (count, bytes) = self.brought.entry(from).or_default();
        *count = count.saturating_add(1);
        *bytes = bytes.saturating_add(weight);
    }

    /// What was pulled is not accepted. Whether it was pending.
    pub(super) fn drop_pending(&mut self, item: &Item) -> bool {
        let Some(pending) = self.take_pending(item) else { return false };
        if let Some(view) = &mut self.view {
            view.remove(item);
        }
        self.free(&pending.signed.header().slot, item);
        self.tidy();
        true
    }

    /// An author said two things: nothing of it is stood behind any more.
    pub(super) fn disown(&mut self, author: &NodeId) {
        for item in self.slots.remove(author).into_iter().flat_map(BTreeMap::into_values) {
            self.index.remove(&item);
            self.arriving.remove(&item);
            self.take_pending(&item);
            if let Some(view) = &mut self.view {
                view.remove(&item);
            }
        }
        self.tidy();
    }

    /// What is in a slot.
    pub(super) fn taken(&self, slot: &Slot) -> Option<Item> {
        self.slots.get(&slot.author)?.get(&(slot.generation, slot.seq)).copied()
    }

    /// The header of what is pending.
    pub(super) fn header(&self, item: &Item) -> Option<&SignedHeader> {
        self.pending.get(item).map(|pending| &pending.signed)
    }

    /// Whether a message is here, pending, or on its way to the disk.
    pub(super) fn contains(&self, item: &Item) -> bool {
        self.index.contains(item) || self.pending.contains_key(item) || self.arriving.contains(item)
    }

    /// Whether this node stands behind a message.
    pub(super) fn stands(&self, item: &Item) -> bool {
        self.index.contains(item)
    }

    /// What is served.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// What is compared with what others serve.
    pub(super) fn view(&self) -> &Index {
        self.view.as_ref().unwrap_or(&self.index)
    }

    /// Messages that are pending, and their bytes.
    pub(super) fn pending(&self) -> (usize, usize) {
        (self.pending.len(), self.pending_bytes)
    }

    /// How many of them a peer has brought, and their bytes.
    pub(super) fn brought(&self, peer: &NodeId) -> (usize, usize) {
        self.brought.get(peer).copied().unwrap_or_default()
    }

    /// Whether a message is so old that it may have been here, and let go.
    pub(super) const fn has_let_go(&self, item: &Item) -> bool {
        item.at() < self.floor
    }

    /// From when on everything is here that this node ever stood behind.
    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    fn take_pending(&mut self, item: &Item) -> Option<Pending> {
        let pending = self.pending.remove(item)?;
        self.pending_bytes = self.pending_bytes.saturating_sub(pending.weight);
        if let Some((count, bytes)) = self.brought.get_mut(&pending.from) {
            *count = count.saturating_sub(1);
            *bytes = bytes.saturating_sub(pending.weight);
            if *count == 0 {
                self.brought.remove(&pending.from);
            }
        }
        Some(pending)
    }

    fn take(&mut self, slot: &Slot, item: Item) {
        self.slots.entry(slot.author).or_default().insert((slot.generation, slot.seq), item);
    }

    fn free(&mut self, slot: &Slot, item: &Item) {
        let Some(author) = self.slots.get_mut(&slot.author) else { return };
        if author.get(&(slot.generation, slot.seq)) == Some(item) {
            author.remove(&(slot.generation, slot.seq));
        }
        if author.is_empty() {
            self.slots.remove(&slot.author);
        }
    }

    /// While nothing is pending, one index is enough.
    fn tidy(&mut self) {
        if self.pending.is_empty() {
            self.view = None;
        }
    }
}
