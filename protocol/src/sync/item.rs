//! What a set that is reconciled consists of: items, each with a position and an id.

use core::{fmt, ops::BitXorAssign};

/// Bits of a position.
pub(super) const AT_BITS: u16 = 48;
/// Bits by which items are ordered: those of the position, then those of the id.
pub(super) const ITEM_BITS: u16 = AT_BITS + 256;
/// Bytes of an item on the wire.
pub const ITEM_BYTES: usize = 38;
/// Bytes of a position on the wire.
const AT_BYTES: usize = 6;
/// Bytes of a [`Stem`].
pub const STEM_BYTES: usize = 16;
/// Bytes of a [`Tail`].
pub const TAIL_BYTES: usize = ITEM_BYTES - STEM_BYTES;
/// Bits of an id that are in a stem.
const STEM_ID_BITS: u32 = 80;

/// The bytes of an item after its [`Stem`]: the last 22 of its id.
pub type Tail = [u8; TAIL_BYTES];

/// An element of a set: where it stands, and which it is. Ordered by position, then by id.
///
/// Of a message, the position is its timestamp in milliseconds, and the id is the message's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    at: u64,
    id: [u8; 32],
}

impl Item {
    /// The last position, 2⁴⁸ - 1: in milliseconds, the year 10889.
    pub const AT_MAX: u64 = (1 << AT_BITS) - 1;

    /// The item with this id. A position after [`Self::AT_MAX`] is taken for the last.
    #[must_use]
    pub const fn new(at: u64, id: [u8; 32]) -> Self {
        Self { at: if at > Self::AT_MAX { Self::AT_MAX } else { at }, id }
    }

    /// Where it stands.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Which it is.
    #[must_use]
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Its bytes on the wire, whose order is the items': the position with the highest byte first, the id.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; ITEM_BYTES] {
        let mut bytes = [0; ITEM_BYTES];
        let (at, id) = bytes.split_at_mut(AT_BYTES);
        at.iter_mut().zip(self.at.to_be_bytes().into_iter().skip(2)).for_each(|(to, by)| *to = by);
        id.copy_from_slice(&self.id);
        bytes
    }

    /// The item that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ITEM_BYTES]) -> Self {
        let (at, id) = bytes.split_at(AT_BYTES);
        let at = at.iter().fold(0, |at, byte| at << 8 | u64::from(*byte));
        Self { at, id: id.try_into().expect("what is left of 38 bytes after 6 are 32") }
    }

    /// Its first 16 bytes.
    #[must_use]
    pub fn stem(&self) -> Stem {
        self.divided().0
    }

    /// Its last 22 bytes.
    #[must_use]
    pub fn tail(&self) -> Tail {
        self.divided().1
    }

    fn divided(&self) -> (Stem, Tail) {
        let bytes = self.to_bytes();
        let (stem, tail) = bytes.split_first_chunk().expect("the first 16 of 38 bytes");
        (
            Stem::from_bytes(*stem),
            tail.try_into().expect("what is left of 38 bytes after 16 are 22"),
        )
    }

    /// One of its bits, the highest first.
    pub(super) fn bit(&self, place: u16) -> bool {
        if place < AT_BITS {
            return self.at >> (AT_BITS - 1 - place) & 1 == 1;
        }
        let place = place - AT_BITS;
        let byte = self.id.get(usize::from(place / 8)).copied().unwrap_or(0);
        byte >> (7 - place % 8) & 1 == 1
    }

    /// How many bits both begin with.
    pub(super) fn common(&self, other: &Self) -> u16 {
        let at = self.at ^ other.at;
        if at != 0 {
            return small(at.leading_zeros()).saturating_sub(64 - AT_BITS);
        }
        let mut bits = AT_BITS;
        for (one, other) in self.id.iter().zip(&other.id) {
            let differing = one ^ other;
            if differing != 0 {
                return bits + small(differing.leading_zeros());
            }
            bits += 8;
        }
        bits
    }

    /// The same with all bits from this place on cleared, or set.
    pub(super) fn filled(&self, place: u16, set: bool) -> Self {
        let below = |bits: u16| u64::MAX.checked_shr(bits.into()).unwrap_or(0);
        let at_mask = below(64 - AT_BITS + place.min(AT_BITS));
        let mut id = self.id;
        for (start, byte) in (0..).step_by(8).zip(&mut id) {
            let kept = place.saturating_sub(AT_BITS).saturating_sub(start).min(8);
            let mask = 0xFF_u8.checked_shr(kept.into()).unwrap_or(0);
            *byte = if set { *byte | mask } else { *byte & !mask };
        }
        Self { at: if set { self.at | at_mask } else { self.at & !at_mask }, id }
    }
}

