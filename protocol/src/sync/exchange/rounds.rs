//! Whom to compare with, and when.
//!
//! One random witness at a time at a paced rate, less and less often while nothing differs; and now and then whoever is
//! visited. A node that may
//! have missed something (it has just started, or somebody had what it lacked) asks several at once, until one server and
//! [`CHECKS`] others, each in another group, have nothing that it lacks. So a server that hides something is believed only if
//! all of those lie along with it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use crate::{
    group::Group,
    machine::below,
    sync::{Item, numbering::Numbering, reconcile::Opener},
    time::Time,
};

/// Witnesses in other groups that are asked after one had nothing that is lacking, before it is believed.
pub const CHECKS: usize = 4;
/// Comparisons on one topic at a time, while something may be missing.
const OPEN_MAX: usize = 3;
/// Pause between two comparisons; it doubles while nothing differs.
const PACE_MIN: Duration = Duration::from_secs(4);
const PACE_MAX: Duration = Duration::from_secs(32);
/// Pause while something may be missing.
pub(super) const HURRY: Duration = Duration::from_millis(250);
/// Pause between two comparisons with the same witness, unless something began to wait since.
const REST: Duration = Duration::from_secs(2);
/// Pause between two comparisons with peers that are visited.
const VISIT_PACE: Duration = Duration::from_secs(8);
/// Who confirmed nothing when it was asked is waited for so long before haste is made of it again.
const AGAIN: Duration = Duration::from_secs(15);
/// A reply may take so long, and a comparison as a whole.
const REPLY_TIME: Duration = Duration::from_secs(10);
const COMPARISON_TIME: Duration = Duration::from_secs(60);
/// Items that are remembered because they came while a comparison was under way.
const LATER_MAX: usize = 16_384;
/// Whoever was compared with within this time is not again because its link is new.
const RECENT: Duration = Duration::from_secs(10);

/// Comparisons of one topic.
#[derive(Debug)]
pub(super) struct Rounds {
    open: BTreeMap<NodeId, Comparison>,
    /// Comparisons so far.
    count: u32,
    /// When the next may begin.
    pub(super) due: Time,
    pace: Duration,
    /// From then on whoever is visited is compared with.
    visits_from: Time,
    /// Who is to be compared with first: links that are new.
    new: BTreeSet<NodeId>,
    /// The last comparison with each witness that has ended.
    last: BTreeMap<NodeId, Last>,
    /// Groups of which somebody had nothing that was lacking, since something was.
    agreed: BTreeSet<Group>,
    /// When something last came that had been lacking.
    lacked: Time,
    /// Since when nothing differs.
    pub(super) equal_since: Option<Time>,
    /// It was once sure to lack nothing.
    pub(super) is_settled: bool,
}

/// A comparison that is over.
#[derive(Clone, Copy, Debug)]
struct Last {
    began: Time,
    ended: Time,
}

/// A comparison that is under way.
#[derive(Debug)]
pub(super) struct Comparison {
    pub(super) opener: Opener,
    pub(super) numbering: Numbering,
    pub(super) since: Time,
    /// When a question was asked last.
    pub(super) asked: Time,
    /// What has come here since it began, of which it may say nothing.
    pub(super) later: Later,
}

/// What came here while a comparison was under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Later {
    items: BTreeSet<Item>,
    /// They were too many.
    is_over: bool,
}

impl Later {
    fn note(&mut self, item: Item) {
        if self.items.len() < LATER_MAX {
            self.items.insert(item);
        } else {
            self.is_over = true;
        }
    }

    /// Whether an item may not have been there from the beginning.
    pub(super) fn may_have(&self, item: &Item) -> bool {
        self.is_over || self.items.contains(item)
    }

    /// All of these, and those that may be such, in order; none if they are too many to tell.
    pub(super) fn and(&self, others: &[Item]) -> Option<Vec<Item>> {
        let all = || self.items.iter().chain(others).copied().collect::<BTreeSet<_>>();
        (!self.is_over).then(|| all().into_iter().collect())
    }
}

/// How soon the next comparison is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Haste {
    /// Something may be missing.
    Now,
    /// Somebody is in doubt.
    Soon,
    /// All is well.
    None,
}

/// What a comparison has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing differs.
    Equal,
    /// The other side lacks something, or is catching up.
    Ahead,
    /// Something is lacking here.
    Lacking,
    /// Nothing can be said: it ended too early.
    Nothing,
}

