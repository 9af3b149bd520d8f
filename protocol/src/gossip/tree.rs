//! One tree for each topic: which neighbours get payloads at once, and which get ids.

use core::time::Duration;

use forsooth_crypto::NodeId;

use crate::{network::TopicId, peer_map::PeerMap, time::Time};

/// A neighbour that still sends duplicates so long after it was told to be lazy is told again: our word and a
/// graft of its own have crossed, and each side believes something else. Longer than most round trips.
const TELL_AGAIN: Duration = Duration::from_secs(1);

/// The neighbours, and on which topics each is lazy, with when it was last told. A newcomer is eager
/// everywhere; the first duplicate tells whether that was one link too many.
#[derive(Debug, Default)]
pub(super) struct Trees {
    neighbours: PeerMap<Lazy>,
}

/// The topics on which a neighbour is lazy, in order, with when it was last told: most networks have few.
#[derive(Debug, Default)]
struct Lazy(Vec<(TopicId, Time)>);

impl Lazy {
    fn on(&self, topic: TopicId) -> bool {
        self.place(topic).is_ok()
    }

    /// Where a topic is, or where it would be.
    fn place(&self, topic: TopicId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&topic, |(topic, _)| *topic)
    }
}

impl Trees {
    pub(super) fn join(&mut self, peer: NodeId) {
        if !self.neighbours.contains_key(&peer) {
            self.neighbours.insert(peer, Lazy::default());
        }
    }

    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.neighbours.remove(peer);
    }

    pub(super) fn knows(&self, peer: &NodeId) -> bool {
        self.neighbours.contains_key(peer)
    }

    /// Makes a neighbour eager.
    pub(super) fn graft(&mut self, peer: NodeId, topic: TopicId) {
        if let Some(lazy) = self.neighbours.get_mut(&peer)
            && let Ok(place) = lazy.place(topic)
        {
            lazy.0.remove(place);
        }
    }

    /// Makes a neighbour lazy because it sent a duplicate; whether it is to be told.
    pub(super) fn prune(&mut self, peer: NodeId, topic: TopicId, now: Time) -> bool {
        let Some(lazy) = self.neighbours.get_mut(&peer) else { return false };
        match lazy.place(topic) {
            Err(place) => lazy.0.insert(place, (topic, now)),
            Ok(place) => {
                let Some((_, told)) = lazy.0.get_mut(place) else { return false };
                if now.since(*told) < TELL_AGAIN {
                    return false;
                }
                *told = now;
            }
        }
        true
    }

    pub(super) fn eager(&self, peer: &NodeId, topic: TopicId) -> bool {
        self.neighbours.get(peer).is_some_and(|lazy| !lazy.on(topic))
    }

    /// All neighbours, and whether each is eager on the topic.
    pub(super) fn neighbours(&self, topic: TopicId) -> impl Iterator<Item = (NodeId, bool)> {
        self.neighbours.iter().map(move |(peer, lazy)| (*peer, !lazy.on(topic)))
    }
}
