//! Accepted messages that are kept for as long as their topics say, in `messages.redb` or in memory.
//!
//! Each message that a node accepts on a topic with a retention gets the topic's next *place*, in the order of acceptance; readers go from
//! place to place at their own pace, so a reader that stops and comes back gets each message once. What a reader gets is on
//! disk. One thread writes, in batches; when the disk refuses, the node goes on without keeping, says so, and tries again.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `schema` | number |
//! | `identity` | `network` | digest of the network |
//! | `topics` | index of the topic | first place, next place, bytes kept |
//! | `messages` | index of the topic, place | when it was accepted, by whose word, and the frame: see [`kept`] |
//! | `places` | index of the topic, id | place |
//!
//! It is apart from `state.redb`, which protects the key: who loses this file loses messages that others still have.

mod history;
mod keeper;
mod kept;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use forsooth_protocol::{
    MessageId, Network, Timestamp, TopicId,
    network::{LIFETIME_MAX, Retention},
};
use redb::{
    Database, ReadTransaction, ReadableTable as _, Table, TableDefinition, WriteTransaction,
    backends::InMemoryBackend,
};

pub(crate) use self::{history::Heads, keeper::Keeper, kept::Kept};
pub use self::{
    history::{Begin, History, HistoryError},
    keeper::Condition,
};
use crate::store::{Cause, Disk, StoreError, create_folder, open_database};

/// Name of the file in the data folder.
const FILE: &str = "messages.redb";
/// Of the tables above.
const SCHEMA: u64 = 1;
/// For pages that are read or written often; redb's default would allow a gigabyte.
const CACHE_BYTES: usize = 16 << 20;
/// Bytes of payloads that a reader takes at once; a single message always fits.
const READ_BYTES_MAX: usize = 1 << 20;
/// Messages that a reader takes at once.
const READ_MAX: usize = 256;
/// Messages that one transaction removes; the rest goes with the next.
const REMOVED_MAX: usize = 4096;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const IDENTITY: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("identity");
const TOPICS: TableDefinition<'_, u16, (u64, u64, u64)> = TableDefinition::new("topics");
const MESSAGES: TableDefinition<'_, (u16, u64), &[u8]> = TableDefinition::new("messages");
const PLACES: TableDefinition<'_, (u16, [u8; 32]), u64> = TableDefinition::new("places");

/// The messages of one node.
#[derive(Debug)]
pub(crate) struct Archive {
    disk: Disk,
    network: Arc<Network>,
}

/// What is kept of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The place of the oldest message.
    pub first: u64,
    /// The place that the next message gets.
    pub next: u64,
    /// Bytes of frames.
    pub bytes: u64,
}

impl Holding {
    /// How many messages are kept.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.next.saturating_sub(self.first)
    }
}

impl Archive {
    /// Opens or makes the file in a data folder; in memory if there is none.
    ///
    /// # Errors
    /// When another process has it open, it belongs to another network or a newer Forsooth, or cannot be read.
    pub(crate) fn open(folder: Option<&Path>, network: &Arc<Network>) -> Result<Self, StoreError> {
        let disk = match folder {
            None => Disk::new(PathBuf::from("memory"), || {
                let opened = Database::builder().create_with_backend(InMemoryBackend::new());
                opened.map_err(|error| StoreError::open(Path::new("memory"), error))
            }),
            Some(folder) => {
                create_folder(folder)
                    .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
                let path = folder.join(FILE);
                let file = path.clone();
                Disk::new(path, move || open_database(&file, CACHE_BYTES))
            }
        };
        Self::on(disk.map_err(StoreError::of_messages)?, network)
    }

    fn on(disk: Disk, network: &Arc<Network>) -> Result<Self, StoreError> {
        let archive = Self { disk, network: Arc::clone(network) };
        archive.claim()?;
        Ok(archive)
    }

