//! Who takes part in a run, and on which side.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

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
    // Looked up for every frame, and never iterated where order matters.
    honest: HashMap<NodeId, Seat>,
    hostile: HashMap<NodeId, (u32, &'static Kind)>,
}

impl Roster {
    /// The honest nodes in the order of their seats, and the adversaries with their strategies.
    #[must_use]
    pub fn new(
        honest: impl IntoIterator<Item = NodeId>,
        hostile: impl IntoIterator<Item = (NodeId, &'static Kind)>,
    ) -> Self {
        let honest: HashMap<_, _> = honest.into_iter().zip((0..).map(Seat)).collect();
        let first = u32::try_from(honest.len()).unwrap_or(u32::MAX);
        let numbered = hostile.into_iter().zip(first..);
        let hostile = numbered.map(|((id, kind), index)| (id, (index, kind))).collect();
        Self { honest, hostile }
    }

    /// Honest nodes.
    #[must_use]
    pub fn honest_count(&self) -> usize {
        self.honest.len()
    }

    /// Adversaries.
    #[must_use]
    pub fn hostile_count(&self) -> usize {
        self.hostile.len()
    }

    /// A node's number in the run: honest nodes by their seats, then adversaries in their order.
    #[must_use]
    pub fn index(&self, node: &NodeId) -> Option<u32> {
        self.seat(node).map(|Seat(seat)| seat).or_else(|| Some(self.hostile.get(node)?.0))
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
        self.hostile.get(node).map(|(_, kind)| *kind)
    }

    /// How many adversaries of each kind there are.
    #[must_use]
    pub fn hostile_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.hostile.values().for_each(|(_, kind)| *counts.entry(kind.name).or_default() += 1);
        counts
    }

    /// Each adversary's number and strategy, in order.
    #[must_use]
    pub fn adversaries(&self) -> BTreeMap<u32, &'static str> {
        self.hostile.values().map(|(index, kind)| (*index, kind.name)).collect()
    }
}