impl Rounds {
    pub(super) const fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            count: 0,
            due: Time::ZERO,
            pace: PACE_MIN,
            visits_from: Time::ZERO,
            new: BTreeSet::new(),
            last: BTreeMap::new(),
            agreed: BTreeSet::new(),
            lacked: Time::ZERO,
            equal_since: None,
            is_settled: false,
        }
    }

    /// These are the witnesses now. Those that are new are compared with soon.
    pub(super) fn meet(
        &mut self,
        before: &BTreeMap<NodeId, Group>,
        now: &BTreeMap<NodeId, Group>,
        at: Time,
        rng: &mut ChaCha8Rng,
    ) {
        self.last.retain(|peer, last| now.contains_key(peer) || last.ended + RECENT > at);
        self.agreed.retain(|group| now.values().any(|it| it == group));
        self.new.retain(|peer| now.contains_key(peer));
        for (peer, group) in now.iter().filter(|(peer, _)| !before.contains_key(peer)) {
            // Whatever it said before, this node was away from it.
            self.agreed.remove(group);
            if self.ended(peer).is_none_or(|ended| ended + RECENT <= at) {
                self.new.insert(*peer);
                self.hurry(at + jitter(PACE_MIN / 4, rng));
            }
        }
    }

    /// The next comparison begins then at the latest.
    pub(super) fn hurry(&mut self, at: Time) {
        self.due = self.due.min(at);
    }

    /// Who is to be compared with now. `first` go before all others.
    pub(super) fn choose(
        &mut self,
        witnesses: &BTreeMap<NodeId, Group>,
        first: impl Iterator<Item = NodeId>,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) -> Option<NodeId> {
        let is_free = |peer: &NodeId| witnesses.contains_key(peer) && !self.open.contains_key(peer);
        let is_rested = |peer: &NodeId| self.ended(peer).is_none_or(|ended| ended + REST <= now);
        let first = first.filter(is_rested).chain(self.new.iter().copied()).find(is_free);
        if let Some(peer) = first {
            self.new.remove(&peer);
            return Some(peer);
        }
        let all = || witnesses.iter().filter(|(peer, _)| is_free(peer) && is_rested(peer));
        let asking: BTreeSet<Group> =
            self.open.keys().filter_map(|peer| witnesses.get(peer)).copied().collect();
        // Of the groups that have not spoken, while it matters. Who keeps saying that something is lacking must not keep others
        // from being asked.
        let unheard = all()
            .filter(|(_, group)| !self.agreed.contains(group) && !asking.contains(group))
            .filter(|(peer, _)| self.is_due(peer, now))
            .map(|(peer, _)| *peer);
        let unheard: Vec<NodeId> = unheard.collect();
        let from = if self.is_sure(witnesses) || unheard.is_empty() {
            all().map(|(peer, _)| *peer).collect()
        } else {
            unheard
        };
        from.get(below(rng, from.len())).copied()
    }

    /// Whether enough witnesses had nothing that was lacking: a server, and those who check it.
    pub(super) fn is_sure(&self, witnesses: &BTreeMap<NodeId, Group>) -> bool {
        let groups: BTreeSet<&Group> = witnesses.values().collect();
        !groups.is_empty() && self.agreed.len() >= groups.len().min(CHECKS + 1)
    }

    /// Whether somebody of a group that has not spoken is to be asked now: those who say nothing are not asked without pause.
    pub(super) fn is_unheard(&self, witnesses: &BTreeMap<NodeId, Group>, now: Time) -> bool {
        let is_unheard = |group| !self.agreed.contains(group);
        witnesses.iter().any(|(peer, group)| is_unheard(group) && self.is_due(peer, now))
    }

    /// Whether somebody may be asked who said nothing of use when it was asked last: something came since, or that was a while ago.
    fn is_due(&self, peer: &NodeId, now: Time) -> bool {
        let is_over = |ended: Time| ended <= self.lacked || ended + AGAIN <= now;
        self.ended(peer).is_none_or(is_over)
    }

    /// How many comparisons there may be at a time.
    pub(super) fn room(&self, haste: Haste) -> usize {
        let max = if haste == Haste::Now { OPEN_MAX } else { 1 };
        max.saturating_sub(self.open.len())
    }

    pub(super) fn begin(&mut self, peer: NodeId, opener: Opener, now: Time) -> Numbering {
        self.count = self.count.wrapping_add(1);
        let numbering = Numbering::of(self.count);
        self.open.insert(
            peer,
            Comparison { opener, numbering, since: now, asked: now, later: Later::default() },
        );
        numbering
    }

    pub(super) fn get_mut(&mut self, peer: &NodeId) -> Option<&mut Comparison> {
        self.open.get_mut(peer)
    }

    /// A message is here that was not.
    pub(super) fn note(&mut self, item: Item) {
        self.open.values_mut().for_each(|comparison| comparison.later.note(item));
    }

    /// A comparison has ended. What came here meanwhile.
    pub(super) fn end(
        &mut self,
        peer: &NodeId,
        group: Option<Group>,
        found: Finding,
        now: Time,
    ) -> Later {
        let comparison = self.open.remove(peer);
        let began = comparison.as_ref().map_or(now, |comparison| comparison.since);
        self.last.insert(*peer, Last { began, ended: now });
        match found {
            Finding::Equal => {
                self.agreed.extend(group);
                self.equal_since = self.equal_since.or(Some(now));
                self.pace = (self.pace * 2).min(PACE_MAX);
            }
            Finding::Ahead => {
                self.agreed.extend(group);
                self.pace = PACE_MIN;
            }
            // It is believed when it is here.
            Finding::Lacking => {
                self.equal_since = None;
                self.pace = PACE_MIN;
            }
            Finding::Nothing => {}
        }
        comparison.map(|comparison| comparison.later).unwrap_or_default()
    }

    /// Something has come that was lacking here and that others had. So it may be lacking elsewhere, and more may be here.
    pub(super) fn lacked(&mut self, now: Time) {
        self.lacked = now;
        self.agreed.clear();
        self.equal_since = None;
        self.pace = PACE_MIN;
    }

    /// Whether a peer that is visited now is to be compared with; others are for a while not, then.
    pub(super) fn visits(&mut self, now: Time, rng: &mut ChaCha8Rng) -> bool {
        let is_due = self.visits_from <= now;
        if is_due {
            self.visits_from = now + VISIT_PACE * 3 / 4 + jitter(VISIT_PACE / 2, rng);
        }
        is_due
    }

    /// Whether a comparison with a peer is under way.
    pub(super) fn has(&self, peer: &NodeId) -> bool {
        self.open.contains_key(peer)
    }

    /// When the next comparison begins.
    pub(super) fn plan(&mut self, haste: Haste, now: Time, rng: &mut ChaCha8Rng) {
        let pause = match haste {
            Haste::Now => HURRY,
            Haste::Soon => PACE_MIN,
            Haste::None => self.pace,
        };
        self.due = now + pause * 3 / 4 + jitter(pause / 2, rng);
    }

    /// When a comparison with a peer ended last.
    pub(super) fn ended(&self, peer: &NodeId) -> Option<Time> {
        self.last.get(peer).map(|last| last.ended)
    }

    /// Whether a peer was compared with in a comparison that began since then, and has ended: what was here by then, it was asked about.
    pub(super) fn was_asked(&self, peer: &NodeId, since: Time) -> bool {
        self.last.get(peer).is_some_and(|last| last.began >= since)
    }

    /// Whom nothing is heard of in time.
    pub(super) fn expired(&self, now: Time) -> Vec<NodeId> {
        let late = self.open.iter().filter(|(_, it)| it.expires() <= now);
        late.map(|(peer, _)| *peer).collect()
    }

    /// When a reply is overdue.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.open.values().map(Comparison::expires).min()
    }

    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.open.remove(peer);
        self.new.remove(peer);
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) const fn max() -> usize {
        OPEN_MAX
    }
}

