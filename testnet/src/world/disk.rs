//! What a node has stored, for its next life.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Record, Timestamp};

/// A disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    bans: BTreeMap<NodeId, Record>,
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
            Record::Ban { peer, .. } => drop(self.bans.insert(*peer, record)),
            Record::Pardon { peer } => drop(self.bans.remove(peer)),
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
        let many = [&self.bans, &self.proofs, &self.peers].into_iter().flat_map(BTreeMap::values);
        few.chain(many).cloned().collect()
    }

    /// Who is banned, and until when.
    pub(crate) fn bans(&self) -> impl Iterator<Item = (NodeId, Option<Timestamp>)> {
        self.bans.iter().filter_map(|(peer, record)| {
            if let Record::Ban { until, .. } = record { Some((*peer, *until)) } else { None }
        })
    }
}
