//! One message that we lack: who has it, who was asked, and when to look again.

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;

use super::{ALL_BUSY, Step, Voucher, load::Load, pace::Pace};
use crate::{gossip::PROMISE, links::Role, machine::below, message::MessageId, time::Time};

/// Vouchers kept for one missing message; witnesses have room beyond it, so that those who came to us cannot
/// shut out those whom we chose.
const VOUCHERS_MAX: usize = 16;
/// Vouchers kept for one missing message when the rest are witnesses.
const VOUCHERS_AND_WITNESSES_MAX: usize = 64;

/// A message that we lack.
#[derive(Debug)]
pub(super) struct Wanted {
    /// When the first voucher spoke.
    pub(super) since: Time,
    /// The first peer of our choice to vouch, and when.
    pub(super) first: Option<(NodeId, Time)>,
    /// When a payload was here, and whether from somebody who was asked.
    pub(super) seen: Option<(Time, bool)>,
    /// Who says to have it and was not asked yet.
    pub(super) vouchers: Vec<Voucher>,
    /// Who was asked, or said that it sends it.
    pub(super) asked: Vec<Asked>,
    /// Its size, if somebody announced it: the least that anybody said.
    pub(super) bytes: Option<u32>,
    /// Who announced it and was not asked: it need not have.
    pub(super) offers: Vec<NodeId>,
    /// Nobody else is asked before then.
    pub(super) next_ask: Time,
    pub(super) timer: Time,
}

/// Somebody who owes us a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) peer: NodeId,
    /// Since when.
    pub(super) at: Time,
    /// By when it must have served.
    pub(super) due: Time,
    /// What it weighs among all that this peer is asked for.
    pub(super) weight: usize,
    /// It said that it sends it.
    pub(super) sends: bool,
    /// We asked; else it said so by itself.
    pub(super) was_asked: bool,
}

impl Wanted {
    /// What one peer vouches for, to be asked for at `timer`.
    pub(super) fn new(voucher: Voucher, since: Time, timer: Time) -> Self {
        Self {
            since,
            first: voucher.is_chosen().then_some((voucher.peer, since)),
            seen: None,
            vouchers: vec![voucher],
            asked: Vec::new(),
            bytes: None,
            offers: Vec::new(),
            next_ask: since,
            timer,
        }
    }

    pub(super) fn concerns(&self, peer: &NodeId) -> bool {
        self.vouchers.iter().any(|voucher| voucher.peer == *peer) || self.is_asked(peer)
    }

    pub(super) fn is_asked(&self, peer: &NodeId) -> bool {
        self.asked.iter().any(|asked| asked.peer == *peer)
    }

    pub(super) fn has_room(&self, role: Role) -> bool {
        let max = match role {
            Role::Witness => VOUCHERS_AND_WITNESSES_MAX,
            Role::Kept | Role::Inbound => VOUCHERS_MAX,
        };
        self.vouchers.len() < max
    }

    /// Somebody says how large it is. Of what several say the least counts: who exaggerates gains no time if anybody does
    /// not. Returns when to look at it.
    pub(super) fn note_size(&mut self, bytes: u32, pace: &Pace) -> Time {
        if self.bytes.is_some_and(|least| least <= bytes) {
            return self.timer;
        }
        let is_less = self.bytes.replace(bytes).is_some();
        match self.asked.iter().map(|asked| asked.at).max() {
            Some(last) if is_less => {
                self.next_ask = self.next_ask.min(last + pace.request(self.bytes));
                self.timer.min(self.next_look())
            }
            Some(_) | None => self.timer,
        }
    }

    /// A voucher owes it from now on; nobody else is asked for as long as that takes. Returns who it is.
    pub(super) fn commit(
        &mut self,
        peer: &NodeId,
        at: Time,
        sends: bool,
        pace: &Pace,
    ) -> Option<Voucher> {
        let place = self.vouchers.iter().position(|voucher| voucher.peer == *peer)?;
        let voucher = self.vouchers.remove(place);
        let due = at + PROMISE + pace.transfer(self.bytes);
        let weight = Load::weight(self.bytes);
        self.asked.push(Asked { peer: *peer, at, due, weight, sends, was_asked: !sends });
        self.next_ask = self.next_ask.max(at + pace.request(self.bytes));
        Some(voucher)
    }

    pub(super) fn step(
        &mut self,
        id: MessageId,
        now: Time,
        load: &mut Load,
        pace: &Pace,
        rng: &mut ChaCha8Rng,
    ) -> Option<Step> {
        if let Some(broken) = self.asked.iter().position(|asked| asked.due <= now) {
            let asked = self.asked.swap_remove(broken);
            load.release(&asked);
            return Some(Step::Broken { peer: asked.peer });
        }
        let peer = self.choose(load, rng)?;
        let voucher = self.commit(&peer, now, false, pace)?;
        load.charge(self.asked.last());
        Some(Step::Ask { voucher, id })
    }

    /// A random voucher that is not asked for too much already: a witness if there is one, then a kept peer, and
    /// of those who were asked in vain least often.
    fn choose(&self, load: &Load, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        let rank = |voucher: &Voucher| (voucher.role, load.in_vain(&voucher.peer));
        let idle =
            || self.vouchers.iter().filter(|voucher| load.has_room(&voucher.peer, self.bytes));
        let best = idle().map(rank).min()?;
        let eligible: Vec<NodeId> =
            idle().filter(|voucher| rank(voucher) == best).map(|voucher| voucher.peer).collect();
        eligible.get(below(rng, eligible.len())).copied()
    }

    /// When to look at it again after somebody was asked.
    pub(super) fn next_look(&self) -> Time {
        let due = self.asked.iter().map(|asked| asked.due).min();
        if self.vouchers.is_empty() { due.unwrap_or(self.next_ask) } else { self.next_ask }
    }

    /// When to look at it again; `None` if there is nothing left to do.
    pub(super) fn next_timer(&self, now: Time, step: Option<&Step>) -> Option<Time> {
        if matches!(step, Some(Step::Broken { .. })) {
            return Some(now);
        }
        if !self.vouchers.is_empty() {
            let busy = now + ALL_BUSY;
            return Some(if step.is_some() { self.next_ask } else { self.next_ask.max(busy) });
        }
        self.asked.iter().map(|asked| asked.due).min()
    }
}
