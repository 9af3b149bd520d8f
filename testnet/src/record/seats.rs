//! Sets of honest nodes.

use super::Seat;

/// A set of seats, a bit for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seats {
    words: Vec<u64>,
    len: usize,
}

impl Seats {
    /// False if it was in the set.
    pub(crate) fn insert(&mut self, Seat(seat): Seat) -> bool {
        let (place, bit) = (seat as usize / 64, 1 << (seat % 64));
        if self.words.len() <= place {
            self.words.resize(place + 1, 0);
        }
        let Some(word) = self.words.get_mut(place) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(new);
        new
    }

    /// False if it was not in the set.
    pub(crate) fn remove(&mut self, Seat(seat): Seat) -> bool {
        let bit = 1 << (seat % 64);
        let Some(word) = self.words.get_mut(seat as usize / 64) else { return false };
        let old = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(old);
        old
    }

    pub(crate) fn contains(&self, Seat(seat): Seat) -> bool {
        self.words.get(seat as usize / 64).is_some_and(|word| word & (1 << (seat % 64)) != 0)
    }

    /// How many are in both.
    pub(crate) fn common(&self, other: &Self) -> usize {
        let both = self.words.iter().zip(&other.words).map(|(one, other)| one & other);
        both.map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_seat_is_counted_once() {
        let mut seats = Seats::default();
        for seat in [0, 63, 64, 1000].map(Seat) {
            assert!(seats.insert(seat), "{seat}");
            assert!(!seats.insert(seat), "{seat} again");
        }
        assert_eq!(seats.len(), 4);
        assert!(seats.remove(Seat(64)) && !seats.remove(Seat(64)) && !seats.remove(Seat(5000)));
        assert!(
            seats.contains(Seat(63)) && !seats.contains(Seat(64)) && !seats.contains(Seat(5000))
        );
        assert_eq!(seats.len(), 3);
    }
}
