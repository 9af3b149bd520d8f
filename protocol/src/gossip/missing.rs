//! Messages that others vouch for and we lack, whom we asked, and who broke the promise to serve.
//!
//! A vouch starts a timer; the payload usually overtakes it. If not, a random voucher is asked, witnesses
//! first, then another. Whoever was asked and has not served within [`PROMISE`] has broken a promise, unless
//! the payload came from elsewhere first, after which nobody can tell. But whoever was asked in vain, until
//! somebody else served, is asked after others from then on, until it serves again. What one peer is asked
//! for at a time is bounded, so that a newcomer who lacks everything does not overrun the queues of those who
//! serve it.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::{PROMISE, patience::Patience};
use crate::{
    agenda::Agenda,
    bounded::FairMap,
    defences::{Defences, Safeguard},
    links::Role,
    message::MessageId,
    network::TopicId,
    snapshot::Bound,
    time::Time,
};

/// Patience with a payload that is here and being checked, before others are asked for a better one.
const CHECKING: Duration = Duration::from_secs(2);
/// Patience when all who have it are asked for as much as they may be. With [`MISSING_MAX`] it bounds what a
/// flood of vouches for nothing costs in time.
const ALL_BUSY: Duration = Duration::from_secs(1);
/// Messages missing, each charged to one of its vouchers.
const MISSING_MAX: usize = 16_384;
/// Vouchers kept for one missing message; witnesses have room beyond it, so that those who came to us cannot
/// shut out those whom we chose.
const VOUCHERS_MAX: usize = 16;
/// Vouchers kept for one missing message when the rest are witnesses.
const VOUCHERS_AND_WITNESSES_MAX: usize = 64;
/// Messages that one peer is asked for and has not served. A few frames of the largest size.
const ASKED_MAX: usize = 128;

/// What we lack.
#[derive(Debug)]
pub(super) struct Missing {
    defences: Defences,
    messages: FairMap<MessageId, NodeId, Wanted>,
    timers: Agenda<Time, MessageId>,
    /// How many messages each peer is asked for.
    asked: BTreeMap<NodeId, usize>,
    /// How often each linked peer was asked in vain since it last served.
    in_vain: BTreeMap<NodeId, u8>,
    /// With the tree, before somebody is asked.
    patience: Patience,
    /// With who was asked, before the next is.
    round_trip: Patience,
}

#[derive(Debug)]
struct Wanted {
    /// When the first voucher spoke.
    since: Time,
    /// The first peer of our choice to vouch, and when.
    first: Option<(NodeId, Time)>,
    /// When a payload was here, and whether from somebody who was asked.
    seen: Option<(Time, bool)>,
    /// Who says to have it and was not asked yet.
    vouchers: Vec<Voucher>,
    /// Who was asked, and by when it must have served.
    asked: Vec<(NodeId, Time)>,
    timer: Time,
}

/// Somebody who says to have a message, and on which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voucher {
    pub(super) peer: NodeId,
    pub(super) role: Role,
    /// As this voucher says; the others may say otherwise.
    pub(super) topic: TopicId,
}

/// What is known of a message when it is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Who said to have it.
    pub(super) holders: Vec<NodeId>,
    /// The first peer of our choice to say so, and how long before a payload came that nobody was asked for.
    pub(super) first: Option<(NodeId, Duration)>,
    /// How long after the first id of all that payload came; `None` if somebody had to be asked.
    pub(super) lag: Option<Duration>,
}

/// What time brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask this voucher.
    Ask { voucher: Voucher, id: MessageId },
    /// This peer was asked and did not serve.
    Broken { peer: NodeId },
}

impl Missing {
    pub(super) const fn new(defences: Defences) -> Self {
        Self {
            defences,
            messages: FairMap::new(MISSING_MAX),
            timers: Agenda::new(),
            asked: BTreeMap::new(),
            in_vain: BTreeMap::new(),
            patience: Patience::with_tree(),
            round_trip: Patience::with_voucher(),
        }
    }

    /// A peer says that it has a message that we lack.
    /// It has said so `since` then, though it may have been understood only now.
    pub(super) fn vouched(&mut self, id: MessageId, voucher: Voucher, since: Time, now: Time) {
        let Some(wanted) = self.messages.get_mut(&id) else {
            let timer = since + self.patience.wait();
            let (vouchers, asked, seen) = (vec![voucher], Vec::new(), None);
            let first = voucher.is_chosen().then_some((voucher.peer, since));
            return self.insert(id, Wanted { since, first, seen, vouchers, asked, timer });
        };
        wanted.since = wanted.since.min(since);
        if voucher.is_chosen() && wanted.first.is_none_or(|(_, first)| since < first) {
            wanted.first = Some((voucher.peer, since));
        }
        if wanted.concerns(&voucher.peer) || !wanted.has_room(voucher.role) {
            return;
        }
        // Everybody was asked, and the timer waits for nothing but promises: bring it forward.
        let timer = if wanted.vouchers.is_empty() {
            wanted.timer.min(now + self.round_trip.wait())
        } else {
            wanted.timer
        };
        wanted.vouchers.push(voucher);
        self.set_timer(&id, timer);
    }

