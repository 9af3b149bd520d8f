//! What is due when, with the earliest at hand.
//!
//! The core asks each machine after each input when it is next due. An ordered set would answer by going
//! down to its first leaf, which is seldom in the processor's cache; this one remembers the answer.

use std::collections::BTreeSet;

/// Keys by the moments at which they are due.
#[derive(Debug)]
pub(crate) struct Agenda<T, K> {
    entries: BTreeSet<(T, K)>,
    /// The first of them.
    first: Option<(T, K)>,
}

impl<T: Ord + Copy, K: Ord + Copy> Agenda<T, K> {
    pub(crate) const fn new() -> Self {
        Self { entries: BTreeSet::new(), first: None }
    }

    pub(crate) fn insert(&mut self, entry: (T, K)) {
        if self.first.is_none_or(|first| entry < first) {
            self.first = Some(entry);
        }
        self.entries.insert(entry);
    }

    pub(crate) fn remove(&mut self, entry: &(T, K)) {
        self.entries.remove(entry);
        if self.first == Some(*entry) {
            self.first = self.entries.first().copied();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn first(&self) -> Option<&(T, K)> {
        self.first.as_ref()
    }

    pub(crate) fn pop_first(&mut self) -> Option<(T, K)> {
        let popped = self.entries.pop_first();
        self.first = self.entries.first().copied();
        popped
    }

    /// All entries, the earliest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &(T, K)> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_is_always_the_first(steps in prop::collection::vec((0u8..9, 0u8..4, 0u8..3), 1..60)) {
            let mut agenda = Agenda::new();
            for (at, key, step) in steps {
                match step {
                    0 => agenda.remove(&(at, key)),
                    1 => drop(agenda.pop_first()),
                    _ => agenda.insert((at, key)),
                }
                prop_assert_eq!(agenda.first(), agenda.entries.first());
            }
        }
    }
}
