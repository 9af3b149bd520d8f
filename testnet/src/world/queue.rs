//! What is going to happen, the earliest first; at one moment, in the order in which it was scheduled.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use bytes::Bytes;
use forsooth_protocol::{Input, Lane, Time};

/// A node's place in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub(crate) u32);

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Occurrence {
    /// A node reads the wall clock.
    WallClock { node: Index },
    /// Whoever runs the world tells a node something.
    Told { node: Index, input: Box<Input> },
    /// A node's deadline is there, unless it has an earlier one by now.
    Tick { node: Index },
    /// A frame arrives, if the link is still the one that it was sent on.
    Arrived { to: Index, from: Index, link: u64, lane: Lane, frame: Bytes },
    /// A dial arrives.
    Dialled { from: Index, to: Index },
    /// The answer to a dial arrives at the dialler.
    Answered { from: Index, to: Index, link: u64 },
    /// Word that there will be no link arrives at the dialler.
    DialFailed { node: Index, peer: Index },
    /// Word that a link is closed arrives.
    Closed { node: Index, peer: Index, link: u64 },
}

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Scheduled>>,
    pushed: u64,
    links: u64,
}

#[derive(Debug)]
struct Scheduled {
    at: Time,
    order: u64,
    what: Occurrence,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, what: Occurrence) {
        self.pushed += 1;
        self.heap.push(Reverse(Scheduled { at, order: self.pushed, what }));
    }

    /// The next occurrence that is not after `until`.
    pub(crate) fn pop_until(&mut self, until: Time) -> Option<(Time, Occurrence)> {
        self.heap.peek().filter(|Reverse(next)| next.at <= until)?;
        self.heap.pop().map(|Reverse(next)| (next.at, next.what))
    }

    /// A name for a link that no other link has or had.
    pub(crate) fn next_link(&mut self) -> u64 {
        self.links += 1;
        self.links
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}
