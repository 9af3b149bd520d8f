//! Who observes whom: hash rings, drawn anew with each shift (Johansen, Renesse, Vigfusson, Johansen, "Fireflies", TOCS 33, 2015).
//!
//! On each of `2t + 1` rings every member has a *post*, and every member is a *target* at another place of the ring. The observer
//! of a target is the member with the first post at or after it. Posts follow from ids, which are fixed and were known before
//! the shift began; targets follow from a nonce that the subject draws with each incarnation. So nobody can make a key that will
//! stand next to a victim whose nonce it does not know, and whom a member observes changes with each shift.

use core::hash::Hasher as _;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{Digest, Domain, Hasher, NodeId};
use siphasher::sip::SipHasher13;

/// Rings at most: `t` is at most 15.
pub(super) const RINGS_MAX: u8 = 31;
/// Members that may stand between a target and who accuses it, if views may differ on each of them.
const BETWEEN_MAX: usize = 3;

/// The rings of one shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rings {
    shift: u64,
    keys: Vec<(u64, u64)>,
    /// On each ring the first halves of all members' posts, in order; none until somebody accuses.
    posts: Vec<Vec<u32>>,
    /// Members that came before the shift are too few to observe in it, so all do.
    young: bool,
}

/// What is known of a member that might observe somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It observes, and everybody knows that.
    Settled,
    /// It came, went or was accused lately: others may see it otherwise.
    Unsettled,
    /// It came after the shift began, or is no more.
    Absent,
}

/// Whom a node observes in a shift, and who observes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    /// Whom, and on which ring; the lowest, if on several.
    pub(super) subjects: BTreeMap<NodeId, u8>,
    /// Who may observe us, in the eyes of somebody whose view differs a little.
    pub(super) observers: BTreeSet<NodeId>,
}

impl Rings {
    /// The rings of a shift.
    pub(super) fn new(network: &Digest, shift: u64, count: u8) -> Self {
        let key = |ring: u8| {
            let mut hasher = Hasher::new(Domain::Ring);
            hasher.update(network.as_bytes()).update(&shift.to_le_bytes()).update(&[ring]);
            let digest = hasher.finish();
            let (first, rest) = digest.as_bytes().split_first_chunk::<8>().expect("32 are over 8");
            let second = rest.first_chunk::<8>().expect("24 are over 8");
            (u64::from_le_bytes(*first), u64::from_le_bytes(*second))
        };
        let keys = (0..count.min(RINGS_MAX)).map(key).collect();
        Self { shift, keys, posts: Vec::new(), young: false }
    }

