//! What the driver has of its archive: who writes, who reads, and what is there at the start.

use std::{
    path::Path,
    sync::{Arc, Weak},
};

use forsooth_protocol::{MessageId, Network, TopicId};
use tokio::sync::watch;

use super::{
    Archive,
    head::Head,
    history::{Heads, aside},
    keeper::{Answer, Keeper},
    reader::{Frames, Reader},
};
use crate::StoreError;

/// Messages that the participant is told of at once.
const HEADS_MAX: usize = 4096;

/// The driver's part.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) keeper: Keeper,
    pub(crate) reader: Reader,
    archive: Weak<Archive>,
}

/// What readers of kept messages need.
#[derive(Clone, Debug)]
pub(crate) struct Readers {
    /// Weak, so that the file is closed when the node has shut down.
    pub(crate) archive: Weak<Archive>,
    /// How far it can be read.
    pub(crate) heads: watch::Receiver<Heads>,
}

/// What comes back from the archive.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    Read(u64, Frames),
}

impl Shelf {
    /// Opens the archive of a data folder, or makes one in memory, and begins to write. Also the highest generation in which
    /// this node is known to have published.
    ///
    /// # Errors
    /// As [`Archive::open`].
    pub(crate) fn open(
        folder: Option<&Path>,
        network: &Arc<Network>,
    ) -> Result<(Self, Readers, Option<u64>), StoreError> {
        let archive = Arc::new(Archive::open(folder, network)?);
        let heads = archive.holdings()?.into_iter().map(|(topic, it)| (topic, it.next));
        let (tell, heads) = watch::channel(heads.collect());
        let generation = archive.own_generation()?;
        let (reader, weak) = (Reader::new(&archive), Arc::downgrade(&archive));
        let readers = Readers { archive: weak.clone(), heads };
        let keeper = Keeper::start(archive, tell)?;
        Ok((Self { keeper, reader, archive: weak }, readers, generation))
    }

    /// What is there after a message, a bounded number of them; nothing after the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn heads(
        &self,
        topic: TopicId,
        after: Option<MessageId>,
    ) -> impl Future<Output = Result<Vec<Head>, StoreError>> + Send + use<> {
        let archive = self.archive.upgrade();
        aside(move || archive.map_or(Ok(Vec::new()), |it| it.heads(topic, after, HEADS_MAX)))
    }

    /// What comes back next. May be dropped without loss.
    pub(crate) async fn reply(&mut self) -> Reply {
        tokio::select! {
            answer = self.keeper.answer() => Reply::Answer(answer),
            (request, frames) = self.reader.read() => Reply::Read(request, frames),
        }
    }
}
