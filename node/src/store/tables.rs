//! The tables of records: how each kind of record is written, and all are read.

use bytes::Bytes;
use redb::{
    ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, Table, WriteTransaction,
};

use super::{
    ANCHORS, ANCHORS_MAX, BANS, BANS_MAX, Ban, BanCause, Cause, META, NET_BANS, Net, NodeId, PEERS,
    PEERS_MAX, PROOFS, PROOFS_MAX, Record, Timestamp, Whom,
};

/// The tables that records go to, open for one transaction.
pub(super) struct Tables<'a> {
    meta: Table<'a, &'static str, u64>,
    bans: Table<'a, [u8; 32], (&'static str, Option<u64>)>,
    net_bans: Table<'a, &'static str, (&'static str, Option<u64>)>,
    proofs: Table<'a, [u8; 32], &'static [u8]>,
    peers: Table<'a, [u8; 32], &'static [u8]>,
    anchors: Table<'a, u64, [u8; 32]>,
}

impl<'a> Tables<'a> {
    /// Opens all, and makes those that are not there.
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Cause> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            bans: transaction.open_table(BANS)?,
            net_bans: transaction.open_table(NET_BANS)?,
            proofs: transaction.open_table(PROOFS)?,
            peers: transaction.open_table(PEERS)?,
            anchors: transaction.open_table(ANCHORS)?,
        })
    }

    /// Writes one record. What is new and over a table's bound is left out: names cost nothing to make, so
    /// whoever fills a table must not push others out.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), Cause> {
        match record {
            Record::Ban(Ban { whom, cause, until }) => {
                let value = (cause.name(), until.map(Timestamp::as_millis));
                match whom {
                    Whom::Peer(peer) => {
                        let key = *peer.as_bytes();
                        if self.bans.len()? < BANS_MAX as u64 || self.bans.get(key)?.is_some() {
                            self.bans.insert(key, value)?;
                        }
                    }
                    Whom::Net(net) => {
                        let key = net.to_string();
                        let is_known = self.net_bans.get(key.as_str())?.is_some();
                        if self.net_bans.len()? < BANS_MAX as u64 || is_known {
                            self.net_bans.insert(key.as_str(), value)?;
                        }
                    }
                }
            }
            Record::Pardon { whom: Whom::Peer(peer) } => {
                drop(self.bans.remove(*peer.as_bytes())?);
            }
            Record::Pardon { whom: Whom::Net(net) } => {
                drop(self.net_bans.remove(net.to_string().as_str())?);
            }
            Record::Proof { author, frame } => {
                let key = *author.as_bytes();
                if self.proofs.len()? < PROOFS_MAX || self.proofs.get(key)?.is_some() {
                    self.proofs.insert(key, frame.as_ref())?;
                }
            }
            Record::Peer { peer, entry } => {
                let key = *peer.as_bytes();
                if self.peers.len()? < PEERS_MAX as u64 || self.peers.get(key)?.is_some() {
                    self.peers.insert(key, entry.as_ref())?;
                }
            }
            Record::PeerGone { peer } => drop(self.peers.remove(*peer.as_bytes())?),
            Record::BookKey { key } => drop(self.meta.insert("book_key", *key)?),
            Record::Anchors { peers } => {
                self.anchors.retain(|_, _| false)?;
                for (place, peer) in (0..).zip(peers.iter().take(ANCHORS_MAX)) {
                    self.anchors.insert(place, *peer.as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

/// All records. The book's key comes before its peers, who stand where it says.
pub(super) fn read(transaction: &ReadTransaction) -> Result<Vec<Record>, Cause> {
    let mut records = Vec::new();
    for entry in transaction.open_table(BANS)?.iter()? {
        let (peer, ban) = entry?;
        let peer = NodeId::from_bytes(peer.value());
        records.push(Record::Ban(read_ban(peer.into(), ban.value())?));
    }
    for entry in transaction.open_table(NET_BANS)?.iter()? {
        let (text, ban) = entry?;
        let net: Net = text.value().parse().map_err(|_| {
            Cause::Content(format!("{:?}, which is banned, is no network", text.value()))
        })?;
        records.push(Record::Ban(read_ban(net.into(), ban.value())?));
    }
    for entry in transaction.open_table(PROOFS)?.iter()? {
        let (author, frame) = entry?;
        let author = NodeId::from_bytes(author.value());
        records.push(Record::Proof { author, frame: Bytes::copy_from_slice(frame.value()) });
    }
    if let Some(key) = transaction.open_table(META)?.get("book_key")? {
        records.push(Record::BookKey { key: key.value() });
    }
    let mut anchors = Vec::new();
    for entry in transaction.open_table(ANCHORS)?.iter()? {
        anchors.push(NodeId::from_bytes(entry?.1.value()));
    }
    if !anchors.is_empty() {
        records.push(Record::Anchors { peers: anchors });
    }
    for entry in transaction.open_table(PEERS)?.iter()? {
        let (peer, entry) = entry?;
        let peer = NodeId::from_bytes(peer.value());
        records.push(Record::Peer { peer, entry: Bytes::copy_from_slice(entry.value()) });
    }
    Ok(records)
}

fn read_ban(whom: Whom, (name, until): (&str, Option<u64>)) -> Result<Ban, Cause> {
    let cause = BanCause::from_name(name)
        .ok_or_else(|| Cause::Content(format!("the cause {name:?} of a ban is not known")))?;
    Ok(Ban { whom, cause, until: until.map(Timestamp::from_millis) })
}
