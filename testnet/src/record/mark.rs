//! What the engines say of a run: when a phase, an attack or a fault begins and ends, and whom it concerns.

use serde::{Deserialize, Serialize};

/// A moment worth a place on the timeline that all plots of a report share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What it is.
    pub what: What,
    /// Names the phase, strategy or fault; an end closes the last begin of its kind and name.
    pub name: String,
    /// What a reader should know beyond the name, as a few words; may be empty.
    pub text: String,
    /// Nodes that it concerns, by [`Roster::index`](super::Roster::index): whom an attack is aimed at, whom a
    /// fault befalls. Empty if it concerns all.
    pub nodes: Vec<u32>,
}

/// What begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A phase of the run begins, and so the one before ends.
    Phase,
    /// An attack begins.
    AttackBegins,
    /// An attack is over.
    AttackEnds,
    /// A fault is applied. One that is over at once (a crash) needs no end.
    FaultBegins,
    /// A fault is healed.
    FaultEnds,
}

impl What {
    /// A short, stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Phase => "phase",
            Self::AttackBegins => "attack_begins",
            Self::AttackEnds => "attack_ends",
            Self::FaultBegins => "fault_begins",
            Self::FaultEnds => "fault_ends",
        }
    }
}

impl Mark {
    /// A mark that concerns all.
    #[must_use]
    pub fn new(what: What, name: impl Into<String>) -> Self {
        Self { what, name: name.into(), text: String::new(), nodes: Vec::new() }
    }

    /// Whether `end` closes what this begins. Where more than one is open, the one with the same nodes is
    /// meant, or else the last.
    pub(crate) fn is_ended_by(&self, end: &Self) -> bool {
        let closed_by = match self.what {
            What::AttackBegins => What::AttackEnds,
            What::FaultBegins => What::FaultEnds,
            What::Phase => What::Phase,
            What::AttackEnds | What::FaultEnds => return false,
        };
        end.what == closed_by && (end.what == What::Phase || end.name == self.name)
    }

    /// With a few words more.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    /// Concerning these nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: impl IntoIterator<Item = usize>) -> Self {
        self.nodes = nodes.into_iter().filter_map(|node| u32::try_from(node).ok()).collect();
        self
    }
}
