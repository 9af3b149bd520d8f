//! What one run is to do, and what it found: handed between the process that compares and those that measure.

use clap::ValueEnum;
use forsooth_protocol::network::Policy;
use serde::{Deserialize, Serialize};

/// A gossip library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    /// This project's node, accepting by vouches.
    Forsooth,
    /// libp2p-gossipsub with its defaults: signed, strict validation.
    Gossipsub,
    /// iroh-gossip as it ships: unsigned.
    Iroh,
}

impl System {
    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forsooth => "forsooth",
            Self::Gossipsub => "gossipsub",
            Self::Iroh => "iroh",
        }
    }
}

/// How messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Load {
    /// Every node publishes, as soon as its oldest message under way has arrived everywhere; so many are under way
    /// in all.
    Saturated { in_flight: usize },
    /// So many messages a second in all, each by a random node.
    Steady { per_second: f64 },
}

/// One run of one system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) system: System,
    pub(crate) load: Load,
    pub(crate) nodes: usize,
    pub(crate) payload_bytes: usize,
    /// Other nodes that each node is told of at the start.
    pub(crate) contacts: usize,
    /// Forsooth's policy, `k` of `n`.
    pub(crate) k: u16,
    pub(crate) n: u16,
    /// Time without load, once all nodes are linked.
    pub(crate) settle_seconds: f64,
    /// Time with load that is not measured.
    pub(crate) warm_up_seconds: f64,
    /// Time that is measured.
    pub(crate) seconds: f64,
    pub(crate) seed: u64,
}

impl Task {
    /// When Forsooth hands over a message.
    pub(crate) const fn policy(&self) -> Policy {
        Policy::Vouched { k: self.k, n: self.n }
    }
}

/// What one run found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) task: Task,
    /// Messages published while it was measured.
    pub(crate) published: u64,
    /// Messages that a library refused to publish.
    pub(crate) refused: u64,
    /// Messages handed to applications while it was measured.
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_second: f64,
    /// Of what was published while it was measured, and time enough to arrive.
    pub(crate) delivery_ratio: f64,
    /// From publishing until the application has it.
    pub(crate) latency_ms: Quantiles,
    /// Forsooth only: from publishing until it is verified and passed on, before enough vouch for it.
    pub(crate) verified_ms: Option<Quantiles>,
    pub(crate) cpu_us_per_delivery: f64,
    /// Of the machine's processors, 1 for each.
    pub(crate) cpu_cores: f64,
    /// What crossed the loopback interface, headers and acknowledgements included.
    pub(crate) wire_bytes_per_payload_byte: f64,
    pub(crate) wire_packets_per_delivery: f64,
    /// Resident memory for each node, linked and without load.
    pub(crate) idle_bytes_per_node: u64,
    /// The same, at the end of the load.
    pub(crate) loaded_bytes_per_node: u64,
    /// Nobody else used the loopback interface.
    pub(crate) loopback_is_own: bool,
}

/// Of times, in ms.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}
