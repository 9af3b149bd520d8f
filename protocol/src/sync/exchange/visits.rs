//! Random peers, beside witnesses: who is visited for its records is compared with in passing.
//!
//! Witnesses stay for minutes, and after a cut they are all of one's own half. Whom a node visits is drawn anew each
//! time. Such a peer can say what is lacking here, and serve it; it confirms nothing, and nothing is held against it.

use forsooth_crypto::NodeId;

use super::{OPEN_MAX, Sync, rounds::Haste};
use crate::{
    defences::Safeguard,
    machine::{Cx, Signal},
    network::TopicId,
};

impl Sync {
    /// A peer is being visited: it is compared with on all topics on which that is due.
    pub(super) fn visit(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if !self.defences.has(Safeguard::CrossVerification) {
            return;
        }
        let ids: Vec<TopicId> = self.topics.keys().copied().collect();
        for id in ids {
            let open: usize = self.topics.values().map(|topic| topic.rounds.len()).sum();
            let Some(topic) = self.topics.get_mut(&id) else { continue };
            let is_room = open < OPEN_MAX && topic.rounds.room(Haste::Now) > 0;
            if is_room && !topic.is_refusing(cx.now) && topic.rounds.visits(cx.now, cx.rng) {
                self.visiting.insert(peer);
                self.compare(peer, id, cx);
            }
        }
    }

    /// Whether a peer is visited for more than its records.
    pub(crate) fn is_visiting(&self, peer: &NodeId) -> bool {
        self.visiting.contains(peer)
    }

    /// Says of whom no more is expected.
    pub(super) fn end_visits(&mut self, cx: &mut Cx<'_>) {
        let Self { visiting, topics, .. } = self;
        visiting.retain(|peer| {
            let is_engaged =
                topics.values().any(|it| it.rounds.has(peer) || it.wants.concern(peer));
            if !is_engaged {
                cx.signals.push_back(Signal::Compared { peer: *peer });
            }
            is_engaged
        });
    }
}
