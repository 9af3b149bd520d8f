//! The index: what a node holds of one set, in order, with digests of its ranges.
//!
//! A change costs a walk from the root to a leaf; digests on the way are computed when somebody asks for one. The
//! digest of any range, cut at any positions, takes a walk as well. Digests are BLAKE3 over items in order, not
//! sums or XORs of theirs: whoever chooses items can make those agree (Wagner, "A Generalized Birthday Problem").

mod node;
mod patch;
mod view;

pub use self::view::View;
pub(in crate::sync) use self::{node::LEAF_MAX, view::Summary};

use self::node::Node;
use super::{
    item::{Bounds, Item},
    sketch::Kept,
    symbol::SketchKey,
};

/// A set of [`Item`]s. It bounds nothing: its owner decides what is in it.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// Not empty.
    root: Option<Node>,
    kept: Kept,
}

impl Index {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: None, kept: Kept::none() }
    }

    /// The same set with a sketch under a key, which is kept up to date from now on. Without one, it can only be
    /// compared by ranges.
    #[must_use]
    pub fn keyed(mut self, key: SketchKey) -> Self {
        self.kept = Kept::under(key);
        self.settle();
        self
    }

    /// Adds an item. Whether it is new.
    pub fn insert(&mut self, item: Item) -> bool {
        if self.contains(&item) {
            return false;
        }
        match &mut self.root {
            Some(root) => root.insert(item),
            None => self.root = Some(Node::leaf(vec![item])),
        }
        self.kept.apply(&item, 1);
        self.settle();
        true
    }

    /// Takes out an item. Whether it was there.
    pub fn remove(&mut self, item: &Item) -> bool {
        if !self.contains(item) {
            return false;
        }
        if let Some(root) = &mut self.root {
            root.remove(item);
        }
        self.root.take_if(|root| root.count() == 0);
        self.kept.apply(item, -1);
        self.settle();
        true
    }

    /// Whether an item is in it.
    #[must_use]
    pub fn contains(&self, item: &Item) -> bool {
        self.root.as_ref().is_some_and(|root| root.contains(item))
    }

    /// How many items are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, Node::count)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Calls with each item, in order.
    pub fn for_each(&self, mut call: impl FnMut(&Item)) {
        if let Some(root) = &self.root {
            root.for_each(&mut call);
        }
    }

    /// Its sketch.
    pub(in crate::sync) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// A sketch is kept while the set is large.
    fn settle(&mut self) {
        let Self { root, kept } = self;
        kept.settle(root.as_ref().map_or(0, Node::count), |put| {
            if let Some(root) = root {
                root.for_each(&mut |item| put(item));
            }
        });
    }

    /// The digest of all items; that of a part is [`View::fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> forsooth_crypto::Digest {
        self.within(Bounds::ALL).fingerprint()
    }
}

impl FromIterator<Item> for Index {
    fn from_iter<T: IntoIterator<Item = Item>>(items: T) -> Self {
        let mut items: Vec<Item> = items.into_iter().collect();
        items.sort_unstable();
        items.dedup();
        Self { root: (!items.is_empty()).then(|| Node::build(&items)), kept: Kept::none() }
    }
}

#[cfg(test)]
mod tests;
