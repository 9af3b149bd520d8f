//! Messages that others vouch for and we lack, whom we asked, and who broke the promise to serve.
//!
//! A vouch starts a timer; the payload usually overtakes it. If not, a random voucher is asked, witnesses
//! first, then another. Whoever was asked and has not served within [`PROMISE`](super::PROMISE) has broken a promise, unless
//! the payload came from elsewhere first, after which nobody can tell. But whoever was asked in vain, until
//! somebody else served, is asked after others from then on, until it serves again. What one peer is asked
//! for at a time is bounded, so that a newcomer who lacks everything does not overrun the queues of those who
//! serve it.
//!
//! A large payload is announced: with its size, and whether it is sent or waits to be asked for. It is taken from the
//! first who says so, and nobody else is asked for as long as so many bytes take. Whoever announces owes it, as if it
//! had been asked, and one that was asked in vain gains no time by announcing.

mod load;
mod pace;
mod wanted;

use core::time::Duration;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;

use self::{load::Load, pace::Pace, wanted::Wanted};
use super::patience::Patience;
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
/// Who announced one message and was not asked, as far as it is remembered; there are hardly more links.
const OFFERS_MAX: usize = 64;

/// What we lack.
#[derive(Debug)]
pub(super) struct Missing {
    defences: Defences,
    messages: FairMap<MessageId, NodeId, Wanted>,
    timers: Agenda<Time, MessageId>,
    load: Load,
    /// With the tree, before somebody is asked.
    patience: Patience,
    /// With who was asked, before the next is.
    pace: Pace,
}

/// Somebody who says to have a message, and on which topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voucher {
    pub(super) peer: NodeId,
    pub(super) role: Role,
    /// As this voucher says; the others may say otherwise.
    pub(super) topic: TopicId,
}

/// How a large payload was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is on its way.
    Sent,
    /// It is sent to who asks for it.
    Offered,
}

