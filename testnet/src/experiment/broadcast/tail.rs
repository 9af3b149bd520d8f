//! A distribution in three numbers.

use std::fmt;

use serde::Serialize;

/// The median, the 99th percentile and the most of something: values that occurred, by nearest rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tail {
    /// Half of them are no more.
    pub p50: f64,
    /// 99 of 100 are no more.
    pub p99: f64,
    /// All are no more.
    pub max: f64,
}

impl Tail {
    /// Of whole numbers, such as hops; `None` if there are none.
    pub(super) fn of(numbers: impl Iterator<Item = u32>) -> Option<Self> {
        let mut sorted: Vec<u32> = numbers.collect();
        sorted.sort_unstable();
        let at = |share| ranked(&sorted, sorted.len(), share).map(f64::from);
        Some(Self { p50: at(0.5)?, p99: at(0.99)?, max: at(1.0)? })
    }

    /// Milliseconds, of microseconds.
    pub(in crate::experiment) fn of_micros(micros: impl Iterator<Item = u32>) -> Option<Self> {
        let Self { p50, p99, max } = Self::of(micros)?;
        Some(Self { p50: p50 / 1000.0, p99: p99 / 1000.0, max: max / 1000.0 })
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50, p99, max } = self;
        write!(f, "{p50:>12.1}{p99:>12.1}{max:>12.1}")
    }
}

/// The 99th percentile in milliseconds, of microseconds. Of those that are due and have not come it is as though
/// they took forever: `None` if that is the 99th.
pub(super) fn p99_of_due(micros: impl Iterator<Item = u32>, due: usize) -> Option<f64> {
    let mut sorted: Vec<u32> = micros.collect();
    sorted.sort_unstable();
    ranked(&sorted, due, 0.99).map(|micros| f64::from(micros) / 1000.0)
}

/// The value of this rank, of `count` of which those that are missing are the greatest.
fn ranked(sorted: &[u32], count: usize, share: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, reason = "a share of a number of values")]
    #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
    let rank = (count as f64 * share).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_nearest_and_what_never_came_counts_as_slowest() {
        assert_eq!(Tail::of([].into_iter()), None);
        assert_eq!(Tail::of([7].into_iter()), Some(Tail { p50: 7.0, p99: 7.0, max: 7.0 }));
        let hundred = || (1..=100).rev();
        assert_eq!(Tail::of(hundred()), Some(Tail { p50: 50.0, p99: 99.0, max: 100.0 }));
        let micros = || hundred().map(|ms| ms * 1000);
        assert_eq!(p99_of_due(micros(), 100), Some(99.0));
        assert_eq!(p99_of_due(micros(), 101), Some(100.0));
        assert_eq!(p99_of_due(micros(), 102), None);
    }
}
