//! Ranges of items: all that begin with the same bits.

use super::item::{Bounds, ITEM_BITS, ITEM_BYTES, Item, Stem, TAIL_BYTES};

/// Bits of a stem.
const STEM_BITS: u16 = 128;

/// Bits by which a range is divided: into 16.
pub(super) const SPLIT_BITS: u16 = 4;

/// All items that begin with some bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The first item: the bits, then zeros.
    first: Item,
    len: u16,
}

impl Prefix {
    /// All items.
    pub const ALL: Self = Self { first: Item::new(0, [0; 32]), len: 0 };

    /// The items that begin with this many bits of this one.
    pub(super) fn new(item: &Item, len: u16) -> Self {
        let len = len.min(ITEM_BITS);
        Self { first: item.filled(len, false), len }
    }

    /// The items with this stem.
    pub(super) fn of(stem: Stem) -> Self {
        Self { first: stem.with(&[0; TAIL_BYTES]), len: STEM_BITS }
    }

    /// The smallest range that holds both items.
    pub(super) fn spanning(one: &Item, other: &Item) -> Self {
        Self::new(one, one.common(other))
    }

    /// The smallest range that holds both ranges.
    pub(super) fn joining(&self, other: &Self) -> Self {
        let common = self.first.common(&other.first);
        Self::new(&self.first, common.min(self.len).min(other.len))
    }

    /// How many bits they begin with.
    pub(super) const fn len(&self) -> u16 {
        self.len
    }

    /// The first item that may be in it.
    pub(super) const fn first(&self) -> &Item {
        &self.first
    }

    /// The last item that may be in it.
    pub(super) fn last(&self) -> Item {
        self.first.filled(self.len, true)
    }

    /// Whether an item is in it.
    pub(super) fn contains(&self, item: &Item) -> bool {
        self.first.common(item) >= self.len
    }

    /// Whether all items of another range are in it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.len <= other.len && self.contains(&other.first)
    }

    /// Whether some items are in both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// Whether all positions in it are within the bounds.
    pub(super) fn is_within(&self, bounds: &Bounds) -> bool {
        bounds.contains(self.first.at()) && bounds.contains(self.last_at())
    }

    /// Whether no position in it is within the bounds.
    pub(super) fn is_outside(&self, bounds: &Bounds) -> bool {
        bounds.is_empty() || self.last_at() < bounds.from || self.first.at() >= bounds.until
    }

    /// The last position that may be in it.
    fn last_at(&self) -> u64 {
        self.first.at() | Item::AT_MAX.checked_shr(self.len.into()).unwrap_or(0)
    }

    /// One of its 16 parts; itself if it cannot be divided.
    pub(super) fn part(&self, nibble: u8) -> Self {
        let mut first = self.first;
        for (place, shift) in (self.len..ITEM_BITS).zip((0..SPLIT_BITS).rev()) {
            if nibble >> shift & 1 == 1 {
                // Everything after is zero, so the bit is set by filling up to the end and clearing what follows.
                first = first.filled(place, true).filled(place + 1, false);
            }
        }
        Self::new(&first, self.len + SPLIT_BITS)
    }

    /// Its bytes on the wire: the bits, in as many bytes as they need.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.first.to_bytes().to_vec();
        bytes.truncate(usize::from(self.len).div_ceil(8));
        bytes
    }

    /// The range whose bits are these.
    pub(super) fn from_bytes(bytes: &[u8], len: u32) -> Option<Self> {
        let len = u16::try_from(len).ok().filter(|len| *len <= ITEM_BITS)?;
        if bytes.len() != usize::from(len).div_ceil(8) {
            return None;
        }
        let mut whole = [0; ITEM_BYTES];
        whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let item = Item::from_bytes(&whole);
        let prefix = Self::new(&item, len);
        // There is one way to write each range.
        (prefix.first == item).then_some(prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_of_a_range_are_disjoint_and_hold_all_of_it(
            at in 0..Item::AT_MAX, id: [u8; 32], len in 0..=ITEM_BITS - SPLIT_BITS,
        ) {
            let item = Item::new(at, id);
            let range = Prefix::new(&item, len);
            let parts: Vec<Prefix> = (0..16).map(|nibble| range.part(nibble)).collect();
            prop_assert!(parts.is_sorted());
            prop_assert!(parts.iter().all(|part| range.covers(part)));
            prop_assert_eq!(parts.iter().filter(|part| part.contains(&item)).count(), 1);
            prop_assert_eq!(parts.first().map(|part| *part.first()), Some(*range.first()));
            prop_assert_eq!(parts.last().map(Prefix::last), Some(range.last()));
        }

        #[test]
        fn a_range_is_read_back(at in 0..Item::AT_MAX, id: [u8; 32], len in 0..=ITEM_BITS) {
            let range = Prefix::new(&Item::new(at, id), len);
            prop_assert_eq!(Prefix::from_bytes(&range.to_bytes(), len.into()), Some(range));
        }
    }

    #[test]
    fn a_range_with_stray_bits_or_a_lying_length_is_refused() {
        assert_eq!(Prefix::from_bytes(&[0b1000_0001], 1), None);
        assert_eq!(Prefix::from_bytes(&[0, 0], 1), None);
        assert_eq!(Prefix::from_bytes(&[0; 39], 305), None);
        assert_eq!(Prefix::from_bytes(&[0; 38], u32::MAX), None);
    }

    #[test]
    fn bounds_cut_ranges_at_positions() {
        let range = Prefix::new(&Item::new(0x10, [7; 32]), 44);
        assert!(range.is_within(&Bounds { from: 0x10, until: 0x20 }));
        assert!(!range.is_within(&Bounds { from: 0x11, until: 0x20 }));
        assert!(!range.is_outside(&Bounds { from: 0x1F, until: 0x20 }));
        assert!(range.is_outside(&Bounds { from: 0x20, until: 0x30 }));
        assert!(range.is_outside(&Bounds { from: 0x18, until: 0x18 }));
    }
}
