//! Breaks frames at random: the bits that a fuzzer would try.

use bytes::Bytes;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// The frame with something wrong about it.
pub(super) fn mutate(frame: &Bytes, rng: &mut ChaCha8Rng) -> Bytes {
    let mut bytes = frame.to_vec();
    for _ in 0..rng.random_range(1..4) {
        step(&mut bytes, rng);
    }
    bytes.into()
}

fn step(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..=bytes.len());
    match rng.random_range(0..7) {
        // A bit, a byte, a length or a number at its end: the small ones are mostly near the front.
        0 => set(bytes, at, |byte, rng| byte ^ (1 << rng.random_range(0..8)), rng),
        1 => set(bytes, at, |_, rng| rng.random(), rng),
        2 => set(bytes, at.min(12), |_, rng| rng.random(), rng),
        3 => set(bytes, at, |_, rng| if rng.random() { 0xff } else { 0 }, rng),
        4 => bytes.truncate(at),
        5 => {
            let extra: [u8; 11] = rng.random();
            bytes.splice(at..at, extra);
        }
        // A piece of it once more.
        _ => {
            let end = at.saturating_add(rng.random_range(0..40)).min(bytes.len());
            let piece = bytes.get(at..end).unwrap_or_default().to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

fn set(
    bytes: &mut [u8],
    at: usize,
    new: impl FnOnce(u8, &mut ChaCha8Rng) -> u8,
    rng: &mut ChaCha8Rng,
) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = new(*byte, rng);
    }
}
