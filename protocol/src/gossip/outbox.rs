//! Vouches that have yet to leave.
//!
//! On a quiet network a vouch leaves with the input that gave rise to it. On a busy one, where another would follow
//! within [`HOLD`], it waits so long for those: a vouch alone costs ten times its bytes in headers, and each frame
//! has to be sealed, sent, acknowledged and opened. What is held is late once, at whoever counts it, and not at
//! each hop, since no message waits for it to be passed on.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use crate::{short_id::ShortId, snapshot::Bound, time::Time, wire::IDS_MAX};

/// How long a vouch may wait for others. A small part of a round trip between cities.
const HOLD: Duration = Duration::from_millis(5);
/// It waits if others are to be expected so many times in that time.
const WORTH: u32 = 2;

/// What waits for each peer, and until when.
#[derive(Debug)]
pub(super) struct Outbox {
    names: BTreeMap<NodeId, Vec<ShortId>>,
    /// Something was added since the last look.
    is_fresh: bool,
    /// When all of it leaves, if that is decided.
    due: Option<Time>,
    /// When an input last gave rise to vouches, and the time between two such, smoothed.
    last: Time,
    pace: Duration,
}

impl Outbox {
    pub(super) const fn new() -> Self {
        let names = BTreeMap::new();
        Self { names, is_fresh: false, due: None, last: Time::ZERO, pace: HOLD }
    }

    /// An input gave rise to vouches, of one message or of many.
    fn note(&mut self, now: Time) {
        // A long pause says no more than one that is not worth waiting for.
        let gap = now.since(self.last).min(HOLD * 4);
        self.last = now;
        self.pace = (self.pace * 7 + gap) / 8;
    }

    /// A peer is to be told that we have these.
    pub(super) fn add(&mut self, to: NodeId, names: impl IntoIterator<Item = ShortId>, now: Time) {
        let waiting = self.names.entry(to).or_default();
        waiting.extend(names);
        self.is_fresh = true;
        if waiting.len() >= IDS_MAX {
            self.due = Some(now);
        }
    }

    /// A peer is gone.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.names.remove(peer);
    }

    /// What leaves after an input: all that waits, or nothing.
    pub(super) fn take(&mut self, now: Time) -> BTreeMap<NodeId, Vec<ShortId>> {
        if core::mem::take(&mut self.is_fresh) {
            self.note(now);
        }
        if self.names.is_empty() {
            self.due = None;
            return BTreeMap::new();
        }
        let wait = if self.pace * WORTH <= HOLD { HOLD } else { Duration::ZERO };
        if *self.due.get_or_insert(now + wait) > now {
            return BTreeMap::new();
        }
        self.due = None;
        core::mem::take(&mut self.names)
    }

    pub(super) const fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// Names that wait: of all peers, each of which has so many at most but for the input at hand.
    pub(super) fn bound(&self, links: usize) -> Bound {
        let used = self.names.values().map(Vec::len).sum();
        Bound { name: "gossip.vouches_held", used, max: links.max(1) * IDS_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Time {
        Time::from_duration(Duration::from_micros(micros))
    }

    const PEER: NodeId = NodeId::from_bytes([1; 32]);

    /// The names in each frame, if a message comes every so many microseconds and the outbox is looked at in time.
    fn frames(messages: u64, gap: u64) -> Vec<usize> {
        let (mut outbox, mut frames) = (Outbox::new(), Vec::new());
        let mut take = |outbox: &mut Outbox, now| {
            frames.extend(outbox.take(now).remove(&PEER).map(|names| names.len()));
        };
        for message in 1..=messages {
            let now = at(message * gap);
            while let Some(due) = outbox.deadline().filter(|due| *due <= now) {
                take(&mut outbox, due);
            }
            outbox.add(PEER, [ShortId::from_bytes(message.to_le_bytes())], now);
            take(&mut outbox, now);
        }
        outbox.deadline().into_iter().for_each(|due| take(&mut outbox, due));
        frames
    }

    #[test]
    fn a_vouch_waits_for_others_only_if_they_come_soon() {
        assert_eq!(frames(100, 100_000), [1; 100], "ten a second");
        assert_eq!(frames(100, 3000), [1; 100], "to wait would make two frames one at best");
        let busy = frames(1000, 500);
        assert_eq!(busy.iter().sum::<usize>(), 1000);
        assert!(busy.len() < 120, "{}", busy.len());
    }

    #[test]
    fn a_pause_ends_the_wait_and_a_full_frame_does_not_wait() {
        let mut outbox = Outbox::new();
        (0..50).for_each(|_| outbox.note(at(0)));
        outbox.add(PEER, [ShortId::from_bytes([1; 8])], at(0));
        assert!(outbox.take(at(0)).is_empty());
        assert_eq!(outbox.deadline(), Some(at(5000)), "nobody else need come");
        let many = (0..1024u64).map(|name| ShortId::from_bytes(name.to_le_bytes()));
        outbox.add(PEER, many, at(10));
        assert_eq!(outbox.take(at(10))[&PEER].len(), 1025);
        assert_eq!((outbox.deadline(), outbox.bound(1).used), (None, 0));
    }
}
