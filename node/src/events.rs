//! What happens inside a node, for observers: a bounded broadcast that never waits for them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use forsooth_protocol::Event;
use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Events that the slowest observer may be behind.
pub(crate) const BUFFER: usize = 4096;
/// News of members that the slowest observer may be behind: a thousand that join at once, a few times over.
pub(crate) const MEMBERS_BUFFER: usize = 8192;

/// The events of a node from now on, or of one kind of them, as a stream. Ends when the node shuts down.
pub struct Events<T = Event>(BoxStream<'static, Result<T, Lagged>>);

/// An observer read too slowly; so many events are lost, and the next is the oldest that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read too slowly: {0} events are lost")]
pub struct Lagged(pub u64);

impl<T: Clone + Send + 'static> Events<T> {
    pub(crate) fn new(events: Receiver<T>) -> Self {
        let next = async |mut events: Receiver<T>| match events.recv().await {
            Ok(event) => Some((Ok(event), events)),
            Err(RecvError::Lagged(lost)) => Some((Err(Lagged(lost)), events)),
            Err(RecvError::Closed) => None,
        };
        Self(stream::unfold(events, next).boxed())
    }

    /// The events of a node that has shut down: none.
    pub(crate) fn none() -> Self {
        Self(stream::empty().boxed())
    }

    /// The next event; `None` once the node has shut down.
    pub async fn recv(&mut self) -> Option<Result<T, Lagged>> {
        self.next().await
    }
}

impl<T> Stream for Events<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<T> std::fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Events")
    }
}
