//! Who may tell us of how many peers, and who may ask.
//!
//! An answer is welcome because it was asked for, once for each question. What comes unasked has a budget for
//! each peer and one for each address group, in records: a liar who pushes more only spends its own. Questions
//! have one as well, since an answer is a thousand times as long. Budgets outlive links, so nobody
//! gets a new one by dialling again.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use crate::{group::Group, time::Time, wire::RECORDS_MAX};

/// Records that one peer may push at once, and how soon one more. An honest one pushes one list a round.
const PUSH_BURST: u32 = 200;
const PUSH_EVERY: Duration = Duration::from_millis(100);
/// A group may push twice as much.
const GROUP_PUSH_BURST: u32 = 2 * PUSH_BURST;
const GROUP_PUSH_EVERY: Duration = Duration::from_millis(50);
/// Times that one peer may ask at once; and again after [`PULL_EVERY`].
const PULL_BURST: u32 = 8;
const PULL_EVERY: Duration = Duration::from_secs(4);
/// Budgets that are remembered of each kind. Those that are full again go first; while there are none,
/// whoever is new gets nothing.
const BUDGETS_MAX: usize = 4096;

/// What each may still spend.
#[derive(Debug)]
struct Budgets<K> {
    burst: u32,
    /// For one unit to come back.
    every: Duration,
    /// When each budget is full again.
    full_at: BTreeMap<K, Time>,
}

impl<K: Ord + Copy> Budgets<K> {
    const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every, full_at: BTreeMap::new() }
    }

    /// Takes up to `wanted` units; returns how many there were.
    fn take(&mut self, key: K, wanted: u32, now: Time) -> u32 {
        if !self.full_at.contains_key(&key) && self.full_at.len() >= BUDGETS_MAX {
            self.full_at.retain(|_, full_at| *full_at > now);
            if self.full_at.len() >= BUDGETS_MAX {
                return 0;
            }
        }
        let full_at = self.full_at.entry(key).or_insert(now);
        let lacking = full_at.since(now).as_nanos().div_ceil(self.every.as_nanos().max(1));
        let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
        let taken = wanted.min(self.burst.saturating_sub(lacking));
        *full_at = (*full_at).max(now) + self.every.saturating_mul(taken);
        taken
    }
}

/// What is asked, and what may be said unasked.
#[derive(Debug)]
pub(super) struct Exchange {
    asked: BTreeSet<NodeId>,
    pushes: Budgets<NodeId>,
    group_pushes: Budgets<Group>,
    pulls: Budgets<NodeId>,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        let every = PUSH_EVERY;
        Self {
            asked: BTreeSet::new(),
            pushes: Budgets::new(PUSH_BURST, every),
            group_pushes: Budgets::new(GROUP_PUSH_BURST, GROUP_PUSH_EVERY),
            pulls: Budgets::new(PULL_BURST, PULL_EVERY),
        }
    }

    /// A linked peer is asked. False if it has yet to answer.
    pub(super) fn ask(&mut self, peer: NodeId) -> bool {
        self.asked.insert(peer)
    }

    /// Whether a peer owes an answer.
    pub(super) fn waits_for(&self, peer: &NodeId) -> bool {
        self.asked.contains(peer)
    }

    /// A peer answers, or is gone. Whether it was asked.
    pub(super) fn end(&mut self, peer: &NodeId) -> bool {
        self.asked.remove(peer)
    }

    /// Whether a peer may be answered.
    pub(super) fn may_pull(&mut self, peer: NodeId, now: Time) -> bool {
        self.pulls.take(peer, 1, now) > 0
    }

    /// How many of so many pushed records are looked at.
    pub(super) fn admit(&mut self, peer: NodeId, group: Group, records: usize, now: Time) -> usize {
        let wanted = u32::try_from(records.min(RECORDS_MAX)).unwrap_or(0);
        let of_peer = self.pushes.take(peer, wanted, now);
        let of_group = self.group_pushes.take(group, of_peer, now);
        usize::try_from(of_group).unwrap_or(0)
    }

    /// The most budgets of a kind, and how many there may be.
    pub(super) fn usage(&self) -> (usize, usize) {
        let used =
            [self.pushes.full_at.len(), self.group_pushes.full_at.len(), self.pulls.full_at.len()];
        (used.into_iter().max().unwrap_or(0), BUDGETS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(tag: u16) -> NodeId {
        let mut id = [7; 32];
        id[..2].copy_from_slice(&tag.to_be_bytes());
        NodeId::from_bytes(id)
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peer_that_pushes_without_end_is_heard_at_its_rate() {
        let mut exchange = Exchange::new();
        let mut push = |now| exchange.admit(peer(1), Group::Peer(peer(1)), 100, at(now));
        assert_eq!([push(0), push(0), push(0)], [100, 100, 0]);
        assert_eq!([push(1), push(1), push(100)], [10, 0, 100]);
    }

    #[test]
    fn a_group_that_pushes_without_end_is_heard_no_more_than_two_peers() {
        let mut exchange = Exchange::new();
        let heard: usize =
            (0..100).map(|tag| exchange.admit(peer(tag), Group::Unknown, 100, at(0))).sum();
        assert_eq!(heard, 400);
        assert_eq!(exchange.admit(peer(500), Group::Peer(peer(500)), 100, at(0)), 100);
    }

    #[test]
    fn questions_have_a_rate_and_only_one_is_open() {
        let mut exchange = Exchange::new();
        assert_eq!((0..100).filter(|_| exchange.may_pull(peer(1), at(0))).count(), 8);
        assert!(exchange.may_pull(peer(2), at(0)) && exchange.may_pull(peer(1), at(4)));
        assert!(exchange.ask(peer(1)) && !exchange.ask(peer(1)));
        assert!(exchange.end(&peer(1)) && !exchange.end(&peer(1)));
    }

    #[test]
    fn budgets_are_bounded() {
        let mut exchange = Exchange::new();
        let admitted = (0..10_000).filter(|tag| exchange.may_pull(peer(*tag), at(0))).count();
        assert_eq!((admitted, exchange.usage()), (BUDGETS_MAX, (BUDGETS_MAX, BUDGETS_MAX)));
        assert!(exchange.may_pull(peer(10_000), at(60)), "the others' budgets are full again");
    }
}
