//! Frames on a substream: an unsigned varint with the length, then that many bytes.
//!
//! The decoder reads into its own buffer and cuts frames out of it without copying them. It
//! believes no length: one above the maximum is refused as soon as it is read, and the buffer at
//! most doubles what has really arrived, so a claimed megabyte costs the claimant a megabyte.
//!
//! A frame is a slice of the chunk that it arrived in, and keeps that chunk (at most 64 KiB, or the
//! frame's own size if that is larger) alive. Whoever keeps a small frame for long should copy it.

use bytes::{Buf, Bytes, BytesMut};
use forsooth_protocol::Fault;
use unsigned_varint::{decode, encode};

/// A link that is not busy reads into chunks of this size, and holds none while it waits...
pub(super) const CHUNK_BYTES_MIN: usize = 1024;
/// ...and one whose reads fill their chunk, into larger ones, up to this; smaller ones again when they fill little.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// A chunk with less room than this is replaced: reading in crumbs costs more than a new chunk.
const ROOM_BYTES_MIN: usize = 256;

/// Appends the length prefix of a frame.
pub fn put_prefix(frame_bytes: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(encode::usize(frame_bytes, &mut encode::usize_buffer()));
}

/// Cuts a stream of bytes into frames. See the module's documentation.
///
/// ```
/// use forsooth::net::framing::Decoder;
///
/// let mut decoder = Decoder::new(100);
/// decoder.room()[..3].copy_from_slice(b"\x02hi");
/// decoder.received(3);
/// assert_eq!(decoder.next_frame().unwrap().unwrap(), "hi");
/// ```
#[derive(Debug)]
pub struct Decoder {
    /// All initialised; the first `filled` bytes have arrived and are not cut yet. Empty while nothing is expected.
    buffer: BytesMut,
    filled: usize,
    /// How many bytes the frame in progress still lacks, as far as its prefix is known.
    lacking: usize,
    chunk_bytes: usize,
    frame_bytes_max: usize,
}