    /// A voucher was asked at that time, by what it called the message.
    pub(super) fn asked(&mut self, id: &MessageId, peer: &NodeId, at: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        let Some(place) = wanted.vouchers.iter().position(|voucher| voucher.peer == *peer) else {
            return;
        };
        wanted.vouchers.remove(place);
        wanted.asked.push((*peer, at + PROMISE));
        let count = self.asked.entry(*peer).or_default();
        *count = count.saturating_add(1);
        let next = at + self.round_trip.wait();
        let timer = if wanted.vouchers.is_empty() { at + PROMISE } else { next };
        let timer = timer.max(wanted.timer);
        self.set_timer(id, timer);
    }

    /// How often a peer was asked in vain since it last served.
    pub(super) fn in_vain(&self, peer: &NodeId) -> u8 {
        self.in_vain.get(peer).copied().unwrap_or(0)
    }

    /// Inserts at the expense of the first voucher. Whoever has too much missing loses its oldest, but what
    /// others vouch for too is theirs from then on.
    fn insert(&mut self, id: MessageId, wanted: Wanted) {
        let mut pending = vec![(id, wanted)];
        while let Some((id, wanted)) = pending.pop() {
            let Some(owner) = wanted.vouchers.first().map(|voucher| voucher.peer) else {
                self.owe_nothing(&wanted);
                continue;
            };
            self.timers.insert((wanted.timer, id));
            for (evicted, mut wanted) in self.messages.insert(id, owner, 1, wanted) {
                self.timers.remove(&(wanted.timer, evicted));
                if !wanted.vouchers.is_empty() {
                    wanted.vouchers.remove(0);
                }
                pending.push((evicted, wanted));
            }
        }
    }

    /// The message is here, or will never be wanted.
    pub(super) fn arrived(&mut self, id: &MessageId, now: Time) -> Arrival {
        let Some(wanted) = self.messages.remove(id) else { return Arrival::on_time() };
        let first = match (wanted.first, wanted.seen) {
            (Some((first, at)), Some((seen_at, false))) => Some((first, seen_at.since(at))),
            (Some(_), Some((_, true)) | None) | (None, _) => None,
        };
        let lag = match wanted.seen {
            Some((seen_at, false)) => Some(seen_at.since(wanted.since)),
            Some((_, true)) | None => None,
        };
        self.timers.remove(&(wanted.timer, *id));
        self.owe_nothing(&wanted);
        // Others served first; who was asked a moment ago could not have.
        let patience = PROMISE.saturating_sub(self.round_trip.wait());
        let late = wanted.asked.iter().filter(|(_, due)| *due <= now + patience);
        late.for_each(|(peer, _)| self.asked_in_vain(*peer));
        let vouchers = wanted.vouchers.into_iter().map(|voucher| voucher.peer);
        let asked = wanted.asked.into_iter().map(|(peer, _)| peer);
        Arrival { holders: vouchers.chain(asked).collect(), first, lag }
    }

    /// A peer has sent it, whatever it is worth: its promise is kept.
    pub(super) fn kept(&mut self, id: &MessageId, from: &NodeId, now: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        wanted.vouchers.retain(|voucher| voucher.peer != *from);
        let asked = wanted.asked.iter().position(|(peer, _)| peer == from);
        wanted.seen = wanted.seen.or(Some((now, asked.is_some())));
        if let Some(asked) = asked {
            let (_, due) = wanted.asked.swap_remove(asked);
            self.round_trip.learn(PROMISE.saturating_sub(due.since(now)));
            release(&mut self.asked, from);
            self.in_vain.remove(from);
        }
    }

