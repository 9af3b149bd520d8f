//! One topic that keeps its messages: what of it is held, wanted, compared and in doubt, and what that asks for next.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::{
    FETCH, REQUEST_BYTES, Sync,
    doubts::Doubts,
    rounds::{HURRY, Haste, Rounds},
    shelf::Shelf,
    wants::Wants,
};
use crate::{
    group::Group,
    machine::Cx,
    network::TopicId,
    snapshot::SyncState,
    sync::{
        Bounds, Item, SketchKey,
        reconcile::{Limits, NONCE_BYTES, Opener, Question},
    },
    time::{Time, Timestamp},
    wire::Frame,
};

/// What is so new is not compared: gossip is still at it.
const HORIZON: Duration = Duration::from_secs(10);
/// What is so close to the end of its retention is not compared: others may have let go of it.
const MARGIN: Duration = Duration::from_secs(60);
/// Messages of one topic that wait to be accepted after they were pulled, and their bytes, but for what [`Topic::has_room_for`] adds
/// where there are many witnesses. About as many as the vouches of one witness that acceptance counts.
const PENDING_MAX: usize = 8192;
const PENDING_BYTES_MAX: usize = 16 << 20;
/// Pause between two comparisons with somebody who may hide something.
const DOUBT_PACE: Duration = Duration::from_secs(8);
/// Witnesses are all asked about what waits on disk so often at most.
const AGAIN_PACE: Duration = Duration::from_secs(4);
/// Nothing is fetched for so long after the disk refused: it would be lost again.
const REFUSING: Duration = Duration::from_secs(30);

/// One topic that keeps its messages.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) retention: Duration,
    pub(super) shelf: Shelf,
    pub(super) wants: Wants,
    pub(super) rounds: Rounds,
    pub(super) doubts: Doubts,
    /// The disk refuses, and did last then: what is compared would not be what others can get.
    pub(super) refusing: Option<Time>,
    /// When something late began to wait for vouches.
    pub(super) pending_since: Time,
    /// On disk, late, and waiting for vouches: not accepted in an earlier life, or in their lifetime.
    pub(super) again: BTreeSet<Item>,
    /// When all witnesses were last to be asked about these, and about those up to where.
    again_asked: Option<Time>,
    again_until: u64,
    /// One of these was not there then.
    again_more: bool,
    /// Peers that were late, whose hauls may still come.
    pub(super) late: BTreeMap<NodeId, Time>,
    /// Until when it says that it lacks what it refused.
    pub(super) refuses_until: Time,
    pub(super) counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) comparisons: u64,
    pub(super) pulled: u64,
    pub(super) hidden: u64,
}

impl Topic {
    pub(super) fn new(retention: Duration, key: SketchKey) -> Self {
        Self {
            retention,
            shelf: Shelf::new(key),
            wants: Wants::default(),
            rounds: Rounds::new(),
            doubts: Doubts::default(),
            refusing: None,
            pending_since: Time::ZERO,
            again: BTreeSet::new(),
            again_asked: None,
            again_until: 0,
            again_more: false,
            late: BTreeMap::new(),
            refuses_until: Time::ZERO,
            counts: Counts::default(),
        }
    }

    /// Whether what is fetched would be lost again.
    pub(super) fn is_refusing(&self, now: Time) -> bool {
        self.refusing.is_some_and(|since| since + REFUSING > now)
    }

    /// Whether something may be lacking here that others have.
    pub(super) fn is_behind(&self, witnesses: &BTreeMap<NodeId, Group>) -> bool {
        self.wants.len() > 0 || self.shelf.pending().0 > 0 || !self.rounds.is_sure(witnesses)
    }

    /// Whether something late waits for vouches, which are had from comparisons alone.
    pub(super) fn is_pending(&self) -> bool {
        self.shelf.pending().0 > 0 || !self.again.is_empty()
    }

    /// Whether more may be fetched from a peer. Half of the room for what waits for vouches is for everybody, and nobody has more of
    /// that than is left; the other half is the witnesses', in equal parts, which nobody can take from them.
    pub(super) fn has_room_for(&self, peer: &NodeId, witnesses: &BTreeMap<NodeId, Group>) -> bool {
        let (count, bytes) = self.shelf.pending();
        let (own, own_bytes) = self.shelf.brought(peer);
        let left = (PENDING_MAX / 2).saturating_sub(count.saturating_add(self.wants.asked()));
        let left_bytes = (PENDING_BYTES_MAX / 2).saturating_sub(bytes);
        let (part, part_bytes) = match witnesses.len() {
            len @ 1.. if witnesses.contains_key(peer) => (
                (PENDING_MAX / 2 / len).max(FETCH),
                (PENDING_BYTES_MAX / 2 / len).max(REQUEST_BYTES),
            ),
            _ => (0, 0),
        };
        own.saturating_add(FETCH) <= left.max(part) && own_bytes < left_bytes.max(part_bytes)
    }

