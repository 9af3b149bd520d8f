//! How many differences are there? From the counts of symbols, before anything is solved.
//!
//! In the difference of two sets' symbols, the count at a place is a sum of ones and minus ones, each with the same
//! chance to be in it. So its square, less what follows from the sets' sizes, tells how many they are, as in the
//! sketches of Alon, Matias, Szegedy ("The Space Complexity of Approximating the Frequency Moments", section 2.2).

use super::symbol::{Symbol, chance};

/// Places of the counts that go with a first question: late enough that a byte each will do, early enough that few
/// differences show.
pub(super) const TALLIED: core::ops::Range<usize> = 32..96;
/// Bytes of the counts.
pub(super) const TALLIES_BYTES: usize = TALLIED.end - TALLIED.start;

/// Symbols to begin with, for each difference, for the root of how many they are, and besides. Measured: with fewer, more
/// comparisons take a fourth round trip.
const AT_FIRST: f64 = 1.6;
const AT_FIRST_ROOTS: f64 = 0.6;
const AT_FIRST_AND: f64 = 4.0;

/// The counts at [`TALLIED`] places, modulo 256.
pub(super) fn tallies(symbols: &[Symbol]) -> Vec<u8> {
    let counts = symbols.iter().take(TALLIED.end).skip(TALLIED.start).map(|symbol| symbol.count);
    counts.map(low_byte).collect()
}

/// About how many differences there are, from the other side's tallies and how many items it has less.
pub(super) fn from_tallies(ours: &[Symbol], theirs: &[u8], fewer: i64) -> f64 {
    let mut estimate = Estimate::default();
    for ((place, symbol), theirs) in ours.iter().enumerate().skip(TALLIED.start).zip(theirs) {
        let expected = whole(fewer as f64 * chance(place));
        let excess = low_byte(symbol.count.wrapping_sub(expected)).wrapping_sub(*theirs);
        estimate.add(place, expected.saturating_add(i8::from_ne_bytes([excess]).into()), fewer);
    }
    estimate.sum_over_sum().max(fewer.unsigned_abs() as f64).max(1.0)
}

/// What is known from the counts of a difference so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    places: u32,
    /// Each square over its chance.
    ratios: f64,
    squares: f64,
    chances: f64,
}

impl Estimate {
    /// Adds the count at a place; in all, the first set has `net` items more than the second.
    pub(super) fn add(&mut self, place: usize, count: i64, net: i64) {
        let chance = chance(place);
        let variance = chance * (1.0 - chance);
        // Everything is in the first symbol, which tells `net` and nothing else.
        if variance > 0.0 {
            let excess = count as f64 - net as f64 * chance;
            self.places += 1;
            self.ratios += excess * excess / variance;
            self.squares += excess * excess;
            self.chances += variance;
        }
    }

    /// The best guess where each place is in several differences.
    pub(super) fn mean(&self) -> f64 {
        if self.places == 0 { 0.0 } else { self.ratios / f64::from(self.places) }
    }

    /// The same, with what was guessed from tallies: the other side began with so many symbols. Each guess counts by its
    /// variance, relative to its square.
    pub(super) fn mean_with_first(&self, len: usize) -> f64 {
        let guessed = guessed_at_first(len);
        let (of_guess, of_mean) = (0.05, 2.7 / f64::from(self.places.max(1)));
        (guessed * of_mean + self.mean() * of_guess) / (of_guess + of_mean)
    }

    /// The best guess where most places are in none.
    fn sum_over_sum(&self) -> f64 {
        if self.chances > 0.0 { self.squares / self.chances } else { 0.0 }
    }
}

/// Symbols after which so many differences are solved in two of three cases, as measured.
pub(super) fn symbols_for(differences: f64) -> usize {
    let symbols = 1.36 * differences + 0.6 * differences.sqrt() + 1.0;
    usize::try_from(whole(symbols)).unwrap_or(0)
}

/// Symbols to begin with. A guess from tallies is a fifth too high or too low; some symbols in vain cost less than
/// another round trip.
pub(super) fn symbols_at_first(differences: f64) -> usize {
    let symbols = AT_FIRST * differences + AT_FIRST_ROOTS * differences.sqrt() + AT_FIRST_AND;
    usize::try_from(whole(symbols)).unwrap_or(0)
}

/// From how many differences so many symbols to begin with follow.
fn guessed_at_first(symbols: usize) -> f64 {
    let rest = (symbols as f64 - AT_FIRST_AND).max(0.0);
    let root = (AT_FIRST_ROOTS * AT_FIRST_ROOTS + 4.0 * AT_FIRST * rest).sqrt() - AT_FIRST_ROOTS;
    (root / (2.0 * AT_FIRST)).powi(2).max(1.0)
}

/// Symbols to have after the first question for more: as good as surely enough, since a third question is a round trip
/// too many.
pub(super) fn symbols_at_last(differences: f64) -> usize {
    let symbols = 1.6 * differences + 3.0 * differences.sqrt() + 4.0;
    usize::try_from(whole(symbols)).unwrap_or(0)
}

/// Symbols that are asked for at least, after so many that did not do, and so many questions for more.
pub(super) fn symbols_more(len: usize, asked: u32) -> usize {
    let (share, roots, and) = if asked == 0 { (0.45, 1.5, -1.0) } else { (0.4, 3.0, 1.0) };
    let symbols = share * len as f64 + roots * (len as f64).sqrt() + and;
    usize::try_from(whole(symbols)).unwrap_or(0)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, and an absurd estimate is as good as another"
)]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

fn low_byte(number: i64) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low
}
