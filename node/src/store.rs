//! What a node keeps over a restart, in `state.redb`: its generation, its bans and proofs, and whom it knows.
//!
//! A data folder belongs to one network and to one process at a time. A generation is on disk, synced,
//! before anybody learns it, so no crash can lead to a slot being used twice. What is in the file is
//! trusted as far as our own disk is: proofs are verified again when loaded, by the core; peers' records were
//! verified before they were stored, and are only dialled by.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `schema`, `generation`, `book_key` | number |
//! | `identity` | `network` | digest of the network |
//! | `bans` | id of the banned | name of the cause; until when in Unix ms, for good if none |
//! | `net_bans` | network that is banned, such as `192.0.2.0/24` | as above |
//! | `proofs` | id of the exposed author | the frame |
//! | `peers` | id of a peer in the address book | what the book knows of it |
//! | `anchors` | 0, 1, ... | id of a peer to dial first |
//! | `work` | id of the node | its proof of work |

mod disk;
mod error;
mod file;
mod tables;
mod writer;

use std::path::Path;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Ban, BanCause, Net, Network, Record, Timestamp, Whom,
    overlay::{
        book::{ANCHORS_MAX, PEERS_MAX},
        work::Work,
    },
};
use redb::{ReadableTable as _, TableDefinition};

#[cfg(test)]
pub(crate) use self::disk::flaky::Flaky;
pub use self::error::StoreError;
use self::tables::Tables;
pub(crate) use self::writer::Writer;
pub(crate) use self::{
    disk::Disk,
    error::Cause,
    file::{create_folder, open_database},
};

/// Name of the file in the data folder.
const FILE: &str = "state.redb";
/// Of the tables above. A change of a table, or of a cause's name, is a new schema.
const SCHEMA: u64 = 3;
/// The tables are small; redb's default would allow them a gigabyte.
const CACHE_BYTES: usize = 4 << 20;

/// Bans that are kept; about 6 MB on disk. Further ones hold until the restart.
pub(crate) const BANS_MAX: usize = 64 * 1024;
/// Proofs that are kept; about 2 MB on disk. Whom further ones expose is banned all the same.
const PROOFS_MAX: u64 = 4 * 1024;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const IDENTITY: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("identity");
const BANS: TableDefinition<'_, [u8; 32], (&str, Option<u64>)> = TableDefinition::new("bans");
const NET_BANS: TableDefinition<'_, &str, (&str, Option<u64>)> = TableDefinition::new("net_bans");
const PROOFS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("proofs");
const PEERS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("peers");
const ANCHORS: TableDefinition<'_, u64, [u8; 32]> = TableDefinition::new("anchors");
const WORK: TableDefinition<'_, [u8; 32], [u8; Work::LEN]> = TableDefinition::new("work");

/// The open state file of one data folder.
#[derive(Debug)]
pub(crate) struct Store {
    disk: Disk,
}

impl Store {
    /// Opens or makes the state file, and the folder (mode 0700) if it is not there.
    ///
    /// # Errors
    /// When another process has it open, it belongs to another network or a newer Forsooth, or cannot be
    /// read.
    pub(crate) fn open(folder: &Path, network: &Network) -> Result<Self, StoreError> {
        create_folder(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let path = folder.join(FILE);
        let file = path.clone();
        Self::on(Disk::new(path, move || open_database(&file, CACHE_BYTES))?, network)
    }

    fn on(disk: Disk, network: &Network) -> Result<Self, StoreError> {
        let store = Self { disk };
        store.claim(network)?;
        Ok(store)
    }

    /// A generation higher than any before it, and than `published`, at least the Unix time in seconds; and the one before it if
    /// there was one. Synced to disk on return.
    pub(crate) fn next_generation(
        &self,
        now: Timestamp,
        published: Option<u64>,
    ) -> Result<(u64, Option<u64>), StoreError> {
        self.disk.change(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let stored = meta.get("generation")?.map(|stored| stored.value());
            // If this file was lost, the archive knows.
            let former = stored.max(published);
            let next = former.map_or(0, |former| former.saturating_add(1));
            let generation = next.max(now.as_secs());
            meta.insert("generation", generation)?;
            Ok((generation, former))
        })
    }

    /// All bans that are in force and all proofs, as [`Input::Loaded`](forsooth_protocol::Input::Loaded) wants
    /// them. Forgets bans that are over.
    pub(crate) fn records(&self, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.disk.change(|transaction| {
            let over = |until: Option<u64>| until.is_some_and(|until| until <= now.as_millis());
            transaction.open_table(NET_BANS)?.retain(|_, (_, until)| !over(until))?;
            Ok(transaction.open_table(BANS)?.retain(|_, (_, until)| !over(until))?)
        })?;
        self.disk.look(tables::read)
    }

    /// Writes a batch; on disk, synced, on return.
    pub(crate) fn write(&self, records: &[Record]) -> Result<(), StoreError> {
        self.disk.change(|transaction| {
            let mut tables = Tables::open(transaction)?;
            records.iter().try_for_each(|record| tables.write(record))
        })
    }

    /// The proof of work over a node's key that was kept, for this network like all of the file.
    pub(crate) fn work(&self, node: &NodeId) -> Result<Option<Work>, StoreError> {
        self.disk.look(|transaction| {
            let table = transaction.open_table(WORK)?;
            Ok(table.get(*node.as_bytes())?.and_then(|work| Work::from_bytes(&work.value())))
        })
    }

    /// Keeps the proof of work over a node's key; on disk, synced, on return.
    pub(crate) fn keep_work(&self, node: &NodeId, work: Work) -> Result<(), StoreError> {
        self.disk.change(|transaction| {
            transaction.open_table(WORK)?.insert(*node.as_bytes(), work.to_bytes())?;
            Ok(())
        })
    }

    /// Checks that the file is of our schema and network; a new one becomes so.
    fn claim(&self, network: &Network) -> Result<(), StoreError> {
        let (schema, owner) = self.disk.change(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let mut identity = transaction.open_table(IDENTITY)?;
            let schema = meta.get("schema")?.map_or(SCHEMA, |schema| schema.value());
            let ours = *network.digest().as_bytes();
            let owner = identity.get("network")?.map_or(ours, |digest| digest.value());
            // A newer file is left as it is found.
            if schema <= SCHEMA && owner == ours {
                meta.insert("schema", SCHEMA)?;
                identity.insert("network", ours)?;
                // A table is open once at a time.
                drop(meta);
                Tables::open(transaction)?;
                transaction.open_table(WORK)?;
            }
            Ok((schema, owner))
        })?;
        if schema > SCHEMA {
            return Err(StoreError::NewerSchema {
                path: self.disk.path().to_owned(),
                found: schema,
                known: SCHEMA,
            });
        }
        if owner != *network.digest().as_bytes() {
            return Err(StoreError::OtherNetwork {
                path: self.disk.path().to_owned(),
                wanted: network.name().to_owned(),
            });
        }
        Ok(())
    }
}

/// The generation of a node that keeps nothing: the Unix time in seconds, and higher than any other that
/// this process was given.
///
/// Two processes that start within one second with one key and without a data folder would share a
/// generation, and look like an equivocator. A key that outlives its process belongs in a data folder.
pub(crate) fn ephemeral_generation(now: Timestamp) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEWEST: AtomicU64 = AtomicU64::new(0);
    let next = |newest: u64| newest.saturating_add(1).max(now.as_secs());
    let newest =
        NEWEST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |newest| Some(next(newest)));
    next(newest.unwrap_or_default())
}

#[cfg(test)]
mod tests;
