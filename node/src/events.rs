//! What happens inside a node, for observers: a bounded broadcast that never waits for them.

use std::{
    pin::Pin,
    sync::{OnceLock, Weak},
    task::{Context, Poll},
};

use forsooth_protocol::Event;
use futures::{Stream, StreamExt as _, stream, stream::BoxStream};
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

/// Events that the slowest observer may be behind.
pub(crate) const BUFFER: usize = 4096;
/// News of members that the slowest observer may be behind: a thousand that join at once, a few times over.
pub(crate) const MEMBERS_BUFFER: usize = 8192;

/// Where a node tells its observers. As long as nobody has observed anything, it has no buffer: all of it is allocated when
/// it is made.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    channel: OnceLock<Sender<T>>,
    buffer: usize,
}

impl<T: Clone> Feed<T> {
    /// The slowest observer may be so many events behind.
    pub(crate) const fn new(buffer: usize) -> Self {
        Self { channel: OnceLock::new(), buffer }
    }

    /// Tells those who observe now.
    pub(crate) fn tell(&self, event: T) {
        if let Some(channel) = self.channel.get() {
            // An error only says that nobody does any more.
            let _ = channel.send(event);
        }
    }

    fn observe(&self) -> Receiver<T> {
        self.channel.get_or_init(|| Sender::new(self.buffer)).subscribe()
    }
}

/// The events of a node from now on, or of one kind of them, as a stream. Ends when the node shuts down.
pub struct Events<T = Event>(BoxStream<'static, Result<T, Lagged>>);

/// An observer read too slowly; so many events are lost, and the next is the oldest that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read too slowly: {0} events are lost")]
pub struct Lagged(pub u64);

impl<T: Clone + Send + 'static> Events<T> {
    /// What a node tells from now on; nothing if it has shut down.
    pub(crate) fn of(feed: &Weak<Feed<T>>) -> Self {
        feed.upgrade().map_or_else(Self::none, |feed| Self::new(feed.observe()))
    }

    fn new(events: Receiver<T>) -> Self {
        let next = async |mut events: Receiver<T>| match events.recv().await {
            Ok(event) => Some((Ok(event), events)),
            Err(RecvError::Lagged(lost)) => Some((Err(Lagged(lost)), events)),
            Err(RecvError::Closed) => None,
        };
        Self(stream::unfold(events, next).boxed())
    }

    /// The events of a node that has shut down: none.
    fn none() -> Self {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn a_feed_has_a_buffer_once_somebody_observes_and_ends_with_its_node() {
        let feed = Arc::new(Feed::new(2));
        feed.tell(1);
        assert!(feed.channel.get().is_none(), "nobody has asked");
        let window = Arc::downgrade(&feed);
        let mut events = Events::of(&window);
        (2..=4).for_each(|event| feed.tell(event));
        assert_eq!(events.recv().await, Some(Err(Lagged(1))));
        assert_eq!(events.recv().await, Some(Ok(3)));
        drop(feed);
        assert_eq!(events.recv().await, Some(Ok(4)));
        assert_eq!((events.recv().await, Events::of(&window).recv().await), (None, None));
    }
}