impl Comparison {
    fn expires(&self) -> Time {
        (self.asked + REPLY_TIME).min(self.since + COMPARISON_TIME)
    }
}

fn jitter(most: Duration, rng: &mut ChaCha8Rng) -> Duration {
    let nanos = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(rng.next_u64() % nanos)
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::machine::below;

    fn witnesses(count: u8) -> BTreeMap<NodeId, Group> {
        let peers = (0..count).map(|tag| NodeId::from_bytes([tag; 32]));
        peers.map(|peer| (peer, Group::Peer(peer))).collect()
    }

    /// A node asks until it is sure. Whether all whom it asked are liars, who say that nothing is lacking.
    fn is_fooled(witnesses: &BTreeMap<NodeId, Group>, liars: &BTreeSet<NodeId>, seed: u64) -> bool {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rounds = Rounds::new();
        while !rounds.is_sure(witnesses) {
            let none = core::iter::empty();
            let peer =
                rounds.choose(witnesses, none, Time::ZERO, &mut rng).expect("there are many");
            if !liars.contains(&peer) {
                return false;
            }
            rounds.end(&peer, witnesses.get(&peer).copied(), Finding::Equal, Time::ZERO);
        }
        true
    }

    /// Row 22 of the project's list of attacks: of those asked after a lying server, all lie along with it at most as often as b^m.
    #[test]
    fn colluding_checkers_are_believed_no_more_often_than_b_to_the_m() {
        let (peers, lying) = (20, 6);
        let witnesses = witnesses(peers);
        let (mut lies, mut undetected) = (0_u32, 0_u32);
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(10_000 + seed);
            let mut liars = BTreeSet::new();
            while liars.len() < lying {
                let at = below(&mut rng, witnesses.len());
                liars.extend(witnesses.keys().nth(at).copied());
            }
            for sample in 0..500 {
                let seed = seed * 500 + sample;
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let none = core::iter::empty();
                let server = Rounds::new().choose(&witnesses, none, Time::ZERO, &mut rng);
                if server.is_some_and(|server| liars.contains(&server)) {
                    lies += 1;
                    undetected += u32::from(is_fooled(&witnesses, &liars, seed));
                }
            }
        }
        let share = lying as f64 / f64::from(peers);
        let bound = share.powi(i32::try_from(CHECKS).unwrap()) + 1e-3;
        let rate = f64::from(undetected) / f64::from(lies);
        assert!(lies > 25_000 && rate <= bound, "{undetected} of {lies}: {rate} over {bound}");
    }

    #[test]
    fn who_is_sure_goes_on_with_anybody_and_less_and_less_often() {
        let witnesses = witnesses(3);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rounds = Rounds::new();
        for (peer, group) in &witnesses {
            assert!(!rounds.is_sure(&witnesses));
            rounds.end(peer, Some(*group), Finding::Equal, Time::ZERO);
        }
        assert!(rounds.is_sure(&witnesses), "there are no more to ask");
        assert_eq!(rounds.pace, PACE_MAX);
        let none = core::iter::empty();
        assert!(rounds.choose(&witnesses, none, Time::ZERO + RECENT, &mut rng).is_some());
        let (peer, group) = witnesses.first_key_value().unwrap();
        rounds.end(peer, Some(*group), Finding::Lacking, Time::ZERO);
        assert!(rounds.is_sure(&witnesses), "anybody can say so");
        rounds.lacked(Time::ZERO);
        assert!(!rounds.is_sure(&witnesses) && rounds.is_unheard(&witnesses, Time::ZERO));
        assert_eq!(rounds.pace, PACE_MIN);
    }

    #[test]
    fn a_comparison_is_about_what_was_there_when_it_began() {
        let peer = NodeId::from_bytes([1; 32]);
        let at = |seconds| Time::from_duration(Duration::from_secs(seconds));
        let (opener, _) = Opener::open(
            &crate::sync::Index::new(),
            crate::sync::Bounds::ALL,
            crate::sync::reconcile::Limits::default(),
            [0; 16],
        );
        let mut rounds = Rounds::new();
        rounds.begin(peer, opener, at(1));
        assert!(!rounds.was_asked(&peer, at(0)), "it has not ended");
        rounds.end(&peer, None, Finding::Equal, at(5));
        assert!(rounds.was_asked(&peer, at(1)));
        assert!(!rounds.was_asked(&peer, at(3)));
    }

    #[test]
    fn a_comparison_that_drips_ends() {
        let witnesses = witnesses(1);
        let peer = *witnesses.first_key_value().unwrap().0;
        let index = crate::sync::Index::new();
        let bounds = crate::sync::Bounds::ALL;
        let (opener, _) =
            Opener::open(&index, bounds, crate::sync::reconcile::Limits::default(), [0; 16]);
        let mut rounds = Rounds::new();
        rounds.begin(peer, opener, Time::ZERO);
        let at = |seconds| Time::from_duration(Duration::from_secs(seconds));
        for seconds in (0..60).step_by(5) {
            rounds.get_mut(&peer).unwrap().asked = at(seconds);
            assert!(rounds.expired(at(seconds + 4)).is_empty());
        }
        assert_eq!(rounds.expired(at(60)), [peer]);
    }

    #[test]
    fn a_reply_to_an_earlier_question_is_not_one_to_this() {
        let index = crate::sync::Index::new();
        let bounds = crate::sync::Bounds::ALL;
        let limits = crate::sync::reconcile::Limits::default();
        let mut rounds = Rounds::new();
        let mut begin = |tag| {
            let (opener, _) = Opener::open(&index, bounds, limits, [0; 16]);
            rounds.begin(NodeId::from_bytes([tag; 32]), opener, Time::ZERO)
        };
        let numberings = [begin(1), begin(1), begin(1)];
        for (at, one) in numberings.iter().enumerate() {
            for (other_at, other) in numberings.iter().enumerate() {
                let heard = other.inner(one.outer(7));
                assert_eq!(heard, (at == other_at).then_some(7));
            }
        }
    }
}
