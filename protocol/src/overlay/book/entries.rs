//! The peers of a book: by their ids, and by the short handles that its slots hold.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use slab::Slab;

use super::entry::Entry;

/// Stands for a peer for as long as it is in the book; a slot holds it instead of an id that is sixteen times as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle(u16);

/// All peers of a book, each once.
#[derive(Debug, Default)]
pub(super) struct Entries {
    handles: BTreeMap<NodeId, Handle>,
    entries: Slab<Entry>,
}

impl Entries {
    /// Adds a peer in the place of what was known of it; `None` if there are no more handles, of which there are more than slots
    /// in a book.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<Handle> {
        self.remove(&entry.contact.peer);
        let handle = Handle(u16::try_from(self.entries.vacant_key()).ok()?);
        if self.entries.len() == self.entries.capacity() {
            // By a quarter: in a large network this is most of a node's memory.
            self.entries.reserve_exact(self.entries.len() / 4 + 4);
        }
        self.handles.insert(entry.contact.peer, handle);
        self.entries.insert(entry);
        Some(handle)
    }

    pub(super) fn remove(&mut self, peer: &NodeId) -> Option<Entry> {
        let Handle(place) = self.handles.remove(peer)?;
        self.entries.try_remove(place.into())
    }

    pub(super) fn get(&self, peer: &NodeId) -> Option<&Entry> {
        self.at(self.handle(peer)?)
    }

    pub(super) fn get_mut(&mut self, peer: &NodeId) -> Option<&mut Entry> {
        let Handle(place) = self.handle(peer)?;
        self.entries.get_mut(place.into())
    }

    /// Whom a handle stands for.
    pub(super) fn at(&self, Handle(place): Handle) -> Option<&Entry> {
        self.entries.get(place.into())
    }

    /// What stands for a peer.
    pub(super) fn handle(&self, peer: &NodeId) -> Option<Handle> {
        self.handles.get(peer).copied()
    }

    /// All peers, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.handles.values().filter_map(|handle| self.at(*handle))
    }

    pub(super) fn len(&self) -> usize {
        self.handles.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }
}
