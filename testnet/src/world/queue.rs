//! What is going to happen, the earliest first; at one moment, in the order in which it was scheduled.
//!
//! A calendar: a page for each millisecond or so, of which only the present one is in order. Most of what is
//! scheduled lies a few pages ahead, so scheduling costs no more than a push, however much is under way.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BinaryHeap},
};

use bytes::Bytes;
use forsooth_crypto::Verified;
use forsooth_protocol::{Input, Lane, Publication, Standing, Time};

use super::{
    Index,
    links::{LinkId, Side},
    moment::{Nanos, nanos, time},
};

/// A page covers 2^20 ns, about a millisecond.
const PAGE_BITS: u32 = 20;
/// Pages that are open for scheduling, about a second; what comes later is kept apart until then.
const PAGES: u64 = 1024;

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Occurrence {
    /// A node reads the wall clock, as it does every minute.
    WallClock { node: Index },
    /// A node begins a life: it learns the time and what it stored in earlier ones.
    Begins { node: Index },
    /// Whoever runs the world tells a node something.
    Told { node: Index, input: Box<Input> },
    /// A node's deadline is there, unless it has an earlier one by now.
    Tick { node: Index },
    /// A frame arrives at an end of a link, if that is still up.
    Arrived { link: LinkId, to: Side, lane: Lane, frame: Bytes },
    /// A dial arrives.
    Dialled { from: Caller, to: Index },
    /// The answer to a dial arrives at the dialler.
    Answered { from: Caller, to: Index, link: LinkId },
    /// Word that there will be no link arrives at the dialler.
    DialFailed { from: Caller, to: Index },
    /// Word that a link is closed arrives at an end of it.
    Closed { link: LinkId, at: Side },
    /// A node's network card may have room for what waits.
    Pump { node: Index },
    /// The other end of a link may have read enough to take more.
    Readable { link: LinkId, from: Side },
    /// Frames for the other end of a link may have waited for too long.
    Stalled { link: LinkId, from: Side },
    /// Nothing came through a link since that moment, if it was not mended.
    Dead { link: LinkId, at: Side, since: Nanos },
    /// A disk has written messages, in the order in which it was told to.
    Written { node: Caller, messages: Vec<Writing> },
    /// A paused node goes on.
    Resumed { node: Index },
}

/// A message on its way to a disk.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) request: u64,
    pub(crate) message: Verified<Publication>,
    pub(crate) standing: Standing,
}

/// Who dialled, or writes, and in which of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) node: Index,
    pub(crate) life: u32,
}

/// The calendar.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The present page, the latest first.
    present: Vec<Scheduled>,
    /// Its number.
    page: u64,
    /// What came to the present page after it was put in order.
    added: BinaryHeap<Added>,
    /// The pages after it, each in the order in which it was written.
    pages: Vec<Vec<Scheduled>>,
    /// How much is written on those.
    written: usize,
    /// Later pages.
    later: BTreeMap<u64, Vec<Scheduled>>,
    additions: u64,
}

#[derive(Debug)]
struct Scheduled {
    at: Nanos,
    what: Occurrence,
}

