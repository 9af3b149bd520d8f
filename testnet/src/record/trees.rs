//! The paths of a few messages: who passed them on first, from whom, and when.

use std::collections::BTreeMap;

use forsooth_protocol::Time;

use super::{Seat, spread::Number};

/// Hops that are kept, of all messages together.
const HOPS_MAX: usize = 1 << 16;
/// Messages that are followed from publishing while nobody disturbs the network, and while somebody does.
const CALM_MAX: usize = 2;
const DISTURBED_MAX: usize = 12;

/// The paths of a few messages.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    trees: BTreeMap<Number, Tree>,
    hops: usize,
    calm: usize,
    disturbed: usize,
}

/// The path of a message.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) author: Seat,
    pub(crate) published: Time,
    pub(crate) disturbed: bool,
    pub(crate) hops: BTreeMap<Seat, Hop>,
}

/// How a message came to a node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hop {
    /// Who brought it first, by number in the run.
    pub(crate) from: Option<u32>,
    /// When the node passed it on.
    pub(crate) relayed: Option<Time>,
    /// When the node accepted it.
    pub(crate) accepted: Option<Time>,
}

impl Trees {
    /// A message is published; it is followed if there is room.
    pub(crate) fn published(&mut self, number: Number, author: Seat, at: Time, disturbed: bool) {
        let (count, max) = if disturbed {
            (&mut self.disturbed, DISTURBED_MAX)
        } else {
            (&mut self.calm, CALM_MAX)
        };
        if *count < max && self.hops < HOPS_MAX {
            *count += 1;
            let hops = BTreeMap::new();
            self.trees.insert(number, Tree { author, published: at, disturbed, hops });
        }
    }

    /// A node passed it on.
    pub(crate) fn relayed(&mut self, number: Number, seat: Seat, from: Option<u32>, at: Time) {
        if let Some(hop) = self.hop(number, seat)
            && hop.relayed.is_none()
        {
            (hop.from, hop.relayed) = (from, Some(at));
        }
    }

    /// A node accepted it.
    pub(crate) fn accepted(&mut self, number: Number, seat: Seat, at: Time) {
        if let Some(hop) = self.hop(number, seat) {
            hop.accepted.get_or_insert(at);
        }
    }

    /// The tree that tells most: the one of a disturbed message that took longest, or of any.
    pub(crate) fn telling(&self) -> Option<(Number, &Tree)> {
        let taken = |tree: &Tree| {
            let last = tree.hops.values().filter_map(|hop| hop.accepted.or(hop.relayed)).max();
            last.map(|last| last.since(tree.published))
        };
        let key = |(_, tree): &(&Number, &Tree)| (tree.disturbed, taken(tree));
        self.trees.iter().max_by_key(key).map(|(number, tree)| (*number, tree))
    }

    fn hop(&mut self, number: Number, seat: Seat) -> Option<&mut Hop> {
        let tree = self.trees.get_mut(&number)?;
        if !tree.hops.contains_key(&seat) {
            if self.hops >= HOPS_MAX {
                return None;
            }
            self.hops += 1;
        }
        Some(tree.hops.entry(seat).or_default())
    }
}
