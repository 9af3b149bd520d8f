//! The one threshold of the system: distinct, independent supporters of one claim, with an expiry.
//!
//! A supporter counts once for a claim, and supporters in one group (one address range, say) count as one.
//! Each supporter may hold a bounded number of open claims; beyond it, its own oldest support is dropped.
//! What a claim means, and whether a supporter may vote at all, is the caller's business.

use std::collections::BTreeMap;

/// Open claims and who supports them. `C` names a claim, `S` a supporter, `G` its group.
#[derive(Debug)]
pub(crate) struct Tally<C, S, G> {
    /// Each claim's supporters, by their ids. A few dozen at most: those who may vote.
    claims: BTreeMap<C, Vec<Support<S, G>>>,
    /// What each supporter supports, oldest first.
    supporters: BTreeMap<S, BTreeMap<u64, C>>,
    supports_max: usize,
    next_order: u64,
}

#[derive(Debug)]
struct Support<S, G> {
    supporter: S,
    group: G,
    order: u64,
}

impl<C: Ord + Copy, S: Ord + Copy, G: Ord + Copy> Tally<C, S, G> {
    /// An empty tally in which each supporter supports at most `supports_max` open claims.
    pub(crate) const fn new(supports_max: usize) -> Self {
        Self { claims: BTreeMap::new(), supporters: BTreeMap::new(), supports_max, next_order: 0 }
    }

    /// Records that `supporter`, of `group`, supports `claim`. Saying it twice changes nothing. Returns the claim that it
    /// no longer supports, if there are too many.
    pub(crate) fn support(&mut self, claim: C, supporter: S, group: G) -> Option<C> {
        let supports = self.claims.entry(claim).or_default();
        let Err(place) = supports.binary_search_by_key(&supporter, |support| support.supporter)
        else {
            return None;
        };
        let order = self.next_order;
        self.next_order = self.next_order.saturating_add(1);
        supports.insert(place, Support { supporter, group, order });
        let own = self.supporters.entry(supporter).or_default();
        own.insert(order, claim);
        let (_, oldest) = (own.len() > self.supports_max).then(|| own.pop_first())??;
        self.forget(&oldest, &supporter);
        Some(oldest)
    }

    /// Supporters of a claim, one for each group; in the order of their ids.
    pub(crate) fn independent(&self, claim: &C) -> Vec<S> {
        self.voters(claim).map(|support| support.supporter).collect()
    }

    /// Whether a supporter supports a claim.
    pub(crate) fn supports(&self, claim: &C, supporter: &S) -> bool {
        self.claims.get(claim).is_some_and(|supports| {
            supports.binary_search_by_key(supporter, |support| support.supporter).is_ok()
        })
    }

    /// How many independent supporters a claim has.
    pub(crate) fn count(&self, claim: &C) -> usize {
        self.voters(claim).count()
    }

    /// The first supporter of each group.
    fn voters(&self, claim: &C) -> impl Iterator<Item = &Support<S, G>> {
        let supports = self.claims.get(claim).map_or(&[][..], Vec::as_slice);
        let is_first = |(place, support): &(usize, &Support<S, G>)| {
            supports.iter().take(*place).all(|earlier| earlier.group != support.group)
        };
        supports.iter().enumerate().filter(is_first).map(|(_, support)| support)
    }

    /// The claim is decided or over.
    pub(crate) fn close(&mut self, claim: &C) {
        for support in self.claims.remove(claim).into_iter().flatten() {
            if let Some(own) = self.supporters.get_mut(&support.supporter) {
                own.remove(&support.order);
                if own.is_empty() {
                    self.supporters.remove(&support.supporter);
                }
            }
        }
    }

    /// The supporter may no longer vote; what it said of open claims is taken back.
    pub(crate) fn withdraw(&mut self, supporter: &S) {
        for claim in self.supporters.remove(supporter).into_iter().flat_map(BTreeMap::into_values) {
            self.forget(&claim, supporter);
        }
    }