#[derive(Debug)]
struct Added {
    order: u64,
    scheduled: Scheduled,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            present: Vec::new(),
            page: 0,
            added: BinaryHeap::new(),
            pages: (0..PAGES).map(|_| Vec::new()).collect(),
            written: 0,
            later: BTreeMap::new(),
            additions: 0,
        }
    }
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, what: Occurrence) {
        self.push_at(nanos(at), what);
    }

    pub(crate) fn push_at(&mut self, at: Nanos, what: Occurrence) {
        let page = at >> PAGE_BITS;
        let scheduled = Scheduled { at, what };
        if page <= self.page {
            self.additions += 1;
            self.added.push(Added { order: self.additions, scheduled });
        } else if page - self.page < PAGES {
            self.written += 1;
            self.open(page).push(scheduled);
        } else {
            self.later.entry(page).or_default().push(scheduled);
        }
    }

    /// The next occurrence that is not after `until`.
    pub(crate) fn pop_until(&mut self, until: Time) -> Option<(Time, Occurrence)> {
        let until = nanos(until);
        while self.present.is_empty() && self.added.is_empty() {
            self.turn(until >> PAGE_BITS)?;
        }
        let sorted = self.present.last().map(|next| next.at);
        let added = self.added.peek().map(|next| next.scheduled.at);
        // At one moment, what was added later comes later.
        let first_is_sorted =
            sorted.is_some_and(|sorted| added.is_none_or(|added| sorted <= added));
        let next = if first_is_sorted { sorted } else { added };
        next.filter(|next| *next <= until)?;
        let next = if first_is_sorted {
            self.present.pop()
        } else {
            self.added.pop().map(|added| added.scheduled)
        };
        next.map(|next| (time(next.at), next.what))
    }

    /// Turns to the next page that has something on it, unless it is after `last`.
    fn turn(&mut self, last: u64) -> Option<()> {
        let later = self.later.keys().next().copied();
        let mut page = self.page + 1;
        if self.written == 0 {
            page = later?;
        } else {
            while page <= last && self.open(page).is_empty() && later != Some(page) {
                page += 1;
            }
        }
        if page > last {
            return None;
        }
        // What is written on it was scheduled after what was kept apart.
        let mut present = std::mem::take(&mut self.present);
        present.extend(self.later.remove(&page).into_iter().flatten());
        let open = self.open(page);
        let count = open.len();
        if present.is_empty() {
            std::mem::swap(&mut present, open);
        } else {
            present.append(open);
        }
        self.written -= count;
        present.sort_by_key(|scheduled| scheduled.at);
        present.reverse();
        self.present = present;
        self.page = page;
        Some(())
    }

    fn open(&mut self, page: u64) -> &mut Vec<Scheduled> {
        let place = usize::try_from(page % PAGES).unwrap_or(0);
        self.pages.get_mut(place).expect("there are so many pages")
    }
}

/// The greatest is the next: the earliest, and of those at one moment the first.
impl Ord for Added {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.scheduled.at, other.order).cmp(&(self.scheduled.at, self.order))
    }
}

impl PartialOrd for Added {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Added {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Added {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn at(nanos: u64) -> Time {
        Time::from_duration(Duration::from_nanos(nanos))
    }

    /// The number that an occurrence of these tests carries.
    fn number(what: &Occurrence) -> u32 {
        let Occurrence::Tick { node } = what else { panic!("{what:?}") };
        node.0
    }

    #[test]
    fn nothing_comes_before_its_time_or_out_of_its_order() {
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut queue = Queue::default();
            // The model: everything, in the order of scheduling, sorted by time when asked.
            let mut model: Vec<(u64, u32)> = Vec::new();
            let (mut now, mut next) = (0, 0);
            for _ in 0..300 {
                for _ in 0..rng.random_range(0..20) {
                    // Coarse, so that many share a moment; near, far, and across the pages.
                    let reach = [3, 5_000, 2_000_000_000, 9_000_000_000][rng.random_range(0..4)];
                    let when = now + rng.random_range(0..=reach) / 1000 * 1000;
                    queue.push(at(when), Occurrence::Tick { node: Index(next) });
                    model.push((when, next));
                    next += 1;
                }
                let until = now + rng.random_range(0..300_000_000);
                model.sort_by_key(|(when, _)| *when);
                while let Some((when, what)) = queue.pop_until(at(until)) {
                    let expected = model.remove(0);
                    assert_eq!((nanos(when), number(&what)), expected);
                    now = expected.0;
                    // Some things happen at once, or within the page.
                    if rng.random_range(0..8) == 0 {
                        let soon = now + rng.random_range(0..3) * 1000;
                        queue.push(at(soon), Occurrence::Tick { node: Index(next) });
                        model.push((soon, next));
                        model.sort_by_key(|(when, _)| *when);
                        next += 1;
                    }
                }
                assert!(model.first().is_none_or(|(when, _)| *when > until));
                now = until;
            }
        }
    }
}
