//! One table of the book: buckets of slots, at most one peer in each slot.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::{
    bucket::{SLOTS, Spot},
    entries::Handle,
};

/// Buckets of slots. Bounded by its shape.
#[derive(Debug)]
pub(super) struct Table {
    buckets: Vec<BTreeMap<u8, Handle>>,
    used: usize,
}

impl Table {
    pub(super) fn new(buckets: u16) -> Self {
        Self { buckets: vec![BTreeMap::new(); buckets.into()], used: 0 }
    }

    /// Who stands there.
    pub(super) fn get(&self, spot: Spot) -> Option<Handle> {
        self.buckets.get(usize::from(spot.bucket))?.get(&spot.slot).copied()
    }

    /// Puts a peer there and returns who had to go.
    pub(super) fn put(&mut self, spot: Spot, peer: Handle) -> Option<Handle> {
        let old = self.buckets.get_mut(usize::from(spot.bucket))?.insert(spot.slot, peer);
        self.used += usize::from(old.is_none());
        old
    }

    /// Empties a slot.
    pub(super) fn clear(&mut self, spot: Spot) {
        let bucket = self.buckets.get_mut(usize::from(spot.bucket));
        let old = bucket.and_then(|bucket| bucket.remove(&spot.slot));
        self.used -= usize::from(old.is_some());
    }

    /// A random peer of a random bucket that has any: whoever fills few buckets is drawn as seldom as that,
    /// however full they are.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Option<Handle> {
        let filled: Vec<_> = self.buckets.iter().filter(|bucket| !bucket.is_empty()).collect();
        let bucket = filled.get(below(rng, filled.len()))?;
        bucket.values().nth(below(rng, bucket.len())).copied()
    }

    /// Slots taken.
    pub(super) const fn used(&self) -> usize {
        self.used
    }

    /// Slots.
    pub(super) fn max(&self) -> usize {
        self.buckets.len() * usize::from(SLOTS)
    }
}

/// A random number below `bound`; 0 if the bound is.
pub(super) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    // The bias of a remainder of 64 bits is beyond measure for a few thousand.
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(rng.next_u64() % bound).unwrap_or(0)
}