    /// How long the tree is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience.wait()
    }

    /// How long somebody who was asked is waited for, before the next is.
    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip.wait()
    }

    /// The tree took so long.
    pub(super) fn learn(&mut self, lag: Duration) {
        self.patience.learn(lag);
    }

    /// A payload is here and being checked: nobody else is asked for now.
    pub(super) fn checking(&mut self, id: &MessageId, now: Time) {
        self.set_timer(id, now + CHECKING);
    }

    /// What was checked does not verify: ask somebody else, at once.
    pub(super) fn spoiled(&mut self, id: &MessageId, now: Time) {
        self.set_timer(id, now);
    }

    fn set_timer(&mut self, id: &MessageId, timer: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        self.timers.remove(&(wanted.timer, *id));
        wanted.timer = timer;
        self.timers.insert((timer, *id));
    }

    /// A peer is gone: it cannot be asked, and owes nothing.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        let concerned: Vec<MessageId> =
            self.messages.iter().filter(|(_, w)| w.concerns(peer)).map(|(id, _)| *id).collect();
        for id in concerned {
            if let Some(wanted) = self.messages.get_mut(&id) {
                wanted.vouchers.retain(|voucher| voucher.peer != *peer);
                wanted.asked.retain(|(asked, _)| asked != peer);
            }
        }
        self.asked.remove(peer);
        self.in_vain.remove(peer);
    }

    fn asked_in_vain(&mut self, peer: NodeId) {
        if !self.defences.has(Safeguard::Promises) {
            return;
        }
        let times = self.in_vain.entry(peer).or_default();
        *times = times.saturating_add(1);
    }

    fn owe_nothing(&mut self, wanted: &Wanted) {
        wanted.asked.iter().for_each(|(peer, _)| release(&mut self.asked, peer));
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
            let Some(wanted) = self.messages.get_mut(&id) else { continue };
            let step = wanted.step(id, now, &mut self.asked, &self.in_vain, rng);
            match wanted.next_timer(now, step.as_ref(), self.round_trip.wait()) {
                Some(next) => {
                    wanted.timer = next;
                    self.timers.insert((next, id));
                }
                // Everybody was asked, and nobody owes anything any more.
                None => drop(self.messages.remove(&id)),
            }
            if let Some(Step::Broken { peer }) = step {
                self.asked_in_vain(peer);
            }
            if step.is_some() {
                return step;
            }
        }
        None
    }

    pub(super) fn bound(&self) -> Bound {
        let (used, max) = (self.messages.weight(), self.messages.weight_max());
        Bound { name: "gossip.missing", used, max }
    }
}

impl Arrival {
    /// Nobody had vouched for it.
    const fn on_time() -> Self {
        Self { holders: Vec::new(), first: None, lag: Some(Duration::ZERO) }
    }
}

impl Voucher {
    /// Whether we, or the operator, chose it.
    const fn is_chosen(&self) -> bool {
        matches!(self.role, Role::Witness | Role::Kept)
    }
}

fn release(asked: &mut BTreeMap<NodeId, usize>, peer: &NodeId) {
    if let Some(count) = asked.get_mut(peer) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            asked.remove(peer);
        }
    }
}

impl Wanted {
    fn concerns(&self, peer: &NodeId) -> bool {
        self.vouchers.iter().any(|voucher| voucher.peer == *peer)
            || self.asked.iter().any(|(asked, _)| asked == peer)
    }

    fn has_room(&self, role: Role) -> bool {
        let max = match role {
            Role::Witness => VOUCHERS_AND_WITNESSES_MAX,
            Role::Kept | Role::Inbound => VOUCHERS_MAX,
        };
        self.vouchers.len() < max
    }

    fn step(
        &mut self,
        id: MessageId,
        now: Time,
        asked: &mut BTreeMap<NodeId, usize>,
        in_vain: &BTreeMap<NodeId, u8>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        if let Some(broken) = self.asked.iter().position(|(_, due)| *due <= now) {
            let (peer, _) = self.asked.swap_remove(broken);
            release(asked, &peer);
            return Some(Step::Broken { peer });
        }
        let index = self.choose(asked, in_vain, rng)?;
        let voucher = self.vouchers.remove(index);
        let count = asked.entry(voucher.peer).or_default();
        *count = count.saturating_add(1);
        self.asked.push((voucher.peer, now + PROMISE));
        Some(Step::Ask { voucher, id })
    }

    /// A random voucher that is not asked for too much already: a witness if there is one, then a kept peer, and
    /// of those who were asked in vain least often.
    fn choose(
        &self,
        asked: &BTreeMap<NodeId, usize>,
        in_vain: &BTreeMap<NodeId, u8>,
        rng: &mut ChaCha8Rng,
    ) -> Option<usize> {
        let idle = |voucher: &Voucher| asked.get(&voucher.peer).copied().unwrap_or(0) < ASKED_MAX;
        let rank =
            |voucher: &Voucher| (voucher.role, in_vain.get(&voucher.peer).copied().unwrap_or(0));
        let vouchers = || self.vouchers.iter().enumerate().filter(|(_, voucher)| idle(voucher));
        let best = vouchers().map(|(_, voucher)| rank(voucher)).min()?;
        let eligible: Vec<usize> = vouchers()
            .filter(|(_, voucher)| rank(voucher) == best)
            .map(|(index, _)| index)
            .collect();
        let random = usize::try_from(rng.next_u32()).unwrap_or(0);
        eligible.get(random.checked_rem(eligible.len())?).copied()
    }

    /// When to look at it again; `None` if there is nothing left to do.
    fn next_timer(&self, now: Time, step: Option<&Step>, next_ask: Duration) -> Option<Time> {
        if matches!(step, Some(Step::Broken { .. })) {
            return Some(now);
        }
        if !self.vouchers.is_empty() {
            return Some(now + if step.is_some() { next_ask } else { ALL_BUSY });
        }
        self.asked.iter().map(|(_, due)| *due).min()
    }
}
