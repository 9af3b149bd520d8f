//! Which nodes cannot hear which, and which do not listen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Index, moment::Nanos, road::over};

/// Bytes that the operating systems and Yamux hold for a receiver that does not read.
pub(crate) const WINDOW_BYTES: u64 = 256 * 1024;

/// How a node takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// At once.
    Freely,
    /// At a pace on each link: nanoseconds for a byte, times 2^16.
    Slowly(u64),
    /// Not at all, and never will.
    Never,
    /// Not at all, but later.
    Later,
}

/// Partitions, blocked directions, paused nodes, slow readers.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    /// Each node's side of a partition, if it is not the first.
    sides: BTreeMap<Index, u32>,
    blocked: BTreeSet<(Index, Index)>,
    paused: BTreeSet<Index>,
    readers: BTreeMap<Index, u64>,
}

impl Troubles {
    /// Whether every frame goes its way.
    pub(crate) fn is_none(&self) -> bool {
        self.sides.is_empty()
            && self.blocked.is_empty()
            && self.paused.is_empty()
            && self.readers.is_empty()
    }

    /// Nodes on different sides do not hear each other. Those on none are on the first.
    pub(crate) fn partition(&mut self, sides: &[Vec<Index>]) {
        let sides = (0..).zip(sides);
        let sides = sides.flat_map(|(side, nodes)| nodes.iter().map(move |node| (*node, side)));
        self.sides = sides.filter(|(_, side)| *side > 0).collect();
    }

    pub(crate) fn block(&mut self, from: Index, to: Index, blocked: bool) {
        if blocked {
            self.blocked.insert((from, to));
        } else {
            self.blocked.remove(&(from, to));
        }
    }

    /// All hear each other again.
    pub(crate) fn heal(&mut self) {
        self.sides.clear();
        self.blocked.clear();
    }

    /// Whether a node is paused from now on; `false` if it already was or was not.
    pub(crate) fn pause(&mut self, node: Index, paused: bool) -> bool {
        if paused { self.paused.insert(node) } else { self.paused.remove(&node) }
    }

    pub(crate) fn is_paused(&self, node: Index) -> bool {
        self.paused.contains(&node)
    }

    /// Sets how many bytes a second a node reads on each of its links.
    pub(crate) fn read(&mut self, node: Index, bytes_per_second: Option<u64>) {
        match bytes_per_second {
            Some(rate) => drop(self.readers.insert(node, rate)),
            None => drop(self.readers.remove(&node)),
        }
    }

    pub(crate) fn reading(&self, node: Index) -> Reading {
        if self.paused.contains(&node) {
            return Reading::Later;
        }
        match self.readers.get(&node) {
            None => Reading::Freely,
            Some(0) => Reading::Never,
            Some(rate) => Reading::Slowly((1_000_000_000 << 16) / rate),
        }
    }

    /// Whether what one node sends does not reach the other.
    pub(crate) fn cuts(&self, from: Index, to: Index) -> bool {
        let side = |node| self.sides.get(&node).copied().unwrap_or(0);
        (!self.blocked.is_empty() && self.blocked.contains(&(from, to)))
            || (!self.sides.is_empty() && side(from) != side(to))
    }

    /// Whether nothing that needs an answer comes through between two nodes.
    pub(crate) fn parts(&self, one: Index, other: Index) -> bool {
        self.cuts(one, other)
            || self.cuts(other, one)
            || self.paused.contains(&one)
            || self.paused.contains(&other)
    }
}

/// How long a reader with this pace takes for what may be on its way to it.
pub(crate) fn window(pace: u64) -> Nanos {
    over(pace, WINDOW_BYTES)
}