    /// Who can be asked for something, in a random order, witnesses first: ids can be ground.
    pub(super) fn askable(
        &self,
        witnesses: &BTreeMap<NodeId, Group>,
        rng: &mut ChaCha8Rng,
    ) -> Vec<NodeId> {
        let order = |peer| (!witnesses.contains_key(&peer), rng.next_u64(), peer);
        let mut idle: Vec<_> = self.wants.idle().into_iter().map(order).collect();
        idle.sort_unstable();
        idle.into_iter().map(|(.., peer)| peer).collect()
    }

    /// Who is to be compared with because it may hide something.
    pub(super) fn doubted(&self, now: Time) -> Vec<NodeId> {
        let ended = |peer: &NodeId| self.rounds.ended(peer);
        let is_rested = |peer: &NodeId| ended(peer).is_none_or(|ended| ended + DOUBT_PACE <= now);
        self.doubts.due(now).filter(is_rested).collect()
    }

    /// How soon the next comparison is wanted: at once, while somebody is to be asked who was not.
    pub(super) fn haste(&self, witnesses: &BTreeMap<NodeId, Group>, now: Time) -> Haste {
        if self.is_refusing(now) {
            return Haste::None;
        }
        let is_unheard = |peer: &NodeId| !self.rounds.was_asked(peer, self.pending_since);
        let is_pending = self.is_pending();
        let waits = is_pending && witnesses.keys().any(is_unheard);
        // What is lacking is known for the time being: it would only be found again.
        let is_fetching = self.wants.len() > FETCH;
        let is_sure = self.rounds.is_sure(witnesses);
        let asks = !is_sure && self.rounds.is_unheard(witnesses, now);
        if !is_fetching && (waits || asks || !self.doubted(now).is_empty()) {
            Haste::Now
        } else if is_fetching || is_pending || !is_sure || self.doubts.is_open() {
            Haste::Soon
        } else {
            Haste::None
        }
    }

    /// Most messages that wait for vouches with so many links. Witnesses come and go; what they have brought stays.
    pub(super) const fn pending_max(links: usize) -> usize {
        3 * PENDING_MAX + 2 * FETCH * links
    }

    pub(super) const fn again_max() -> usize {
        PENDING_MAX
    }

    /// A late message that is on disk waits for vouches, if comparing can bring any.
    pub(super) fn wait_again(&mut self, item: Item, now: Time, wall: Timestamp) {
        let is_compared = self.shelf.stands(&item) && item.at() >= self.bounds(wall).from;
        if self.again.len() >= PENDING_MAX || !is_compared || !self.again.insert(item) {
            return;
        }
        self.again_more |= item.at() < self.again_until;
        let made = Timestamp::from_millis(item.at());
        let compared_from = now + made.saturating_add(HORIZON).since(wall);
        let rested_from = self.again_asked.map_or(now, |asked| asked + AGAIN_PACE);
        self.rounds.hurry(compared_from.max(rested_from).max(now + HURRY));
    }

    /// All witnesses are to be asked anew once something waits on disk that no comparison was about.
    pub(super) fn ask_again(&mut self, now: Time, wall: Timestamp) {
        let until = self.bounds(wall).until;
        let edge = |at: u64| Item::new(at, [0; 32]);
        let is_new = self.again_until < until
            && self.again.range(edge(self.again_until)..edge(until)).next().is_some();
        let is_rested = self.again_asked.is_none_or(|asked| asked + AGAIN_PACE <= now);
        if (is_new || self.again_more) && is_rested {
            self.pending_since = now;
            (self.again_asked, self.again_until, self.again_more) = (Some(now), until, false);
        }
    }

    /// What can be compared now.
    pub(super) fn bounds(&self, wall: Timestamp) -> Bounds {
        let from =
            wall.saturating_sub(self.retention.saturating_sub(MARGIN.min(self.retention / 8)));
        let until = wall.saturating_sub(HORIZON);
        Bounds { from: from.as_millis().max(self.shelf.floor()), until: until.as_millis() }
    }

