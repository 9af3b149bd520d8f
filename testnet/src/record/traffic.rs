//! What was sent and what arrived, in numbers.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use forsooth_protocol::{Class, Fault, Time};

use super::buckets::{Buckets, Merge};

/// The first width of buckets over time.
const WIDTH: Duration = Duration::from_millis(250);

/// Frames and bytes that honest nodes sent, by class; without the transport's own. Counted for every frame,
/// and so without a lock.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    classes: [Tally; Class::ALL.len()],
    checks: AtomicU64,
}

#[derive(Debug, Default)]
struct Tally {
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl Sent {
    pub(crate) fn count(&self, class: Class, bytes: usize) {
        let Some(tally) = self.classes.get(class as usize) else { return };
        tally.frames.fetch_add(1, Ordering::Relaxed);
        tally.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A signature is to be checked.
    pub(crate) fn check(&self) {
        self.checks.fetch_add(1, Ordering::Relaxed);
    }

    /// Signatures that were to be checked.
    pub(crate) fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }

    pub(crate) fn frames(&self) -> u64 {
        self.classes.iter().map(|tally| tally.frames.load(Ordering::Relaxed)).sum()
    }

    /// Bytes of each class that was sent.
    pub(crate) fn bytes(&self) -> BTreeMap<&'static str, u64> {
        let names = Class::ALL.iter().map(|class| class.name());
        names.zip(self.bytes_by_place()).filter(|(_, bytes)| *bytes > 0).collect()
    }

    fn bytes_by_place(&self) -> [u64; Class::ALL.len()] {
        self.classes.each_ref().map(|tally| tally.bytes.load(Ordering::Relaxed))
    }
}

/// Counters of a run.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// Payloads of honest authors that arrived at honest nodes, duplicates too.
    pub(crate) copies: u64,
    /// Hostile frames that arrived at honest nodes, by strategy.
    pub(crate) hostile: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes noticed.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Those among them that honest nodes blamed on honest nodes.
    pub(crate) false_blame: BTreeMap<Fault, u64>,
    /// What happened when.
    pub(crate) over_time: Buckets<Moment>,
}

/// A stretch of time.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// Bytes sent since the run began, by class; zero if nobody looked.
    pub(crate) bytes: [u64; Class::ALL.len()],
    pub(crate) published: u64,
    pub(crate) accepted: u64,
    pub(crate) hostile: u64,
    pub(crate) faults: u64,
    /// Bans of adversaries.
    pub(crate) bans: u64,
    pub(crate) false_bans: u64,
}

impl Merge for Moment {
    fn merge(&mut self, later: Self) {
        let pairs = self.bytes.iter_mut().zip(later.bytes);
        pairs.for_each(|(bytes, later)| *bytes = later.max(*bytes));
        self.published += later.published;
        self.accepted += later.accepted;
        self.hostile += later.hostile;
        self.faults += later.faults;
        self.bans += later.bans;
        self.false_bans += later.false_bans;
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            copies: 0,
            hostile: BTreeMap::new(),
            faults: BTreeMap::new(),
            false_blame: BTreeMap::new(),
            over_time: Buckets::new(WIDTH),
        }
    }
}

impl Traffic {
    /// The stretch of time that is now, with what was sent up to now.
    pub(crate) fn now(&mut self, at: Time, sent: &Sent) -> &mut Moment {
        let moment = self.over_time.at(at);
        moment.bytes = sent.bytes_by_place();
        moment
    }

    pub(crate) fn hostile(&mut self, kind: &'static str) {
        *self.hostile.entry(kind).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, fault: Fault, blames_honest: bool) {
        *self.faults.entry(fault).or_default() += 1;
        if blames_honest {
            *self.false_blame.entry(fault).or_default() += 1;
        }
    }
}
