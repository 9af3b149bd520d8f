//! How each topic stands, and how full the collections are.

use std::collections::BTreeMap;

use super::{ACCEPTED_MAX, Acceptance, VOUCHES_PER_WITNESS_MAX};
use crate::{
    network::TopicId,
    snapshot::{Bound, TopicState},
};

impl Acceptance {
    /// How each topic stands.
    pub(crate) fn topics(&self) -> BTreeMap<TopicId, TopicState> {
        let mut waiting: BTreeMap<TopicId, u64> = BTreeMap::new();
        let held = self.room.iter().map(|waiting| waiting.message.header().slot.topic);
        for topic in held.chain(self.claims.topics()) {
            let count = waiting.entry(topic).or_default();
            *count = count.saturating_add(1);
        }
        let state = |(id, _)| {
            let need = self.witnesses_needed(id);
            let state = TopicState {
                subscribed: self.policies(id).any(|policy| self.subscribed.contains(&(id, policy))),
                acceptable: self.witnesses >= need,
                witnesses_needed: need,
                waiting: waiting.get(&id).copied().unwrap_or(0),
                ..self.counts.get(&id).copied().unwrap_or_default()
            };
            (id, state)
        };
        self.network.topics().map(state).collect()
    }

    /// Witnesses that must vouch now on a topic, by the strictest of its policies.
    fn witnesses_needed(&self, topic: TopicId) -> usize {
        self.policies(topic).map(|policy| policy.needed(self.witnesses)).max().unwrap_or(0)
    }

    /// Independent witnesses that are lacking for anything to be accepted on a topic.
    pub(crate) fn witnesses_lacking(&self, topic: TopicId) -> usize {
        self.witnesses_needed(topic).saturating_sub(self.witnesses)
    }

    /// How full the collections are.
    pub(crate) fn bounds(&self, links: usize) -> [Bound; 5] {
        let bound = |name, (used, max)| Bound { name, used, max };
        let vouches_max = links.max(1).saturating_mul(VOUCHES_PER_WITNESS_MAX);
        let [attestations, claims] = self.claims.usage();
        [
            bound("acceptance.attestations", attestations),
            bound("acceptance.claims_told", claims),
            bound("acceptance.vouches", (self.tally.len(), vouches_max)),
            bound("acceptance.waiting_bytes", self.room.usage()),
            bound("acceptance.accepted", (self.accepted.len(), ACCEPTED_MAX)),
        ]
    }
}
