//! Who hides what: a server that lacks, again and again, what it was told of and what others have.
//!
//! A set alone proves nothing: whoever lacks a message may not have heard of it. So what a peer lacks is first offered
//! to it. If it still lacks it much later, is not catching up, and enough others in other groups have it, it hides it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use super::rounds::Later;
use crate::{
    group::Group,
    sync::{Bounds, Item},
    time::Time,
};

/// Messages of which is remembered that one peer lacks them: a few are as good a proof as all.
const LACKS_MAX: usize = 32;
/// Whoever was offered a message has so long to fetch it. Three comparisons, and several times what a fetch takes.
const OFFER_OPEN: Duration = Duration::from_secs(20);
/// Whoever is in doubt for the first time stays a witness for so long, in which it is to turn out: once, so that it cannot be
/// drawn out.
const REPRIEVE: Duration = Duration::from_secs(60);

/// What peers were found to lack on one topic.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// By peer: what it lacks, and since when it has been told.
    lacks: BTreeMap<NodeId, BTreeMap<Item, Time>>,
    /// Until when those that were ever found to lack something, while they are witnesses, are to stay such.
    reprieves: BTreeMap<NodeId, Time>,
    /// Who has these.
    holders: BTreeMap<Item, BTreeMap<NodeId, Group>>,
}

/// What a comparison with a peer has shown.
#[derive(Debug)]
pub(super) struct Showing<'a> {
    pub(super) peer: NodeId,
    pub(super) group: Group,
    pub(super) bounds: Bounds,
    /// What we stand behind, and it lacks. In order.
    pub(super) lacks: &'a [Item],
    /// What came here while the two were compared, of which it has said nothing.
    pub(super) later: &'a Later,
    /// It says itself that it is catching up.
    pub(super) is_behind: bool,
}

impl Doubts {
    /// A comparison is complete. How many messages the peer hides, where `needed` others in other groups must have each.
    pub(super) fn hear(&mut self, showing: &Showing<'_>, needed: usize, now: Time) -> usize {
        let Showing { peer, group, bounds, lacks, later, is_behind } = showing;
        let is_compared = |item: &Item| bounds.contains(item.at()) && !later.may_have(item);
        let has = |item: &Item| is_compared(item) && lacks.binary_search(item).is_err();
        for (item, holders) in &mut self.holders {
            if has(item) {
                holders.insert(*peer, *group);
            } else {
                holders.remove(peer);
            }
        }
        let own = self.lacks.entry(*peer).or_default();
        own.retain(|item, _| !has(item) && bounds.contains(item.at()));
        for item in *lacks {
            if own.len() >= LACKS_MAX {
                break;
            }
            own.entry(*item).or_insert(now);
        }
        if *is_behind {
            own.values_mut().for_each(|since| *since = now);
        }
        let proven = |item: &Item| {
            let holders = self.holders.get(item).into_iter().flatten();
            let groups: BTreeSet<&Group> = holders.map(|(_, group)| group).collect();
            groups.iter().filter(|other| **other != group).count() >= needed
        };
        let hidden = own.iter().filter(|(item, since)| **since + OFFER_OPEN <= now && proven(item));
        let hidden = hidden.count();
        for item in own.keys() {
            self.holders.entry(*item).or_default();
        }
        if own.is_empty() {
            self.lacks.remove(peer);
        } else if !is_behind {
            self.reprieves.entry(*peer).or_insert(now + REPRIEVE);
        }
        self.tidy();
        hidden
    }

