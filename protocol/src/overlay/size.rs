//! How many peers there are, as far as sampling them is concerned, and what follows from it.
//!
//! The least of `n` random numbers between 0 and 1 is `1 / (n + 1)` on average. A slot's rank is such a
//! least number at each level: of all coarse networks, of the networks in the one it drew, and so on. Their
//! product over the levels estimates the size of a tree by random descents into it (Knuth, "Estimating the
//! efficiency of backtrack programs", 1975). Where networks differ, numbers are averaged before they are
//! inverted, which leans to the small side: keys crowded into one network hardly count, as they hardly
//! count when samples are drawn. So an attacker cannot make the network look large with keys alone.
//!
//! The formulas are Basalt's (Auvolat et al., Middleware 2023): `C = 2 v^2 / (rho N)` is how often a slot is
//! offered every peer before it is reseeded, if each round brings one answered pull and one push.

use core::num::NonZeroU32;

use super::{
    place::{LEVELS, Place},
    rank::{Candidate, Rank},
};

/// Least slots of a view.
pub const VIEW_MIN: usize = 32;
/// The least `C` at which nobody's view falls to the liars.
pub const CAPACITY_MIN: u32 = 10;
/// Over how many ranks the estimate averages at most; its error is about 1 / sqrt of it for each level.
const MEMORY: f64 = 512.0;

/// How fast a view is reseeded: Basalt's `rho = k / r`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Slots reseeded at once: `k`.
    pub replaced: u32,
    /// Rounds between reseedings: `r`.
    pub rounds: NonZeroU32,
}

impl Rate {
    /// Slots reseeded in a round, on average.
    #[must_use]
    pub fn per_round(&self) -> f64 {
        f64::from(self.replaced) / f64::from(self.rounds.get())
    }

    /// Slots that a network of so many peers needs at this rate: `max(32, ceil(sqrt(10 rho N)))`.
    #[must_use]
    pub fn view_for(&self, peers: u32) -> usize {
        let squared = self.load(peers).div_ceil(u128::from(self.rounds.get()));
        let root = squared.isqrt();
        let root = if root.pow(2) < squared { root + 1 } else { root };
        usize::try_from(root).unwrap_or(usize::MAX).max(VIEW_MIN)
    }

    /// This rate, or as much of it as a view can bear: `rho <= v^2 / (10 N)`.
    #[must_use]
    pub fn bearable(&self, view: usize, peers: u32) -> Self {
        let room = u128::try_from(view).unwrap_or(u128::MAX).saturating_pow(2).max(1);
        let rounds = u32::try_from(self.load(peers).div_ceil(room)).unwrap_or(u32::MAX);
        Self {
            rounds: NonZeroU32::new(rounds).map_or(self.rounds, |n| n.max(self.rounds)),
            ..*self
        }
    }

    /// `10 k N`.
    fn load(&self, peers: u32) -> u128 {
        u128::from(CAPACITY_MIN) * u128::from(self.replaced) * u128::from(peers)
    }

    /// How often a slot is offered every peer before it is reseeded: `C = 2 v^2 / (rho N)`.
    #[must_use]
    pub fn capacity(&self, view: usize, peers: u32) -> f64 {
        2.0 * (view as f64).powi(2) / (self.per_round() * f64::from(peers))
    }
}

/// An estimate of the size of the network from the ranks of those who were drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Size {
    means: [f64; LEVELS + 1],
    count: f64,
}

impl Size {
    /// Takes the rank of a peer that held its slot for long.
    pub(crate) fn learn(&mut self, (candidate, rank): &(Candidate, Rank)) {
        self.count = (self.count + 1.0).min(MEMORY);
        let unknown = candidate.place == Place::UNKNOWN;
        for ((mean, share), level) in self.means.iter_mut().zip(rank.shares()).zip(0..) {
            // Where nothing is known there is one network only, and its rank tells nothing.
            let alone = unknown && (1..LEVELS).contains(&level);
            *mean += (if alone { 0.5 } else { share } - *mean) / self.count;
        }
    }

    /// Peers, oneself left out; 0 before there is anything to tell from.
    pub(crate) fn peers(&self) -> u32 {
        if self.count == 0.0 {
            return 0;
        }
        let branches: f64 = self.means.iter().map(|mean| 1.0 / mean.max(1e-12) - 1.0).product();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float becomes the nearest integer there is"
        )]
        #[expect(clippy::cast_sign_loss, reason = "clamped")]
        let peers = branches.round().clamp(1.0, f64::from(u32::MAX)) as u32;
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(replaced: u32, rounds: u32) -> Rate {
        Rate { replaced, rounds: NonZeroU32::new(rounds).unwrap() }
    }

    #[test]
    fn a_view_is_as_large_as_basalt_asks_for() {
        for ((replaced, rounds, peers), view) in [
            ((1, 1, 1000), 100),
            ((10, 10, 1000), 100),
            ((1, 1, 1001), 101),
            ((1, 4, 10_000), 159),
            ((1, 2, 10), VIEW_MIN),
            ((1, 1, 0), VIEW_MIN),
        ] {
            assert_eq!(rate(replaced, rounds).view_for(peers), view);
        }
        assert!(rate(u32::MAX, 1).view_for(u32::MAX) > 1 << 32, "no overflow");
    }

    #[test]
    fn a_rate_falls_until_the_view_bears_it() {
        assert_eq!(rate(1, 1).bearable(100, 1000), rate(1, 1));
        assert_eq!(rate(1, 1).bearable(50, 1000), rate(1, 4));
        assert_eq!(rate(1, 8).bearable(50, 1000), rate(1, 8));
        assert_eq!(rate(1, 1).capacity(100, 1000), 20.0);
        assert_eq!(rate(1, 4).capacity(50, 1000), 20.0);
        assert!(rate(1, 1).bearable(0, u32::MAX).rounds.get() > 1 << 31);
    }
}
