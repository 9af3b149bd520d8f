//! The strategies by name.

use std::fmt;

use super::{EQUIVOCATE, FORGE, SPAM, Strategy};

/// Every strategy, sorted by name.
pub const KINDS: &[&Kind] = &[&EQUIVOCATE, &FORGE, &SPAM];

/// A strategy's name and how to make one.
#[derive(Debug)]
pub struct Kind {
    /// As in `--adversary KIND=COUNT`.
    pub name: &'static str,
    /// What the attacker does, in one sentence.
    pub sentence: &'static str,
    /// Makes one.
    pub build: fn(Intensity) -> Box<dyn Strategy>,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How hard an adversary tries: a factor on its usual rates. Zero does nothing.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Intensity(f64);

impl Intensity {
    /// The usual rates.
    pub const USUAL: Self = Self(1.0);

    /// The factor, if it is a number from 0 to 1000.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (0.0..=1000.0).contains(&factor).then_some(Self(factor))
    }

    /// The time between two acts that are usually `usual` apart; `None` when there are none.
    #[must_use]
    pub fn pace(self, usual: std::time::Duration) -> Option<std::time::Duration> {
        (self.0 > 0.0).then(|| usual.div_f64(self.0))
    }
}

/// No strategy has this name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no strategy is called {name:?}; did you mean {nearest:?}? `forsooth-testnet list` explains them all"
)]
pub struct Unknown {
    /// The name asked for.
    pub name: String,
    /// The name that is most like it.
    pub nearest: &'static str,
}

/// The strategy of this name.
///
/// # Errors
/// Names the nearest one when there is none.
pub fn find(name: &str) -> Result<&'static Kind, Unknown> {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
        return Ok(kind);
    }
    let likeness = |kind: &&&Kind| strsim::damerau_levenshtein(kind.name, name);
    let nearest = KINDS.iter().min_by_key(likeness).map_or("", |kind| kind.name);
    Err(Unknown { name: name.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_strategy_is_found_by_name_and_a_wrong_name_says_the_nearest() {
        for kind in KINDS {
            assert_eq!(find(kind.name).unwrap().name, kind.name);
            assert!(kind.sentence.ends_with('.'), "{kind} needs a sentence");
        }
        assert_eq!(find("equivicate").unwrap_err().nearest, "equivocate");
        assert_eq!(find("spma").unwrap_err().nearest, "spam");
    }

    #[test]
    fn intensity_is_a_factor_on_the_rate() {
        let second = Duration::from_secs(1);
        assert_eq!(Intensity::USUAL.pace(second), Some(second));
        assert_eq!(Intensity::new(4.0).unwrap().pace(second), Some(second / 4));
        assert_eq!(Intensity::new(0.0).unwrap().pace(second), None);
        assert_eq!(Intensity::new(f64::NAN), None);
    }
}
