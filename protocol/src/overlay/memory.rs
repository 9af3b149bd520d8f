//! What the overlay keeps over a restart: the book, and its anchors.
//!
//! A restart is when an eclipse pays most (Heilman et al., section 4): whoever has filled the table of a node
//! then fills its links. So whom it was linked with is dialled first, and what it had reached itself is
//! tried before what others have told.

use core::time::Duration;

use bytes::Bytes;
use forsooth_crypto::NodeId;

use super::{
    Cx, Effect, Errand, Overlay, Signal, SignedRecord,
    book::{Learned, Stored},
    record::LIFETIME,
};

/// How often the shell is told what to store.
pub(super) const STORE_EVERY: Duration = Duration::from_secs(60);
/// Our record may be dated so far ahead of our own clock.
const BACK_MAX: Duration = Duration::from_secs(5);
/// Entries stored at once.
const STORED_MAX: usize = 256;
/// Peers of the book that are visited first after a restart.
const REVISITED: usize = 16;

impl Overlay {
    /// A peer of an earlier life, if what was stored of it is in good order and may still be dialled.
    ///
    /// Its record was verified before it was stored, and is not again: it says whom to dial and is never
    /// passed on. Whoever could write to our disk could as well take our key.
    pub(super) fn restore(&mut self, peer: NodeId, entry: Bytes) -> Option<Learned> {
        let stored = Stored::decode(entry)?;
        let record = SignedRecord::from_bytes(&stored.record, &self.config.network).ok()?;
        let contact = record.to_contact();
        if contact.peer != peer {
            return None;
        }
        // What may not be dialled any more is forgotten.
        self.book.restore(stored, contact).ok()
    }

    /// Anchors of an earlier life.
    pub(super) fn restore_anchors(&mut self, peers: Vec<NodeId>) {
        self.book.restore_anchors(peers);
        self.anchors = self.book.anchors().to_vec();
        // The most trusted is taken first, from the end.
        self.anchors.reverse();
        self.trusted = self.anchors.iter().copied().collect();
    }

    /// All of an earlier life has been restored: whom to look up first.
    pub(crate) fn recall(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..REVISITED {
            let Some(peer) = self.book.pick_tried(cx.wall, cx.rng) else { break };
            if !self.errands.contains_key(&peer) {
                self.send_on(peer, Errand { pull: true, push: false }, cx);
            }
        }
        self.restless = true;
    }

    /// The links that were drawn, the oldest first.
    pub(crate) fn anchor(&mut self, drawn: impl IntoIterator<Item = NodeId>) {
        self.book.set_anchors(drawn);
    }

    /// Has the shell store what has changed, and our record signed anew before it is old.
    pub(super) fn remember(&mut self, cx: &mut Cx<'_>) {
        if let Some(own) = &self.own
            // Or if our clock was set back: others take no record from the future.
            && (own.record().time.saturating_add(LIFETIME / 4) <= cx.wall
                || own.record().time > cx.wall.saturating_add(BACK_MAX))
        {
            cx.signals.push_back(Signal::Announce);
        }
        if cx.now >= self.store_at {
            self.store_at = cx.now + STORE_EVERY;
            self.store(cx);
        }
    }

    /// Has the shell store what has changed since the last time, as much as it takes at once.
    pub(crate) fn store(&mut self, cx: &mut Cx<'_>) {
        let changes = self.book.changes(STORED_MAX);
        changes.into_iter().for_each(|record| cx.order(Effect::Store(record)));
    }
}
