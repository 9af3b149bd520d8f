//! Bytes as a hostile peer may send them. The property tests here and the fuzz targets in `protocol/fuzz/` call the same.

use bytes::Bytes;
use forsooth_protocol::{
    sync::{
        Bounds, Index,
        reconcile::{Limits, Method, answer},
    },
    wire::{CONTROL_FRAME_BYTES_MAX, Frame},
};

use crate::pair::{NETWORK, compare_with, index, scattered, topic};

/// Any bytes are refused or are a frame, which is written as it was read; questions are answered within a frame.
pub(crate) fn frames(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(&Bytes::copy_from_slice(bytes), &NETWORK) else { return };
    let again = Frame::decode(&frame.encode(), &NETWORK);
    assert_eq!(again.as_ref(), Ok(&frame));
    if let Frame::Compare { question, .. } = frame {
        let reply = answer(&there(), Bounds::ALL, &question);
        let frame = Frame::Compared { topic: topic(), reply };
        assert!(frame.encode().len() <= CONTROL_FRAME_BYTES_MAX);
        assert_eq!(Frame::decode(&frame.encode(), &NETWORK).as_ref(), Ok(&frame));
    }
}

/// Symbols with any damage come to an end.
pub(crate) fn sketches(damage: &[u8]) {
    damaged(damage, Method::Auto);
}

/// Ranges with any damage come to an end.
pub(crate) fn ranges(damage: &[u8]) {
    damaged(damage, Method::Merkle);
}

fn there() -> Index {
    index(scattered(300, 1).skip(20))
}

/// A comparison whose replies are changed at some places: of each three bytes, two say where, one says how.
fn damaged(damage: &[u8], method: Method) {
    let (here, there) = (index(scattered(280, 1)), there());
    let mut damage = damage.as_chunks::<3>().0.iter();
    let limits = Limits { method, bytes_max: 1 << 20, ..Limits::default() };
    let outcome = compare_with(&here, Bounds::ALL, limits, |question| {
        let reply = answer(&there, Bounds::ALL, question);
        let mut bytes = Frame::Compared { topic: topic(), reply: reply.clone() }.encode().to_vec();
        for [high, low, change] in damage.by_ref().take(2) {
            let place = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len();
            bytes[place] ^= change;
        }
        match Frame::decode(&Bytes::from(bytes), &NETWORK) {
            Ok(Frame::Compared { reply, .. }) => reply,
            _ => reply,
        }
    });
    assert!(outcome.bytes <= 2 << 20);
}
