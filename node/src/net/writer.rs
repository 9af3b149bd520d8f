//! The outgoing half of a lane: takes what waits, writes it in one go, flushes once.
//!
//! Small frames are copied together into a chunk; a large one is written from where it is. A writer
//! holds at most about one chunk that has left the queue, so evidence never waits behind more than
//! that.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use forsooth_protocol::Lane;
use futures::AsyncWrite;
use tokio::time::Instant;

use super::framing::put_prefix;
use super::outbox::Outbox;
use super::stall::Stall;

/// How much is taken from the queue at once: a few of Yamux's 16 KiB frames.
const BATCH_BYTES: usize = 64 * 1024;
/// Frames up to this size are copied into the chunk; a write call costs more than copying them.
const COPIED_BYTES_MAX: usize = 8 * 1024;
/// A chunk with more capacity than this is given back when the lane falls idle.
const IDLE_BYTES_MAX: usize = 4 * 1024;

/// Writes the frames of one lane to its substream.
#[derive(Debug)]
pub(super) struct Writer<S> {
    stream: S,
    lane: Lane,
    /// Taken from the queue, not yet in `chunk` or `large`.
    batch: VecDeque<Bytes>,
    /// Prefixes and small frames, written up to `chunk_written`.
    chunk: Vec<u8>,
    chunk_written: usize,
    /// The rest of a large frame; follows the chunk.
    large: Bytes,
    is_flushed: bool,
    stall: Stall,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    pub(super) fn new(stream: S, lane: Lane, write_stall: Duration) -> Self {
        Self {
            stream,
            lane,
            batch: VecDeque::new(),
            chunk: Vec::new(),
            chunk_written: 0,
            large: Bytes::new(),
            is_flushed: true,
            stall: Stall::new(write_stall),
        }
    }

    /// Writes until nothing waits (`Ok`, and the task is woken for the next frame) or the stream
    /// takes no more (`Pending`).
    pub(super) fn poll(
        &mut self,
        outbox: &Outbox,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let written = self.poll_write_all(outbox, cx);
        if written.is_pending() {
            self.stall.begin(now);
        }
        written
    }

    /// Since when the stream takes nothing although something waits.
    pub(super) const fn stall(&mut self) -> &mut Stall {
        &mut self.stall
    }

    fn poll_write_all(&mut self, outbox: &Outbox, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let next = if self.chunk_written < self.chunk.len() {
                self.chunk.get(self.chunk_written..).unwrap_or_default()
            } else {
                &self.large
            };
            if next.is_empty() {
                if self.fill(outbox, cx) {
                    continue;
                }
                return self.poll_flush(cx);
            }
            let written = futures::ready!(Pin::new(&mut self.stream).poll_write(cx, next))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.stall.end();
            self.is_flushed = false;
            self.advance(written);
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_flushed {
            futures::ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
            self.stall.end();
        }
        if self.chunk.capacity() > IDLE_BYTES_MAX {
            self.chunk = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Prepares the next chunk, and a large frame behind it. False if nothing waits.
    fn fill(&mut self, outbox: &Outbox, cx: &Context<'_>) -> bool {
        self.chunk.clear();
        self.chunk_written = 0;
        if self.batch.is_empty() {
            outbox.take(self.lane, BATCH_BYTES, &mut self.batch, cx);
        }
        while let Some(frame) = self.batch.pop_front() {
            put_prefix(frame.len(), &mut self.chunk);
            if frame.len() > COPIED_BYTES_MAX {
                self.large = frame;
                break;
            }
            self.chunk.extend_from_slice(&frame);
        }
        !self.chunk.is_empty()
    }

    fn advance(&mut self, written: usize) {
        if self.chunk_written < self.chunk.len() {
            self.chunk_written += written;
        } else {
            self.large.advance(written);
        }
    }
}

#[cfg(test)]
mod tests {
    use forsooth_protocol::Class;
    use futures::task::noop_waker;

    use super::*;
    use crate::net::framing::Decoder;
    use crate::net::queue::Pushed;
    use crate::net::stats::PerLane;

    /// Takes `room` bytes, `per_call` at a time.
    struct Sink {
        taken: Vec<u8>,
        calls: usize,
        flushes: usize,
        room: usize,
        per_call: usize,
    }

    impl AsyncWrite for Sink {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let len = bytes.len().min(self.per_call).min(self.room);
            if len == 0 {
                return Poll::Pending;
            }
            self.calls += 1;
            self.room -= len;
            self.taken.extend_from_slice(&bytes[..len]);
            Poll::Ready(Ok(len))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn writer(room: usize, per_call: usize) -> Writer<Sink> {
        let sink = Sink { taken: Vec::new(), calls: 0, flushes: 0, room, per_call };
        Writer::new(sink, Lane::Data, Duration::from_secs(30))
    }

    fn outbox(frames: &[Bytes]) -> Outbox {
        let outbox = Outbox::new(PerLane { control: 0, data: 1 << 20 });
        for frame in frames {
            assert!(matches!(outbox.push(Class::Payload, frame.clone()), Pushed::Queued { .. }));
        }
        outbox
    }

    fn frames_in(wire: &[u8]) -> Vec<Bytes> {
        let mut decoder = Decoder::new(1 << 20);
        let mut frames = Vec::new();
        for byte in wire {
            decoder.room()[0] = *byte;
            decoder.received(1);
            frames.extend(decoder.next_frame().unwrap());
        }
        frames
    }

    #[test]
    fn frames_that_wait_together_are_written_with_one_call_and_one_flush() {
        let frames: Vec<Bytes> = (0..100).map(|byte| Bytes::from(vec![byte; 100])).collect();
        let (outbox, mut writer) = (outbox(&frames), writer(usize::MAX, usize::MAX));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(matches!(writer.poll(&outbox, Instant::now(), &mut cx), Poll::Ready(Ok(()))));
        assert_eq!((writer.stream.calls, writer.stream.flushes), (1, 1));
        assert_eq!(frames_in(&writer.stream.taken), frames);
    }

    #[test]
    fn large_and_small_frames_keep_their_order_however_little_the_stream_takes() {
        let frames: Vec<Bytes> = [5, 20_000, 1, COPIED_BYTES_MAX, COPIED_BYTES_MAX + 1, 70_000, 9]
            .into_iter()
            .map(|len| Bytes::from(vec![3; len]))
            .collect();
        let (outbox, mut writer) = (outbox(&frames), writer(0, 777));
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        while writer.poll(&outbox, Instant::now(), &mut cx).is_pending() {
            writer.stream.room += 1000;
        }
        assert_eq!(frames_in(&writer.stream.taken), frames);
    }

    #[test]
    fn only_a_stream_that_takes_nothing_while_something_waits_stalls() {
        let (outbox, mut writer) = (outbox(&[]), writer(0, 10));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let start = Instant::now();
        assert!(writer.poll(&outbox, start, &mut cx).is_ready());
        assert_eq!(writer.stall().deadline(), None);

        assert!(matches!(
            outbox.push(Class::Payload, Bytes::from(vec![0; 15])),
            Pushed::Queued { .. }
        ));
        assert!(writer.poll(&outbox, start, &mut cx).is_pending());
        let deadline = writer.stall().deadline().unwrap();
        assert!(writer.stall().is_over(deadline));

        writer.stream.room = 10;
        assert!(writer.poll(&outbox, deadline, &mut cx).is_pending());
        assert!(!writer.stall().is_over(deadline));
    }
}