/// What is known of a message when it is here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Who said to have it.
    pub(super) holders: Vec<NodeId>,
    /// Who announced it and was not asked.
    pub(super) offers: Vec<NodeId>,
    /// The first peer of our choice to say so, and how long before a payload came that nobody was asked for.
    pub(super) first: Option<(NodeId, Duration)>,
    /// How long after the first id of all that payload came; `None` if somebody had to be asked, or it came before the ids.
    pub(super) lag: Option<Duration>,
    /// Whoever brought it had been asked for it.
    pub(super) was_asked: bool,
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
    pub(super) fn new(defences: Defences) -> Self {
        Self {
            defences,
            messages: FairMap::new(MISSING_MAX),
            timers: Agenda::new(),
            load: Load::default(),
            patience: Patience::with_tree(),
            pace: Pace::new(),
        }
    }

    /// A peer says that it has a message that we lack.
    /// It has said so `since` then, though it may have been understood only now.
    pub(super) fn vouched(&mut self, id: MessageId, voucher: Voucher, since: Time, now: Time) {
        let Some(wanted) = self.messages.get_mut(&id) else {
            let timer = since + self.patience.wait();
            return self.insert(id, Wanted::new(voucher, since, timer));
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
            wanted.timer.min(wanted.next_ask.max(now + self.pace.request(None)))
        } else {
            wanted.timer
        };
        wanted.vouchers.push(voucher);
        self.set_timer(&id, timer);
    }

    /// A voucher was asked at that time, by what it called the message.
    pub(super) fn asked(&mut self, id: &MessageId, peer: &NodeId, at: Time) {
        if let Some(wanted) = self.messages.get_mut(id)
            && wanted.commit(peer, at, false, &self.pace).is_some()
        {
            self.load.charge(wanted.asked.last());
            let timer = wanted.next_look().max(wanted.timer);
            self.set_timer(id, timer);
        }
    }

    /// A peer vouches for a payload of so many bytes, and sends it or offers to. If it is to be asked now, returns it.
    pub(super) fn announced(
        &mut self,
        id: MessageId,
        voucher: Voucher,
        bytes: u32,
        manner: Manner,
        now: Time,
    ) -> Option<Voucher> {
        self.vouched(id, voucher, now, now);
        let Self { messages, timers, load, pace, .. } = self;
        let wanted = messages.get_mut(&id)?;
        let timer = wanted.note_size(bytes, pace);
        timers.remove(&(wanted.timer, id));
        wanted.timer = timer;
        timers.insert((timer, id));
        let sends = manner == Manner::Sent;
        if let Some(asked) = wanted.asked.iter_mut().find(|asked| asked.peer == voucher.peer) {
            if sends && !asked.sends {
                asked.sends = true;
                let transfer = pace.transfer(wanted.bytes);
                asked.due = asked.due + transfer;
                wanted.next_ask = wanted.next_ask.max(now + transfer);
                let timer = wanted.timer.max(wanted.next_look());
                self.set_timer(&id, timer);
            }
            return None;
        }
        let is_free = wanted.asked.is_empty() && wanted.seen.is_none();
        let is_trusted = load.in_vain(&voucher.peer) == 0;
        if is_free && is_trusted && load.has_room(&voucher.peer, wanted.bytes) {
            let chosen = wanted.commit(&voucher.peer, now, sends, pace)?;
            load.charge(wanted.asked.last());
            let timer = wanted.next_look();
            self.set_timer(&id, timer);
            return (!sends).then_some(chosen);
        }
        if !sends && wanted.offers.len() < OFFERS_MAX {
            wanted.offers.push(voucher.peer);
        }
        None
    }

    /// How often a peer was asked in vain since it last served.
    pub(super) fn in_vain(&self, peer: &NodeId) -> u8 {
        self.load.in_vain(peer)
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
        let request = self.pace.request(wanted.bytes);
        let late = wanted.asked.iter().filter(|asked| asked.at + request <= now);
        late.for_each(|asked| self.asked_in_vain(asked.peer));
        let vouchers = wanted.vouchers.into_iter().map(|voucher| voucher.peer);
        let asked = wanted.asked.into_iter().map(|asked| asked.peer);
        Arrival {
            holders: vouchers.chain(asked).collect(),
            offers: wanted.offers,
            first,
            lag,
            was_asked: matches!(wanted.seen, Some((_, true))),
        }
    }

    /// A peer has sent it, whatever it is worth: its promise is kept.
    pub(super) fn kept(&mut self, id: &MessageId, from: &NodeId, now: Time) {
        let Some(wanted) = self.messages.get_mut(id) else { return };
        wanted.vouchers.retain(|voucher| voucher.peer != *from);
        let place = wanted.asked.iter().position(|asked| asked.peer == *from);
        let asked = place.map(|place| wanted.asked.swap_remove(place));
        // Whoever sends a large one unasked is as early as its announcement.
        let pushed = asked.filter(|asked| asked.sends && !asked.was_asked);
        let seen_at = pushed.map_or(now, |pushed| pushed.at);
        wanted.seen = wanted.seen.or(Some((seen_at, asked.is_some() && pushed.is_none())));
        if let Some(asked) = asked {
            self.load.release(&asked);
            self.pace.learn(now.since(asked.at), wanted.bytes);
            self.load.forgive(from);
        }
    }

    /// How long the tree is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.patience.wait()
    }

    /// How long somebody who was asked is waited for, before the next is.
    pub(super) fn round_trip(&self) -> Duration {
        self.pace.request(None)
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
                wanted.asked.retain(|asked| asked.peer != *peer);
                wanted.offers.retain(|offer| offer != peer);
            }
        }
        self.load.forget(peer);
    }

    fn asked_in_vain(&mut self, peer: NodeId) {
        if self.defences.has(Safeguard::Promises) {
            self.load.fail(peer);
        }
    }

    fn owe_nothing(&mut self, wanted: &Wanted) {
        wanted.asked.iter().for_each(|asked| self.load.release(asked));
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
            let step = wanted.step(id, now, &mut self.load, &self.pace, rng);
            match wanted.next_timer(now, step.as_ref()) {
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
        Self {
            holders: Vec::new(),
            offers: Vec::new(),
            first: None,
            lag: Some(Duration::ZERO),
            was_asked: false,
        }
    }
}

impl Voucher {
    /// Whether we, or the operator, chose it.
    const fn is_chosen(&self) -> bool {
        matches!(self.role, Role::Witness | Role::Kept)
    }
}
