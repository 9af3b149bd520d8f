//! How suspicious a silence is: phi accrual on one probed edge (Hayashibara, Défago, Yared, Katayama, SRDS 2004).
//!
//! Here phi is `-log10` of the chance that an answer takes longer than it has been waited for, if answers take times that are
//! normally distributed with the mean and deviation of the last 32. So 8 means one in 10^8 under that assumption, and much more
//! often in truth, since networks have longer tails. It decides when a probe is late, which is when others are asked to try;
//! it never decides that a member is dead.

use core::time::Duration;
use std::collections::VecDeque;

/// Answers that are remembered.
const WINDOW: usize = 32;
/// Fewer say nothing about deviations: until then the setting's timeout holds.
const WARM: usize = 8;
/// Deviations above the mean at which phi is 8.
const DEVIATIONS: f64 = 5.612;
/// A deviation is taken for at least this part of the mean, and at least so many seconds: calm does not make us hasty.
const DEVIATION_SHARE_MIN: f64 = 0.25;
const DEVIATION_MIN: f64 = 0.025;

/// How long answers over one edge take.
#[derive(Clone, Debug, Default)]
pub(super) struct Phi {
    /// Seconds, the oldest first.
    times: VecDeque<f32>,
}

impl Phi {
    /// An answer came after so long. Capped by the caller's timeout, so that nobody trains us to be patient.
    #[expect(clippy::cast_possible_truncation, reason = "seconds, to seven digits")]
    pub(super) fn note(&mut self, took: Duration, max: Duration) {
        if self.times.len() >= WINDOW {
            self.times.pop_front();
        }
        self.times.push_back(took.min(max).as_secs_f64() as f32);
    }

    /// Mean and deviation in seconds, if enough is known.
    #[expect(clippy::cast_precision_loss, reason = "at most 32")]
    fn moments(&self) -> Option<(f64, f64)> {
        if self.times.len() < WARM {
            return None;
        }
        let count = self.times.len() as f64;
        let times = || self.times.iter().map(|time| f64::from(*time));
        let mean = times().sum::<f64>() / count;
        let variance = times().map(|time| (time - mean).powi(2)).sum::<f64>() / count;
        Some((mean, variance.sqrt().max(mean * DEVIATION_SHARE_MIN).max(DEVIATION_MIN)))
    }

    /// When phi is 8, or what is said while too little is known; never longer than that.
    pub(super) fn late_after(&self, max: Duration) -> Duration {
        self.moments().map_or(max, |(mean, deviation)| {
            Duration::from_secs_f64(mean + DEVIATIONS * deviation).min(max)
        })
    }

    /// Phi after a silence of this length; nothing while too little is known.
    ///
    /// The tail of the normal distribution is that of Börjesson and Sundberg (IEEE Trans. Comm. 27, 1979, equation 13).
    pub(super) fn phi(&self, silence: Duration) -> Option<f64> {
        let (mean, deviation) = self.moments()?;
        let x = (silence.as_secs_f64() - mean) / deviation;
        let tail_log = |x: f64| {
            let root = 0.661 * x + 0.339 * (x * x + 5.510).sqrt();
            -(root.log10()
                + (core::f64::consts::TAU.log10() + x * x * core::f64::consts::LOG10_E) / 2.0)
        };
        Some(if x >= 0.0 { -tail_log(x) } else { -(1.0 - 10f64.powf(tail_log(-x))).log10() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn trained(times: impl IntoIterator<Item = u64>) -> Phi {
        let mut phi = Phi::default();
        times.into_iter().for_each(|time| phi.note(ms(time), MAX));
        phi
    }

    #[test]
    fn a_cold_start_waits_as_long_as_the_settings_say() {
        let phi = trained([1; WARM - 1]);
        assert_eq!((phi.late_after(MAX), phi.phi(MAX)), (MAX, None));
    }

    #[test]
    fn phi_is_eight_when_a_probe_is_late_and_less_before() {
        let phi = trained((0..32).map(|n| 50 + n % 16 * 5));
        let late = phi.late_after(MAX);
        assert!(late < MAX);
        assert!((phi.phi(late).unwrap() - 8.0).abs() < 0.05, "{:?}", phi.phi(late));
        assert!(phi.phi(late / 2).unwrap() < 3.0);
        assert!(phi.phi(ms(0)).unwrap() < 0.1);
    }

    #[test]
    fn a_peer_cannot_train_us_to_be_patient() {
        let phi = trained([60_000; 64]);
        assert_eq!(phi.late_after(MAX), MAX);
        assert_eq!(phi.times.len(), WINDOW);
    }
}
