//! Messages that lack vouches: whom to ask, when to say so, and what becomes of them when their lifetime ends.

use core::time::Duration;

use super::{Acceptance, room::Waiting};
use crate::{
    machine::{Cx, Signal},
    message::MessageId,
    time::Time,
};

/// A message that has waited so long lacks vouches that should have come. Longer than any spread takes.
const STARVED_AFTER: Duration = Duration::from_secs(2);
/// How often that is said while it lasts.
const STARVED_EVERY: Duration = Duration::from_secs(1);
/// A message whose lifetime is over waits so long for those who keep it.
pub(super) const LATE_WAITS: Duration = Duration::from_secs(600);
/// Late messages of a topic beyond which none waits on: together with what was pulled, about as many as the vouches of one witness.
const LATE_MAX: usize = 8192;
/// Entries of messages that wait no more, beyond as many as there are that do.
const SLACK: usize = 64;

impl Acceptance {
    /// A message begins to wait.
    pub(super) fn watch(&mut self, id: MessageId, now: Time) {
        self.since.push_back((now, id));
        if self.since.len() > 2 * self.room.len() + SLACK {
            self.since.retain(|(_, id)| self.room.contains(id));
        }
        self.starved_at = self.starved_at.or(Some(now + STARVED_AFTER));
        self.asking.watch(id, self.room.len(), now, |id| self.room.contains(id));
    }

    /// Has witnesses asked about messages that lack vouches.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>) {
        let Self { asking, room, tally, witnesses, .. } = self;
        let lacks = |id: &MessageId| {
            let alive = room.get(id).filter(|waiting| !waiting.is_late);
            let open = alive.map(|waiting| waiting.open.iter());
            let needed = open.into_iter().flatten().map(|policy| policy.needed(*witnesses));
            tally.count(id) < needed.max().unwrap_or(0)
        };
        let ids = asking.due(cx.now, lacks, cx.rng);
        if !ids.is_empty() {
            cx.signals.push_back(Signal::Ask { ids });
        }
    }

    /// Says so if a message has waited for vouches for too long, and when to look again.
    pub(super) fn look_for_starved(&mut self, cx: &mut Cx<'_>) {
        while let Some((since, id)) = self.since.front().copied() {
            if let Some(waiting) = self.room.get(&id).filter(|waiting| !waiting.is_late) {
                let needed = waiting.open.iter().map(|policy| policy.needed(self.witnesses));
                let needs = needed.max().unwrap_or(0);
                let is_due = since + STARVED_AFTER <= cx.now;
                if is_due && self.tally.count(&id) < needs {
                    cx.signals.push_back(Signal::Starved { needs });
                }
                let due = since + STARVED_AFTER;
                self.starved_at = Some(if is_due { cx.now + STARVED_EVERY } else { due });
                return;
            }
            self.since.pop_front();
        }
        self.starved_at = None;
    }

    /// Whether a message that was not accepted in its lifetime may still be: its topic keeps its messages, so there may be as many who
    /// have it as it takes, and comparing shows who does.
    pub(super) fn is_kept_by_others(&self, waiting: &Waiting) -> bool {
        let id = waiting.message.header().slot.topic;
        let topic = self.network.topic(id);
        let is_open = waiting.open.contains(&topic.policy) && topic.policy.threshold() > 0;
        let vouched = self.tally.count(&waiting.message.id());
        let lacks = is_open && vouched < topic.policy.needed(self.witnesses);
        let has_room = self.room.late(id) < LATE_MAX;
        !waiting.is_late && lacks && has_room && topic.retention.is_some()
    }

    /// A message's lifetime ends, and it waits as one that came after it does.
    pub(super) fn wait_on(&mut self, id: &MessageId, cx: &mut Cx<'_>) {
        let (unknown, until) = (self.asking.forget(id), cx.now + LATE_WAITS);
        let Some(message) = self.room.wait_on(id, until, unknown, cx.now) else { return };
        let (topic, timestamp) = (message.header().slot.topic, message.header().timestamp);
        cx.signals.push_back(Signal::Overdue { topic, timestamp, id: *id });
    }
}
