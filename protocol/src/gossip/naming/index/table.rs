//! Numbers by name, in a flat table: each message has a name on each link, so that a tree here would be what a busy
//! node does most.
//!
//! A name is a keyed hash, so its own bits say where it belongs: in one of the eight places of a bucket, which lie side
//! by side. The other end of a link knows the key and could have names made that share a bucket; when that is full
//! the oldest of them goes, and what it named on its own link has to be asked about.

use crate::short_id::ShortId;

/// Places of a bucket.
const WAYS: usize = 8;
/// A bucket has so many on average at most: then one of 4,000 has more than it has places.
const LOAD_MAX: usize = 2;
/// Buckets of the smallest table.
const BUCKETS_MIN: usize = 8;

/// Numbers by name. It does not keep the names, but 32 bits of each: what a number stands for is for its owner to check.
#[derive(Debug)]
pub(super) struct Table {
    /// A power of two of them, or none yet.
    buckets: Vec<[Place; WAYS]>,
    len: usize,
}

/// A number, behind 32 bits of its name.
type Place = Option<(u32, u32)>;

impl Table {
    pub(super) const fn new() -> Self {
        Self { buckets: Vec::new(), len: 0 }
    }

    /// Names that were put in, and are neither taken out nor lost.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has to grow before anything is put in.
    pub(super) const fn is_full(&self) -> bool {
        self.len >= self.buckets.len() * LOAD_MAX
    }

    /// Doubles it. `name` says what a number is called, if it is still known.
    pub(super) fn grow(&mut self, name: impl Fn(u32) -> Option<ShortId>) {
        let buckets = (self.buckets.len() * 2).max(BUCKETS_MIN);
        let before = std::mem::replace(&mut self.buckets, vec![[None; WAYS]; buckets]);
        self.len = 0;
        for (_, number) in before.into_iter().flatten().flatten() {
            if let Some(name) = name(number) {
                self.insert(name, number);
            }
        }
    }

    /// Puts a number in, the highest so far. Nothing happens before it has [grown](Self::grow) once.
    pub(super) fn insert(&mut self, name: ShortId, number: u32) {
        let Some(bucket) = self.bucket_mut(name) else { return };
        let age = |place: &Place| place.map(|(_, other)| number.wrapping_sub(other));
        let free = bucket.iter_mut().max_by_key(|place| (place.is_none(), age(place)));
        if let Some(place) = free {
            let is_new = place.is_none();
            *place = Some((tag(name), number));
            self.len += usize::from(is_new);
        }
    }

    /// The first number under this name of which something is known.
    pub(super) fn find<T>(&self, name: ShortId, known: impl Fn(u32) -> Option<T>) -> Option<T> {
        let bucket = self.buckets.get(self.home(name)?)?;
        let tagged = bucket.iter().flatten().filter(|(other, _)| *other == tag(name));
        tagged.filter_map(|(_, number)| known(*number)).next()
    }

    /// Takes out a number of this name. Whether there was one.
    pub(super) fn remove(&mut self, name: ShortId, is_it: impl Fn(u32) -> bool) -> bool {
        let Some(bucket) = self.bucket_mut(name) else { return false };
        let is_it = |place: &Place| {
            place.is_some_and(|(other, number)| other == tag(name) && is_it(number))
        };
        let place = bucket.iter_mut().find(|place| is_it(place));
        let found = place.is_some_and(|place| place.take().is_some());
        self.len -= usize::from(found);
        found
    }

    fn bucket_mut(&mut self, name: ShortId) -> Option<&mut [Place; WAYS]> {
        let home = self.home(name)?;
        self.buckets.get_mut(home)
    }

    /// Which bucket; none if there are none.
    fn home(&self, name: ShortId) -> Option<usize> {
        let [a, b, c, d, ..] = name.to_bytes();
        let low = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        low.checked_rem(self.buckets.len())
    }
}

/// The bits of a name that do not say which bucket.
const fn tag(name: ShortId) -> u32 {
    let [.., a, b, c, d] = name.to_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u32) -> ShortId {
        // Spread as a hash spreads.
        ShortId::from_bytes(
            (u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes(),
        )
    }

    fn table(names: u32) -> Table {
        let mut table = Table::new();
        for number in 0..names {
            if table.is_full() {
                table.grow(|number| Some(name(number)));
            }
            table.insert(name(number), number);
        }
        table
    }

    #[test]
    fn what_is_put_in_is_found_until_it_is_taken_out() {
        let mut table = table(1000);
        for number in 0..1000 {
            assert_eq!(table.find(name(number), Some), Some(number));
            assert!(table.remove(name(number), |other| other == number));
            assert!(!table.remove(name(number), |other| other == number));
            assert_eq!(table.find(name(number), Some), None);
        }
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn who_fills_a_bucket_loses_its_oldest_and_no_other_names() {
        let mut table = table(100);
        let crowd = |tag: u32| ShortId::from_bytes((u64::from(tag) << 32).to_le_bytes());
        for number in 100..200 {
            table.insert(crowd(number), number);
        }
        assert_eq!(table.find(crowd(191), Some), None);
        assert!((192..200).all(|number| table.find(crowd(number), Some) == Some(number)));
        let lost = (0..100).filter(|number| table.find(name(*number), Some).is_none()).count();
        assert!(lost <= WAYS, "{lost}");
    }

    #[test]
    fn an_empty_table_has_nothing_and_takes_nothing() {
        let mut table = Table::new();
        table.insert(name(1), 1);
        assert_eq!((table.find(name(1), Some), table.len(), table.is_full()), (None, 0, true));
    }
}
