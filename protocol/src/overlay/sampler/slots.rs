//! The slots of a view: each has a secret, and keeps the candidate that ranks lowest under it.
//!
//! Kept as one array for each thing that is looked at alone: whom they hold is searched for each
//! repeated offer, hits for each choice of a partner, the rest only when a slot is ranked.

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::super::rank::{Candidate, Key, Rank};

/// The slots of a view.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// The marks of the occupants; meaningless where there is none.
    marks: Vec<u64>,
    /// How often an occupant was met; the least met is asked next (Basalt's hit counter).
    hits: Vec<u32>,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    occupant: Option<(Candidate, Rank)>,
}

/// What became of an offer to one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// The slot keeps whom it has.
    Refused,
    /// The candidate was there already.
    Met,
    /// The candidate holds the slot now.
    Won,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds an empty slot.
    pub(super) fn push(&mut self, rng: &mut ChaCha8Rng) {
        self.marks.push(0);
        self.hits.push(0);
        self.slots.push(Slot { key: Key::draw(rng), occupant: None });
    }

    /// Removes the last slot.
    pub(super) fn pop(&mut self) {
        self.marks.pop();
        self.hits.pop();
        self.slots.pop();
    }

    /// Empties a slot and gives it a new secret; tells whom it held.
    pub(super) fn reseed(&mut self, at: usize, rng: &mut ChaCha8Rng) -> Option<(Candidate, Rank)> {
        let slot = self.slots.get_mut(at)?;
        slot.key = Key::draw(rng);
        slot.occupant.take()
    }

    /// Whom a slot holds, and how it ranks.
    pub(super) fn occupant(&self, at: usize) -> Option<&(Candidate, Rank)> {
        self.slots.get(at)?.occupant.as_ref()
    }

    /// Whom the slots hold, with as many repetitions as they hold somebody.
    pub(super) fn occupants(&self) -> impl Iterator<Item = &(Candidate, Rank)> {
        self.slots.iter().filter_map(|slot| slot.occupant.as_ref())
    }

    /// The slots that hold a peer.
    pub(super) fn held_by(&self, mark: u64) -> impl Iterator<Item = usize> {
        let same = self.marks.iter().enumerate().filter(move |(_, held)| **held == mark);
        same.map(|(at, _)| at).filter(|at| self.occupant(*at).is_some())
    }

    /// Counts a meeting with a peer in each slot that it holds; tells whether there is one.
    pub(super) fn meet(&mut self, mark: u64) -> bool {
        let mut met = false;
        for (held, hits) in self.marks.iter().zip(&mut self.hits) {
            if *held == mark {
                *hits = hits.saturating_add(1);
                met = true;
            }
        }
        met
    }

    /// Whether a candidate would hold a slot if it were offered to it.
    pub(super) fn would_win(&self, at: usize, candidate: &Candidate) -> bool {
        self.slots.get(at).is_some_and(|slot| match &slot.occupant {
            None => true,
            Some((held, rank)) => {
                held.mark == candidate.mark || slot.key.prefers(candidate, held, rank)
            }
        })
    }

    /// Offers a candidate to one slot.
    pub(super) fn offer(&mut self, at: usize, candidate: &Candidate) -> Offered {
        let (Some(slot), Some(mark), Some(hits)) =
            (self.slots.get_mut(at), self.marks.get_mut(at), self.hits.get_mut(at))
        else {
            return Offered::Refused;
        };
        if let Some((held, rank)) = &mut slot.occupant {
            if held.mark == candidate.mark {
                // Who moves keeps the slot for now, but ranks from where it is.
                if held.place != candidate.place {
                    (*held, *rank) = (*candidate, slot.key.rank(candidate));
                }
                *hits = hits.saturating_add(1);
                return Offered::Met;
            }
            if !slot.key.prefers(candidate, held, rank) {
                return Offered::Refused;
            }
        }
        slot.occupant = Some((*candidate, slot.key.rank(candidate)));
        (*mark, *hits) = (candidate.mark, 1);
        Offered::Won
    }

    /// The least met peer, by chance among several, and not this one; counts the meeting.
    pub(super) fn choose(&mut self, not: Option<NodeId>, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        let held = self.slots.iter().map(|slot| slot.occupant.as_ref().map(|held| held.0.peer));
        let eligible = held.zip(&mut self.hits).filter(|(peer, _)| peer.is_some() && *peer != not);
        let mut least: Option<(Option<NodeId>, &mut u32)> = None;
        let mut ties = 1;
        for (peer, hits) in eligible {
            match &least {
                Some((_, fewest)) if **fewest < *hits => continue,
                // The n-th of n equals is kept with one chance in n.
                Some((_, fewest)) if **fewest == *hits => {
                    ties += 1;
                    if !rng.next_u64().is_multiple_of(ties) {
                        continue;
                    }
                }
                Some(_) | None => ties = 1,
            }
            least = Some((peer, hits));
        }
        let (peer, hits) = least?;
        *hits = hits.saturating_add(1);
        peer
    }
}
