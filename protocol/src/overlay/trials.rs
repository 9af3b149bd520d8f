//! Records whose addresses have yet to be tried.
//!
//! Keys are free and a record may claim any address, so nobody enters the view before a dial has found it where
//! it says it is. Those that wait are kept by the address group that told of them, and taken from these in turn:
//! who tells of a thousand that are not there only makes its own wait. What was told unasked waits apart
//! from what was asked for, and most turns go to the latter: whom we ask, we choose.
//!
//! A dial is also something that we do to whoever is at that address. So one host, and one subnet, has only a few in
//! an hour, whatever many keys claim to be there.

use core::{net::IpAddr, time::Duration};
use std::collections::{BTreeMap, VecDeque};

use forsooth_crypto::{NodeId, Verified};
use rand_chacha::ChaCha8Rng;

use super::{place::Place, record::SignedRecord};
use crate::{budget::Budgets, group::Group, machine::below, time::Time};

/// Records that wait because of one group. Its oldest goes first.
const PER_SOURCE_MAX: usize = 64;
/// Groups because of which records wait, of either kind. One at random goes first.
const SOURCES_MAX: usize = 64;
/// One turn of so many is for what was told unasked.
const UNASKED_TURN: usize = 4;
/// Trials of one host at once, and how soon one more; and those of one subnet.
const HOST_BURST: u32 = 4;
const HOST_EVERY: Duration = Duration::from_secs(900);
const SUBNET_BURST: u32 = 16;
const SUBNET_EVERY: Duration = Duration::from_secs(225);

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Teller {
    pub(super) group: Group,
    /// We had asked for it.
    pub(super) is_asked: bool,
}

type Sources = BTreeMap<Group, VecDeque<Verified<SignedRecord>>>;

/// Records that wait for a dial.
#[derive(Debug)]
pub(super) struct Trials {
    asked: Sources,
    unasked: Sources,
    hosts: Budgets<IpAddr>,
    subnets: Budgets<IpAddr>,
}

impl Trials {
    pub(super) const fn new() -> Self {
        Self {
            asked: BTreeMap::new(),
            unasked: BTreeMap::new(),
            hosts: Budgets::new(HOST_BURST, HOST_EVERY),
            subnets: Budgets::new(SUBNET_BURST, SUBNET_EVERY),
        }
    }

    /// Whether a place may be dialled to see who is there; counted.
    pub(super) fn may_dial(&mut self, place: Place, now: Time) -> bool {
        let (Some(host), Some(subnet)) = (place.ip(), place.subnet()) else { return true };
        let is_left = self.hosts.left(&host, now) > 0 && self.subnets.left(&subnet, now) > 0;
        is_left && self.hosts.take(host, 1, now) + self.subnets.take(subnet, 1, now) == 2
    }

    fn all(&self) -> impl Iterator<Item = &Verified<SignedRecord>> {
        self.asked.values().chain(self.unasked.values()).flatten()
    }

    /// Whether a peer waits, whoever told of it.
    pub(super) fn holds(&self, peer: &NodeId) -> bool {
        self.all().any(|record| record.record().id == *peer)
    }

    /// Lets a record wait.
    pub(super) fn add(
        &mut self,
        teller: Teller,
        record: Verified<SignedRecord>,
        rng: &mut ChaCha8Rng,
    ) {
        if self.holds(&record.record().id) {
            return;
        }
        let sources = if teller.is_asked { &mut self.asked } else { &mut self.unasked };
        if !sources.contains_key(&teller.group) && sources.len() >= SOURCES_MAX {
            let at = below(rng, sources.len());
            let other = sources.keys().nth(at).copied();
            other.and_then(|other| sources.remove(&other));
        }
        let waiting = sources.entry(teller.group).or_default();
        if waiting.len() >= PER_SOURCE_MAX {
            waiting.pop_front();
        }
        waiting.push_back(record);
    }

    /// The next to try, of a random source.
    pub(super) fn next(&mut self, rng: &mut ChaCha8Rng) -> Option<Verified<SignedRecord>> {
        let is_for_unasked = below(rng, UNASKED_TURN) == 0 || self.asked.is_empty();
        let sources = if is_for_unasked && !self.unasked.is_empty() {
            &mut self.unasked
        } else {
            &mut self.asked
        };
        let at = below(rng, sources.len());
        let source = sources.keys().nth(at).copied()?;
        let waiting = sources.get_mut(&source)?;
        let record = waiting.pop_front();
        if waiting.is_empty() {
            sources.remove(&source);
        }
        record
    }

    /// Records that wait, and the most there may be.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.all().count(), 2 * PER_SOURCE_MAX * SOURCES_MAX)
    }
}
