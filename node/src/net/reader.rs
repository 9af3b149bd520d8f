//! The incoming half of a lane: reads chunks, cuts frames, hands them on in batches.
//!
//! A batch is bounded in bytes, and the next is not read before libp2p's bounded event channel took
//! this one: a slow node stops reading, and the substream's flow control stops the peer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::Fault;
use futures::AsyncRead;
use tokio::time::Instant;

use super::framing::{CHUNK_BYTES_MIN, Decoder};
use super::queue::FRAME_OVERHEAD_BYTES;
use super::stall::Stall;

/// A batch ends with the frame that reaches this, overhead included.
const BATCH_BYTES: usize = 64 * 1024;

/// Reads the frames of one lane from its substream.
#[derive(Debug)]
pub(super) struct Reader<S> {
    stream: S,
    decoder: Decoder,
    /// Why reading ended; told after the frames before it.
    end: Option<End>,
    stall: Stall,
}

/// Why a substream is not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side closed it, or the connection is lost. Mid-frame or not: an honest peer may
    /// crash.
    Closed,
    /// What came is not ours to understand.
    Fault(Fault),
}

impl<S: AsyncRead + Unpin> Reader<S> {
    pub(super) fn new(stream: S, frame_bytes_max: usize, read_stall: Duration) -> Self {
        Self {
            stream,
            decoder: Decoder::new(frame_bytes_max),
            end: None,
            stall: Stall::new(read_stall),
        }
    }

    /// The next batch of frames, never empty, or why there is none and never will be.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Bytes>, End>> {
        let mut batch = Vec::new();
        let mut batch_bytes = 0;
        while self.end.is_none() && batch_bytes < BATCH_BYTES {
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    // Each frame has its own time: the next one, if it has begun, begins now.
                    self.stall.end();
                    batch_bytes += frame.len() + FRAME_OVERHEAD_BYTES;
                    batch.push(frame);
                }
                Ok(None) => match self.poll_chunk(cx) {
                    Poll::Ready(Ok(0) | Err(_)) => self.end = Some(End::Closed),
                    Poll::Ready(Ok(_)) => {}
                    Poll::Pending => break,
                },
                Err(fault) => self.end = Some(End::Fault(fault)),
            }
        }
        if self.decoder.is_mid_frame() {
            self.stall.begin(now);
        }
        if !batch.is_empty() {
            return Poll::Ready(Ok(batch));
        }
        self.end.map_or(Poll::Pending, |end| Poll::Ready(Err(end)))
    }

    /// Since when a frame is begun and not finished.
    pub(super) const fn stall(&mut self) -> &mut Stall {
        &mut self.stall
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        if !self.decoder.has_chunk() {
            // Most polls find nothing: a chunk of its own for each link that waits would be most of what its lanes hold.
            let mut chunk = [0; CHUNK_BYTES_MIN];
            let bytes = futures::ready!(stream.poll_read(cx, &mut chunk))?;
            self.decoder.take_in(chunk.get(..bytes).unwrap_or_default());
            return Poll::Ready(Ok(bytes));
        }
        match stream.poll_read(cx, self.decoder.room()) {
            Poll::Ready(read) => {
                let bytes = read?;
                self.decoder.received(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Pending => {
                self.decoder.rest();
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::framing::put_prefix;
    use super::*;

    /// Gives its pieces one by one, then is pending or at its end.
    struct Source {
        pieces: VecDeque<Vec<u8>>,
        is_closed: bool,
    }

    impl AsyncRead for Source {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            room: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let Some(mut piece) = self.pieces.pop_front() else {
                return if self.is_closed { Poll::Ready(Ok(0)) } else { Poll::Pending };
            };
            let len = piece.len().min(room.len());
            room[..len].copy_from_slice(&piece[..len]);
            if len < piece.len() {
                self.pieces.push_front(piece.split_off(len));
            }
            Poll::Ready(Ok(len))
        }
    }

    fn reader(pieces: &[&[u8]]) -> Reader<Source> {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        Reader::new(Source { pieces, is_closed: false }, 100_000, Duration::from_secs(20))
    }

    fn poll(reader: &mut Reader<Source>, now: Instant) -> Poll<Result<Vec<Bytes>, End>> {
        reader.poll(now, &mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn good_frames_are_handed_on_before_the_fault_that_follows_them() {
        let mut reader = reader(&[b"\x01a\x01", b"b\x00\x01c"]);
        let now = Instant::now();
        assert_eq!(poll(&mut reader, now), Poll::Ready(Ok(vec!["a".into(), "b".into()])));
        for _ in 0..2 {
            assert_eq!(poll(&mut reader, now), Poll::Ready(Err(End::Fault(Fault::Malformed))));
        }
    }

    #[test]
    fn a_link_that_waits_holds_no_chunk_unless_it_was_busy_a_moment_ago() {
        let frame = |len: usize| {
            let mut frame = Vec::new();
            put_prefix(len, &mut frame);
            frame.resize(frame.len() + len, 1);
            frame
        };
        let mut reader = reader(&[]);
        let now = Instant::now();
        let mut held = |frames: &[usize]| {
            reader.stream.pieces.extend(frames.iter().map(|len| frame(*len)));
            for _ in 0..=frames.len() {
                let _ = poll(&mut reader, now);
            }
            reader.decoder.allocated_bytes()
        };
        assert_eq!(held(&[]), 0);
        assert_eq!(held(&[40, 700]), 0);
        assert!(held(&[9_000; 20]) > CHUNK_BYTES_MIN);
        assert_eq!(held(&[40; 200]), 0);
    }

    #[test]
    fn a_batch_is_bounded_and_what_it_leaves_is_read_later() {
        let mut wire = Vec::new();
        for _ in 0..100 {
            super::super::framing::put_prefix(10_000, &mut wire);
            wire.extend_from_slice(&[1; 10_000]);
        }
        let mut reader = reader(&[&wire]);
        let mut frames = 0;
        while let Poll::Ready(batch) = poll(&mut reader, Instant::now()) {
            let batch = batch.unwrap();
            assert!(batch.len() <= BATCH_BYTES.div_ceil(10_000));
            frames += batch.len();
        }
        assert_eq!(frames, 100);
    }

    #[test]
    fn a_frame_has_its_time_from_its_first_byte_and_dripping_does_not_extend_it() {
        let mut reader = reader(&[b"\x05h"]);
        let start = Instant::now();
        assert!(poll(&mut reader, start).is_pending());
        let deadline = reader.stall().deadline().unwrap();
        reader.stream.pieces.push_back(b"al".to_vec());
        assert!(poll(&mut reader, start + Duration::from_secs(10)).is_pending());
        assert_eq!(reader.stall().deadline(), Some(deadline));
        // The next frame begins with the end of this one.
        reader.stream.pieces.push_back(b"lo\x05".to_vec());
        let later = start + Duration::from_secs(15);
        assert_eq!(poll(&mut reader, later), Poll::Ready(Ok(vec!["hallo".into()])));
        assert!(poll(&mut reader, later).is_pending());
        assert_eq!(reader.stall().deadline(), Some(later + Duration::from_secs(20)));
    }

    #[test]
    fn a_peer_that_goes_away_mid_frame_did_no_wrong() {
        let mut reader = reader(&[b"\x05ha"]);
        reader.stream.is_closed = true;
        assert_eq!(poll(&mut reader, Instant::now()), Poll::Ready(Err(End::Closed)));
    }
}
