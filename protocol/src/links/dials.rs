//! Dials under way, and whom not to dial for a while.
//!
//! Whoever could not be reached, or left soon, is left alone for a second, then for two, and so on, with
//! jitter, so that nodes which lost one peer together do not come back to it together. Dials for links and
//! dials for visits have places of their own: addresses where nobody answers keep no link from being made.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use crate::{agenda::Agenda, group::Group, time::Time};

/// Dials for links under way at once.
const LINK_DIALS_MAX: usize = 8;
/// Dials for visits under way at once.
const VISIT_DIALS_MAX: usize = 8;
/// Dials to observe under way at once: at the beginning of a shift all observers look for their subjects.
const OBSERVE_DIALS_MAX: usize = 16;
/// A dial that the shell has not answered by then has failed.
const DIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Peers whose failures are remembered. The one that may be dialled soonest goes first.
const FAILURES_MAX: usize = 4096;
/// Back-off after the first failure; doubles up to the maximum, with up to half of it as jitter.
const BACKOFF: Duration = Duration::from_secs(1);
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// The maximum while a node that had links has none: it may be its own network that fails, and comes back any time.
pub(super) const BEREFT_BACKOFF_MAX: Duration = Duration::from_secs(30);
/// The maximum for whoever answered and had no place, while this node has no link at all.
pub(super) const BUSY_BACKOFF_MAX: Duration = Duration::from_secs(4);

/// What a dial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// The peer is sampled: it becomes a witness.
    Witness,
    /// The operator wants it as a peer.
    Kept,
    /// To see whether it is alive, for as long as we are its observer.
    Observe,
    /// To exchange records, or to see whether somebody answers.
    Visit,
}

/// Dials under way, and whom not to dial for a while.
#[derive(Debug)]
pub(crate) struct Dials {
    pending: BTreeMap<NodeId, Pending>,
    failures: BTreeMap<NodeId, Failures>,
    /// When back-offs are over.
    over: Agenda<Time, NodeId>,
}

/// A dial under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    purpose: Purpose,
    /// Where it was directed.
    group: Group,
    /// When it has failed, if nobody has answered.
    late_at: Time,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    until: Time,
}

impl Dials {
    pub(crate) const fn new() -> Self {
        Self { pending: BTreeMap::new(), failures: BTreeMap::new(), over: Agenda::new() }
    }

    /// Whether a peer is being dialled.
    pub(crate) fn pending(&self, peer: &NodeId) -> bool {
        self.pending.contains_key(peer)
    }

    /// Dials under way for a purpose.
    pub(crate) fn count(&self, purpose: Purpose) -> usize {
        self.pending.values().filter(|dial| dial.purpose == purpose).count()
    }

    /// Whether another dial may begin.
    pub(crate) fn has_room(&self, purpose: Purpose) -> bool {
        let visits = self.count(Purpose::Visit);
        let observes = self.count(Purpose::Observe);
        match purpose {
            Purpose::Witness | Purpose::Kept => {
                self.pending.len() - visits - observes < LINK_DIALS_MAX
            }
            Purpose::Observe => observes < OBSERVE_DIALS_MAX,
            Purpose::Visit => visits < VISIT_DIALS_MAX,
        }
    }

    /// Whether a peer may be dialled now.
    pub(crate) fn may(&self, peer: &NodeId, now: Time) -> bool {
        self.failures.get(peer).is_none_or(|failures| failures.until <= now)
    }

    /// A dial begins.
    pub(crate) fn begin(&mut self, peer: NodeId, purpose: Purpose, group: Group, now: Time) {
        self.pending.insert(peer, Pending { purpose, group, late_at: now + DIAL_TIMEOUT });
    }

    /// The groups of those who are dialled for a purpose.
    pub(crate) fn groups(&self, purpose: Purpose) -> impl Iterator<Item = Group> {
        self.pending.values().filter(move |dial| dial.purpose == purpose).map(|dial| dial.group)
    }

    /// A dial under way is meant for a link as well.
    pub(crate) fn promote(&mut self, peer: &NodeId, purpose: Purpose) {
        if let Some(pending) = self.pending.get_mut(peer) {
            pending.purpose = pending.purpose.min(purpose);
        }
    }

    /// A dial has ended, one way or the other. Says what it was for, if there was one.
    pub(crate) fn end(&mut self, peer: &NodeId) -> Option<Purpose> {
        self.pending.remove(peer).map(|dial| dial.purpose)
    }

    /// Dials that nobody has answered in time.
    pub(crate) fn stuck(&mut self, now: Time) -> Vec<NodeId> {
        let late = self.pending.extract_if(.., |_, dial| dial.late_at <= now);
        late.map(|(peer, _)| peer).collect()
    }

    /// The peer was not reached, or not for long: leaves it alone, longer each time, up to a maximum.
    pub(crate) fn back_off(
        &mut self,
        peer: NodeId,
        longest: Duration,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) {
        let count = self.failures.get(&peer).map_or(0, |failures| failures.count);
        let doubled = BACKOFF.saturating_mul(1 << count.min(16)).min(longest);
        let jitter = doubled.mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX) / 2.0);
        let failures = Failures { count: count.saturating_add(1), until: now + doubled + jitter };
        self.set(peer, failures);
    }

    /// Leaves a peer alone until then.
    pub(crate) fn avoid(&mut self, peer: NodeId, until: Time) {
        let count = self.failures.get(&peer).map_or(0, |failures| failures.count);
        self.set(peer, Failures { count, until });
    }

    /// All is well with a peer.
    pub(crate) fn forgive(&mut self, peer: &NodeId) {
        if let Some(failures) = self.failures.remove(peer) {
            self.over.remove(&(failures.until, *peer));
        }
    }

    fn set(&mut self, peer: NodeId, failures: Failures) {
        self.forgive(&peer);
        if self.failures.len() >= FAILURES_MAX {
            let soonest = self.failures.iter().min_by_key(|(_, failures)| failures.until);
            let soonest = soonest.map(|(peer, _)| *peer);
            soonest.into_iter().for_each(|peer| self.forgive(&peer));
        }
        self.over.insert((failures.until, peer));
        self.failures.insert(peer, failures);
    }

    /// When a dial is late, or a back-off over, next.
    pub(crate) fn next(&self) -> Option<Time> {
        let late = self.pending.values().map(|dial| dial.late_at).min();
        let over = self.over.first().map(|(until, _)| *until);
        [late, over].into_iter().flatten().min()
    }

    /// Notes that back-offs are over; whether any is.
    pub(crate) fn expire(&mut self, now: Time) -> bool {
        let mut any = false;
        while self.over.first().is_some_and(|(until, _)| *until <= now) {
            self.over.pop_first();
            any = true;
        }
        any
    }

    /// Peers whose failures are remembered, and the most there may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.failures.len(), FAILURES_MAX)
    }
}
