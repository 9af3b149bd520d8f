//! What the process of a run and those of its nodes say to each other: a line of JSON each, on stdin and stdout.

use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Held, MessageId, Network, Slot, Timestamp, TopicId};
use serde::{Deserialize, Serialize};

/// The first line that a node's process reads: which node it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Brief {
    /// The scenario, as TOML.
    pub(super) scenario: String,
    pub(super) node: usize,
    pub(super) ip: Ipv4Addr,
    /// Where it keeps what it must not forget.
    pub(super) folder: PathBuf,
    /// The last message that its application has of each topic.
    pub(super) after: BTreeMap<String, String>,
}

/// What it is told then. At the end of its input it shuts down.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// Other nodes may be reached there.
    Peers(Vec<String>),
    /// Publish so many bytes of this.
    Publish { request: u64, topic: String, payload: String },
}

/// What it says. What was said before it was killed is heard.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// It is up.
    Ready { addresses: Vec<String>, generation: u64 },
    /// Its application has a receipt.
    Published { request: u64, id: String },
    /// Its application has read a message.
    Read(Read),
    /// This is on its disk; the core is told before it takes part.
    Holds(Vec<OnDisk>),
    /// And that is all.
    ToldAll,
    /// It has banned a peer.
    Banned { peer: NodeId, cause: String },
    /// It holds a proof.
    Exposed { author: NodeId },
    /// How it stands.
    Stands { witnesses: usize, is_ready: bool },
}

/// A message as its application has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Read {
    pub(super) id: String,
    pub(super) topic: String,
    pub(super) author: NodeId,
    pub(super) generation: u64,
    pub(super) seq: u64,
    pub(super) bytes: usize,
    pub(super) vouchers: Vec<NodeId>,
    pub(super) missed: u64,
}

/// A message on disk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct OnDisk {
    id: String,
    author: NodeId,
    topic: u16,
    generation: u64,
    seq: u64,
    timestamp_ms: u64,
    is_open: bool,
}

impl From<&Held> for OnDisk {
    fn from(held: &Held) -> Self {
        let Slot { author, topic, generation, seq } = held.slot;
        Self {
            id: held.id.to_string(),
            author,
            topic: topic.index(),
            generation,
            seq,
            timestamp_ms: held.timestamp.as_millis(),
            is_open: held.is_open,
        }
    }
}

impl OnDisk {
    pub(super) fn held(&self, network: &Network) -> Option<Held> {
        let id: MessageId = self.id.parse().ok()?;
        let topic = topic(network, |topic| topic.index() == self.topic)?;
        let Self { author, generation, seq, is_open, .. } = *self;
        let timestamp = Timestamp::from_millis(self.timestamp_ms);
        Some(Held { id, slot: Slot { author, topic, generation, seq }, timestamp, is_open })
    }
}

/// The first topic of which this is true.
fn topic(network: &Network, is_it: impl Fn(TopicId) -> bool) -> Option<TopicId> {
    network.topics().map(|(topic, _)| topic).find(|topic| is_it(*topic))
}
