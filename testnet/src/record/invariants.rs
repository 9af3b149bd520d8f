//! What must be true after every event at every honest node, and the first time that it was not.

use std::collections::BTreeMap;

use forsooth_protocol::{MessageId, Time};

use super::Seat;

/// Violations that are kept in words; the rest are only counted.
const VIOLATIONS_KEPT: usize = 16;

/// A promise of the core, checked with other eyes than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No message with a signature that does not hold is handed to an application.
    ForgedAccepted,
    /// No message is handed to an application after its lifetime.
    ExpiredAccepted,
    /// No message is handed to one application twice.
    DeliveredTwice,
    /// No honest node sends a frame with a signature that does not hold.
    UnverifiedRelayed,
    /// No honest node bans an honest node.
    FalseBan,
    /// No honest node holds a proof against an honest node.
    FalseProof,
    /// No collection that peers feed holds more than it may.
    OverBound,
    /// What a node has acknowledged, delivered or vouched for where messages are kept is on its disk when it was killed.
    PromiseLost,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ForgedAccepted,
        Self::ExpiredAccepted,
        Self::DeliveredTwice,
        Self::UnverifiedRelayed,
        Self::FalseBan,
        Self::FalseProof,
        Self::OverBound,
        Self::PromiseLost,
    ];

    /// A short, stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForgedAccepted => "forged_accepted",
            Self::ExpiredAccepted => "expired_accepted",
            Self::DeliveredTwice => "delivered_twice",
            Self::UnverifiedRelayed => "unverified_relayed",
            Self::FalseBan => "false_ban",
            Self::FalseProof => "false_proof",
            Self::OverBound => "over_bound",
            Self::PromiseLost => "promise_lost",
        }
    }

    /// What it promises.
    #[must_use]
    pub const fn promise(self) -> &'static str {
        match self {
            Self::ForgedAccepted => "no forged message is accepted",
            Self::ExpiredAccepted => "no expired message is accepted",
            Self::DeliveredTwice => "no message is delivered twice to one application",
            Self::UnverifiedRelayed => "nothing with a bad signature is relayed",
            Self::FalseBan => "no honest node is banned by an honest node",
            Self::FalseProof => "no honest node is exposed as an equivocator",
            Self::PromiseLost => {
                "what a killed node had acknowledged, delivered or vouched for is on its disk"
            }
            Self::OverBound => "every collection stays within its bound, whenever it was looked at",
        }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: Invariant,
    /// When.
    pub at: Time,
    /// At which honest node.
    pub seat: Seat,
    /// By which message, if by one.
    pub message: Option<MessageId>,
    /// What happened, in words.
    pub text: String,
}

/// All broken promises of a run.
#[derive(Debug, Default)]
pub(crate) struct Broken {
    counts: BTreeMap<Invariant, u64>,
    kept: Vec<Violation>,
}

impl Broken {
    /// Counts a violation; only the first are put in words.
    pub(crate) fn note(
        &mut self,
        invariant: Invariant,
        at: Time,
        seat: Seat,
        message: Option<MessageId>,
        what: impl FnOnce() -> String,
    ) {
        *self.counts.entry(invariant).or_default() += 1;
        if self.kept.len() < VIOLATIONS_KEPT {
            self.kept.push(Violation { invariant, at, seat, message, text: what() });
        }
    }

    pub(crate) fn count(&self, invariant: Invariant) -> u64 {
        self.counts.get(&invariant).copied().unwrap_or(0)
    }

    pub(crate) fn first(&self) -> Option<&Violation> {
        self.kept.first()
    }

    /// The first violations.
    pub(crate) fn kept(&self) -> &[Violation] {
        &self.kept
    }

    /// Violations that are only counted.
    pub(crate) fn left_out(&self) -> u64 {
        self.counts.values().sum::<u64>() - self.kept.len() as u64
    }

    /// The first violations in words.
    pub(crate) fn in_words(&self) -> Vec<String> {
        self.kept.iter().map(ToString::to_string).collect()
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, seat, text, .. } = self;
        write!(f, "{at}: honest node {seat} {text}")
    }
}