    /// Keeps messages, each once, and removes what is over or beyond its topic's retention; synced to disk on return. Returns what is
    /// kept of each topic then, and whether there is more to remove.
    pub(crate) fn write(
        &self,
        messages: &[Kept],
        now: Timestamp,
    ) -> Result<(Vec<(TopicId, Holding)>, bool), StoreError> {
        self.change(|transaction| {
            let mut tables = Tables::open(transaction)?;
            messages.iter().try_for_each(|kept| tables.keep(kept))?;
            let mut left = REMOVED_MAX;
            let mut holdings = Vec::new();
            for (topic, retention) in self.topics() {
                holdings.push((topic, tables.clear(topic, retention, now, &mut left)?));
            }
            Ok((holdings, left == 0))
        })
    }

    /// What is kept of each topic that keeps anything.
    pub(crate) fn holdings(&self) -> Result<Vec<(TopicId, Holding)>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(TOPICS)?;
            let of = |(topic, _): (TopicId, Retention)| {
                let holding = table.get(topic.index())?.map(|stored| Holding::of(stored.value()));
                Ok((topic, holding.unwrap_or_default()))
            };
            self.topics().map(of).collect()
        })
    }

    /// Messages from a place on, a bounded number of them, each with its place.
    pub(crate) fn read(&self, topic: TopicId, from: u64) -> Result<Vec<(u64, Kept)>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(MESSAGES)?;
            let mut read = Vec::new();
            let mut bytes = 0;
            for entry in table.range((topic.index(), from)..=(topic.index(), u64::MAX))? {
                let (key, value) = entry?;
                let (_, place) = key.value();
                bytes += value.value().len();
                if read.len() >= READ_MAX || (bytes > READ_BYTES_MAX && !read.is_empty()) {
                    break;
                }
                let kept = Kept::decode(topic, value.value(), &self.network);
                let damaged = || Cause::Content(format!("message {place} is no message"));
                read.push((place, kept.ok_or_else(damaged)?));
            }
            Ok(read)
        })
    }

    /// Where a message stands.
    pub(crate) fn place(&self, topic: TopicId, id: &MessageId) -> Result<Option<u64>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(PLACES)?;
            Ok(table.get((topic.index(), *id.as_bytes()))?.map(|place| place.value()))
        })
    }

    /// Messages that were accepted in an earlier life and could be accepted again, since they have not expired.
    pub(crate) fn unexpired(&self, now: Timestamp) -> Result<Vec<MessageId>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(MESSAGES)?;
            let mut ids = Vec::new();
            for (topic, _) in self.topics() {
                let index = topic.index();
                for entry in table.range((index, 0)..=(index, u64::MAX))?.rev() {
                    let kept = Kept::decode(topic, entry?.1.value(), &self.network);
                    // From here on back, all were accepted before any that could be now.
                    let Some(kept) =
                        kept.filter(|it| now < it.accepted.saturating_add(LIFETIME_MAX))
                    else {
                        break;
                    };
                    if now < kept.publication.header().expires() {
                        ids.push(kept.publication.id());
                    }
                }
            }
            Ok(ids)
        })
    }

    /// Topics that keep anything.
    fn topics(&self) -> impl Iterator<Item = (TopicId, Retention)> {
        let topics = self.network.topics();
        topics.filter_map(|(id, topic)| topic.retention.map(|retention| (id, retention)))
    }

    /// Checks that the file is of our schema and network; a new one becomes so.
    fn claim(&self) -> Result<(), StoreError> {
        let ours = *self.network.digest().as_bytes();
        let (schema, owner) = self.change(|transaction| {
            let mut meta = transaction.open_table(META)?;
            let mut identity = transaction.open_table(IDENTITY)?;
            let schema = meta.get("schema")?.map_or(SCHEMA, |schema| schema.value());
            let owner = identity.get("network")?.map_or(ours, |digest| digest.value());
            // A newer file is left as it is found.
            if schema <= SCHEMA && owner == ours {
                meta.insert("schema", SCHEMA)?;
                identity.insert("network", ours)?;
                Tables::open(transaction)?;
            }
            Ok((schema, owner))
        })?;
        let path = self.disk.path().to_owned();
        if schema > SCHEMA {
            return Err(StoreError::NewerSchema { path, found: schema, known: SCHEMA });
        }
        if owner != ours {
            return Err(StoreError::OtherNetwork { path, wanted: self.network.name().to_owned() });
        }
        Ok(())
    }

    fn change<T>(
        &self,
        body: impl FnOnce(&WriteTransaction) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        self.disk.change(body).map_err(StoreError::of_messages)
    }

    fn look<T>(
        &self,
        body: impl FnOnce(&ReadTransaction) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        self.disk.look(body).map_err(StoreError::of_messages)
    }
}

