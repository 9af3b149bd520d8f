//! What an index says about the items within some bounds, as if there were no others.

use forsooth_crypto::Digest;

use super::{
    Index,
    node::{Body, LEAF_MAX, Node, print_of_branch, print_of_leaf},
};
use crate::sync::{
    item::{Bounds, Item, Stem},
    prefix::Prefix,
};

/// The items of an index within some bounds.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    index: &'a Index,
    pub(super) bounds: Bounds,
}

/// What is in a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Summary {
    /// These, at most [`LEAF_MAX`], in order.
    Few(Vec<Item>),
    /// More.
    Many {
        /// How many.
        count: usize,
        /// What all of them begin with.
        prefix: Prefix,
        /// Their digest.
        print: Digest,
    },
}

impl Index {
    /// The items within some bounds.
    #[must_use]
    pub const fn within(&self, bounds: Bounds) -> View<'_> {
        View { index: self, bounds }
    }
}

impl<'a> View<'a> {
    /// The bounds.
    #[must_use]
    pub const fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// The index.
    pub(in crate::sync) const fn index(&self) -> &'a Index {
        self.index
    }

    pub(super) const fn root(&self) -> Option<&'a Node> {
        self.index.root.as_ref()
    }

    /// Calls with each item, in order.
    pub fn for_each(&self, mut call: impl FnMut(&Item)) {
        let mut take = |item: &Item| {
            call(item);
            true
        };
        _ = self.root().is_none_or(|root| walk(root, &self.bounds, Prefix::ALL, &mut take));
    }

    /// The digest of all items: collision-resistant, also against whoever chooses items, and the same for whoever
    /// holds the same, whatever else it holds outside of the bounds.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.summary(Prefix::ALL).print()
    }

    /// How many items there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.root().map_or(0, |root| count(root, &self.bounds))
    }

    /// Whether an item is among them.
    #[must_use]
    pub fn contains(&self, item: &Item) -> bool {
        self.bounds.contains(item.at()) && self.root().is_some_and(|root| root.contains(item))
    }

    /// Whether an item with this stem is among them.
    pub(in crate::sync) fn has(&self, stem: Stem) -> bool {
        self.items(Prefix::of(stem), 0).is_none()
    }

    /// What is in a range.
    pub(in crate::sync) fn summary(&self, range: Prefix) -> Summary {
        let mut node = self.root();
        while let Some(Node { body: Body::Branch(branch), .. }) = node {
            if range.covers(&branch.prefix) {
                break;
            }
            if !branch.prefix.covers(&range) {
                return Summary::Few(Vec::new());
            }
            let high = range.first().bit(branch.prefix.len());
            node = Some(if high { &branch.high } else { &branch.low });
        }
        node.map_or(Summary::Few(Vec::new()), |node| summary(node, &self.bounds, range))
    }

    /// The items of a range, if they are at most so many.
    pub(in crate::sync) fn items(&self, range: Prefix, max: usize) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let mut take = |item: &Item| {
            items.push(*item);
            items.len() <= max
        };
        let whole = self.root().is_none_or(|root| walk(root, &self.bounds, range, &mut take));
        whole.then_some(items)
    }

    /// All items that are in one range and not in another, which is a part of it, as few disjoint ranges in order
    /// and what is in them.
    pub(in crate::sync) fn around(&self, range: Prefix, hole: Prefix) -> Vec<(Prefix, Summary)> {
        let mut found = Vec::new();
        for len in range.len()..hole.len() {
            // The half of the way to the hole in which the hole is not.
            let turn = hole.first().filled(len, !hole.first().bit(len));
            let beside = Prefix::new(&turn, len + 1);
            let summary = self.summary(beside);
            if summary.count() > 0 {
                found.push((beside, summary));
            }
        }
        found.sort_unstable_by_key(|(range, _)| *range);
        found
    }
}

impl Summary {
    /// How many items it is of.
    pub(in crate::sync) fn count(&self) -> usize {
        match self {
            Self::Few(items) => items.len(),
            Self::Many { count, .. } => *count,
        }
    }

    /// Their digest.
    pub(in crate::sync) fn print(&self) -> Digest {
        match self {
            Self::Few(items) => print_of_leaf(items),
            Self::Many { print, .. } => *print,
        }
    }

    /// What all of them begin with, if there are any.
    pub(in crate::sync) fn prefix(&self) -> Option<Prefix> {
        match self {
            Self::Few(items) => Some(Prefix::spanning(items.first()?, items.last()?)),
            Self::Many { prefix, .. } => Some(*prefix),
        }
    }

    /// What both say together; all items of the first come before those of the second.
    pub(super) fn join(self, after: Self) -> Self {
        match (self, after) {
            (Self::Few(mut low), Self::Few(high)) if low.len() + high.len() <= LEAF_MAX => {
                low.extend(high);
                Self::Few(low)
            }
            (low, high) => {
                let (Some(one), Some(other)) = (low.prefix(), high.prefix()) else {
                    return if low.count() == 0 { high } else { low };
                };
                Self::Many {
                    count: low.count().saturating_add(high.count()),
                    prefix: one.joining(&other),
                    print: print_of_branch(&low.print(), &high.print()),
                }
            }
        }
    }
}

/// Whether a walk comes to its end; `take` says whether to go on.
fn walk(node: &Node, bounds: &Bounds, range: Prefix, take: &mut impl FnMut(&Item) -> bool) -> bool {
    match &node.body {
        Body::Leaf(items) => {
            items.iter().filter(|item| bounds.contains(item.at()) && range.contains(item)).all(take)
        }
        Body::Branch(branch) => {
            if branch.prefix.is_outside(bounds) || !branch.prefix.meets(&range) {
                return true;
            }
            walk(&branch.low, bounds, range, take) && walk(&branch.high, bounds, range, take)
        }
    }
}

fn count(node: &Node, bounds: &Bounds) -> usize {
    match &node.body {
        Body::Leaf(items) => items.iter().filter(|item| bounds.contains(item.at())).count(),
        Body::Branch(branch) if branch.prefix.is_within(bounds) => branch.count,
        Body::Branch(branch) if branch.prefix.is_outside(bounds) => 0,
        Body::Branch(branch) => count(&branch.low, bounds) + count(&branch.high, bounds),
    }
}

/// What is in a node, within bounds and range. Only the nodes that the bounds cut are computed anew.
pub(super) fn summary(node: &Node, bounds: &Bounds, range: Prefix) -> Summary {
    match &node.body {
        Body::Leaf(items) => {
            let within = |item: &&Item| bounds.contains(item.at()) && range.contains(item);
            Summary::Few(items.iter().filter(within).copied().collect())
        }
        Body::Branch(branch) if branch.prefix.is_outside(bounds) => Summary::Few(Vec::new()),
        Body::Branch(branch) if branch.prefix.is_within(bounds) => {
            Summary::Many { count: branch.count, prefix: branch.prefix, print: node.print() }
        }
        Body::Branch(branch) => {
            summary(&branch.low, bounds, range).join(summary(&branch.high, bounds, range))
        }
    }
}
