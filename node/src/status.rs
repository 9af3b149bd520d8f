//! What a node looks like at one moment, for status pages and metrics.

use std::{sync::Arc, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Direction, Network, Snapshot, Timestamp};
use libp2p::Multiaddr;

use crate::net::stats::{PerClass, PerLane, Stats, Traffic};

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
