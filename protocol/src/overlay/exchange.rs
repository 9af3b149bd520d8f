//! Who may tell us of how many peers, and who may ask.
//!
//! An answer is welcome because it was asked for, once for each question. What comes unasked has a budget for
//! each peer and one for each address group, in records: a liar who pushes more only spends its own. Questions
//! have one as well, since an answer is a thousand times as long. Whoever has spent its own is to blame; that
//! its group has spent theirs is not its fault.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use forsooth_crypto::NodeId;

use crate::{
    budget::{BUDGETS_MAX, Budgets},
    group::Group,
    time::Time,
    wire::RECORDS_MAX,
};

/// Records that one peer may push at once, and how soon one more. An honest one pushes one list a round.
const PUSH_BURST: u32 = 200;
const PUSH_EVERY: Duration = Duration::from_millis(100);
/// A group may push twice as much.
const GROUP_PUSH_BURST: u32 = 2 * PUSH_BURST;
const GROUP_PUSH_EVERY: Duration = Duration::from_millis(50);
/// Times that one peer may ask at once; and again after [`PULL_EVERY`].
const PULL_BURST: u32 = 8;
const PULL_EVERY: Duration = Duration::from_secs(4);
/// A group may ask four times as often.
const GROUP_PULL_BURST: u32 = 4 * PULL_BURST;
const GROUP_PULL_EVERY: Duration = Duration::from_secs(1);
/// A peer that has not answered by then may be asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What a peer tells so long after its answer still counts as asked for: records are checked meanwhile.
const ANSWER_LASTS: Duration = Duration::from_secs(10);
/// Peers whose answers are remembered. The oldest goes first.
const ANSWERED_MAX: usize = 64;
/// What is asked, and what may be said unasked.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Since when each linked peer owes an answer, and how many: a slow one may owe several.
    asked: BTreeMap<NodeId, (Time, u32)>,
    /// Who answered last, and when.
    answered: VecDeque<(NodeId, Time)>,
    pushes: Budgets<NodeId>,
    group_pushes: Budgets<Group>,
    pulls: Budgets<NodeId>,
    group_pulls: Budgets<Group>,
}

/// What becomes of something that came unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// So much of it is looked at.
    pub(super) units: usize,
    /// Whoever sent it has gone over its own budget.
    pub(super) is_over: bool,
}

impl Exchange {
    pub(super) const fn new() -> Self {
        Self {
            asked: BTreeMap::new(),
            answered: VecDeque::new(),
            pushes: Budgets::new(PUSH_BURST, PUSH_EVERY),
            group_pushes: Budgets::new(GROUP_PUSH_BURST, GROUP_PUSH_EVERY),
            pulls: Budgets::new(PULL_BURST, PULL_EVERY),
            group_pulls: Budgets::new(GROUP_PULL_BURST, GROUP_PULL_EVERY),
        }
    }

    /// A linked peer is asked. False if it has yet to answer.
    pub(super) fn ask(&mut self, peer: NodeId, now: Time) -> bool {
        let (at, owed) = self.asked.get(&peer).copied().unwrap_or((now, 0));
        let waits = owed > 0 && now.since(at) < ANSWER_TIMEOUT;
        if !waits {
            self.asked.insert(peer, (now, owed.saturating_add(1)));
        }
        !waits
    }

    /// Whether a peer owes an answer.
    pub(super) fn waits_for(&self, peer: &NodeId) -> bool {
        self.asked.contains_key(peer)
    }

    /// A peer answers. Whether it was asked.
    pub(super) fn answer(&mut self, peer: &NodeId, now: Time) -> bool {
        let owed = self.asked.get_mut(peer);
        let was_asked = owed.is_some();
        if let Some((_, owed)) = owed {
            *owed = owed.saturating_sub(1);
            if *owed == 0 {
                self.asked.remove(peer);
            }
            if self.answered.len() >= ANSWERED_MAX {
                self.answered.pop_front();
            }
            self.answered.push_back((*peer, now));
        }
        was_asked
    }

    /// Whether what a peer told was in its answer to us.
    pub(super) fn has_answered(&self, peer: &NodeId, now: Time) -> bool {
        let is_it = |(other, at): &(NodeId, Time)| other == peer && now.since(*at) < ANSWER_LASTS;
        self.answered.iter().any(is_it)
    }

