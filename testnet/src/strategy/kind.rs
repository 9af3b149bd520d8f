//! The strategies by name, and what one is told when it is made.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use forsooth_crypto::NodeId;

use super::{
    ACCUSE, Brain, CENSOR, COLD_BOOT, COLLUDING_CHECKERS, COVERT_FLASH, DAWN, ECLIPSE, EPOCH_JUMP,
    EQUIVOCATE, EXHAUST, FORGE, FORGE_PROOF, GRAFT_DRAIN, GRIND, LYING_SERVER, MALFORMED,
    POISON_SEEDS, PRUNE_STORM, REPLAY, RESTART_ECLIPSE, SHIELD, SILENT_DROP, SLOT_EXHAUST,
    SLOW_LORIS, SLOW_READ, SPAM, SYBIL_SUBNET, Strategy, TWINS, VOUCH_LIE, VOUCHING_DROP,
};

/// Every strategy, sorted by name.
pub const KINDS: &[&Kind] = &[
    &ACCUSE,
    &CENSOR,
    &COLD_BOOT,
    &COLLUDING_CHECKERS,
    &COVERT_FLASH,
    &DAWN,
    &ECLIPSE,
    &EPOCH_JUMP,
    &EQUIVOCATE,
    &EXHAUST,
    &FORGE,
    &FORGE_PROOF,
    &GRAFT_DRAIN,
    &GRIND,
    &LYING_SERVER,
    &MALFORMED,
    &POISON_SEEDS,
    &PRUNE_STORM,
    &REPLAY,
    &RESTART_ECLIPSE,
    &SHIELD,
    &SILENT_DROP,
    &SLOT_EXHAUST,
    &SLOW_LORIS,
    &SLOW_READ,
    &SPAM,
    &SYBIL_SUBNET,
    &TWINS,
    &VOUCH_LIE,
    &VOUCHING_DROP,
];

/// A strategy's name and how to make one.
#[derive(Debug)]
pub struct Kind {
    /// As in `--adversary KIND=COUNT`.
    pub name: &'static str,
    /// Its row in the table of attacks that Forsooth must survive.
    pub row: u8,
    /// What the attacker does, in one sentence.
    pub sentence: &'static str,
    /// When it begins.
    pub onset: Onset,
    /// What it does below the level of frames, which is the engine's to carry out.
    pub wire: Wire,
    /// Makes one.
    pub build: fn(&Brief) -> Box<dyn Strategy>,
}

/// When a strategy begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onset {
    /// When the attack is on: there is a network to attack by then.
    Attack,
    /// With its node, before there is a network. It ends with the attack.
    Birth,
}

/// How an adversary treats its connections while the attack is on. A strategy has no hand in it: an engine
/// looks at its [`Kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// As an honest node.
    Sound,
    /// Stops in the middle of the next frame of each lane that it sends, with each peer.
    Stalls,
    /// Takes nothing that is sent to it.
    Deaf,
}

/// What a strategy is told when it is made.
#[derive(Clone, Debug)]
pub struct Brief {
    /// How hard it tries.
    pub intensity: Intensity,
    /// Whom it is after; all honest nodes if empty.
    pub targets: Arc<[NodeId]>,
    /// What it shares with those of its group, if they collude.
    pub brain: Option<Arc<Mutex<Brain>>>,
    /// Its place among those of its group, from 0: those who have several manners divide them so.
    pub seat: usize,
}

impl Brief {
    /// A loner with the usual rates who is after everybody.
    #[must_use]
    pub fn usual(seat: usize) -> Self {
        Self { intensity: Intensity::USUAL, targets: Arc::default(), brain: None, seat }
    }

    /// The shared brain, or one of its own.
    #[must_use]
    pub fn mind(&self) -> Arc<Mutex<Brain>> {
        self.brain.clone().unwrap_or_default()
    }
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
    /// Nothing at all.
    pub const NONE: Self = Self(0.0);

    /// The factor, if it is 0 or a number from a millionth to 1000.
    #[must_use]
    pub fn new(factor: f64) -> Option<Self> {
        (factor == 0.0 || (1e-6..=1000.0).contains(&factor)).then_some(Self(factor))
    }

    /// The factor.
    #[must_use]
    pub const fn factor(self) -> f64 {
        self.0
    }

    /// The time between two acts that are usually `usual` apart; `None` when there are none.
    #[must_use]
    pub fn pace(self, usual: std::time::Duration) -> Option<std::time::Duration> {
        (self.0 > 0.0).then(|| usual.div_f64(self.0))
    }

    /// Whether it does anything at all.
    #[must_use]
    pub fn is_some(self) -> bool {
        self.0 > 0.0
    }

    /// The share of occasions that are taken: all of them at the usual intensity and above.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0.min(1.0)
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
