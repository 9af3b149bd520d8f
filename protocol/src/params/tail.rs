//! Exact tails of the hypergeometric distribution.
//!
//! The terms follow from each other by ratios of small integers, from the largest term outwards, and are divided by their sum in
//! the end. All are positive, so nothing cancels; none is above 1, so nothing overflows; what underflows is below 1e-300
//! of the sum. The relative error is some hundred roundings, about 1e-13.

/// For each `x` from 0 to `drawn + 1`, the chance that at least `x` of `drawn` are marked, drawn without replacement from `all`,
/// `marked` of whom are. `marked` and `drawn` are at most `all`.
pub(super) fn tails(all: u32, marked: u32, drawn: u16) -> Vec<f64> {
    let terms = terms(all, marked, drawn);
    let total: f64 = terms.iter().sum();
    // From the far end, where the terms are smallest, so that they are not lost beside larger ones.
    let mut sum = 0.0;
    let mut tails: Vec<f64> = std::iter::once(0.0)
        .chain(terms.iter().rev().map(|term| {
            sum += term;
            (sum / total).min(1.0)
        }))
        .collect();
    tails.reverse();
    tails
}

/// The chance that at least `least` of `drawn` are marked. See [`tails`].
pub(super) fn at_least(all: u32, marked: u32, drawn: u16, least: u16) -> f64 {
    tails(all, marked, drawn).get(usize::from(least)).copied().unwrap_or(0.0)
}

/// How likely each number of marked is, from 0 to `drawn`, as a multiple of the likeliest.
fn terms(all: u32, marked: u32, drawn: u16) -> Vec<f64> {
    let [all, marked, n] = [all.into(), marked.into(), u64::from(drawn)];
    let unmarked = all - marked;
    let (first, last) = (n.saturating_sub(unmarked), n.min(marked));
    let mode = ((n + 1) * (marked + 1) / (all + 2)).clamp(first, last);
    // How many ways lead from x marked to x + 1, and from there back.
    let up = |x: u64| (marked - x) * (n - x);
    let down = |x: u64| (x + 1) * (unmarked + x + 1 - n);
    let ratio = |to: u64, from: u64| real(to) / real(from);
    let above = (mode..last).scan(1.0, |term, x| {
        *term *= ratio(up(x), down(x));
        Some(*term)
    });
    let below = (first..mode).rev().scan(1.0, |term, x| {
        *term *= ratio(down(x), up(x));
        Some(*term)
    });
    let mut terms: Vec<f64> = below.collect();
    terms.extend((0..first).map(|_| 0.0));
    terms.reverse();
    terms.push(1.0);
    terms.extend(above);
    terms.extend((last..n).map(|_| 0.0));
    terms
}

#[expect(clippy::cast_precision_loss, reason = "at most 2^41: exact")]
const fn real(whole: u64) -> f64 {
    whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Binomial coefficients that fit.
    fn choose(n: u128, k: u128) -> u128 {
        (0..k.min(n)).fold(u128::from(k <= n), |ways, i| ways * (n - i) / (i + 1))
    }

    #[test]
    fn small_tails_are_those_counted_by_hand() {
        // Two aces among five cards, two drawn: 10 hands, 1 of both, 6 of one, 3 of none.
        let tails = tails(5, 2, 2);
        let expected = [1.0, 0.7, 0.1, 0.0];
        assert_eq!(tails.len(), expected.len());
        for (tail, expected) in tails.iter().zip(expected) {
            assert!((tail - expected).abs() < 1e-15, "{tails:?}");
        }
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "the quotient is compared to 12 digits")]
    fn every_tail_is_the_quotient_of_whole_numbers() {
        for (all, marked, drawn) in
            [(20u32, 6u32, 7u16), (60, 12, 24), (60, 55, 24), (40, 40, 9), (40, 0, 9), (30, 9, 30)]
        {
            let (wide, m, n) = (u128::from(all), u128::from(marked), u128::from(drawn));
            for least in 0..=drawn + 1 {
                let ways: u128 =
                    (least.into()..=n).map(|x| choose(m, x) * choose(wide - m, n - x)).sum();
                let exact = ways as f64 / choose(wide, n) as f64;
                let found = at_least(all, marked, drawn, least);
                assert!(
                    (found - exact).abs() <= 1e-12 * exact,
                    "{all} {marked} {drawn} {least}: {found} {exact}"
                );
            }
        }
    }

    #[test]
    fn a_large_network_is_as_good_as_drawing_with_replacement() {
        // Nine tails in nine throws of a coin that falls so with 1/5: 0.2^9 = 5.12e-7.
        let found = at_least(1_000_000, 200_000, 9, 9);
        assert!((found / 5.12e-7 - 1.0).abs() < 2e-4, "{found}");
        // 13 of 24 at 1/5, the sum of C(24, x) 0.2^x 0.8^(24 - x).
        let found = at_least(1_000_000, 200_000, 24, 13);
        assert!((found / 2.168_2e-4 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn tiny_chances_are_not_lost() {
        // All 200 of 200 drawn among half of a million: 2^-200 and a little less.
        let found = at_least(1_000_000, 500_000, 200, 200);
        assert!((found.log2() + 200.0).abs() < 0.1, "{}", found.log2());
    }
}
