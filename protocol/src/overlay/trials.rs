//! Records whose addresses have yet to be tried.
//!
//! Keys are free and a record may claim any address, so nobody enters the view before a dial has found it where
//! it says it is. Those that wait are kept by the peer that told of them, and taken from these in turn: who
//! tells of a thousand that are not there only makes its own wait.

use std::collections::{BTreeMap, VecDeque};

use forsooth_crypto::{NodeId, Verified};
use rand_chacha::ChaCha8Rng;

use super::record::SignedRecord;
use crate::machine::below;

/// Records that wait because of one peer. Its oldest goes first.
const PER_SOURCE_MAX: usize = 64;
/// Peers because of whom records wait. One at random goes first.
const SOURCES_MAX: usize = 64;

/// Records that wait for a dial.
#[derive(Debug, Default)]
pub(super) struct Trials {
    sources: BTreeMap<NodeId, VecDeque<Verified<SignedRecord>>>,
}

impl Trials {
    /// Whether a peer waits, whoever told of it.
    pub(super) fn holds(&self, peer: &NodeId) -> bool {
        self.sources.values().flatten().any(|record| record.record().id == *peer)
    }

    /// Lets a record wait.
    pub(super) fn add(
        &mut self,
        source: NodeId,
        record: Verified<SignedRecord>,
        rng: &mut ChaCha8Rng,
    ) {
        if self.holds(&record.record().id) {
            return;
        }
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES_MAX {
            let at = below(rng, self.sources.len());
            let other = self.sources.keys().nth(at).copied();
            other.and_then(|other| self.sources.remove(&other));
        }
        let waiting = self.sources.entry(source).or_default();
        if waiting.len() >= PER_SOURCE_MAX {
            waiting.pop_front();
        }
        waiting.push_back(record);
    }

    /// The next to try, of a random source.
    pub(super) fn next(&mut self, rng: &mut ChaCha8Rng) -> Option<Verified<SignedRecord>> {
        let at = below(rng, self.sources.len());
        let source = self.sources.keys().nth(at).copied()?;
        let waiting = self.sources.get_mut(&source)?;
        let record = waiting.pop_front();
        if waiting.is_empty() {
            self.sources.remove(&source);
        }
        record
    }

    /// Records that wait, and the most there may be.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.sources.values().map(VecDeque::len).sum(), PER_SOURCE_MAX * SOURCES_MAX)
    }
}
