//! Messages that others vouch for and we lack, whom we asked, and who broke the promise to serve.
//!
//! A vouch starts a timer; the payload usually overtakes it. If not, a random voucher is asked, then
//! another. Whoever was asked and has not served within [`PROMISE`] has broken a promise, unless the
//! payload came from elsewhere first, after which nobody can tell.

use core::time::Duration;
use std::collections::BTreeSet;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::patience::Patience;
use crate::{bounded::FairMap, message::MessageId, network::TopicId, snapshot::Bound, time::Time};

/// Patience with a voucher before the next is asked. A guess: longer than most round trips.
const NEXT_ASK: Duration = Duration::from_millis(300);
/// A voucher that has not served by then has broken its promise. Long enough for a slow honest one.
const PROMISE: Duration = Duration::from_secs(8);
/// Patience with a payload that is here and being checked, before others are asked for a better one.
const CHECKING: Duration = Duration::from_secs(2);
/// Messages missing, each charged to its first voucher.
const MISSING_MAX: usize = 65_536;
/// Vouchers kept for one missing message.
const VOUCHERS_MAX: usize = 16;

/// What we lack.
#[derive(Debug)]
pub(super) struct Missing {
    messages: FairMap<MessageId, NodeId, Wanted>,
    timers: BTreeSet<(Time, MessageId)>,
    patience: Patience,
}

#[derive(Debug)]
struct Wanted {
    topic: TopicId,
    /// When the first voucher spoke.
    since: Time,
    /// Who says to have it and was not asked yet.
    vouchers: Vec<NodeId>,
    /// Who was asked, and by when it must have served.
    asked: Vec<(NodeId, Time)>,
    timer: Time,
}

/// What time brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask this peer.
    Ask { peer: NodeId, topic: TopicId, id: MessageId },
    /// This peer was asked and did not serve.
    Broken { peer: NodeId },
}

impl Default for Missing {
    fn default() -> Self {
        Self {
            messages: FairMap::new(MISSING_MAX),
            timers: BTreeSet::new(),
            patience: Patience::default(),
        }
    }
}

impl Missing {
    /// A peer says that it has a message that we lack.
    pub(super) fn vouched(&mut self, id: MessageId, topic: TopicId, from: NodeId, now: Time) {
        if let Some(wanted) = self.messages.get_mut(&id) {
            if wanted.concerns(&from) || wanted.vouchers.len() >= VOUCHERS_MAX {
                return;
            }
            // Everybody was asked, and the timer waits for nothing but promises: bring it forward.
            if wanted.vouchers.is_empty() {
                self.timers.remove(&(wanted.timer, id));
                wanted.timer = wanted.timer.min(now + NEXT_ASK);
                self.timers.insert((wanted.timer, id));
            }
            wanted.vouchers.push(from);
            return;
        }
        let timer = now + self.patience.wait();
        let wanted = Wanted { topic, since: now, vouchers: vec![from], asked: Vec::new(), timer };
        self.timers.insert((timer, id));
        for (evicted, wanted) in self.messages.insert(id, from, 1, wanted) {
            self.timers.remove(&(wanted.timer, evicted));
        }
    }

    /// The message is here. Returns who said to have it.
    pub(super) fn arrived(&mut self, id: &MessageId) -> Vec<NodeId> {
        let Some(wanted) = self.messages.remove(id) else {
            return Vec::new();
        };
        self.timers.remove(&(wanted.timer, *id));
        let Wanted { mut vouchers, asked, .. } = wanted;
        vouchers.extend(asked.into_iter().map(|(peer, _)| peer));
        vouchers
    }

    /// A peer has sent it, whether or not it verifies: a promise is kept, and while the payload is being
    /// checked nobody else is asked for it.
    pub(super) fn seen(&mut self, id: &MessageId, from: &NodeId, now: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        if wanted.asked.iter().any(|(peer, _)| peer == from) {
            wanted.asked.retain(|(peer, _)| peer != from);
        } else {
            self.patience.learn(now.since(wanted.since));
        }
        wanted.vouchers.retain(|peer| peer != from);
        self.timers.remove(&(wanted.timer, *id));
        wanted.timer = now + CHECKING;
        self.timers.insert((wanted.timer, *id));
    }

    /// What was seen does not verify: ask somebody else, at once.
    pub(super) fn spoiled(&mut self, id: &MessageId, now: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        self.timers.remove(&(wanted.timer, *id));
        wanted.timer = now;
        self.timers.insert((wanted.timer, *id));
    }

    /// A peer is gone: it cannot be asked, and owes nothing.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        let concerned: Vec<MessageId> =
            self.messages.iter().filter(|(_, w)| w.concerns(peer)).map(|(id, _)| *id).collect();
        for id in concerned {
            if let Some(wanted) = self.messages.get_mut(&id) {
                wanted.vouchers.retain(|voucher| voucher != peer);
                wanted.asked.retain(|(asked, _)| asked != peer);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(timer, _)| *timer)
    }

    /// The next thing that is due by `now`.
    pub(super) fn step(&mut self, now: Time, rng: &mut ChaCha8Rng) -> Option<Step> {
        while let Some((timer, id)) = self.timers.first().copied()
            && timer <= now
        {
            self.timers.pop_first();
            let Some(wanted) = self.messages.get_mut(&id) else {
                continue;
            };
            let step = wanted.step(id, now, rng);
            match wanted.next_timer(now, step.as_ref()) {
                Some(next) => {
                    wanted.timer = next;
                    self.timers.insert((next, id));
                }
                // Everybody was asked, and nobody owes anything any more.
                None => drop(self.messages.remove(&id)),
            }
            if step.is_some() {
                return step;
            }
        }
        None
    }

    pub(super) fn bound(&self) -> Bound {
        Bound {
            name: "gossip.missing",
            used: self.messages.weight(),
            max: self.messages.weight_max(),
        }
    }
}

impl Wanted {
    fn concerns(&self, peer: &NodeId) -> bool {
        self.vouchers.contains(peer) || self.asked.iter().any(|(asked, _)| asked == peer)
    }

    fn step(&mut self, id: MessageId, now: Time, rng: &mut ChaCha8Rng) -> Option<Step> {
        if let Some(broken) = self.asked.iter().position(|(_, due)| *due <= now) {
            let (peer, _) = self.asked.swap_remove(broken);
            return Some(Step::Broken { peer });
        }
        if self.vouchers.is_empty() {
            return None;
        }
        let index = usize::try_from(rng.next_u32()).unwrap_or(0) % self.vouchers.len();
        let peer = self.vouchers.swap_remove(index);
        self.asked.push((peer, now + PROMISE));
        Some(Step::Ask { peer, topic: self.topic, id })
    }

    /// When to look at it again; `None` if there is nothing left to do.
    fn next_timer(&self, now: Time, step: Option<&Step>) -> Option<Time> {
        if matches!(step, Some(Step::Broken { .. })) {
            return Some(now);
        }
        if !self.vouchers.is_empty() {
            return Some(now + NEXT_ASK);
        }
        self.asked.iter().map(|(_, due)| *due).min()
    }
}
