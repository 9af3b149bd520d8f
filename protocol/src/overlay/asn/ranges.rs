//! Ranges of addresses, made disjoint and sorted.

use core::cmp::Reverse;

/// Sorted ranges that do not overlap, each of one system.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ranges<B>(Vec<Range<B>>);

/// The addresses from one to another, both included, and whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range<B> {
    pub(super) first: B,
    pub(super) last: B,
    /// 0 if that is not known.
    pub(super) asn: u32,
}

/// An address as a number.
pub(super) trait Bits: Copy + Ord {
    /// The address after this one, if there is one.
    fn after(self) -> Option<Self>;
    /// The address before this one, if there is one.
    fn before(self) -> Option<Self>;
}

impl Bits for u32 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl Bits for u128 {
    fn after(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }
}

impl<B> Default for Ranges<B> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<B: Bits> Ranges<B> {
    /// Flattens ranges that may overlap: where they do, the one that begins last counts.
    pub(super) fn new(mut ranges: Vec<Range<B>>) -> Self {
        // The wider first, and of two that are the same, the earlier: what comes later lies on top.
        ranges.sort_by_key(|range| (range.first, Reverse(range.last)));
        let mut sweep = Sweep { flat: Vec::new(), next: None };
        // Ranges that have begun and may not have ended, the top one last.
        let mut open: Vec<Range<B>> = Vec::new();
        for range in ranges {
            while let Some(top) = open.pop_if(|top| top.last < range.first) {
                sweep.write(top.last, top.asn);
            }
            if let (Some(top), Some(before)) = (open.last(), range.first.before()) {
                sweep.write(before, top.asn);
            }
            sweep.next = Some(range.first);
            open.push(range);
        }
        while let Some(top) = open.pop() {
            sweep.write(top.last, top.asn);
        }
        sweep.flat.shrink_to_fit();
        Self(sweep.flat)
    }

    /// Whose range an address is in.
    pub(super) fn lookup(&self, bits: B) -> Option<u32> {
        let after = self.0.partition_point(|range| range.first <= bits);
        let range = self.0.get(after.checked_sub(1)?)?;
        (bits <= range.last).then_some(range.asn)
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// Writes flat ranges from the first address on.
struct Sweep<B> {
    flat: Vec<Range<B>>,
    /// The first address that is not written yet; none after the last that there is.
    next: Option<B>,
}

impl<B: Bits> Sweep<B> {
    /// The addresses up to this one are a system's.
    fn write(&mut self, last: B, asn: u32) {
        let Some(first) = self.next.filter(|first| *first <= last) else { return };
        self.next = last.after();
        match self.flat.last_mut() {
            _ if asn == 0 => {}
            Some(before) if before.asn == asn && before.last.after() == Some(first) => {
                before.last = last;
            }
            Some(_) | None => self.flat.push(Range { first, last, asn }),
        }
    }
}
