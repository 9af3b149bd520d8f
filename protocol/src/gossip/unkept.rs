//! Vouches that wait for the disk: of messages that are passed on already, and will be vouched for once they are kept.
//!
//! Whoever is told of everything that is here, or asks, meanwhile waits with the others. As many messages wait as the core has
//! orders that the disk has not answered, which it bounds.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use super::Gossip;
use crate::{
    message::{MessageId, Publication},
    time::Time,
};

/// When a message that is passed on is vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vouching {
    /// At once.
    Now,
    /// When it is [kept](super::Event::Kept): a vouch is a promise, and has to outlive the process.
    OnceKept,
    /// As [`Self::OnceKept`], and nobody is sent the payload unasked: most have it.
    Quietly,
}

/// Messages on their way to the disk, with those who are to be vouched to once they are there.
#[derive(Debug, Default)]
pub(super) struct Unkept {
    messages: BTreeMap<MessageId, BTreeSet<NodeId>>,
}

impl Unkept {
    /// A message is passed on; these would have been vouched to.
    pub(super) fn insert(&mut self, message: &Publication, to: impl IntoIterator<Item = NodeId>) {
        self.messages.insert(message.id(), to.into_iter().collect());
    }

    /// Has a peer wait for a vouch if the message is on its way. Whether it is.
    pub(super) fn wait(&mut self, id: &MessageId, to: NodeId) -> bool {
        let waiting = self.messages.get_mut(id);
        waiting.map(|waiting| waiting.insert(to)).is_some()
    }

    /// A message is on its way no more. Who waited for that.
    fn take(&mut self, id: &MessageId) -> BTreeSet<NodeId> {
        self.messages.remove(id).unwrap_or_default()
    }

    /// A peer is gone.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        for waiting in self.messages.values_mut() {
            waiting.remove(peer);
        }
    }
}

impl Gossip {
    /// Gives the vouches that a message's way to the disk held up.
    pub(super) fn vouch(&mut self, id: &MessageId, now: Time) {
        for to in self.unkept.take(id) {
            self.outbox.add(to, self.naming.name(&to, id), now);
        }
    }
}
