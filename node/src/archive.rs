//! Messages that this node stands behind, for as long as their topics say, in `messages.redb` or in memory.
//!
//! On a topic with a retention that is what it has published itself, what it vouches for, and what it has accepted. A message that is
//! accepted gets the topic's next *place*, in the order of acceptance; readers go from place to place at their own pace, so a reader
//! that stops and comes back gets each message once. One thread writes, in batches, each synced to disk before anybody is told that it
//! is there; what was published first is removed first, and whoever needs to know is told what. When the disk refuses, the node goes
//! on without keeping, says so, and tries again.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `schema`; `own_generation`: the highest in which this node has published what is here | number |
//! | `identity` | `network` | digest of the network |
//! | `holdings` | index of the topic | first place, next place, messages that have one, all messages, bytes of their frames |
//! | `heads` | index of the topic, id | all that is known of a message without reading it: see [`Head`] |
//! | `frames` | index of the topic, when it was published, id | the frame |
//! | `accepted` | index of the topic, place | which message has it, when it was accepted, by whose word |
//!
//! It is apart from `state.redb`, which protects the key: who loses this file loses messages that others still have.

mod head;
mod history;
mod keeper;
mod kept;
mod reader;
mod schema;
mod shelf;
mod tables;

use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use forsooth_protocol::{Held, MessageId, Network, Timestamp, TopicId, network::Retention};
use redb::{AccessGuard, Database, ReadTransaction, WriteTransaction, backends::InMemoryBackend};

pub(crate) use self::{
    head::Head,
    keeper::Answer,
    kept::Kept,
    reader::nothing,
    shelf::{Readers, Reply, Shelf},
};
use self::{
    head::{Row, Word},
    kept::{message, publication},
    tables::{ACCEPTED, Clearing, FRAMES, HEADS, HOLDINGS, META, Tables},
};
pub use self::{
    history::{Begin, History, HistoryError},
    keeper::Condition,
};
use crate::{
    Message,
    store::{Cause, Disk, StoreError, create_folder, open_database},
};

/// Name of the file in the data folder.
const FILE: &str = "messages.redb";
/// For pages that are read or written often; redb's default would allow a gigabyte.
const CACHE_BYTES: usize = 16 << 20;
/// Bytes of payloads that a reader takes at once; a single message always fits.
const READ_BYTES_MAX: usize = 1 << 20;
/// Messages that a reader takes at once.
const READ_MAX: usize = 256;
/// Messages that one transaction removes; the rest goes with the next.
const REMOVED_MAX: usize = 4096;

/// The messages of one node.
#[derive(Debug)]
pub(crate) struct Archive {
    disk: Disk,
    network: Arc<Network>,
}

/// What is kept of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The place of the oldest message that has one.
    pub first: u64,
    /// The place that the next message gets that is accepted.
    pub next: u64,
    /// How many messages have a place: those of others that were accepted.
    pub accepted: u64,
    /// How many messages are kept.
    pub messages: u64,
    /// Bytes of their frames.
    pub bytes: u64,
}

impl Holding {
    /// Places between the first and the next whose messages were removed before others that were accepted earlier.
    const fn empty(&self) -> u64 {
        self.next.saturating_sub(self.first).saturating_sub(self.accepted)
    }
}

