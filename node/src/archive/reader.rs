//! Reading messages by their ids, beside whatever else the node does.

use std::sync::{Arc, Weak};

use bytes::Bytes;
use forsooth_protocol::{MessageId, TopicId};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};

use super::{Archive, history::aside};

/// Orders that are under way; more are answered with nothing. The participant has fewer.
const READS_MAX: usize = 64;
/// Bytes of the frames of one answer; a single one always fits.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// The frames that an order was about, as far as they were read.
pub(crate) type Frames = Vec<(MessageId, Option<Bytes>)>;

/// Orders to read, under way.
#[derive(Debug)]
pub(crate) struct Reader {
    /// Weak, so that the file is closed when the node has shut down.
    archive: Weak<Archive>,
    under_way: FuturesUnordered<BoxFuture<'static, (u64, Frames)>>,
}

impl Reader {
    pub(crate) fn new(archive: &Arc<Archive>) -> Self {
        Self { archive: Arc::downgrade(archive), under_way: FuturesUnordered::new() }
    }

    /// Begins to read. What cannot be begun is answered at once.
    pub(crate) fn begin(
        &mut self,
        request: u64,
        topic: TopicId,
        ids: Vec<MessageId>,
    ) -> Result<(), Frames> {
        let archive = self.archive.upgrade().filter(|_| self.under_way.len() < READS_MAX);
        let Some(archive) = archive else { return Err(nothing(ids)) };
        let read = async move {
            let asked = ids.clone();
            let frames = aside(move || archive.frames(topic, &ids, ANSWER_BYTES_MAX)).await;
            let frames = frames.unwrap_or_else(|error| {
                tracing::error!(%error, "cannot read kept messages");
                nothing(asked)
            });
            (request, frames)
        };
        self.under_way.push(read.boxed());
        Ok(())
    }

    /// The next order that is carried out. May be dropped without loss.
    pub(crate) async fn read(&mut self) -> (u64, Frames) {
        match self.under_way.next().await {
            Some(read) => read,
            None => std::future::pending().await,
        }
    }
}

/// No frame for any of them.
pub(crate) fn nothing(ids: Vec<MessageId>) -> Frames {
    ids.into_iter().map(|id| (id, None)).collect()
}
