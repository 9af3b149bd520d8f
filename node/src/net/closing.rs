//! A connection that closes in time even if the other side does not cooperate.
//!
//! Closing politely means to flush first, and libp2p waits for that without limit: a peer that
//! reads nothing could keep the connections that we have closed, with their sockets, buffers and
//! places in the limits.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::time::{Sleep, sleep};

/// A multiplexer whose closing takes a limited time; then it counts as closed and is dropped.
pub(super) struct Closing<M> {
    inner: M,
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<M> Closing<M> {
    pub(super) const fn new(inner: M, limit: Duration) -> Self {
        Self { inner, limit, timer: None }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Closing<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Substream, M::Error>> {
        Pin::new(&mut self.inner).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        let closed = Pin::new(&mut self.inner).poll_close(cx);
        if closed.is_ready() {
            return closed;
        }
        let limit = self.limit;
        self.timer.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::io::Cursor;
    use tokio::time::Instant;

    use super::*;

    /// Never closes.
    struct Stubborn;

    impl StreamMuxer for Stubborn {
        type Substream = Cursor<Vec<u8>>;
        type Error = Infallible;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<Self::Substream, Infallible>> {
            Poll::Pending
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Pending
        }

        fn poll(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_close_is_dropped_at_the_limit() {
        let limit = Duration::from_secs(3);
        let mut closing = Closing::new(Stubborn, limit);
        let start = Instant::now();
        std::future::poll_fn(|cx| Pin::new(&mut closing).poll_close(cx)).await.unwrap();
        assert_eq!(Instant::now() - start, limit);
    }
}
