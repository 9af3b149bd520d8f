//! Who takes part in a run, and on which side.

use std::{collections::BTreeMap, fmt};

use forsooth_crypto::NodeId;

use crate::strategy::Kind;

/// An honest node's place in the run, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat(pub u32);

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Everybody in a run. Known to the testnet, and to adversaries, who may be assumed to know their victims.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    honest: BTreeMap<NodeId, Seat>,
    hostile: BTreeMap<NodeId, &'static Kind>,
}

impl Roster {
    /// The honest nodes in the order of their seats, and the adversaries with their strategies.
    #[must_use]
    pub fn new(
        honest: impl IntoIterator<Item = NodeId>,
        hostile: impl IntoIterator<Item = (NodeId, &'static Kind)>,
    ) -> Self {
        let seats = (0..).map(Seat);
        Self {
            honest: honest.into_iter().zip(seats).collect(),
            hostile: hostile.into_iter().collect(),
        }
    }

    /// Honest nodes.
    #[must_use]
    pub fn honest_count(&self) -> usize {
        self.honest.len()
    }

    /// The seat of an honest node.
    #[must_use]
    pub fn seat(&self, node: &NodeId) -> Option<Seat> {
        self.honest.get(node).copied()
    }

    /// Whether a node is honest.
    #[must_use]
    pub fn is_honest(&self, node: &NodeId) -> bool {
        self.honest.contains_key(node)
    }

    /// An adversary's strategy.
    #[must_use]
    pub fn kind(&self, node: &NodeId) -> Option<&'static Kind> {
        self.hostile.get(node).copied()
    }

    /// How many adversaries of each kind there are.
    #[must_use]
    pub fn hostile_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.hostile.values().for_each(|kind| *counts.entry(kind.name).or_default() += 1);
        counts
    }
}
