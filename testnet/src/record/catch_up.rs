//! How long nodes that came back needed until they had all that they had missed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use forsooth_protocol::Time;

use super::{Seat, spread::Number};

/// What nodes that came back lack of what was published before.
#[derive(Debug, Default)]
pub(crate) struct CatchUps {
    open: BTreeMap<Seat, Debt>,
    longest: Duration,
    /// Nodes that were killed again before they had all.
    pub(crate) interrupted: u64,
    /// How often a node has come back.
    pub(crate) returns: u64,
}

#[derive(Debug)]
struct Debt {
    since: Time,
    numbers: BTreeSet<Number>,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// How often a node came back.
    pub returns: u64,
    /// How often it was killed again before it had all that it had missed.
    pub interrupted: u64,
    /// How many still lack something.
    pub open: usize,
    /// The longest that one needed.
    pub longest: Duration,
}

impl CaughtUp {
    /// Seconds that the slowest one needed; endless if one still lacks something.
    #[must_use]
    pub const fn seconds(&self) -> f64 {
        if self.open > 0 { f64::INFINITY } else { self.longest.as_secs_f64() }
    }
}

impl CatchUps {
    /// A node is back, and lacks these.
    pub(crate) fn returned(&mut self, seat: Seat, numbers: BTreeSet<Number>, at: Time) {
        self.returns = self.returns.saturating_add(1);
        if !numbers.is_empty() {
            self.open.insert(seat, Debt { since: at, numbers });
        }
    }

    /// A node is gone.
    pub(crate) fn left(&mut self, seat: Seat) {
        if self.open.remove(&seat).is_some() {
            self.interrupted = self.interrupted.saturating_add(1);
        }
    }

    /// A node has a message.
    pub(crate) fn has(&mut self, seat: Seat, number: Number, at: Time) {
        let Some(debt) = self.open.get_mut(&seat) else { return };
        debt.numbers.remove(&number);
        if debt.numbers.is_empty() {
            self.longest = self.longest.max(at.since(debt.since));
            self.open.remove(&seat);
        }
    }

    /// Nothing if nobody came back.
    pub(crate) fn so_far(&self) -> Option<CaughtUp> {
        (self.returns > 0).then_some(CaughtUp {
            returns: self.returns,
            interrupted: self.interrupted,
            open: self.open.len(),
            longest: self.longest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(s: u64) -> Time {
        Time::from_duration(Duration::from_secs(s))
    }

    #[test]
    fn a_node_has_caught_up_once_it_has_all_that_it_lacked_when_it_came_back() {
        let mut catch_ups = CatchUps::default();
        assert_eq!(catch_ups.so_far(), None);
        let lacks = |numbers: [u32; 2]| numbers.into_iter().map(Number).collect();
        catch_ups.returned(Seat(1), lacks([1, 2]), at(10));
        catch_ups.returned(Seat(2), lacks([1, 2]), at(10));
        catch_ups.returned(Seat(3), BTreeSet::new(), at(10));
        catch_ups.has(Seat(1), Number(2), at(11));
        catch_ups.has(Seat(1), Number(7), at(11));
        catch_ups.has(Seat(1), Number(1), at(14));
        catch_ups.left(Seat(2));
        catch_ups.left(Seat(1));
        let expected =
            CaughtUp { returns: 3, interrupted: 1, open: 0, longest: Duration::from_secs(4) };
        assert_eq!(catch_ups.so_far(), Some(expected));
    }
}
