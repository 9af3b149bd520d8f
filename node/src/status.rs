//! What a node looks like at one moment, for status pages and metrics.

use std::{sync::Arc, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Direction, Network, Snapshot, Timestamp, membership::News};
use libp2p::Multiaddr;

use crate::{
    Keeping,
    net::stats::{PerClass, PerLane, Stats, Traffic},
};

/// The state of a node at one moment. Counters run since its start.
#[derive(Clone, Debug)]
pub struct NodeSnapshot {
    /// Who it is.
    pub id: NodeId,
    /// The network it takes part in.
    pub network: Arc<Network>,
    /// What the core knows: links, topics, bans, faults, bounds.
    pub core: Snapshot,
    /// Connected peers that speak the network's protocol, whether or not they have said hello.
    pub links: Vec<LinkSnapshot>,
    /// Where it listens, each address with `/p2p/` and its peer id.
    pub listen: Vec<Multiaddr>,
    /// Where others reach it, as its operator says.
    pub external: Vec<Multiaddr>,
    /// When it was started.
    pub started: Timestamp,
    /// For how long it has run.
    pub uptime: Duration,
    /// Frames of all links, those that are gone included.
    pub traffic: TrafficTotals,
    /// Signature checks.
    pub verification: Verification,
    /// Validations under way or waiting.
    pub validations_pending: usize,
    /// What subscriptions got.
    pub delivery: Delivery,
    /// Dials that came to nothing.
    pub dials_failed: u64,
    /// What became of members.
    pub member_changes: MemberChanges,
    /// How keeping messages goes; nothing on a network that keeps none.
    pub keeping: Option<Keeping>,
}

/// The transport's view of a link; the core's is in [`Snapshot::links`](forsooth_protocol::Snapshot).
#[derive(Clone, Debug)]
pub struct LinkSnapshot {
    /// Who.
    pub peer: NodeId,
    /// Who dialled.
    pub direction: Direction,
    /// The address at the other end.
    pub remote: Multiaddr,
    /// How long it has been up.
    pub age: Duration,
    /// Bytes and frames each way, drops, and what waits.
    pub stats: Stats,
}

/// Frames of all links since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficTotals {
    /// That arrived.
    pub received: PerLane<Traffic>,
    /// That were queued for a peer.
    pub sent: PerClass<Traffic>,
    /// That a peer's full queue refused.
    pub refused: PerClass<u64>,
}

/// Signature checks since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Batches that were checked.
    pub batches: u64,
    /// Checks in them.
    pub checks: u64,
    /// Checks that failed.
    pub rejected: u64,
    /// The largest batch.
    pub batch_max: usize,
    /// Time that threads spent on them.
    pub spent: Duration,
    /// Checks that wait for a thread, those already queued for one not included.
    pub waiting: usize,
}

/// What was handed to subscriptions since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Messages queued for a subscription, counted once for each.
    pub delivered: u64,
    /// Messages dropped because a subscription was read too slowly, counted once for each.
    pub missed: u64,
}

/// What became of members since the start, as this node has learned it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemberChanges {
    /// That joined, or began a new life.
    pub joined: u64,
    /// That several observers accused.
    pub suspected: u64,
    /// That have shown that they live after that.
    pub recovered: u64,
    /// That were certified dead.
    pub died: u64,
    /// That said that they leave.
    pub left: u64,
    /// That signed two things.
    pub evicted: u64,
}

impl MemberChanges {
    /// Each by the name of its news.
    #[must_use]
    pub const fn by_name(&self) -> [(&'static str, u64); 6] {
        let Self { joined, suspected, recovered, died, left, evicted } = *self;
        [
            ("joined", joined),
            ("suspected", suspected),
            ("recovered", recovered),
            ("died", died),
            ("left", left),
            ("evicted", evicted),
        ]
    }

    pub(crate) const fn count(&mut self, news: &News) {
        let count = match news {
            News::Joined { .. } => &mut self.joined,
            News::Suspected { .. } => &mut self.suspected,
            News::Recovered { .. } => &mut self.recovered,
            News::Died { .. } => &mut self.died,
            News::Left { .. } => &mut self.left,
            News::Evicted { .. } => &mut self.evicted,
        };
        *count = count.saturating_add(1);
    }
}
