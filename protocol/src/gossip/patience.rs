//! How long to wait for the tree before a voucher is asked.
//!
//! Ids travel faster than payloads, so each message that the tree brings tells by how much. The wait is the
//! smoothed lag and four deviations, as TCP computes its retransmission timeout (RFC 6298, section 2).
//! Without it, an overloaded network asks for what is on its way, and drowns in the answers. A message that
//! came from whom we asked says nothing about the tree and is not counted, so peers that withhold cannot
//! make us patient.

use core::time::Duration;

/// The shortest wait. Half a second costs a young tree twice the p99 and saves 5 % of the payloads
/// (`forsooth-testnet sim --nodes 1000 --messages 100 --seed 7`).
const WAIT_MIN: Duration = Duration::from_millis(250);
/// The longest wait: what a peer that delays its pushes can make us wait.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// The measured lag of payloads behind their ids.
#[derive(Debug)]
pub(super) struct Patience {
    mean: Duration,
    deviation: Duration,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self { mean: Duration::ZERO, deviation: Duration::ZERO }
    }

    /// The tree brought a message so long after its id.
    pub(super) fn learn(&mut self, lag: Duration) {
        let lag = lag.min(WAIT_MAX);
        let error = self.mean.abs_diff(lag);
        self.deviation = (self.deviation * 3 + error) / 4;
        self.mean = (self.mean * 7 + lag) / 8;
    }

    /// How long to wait for the tree.
    pub(super) fn wait(&self) -> Duration {
        (self.mean + self.deviation * 4).clamp(WAIT_MIN, WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_lag_and_comes_back() {
        let mut patience = Patience::new();
        assert_eq!(patience.wait(), WAIT_MIN);
        (0..50).for_each(|_| patience.learn(Duration::from_millis(600)));
        let slow = patience.wait();
        assert!(slow > Duration::from_millis(590) && slow < Duration::from_millis(700), "{slow:?}");
        (0..50).for_each(|_| patience.learn(Duration::from_millis(5)));
        assert_eq!(patience.wait(), WAIT_MIN);
    }

    #[test]
    fn no_lag_makes_it_wait_longer_than_the_bound() {
        let mut patience = Patience::new();
        (0..50).for_each(|_| patience.learn(Duration::MAX));
        assert_eq!(patience.wait(), WAIT_MAX);
    }
}
