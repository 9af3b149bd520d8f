//! Which candidates a sampler has ranked, and when, so that it need not do it again.
//!
//! A slot keeps the best it was ever offered, so offering somebody twice changes nothing but for the slots
//! reseeded in between. Most offers are repeats: remembering them makes a round many times cheaper. The table
//! is small at first and doubles as it fills, up to a size that the view sets, whatever peers claim. It forgets
//! the least recently offered of the eight that share a line; what is forgotten is ranked again, so a full
//! table costs time and never a wrong choice.

/// Candidates in a line: as many as fit into one of the processor's cache.
const WAYS: usize = 8;
/// Lines at first: 512 candidates in 4 KiB.
const LINES_MIN: usize = 64;
/// Lines for each slot of the view: 64 candidates a slot.
const LINES_PER_SLOT: usize = 8;
/// The most lines there are: a million candidates in 8 MiB.
const LINES_MAX: usize = 1 << 17;

/// What was ranked, and when.
#[derive(Debug)]
pub(super) struct Seen {
    lines: Vec<Line>,
    /// How often somebody was ranked who was not remembered.
    ranked: usize,
    lines_max: usize,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line([Entry; WAYS]);

/// A ranked candidate, or none if its clock is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Part of the keyed hash that names candidate and place; another part chose the line.
    tag: u32,
    /// How many reseedings there had been when it was last ranked, and in the lowest bit whether it
    /// may hold a slot.
    stamp: u32,
}

impl Entry {
    /// How many reseedings there had been when it was last ranked.
    pub(super) const fn clock(self) -> u32 {
        self.stamp >> 1
    }

    /// Whether it may hold a slot.
    pub(super) const fn holds(self) -> bool {
        self.stamp & 1 == 1
    }
}

impl Seen {
    /// An empty table for a view of so many slots.
    pub(super) fn new(view: usize) -> Self {
        let lines_max = lines_for(view);
        let lines = vec![Line::default(); LINES_MIN.min(lines_max)];
        Self { lines, ranked: 0, lines_max }
    }

    /// The view has more slots now.
    pub(super) fn make_room(&mut self, view: usize) {
        self.lines_max = self.lines_max.max(lines_for(view));
    }

    /// Asks memory for a line that will be visited, without waiting for it.
    pub(super) fn fetch(&mut self, hash: u64) {
        let first = self.line(hash).and_then(|line| line.0.first());
        core::hint::black_box(first.map(|entry| entry.tag));
    }

    /// What is remembered of a candidate, by its keyed hash; and remembers that it is ranked now, in place
    /// of what was offered least recently if need be. The caller [marks](Seen::hold) it if it holds a slot.
    pub(super) fn visit(&mut self, hash: u64, clock: u32) -> Option<Entry> {
        let tag = tag(hash);
        let line = self.line(hash)?;
        let known = line.0.iter_mut().find(|entry| entry.tag == tag && entry.stamp != 0);
        let (entry, before) = match known {
            Some(entry) => (entry, true),
            None => (line.0.iter_mut().min_by_key(|entry| entry.clock())?, false),
        };
        let was = before.then_some(*entry);
        let holds = was.is_some_and(Entry::holds);
        *entry = Entry { tag, stamp: clock << 1 | u32::from(holds) };
        if !before {
            self.ranked = self.ranked.saturating_add(1);
            self.grow();
        }
        was
    }

    /// Doubles the table once half of it may be in use.
    ///
    /// One more bit of the hash chooses the line, and entries do not have it: so each line is there twice, and
    /// of an entry's two copies the one where it is not looked for goes when there is need, as the least recent.
    fn grow(&mut self) {
        if self.ranked > self.lines.len() * WAYS / 2 && self.lines.len() < self.lines_max {
            self.lines.extend_from_within(..);
        }
    }

    /// Remembers whether a candidate that was just visited may hold a slot.
    pub(super) fn hold(&mut self, hash: u64, holds: bool) {
        let tag = tag(hash);
        let Some(line) = self.line(hash) else { return };
        if let Some(entry) = line.0.iter_mut().find(|entry| entry.tag == tag && entry.stamp != 0) {
            entry.stamp = entry.stamp & !1 | u32::from(holds);
        }
    }

    fn line(&mut self, hash: u64) -> Option<&mut Line> {
        let mask = self.lines.len().saturating_sub(1);
        let index = usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & mask;
        self.lines.get_mut(index)
    }
}

fn lines_for(view: usize) -> usize {
    view.saturating_mul(LINES_PER_SLOT).clamp(1, LINES_MAX).next_power_of_two()
}

/// The half of the hash that does not choose the line.
const fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_visited_is_known_with_its_time_until_nine_share_a_line() {
        let mut seen = Seen::new(1);
        let hash = |tag: u64| tag << 32;
        assert_eq!(seen.visit(hash(1), 5), None);
        seen.hold(hash(1), true);
        let entry = seen.visit(hash(1), 7).unwrap();
        assert_eq!((entry.clock(), entry.holds()), (5, true));
        for other in 2..=8 {
            assert_eq!(seen.visit(hash(other), 8), None);
        }
        assert!(seen.visit(hash(1), 9).unwrap().holds());
        assert_eq!(seen.visit(hash(9), 9), None, "the ninth takes the place of the second");
        assert_eq!(seen.visit(hash(2), 9), None);
        assert_eq!(seen.visit(hash(1), 9).unwrap().clock(), 9);
    }

    #[test]
    fn a_table_grows_with_use_as_far_as_the_view_lets_it_and_forgets_nothing_by_it() {
        let mut seen = Seen::new(64);
        assert_eq!(seen.lines.len(), LINES_MIN);
        // Hashes whose low bits and tags are spread.
        let hash = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ n;
        for n in 0..300 {
            assert_eq!(seen.visit(hash(n), 1), None);
        }
        assert_eq!(seen.lines.len(), 2 * LINES_MIN);
        for n in 0..300 {
            assert_eq!(seen.visit(hash(n), 2).unwrap().clock(), 1, "{n}");
        }
        for n in 300..100_000 {
            seen.visit(hash(n), 3);
        }
        assert_eq!(seen.lines.len(), 64 * LINES_PER_SLOT);
        seen.make_room(256);
        seen.visit(hash(100_000), 3);
        assert_eq!(seen.lines.len(), 2 * 64 * LINES_PER_SLOT);
    }
}
