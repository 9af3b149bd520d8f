//! What attackers make messages from.

use std::time::Duration;

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Class, MessageId, Publication, Slot, Timestamp, TopicId,
    wire::{Frame, IDS_MAX},
};
use rand::RngExt as _;

use super::Cx;

/// A message before it is signed, for those who lie about one thing of it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) slot: Slot,
    pub(super) timestamp: Timestamp,
    pub(super) lifetime: Duration,
    pub(super) payload: Bytes,
}

impl Draft {
    /// A message that nobody would object to if its author signed it now. The slot is one that the cores of
    /// adversaries, who publish nothing, leave free.
    pub(super) fn new(author: NodeId, seq: u64, payload: &'static str, cx: &Cx<'_>) -> Self {
        let slot = Slot { author, topic: cx.topic, generation: cx.wall.as_secs(), seq };
        let lifetime = cx.network.topic(cx.topic).lifetime_max;
        Self { slot, timestamp: cx.wall, lifetime, payload: Bytes::from_static(payload.as_bytes()) }
    }

    /// Signs it with a key, the author's or not.
    pub(super) fn sign(self, keypair: &Keypair, cx: &Cx<'_>) -> Publication {
        let Self { slot, timestamp, lifetime, payload } = self;
        Publication::sign(slot, timestamp, lifetime, payload, keypair, cx.network)
    }
}

/// A key that costs nothing and is used once.
pub(super) fn throwaway(cx: &mut Cx<'_>) -> Keypair {
    Keypair::from_seed(cx.rng.random())
}

/// Ids of messages that do not exist.
pub(super) fn phantoms(count: usize, cx: &mut Cx<'_>) -> Vec<MessageId> {
    (0..count.min(IDS_MAX)).map(|_| MessageId::from_bytes(cx.rng.random())).collect()
}

/// A frame that vouches for these.
pub(super) fn vouch(topic: TopicId, ids: impl IntoIterator<Item = MessageId>) -> Bytes {
    Frame::Vouch { topic, ids: ids.into_iter().take(IDS_MAX).collect() }.encode()
}

/// Asks a peer what it means by the names in a frame of its, if it is a vouch.
pub(super) fn inquire(from: NodeId, frame: &Frame, cx: &mut Cx<'_>) {
    if let Frame::ShortVouch { names } = frame {
        let names = names.iter().take(IDS_MAX).copied().collect();
        cx.attack(from, Class::Tree, Frame::Inquire { names, payloads: false }.encode());
    }
}

/// A frame that asks for these.
pub(super) fn graft(topic: TopicId, ids: impl IntoIterator<Item = MessageId>) -> Bytes {
    Frame::Graft { topic, ids: ids.into_iter().take(IDS_MAX).collect() }.encode()
}
