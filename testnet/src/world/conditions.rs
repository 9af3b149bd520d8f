//! What the links between nodes are like.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Tries after which a frame comes through anyway: more losses in a row would be a broken link.
const TRIES_MAX: u32 = 16;

/// Latency and loss of every link.
///
/// Links are reliable and keep the order of a lane, as TCP and QUIC do. So loss costs time: what is lost is
/// sent again after a timeout, and what was sent after it waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// The least time that a frame takes.
    pub latency_min: Duration,
    /// The most, if it is not lost.
    pub latency_max: Duration,
    /// Probability that a transmission is lost.
    pub loss: f64,
}

impl Conditions {
    /// The time until a sender knows that a transmission was lost: TCP's minimum of 200 ms, or a round trip.
    const RETRANSMIT_MIN: Duration = Duration::from_millis(200);

    /// How long one frame takes.
    pub(crate) fn latency(&self, rng: &mut ChaCha8Rng) -> Duration {
        let mut latency =
            rng.random_range(self.latency_min..=self.latency_max.max(self.latency_min));
        if self.loss > 0.0 {
            let timeout = Self::RETRANSMIT_MIN.max(self.latency_max * 2);
            let mut tries = 1;
            while tries < TRIES_MAX && rng.random::<f64>() < self.loss {
                // The timeout doubles with each try, as TCP's does.
                latency += timeout * (1 << (tries - 1).min(6));
                tries += 1;
            }
        }
        latency
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn latency_is_within_its_range_and_a_loss_costs_a_timeout() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let calm = Conditions { latency_min: 10 * MS, latency_max: 50 * MS, loss: 0.0 };
        let latencies: Vec<_> = (0..1000).map(|_| calm.latency(&mut rng)).collect();
        assert!(latencies.iter().all(|latency| (10 * MS..=50 * MS).contains(latency)));
        assert!(latencies.iter().any(|latency| *latency < 12 * MS));
        assert!(latencies.iter().any(|latency| *latency > 48 * MS));
        let lossy = Conditions { loss: 0.25, ..calm };
        let late = (0..1000).filter(|_| lossy.latency(&mut rng) >= 200 * MS).count();
        assert!((200..300).contains(&late), "{late}");
    }

    #[test]
    fn a_range_of_one_value_is_a_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let fixed = Conditions { latency_min: MS, latency_max: MS, loss: 0.0 };
        assert_eq!(fixed.latency(&mut rng), MS);
    }
}
