//! What the shell has not been told to store yet, and the telling.
//!
//! Changes of one peer between two calls are one record, so nobody can make the disk busy by changing often.

use std::collections::BTreeSet;

use forsooth_crypto::NodeId;

use super::{Book, Stored};
use crate::effect::Record;

/// What is to be stored. All who changed are in the book; all who are gone were stored.
#[derive(Debug)]
pub(super) struct Unsaved {
    changed: BTreeSet<NodeId>,
    gone: BTreeSet<NodeId>,
    anchors: bool,
    key: bool,
}

impl Unsaved {
    pub(super) const fn new() -> Self {
        Self { changed: BTreeSet::new(), gone: BTreeSet::new(), anchors: false, key: true }
    }

    /// A peer was added or has changed.
    pub(super) fn change(&mut self, peer: NodeId) {
        self.gone.remove(&peer);
        self.changed.insert(peer);
    }

    /// A peer is no longer in the book.
    pub(super) fn forget(&mut self, peer: NodeId, stored: bool) {
        self.changed.remove(&peer);
        if stored {
            self.gone.insert(peer);
        }
    }

    /// A peer is as it is stored.
    pub(super) fn keep(&mut self, peer: NodeId) {
        self.changed.remove(&peer);
    }

    pub(super) const fn change_anchors(&mut self) {
        self.anchors = true;
    }

    pub(super) const fn keep_key(&mut self) {
        self.key = false;
    }

    /// Peers to be forgotten.
    pub(super) fn gone(&self) -> usize {
        self.gone.len()
    }
}

impl Book {
    /// Up to `max` records that the shell is to store, and a key and anchors if they changed. What else has
    /// happened since the last call comes with the next.
    pub fn changes(&mut self, max: usize) -> Vec<Record> {
        let mut records = Vec::new();
        if core::mem::take(&mut self.unsaved.key) {
            records.push(Record::BookKey { key: self.key.0 });
        }
        if core::mem::take(&mut self.unsaved.anchors) {
            records.push(Record::Anchors { peers: self.anchors.clone() });
        }
        for _ in 0..max {
            if let Some(peer) = self.unsaved.gone.pop_first() {
                records.push(Record::PeerGone { peer });
            } else if let Some(peer) = self.unsaved.changed.pop_first() {
                let Some(entry) = self.entries.get_mut(&peer) else { continue };
                entry.stored = true;
                records.push(Record::Peer { peer, entry: Stored::encode(entry) });
            } else {
                break;
            }
        }
        records
    }
}
