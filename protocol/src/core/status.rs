//! How a core stands, and how full its collections are.

use forsooth_crypto::NodeId;

use super::Core;
use crate::{
    links,
    membership::Membership,
    snapshot::{self, Bound, Snapshot},
};

impl Core {
    pub(super) fn status(&self) -> Snapshot {
        let topics = || self.network.topics().map(|(id, _)| id);
        let link = |(peer, link): (NodeId, &links::Link)| snapshot::Link {
            peer,
            role: link.role(),
            age: self.now.since(link.since),
            agent: link.hello.as_ref().map(|hello| hello.agent.clone()).unwrap_or_default(),
            generation: link.hello.as_ref().map_or(0, |hello| hello.generation),
            score: self.peers.score(&peer, self.now),
            eager_topics: self.gossip.eager_topics(&peer, topics()),
        };
        let links: Vec<_> = self.links.joined().map(link).collect();
        let witnesses = self.links.independent_witnesses();
        Snapshot {
            generation: self.generation,
            twin: self.twins.seen(),
            witnesses,
            witnesses_wanted: self.links.outbound_target(),
            candidates: self.overlay.candidates(),
            overlay: self.overlay.snapshot(),
            membership: self.membership.as_ref().map(Membership::snapshot),
            topics: self.acceptance.topics(),
            sync: self.sync.as_ref().map(|sync| sync.topics(self.now)).unwrap_or_default(),
            bans: self.peers.bans(self.wall()),
            exposed: self.ledger.usage()[2].0,
            faults: self.faults.clone(),
            crowded: self.crowded,
            bounds: self.bounds(links.len()),
            links,
        }
    }

    fn bounds(&self, links: usize) -> Vec<Bound> {
        let pair = |name, (used, max)| Bound { name, used, max };
        let [slots, authors, proofs, late] = self.ledger.usage();
        let [sessions, budgets] = self.evidence.usage();
        let rest = [
            self.intake.bound(),
            self.keeping.bound(),
            pair("ledger.slots", slots),
            pair("ledger.authors", authors),
            pair("ledger.proofs", proofs),
            pair("ledger.late", late),
            pair("peers.records", self.peers.usage()),
            pair("links.failures", self.links.usage()),
            pair("links.inbound", self.links.inbound_usage()),
            pair("links.visitors", self.links.visitor_usage()),
            pair("links.evictions", self.links.eviction_usage()),
            pair("links.silent", self.links.silent_usage()),
            pair("quota.peers", self.quotas.usage()),
            pair("evidence.sessions", sessions),
            pair("evidence.budgets", budgets),
        ];
        let members = self.membership.iter().flat_map(|membership| {
            membership.bounds().chain([pair("links.observers", self.links.observer_usage())])
        });
        let synced = self.sync.iter().flat_map(|sync| sync.bounds(self.links.all().count()));
        let rest = rest.into_iter().chain(self.overlay.bounds()).chain(members).chain(synced);
        self.gossip.bounds().chain(self.acceptance.bounds(links)).chain(rest).collect()
    }
}