    /// Notes where all members stand, if it is not noted: then it is soon told that nobody stands between two of them.
    pub(super) fn survey<'a>(&mut self, members: impl Iterator<Item = &'a NodeId> + Clone) {
        if self.posts.is_empty() {
            let on = |key| {
                let mut posts: Vec<_> =
                    members.clone().map(|id| half(Self::post(key, id))).collect();
                posts.sort_unstable();
                posts
            };
            self.posts = self.keys.iter().map(on).collect();
        }
    }

    /// Somebody is a member who was not.
    pub(super) fn enter(&mut self, id: &NodeId) {
        for (key, posts) in self.keys.iter().zip(&mut self.posts) {
            let post = half(Self::post(key, id));
            posts.insert(posts.partition_point(|other| *other < post), post);
        }
    }

    /// Somebody is a member no more.
    pub(super) fn leave(&mut self, id: &NodeId) {
        for (key, posts) in self.keys.iter().zip(&mut self.posts) {
            if let Ok(place) = posts.binary_search(&half(Self::post(key, id))) {
                posts.remove(place);
            }
        }
    }

    /// Whether it is certain that no member but these two stands from a place on a ring on to the accuser's.
    fn is_next(&self, ring: u8, target: u64, accuser: u64, subject: u64) -> bool {
        let Some(posts) = self.posts.get(usize::from(ring)) else { return false };
        let (target, accuser, subject) = (half(target), half(accuser), half(subject));
        let first = posts.partition_point(|post| *post < target);
        let on = posts.iter().skip(first).chain(posts.iter().take(first));
        let mut between =
            on.take_while(|post| post.wrapping_sub(target) <= accuser.wrapping_sub(target));
        // Each of the two is there once, if it is a member in the eyes of this node.
        let (mut skips_accuser, mut skips_subject) = (true, true);
        between.all(|post| {
            let skip = if *post == accuser { &mut skips_accuser } else { &mut skips_subject };
            (*post == accuser || *post == subject) && core::mem::replace(skip, false)
        })
    }

    pub(super) const fn shift(&self) -> u64 {
        self.shift
    }

    pub(super) const fn is_young(&self) -> bool {
        self.young
    }

    pub(super) const fn set_young(&mut self, young: bool) {
        self.young = young;
    }

    pub(super) const fn count(&self) -> usize {
        self.keys.len()
    }

    /// Where a member stands to observe.
    fn post(&(first, second): &(u64, u64), id: &NodeId) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(id.as_bytes());
        hasher.finish()
    }

    /// Where a member is looked at.
    fn target(&(first, second): &(u64, u64), id: &NodeId, nonce: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(first, second);
        hasher.write(id.as_bytes());
        hasher.write(&nonce.to_le_bytes());
        hasher.finish()
    }

    /// Who observes whom, as `me` sees it: of all other members, their nonces and whether they observe. If `me` does not
    /// observe, it has no subjects; if it has no nonce, nobody observes it.
    pub(super) fn roster(
        &self,
        me: (&NodeId, Option<u64>, bool),
        members: &[(NodeId, u64, bool)],
    ) -> Roster {
        let mut roster = Roster::default();
        for (key, ring) in self.keys.iter().zip(0u8..) {
            let (id, nonce, observes) = me;
            let own_post = Self::post(key, id);
            let own_target = nonce.map(|nonce| Self::target(key, id, nonce));
            // Distances back from our post to the two next before it, and on from our target to the next few after it.
            let mut before = [(u64::MAX, None); 2];
            let mut after = [(u64::MAX, None); BETWEEN_MAX + 1];
            for (other, _, _) in members.iter().filter(|(_, _, observes)| *observes) {
                let post = Self::post(key, other);
                keep(&mut before, (own_post.wrapping_sub(post), Some(*other)));
                if let Some(target) = own_target {
                    keep(&mut after, (post.wrapping_sub(target), Some(*other)));
                }
            }
            roster.observers.extend(after.iter().filter_map(|(_, other)| *other));
            if !observes {
                continue;
            }
            let [first, second] = before;
            for (subject, nonce, _) in members {
                let distance = own_post.wrapping_sub(Self::target(key, subject, *nonce));
                // Nobody observes itself.
                let (next, _) = if first.1 == Some(*subject) { second } else { first };
                if distance < next {
                    roster.subjects.entry(*subject).or_insert(ring);
                }
            }
        }
        roster
    }

    /// Whether a member may accuse another on a ring, in a view that may differ a little from its own: nobody stands between
    /// who certainly observes, and of those who may not, no more than a few.
    pub(super) fn may_accuse<'a>(
        &self,
        ring: u8,
        (subject, nonce): (&NodeId, u64),
        accuser: &NodeId,
        others: impl Iterator<Item = &'a NodeId>,
        standing: impl Fn(&NodeId) -> Standing,
    ) -> bool {
        let Some(key) = self.keys.get(usize::from(ring)) else { return false };
        let target = Self::target(key, subject, nonce);
        let post = Self::post(key, accuser);
        if self.is_next(ring, target, post, Self::post(key, subject)) {
            return true;
        }
        let distance = post.wrapping_sub(target);
        let is_between = |other: &&NodeId| {
            *other != subject
                && *other != accuser
                && Self::post(key, other).wrapping_sub(target) < distance
        };
        let mut between = 0;
        for other in others.filter(is_between) {
            match standing(other) {
                Standing::Settled => return false,
                Standing::Unsettled => between += 1,
                Standing::Absent => {}
            }
            if between > BETWEEN_MAX {
                return false;
            }
        }
        true
    }
}

