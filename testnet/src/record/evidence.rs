//! Who was caught: equivocations that happened, proofs that honest nodes hold, and bans.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Untrusted, verify};
use forsooth_protocol::{Proof, SignedHeader, Slot};

use super::Seat;

/// Slots of adversaries that are followed; beyond that the lowest is forgotten.
const SLOTS_MAX: usize = 1 << 16;

/// What can be held against whom.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The first header that arrived for each slot in a hostile frame.
    heard: BTreeMap<Slot, SignedHeader>,
    /// Slots for which two messages with good signatures arrived at honest nodes.
    equivocations: BTreeSet<Slot>,
    /// Honest nodes that hold a proof against an author.
    holders: BTreeMap<NodeId, BTreeSet<Seat>>,
    /// Bans by honest nodes, of anybody.
    pub(crate) bans: u64,
    /// Bans of honest nodes by honest nodes.
    pub(crate) false_bans: u64,
    /// Proofs against honest nodes.
    pub(crate) false_proofs: u64,
}

impl Evidence {
    /// An author's header arrived at an honest node, good or bad.
    pub(crate) fn said(&mut self, header: &SignedHeader) {
        let slot = header.header().slot;
        let Some(first) = self.heard.get(&slot) else {
            if self.heard.len() >= SLOTS_MAX {
                self.heard.pop_first();
            }
            self.heard.insert(slot, header.clone());
            return;
        };
        if let Some(proof) = Proof::new(first.clone(), header.clone())
            && !self.equivocations.contains(&slot)
            && self.equivocations.len() < SLOTS_MAX
            && verify(Untrusted::new(proof)).is_ok()
        {
            self.equivocations.insert(slot);
        }
    }

    /// An honest node holds a proof.
    pub(crate) fn exposed(&mut self, author: NodeId, holder: Seat) {
        self.holders.entry(author).or_default().insert(holder);
    }

    pub(crate) fn equivocations(&self) -> usize {
        self.equivocations.len()
    }

    /// Authors who really said two things.
    pub(crate) fn equivocators(&self) -> BTreeSet<NodeId> {
        self.equivocations.iter().map(|slot| slot.author).collect()
    }

    /// Pairs of an equivocator and an honest node that holds the proof.
    pub(crate) fn proofs_held(&self) -> usize {
        let holders = |author| self.holders.get(&author).map_or(0, BTreeSet::len);
        self.equivocators().into_iter().map(holders).sum()
    }
}
