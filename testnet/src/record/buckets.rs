//! Values over time in a bounded number of buckets.

use std::time::Duration;

use forsooth_protocol::Time;

/// Buckets of a run; when it lasts longer than they reach, each two become one of twice the width.
const BUCKETS_MAX: usize = 256;

/// What two neighbouring buckets can be made one of.
pub(crate) trait Merge: Default {
    /// Takes in the bucket that follows this one.
    fn merge(&mut self, later: Self);
}

/// A value for each stretch of time, from the run's beginning.
#[derive(Clone, Debug)]
pub(crate) struct Buckets<T> {
    width: Duration,
    buckets: Vec<T>,
}

impl<T: Merge> Buckets<T> {
    pub(crate) const fn new(width: Duration) -> Self {
        Self { width, buckets: Vec::new() }
    }

    /// The bucket that a moment falls into.
    pub(crate) fn at(&mut self, at: Time) -> &mut T {
        while self.place(at) >= BUCKETS_MAX {
            self.halve();
        }
        let place = self.place(at);
        while self.buckets.len() <= place {
            self.buckets.push(T::default());
        }
        self.buckets.get_mut(place).expect("it was just made as long as that")
    }

    /// Each bucket with its beginning in seconds.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f64, &T)> {
        let width = self.width.as_secs_f64();
        self.buckets.iter().enumerate().map(move |(place, bucket)| (place as f64 * width, bucket))
    }

    /// Seconds that a bucket covers.
    pub(crate) const fn width(&self) -> Duration {
        self.width
    }

    fn place(&self, at: Time) -> usize {
        let place = at.as_duration().as_nanos() / self.width.as_nanos().max(1);
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        self.width *= 2;
        let mut pairs = std::mem::take(&mut self.buckets).into_iter();
        while let Some(mut first) = pairs.next() {
            if let Some(second) = pairs.next() {
                first.merge(second);
            }
            self.buckets.push(first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Count(u64);

    impl Merge for Count {
        fn merge(&mut self, later: Self) {
            self.0 += later.0;
        }
    }

    #[test]
    fn a_long_run_has_wider_buckets_and_loses_nothing() {
        let mut buckets = Buckets::<Count>::new(Duration::from_millis(100));
        for second in 0..10_000 {
            buckets.at(Time::from_duration(Duration::from_secs(second))).0 += 1;
        }
        assert!(buckets.buckets.len() <= BUCKETS_MAX);
        assert_eq!(buckets.iter().map(|(_, count)| count.0).sum::<u64>(), 10_000);
        assert!(buckets.width() >= Duration::from_secs(39));
        let (begins, count) = buckets.iter().nth(1).unwrap();
        assert!((begins - buckets.width().as_secs_f64()).abs() < 1e-9);
        assert!(count.0.abs_diff(buckets.width().as_secs()) <= 1, "{count:?}");
    }
}
