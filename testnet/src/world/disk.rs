//! What a node has stored, for its next life.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Ban, Record, Timestamp, Whom};

/// A disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    bans: BTreeMap<Whom, Record>,
    proofs: BTreeMap<NodeId, Record>,
    peers: BTreeMap<NodeId, Record>,
    key: Option<Record>,
    anchors: Option<Record>,
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
