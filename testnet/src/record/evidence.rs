//! Who was caught: equivocations that happened, proofs that honest nodes hold, and bans.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Untrusted, verify};
use forsooth_protocol::{Proof, SignedHeader, Slot};

use super::{Recorder, Seat, seats::Seats};

/// Slots of adversaries that are followed; beyond that the lowest is forgotten.
const SLOTS_MAX: usize = 1 << 16;

/// What can be held against whom.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The first header that arrived for each slot in a hostile frame.
    heard: BTreeMap<Slot, SignedHeader>,
    /// Slots for which two messages with good signatures arrived at honest nodes.
    equivocations: BTreeSet<Slot>,
    /// Authors who really said two things.
    equivocators: BTreeSet<NodeId>,
    /// Honest nodes that hold a proof against an author.
    holders: BTreeMap<NodeId, Seats>,
    /// Honest nodes that are not there.
    away: Seats,
    /// Honest nodes that banned an adversary, by the adversary's number in the run.
    banned: BTreeMap<u32, Seats>,
    /// Honest nodes that an adversary's hostile frames reached.
    struck: BTreeMap<u32, Seats>,
    /// Honest nodes that blamed an adversary for anything.
    blamed: BTreeMap<u32, Seats>,
    /// Bans by honest nodes, of anybody.
    pub(crate) bans: u64,
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
            self.equivocators.insert(slot.author);
        }
    }

    /// An honest node holds a proof.
    pub(crate) fn exposed(&mut self, author: NodeId, holder: Seat) {
        if self.holders.len() < SLOTS_MAX || self.holders.contains_key(&author) {
            self.holders.entry(author).or_default().insert(holder);
        }
    }

    /// An honest node is gone, with what it knew.
    pub(crate) fn left(&mut self, seat: Seat) {
        self.away.insert(seat);
        for holders in self.holders.values_mut() {
            holders.remove(seat);
        }
    }

    /// An honest node is there, or again, and knows what its disk kept.
    pub(crate) fn joined(&mut self, seat: Seat) {
        self.away.remove(seat);
    }

    /// Honest nodes that are not there, so nothing can be held by them.
    pub(crate) fn away(&self) -> usize {
        self.away.len()
    }

    /// An honest node banned an adversary.
    pub(crate) fn banned(&mut self, adversary: u32, by: Seat) {
        self.banned.entry(adversary).or_default().insert(by);
    }

    /// A hostile frame reached an honest node.
    pub(crate) fn struck(&mut self, adversary: u32, whom: Seat) {
        self.struck.entry(adversary).or_default().insert(whom);
    }

    /// An honest node blames an adversary.
    pub(crate) fn blamed(&mut self, adversary: u32, by: Seat) {
        self.blamed.entry(adversary).or_default().insert(by);
    }

    /// Pairs of an adversary and an honest node that its hostile frames reached; and those in which the one blamed the other.
    pub(crate) fn known_to_victims(&self) -> (usize, usize) {
        let struck = self.struck.values().map(Seats::len).sum();
        let known = self.struck.iter().map(|(adversary, victims)| {
            self.blamed.get(adversary).map_or(0, |by| victims.common(by))
        });
        (struck, known.sum())
    }

    /// How many honest nodes banned each adversary that was banned.
    pub(crate) fn bans_by_adversary(&self) -> BTreeMap<u32, usize> {
        self.banned.iter().map(|(adversary, by)| (*adversary, by.len())).collect()
    }

    pub(crate) fn adversaries_banned(&self) -> usize {
        self.banned.len()
    }

    pub(crate) fn equivocations(&self) -> usize {
        self.equivocations.len()
    }

    pub(crate) fn equivocators(&self) -> usize {
        self.equivocators.len()
    }

    /// Pairs of an equivocator and an honest node that holds the proof.
    pub(crate) fn proofs_held(&self) -> usize {
        let holders = |author| self.holders.get(author).map_or(0, Seats::len);
        self.equivocators.iter().map(holders).sum()
    }
}

impl Recorder {
    /// An honest node that begins another life has found a proof against this author on its disk.
    pub fn recalled(&self, seat: Seat, author: NodeId) {
        self.state().evidence.exposed(author, seat);
    }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;

    use super::*;

    #[test]
    fn a_node_that_leaves_takes_its_proofs_along_and_has_those_again_that_its_disk_kept() {
        let [kept, lost] = [1, 2].map(|seed| Keypair::from_seed([seed; 32]).id());
        let mut evidence = Evidence { equivocators: [kept, lost].into(), ..Evidence::default() };
        for seat in [0, 1].map(Seat) {
            evidence.exposed(kept, seat);
            evidence.exposed(lost, seat);
        }
        assert_eq!((evidence.proofs_held(), evidence.away()), (4, 0));
        evidence.left(Seat(1));
        assert_eq!((evidence.proofs_held(), evidence.away()), (2, 1));
        evidence.exposed(kept, Seat(1));
        evidence.joined(Seat(1));
        assert_eq!((evidence.proofs_held(), evidence.away()), (3, 0));
    }
}