fn small(bits: u32) -> u16 {
    u16::try_from(bits).expect("a number has at most 64 bits")
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.id;
        write!(f, "Item({}, {a:02x}{b:02x}{c:02x}{d:02x}…)", self.at)
    }
}

/// The first 16 bytes of an item: its position and the first ten bytes of its id. What symbols are made of: the other 22
/// bytes would be in every symbol, and are needed once for each item that is lacking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stem(u128);

impl Stem {
    /// The stem that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; STEM_BYTES]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; STEM_BYTES] {
        self.0.to_be_bytes()
    }

    /// Where its items stand.
    #[must_use]
    pub fn at(self) -> u64 {
        u64::try_from(self.0 >> STEM_ID_BITS).expect("48 bits are left of 128")
    }

    /// The item that begins with it and goes on so.
    #[must_use]
    pub fn with(self, tail: &Tail) -> Item {
        let mut bytes = [0; ITEM_BYTES];
        let (stem, rest) = bytes.split_at_mut(STEM_BYTES);
        stem.copy_from_slice(&self.to_bytes());
        rest.copy_from_slice(tail);
        Item::from_bytes(&bytes)
    }
}

/// Stems are added up bit by bit.
impl BitXorAssign for Stem {
    fn bitxor_assign(&mut self, other: Self) {
        self.0 ^= other.0;
    }
}

/// Which positions are compared: from the first on, and before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first position that is compared.
    pub from: u64,
    /// The first that is not any more.
    pub until: u64,
}

impl Bounds {
    /// Every position.
    pub const ALL: Self = Self { from: 0, until: Item::AT_MAX + 1 };

    /// What is within both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), until: self.until.min(other.until) }
    }

    /// Whether no position is within.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.from >= self.until
    }

    /// Whether this position is within.
    #[must_use]
    pub const fn contains(&self, at: u64) -> bool {
        self.from <= at && at < self.until
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items() -> impl Strategy<Value = Item> {
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(at, id)| Item::new(at >> 16, id))
    }

    proptest! {
        #[test]
        fn bytes_are_ordered_as_items_and_read_back(one in items(), other in items()) {
            prop_assert_eq!(Item::from_bytes(&one.to_bytes()), one);
            prop_assert_eq!(one.cmp(&other), one.to_bytes().cmp(&other.to_bytes()));
        }

        #[test]
        fn an_item_is_its_stem_and_its_tail(item in items()) {
            prop_assert_eq!(item.stem().at(), item.at());
            prop_assert_eq!(item.stem().with(&item.tail()), item);
            prop_assert_eq!(Stem::from_bytes(item.stem().to_bytes()), item.stem());
        }

        #[test]
        fn a_filled_item_has_the_bits_before_the_place(item in items(), place in 0..=ITEM_BITS) {
            for set in [false, true] {
                let filled = item.filled(place, set);
                prop_assert!(filled.common(&item) >= place);
                for bit in 0..ITEM_BITS {
                    prop_assert_eq!(filled.bit(bit), if bit < place { item.bit(bit) } else { set });
                }
            }
        }

        #[test]
        fn items_have_common_what_they_begin_with(item in items(), place in 0..ITEM_BITS) {
            prop_assert_eq!(item.common(&item), ITEM_BITS);
            let other = item.filled(place, !item.bit(place));
            prop_assert_eq!(item.common(&other), place);
        }
    }

    #[test]
    fn a_position_after_the_last_is_the_last() {
        assert_eq!(Item::new(u64::MAX, [1; 32]).at(), Item::AT_MAX);
        assert!(Bounds::ALL.contains(Item::AT_MAX));
    }
}
