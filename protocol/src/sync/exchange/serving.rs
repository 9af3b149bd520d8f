//! What others fetch from this node's disk: of each peer and topic one request is read and one waits, few reads at once, in turn.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{message::MessageId, network::TopicId, wire::Frame};

/// Reads that are under way for others.
const READS_MAX: usize = 4;
/// Bytes of messages in one haul, if the network's largest payload fits into as much.
pub(super) const HAUL_BYTES: usize = 128 << 10;

/// Requests of peers.
#[derive(Debug, Default)]
pub(super) struct Serving {
    queue: VecDeque<Order>,
    reading: BTreeSet<(NodeId, TopicId)>,
    /// Reads under way, whoever is still there to get them.
    reads: usize,
}

/// What a peer wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) to: For,
    pub(super) ids: Vec<MessageId>,
}

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct For {
    pub(super) peer: NodeId,
    pub(super) topic: TopicId,
    /// Of the request.
    pub(super) number: u32,
}

impl For {
    const fn whose(&self) -> (NodeId, TopicId) {
        (self.peer, self.topic)
    }
}

impl Serving {
    /// Notes a request. One of the same peer that still waits is given up: it waits for that no more.
    pub(super) fn add(&mut self, order: Order) {
        self.queue.retain(|other| other.to.whose() != order.to.whose());
        self.queue.push_back(order);
    }

    /// What is to be read now, for those who may have it.
    pub(super) fn next(&mut self, may_have: impl Fn(&NodeId) -> bool) -> Option<Order> {
        if self.reads >= READS_MAX {
            return None;
        }
        let is_free =
            |order: &Order| !self.reading.contains(&order.to.whose()) && may_have(&order.to.peer);
        let at = self.queue.iter().position(is_free)?;
        let order = self.queue.remove(at)?;
        self.reading.insert(order.to.whose());
        self.reads += 1;
        Some(order)
    }

    /// A read is done. Whether the peer is still there.
    pub(super) fn read(&mut self, to: &For) -> bool {
        self.reads = self.reads.saturating_sub(1);
        self.reading.remove(&to.whose())
    }

    /// A peer is gone.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.reading.retain(|(reader, _)| reader != peer);
        self.queue.retain(|order| order.to.peer != *peer);
    }

    /// Whose requests wait that could be read now.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &NodeId> {
        let has_room = self.reads < READS_MAX;
        let is_free = |order: &&Order| !self.reading.contains(&order.to.whose());
        let free = self.queue.iter().filter(is_free).map(|order| &order.to.peer);
        free.filter(move |_| has_room)
    }

    /// Requests that wait.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Messages as frames of at most so many bytes each; the last says that it is the last.
pub(super) fn hauls(to: &For, messages: Vec<Bytes>, bytes_max: usize) -> Vec<Frame> {
    let For { topic, number, .. } = *to;
    let haul = |frames, is_last| Frame::Haul { topic, number, frames, is_last };
    let mut hauls = Vec::new();
    let (mut frames, mut bytes) = (Vec::new(), 0_usize);
    for message in messages {
        if !frames.is_empty() && bytes.saturating_add(message.len()) > bytes_max {
            hauls.push(haul(core::mem::take(&mut frames), false));
            bytes = 0;
        }
        // A tag and a length before each.
        bytes = bytes.saturating_add(message.len()).saturating_add(5);
        frames.push(message);
    }
    hauls.push(haul(frames, true));
    hauls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(tag: u8, number: u32) -> Order {
        let peer = NodeId::from_bytes([tag; 32]);
        Order { to: For { peer, topic: TopicId::FIRST, number }, ids: Vec::new() }
    }

    #[test]
    fn few_are_read_at_once_and_of_each_peer_only_one() {
        let mut serving = Serving::default();
        (0..10).for_each(|tag| serving.add(order(tag, 1)));
        assert_eq!(core::iter::from_fn(|| serving.next(|_| true)).count(), READS_MAX);
        serving.add(order(0, 2));
        assert!(serving.read(&order(1, 1).to));
        assert_eq!(serving.next(|_| true), Some(order(4, 1)), "in turn");
        serving.leave(&order(0, 1).to.peer);
        assert!(!serving.read(&order(0, 1).to), "it is gone");
        assert_eq!(serving.len(), 5);
    }

    #[test]
    fn a_later_request_takes_the_place_of_one_that_waits() {
        let mut serving = Serving::default();
        serving.add(order(1, 1));
        assert_eq!(serving.next(|_| true), Some(order(1, 1)));
        (2..9).for_each(|number| serving.add(order(1, number)));
        assert_eq!((serving.len(), serving.next(|_| true)), (1, None), "one is being read");
        assert!(serving.read(&order(1, 1).to));
        assert_eq!(serving.next(|_| true), Some(order(1, 8)));
    }

    #[test]
    fn hauls_are_as_large_as_they_may_be() {
        let messages = vec![Bytes::from(vec![0; 300]); 7];
        let to = order(1, 7).to;
        let hauls = hauls(&to, messages, 1000);
        let sizes = hauls.iter().map(|haul| {
            let Frame::Haul { frames, is_last, number: 7, .. } = haul else { panic!("{haul:?}") };
            (frames.len(), *is_last)
        });
        assert_eq!(sizes.collect::<Vec<_>>(), [(3, false), (3, false), (1, true)]);
        assert_eq!(super::hauls(&to, Vec::new(), 1000).len(), 1, "it is said, too");
    }
}
