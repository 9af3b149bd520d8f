//! How far this node may trust its own impression: Lifeguard's local health (Dadgar, Phillips, Currey, DSN-W 2018, section 4.A).
//!
//! A node that is slow itself finds all others slow. So each probe that fails makes it wait longer, each that succeeds
//! shorter again; a helper that says it did not reach the subject either shows that our own links work.

use core::time::Duration;

/// The most by which the multiplier grows, as in the paper.
const SCORE_MAX: u32 = 8;

/// How far this node may trust its own impression.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    score: u32,
}

impl Health {
    /// A probe succeeded, or a helper answered that it failed too.
    pub(super) const fn well(&mut self) {
        self.score = self.score.saturating_sub(1);
    }

    /// A probe failed, or this node had to rebut an accusation.
    pub(super) const fn ill(&mut self) {
        if self.score < SCORE_MAX {
            self.score += 1;
        }
    }

    /// This node has been asleep.
    pub(super) const fn slept(&mut self) {
        self.score = SCORE_MAX / 2;
    }

    /// A timeout of ours.
    pub(super) const fn stretch(self, timeout: Duration) -> Duration {
        timeout.saturating_mul(self.score + 1)
    }

    /// 0 is well.
    pub(super) const fn score(self) -> u32 {
        self.score
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_stretch_timeouts_up_to_a_bound_and_successes_shorten_them() {
        let (mut health, second) = (Health::default(), Duration::from_secs(1));
        health.ill();
        assert_eq!(health.stretch(second), second * 2);
        (0..100).for_each(|_| health.ill());
        assert_eq!(health.stretch(second), second * 9);
        (0..100).for_each(|_| health.well());
        assert_eq!(health.stretch(second), second);
    }
}
