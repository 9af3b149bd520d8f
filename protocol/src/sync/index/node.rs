//! The tree of an index: which nodes it has follows from what is in it, and from nothing else.
//!
//! A range of at most [`LEAF_MAX`] items is a leaf. A larger one is divided at the first bit in which its items
//! differ. So two nodes that hold the same items have the same tree, whatever happened to them before, and digests
//! of it can be compared (as in a Merkle search tree; Auvolat and Taïani, "Merkle Search Trees", section IV).

use std::sync::OnceLock;

use forsooth_crypto::{Digest, Domain, Hasher};

use crate::sync::{item::Item, prefix::Prefix};

/// Items of a leaf.
pub(in crate::sync) const LEAF_MAX: usize = 16;

/// A part of the tree, not empty.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) body: Body,
    /// Computed when it is asked for, so that many changes in a row cost one computation.
    print: OnceLock<Digest>,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// In order.
    Leaf(Vec<Item>),
    Branch(Box<Branch>),
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// What all items in it begin with; they differ in the next bit.
    pub(super) prefix: Prefix,
    pub(super) count: usize,
    /// Those whose next bit is 0.
    pub(super) low: Node,
    /// Those whose next bit is 1.
    pub(super) high: Node,
}

impl Node {
    pub(super) fn leaf(items: Vec<Item>) -> Self {
        Self { body: Body::Leaf(items), print: OnceLock::new() }
    }

    /// The tree of some items, which are in order.
    pub(super) fn build(items: &[Item]) -> Self {
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Self::leaf(Vec::new());
        };
        if items.len() <= LEAF_MAX {
            return Self::leaf(items.to_vec());
        }
        let prefix = Prefix::spanning(first, last);
        let (low, high) = items.split_at(items.partition_point(|item| !item.bit(prefix.len())));
        let branch =
            Branch { prefix, count: items.len(), low: Self::build(low), high: Self::build(high) };
        Self::branch(branch)
    }

    fn branch(branch: Branch) -> Self {
        Self { body: Body::Branch(Box::new(branch)), print: OnceLock::new() }
    }

    /// Items in it.
    pub(super) fn count(&self) -> usize {
        match &self.body {
            Body::Leaf(items) => items.len(),
            Body::Branch(branch) => branch.count,
        }
    }

    pub(super) fn contains(&self, item: &Item) -> bool {
        match &self.body {
            Body::Leaf(items) => items.binary_search(item).is_ok(),
            Body::Branch(branch) => branch.side(item).contains(item),
        }
    }

    /// Adds an item that is not in it.
    pub(super) fn insert(&mut self, item: Item) {
        self.print = OnceLock::new();
        match &mut self.body {
            Body::Leaf(items) => {
                let place = items.partition_point(|other| *other < item);
                items.insert(place, item);
                if items.len() > LEAF_MAX {
                    *self = Self::build(items);
                }
            }
            Body::Branch(branch) if branch.prefix.contains(&item) => {
                branch.count = branch.count.saturating_add(1);
                branch.side_mut(&item).insert(item);
            }
            Body::Branch(branch) => {
                let prefix = branch.prefix.joining(&Prefix::new(&item, u16::MAX));
                let count = branch.count.saturating_add(1);
                let old = core::mem::replace(self, Self::leaf(Vec::new()));
                let new = Self::leaf(vec![item]);
                let (low, high) = if item.bit(prefix.len()) { (old, new) } else { (new, old) };
                *self = Self::branch(Branch { prefix, count, low, high });
            }
        }
    }

    /// Takes out an item that is in it. It may be empty afterwards.
    pub(super) fn remove(&mut self, item: &Item) {
        self.print = OnceLock::new();
        let branch = match &mut self.body {
            Body::Leaf(items) => return items.retain(|other| other != item),
            Body::Branch(branch) => branch,
        };
        branch.count = branch.count.saturating_sub(1);
        branch.side_mut(item).remove(item);
        if branch.count <= LEAF_MAX {
            let mut items = Vec::with_capacity(branch.count);
            self.for_each(&mut |item| items.push(*item));
            *self = Self::leaf(items);
        } else if branch.low.count() == 0 {
            *self = core::mem::replace(&mut branch.high, Self::leaf(Vec::new()));
        } else if branch.high.count() == 0 {
            *self = core::mem::replace(&mut branch.low, Self::leaf(Vec::new()));
        }
    }

    /// Calls with each item, in order.
    pub(super) fn for_each(&self, call: &mut impl FnMut(&Item)) {
        match &self.body {
            Body::Leaf(items) => items.iter().for_each(call),
            Body::Branch(branch) => {
                branch.low.for_each(call);
                branch.high.for_each(call);
            }
        }
    }

    /// Its digest.
    pub(super) fn print(&self) -> Digest {
        *self.print.get_or_init(|| match &self.body {
            Body::Leaf(items) => print_of_leaf(items),
            Body::Branch(branch) => print_of_branch(&branch.low.print(), &branch.high.print()),
        })
    }
}

impl Branch {
    fn side(&self, item: &Item) -> &Node {
        if item.bit(self.prefix.len()) { &self.high } else { &self.low }
    }

    fn side_mut(&mut self, item: &Item) -> &mut Node {
        if item.bit(self.prefix.len()) { &mut self.high } else { &mut self.low }
    }
}

/// The digest of a leaf: over its items. Their 38 bytes each are never the 64 of a branch.
pub(super) fn print_of_leaf(items: &[Item]) -> Digest {
    let mut hasher = Hasher::new(Domain::Range);
    items.iter().for_each(|item| _ = hasher.update(&item.to_bytes()));
    hasher.finish()
}

/// The digest of a branch: over those of its halves.
pub(super) fn print_of_branch(low: &Digest, high: &Digest) -> Digest {
    let mut hasher = Hasher::new(Domain::Range);
    hasher.update(low.as_bytes()).update(high.as_bytes()).finish()
}