    /// The supporter supports this claim no more.
    pub(crate) fn retract(&mut self, claim: &C, supporter: &S) {
        let supports = self.claims.get(claim).into_iter().flatten();
        let mut own = supports.filter(|support| support.supporter == *supporter);
        let Some(order) = own.next().map(|support| support.order) else { return };
        self.forget(claim, supporter);
        if let Some(own) = self.supporters.get_mut(supporter) {
            own.remove(&order);
            if own.is_empty() {
                self.supporters.remove(supporter);
            }
        }
    }

    fn forget(&mut self, claim: &C, supporter: &S) {
        if let Some(supports) = self.claims.get_mut(claim) {
            supports.retain(|support| support.supporter != *supporter);
            if supports.is_empty() {
                self.claims.remove(claim);
            }
        }
    }

    /// Supports held, of all supporters.
    pub(crate) fn len(&self) -> usize {
        self.supporters.values().map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_supporter_counts_once_and_so_does_its_group() {
        let mut tally = Tally::new(10);
        tally.support("claim", 1, 'a');
        tally.support("claim", 1, 'a');
        tally.support("claim", 2, 'a');
        assert_eq!(tally.count(&"claim"), 1);
        assert_eq!([1, 2, 3].map(|one| tally.supports(&"claim", &one)), [true, true, false]);
        tally.support("claim", 3, 'b');
        assert_eq!(tally.independent(&"claim"), [1, 3]);
        assert_eq!(tally.count(&"other"), 0);
    }

    #[test]
    fn a_supporter_cannot_change_its_group_to_vote_again() {
        let mut tally = Tally::new(10);
        tally.support("claim", 1, 'a');
        tally.support("claim", 1, 'b');
        assert_eq!(tally.count(&"claim"), 1);
    }

    #[test]
    fn a_flood_of_claims_costs_the_flooder_its_own_support_only() {
        let mut tally = Tally::new(3);
        tally.support(0, "honest", 'h');
        for claim in 0..100 {
            tally.support(claim, "flooder", 'f');
        }
        assert_eq!(tally.independent(&0), ["honest"]);
        assert_eq!(tally.independent(&99), ["flooder"]);
        assert_eq!(tally.len(), 4);
        assert_eq!(tally.claims.len(), 4);
    }

    #[test]
    fn who_is_caught_has_never_voted() {
        let mut tally = Tally::new(3);
        tally.support(1, "liar", 'l');
        tally.support(1, "witness", 'w');
        tally.support(2, "liar", 'l');
        tally.withdraw(&"liar");
        assert_eq!((tally.count(&1), tally.count(&2), tally.len()), (1, 0, 1));
    }

    #[test]
    fn what_is_retracted_leaves_the_rest() {
        let mut tally = Tally::new(3);
        tally.support(1, "a", 'a');
        tally.support(1, "b", 'b');
        tally.support(2, "a", 'a');
        tally.retract(&1, &"a");
        tally.retract(&1, &"a");
        tally.retract(&3, &"a");
        assert_eq!((tally.count(&1), tally.count(&2), tally.len()), (1, 1, 2));
    }

    proptest! {
        #[test]
        fn both_views_agree(steps in prop::collection::vec((0u8..6, 0u8..5, 0u8..3, 0u8..4), 1..100)) {
            let mut tally = Tally::new(4);
            for (claim, supporter, group, step) in steps {
                match step {
                    0 => tally.close(&claim),
                    1 => tally.withdraw(&supporter),
                    _ => {
                        tally.support(claim, supporter, group);
                    }
                }
                let by_claim: usize = tally.claims.values().map(Vec::len).sum();
                prop_assert_eq!(by_claim, tally.len());
                prop_assert!(tally.supporters.values().all(|own| !own.is_empty() && own.len() <= 4));
                prop_assert!(tally.claims.values().all(|supports| !supports.is_empty()));
            }
        }
    }
}
