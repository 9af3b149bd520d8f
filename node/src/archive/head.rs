//! What is known of a kept message without reading it, and what is known of it beside its frame once it is accepted.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Held, MessageId, Slot, Timestamp, TopicId};

/// How this node stands to a message that it keeps, without by whose word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// This node is its author.
    Own,
    /// It is verified and valid, and this node vouches for it.
    Held,
    /// It has met its topic's policy here.
    Accepted,
}

/// A row of the table `heads`: when it was published, its lifetime in ms, how we stand to it, its place if it has one, its author,
/// generation and number, and the bytes of its frame.
pub(super) type Row = (u64, u32, u8, Option<u64>, [u8; 32], u64, u64, u32);

/// What is known of a message without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) id: MessageId,
    pub(crate) slot: Slot,
    pub(crate) published: Timestamp,
    pub(crate) lifetime: Duration,
    pub(crate) mark: Mark,
    /// Where it stands among those that were accepted.
    pub(crate) place: Option<u64>,
    /// Of its frame.
    pub(crate) bytes: u32,
}

impl Mark {
    const fn number(self) -> u8 {
        match self {
            Self::Own => 0,
            Self::Held => 1,
            Self::Accepted => 2,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Own),
            1 => Some(Self::Held),
            2 => Some(Self::Accepted),
            _ => None,
        }
    }
}

impl Head {
    /// As the core wants to be told of it.
    pub(crate) fn held(&self) -> Held {
        let is_open = match self.mark {
            Mark::Held => true,
            Mark::Own | Mark::Accepted => false,
        };
        Held { id: self.id, slot: self.slot, timestamp: self.published, is_open }
    }

    /// Whether it was accepted, and could be again, since its time is not over.
    pub(crate) fn could_come_again(&self, now: Timestamp) -> bool {
        self.mark == Mark::Accepted && now < self.published.saturating_add(self.lifetime)
    }

    pub(super) fn row(&self) -> Row {
        let lifetime = u32::try_from(self.lifetime.as_millis()).unwrap_or(u32::MAX);
        let Slot { author, generation, seq, .. } = self.slot;
        (
            self.published.as_millis(),
            lifetime,
            self.mark.number(),
            self.place,
            *author.as_bytes(),
            generation,
            seq,
            self.bytes,
        )
    }

    /// Nothing for what this version has not written.
    pub(super) fn from_row(topic: TopicId, id: [u8; 32], row: Row) -> Option<Self> {
        let (published, lifetime, mark, place, author, generation, seq, bytes) = row;
        Some(Self {
            id: MessageId::from_bytes(id),
            slot: Slot { author: NodeId::from_bytes(author), topic, generation, seq },
            published: Timestamp::from_millis(published),
            lifetime: Duration::from_millis(lifetime.into()),
            mark: Mark::from_number(mark)?,
            place,
            bytes,
        })
    }
}

/// When a message was accepted, and by whose word.
///
/// ```text
/// published 8 | id 32 | accepted 8 | vouchers 2 | attestors 2 | 32 each
/// ```
///
/// Numbers are little-endian, times milliseconds since the Unix epoch. The first two say where its frame is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) published: Timestamp,
    pub(super) id: [u8; 32],
    pub(super) accepted: Timestamp,
    pub(super) vouchers: Vec<NodeId>,
    pub(super) attestors: Vec<NodeId>,
}

impl Word {
    pub(super) fn encode(&self) -> Vec<u8> {
        let count = |nodes: &[NodeId]| u16::try_from(nodes.len()).unwrap_or(u16::MAX);
        let mut bytes = self.published.as_millis().to_le_bytes().to_vec();
        bytes.extend(self.id);
        bytes.extend(self.accepted.as_millis().to_le_bytes());
        bytes.extend(count(&self.vouchers).to_le_bytes());
        bytes.extend(count(&self.attestors).to_le_bytes());
        for nodes in [&self.vouchers, &self.attestors] {
            for node in nodes.iter().take(usize::from(u16::MAX)) {
                bytes.extend(node.as_bytes());
            }
        }
        bytes
    }

    /// Nothing for what is cut short or goes on too long.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (published, rest) = bytes.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<32>()?;
        let (accepted, rest) = rest.split_first_chunk::<8>()?;
        let (nodes, rest) = nodes(rest)?;
        let [vouchers, attestors] = nodes;
        let time = |bytes: &[u8; 8]| Timestamp::from_millis(u64::from_le_bytes(*bytes));
        let word = Self {
            published: time(published),
            id: *id,
            accepted: time(accepted),
            vouchers,
            attestors,
        };
        rest.is_empty().then_some(word)
    }
}

/// Vouchers and attestors from both counts on, and what comes after them.
pub(super) fn nodes(bytes: &[u8]) -> Option<([Vec<NodeId>; 2], &[u8])> {
    let (vouchers, rest) = bytes.split_first_chunk::<2>()?;
    let (attestors, mut rest) = rest.split_first_chunk::<2>()?;
    let mut take = |count: &[u8; 2]| {
        let mut nodes = Vec::new();
        for _ in 0..u16::from_le_bytes(*count) {
            let (node, after) = rest.split_first_chunk::<32>()?;
            nodes.push(NodeId::from_bytes(*node));
            rest = after;
        }
        Some(nodes)
    };
    let both = [take(vouchers)?, take(attestors)?];
    Some((both, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_written_and_not_if_anything_is_cut_or_added() {
        let node = |byte| NodeId::from_bytes([byte; 32]);
        let word = Word {
            published: Timestamp::from_millis(1),
            id: [7; 32],
            accepted: Timestamp::from_millis(u64::MAX),
            vouchers: vec![node(1), node(2)],
            attestors: vec![node(3)],
        };
        let mut bytes = word.encode();
        assert_eq!(Word::decode(&bytes), Some(word));
        for length in 0..bytes.len() {
            assert_eq!(Word::decode(&bytes[..length]), None, "{length}");
        }
        bytes.push(0);
        assert_eq!(Word::decode(&bytes), None);
    }
}
