//! What each may still spend, of something that comes back with time.
//!
//! Budgets outlive links, so nobody gets a new one by dialling again. One that is full again is forgotten, since it is what
//! everybody has. The table is bounded: when it is full, the budget that is full again soonest goes, since little of it is
//! spent and little is lost by forgetting it.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::{agenda::Agenda, time::Time};

/// Budgets that are remembered of each kind.
pub(crate) const BUDGETS_MAX: usize = 4096;
/// That are full again, and are forgotten when something is spent: more than may come to be with it.
const FORGOTTEN_AT_ONCE: usize = 2;

/// What each may still spend.
#[derive(Debug)]
pub(crate) struct Budgets<K> {
    burst: u32,
    /// For one unit to come back.
    every: Duration,
    /// When each budget is full again.
    full_at: BTreeMap<K, Time>,
    order: Agenda<Time, K>,
}

impl<K: Ord + Copy> Budgets<K> {
    /// Each may spend `burst` at once, and one more after `every`.
    pub(crate) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every, full_at: BTreeMap::new(), order: Agenda::new() }
    }

    /// How many units there are.
    pub(crate) fn left(&self, key: &K, now: Time) -> u32 {
        let full_at = self.full_at.get(key).copied().unwrap_or(now);
        let lacking = full_at.since(now).as_nanos().div_ceil(self.every.as_nanos().max(1));
        self.burst.saturating_sub(u32::try_from(lacking).unwrap_or(u32::MAX))
    }

    /// When there will be so many.
    pub(crate) fn ready_at(&self, key: &K, wanted: u32) -> Time {
        let spare = self.every.saturating_mul(self.burst.saturating_sub(wanted));
        let full_at = self.full_at.get(key).copied().unwrap_or(Time::ZERO);
        Time::ZERO + full_at.since(Time::ZERO).saturating_sub(spare)
    }

    /// Takes up to `wanted` units; returns how many there were.
    pub(crate) fn take(&mut self, key: K, wanted: u32, now: Time) -> u32 {
        let taken = wanted.min(self.left(&key, now));
        if taken == 0 {
            return 0;
        }
        for _ in 0..FORGOTTEN_AT_ONCE {
            if self.order.first().is_some_and(|(full_at, _)| *full_at <= now) {
                self.forget_soonest();
            }
        }
        match self.full_at.get(&key) {
            Some(full_at) => self.order.remove(&(*full_at, key)),
            None if self.full_at.len() >= BUDGETS_MAX => self.forget_soonest(),
            None => {}
        }
        let before = self.full_at.get(&key).map_or(now, |full_at| (*full_at).max(now));
        let full_at = before + self.every.saturating_mul(taken);
        self.full_at.insert(key, full_at);
        self.order.insert((full_at, key));
        taken
    }

    /// Forgets the budget that is full soonest.
    fn forget_soonest(&mut self) {
        if let Some((_, soonest)) = self.order.pop_first() {
            self.full_at.remove(&soonest);
        }
    }

    /// Budgets that are remembered.
    pub(crate) fn len(&self) -> usize {
        self.full_at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_spent_comes_back_one_by_one() {
        let mut budgets = Budgets::new(3, Duration::from_secs(10));
        let mut take = |wanted, now| budgets.take('a', wanted, at(now));
        assert_eq!([take(2, 0), take(2, 0), take(2, 0)], [2, 1, 0]);
        assert_eq!([take(5, 9), take(5, 10), take(5, 1000)], [0, 1, 3]);
        let ready = [1, 2, 3].map(|wanted| budgets.ready_at(&'a', wanted));
        assert_eq!(ready, [at(1010), at(1020), at(1030)]);
    }

    #[test]
    fn what_is_full_again_is_forgotten() {
        let mut budgets = Budgets::new(3, Duration::from_secs(10));
        let spent: u32 = (0..1000).map(|key| budgets.take(key, 2, at(0))).sum();
        assert_eq!((spent, budgets.len()), (2000, 1000));
        let spent: u32 = (2..1000).map(|step| budgets.take(u32::MAX, 1, at(step * 10))).sum();
        assert_eq!(spent, 998);
        assert_eq!((budgets.len(), budgets.order.len()), (1, 1));
        assert_eq!((budgets.left(&7, at(20)), budgets.left(&u32::MAX, at(9990))), (3, 2));
    }

    #[test]
    fn a_crowd_makes_the_table_forget_who_spent_least_and_nobody_who_spent_all() {
        let mut budgets = Budgets::new(8, Duration::from_secs(10));
        assert_eq!(budgets.take(u32::MAX, 8, at(0)), 8);
        let admitted: u32 = (0..10_000).map(|key| budgets.take(key, 1, at(0))).sum();
        assert_eq!((admitted, budgets.len()), (10_000, BUDGETS_MAX));
        assert_eq!(budgets.take(u32::MAX, 1, at(0)), 0);
        assert_eq!(budgets.order.iter().count(), BUDGETS_MAX);
    }
}
