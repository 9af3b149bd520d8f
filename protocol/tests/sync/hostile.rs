//! Bytes as a hostile peer may send them. The property tests here and the fuzz targets in `protocol/fuzz/` call the same.

use bytes::Bytes;
use forsooth_protocol::{
    sync::{
        Bounds, Index, Symbol,
        reconcile::{Ending, Limits, Method, Question, Reply, Tell, answer},
    },
    wire::{CONTROL_FRAME_BYTES_MAX, Frame},
};

use crate::pair::{NETWORK, Outcome, compare_with, index, missing, scattered, topic};

/// Bytes of questions and replies after which a comparison here ends.
const BYTES_MAX: usize = 1 << 20;

/// Any bytes are refused or are a frame, which is written as it was read; questions are answered within a frame.
pub(crate) fn frames(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(&Bytes::copy_from_slice(bytes), &NETWORK) else { return };
    let again = Frame::decode(&frame.encode(), &NETWORK);
    assert_eq!(again.as_ref(), Ok(&frame));
    if let Frame::Compare { question, .. } = frame {
        let reply = answer(&there(), Bounds::ALL, &question);
        let frame = Frame::Compared { topic: topic(), reply, is_behind: false };
        assert!(frame.encode().len() <= CONTROL_FRAME_BYTES_MAX);
        assert_eq!(Frame::decode(&frame.encode(), &NETWORK).as_ref(), Ok(&frame));
    }
}

/// Symbols, and what is said about their stems, with any changes come to an end within the budget, and what is believed
/// of them is true. Of each four bytes, two say which symbols, two say how.
pub(crate) fn sketches(changes: &[u8]) {
    let mut changes = changes.as_chunks::<4>().0.iter();
    let (here, there) = (here(), there());
    let outcome = compared(&here, &there, Method::Auto, |_, reply| match &mut reply.tell {
        Tell::Symbols { symbols, count, .. } => {
            for change in changes.by_ref().take(6) {
                match change {
                    [255, by, ..] => *count ^= u64::from(*by),
                    _ => spoil(symbols, change),
                }
            }
        }
        Tell::Tails(tails) => {
            for [which, by, place, _] in changes.by_ref().take(2) {
                let which = usize::from(*which) % tails.len().max(1);
                let tail = tails.get_mut(which).and_then(|tails| tails.first_mut());
                tail.into_iter().for_each(|tail| tail[usize::from(*place) % 22] ^= by);
            }
        }
        Tell::Equal | Tell::Narrow(_) | Tell::Ranges { .. } => {}
    });
    // Every reply is of the kind that an honest side gives, and ranges are not changed.
    let difference = outcome.result.expect("nothing here is a failure");
    assert_eq!(difference.ending, Ending::Complete);
    assert!(difference.theirs.iter().eq(&missing(&there, &here)));
    assert!(difference.ours.iter().eq(&missing(&here, &there)));
}

fn spoil(symbols: &mut Vec<Symbol>, [place, other, how, by]: &[u8; 4]) {
    let len = symbols.len().max(1);
    let Some(other) = symbols.get(usize::from(*other) % len).copied() else { return };
    let Some(symbol) = symbols.get_mut(usize::from(*place) % len) else { return };
    match how % 6 {
        0 => *symbol = other,
        1 => symbol.stem ^= other.stem,
        2 => symbol.check ^= other.check,
        3 => symbol.count = i64::from(*by) - 128,
        4 => symbol.check ^= u64::from(*by),
        _ => symbols.truncate(usize::from(*by)),
    }
}

/// Replies about ranges with any damage come to an end within the budget.
pub(crate) fn ranges(damage: &[u8]) {
    let mut damage = damage.as_chunks::<3>().0.iter();
    _ = compared(&here(), &there(), Method::Merkle, |_, reply| {
        let mut bytes = Frame::Compared { topic: topic(), reply: reply.clone(), is_behind: false }
            .encode()
            .to_vec();
        for [high, low, change] in damage.by_ref().take(2) {
            let place = usize::from(u16::from_be_bytes([*high, *low])) % bytes.len();
            bytes[place] ^= change;
        }
        if let Ok(Frame::Compared { reply: damaged, .. }) =
            Frame::decode(&Bytes::from(bytes), &NETWORK)
        {
            *reply = damaged;
        }
    });
}

/// Each side has 20 items that the other lacks.
fn here() -> Index {
    index(scattered(280, 1))
}

fn there() -> Index {
    index(scattered(300, 1).skip(20))
}

fn compared(
    here: &Index,
    there: &Index,
    method: Method,
    mut change: impl FnMut(&Question, &mut Reply),
) -> Outcome {
    let limits = Limits { method, bytes_max: BYTES_MAX, ..Limits::default() };
    let outcome = compare_with(here, Bounds::ALL, limits, |question| {
        let mut reply = answer(there, Bounds::ALL, question);
        change(question, &mut reply);
        reply
    });
    // What is under way when the limit is reached comes on top.
    let on_top = limits.in_flight_max * (limits.question_bytes_max + CONTROL_FRAME_BYTES_MAX);
    assert!(outcome.bytes <= BYTES_MAX + on_top, "{} bytes", outcome.bytes);
    assert!(outcome.rounds <= limits.rounds_max);
    outcome
}