    /// Which part of a question is answered.
    pub(super) fn answered(&self, question: &Question, wall: Timestamp) -> Bounds {
        if self.refusing.is_some() {
            return Bounds { from: 0, until: 0 };
        }
        let from = wall.saturating_sub(self.retention).as_millis();
        let from = from.max(self.shelf.floor());
        // While a set is full its oldest go all the time: what is left for a while is compared.
        let slack = u64::try_from(MARGIN.as_millis()).unwrap_or(u64::MAX);
        let slack = slack.min(wall.as_millis().saturating_sub(from) / 8);
        let is_below = question.bounds.from < from;
        Bounds { from: if is_below { from.saturating_add(slack) } else { from }, ..Bounds::ALL }
    }

    /// Begins a comparison.
    pub(super) fn compare(&mut self, peer: NodeId, id: TopicId, bounds: Bounds, cx: &mut Cx<'_>) {
        let mut nonce = [0; NONCE_BYTES];
        cx.rng.fill_bytes(&mut nonce);
        let limits = Limits::default();
        let (opener, mut question) = Opener::open(self.shelf.view(), bounds, limits, nonce);
        let numbering = self.rounds.begin(peer, opener, cx.now);
        question.number = numbering.outer(question.number);
        self.counts.comparisons = self.counts.comparisons.saturating_add(1);
        Sync::send(peer, &Frame::Compare { topic: id, question }, cx);
    }

    /// How it stands.
    pub(super) fn state(&self, witnesses: &BTreeMap<NodeId, Group>, now: Time) -> SyncState {
        let Counts { comparisons, pulled, hidden } = self.counts;
        SyncState {
            held: self.shelf.index().len(),
            pending: self.shelf.pending().0 + self.again.len(),
            wanted: self.wants.len(),
            open: self.rounds.len(),
            is_behind: self.is_behind(witnesses),
            is_settled: self.rounds.is_settled,
            equal_for: self.rounds.equal_since.map(|since| now.since(since)),
            comparisons,
            pulled,
            hidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        held::Held,
        message::{MessageId, Slot},
        sync::exchange::item,
    };

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// A topic, at a moment.
    struct Stage {
        topic: Topic,
        seconds: u64,
    }

    impl Stage {
        fn new() -> Self {
            let key = SketchKey::from_bytes([3; 16]);
            Self { topic: Topic::new(Duration::from_secs(3600), key), seconds: 0 }
        }

        fn now(&self) -> Time {
            Time::from_duration(Duration::from_secs(self.seconds))
        }

        fn wall(&self) -> Timestamp {
            START.saturating_add(Duration::from_secs(self.seconds))
        }

        /// A message that was made so many seconds ago waits.
        fn wait(&mut self, tag: u8, age: u64) {
            let author = NodeId::from_bytes([9; 32]);
            let slot = Slot { author, topic: TopicId::FIRST, generation: 1, seq: tag.into() };
            let timestamp = self.wall().saturating_sub(Duration::from_secs(age));
            let held =
                Held { id: MessageId::from_bytes([tag; 32]), slot, timestamp, is_open: true };
            self.topic.shelf.insert(&held);
            let (now, wall) = (self.now(), self.wall());
            self.topic.wait_again(item(timestamp, &held.id), now, wall);
        }

        /// Whether all witnesses are to be asked anew, so many seconds after the start.
        fn asks(&mut self, seconds: u64) -> bool {
            self.seconds = seconds;
            let (now, wall) = (self.now(), self.wall());
            let before = self.topic.again_asked;
            self.topic.ask_again(now, wall);
            self.topic.again_asked != before
        }
    }

    #[test]
    fn witnesses_are_asked_once_about_what_can_be_compared_and_not_without_pause() {
        let mut stage = Stage::new();
        assert!(!stage.asks(100));
        stage.wait(1, 30);
        assert!(stage.asks(100) && !stage.asks(101), "once");
        stage.wait(2, 40);
        assert!(!stage.asks(103), "so soon");
        assert!(stage.asks(104) && !stage.asks(200));
        stage.wait(3, 2);
        assert!(!stage.asks(207), "it is too new");
        assert!(stage.asks(209) && !stage.asks(300));
    }

    #[test]
    fn what_no_comparison_is_about_is_not_waited_for() {
        let mut stage = Stage::new();
        stage.seconds = 5000;
        stage.wait(1, 3599);
        assert!(stage.topic.again.is_empty(), "others may have let go of it");
        let (now, wall) = (stage.now(), stage.wall());
        stage.topic.wait_again(Item::new(wall.as_millis(), [1; 32]), now, wall);
        assert!(stage.topic.again.is_empty(), "it is not here");
    }
}
