//! One tree for each topic: which neighbours get payloads at once, and which get ids.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use crate::{network::TopicId, time::Time};

/// A neighbour that still sends duplicates so long after it was told to be lazy is told again: our word and a
/// graft of its own have crossed, and each side believes something else. Longer than most round trips.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// The neighbours, and on which topics each is lazy, with when it was last told. A newcomer is eager
/// everywhere; the first duplicate tells whether that was one link too many.
#[derive(Debug, Default)]
pub(super) struct Trees {
    neighbours: BTreeMap<NodeId, BTreeMap<TopicId, Time>>,
}

impl Trees {
    pub(super) fn join(&mut self, peer: NodeId) {
        self.neighbours.entry(peer).or_default();
    }

    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.neighbours.remove(peer);
    }

    pub(super) fn knows(&self, peer: &NodeId) -> bool {
        self.neighbours.contains_key(peer)
    }

    /// Makes a neighbour eager.
    pub(super) fn graft(&mut self, peer: NodeId, topic: TopicId) {
        if let Some(lazy) = self.neighbours.get_mut(&peer) {
            lazy.remove(&topic);
        }
    }

    /// Makes a neighbour lazy because it sent a duplicate; whether it is to be told.
    pub(super) fn prune(&mut self, peer: NodeId, topic: TopicId, now: Time) -> bool {
        let Some(lazy) = self.neighbours.get_mut(&peer) else { return false };
        if lazy.get(&topic).is_some_and(|told| now.since(*told) < TELL_AGAIN) {
            return false;
        }
        lazy.insert(topic, now);
        true
    }

    pub(super) fn eager(&self, peer: &NodeId, topic: TopicId) -> bool {
        self.neighbours.get(peer).is_some_and(|lazy| !lazy.contains_key(&topic))
    }

    /// All neighbours, and whether each is eager on the topic.
    pub(super) fn neighbours(&self, topic: TopicId) -> impl Iterator<Item = (NodeId, bool)> {
        self.neighbours.iter().map(move |(peer, lazy)| (*peer, !lazy.contains_key(&topic)))
    }
}
