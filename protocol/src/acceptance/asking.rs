//! Messages that lack vouches, and when witnesses that have said nothing of them are asked.
//!
//! A vouch may be lost in a full queue, or never have been sent because its link came later. So whoever waits asks, after
//! a while and then ever more rarely. What is asked at a time is bounded, and drawn by lot if there is more: a flood of
//! messages for which nobody vouches gets its share and no more. It does not know who the witnesses are.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;

use crate::{agenda::Agenda, machine::below, message::MessageId, time::Time};

/// A message that has waited so long lacks vouches that should have come: longer than most spreads take, and shorter than
/// the time after which more witnesses are drawn.
const FIRST: Duration = Duration::from_secs(1);
/// The next time comes after so many times as long.
const LONGER: u32 = 3;
/// How often some are asked about, and how many at most: one frame for each witness.
const EVERY: Duration = Duration::from_millis(500);
pub(super) const LOT: usize = 256;
/// Entries of messages that wait no more, beyond as many as there are that do.
const SLACK: usize = 64;

/// Messages about which witnesses are asked.
#[derive(Debug)]
pub(super) struct Asking {
    /// Since when each has waited that was not asked about yet, in order; among them are some that no longer wait.
    fresh: VecDeque<(Time, MessageId)>,
    /// When to ask again.
    again: Agenda<Time, MessageId>,
    asked: BTreeMap<MessageId, Asked>,
    /// Nobody is asked before then.
    from: Time,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    next: Time,
    wait: Duration,
    /// Witnesses that said, since they were last asked, that they do not know it.
    unknown: usize,
}

impl Asking {
    pub(super) const fn new() -> Self {
        Self {
            fresh: VecDeque::new(),
            again: Agenda::new(),
            asked: BTreeMap::new(),
            from: Time::ZERO,
        }
    }

    /// A message begins to wait, among so many.
    pub(super) fn watch(
        &mut self,
        id: MessageId,
        all: usize,
        now: Time,
        waits: impl Fn(&MessageId) -> bool,
    ) {
        self.fresh.push_back((now, id));
        if self.fresh.len() > 2 * all + SLACK {
            self.fresh.retain(|(_, id)| waits(id));
        }
    }

    /// A message waits no more. Returns how many witnesses do not know it, if any were asked.
    pub(super) fn forget(&mut self, id: &MessageId) -> Option<usize> {
        let asked = self.asked.remove(id)?;
        self.again.remove(&(asked.next, *id));
        Some(asked.unknown)
    }

    /// A witness that was asked does not know a message.
    pub(super) fn unknown(&mut self, id: &MessageId) {
        if let Some(asked) = self.asked.get_mut(id) {
            asked.unknown = asked.unknown.saturating_add(1);
        }
    }

    /// What to ask about now. `lacks` says whether a message lacks vouches.
    pub(super) fn due(
        &mut self,
        now: Time,
        lacks: impl Fn(&MessageId) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Vec<MessageId> {
        if now < self.from {
            return Vec::new();
        }
        self.from = now + EVERY;
        while let Some((since, id)) = self.fresh.front().copied()
            && since + FIRST <= now
        {
            self.fresh.pop_front();
            if lacks(&id) {
                self.plan(id, now, FIRST);
            }
        }
        let mut due = Vec::new();
        while let Some((at, id)) = self.again.first().copied()
            && at <= now
        {
            self.again.pop_first();
            due.push(id);
        }
        let mut lot = Vec::new();
        while lot.len() < LOT && !due.is_empty() {
            let id = due.swap_remove(below(rng, due.len()));
            let Some(wait) = self.asked.get(&id).map(|asked| asked.wait) else { continue };
            // What settles is asked about when it lacks vouches again.
            self.plan(id, now + wait.saturating_mul(LONGER - 1), wait.saturating_mul(LONGER));
            lot.extend(lacks(&id).then_some(id));
        }
        // The rest has its chance next time.
        for id in due {
            if let Some(asked) = self.asked.get(&id) {
                self.again.insert((asked.next, id));
            }
        }
        lot
    }

    fn plan(&mut self, id: MessageId, next: Time, wait: Duration) {
        self.asked.insert(id, Asked { next, wait, unknown: 0 });
        self.again.insert((next, id));
    }

    /// When [`Self::due`] is wanted next.
    pub(super) fn deadline(&self) -> Option<Time> {
        let fresh = self.fresh.front().map(|(since, _)| *since + FIRST);
        let again = self.again.first().map(|(at, _)| *at);
        fresh.into_iter().chain(again).min().map(|at| at.max(self.from))
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_duration(Duration::from_millis(millis))
    }

    fn id(tag: u32) -> MessageId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&tag.to_be_bytes());
        MessageId::from_bytes(id)
    }

    fn asking(messages: u32) -> (Asking, ChaCha8Rng) {
        let mut asking = Asking::new();
        (0..messages).for_each(|tag| asking.watch(id(tag), 1 << 20, at(0), |_| true));
        (asking, ChaCha8Rng::from_seed([1; 32]))
    }

    #[test]
    fn it_is_asked_ever_more_rarely() {
        let (mut asking, mut rng) = asking(1);
        let mut asked = Vec::new();
        while let Some(at) = asking.deadline().filter(|deadline| *deadline < at(60_000)) {
            let lot = asking.due(at, |_| true, &mut rng);
            asked.extend(lot.iter().map(|_| at.as_duration().as_millis()));
        }
        assert_eq!(asked, [1000, 3000, 9000, 27000]);
    }

    #[test]
    fn of_many_a_lot_is_drawn_and_the_rest_has_its_chance() {
        let (mut asking, mut rng) = asking(1000);
        let first = asking.due(at(1000), |_| true, &mut rng);
        assert_eq!(first.len(), LOT);
        assert!(first.iter().filter(|drawn| **drawn >= id(500)).count() > LOT / 3, "not the first");
        assert!(asking.due(at(1400), |_| true, &mut rng).is_empty());
        let mut all = first;
        for turn in 1..4 {
            all.extend(asking.due(at(1000 + 500 * turn), |_| true, &mut rng));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1000);
    }

    #[test]
    fn what_waits_no_more_is_forgotten() {
        let (mut asking, mut rng) = asking(10);
        assert_eq!(asking.due(at(1000), |one| *one < id(3), &mut rng).len(), 3);
        asking.unknown(&id(0));
        asking.unknown(&id(9));
        assert_eq!([0, 1, 9].map(|tag| asking.forget(&id(tag))), [Some(1), Some(0), None]);
        assert_eq!(asking.forget(&id(2)), Some(0));
        assert_eq!(asking.deadline(), None);
    }
}