impl Decoder {
    /// A decoder that refuses frames above a size.
    #[must_use]
    pub fn new(frame_bytes_max: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            filled: 0,
            lacking: 0,
            chunk_bytes: CHUNK_BYTES_MIN,
            frame_bytes_max,
        }
    }

    /// Where to read the next bytes to; never empty. Call [`Self::received`] with their count.
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.filled < ROOM_BYTES_MIN {
            self.replace_chunk();
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Tells that the first `bytes` bytes of [`Self::room`] were filled.
    ///
    /// # Panics
    ///
    /// If the room was smaller, which is the caller's bug.
    pub fn received(&mut self, bytes: usize) {
        let room = self.buffer.len() - self.filled;
        assert!(bytes <= room, "more was received than there was room for");
        if bytes == room {
            self.chunk_bytes = (self.chunk_bytes * 2).min(CHUNK_BYTES_MAX);
        }
        if bytes < self.chunk_bytes / 8 {
            self.chunk_bytes = (self.chunk_bytes / 2).max(CHUNK_BYTES_MIN);
        }
        self.filled += bytes;
    }

    /// Whether there is a chunk to read to, or something in it.
    #[must_use]
    pub fn has_chunk(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Takes what was read elsewhere, when there was no chunk; no more memory is held for it than it needs.
    pub(super) fn take_in(&mut self, bytes: &[u8]) {
        debug_assert!(!self.has_chunk(), "what has a chunk is read to");
        self.buffer.extend_from_slice(bytes);
        self.filled += bytes.len();
        if bytes.len() >= CHUNK_BYTES_MIN {
            self.chunk_bytes = (self.chunk_bytes * 2).min(CHUNK_BYTES_MAX);
        }
    }

    /// Nothing more is here to be read: a link that is not busy holds no chunk until then.
    pub(super) fn rest(&mut self) {
        if self.filled == 0 && self.chunk_bytes == CHUNK_BYTES_MIN {
            self.buffer = BytesMut::new();
        }
    }

    /// Cuts the next frame, if all of it has arrived.
    ///
    /// # Errors
    ///
    /// [`Fault::Oversized`] for a length above the maximum; [`Fault::Malformed`] for an empty frame
    /// or a length that is not a minimal varint. The stream cannot be read further after either.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, Fault> {
        let received = self.buffer.get(..self.filled).unwrap_or_default();
        let (claimed, rest) = match decode::u64(received) {
            Ok(decoded) => decoded,
            Err(decode::Error::Insufficient) => return Ok(None),
            Err(_) => return Err(Fault::Malformed),
        };
        if claimed == 0 {
            return Err(Fault::Malformed);
        }
        // Refused before anything is allocated for it.
        let frame_bytes = usize::try_from(claimed)
            .ok()
            .filter(|bytes| *bytes <= self.frame_bytes_max)
            .ok_or(Fault::Oversized)?;
        let prefix_bytes = received.len() - rest.len();
        self.lacking = frame_bytes.saturating_sub(rest.len());
        if self.lacking > 0 {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(prefix_bytes + frame_bytes);
        self.filled -= frame.len();
        frame.advance(prefix_bytes);
        Ok(Some(frame.freeze()))
    }

    /// Whether a frame has begun and is not complete, once [`Self::next_frame`] returned `None`.
    #[must_use]
    pub const fn is_mid_frame(&self) -> bool {
        self.filled > 0
    }

    /// The memory that the decoder holds; frames already cut may keep more alive.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Moves the unfinished frame to the start of a new chunk. A large frame grows by doubling:
    /// each of its bytes is copied about once, and memory stays within twice of what has arrived.
    fn replace_chunk(&mut self) {
        let growth = self.lacking.min(self.filled).max(self.chunk_bytes);
        let mut chunk = BytesMut::zeroed(self.filled + growth);
        let (begun, _) = chunk.split_at_mut(self.filled);
        begun.copy_from_slice(self.buffer.get(..self.filled).unwrap_or_default());
        self.buffer = chunk;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 200_000;

    /// Feeds `wire` in pieces of the given sizes, over and over; returns the frames and the fault
    /// that ended it.
    fn decode_in_pieces(wire: &[u8], pieces: &[usize]) -> (Vec<Bytes>, Option<Fault>) {
        let mut decoder = Decoder::new(MAX);
        let mut frames = Vec::new();
        let mut left = wire;
        let mut sizes = pieces.iter().cycle();
        while !left.is_empty() {
            let size = (*sizes.next().unwrap()).clamp(1, left.len());
            let len = if decoder.has_chunk() {
                let room = decoder.room();
                let len = size.min(room.len());
                room[..len].copy_from_slice(&left[..len]);
                decoder.received(len);
                len
            } else {
                let len = size.min(CHUNK_BYTES_MIN);
                decoder.take_in(&left[..len]);
                len
            };
            left = &left[len..];
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => {
                        decoder.rest();
                        break;
                    }
                    Err(fault) => return (frames, Some(fault)),
                }
            }
        }
        (frames, None)
    }

    fn wire(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for frame in frames {
            put_prefix(frame.len(), &mut out);
            out.extend_from_slice(frame);
        }
        out
    }

    #[test]
    fn garbage_is_a_fault_and_what_almost_is_garbage_is_not() {
        let largest = [0xc0, 0x9a, 0x0c]; // 200_000
        for (name, bytes, fault) in [
            ("an empty frame", &[0][..], Some(Fault::Malformed)),
            ("a length of one", &[1], None),
            ("a length with a needless byte", &[0x81, 0], Some(Fault::Malformed)),
            ("a varint that never ends", &[0xff; 11], Some(Fault::Malformed)),
            ("a varint that has not ended", &[0xff; 9], None),
            ("the largest frame", &largest, None),
            ("one more than that", &[0xc1, 0x9a, 0x0c], Some(Fault::Oversized)),
            (
                "the largest u64",
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
                Some(Fault::Oversized),
            ),
        ] {
            assert_eq!(decode_in_pieces(bytes, &[1]).1, fault, "{name}");
        }
    }

    #[test]
    fn good_frames_before_garbage_are_delivered() {
        let (frames, fault) = decode_in_pieces(b"\x01a\x02bc\x00\x01d", &[100]);
        assert_eq!(frames, [&b"a"[..], b"bc"]);
        assert_eq!(fault, Some(Fault::Malformed));
    }

    #[test]
    fn a_claimed_length_allocates_nothing_and_memory_follows_what_arrives() {
        let mut decoder = Decoder::new(64 << 20);
        let mut prefix = Vec::new();
        put_prefix(64 << 20, &mut prefix);
        decoder.room()[..prefix.len()].copy_from_slice(&prefix);
        decoder.received(prefix.len());
        let mut received = prefix.len();
        while received < 4 << 20 {
            assert_eq!(decoder.next_frame(), Ok(None));
            let len = decoder.room().len();
            assert!(decoder.allocated_bytes() <= 2 * received + CHUNK_BYTES_MAX);
            decoder.received(len);
            received += len;
        }
    }

    #[test]
    fn a_payload_is_not_copied() {
        let mut decoder = Decoder::new(MAX);
        let room = decoder.room();
        room[..4].copy_from_slice(b"\x03abc");
        let address = room.as_ptr();
        decoder.received(4);
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!(frame.as_ptr(), address.wrapping_add(1));
    }

    proptest! {
        #[test]
        fn any_split_of_the_stream_gives_the_same_frames(
            frames in proptest::collection::vec(
                prop_oneof![
                    9 => proptest::collection::vec(any::<u8>(), 1..300),
                    1 => (1..MAX).prop_map(|len| vec![7; len]),
                ],
                0..20,
            ),
            pieces in proptest::collection::vec(prop_oneof![1..10_usize, 1..70_000_usize], 1..20),
        ) {
            let (decoded, fault) = decode_in_pieces(&wire(&frames), &pieces);
            prop_assert_eq!(fault, None);
            prop_assert_eq!(decoded, frames);
        }

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..5_000),
            pieces in proptest::collection::vec(1..999_usize, 1..9),
        ) {
            let at_once = decode_in_pieces(&bytes, &[usize::MAX]);
            prop_assert_eq!(decode_in_pieces(&bytes, &pieces), at_once);
        }
    }
}