/// What a transaction has come to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// What is kept of each topic.
    pub(crate) holdings: Vec<(TopicId, Holding)>,
    /// What was removed, since it was over or there was too much.
    pub(crate) removed: Vec<Held>,
    /// Whether there is more to remove.
    pub(crate) is_more: bool,
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
        schema::claim(&archive.disk, network).map_err(StoreError::of_messages)?;
        Ok(archive)
    }

    /// Keeps messages, each once, and removes what is over or beyond its topic's retention; synced to disk on return.
    pub(crate) fn write<'a>(
        &self,
        messages: impl IntoIterator<Item = &'a Kept>,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        self.change(|transaction| {
            let mut tables = Tables::open(transaction)?;
            messages.into_iter().try_for_each(|kept| tables.keep(kept))?;
            let mut clearing = Clearing { now, left: REMOVED_MAX, removed: Vec::new() };
            let mut holdings = Vec::new();
            for (topic, retention) in self.topics() {
                holdings.push((topic, tables.clear(topic, retention, &mut clearing)?));
            }
            Ok(Written { holdings, removed: clearing.removed, is_more: clearing.left == 0 })
        })
    }

    /// What is kept of each topic that keeps anything.
    pub(crate) fn holdings(&self) -> Result<Vec<(TopicId, Holding)>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(HOLDINGS)?;
            let of = |(topic, _): (TopicId, Retention)| {
                let stored = table.get(topic.index())?;
                let holding = stored.map(|stored| Holding::from_row(stored.value()));
                Ok((topic, holding.unwrap_or_default()))
            };
            self.topics().map(of).collect()
        })
    }

    /// Accepted messages from a place on, a bounded number of them, each with its place.
    pub(crate) fn read(
        &self,
        topic: TopicId,
        from: u64,
    ) -> Result<Vec<(u64, Message)>, StoreError> {
        self.look(|transaction| {
            let accepted = transaction.open_table(ACCEPTED)?;
            let frames = transaction.open_table(FRAMES)?;
            let index = topic.index();
            let mut read = Vec::new();
            let mut bytes = 0;
            for entry in accepted.range((index, from)..=(index, u64::MAX))? {
                let (key, value) = entry?;
                let (_, place) = key.value();
                let damaged = || Cause::Content(format!("message {place} is no message"));
                let word = Word::decode(value.value()).ok_or_else(damaged)?;
                let frame = frames.get((index, word.published.as_millis(), word.id))?;
                let frame = frame.ok_or_else(damaged)?;
                bytes += frame.value().len();
                if read.len() >= READ_MAX || (bytes > READ_BYTES_MAX && !read.is_empty()) {
                    break;
                }
                let publication = publication(frame.value(), topic, &word.id, &self.network);
                let publication = publication.ok_or_else(damaged)?;
                read.push((place, message(&publication, word, &self.network)));
            }
            Ok(read)
        })
    }

    /// The frames of messages, as many as fit; a single one always does. Nothing for those that are not there or did not fit, and for one
    /// that is damaged.
    pub(crate) fn frames(
        &self,
        topic: TopicId,
        ids: &[MessageId],
        bytes_max: usize,
    ) -> Result<Vec<(MessageId, Option<Bytes>)>, StoreError> {
        self.look(|transaction| {
            let heads = transaction.open_table(HEADS)?;
            let frames = transaction.open_table(FRAMES)?;
            let index = topic.index();
            let mut bytes = 0;
            let mut read = |id: &MessageId| -> Result<Option<Bytes>, Cause> {
                let key = *id.as_bytes();
                let Some(row) = heads.get((index, key))? else { return Ok(None) };
                let head = tables::head(topic, key, row.value())?;
                if bytes > 0 && bytes + head.bytes as usize > bytes_max {
                    return Ok(None);
                }
                let frame = frames.get((index, head.published.as_millis(), key))?;
                let publication = frame.and_then(|frame| {
                    bytes += frame.value().len();
                    publication(frame.value(), topic, &key, &self.network)
                });
                if publication.is_none() {
                    tracing::error!(%id, path = %self.disk.path().display(), "a kept message is damaged");
                }
                Ok(publication.map(|publication| publication.frame().clone()))
            };
            ids.iter().map(|id| Ok((*id, read(id)?))).collect()
        })
    }

    /// What is known of the messages of a topic after an id, in the order of ids, at most so many, without reading them.
    pub(crate) fn heads(
        &self,
        topic: TopicId,
        after: Option<MessageId>,
        max: usize,
    ) -> Result<Vec<Head>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(HEADS)?;
            let index = topic.index();
            let from = after.map_or(Bound::Included((index, [0; 32])), |after| {
                Bound::Excluded((index, *after.as_bytes()))
            });
            let all = (from, Bound::Included((index, [u8::MAX; 32])));
            let read = |entry: Result<(AccessGuard<'_, _>, AccessGuard<'_, Row>), _>| {
                let (key, row) = entry?;
                let (_, id): (u16, [u8; 32]) = key.value();
                tables::head(topic, id, row.value())
            };
            table.range::<(u16, [u8; 32])>(all)?.take(max).map(read).collect()
        })
    }

    /// The highest generation in which this node has published what was kept here, whatever of it is left.
    pub(crate) fn own_generation(&self) -> Result<Option<u64>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(META)?;
            Ok(table.get(tables::OWN_GENERATION)?.map(|stored| stored.value()))
        })
    }

    /// Where an accepted message stands.
    pub(crate) fn place(&self, topic: TopicId, id: &MessageId) -> Result<Option<u64>, StoreError> {
        self.look(|transaction| {
            let table = transaction.open_table(HEADS)?;
            let key = *id.as_bytes();
            let Some(row) = table.get((topic.index(), key))? else { return Ok(None) };
            Ok(tables::head(topic, key, row.value())?.place)
        })
    }

    /// Topics that keep anything.
    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicId, Retention)> {
        let topics = self.network.topics();
        topics.filter_map(|(id, topic)| topic.retention.map(|retention| (id, retention)))
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

#[cfg(test)]
mod tests;