    /// A peer is gone.
    pub(super) fn part(&mut self, peer: &NodeId) {
        self.asked.remove(peer);
    }

    /// Whether a peer may be answered.
    pub(super) fn may_pull(&mut self, peer: NodeId, group: Group, now: Time) -> Admitted {
        admit(&mut self.pulls, &mut self.group_pulls, peer, group, 1, now)
    }

    /// How many of so many pushed records are looked at.
    pub(super) fn admit(
        &mut self,
        peer: NodeId,
        group: Group,
        records: usize,
        now: Time,
    ) -> Admitted {
        admit(&mut self.pushes, &mut self.group_pushes, peer, group, records, now)
    }

    /// The most budgets of a kind, and how many there may be.
    pub(super) fn usage(&self) -> (usize, usize) {
        let used =
            [self.pushes.len(), self.group_pushes.len(), self.pulls.len(), self.group_pulls.len()];
        (used.into_iter().max().unwrap_or(0), BUDGETS_MAX)
    }
}

fn admit(
    of_peers: &mut Budgets<NodeId>,
    of_groups: &mut Budgets<Group>,
    peer: NodeId,
    group: Group,
    wanted: usize,
    now: Time,
) -> Admitted {
    let wanted = u32::try_from(wanted.min(RECORDS_MAX)).unwrap_or(0);
    let of_peer = of_peers.take(peer, wanted, now);
    let of_group = of_groups.take(group, of_peer, now);
    Admitted { units: usize::try_from(of_group).unwrap_or(0), is_over: of_peer < wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(tag: u16) -> NodeId {
        let mut id = [7; 32];
        id[..2].copy_from_slice(&tag.to_be_bytes());
        NodeId::from_bytes(id)
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn a_peer_that_pushes_without_end_is_heard_at_its_rate() {
        let mut exchange = Exchange::new();
        let mut push = |now| exchange.admit(peer(1), Group::Peer(peer(1)), 100, at(now)).units;
        assert_eq!([push(0), push(0), push(0)], [100, 100, 0]);
        assert_eq!([push(1), push(1), push(100)], [10, 0, 100]);
    }

    #[test]
    fn a_group_that_pushes_without_end_is_heard_no_more_than_two_peers_and_each_is_to_blame_for_itself()
     {
        let mut exchange = Exchange::new();
        let mut push = |tag, group| exchange.admit(peer(tag), group, 100, at(0));
        let heard: usize = (0..100).map(|tag| push(tag, Group::Unknown).units).sum();
        assert_eq!(heard, 400);
        assert_eq!(push(500, Group::Unknown), Admitted { units: 0, is_over: false });
        let elsewhere = Group::Peer(peer(501));
        assert_eq!(push(501, elsewhere), Admitted { units: 100, is_over: false });
        push(501, elsewhere);
        assert_eq!(push(501, elsewhere), Admitted { units: 0, is_over: true });
    }

    #[test]
    fn questions_have_a_rate_and_only_one_is_open() {
        let mut exchange = Exchange::new();
        let mut may_pull =
            |tag, now| exchange.may_pull(peer(tag), Group::Peer(peer(tag)), at(now)).units > 0;
        assert_eq!((0..100).filter(|_| may_pull(1, 0)).count(), 8);
        assert!(may_pull(2, 0) && may_pull(1, 4));
        assert!(exchange.ask(peer(1), at(4)) && !exchange.ask(peer(1), at(33)));
        assert!(exchange.ask(peer(1), at(34)), "it never answered");
        let mut answer = || exchange.answer(&peer(1), at(35));
        assert_eq!([answer(), answer(), answer()], [true, true, false], "both may have been late");
        assert!(
            exchange.has_answered(&peer(1), at(44)) && !exchange.has_answered(&peer(1), at(45))
        );
    }

    #[test]
    fn many_keys_of_one_group_ask_no_more_than_four_peers() {
        let mut exchange = Exchange::new();
        let mut may_pull = |tag| exchange.may_pull(peer(tag), Group::Unknown, at(0)).units > 0;
        assert_eq!((0..1000).filter(|tag| may_pull(*tag)).count(), 32);
    }
}
