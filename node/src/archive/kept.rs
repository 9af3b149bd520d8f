//! A message as it is kept: when it was accepted, by whose word, and the frame.
//!
//! ```text
//! id 32 | published 8 | accepted 8 | vouchers 2 | attestors 2 | 32 each | the frame
//! ```
//!
//! Numbers are little-endian, times milliseconds since the Unix epoch. Id and time of publishing are in the frame as well; they are in
//! front so that old messages can be removed without reading them.

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{MessageId, Network, Publication, Timestamp, TopicId, wire::Frame};

use crate::Message;

/// A message that this node stands behind.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) topic: TopicId,
    pub(crate) publication: Publication,
    pub(crate) vouchers: Vec<NodeId>,
    pub(crate) attestors: Vec<NodeId>,
    pub(crate) accepted: Timestamp,
}

impl Kept {
    /// Bytes of its frame, about what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.publication.frame().len()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let count = |nodes: &[NodeId]| u16::try_from(nodes.len()).unwrap_or(u16::MAX);
        let published = self.publication.header().timestamp;
        let mut bytes = self.publication.id().as_bytes().to_vec();
        bytes.extend(published.as_millis().to_le_bytes());
        bytes.extend(self.accepted.as_millis().to_le_bytes());
        bytes.extend(count(&self.vouchers).to_le_bytes());
        bytes.extend(count(&self.attestors).to_le_bytes());
        for nodes in [&self.vouchers, &self.attestors] {
            for node in nodes.iter().take(usize::from(u16::MAX)) {
                bytes.extend(node.as_bytes());
            }
        }
        bytes.extend(self.publication.frame());
        bytes
    }

    /// Nothing for what this network could not have written.
    pub(super) fn decode(topic: TopicId, bytes: &[u8], network: &Network) -> Option<Self> {
        let (_, rest) = bytes.split_first_chunk::<40>()?;
        let (accepted, rest) = rest.split_first_chunk::<8>()?;
        let (vouchers, rest) = rest.split_first_chunk::<2>()?;
        let (attestors, mut rest) = rest.split_first_chunk::<2>()?;
        let mut nodes = |count: &[u8; 2]| {
            let mut nodes = Vec::new();
            for _ in 0..u16::from_le_bytes(*count) {
                let (node, after) = rest.split_first_chunk::<32>()?;
                nodes.push(NodeId::from_bytes(*node));
                rest = after;
            }
            Some(nodes)
        };
        let (vouchers, attestors) = (nodes(vouchers)?, nodes(attestors)?);
        let accepted = Timestamp::from_millis(u64::from_le_bytes(*accepted));
        let frame = Frame::decode(&Bytes::copy_from_slice(rest), network).ok()?;
        let Frame::Publication(publication) = frame else { return None };
        Some(Self { topic, publication, vouchers, attestors, accepted })
    }

    /// In the application's terms.
    pub(crate) fn into_message(self, network: &Network) -> Message {
        let header = *self.publication.header();
        Message {
            topic: network.topic(self.topic).name.clone(),
            payload: self.publication.payload().clone(),
            author: header.slot.author,
            id: self.publication.id(),
            vouchers: self.vouchers,
            attestors: self.attestors,
            published: header.timestamp,
            accepted: self.accepted,
            missed: 0,
            generation: header.slot.generation,
            seq: header.slot.seq,
        }
    }
}

/// Which message it is, and when it was published, without reading the rest.
pub(super) fn head(bytes: &[u8]) -> Option<(MessageId, Timestamp)> {
    let (id, rest) = bytes.split_first_chunk::<32>()?;
    let (published, _) = rest.split_first_chunk::<8>()?;
    let published = Timestamp::from_millis(u64::from_le_bytes(*published));
    Some((MessageId::from_bytes(*id), published))
}
