//! What an author who says two things can do: with k of n alone, and with a settling time.

use super::{Population, tail::at_least};

/// The chance that two honest nodes accept different messages for one slot, if its author shows each of the two to half of the honest,
/// liars vouch for both, and the proof is slower than the vouches. One node of each half is looked at.
pub(super) fn without_settling(population: Population, k: u16, n: u16) -> f64 {
    let Population { liars, .. } = population;
    let (all, half) = (population.others(), population.honest() / 2);
    let sides = [half, population.honest() - half];
    // The node itself is one of its side, and is not drawn.
    sides.map(|side| at_least(all, liars + side.saturating_sub(1), n, k)).iter().product()
}

/// At most the chance that the honest nodes fall apart: that some of them, half at most, have drawn witnesses only among themselves and
/// the liars. Otherwise each message reaches every honest node within one time of dissemination, and the proof within another.
///
/// A union bound over the sizes of the smaller part. Links that come in are left out, since liars may fill their places.
/// The terms are summed as logarithms: `C(honest, s) (C(liars + s - 1, n) / C(peers - 1, n))^s`.
pub(super) fn with_settling(population: Population, n: u16) -> f64 {
    let (liars, honest) = (f64::from(population.liars), f64::from(population.honest()));
    let (all, n) = (f64::from(population.others()), f64::from(n));
    let (mut ways, mut bound) = (0.0, 0.0);
    // The logarithm of the chance that one of them draws nobody else; none if there are too few to draw.
    let mut inside: Option<f64> = None;
    for size in (1..=population.honest() / 2).map(f64::from) {
        ways += ((honest - size + 1.0) / size).ln();
        let among = liars + size - 1.0;
        inside = match inside {
            _ if among < n => None,
            None => Some(first(among, all, n)),
            Some(chance) => Some(chance + (among / (among - n)).ln()),
        };
        bound += inside.map_or(0.0, |inside| (ways + size * inside).exp());
    }
    bound.min(1.0)
}

/// The logarithm of `C(among, n) / C(all, n)`.
fn first(among: f64, all: f64, n: f64) -> f64 {
    let factors = core::iter::successors(Some(0.0), |i| Some(i + 1.0)).take_while(|i| *i < n);
    factors.map(|i: f64| ((among - i) / (all - i)).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_draws_only_itself_and_liars_is_counted_by_hand() {
        // 4 honest, 2 liars, 2 drawn of the other 5. Alone: 4 ways, C(2,2)/C(5,2) = 1/10.
        // Two together: 6 ways, (C(3,2)/C(5,2))^2 = 9/100. 0.4 + 0.54 = 0.94.
        let population = Population { peers: 6, liars: 2 };
        assert!((with_settling(population, 2) - 0.94).abs() < 1e-12);
        // With 3 drawn nobody is cut off alone; two together see each other and both liars: 6 (1/10)^2.
        assert!((with_settling(population, 3) - 0.06).abs() < 1e-12);
        // With 4 drawn of 5, somebody else is always among them.
        assert_eq!(with_settling(population, 4), 0.0);
        assert_eq!(
            with_settling(Population { peers: 6, liars: 5 }, 2),
            0.0,
            "nobody to differ from"
        );
    }

    #[test]
    fn halves_are_counted_by_hand() {
        // 4 honest, 2 liars. Each sees one of its own side and both liars: 3 of 5, of whom 2 of 2 are drawn: 3/10, twice.
        let population = Population { peers: 6, liars: 2 };
        assert!((without_settling(population, 2, 2) - 0.09).abs() < 1e-15);
    }
}
