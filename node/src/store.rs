//! What a node keeps over a restart: its generation, its bans and its proofs, in `state.redb`.
//!
//! A data folder belongs to one network and to one process at a time. A generation is on disk, synced,
//! before anybody learns it, so no crash can lead to a slot being used twice. What is in the file is
//! trusted as far as our own disk is: proofs are verified again when loaded, by the core.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `schema`, `generation` | number |
//! | `identity` | `network` | digest of the network |
//! | `bans` | id of the banned | name of the fault; until when in Unix ms, for good if none |
//! | `proofs` | id of the exposed author | the frame |

mod error;
mod writer;

use std::{
    fs::{DirBuilder, File},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use forsooth_protocol::{Fault, Network, Record, Timestamp};
use redb::{
    Database, Durability, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
    TableDefinition, backends::FileBackend,
};

use self::error::Cause;
pub use self::error::StoreError;
pub(crate) use self::writer::Writer;

/// Name of the file in the data folder.
const FILE: &str = "state.redb";
/// Of the tables above. A change of a table, or of a fault's name, is a new schema.
const SCHEMA: u64 = 1;
/// The tables are small; redb's default would allow them a gigabyte.
const CACHE_BYTES: usize = 4 << 20;

/// Bans that are kept; about 6 MB on disk. Further ones hold until the restart.
pub(crate) const BANS_MAX: usize = 64 * 1024;
/// Proofs that are kept; about 2 MB on disk. Whom further ones expose is banned all the same.
const PROOFS_MAX: u64 = 4 * 1024;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const IDENTITY: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("identity");
const BANS: TableDefinition<'_, [u8; 32], (&str, Option<u64>)> = TableDefinition::new("bans");
const PROOFS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("proofs");

/// The open state file of one data folder.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
    path: PathBuf,
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
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let file =
            open_file(&path).map_err(|source| StoreError::Io { path: path.clone(), source })?;
        let opened = FileBackend::new(file).and_then(|file| builder.create_with_backend(file));
        let database = opened.map_err(|error| StoreError::open(&path, error))?;
        let store = Self { database, path };
        store.claim(network)?;
        Ok(store)
    }

    /// A generation higher than any before it, at least the Unix time in seconds; synced to disk on return.
    pub(crate) fn next_generation(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.change(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let stored = meta.get("generation")?.map_or(0, |stored| stored.value());
            let generation = stored.saturating_add(1).max(now.as_secs());
            meta.insert("generation", generation)?;
            Ok(generation)
        })
    }

    /// All bans that are in force and all proofs, as [`Input::Loaded`](forsooth_protocol::Input::Loaded) wants
    /// them. Forgets bans that are over.
    pub(crate) fn records(&self, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.change(|transaction| {
            let over = |until: Option<u64>| until.is_some_and(|until| until <= now.as_millis());
            Ok(transaction.open_table(BANS)?.retain(|_, (_, until)| !over(until))?)
        })?;
        self.read().map_err(|cause| cause.at(&self.path))
    }

    /// Writes a batch; on disk, synced, on return.
    pub(crate) fn write(&self, records: &[Record]) -> Result<(), StoreError> {
        self.change(|transaction| {
            let mut bans = transaction.open_table(BANS)?;
            let mut proofs = transaction.open_table(PROOFS)?;
            for record in records {
                match record {
                    Record::Ban { peer, fault, until } => {
                        // Names cost nothing to make, so whoever fills the table must not push others out.
                        if bans.len()? < BANS_MAX as u64 || bans.get(*peer.as_bytes())?.is_some() {
                            bans.insert(
                                *peer.as_bytes(),
                                (fault.name(), until.map(Timestamp::as_millis)),
                            )?;
                        }
                    }
                    Record::Pardon { peer } => {
                        bans.remove(*peer.as_bytes())?;
                    }
                    Record::Proof { author, frame } => {
                        if proofs.len()? < PROOFS_MAX || proofs.get(*author.as_bytes())?.is_some() {
                            proofs.insert(*author.as_bytes(), frame.as_ref())?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// Checks that the file is of our schema and network; a new one becomes so.
    fn claim(&self, network: &Network) -> Result<(), StoreError> {
        let (schema, owner) = self.change(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let mut identity = transaction.open_table(IDENTITY)?;
            let schema = meta.get("schema")?.map_or(SCHEMA, |schema| schema.value());
            let ours = *network.digest().as_bytes();
            let owner = identity.get("network")?.map_or(ours, |digest| digest.value());
            // A newer file is left as it is found.
            if schema <= SCHEMA && owner == ours {
                meta.insert("schema", SCHEMA)?;
                identity.insert("network", ours)?;
                transaction.open_table(BANS)?;
                transaction.open_table(PROOFS)?;
            }
            Ok((schema, owner))
        })?;
        if schema > SCHEMA {
            return Err(StoreError::NewerSchema {
                path: self.path.clone(),
                found: schema,
                known: SCHEMA,
            });
        }
        if owner != *network.digest().as_bytes() {
            return Err(StoreError::OtherNetwork {
                path: self.path.clone(),
                wanted: network.name().to_owned(),
            });
        }
        Ok(())
    }

    fn read(&self) -> Result<Vec<Record>, Cause> {
        let transaction = self.database.begin_read()?;
        let mut records = Vec::new();
        for entry in transaction.open_table(BANS)?.iter()? {
            let (peer, ban) = entry?;
            let (name, until) = ban.value();
            let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
            let fault = fault.ok_or_else(|| {
                Cause::Content(format!("the fault {name:?} of a ban is not known"))
            })?;
            let peer = forsooth_crypto::NodeId::from_bytes(peer.value());
            records.push(Record::Ban { peer, fault, until: until.map(Timestamp::from_millis) });
        }
        for entry in transaction.open_table(PROOFS)?.iter()? {
            let (author, frame) = entry?;
            let author = forsooth_crypto::NodeId::from_bytes(author.value());
            records.push(Record::Proof { author, frame: Bytes::copy_from_slice(frame.value()) });
        }
        Ok(records)
    }

    /// One durable transaction.
    fn change<T>(
        &self,
        body: impl FnOnce(&redb::WriteTransaction) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        let run = || {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let value = body(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(|cause: Cause| cause.at(&self.path))
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

fn create_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Nobody else may read whom we banned, even if the folder was there before with other rights.
fn open_file(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
