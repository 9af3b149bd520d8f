//! What a node has stored, for its next life.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Ban, Held, MessageId, Record, Timestamp, Whom};

use super::queue::Writing;

/// Bytes of frames that are read at once.
const READ_BYTES_MAX: usize = 1 << 20;

/// A disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    bans: BTreeMap<Whom, Record>,
    proofs: BTreeMap<NodeId, Record>,
    peers: BTreeMap<NodeId, Record>,
    key: Option<Record>,
    anchors: Option<Record>,
    messages: BTreeMap<MessageId, (Held, Bytes)>,
    /// The same, the oldest first.
    order: BTreeSet<(Timestamp, MessageId)>,
    /// What it is told to store is lost.
    pub(crate) is_full: bool,
}

impl Disk {
    pub(crate) fn store(&mut self, record: Record) {
        if self.is_full {
            return;
        }
        match &record {
            Record::Ban(ban) => drop(self.bans.insert(ban.whom, record)),
            Record::Pardon { whom } => drop(self.bans.remove(whom)),
            Record::Proof { author, .. } => drop(self.proofs.insert(*author, record)),
            Record::Peer { peer, .. } => drop(self.peers.insert(*peer, record)),
            Record::PeerGone { peer } => drop(self.peers.remove(peer)),
            Record::BookKey { .. } => self.key = Some(record),
            Record::Anchors { .. } => self.anchors = Some(record),
        }
    }

    /// All that is stored. The book's key comes before its peers.
    pub(crate) fn records(&self) -> Vec<Record> {
        let few = self.key.iter().chain(&self.anchors);
        let many = [&self.proofs, &self.peers].into_iter().flat_map(BTreeMap::values);
        few.chain(self.bans.values()).chain(many).cloned().collect()
    }

    /// Writes a message, or only its standing if it is there.
    pub(crate) fn keep(&mut self, writing: &Writing) {
        let message = &writing.message;
        let held = Held::new(message, &writing.standing);
        match self.messages.get_mut(&held.id) {
            Some((known, _)) => known.is_open &= held.is_open,
            None => {
                self.order.insert((held.timestamp, held.id));
                self.messages.insert(held.id, (held, message.frame().clone()));
            }
        }
    }

    /// Removes the oldest messages until there are so many. Runs are shorter than retentions: none is too old.
    pub(crate) fn trim(&mut self, messages_max: usize) -> Vec<Held> {
        let mut gone = Vec::new();
        while self.messages.len() > messages_max
            && let Some((_, id)) = self.order.pop_first()
        {
            gone.extend(self.messages.remove(&id).map(|(held, _)| held));
        }
        gone
    }

    /// All messages that are kept, without their payloads.
    pub(crate) fn held(&self) -> Vec<Held> {
        self.messages.values().map(|(held, _)| *held).collect()
    }

    /// As many of these frames as fit into an answer.
    pub(crate) fn read(&self, ids: Vec<MessageId>) -> Vec<(MessageId, Option<Bytes>)> {
        let mut bytes = 0;
        let mut read = |id: MessageId| {
            let frame = self.messages.get(&id).map(|(_, frame)| frame.clone());
            bytes += frame.as_ref().map_or(0, Bytes::len);
            let fits =
                bytes <= READ_BYTES_MAX || frame.as_ref().is_some_and(|it| it.len() == bytes);
            (id, frame.filter(|_| fits))
        };
        ids.into_iter().map(&mut read).collect()
    }

    /// Which peers are banned, and until when.
    pub(crate) fn bans(&self) -> impl Iterator<Item = (NodeId, Option<Timestamp>)> {
        self.bans.values().filter_map(|record| {
            if let Record::Ban(Ban { whom: Whom::Peer(peer), until, .. }) = record {
                Some((*peer, *until))
            } else {
                None
            }
        })
    }
}
