//! What the driver shows of itself.

use std::sync::Arc;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Snapshot, Time};

use super::shell::{Link, Shell};
use crate::{
    net::identity::peer_id,
    status::{LinkSnapshot, NodeSnapshot, Verification},
};

impl Shell {
    /// The node at this moment, around what the participant says of itself.
    pub(super) fn snapshot(&self, core: Snapshot) -> NodeSnapshot {
        let links = &self.outside.swarm.behaviour().links;
        let link = |(peer, link): (&NodeId, &Link)| LinkSnapshot {
            peer: *peer,
            direction: link.direction,
            remote: link.remote.clone(),
            age: link.since.elapsed(),
            stats: links.stats(&peer_id(peer)).unwrap_or_default(),
        };
        NodeSnapshot {
            id: self.id,
            network: Arc::clone(&self.network),
            core,
            links: self.links.iter().map(link).collect(),
            listen: self.view.addresses.borrow().clone(),
            external: self.reach.external().to_vec(),
            started: self.clock.wall_at(Time::ZERO),
            uptime: self.clock.now().as_duration(),
            traffic: self.counters.traffic,
            verification: Verification {
                waiting: self.outside.checks.waiting(),
                ..self.counters.verification
            },
            validations_pending: self.outside.panel.pending(),
            delivery: self.outside.subscribers.delivery(),
            dials_failed: self.counters.dials_failed,
            member_changes: self.counters.members,
            keeping: self.outside.shelf.as_ref().map(|shelf| shelf.keeper.condition()),
        }
    }
}