    /// A peer is gone, and nothing is held against it.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.lacks.remove(peer);
        self.reprieves.remove(peer);
        for holders in self.holders.values_mut() {
            holders.remove(peer);
        }
        self.tidy();
    }

    /// Whether it has yet to turn out if a peer hides something, so that it is not to be replaced.
    pub(super) fn detains(&self, peer: &NodeId, now: Time) -> bool {
        self.lacks.contains_key(peer) && self.reprieves.get(peer).is_some_and(|until| *until > now)
    }

    /// Who lacks something for long enough to be asked again.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = NodeId> {
        let late = move |lacks: &BTreeMap<Item, Time>| {
            lacks.values().any(|since| *since + OFFER_OPEN <= now)
        };
        self.lacks.iter().filter(move |(_, lacks)| late(lacks)).map(|(peer, _)| *peer)
    }

    /// Whether somebody lacks something.
    pub(super) fn is_open(&self) -> bool {
        !self.lacks.is_empty()
    }

    /// Messages that somebody lacks.
    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    /// The most there may be, with so many peers.
    pub(super) const fn max(peers: usize) -> usize {
        LACKS_MAX.saturating_mul(peers)
    }

    fn tidy(&mut self) {
        let lacking: BTreeSet<Item> =
            self.lacks.values().flat_map(BTreeMap::keys).copied().collect();
        self.holders.retain(|item, _| lacking.contains(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    fn item(n: u8) -> Item {
        Item::new(n.into(), [n; 32])
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    fn hear(doubts: &mut Doubts, tag: u8, lacks: &[Item], seconds: u64) -> usize {
        let (peer, group) = (peer(tag), Group::Peer(peer(tag)));
        let later = &Later::default();
        let bounds = Bounds::ALL;
        let showing = Showing { peer, group, bounds, lacks, later, is_behind: false };
        doubts.hear(&showing, 2, at(seconds))
    }

    #[test]
    fn whoever_lacks_for_long_what_others_have_hides_it() {
        let mut doubts = Doubts::default();
        assert_eq!(hear(&mut doubts, 1, &[item(1)], 0), 0, "it may not know of it");
        for other in [2, 3] {
            assert_eq!(hear(&mut doubts, other, &[], 1), 0);
        }
        assert_eq!(hear(&mut doubts, 1, &[item(1)], 19), 0, "it may be fetching it");
        assert_eq!(hear(&mut doubts, 1, &[item(1)], 20), 1);
        assert_eq!(hear(&mut doubts, 1, &[], 21), 0);
        assert!(!doubts.is_open() && doubts.len() == 0);
    }

    #[test]
    fn nobody_hides_what_too_few_others_have() {
        let mut doubts = Doubts::default();
        hear(&mut doubts, 1, &[item(1)], 0);
        hear(&mut doubts, 2, &[], 1);
        hear(&mut doubts, 3, &[item(1)], 1);
        assert_eq!(hear(&mut doubts, 1, &[item(1)], 60), 0);
    }

    #[test]
    fn who_is_catching_up_hides_nothing() {
        let mut doubts = Doubts::default();
        hear(&mut doubts, 1, &[item(1)], 0);
        for other in [2, 3] {
            hear(&mut doubts, other, &[], 1);
        }
        let lacks = &[item(1)];
        let group = Group::Peer(peer(1));
        let later = &Later::default();
        let (peer, bounds) = (peer(1), Bounds::ALL);
        let showing = Showing { peer, group, bounds, lacks, later, is_behind: true };
        assert_eq!(doubts.hear(&showing, 2, at(60)), 0);
        assert_eq!(hear(&mut doubts, 1, lacks, 70), 0);
        assert_eq!(hear(&mut doubts, 1, lacks, 80), 1);
    }

    #[test]
    fn who_is_in_doubt_is_detained_once_and_not_for_long() {
        let mut doubts = Doubts::default();
        let at_stake = |doubts: &Doubts, seconds| doubts.detains(&peer(1), at(seconds));
        assert!(!at_stake(&doubts, 0));
        hear(&mut doubts, 1, &[item(1)], 0);
        assert!(at_stake(&doubts, 0) && at_stake(&doubts, 59) && !at_stake(&doubts, 60));
        hear(&mut doubts, 1, &[], 30);
        assert!(!at_stake(&doubts, 30), "it has it");
        hear(&mut doubts, 1, &[item(2)], 70);
        assert!(!at_stake(&doubts, 70), "always another one");
        doubts.leave(&peer(1));
        let (peer, group) = (peer(1), Group::Peer(peer(1)));
        let (later, lacks) = (&Later::default(), &[item(2)]);
        let showing = Showing { peer, group, bounds: Bounds::ALL, lacks, later, is_behind: true };
        doubts.hear(&showing, 2, at(90));
        assert!(!at_stake(&doubts, 90), "as long as it catches up it cannot turn out");
        hear(&mut doubts, 1, lacks, 100);
        assert!(at_stake(&doubts, 159));
    }

    #[test]
    fn a_bounded_number_is_remembered_of_each() {
        let mut doubts = Doubts::default();
        let many: Vec<Item> = (0..200).map(item).collect();
        for tag in [1, 2] {
            hear(&mut doubts, tag, &many, 0);
        }
        assert!(doubts.len() <= Doubts::max(2));
    }
}
