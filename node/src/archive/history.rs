//! Reading what is kept: from a place on, and then whatever comes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Weak,
};

use forsooth_protocol::{MessageId, TopicId};
use futures::{Stream, stream};
use tokio::sync::watch;

use super::Archive;
use crate::{Message, StoreError};

/// For each topic, the place after the last message that can be read.
pub(crate) type Heads = BTreeMap<TopicId, u64>;

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the first message that is accepted from now on.
    Now,
    /// With the oldest that is kept.
    Start,
    /// After a message that the reader has.
    After(MessageId),
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The network has no such topic.
    #[error("the network has no topic {topic:?}; its topics are: {}", known.join(", "))]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
        /// The network's topics.
        known: Vec<String>,
    },
    /// Nothing is kept of the topic.
    #[error(
        "messages of topic {topic:?} are not kept: its entry in the network's manifest has no `retention`"
    )]
    NotKept {
        /// The topic.
        topic: String,
    },
    /// The message is not there: it never was, or is over.
    #[error("message {id} is not kept, or no more; begin with the oldest that is")]
    UnknownMessage {
        /// The message.
        id: MessageId,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has shut down.
    #[error("the node has shut down; start a new one")]
    Closed,
}

/// A topic's kept messages from a place on, each once, and then those that are accepted, as soon as they are on disk. A reader may take
/// its time: it misses only what was removed before it came to it.
#[derive(Debug)]
pub struct History {
    /// Weak, so that the file is closed when the node has shut down.
    archive: Weak<Archive>,
    topic: TopicId,
    heads: watch::Receiver<Heads>,
    next: u64,
    /// Places without a message when it began, of those that it asked for: nothing was removed before its eyes.
    empty: u64,
    read: VecDeque<(u64, Message)>,
}

impl History {
    /// # Errors
    /// When the message to begin after is not there, or the file cannot be read.
    pub(crate) async fn open(
        archive: Weak<Archive>,
        topic: TopicId,
        heads: watch::Receiver<Heads>,
        from: Begin,
    ) -> Result<Self, HistoryError> {
        let look = archive.upgrade().ok_or(HistoryError::Closed)?;
        let begin = move || -> Result<(u64, u64), HistoryError> {
            let holdings = look.holdings()?;
            let of_topic = holdings.into_iter().find(|(of, _)| *of == topic);
            let holding = of_topic.map(|(_, holding)| holding).unwrap_or_default();
            match from {
                Begin::Now => Ok((holding.next, 0)),
                Begin::Start => Ok((holding.first, holding.empty())),
                Begin::After(id) => {
                    let place = look.place(topic, &id)?;
                    Ok((place.ok_or(HistoryError::UnknownMessage { id })?.saturating_add(1), 0))
                }
            }
        };
        let (next, empty) = aside(begin).await?;
        Ok(Self { archive, topic, heads, next, empty, read: VecDeque::new() })
    }

    /// The next message; `None` once the node has shut down.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn recv(&mut self) -> Option<Result<Message, StoreError>> {
        loop {
            if let Some((place, message)) = self.read.pop_front() {
                let gap = place.saturating_sub(self.next);
                let missed = gap.saturating_sub(self.empty);
                self.empty = self.empty.saturating_sub(gap);
                self.next = place.saturating_add(1);
                return Some(Ok(Message { missed, ..message }));
            }
            let (topic, from) = (self.topic, self.next);
            let archive = self.archive.upgrade()?;
            match aside(move || archive.read(topic, from)).await {
                Ok(read) if read.is_empty() => {
                    let (topic, next) = (self.topic, self.next);
                    let is_more =
                        |heads: &Heads| heads.get(&topic).is_some_and(|head| *head > next);
                    self.heads.wait_for(is_more).await.ok()?;
                }
                Ok(read) => self.read = read.into(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// All of them, as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Message, StoreError>> + use<> {
        stream::unfold(self, async |mut history| {
            let next = history.recv().await?;
            Some((next, history))
        })
    }
}

/// Reads on a thread that may wait for the disk.
pub(super) async fn aside<T: Send + 'static, E: Send + 'static>(
    read: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|failed| {
        // It does not panic, and is only cancelled if the runtime ends, and this task with it.
        std::panic::resume_unwind(Box::new(failed.to_string()))
    })
}
