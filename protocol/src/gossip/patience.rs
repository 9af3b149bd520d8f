//! How long to wait for the tree before a voucher is asked, and for that voucher before the next is.
//!
//! Both are measured: by how much payloads that the tree brings come after the first id, and how long a request
//! takes. The wait is the smoothed measure and four deviations, as TCP computes its retransmission timeout (RFC
//! 6298, section 2). Without it, an overloaded network asks for what is on its way, and drowns in the answers. A
//! message that came from whom we asked says nothing about the tree and is not counted there, so peers that
//! withhold cannot make us patient; those who serve late can, up to the longest wait.

use core::time::Duration;

/// A measured delay, and how long to wait for it.
#[derive(Debug)]
pub(super) struct Patience {
    mean: Duration,
    deviation: Duration,
    least: Duration,
    most: Duration,
}

impl Patience {
    /// With the tree. In a tree that has found its shape, payloads come before ids.
    pub(super) const fn with_tree() -> Self {
        let (least, most) = (Duration::from_millis(50), Duration::from_secs(2));
        Self { mean: Duration::ZERO, deviation: Duration::ZERO, least, most }
    }

    /// With somebody who was asked.
    pub(super) const fn with_voucher() -> Self {
        let (least, most) = (Duration::from_millis(100), Duration::from_millis(600));
        Self { mean: Duration::from_millis(150), deviation: Duration::ZERO, least, most }
    }

    /// With 1024 bytes of a large payload that is on its way: a megabyte takes one second to four.
    pub(super) const fn with_transfer() -> Self {
        let (least, most) = (Duration::from_millis(1), Duration::from_millis(4));
        Self { mean: Duration::ZERO, deviation: Duration::ZERO, least, most }
    }

    /// It takes so long on average.
    pub(super) const fn mean(&self) -> Duration {
        self.mean
    }

    /// It took so long.
    pub(super) fn learn(&mut self, delay: Duration) {
        let delay = delay.min(self.most);
        let error = self.mean.abs_diff(delay);
        self.deviation = (self.deviation * 3 + error) / 4;
        self.mean = (self.mean * 7 + delay) / 8;
    }

    /// How long to wait.
    pub(super) fn wait(&self) -> Duration {
        (self.mean + self.deviation * 4).clamp(self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_delay_and_comes_back() {
        let mut patience = Patience::with_tree();
        assert_eq!(patience.wait(), patience.least);
        (0..50).for_each(|_| patience.learn(Duration::from_millis(600)));
        let slow = patience.wait();
        assert!(slow > Duration::from_millis(590) && slow < Duration::from_millis(700), "{slow:?}");
        (0..50).for_each(|_| patience.learn(Duration::from_millis(5)));
        assert_eq!(patience.wait(), patience.least);
    }

    #[test]
    fn no_delay_makes_it_wait_longer_than_the_bound() {
        for mut patience in [Patience::with_tree(), Patience::with_voucher()] {
            (0..50).for_each(|_| patience.learn(Duration::MAX));
            assert_eq!(patience.wait(), patience.most);
        }
    }
}
