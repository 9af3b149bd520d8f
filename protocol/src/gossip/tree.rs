//! One tree for each topic: which neighbours get payloads at once, and which get ids.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use crate::network::TopicId;

/// The neighbours, and on which topics each is lazy. A newcomer is eager everywhere; the first duplicate
/// tells whether that was one link too many.
#[derive(Debug, Default)]
pub(super) struct Trees {
    neighbours: BTreeMap<NodeId, BTreeSet<TopicId>>,
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

    /// Makes a neighbour lazy; `false` if it was, or is no neighbour.
    pub(super) fn prune(&mut self, peer: NodeId, topic: TopicId) -> bool {
        self.neighbours.get_mut(&peer).is_some_and(|lazy| lazy.insert(topic))
    }

    pub(super) fn eager(&self, peer: &NodeId, topic: TopicId) -> bool {
        self.neighbours.get(peer).is_some_and(|lazy| !lazy.contains(&topic))
    }

    /// All neighbours, and whether each is eager on the topic.
    pub(super) fn neighbours(&self, topic: TopicId) -> impl Iterator<Item = (NodeId, bool)> {
        self.neighbours.iter().map(move |(peer, lazy)| (*peer, !lazy.contains(&topic)))
    }
}
