//! The digest that a view would have if some items came and others went, without changing it.

use forsooth_crypto::Digest;

use super::{
    View,
    node::{Body, LEAF_MAX, Node},
    view::{Summary, summary},
};
use crate::sync::{
    item::{Bounds, Item},
    prefix::Prefix,
};

impl View<'_> {
    /// The digest with some items added that are not in it, and others taken out that are. Both are in order, and within
    /// the bounds. Costs a walk for each.
    pub(in crate::sync) fn fingerprint_with(&self, added: &[Item], removed: &[Item]) -> Digest {
        match self.root() {
            None => Summary::of(added),
            Some(root) => patched(root, &self.bounds, added, removed),
        }
        .print()
    }
}

impl Summary {
    /// What is in these items, which are in order.
    fn of(items: &[Item]) -> Self {
        let (Some(first), Some(last)) = (items.first(), items.last()) else {
            return Self::Few(Vec::new());
        };
        if items.len() <= LEAF_MAX {
            return Self::Few(items.to_vec());
        }
        let (low, high) = divided(items, first.common(last));
        Self::of(low).join(Self::of(high))
    }
}

fn patched(node: &Node, bounds: &Bounds, added: &[Item], removed: &[Item]) -> Summary {
    let branch = match &node.body {
        Body::Branch(_) if added.is_empty() && removed.is_empty() => {
            return summary(node, bounds, Prefix::ALL);
        }
        Body::Branch(branch) => branch,
        Body::Leaf(items) => {
            let stays = |it: &&Item| bounds.contains(it.at()) && removed.binary_search(it).is_err();
            let mut items: Vec<Item> = items.iter().filter(stays).copied().collect();
            items.extend_from_slice(added);
            items.sort_unstable();
            return Summary::of(&items);
        }
    };
    let inside = branch.prefix.first();
    let shared = |item: Option<&Item>| item.map_or(u16::MAX, |item| item.common(inside));
    // Where the first of them turns off, if before the branch does.
    let turn = shared(added.first()).min(shared(added.last()));
    if turn >= branch.prefix.len() {
        let (low, high) = divided(added, branch.prefix.len());
        let (low_removed, high_removed) = divided(removed, branch.prefix.len());
        let low = patched(&branch.low, bounds, low, low_removed);
        return low.join(patched(&branch.high, bounds, high, high_removed));
    }
    let (low, high) = divided(added, turn);
    if inside.bit(turn) {
        Summary::of(low).join(patched(node, bounds, high, removed))
    } else {
        patched(node, bounds, low, removed).join(Summary::of(high))
    }
}

/// Items in order that agree in all bits before a place: those with a 0 there, and those with a 1.
fn divided(items: &[Item], place: u16) -> (&[Item], &[Item]) {
    items.split_at(items.partition_point(|item| !item.bit(place)))
}
