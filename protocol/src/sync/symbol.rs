//! Coded symbols, and which items go into which (Yang, Gilad, Alizadeh, "Practical Rateless Set Reconciliation",
//! section 4).
//!
//! A set has an endless sequence of symbols. Each item is in the first, and in later ones with a chance that falls
//! as 2/(2 + place): so whoever has the difference of two sets' sequences can solve it after a third more symbols
//! than there are differences, and needs no estimate beforehand. Of an item, only its stem is in a symbol. Which symbols
//! that are, and the check by which a stem alone in a symbol is known, are a keyed hash of the stem.
//!
//! One thing differs from the paper: the chance does not fall below [`EARLY_CHANCE`] at the first [`EARLY`] places. Of few
//! differences, two are now and then in the same early symbols, and nothing tells them apart until much later.

use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use super::item::Stem;
use crate::Network;

/// So many places, and the least chance to be in the symbol at one of them. Measured: of 10 differences, one comparison in a
/// thousand takes more than it should, and ten where the chance falls from the first place on.
const EARLY: u64 = 16;
const EARLY_CHANCE: f64 = 0.35;

/// Bytes of a [`SketchKey`].
pub const SKETCH_KEY_BYTES: usize = 16;

/// The key of a sketch. Sketches under different keys cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SketchKey([u8; SKETCH_KEY_BYTES]);

impl SketchKey {
    /// The key that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SKETCH_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key of a network's sketches: everybody who knows the network's manifest knows it.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let digest = forsooth_crypto::Digest::of(
            forsooth_crypto::Domain::Sketch,
            network.digest().as_bytes(),
        );
        let mut bytes = [0; SKETCH_KEY_BYTES];
        bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(bytes)
    }

    /// The stem with what follows from it under this key.
    pub(super) fn code(&self, stem: Stem) -> Coded {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&stem.to_bytes());
        let hash = hasher.finish128();
        Coded { stem, check: hash.h1, seed: hash.h2 }
    }
}

/// An item's stem, ready to go into symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coded {
    pub(super) stem: Stem,
    check: u64,
    seed: u64,
}

impl Coded {
    /// The places of the symbols that it is in, in order, from the first on.
    pub(super) const fn places(&self) -> Places {
        Places { next: 0, state: self.seed }
    }
}

/// The places of the symbols that an item is in: an endless, growing sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    next: u64,
    state: u64,
}

impl Places {
    /// Calls with each place from where it stands up to a length, and stands behind them then.
    pub(super) fn each_below(&mut self, len: usize, mut call: impl FnMut(usize)) {
        while let Some(place) = usize::try_from(self.next).ok().filter(|place| *place < len) {
            call(place);
            self.advance();
        }
    }

    /// One early place after the other is drawn for. Of those after them, the next is more than `gap` away with a chance of about
    /// ((1.5 + place) / (1.5 + place + gap))² (section 4.2 of the paper), which is inverted here. All of it is exactly rounded in
    /// IEEE 754, so everybody has the same places.
    fn advance(&mut self) {
        while self.next + 1 < EARLY {
            self.next += 1;
            if self.draw() <= chance_at(self.next) {
                return;
            }
        }
        let gap = (self.next as f64 + 1.5) * (1.0 / self.draw().sqrt() - 1.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; such a place is never reached"
        )]
        let gap = gap.ceil() as u64;
        self.next = self.next.saturating_add(gap.max(1));
    }

    /// Above 0, and at most 1: SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators").
    fn draw(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let drawn = (mixed ^ mixed >> 31) >> 11;
        (drawn + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// The sum of the items that are in it. Zero if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// Their stems, added up bit by bit.
    pub stem: Stem,
    /// Their checks, added up bit by bit.
    pub check: u64,
    /// How many there are; in a difference of two sets, of the first less of the second.
    pub count: i64,
}

impl Symbol {
    /// Adds an item, or a symbol's worth of items, so many times: once or minus once.
    fn mix(&mut self, stem: Stem, check: u64, count: i64) {
        self.stem ^= stem;
        self.check ^= check;
        self.count = self.count.wrapping_add(count);
    }

    /// Puts an item in, or takes it out.
    pub(super) fn apply(&mut self, coded: &Coded, count: i64) {
        self.mix(coded.stem, coded.check, count);
    }

    /// What is in this and not in another, less what is in the other and not in this.
    pub(super) fn less(mut self, other: &Self) -> Self {
        self.mix(other.stem, other.check, other.count.wrapping_neg());
        self
    }

    /// Whether nothing is in it.
    pub(super) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The one item that is in it, and in which of the two sets it is: 1 or -1.
    pub(super) fn single(&self, key: &SketchKey) -> Option<(Coded, i64)> {
        let count = Some(self.count).filter(|count| count.unsigned_abs() == 1)?;
        self.lone(key).map(|coded| (coded, count))
    }

    /// The one item that is in it an odd number of times.
    pub(super) fn lone(&self, key: &SketchKey) -> Option<Coded> {
        let coded = key.code(self.stem);
        (coded.check == self.check).then_some(coded)
    }
}

/// The chance of an item to be in the symbol at a place.
pub(super) fn chance(place: usize) -> f64 {
    chance_at(u64::try_from(place).unwrap_or(u64::MAX))
}

fn chance_at(place: u64) -> f64 {
    let falling = 2.0 / (place as f64 + 2.0);
    if place < EARLY { falling.max(EARLY_CHANCE) } else { falling }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SketchKey = SketchKey::from_bytes([3; 16]);

    fn stem(n: u128) -> Stem {
        Stem::from_bytes(n.to_be_bytes())
    }

    #[test]
    fn places_grow_begin_with_the_first_and_thin_out() {
        let mut counts = vec![0_u32; 1000];
        for n in 0..10_000 {
            let mut last = None;
            KEY.code(stem(n)).places().each_below(1000, |place| {
                assert!(last.is_none_or(|last| last < place));
                last = Some(place);
                counts[place] += 1;
            });
        }
        assert_eq!(counts[0], 10_000);
        for window in [1..4, 4..16, 16..18, 18..30, 100..200, 500..1000] {
            let got: u32 = counts[window.clone()].iter().sum();
            let expected: f64 = window.map(|place| 10_000.0 * chance(place)).sum();
            assert!((f64::from(got) / expected - 1.0).abs() < 0.05, "{got} for {expected}");
        }
    }

    /// Part of the protocol: other places are another sketch.
    #[test]
    fn known_places_stay_what_they_were() {
        let mut places = Vec::new();
        KEY.code(stem(5)).places().each_below(2000, |place| places.push(place));
        assert_eq!(places, [0, 1, 2, 6, 9, 13, 43, 87, 89, 164, 308, 357, 850, 1497]);
    }

    #[test]
    fn an_item_alone_is_known_and_two_are_not() {
        let (one, other) = (KEY.code(stem(1)), KEY.code(stem(2)));
        let mut symbol = Symbol::default();
        symbol.apply(&one, 1);
        assert_eq!(symbol.single(&KEY), Some((one, 1)));
        assert_eq!(Symbol::default().less(&symbol).single(&KEY), Some((one, -1)));
        assert_eq!(symbol.single(&SketchKey::from_bytes([4; 16])), None);
        symbol.apply(&other, 1);
        assert_eq!(symbol.single(&KEY), None);
        symbol.apply(&one, -1);
        symbol.apply(&other, -1);
        assert!(symbol.is_zero());
    }
}