impl Holding {
    const fn of((first, next, bytes): (u64, u64, u64)) -> Self {
        Self { first, next, bytes }
    }
}

/// The tables, open for one transaction.
struct Tables<'a> {
    topics: Table<'a, u16, (u64, u64, u64)>,
    messages: Table<'a, (u16, u64), &'static [u8]>,
    places: Table<'a, (u16, [u8; 32]), u64>,
}

impl<'a> Tables<'a> {
    /// Opens all, and makes those that are not there.
    fn open(transaction: &'a WriteTransaction) -> Result<Self, Cause> {
        Ok(Self {
            topics: transaction.open_table(TOPICS)?,
            messages: transaction.open_table(MESSAGES)?,
            places: transaction.open_table(PLACES)?,
        })
    }

    fn holding(&self, topic: TopicId) -> Result<Holding, Cause> {
        let stored = self.topics.get(topic.index())?;
        Ok(stored.map(|stored| Holding::of(stored.value())).unwrap_or_default())
    }

    fn keep(&mut self, kept: &Kept) -> Result<(), Cause> {
        let index = kept.topic.index();
        let id = *kept.publication.id().as_bytes();
        if self.places.get((index, id))?.is_some() {
            return Ok(());
        }
        let Holding { first, next, bytes } = self.holding(kept.topic)?;
        let value = kept.encode();
        self.messages.insert((index, next), value.as_slice())?;
        self.places.insert((index, id), next)?;
        let bytes = bytes.saturating_add(value.len() as u64);
        self.topics.insert(index, (first, next.saturating_add(1), bytes))?;
        Ok(())
    }

    /// Removes the oldest messages of a topic while they are over or too many, at most so many.
    fn clear(
        &mut self,
        topic: TopicId,
        retention: Retention,
        now: Timestamp,
        left: &mut usize,
    ) -> Result<Holding, Cause> {
        let index = topic.index();
        let before = self.holding(topic)?;
        let mut holding = before;
        while holding.first < holding.next && *left > 0 {
            let Some(oldest) = self.messages.get((index, holding.first))? else {
                return Err(Cause::Content(format!("message {} is not there", holding.first)));
            };
            let (length, head) = (oldest.value().len() as u64, kept::head(oldest.value()));
            drop(oldest);
            let damaged = || Cause::Content(format!("message {} is no message", holding.first));
            let (id, published) = head.ok_or_else(damaged)?;
            let is_over = published.saturating_add(retention.time) <= now;
            let is_excess =
                holding.messages() > retention.messages || holding.bytes > retention.bytes;
            if !is_over && !is_excess {
                break;
            }
            self.messages.remove((index, holding.first))?;
            self.places.remove((index, *id.as_bytes()))?;
            holding.first += 1;
            holding.bytes = holding.bytes.saturating_sub(length);
            *left -= 1;
        }
        if holding != before {
            self.topics.insert(index, (holding.first, holding.next, holding.bytes))?;
        }
        Ok(holding)
    }
}

#[cfg(test)]
mod tests;