/// What is noted of a place: enough to tell a few thousand apart.
const fn half(post: u64) -> u32 {
    (post >> 32) as u32
}

/// Keeps the least, in order.
fn keep<const N: usize>(least: &mut [(u64, Option<NodeId>); N], mut new: (u64, Option<NodeId>)) {
    for old in least {
        if new.0 < old.0 {
            core::mem::swap(old, &mut new);
        }
    }
}

/// `t`: how many of `2t + 1` observers may lie without a false word of the majority, but with a small chance. It is the least
/// for which more than `t` of them lie with a chance of 1 in as many as there are members, or 1 in 200 if these are more: what is
/// left, the subject rebuts. Never more than there are others to observe.
pub(super) fn tolerance(members: usize, liars_percent: u8) -> u8 {
    let others = members.saturating_sub(1);
    let most = u8::try_from(others.saturating_sub(1) / 2).unwrap_or(u8::MAX).min(RINGS_MAX / 2);
    let chance = 1.0 / f64::from(u32::try_from(members.clamp(1, 200)).unwrap_or(200));
    let share = f64::from(liars_percent) / 100.0;
    // One observer alone is never believed where there are three.
    (most.min(1)..most).find(|t| majority_lies(*t, share) <= chance).unwrap_or(most)
}

/// The chance that more than `t` of `2t + 1` lie, each with this chance: a binomial tail.
fn majority_lies(t: u8, share: f64) -> f64 {
    let drawn = 2 * i32::from(t) + 1;
    let mut ways = 1.0;
    let mut tail = 0.0;
    for lying in 0..=drawn {
        if lying > i32::from(t) {
            tail += ways * share.powi(lying) * (1.0 - share).powi(drawn - lying);
        }
        ways *= f64::from(drawn - lying) / f64::from(lying + 1);
    }
    tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u16) -> NodeId {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&n.to_le_bytes());
        NodeId::from_bytes(bytes)
    }

    fn rings(shift: u64, count: u8) -> Rings {
        Rings::new(&Digest::of(Domain::Network, b"n"), shift, count)
    }

    fn members(count: u16) -> Vec<(NodeId, u64, bool)> {
        (0..count).map(|n| (id(n), u64::from(n) * 77, true)).collect()
    }

    /// Each subject's observers, by ring, as each member finds them itself.
    fn observers(rings: &Rings, all: &[(NodeId, u64, bool)]) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut found: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (me, nonce, observes) in all {
            let others: Vec<_> = all.iter().filter(|(id, ..)| id != me).copied().collect();
            let roster = rings.roster((me, Some(*nonce), *observes), &others);
            for subject in roster.subjects.into_keys() {
                found.entry(subject).or_default().push(*me);
            }
        }
        found
    }

    #[test]
    fn everybody_has_as_many_observers_as_there_are_rings_or_a_few_less() {
        let all = members(60);
        let found = observers(&rings(1, 7), &all);
        assert_eq!(found.len(), 60);
        for (subject, observers) in found {
            assert!((4..=7).contains(&observers.len()), "{observers:?}");
            assert!(!observers.contains(&subject));
        }
    }

    #[test]
    fn who_observes_may_accuse_and_the_subject_expects_it() {
        let (all, rings) = (members(60), rings(1, 7));
        for (me, nonce, _) in &all {
            let others: Vec<_> = all.iter().filter(|(id, ..)| id != me).copied().collect();
            for (subject, ring) in rings.roster((me, Some(*nonce), true), &others).subjects {
                let nonce = all.iter().find(|(id, ..)| *id == subject).unwrap().1;
                let ids = all.iter().map(|(id, ..)| id);
                let settled = |_: &NodeId| Standing::Settled;
                assert!(rings.may_accuse(ring, (&subject, nonce), me, ids, settled));
                let of_subject: Vec<_> =
                    all.iter().filter(|(id, ..)| *id != subject).copied().collect();
                let roster = rings.roster((&subject, Some(nonce), true), &of_subject);
                assert!(roster.observers.contains(me));
            }
        }
    }

    #[test]
    fn nobody_else_may_accuse_but_past_those_on_whom_views_differ() {
        let (all, rings) = (members(60), rings(1, 1));
        let (subject, nonce) = (id(0), 0);
        let by = |standing: Standing| {
            let ids = || all.iter().map(|(id, ..)| id);
            let may = |accuser: &NodeId| {
                rings.may_accuse(0, (&subject, nonce), accuser, ids(), |_| standing)
            };
            all.iter().filter(|(id, ..)| *id != subject && may(id)).count()
        };
        assert_eq!(by(Standing::Settled), 1);
        assert_eq!(by(Standing::Unsettled), 1 + BETWEEN_MAX);
        let none = core::iter::empty();
        let settled = |_: &NodeId| Standing::Settled;
        assert!(!rings.may_accuse(1, (&subject, nonce), &id(1), none, settled), "no such ring");
    }

    proptest! {
        /// Members come and go; whoever is asked about may be one or not.
        #[test]
        fn whether_posts_are_noted_or_not_the_same_may_accuse(
            at_first in 0u16..40,
            moves in prop::collection::vec((0u16..60, prop::bool::ANY), 0..60),
            asked in prop::collection::vec((0u16..60, 0u16..60, 0u8..4), 1..60),
        ) {
            let plain = rings(1, 3);
            let mut noted = plain.clone();
            let mut all: BTreeSet<NodeId> = (0..at_first).map(id).collect();
            noted.survey(all.iter());
            for (n, comes) in moves {
                if comes && all.insert(id(n)) {
                    noted.enter(&id(n));
                } else if !comes && all.remove(&id(n)) {
                    noted.leave(&id(n));
                }
            }
            let standing = |other: &NodeId| match other.as_bytes()[0] % 3 {
                0 => Standing::Settled,
                1 => Standing::Unsettled,
                _ => Standing::Absent,
            };
            for (subject, accuser, ring) in asked {
                let may = |rings: &Rings| {
                    rings.may_accuse(ring, (&id(subject), 7), &id(accuser), all.iter(), standing)
                };
                prop_assert_eq!(may(&plain), may(&noted));
            }
        }
    }

    #[test]
    fn a_new_shift_and_a_new_nonce_draw_other_observers() {
        let mut all = members(200);
        let first = observers(&rings(1, 7), &all);
        let second = observers(&rings(2, 7), &all);
        let kept = |one: &BTreeMap<NodeId, Vec<NodeId>>, other: &BTreeMap<NodeId, Vec<NodeId>>| {
            let both = |id| other[id].iter().filter(|by| one[id].contains(by)).count();
            one.keys().map(both).sum::<usize>()
        };
        assert!(kept(&first, &second) < 200, "chance leaves 7 x 7 / 200 of each");
        all[5].1 += 1;
        let third = observers(&rings(1, 7), &all);
        assert!(first[&id(5)].iter().filter(|by| third[&id(5)].contains(by)).count() < 4);
        assert_eq!(first[&id(6)], third[&id(6)]);
    }

    #[test]
    fn who_came_after_the_shift_began_observes_nobody_and_is_observed() {
        let mut all = members(30);
        all[3].2 = false;
        let found = observers(&rings(1, 5), &all);
        assert!(found.values().all(|observers| !observers.contains(&id(3))));
        assert!(found[&id(3)].len() >= 3);
    }

    #[test]
    fn a_majority_of_liars_is_as_rare_as_the_network_is_large() {
        let expected = [(1, 0), (3, 0), (4, 1), (8, 1), (30, 4), (100, 6), (1000, 7), (90_000, 7)];
        for (members, t) in expected {
            assert_eq!(tolerance(members, 20), t, "{members}");
        }
        assert!((majority_lies(7, 0.2) - 0.0042).abs() < 1e-4);
        assert!((majority_lies(0, 0.2) - 0.2).abs() < 1e-12);
    }
}
