//! Anti-entropy, wired: what becomes of messages that were pulled, and what comparisons say for acceptance.
//!
//! A message that was pulled and is still alive goes the ordinary way, but is pushed to nobody: whoever lacks it is
//! vouched to, or pulls it too. One whose lifetime is over is checked like any other, and then waits, unseen by others, until its
//! topic's policy accepts it: else whoever dates a message back could have it spread by those who sync.

use std::collections::BTreeMap;

use forsooth_crypto::{NodeId, Untrusted, Verified, verify};

use super::{Core, Lent, Validator, intake::Admission};
use crate::{
    Effect, Fault, Held,
    acceptance::{self, Event::Vouched},
    group::Group,
    ledger::Entry,
    machine::{Cx, Machine as _},
    message::{Header, MessageId, Proof, Publication, Slot},
    network::TopicId,
    sync::{Bounds, Event, Item, Sync, item},
    time::Time,
    verify::{Check, Ticket},
};

/// Where a message stands among those of its topic.
pub(super) fn place(message: &Publication) -> (TopicId, Item) {
    let Header { slot: Slot { topic, .. }, timestamp, .. } = *message.header();
    (topic, item(timestamp, &message.id()))
}

impl Core {
    pub(super) fn tell_sync(&mut self, event: Event) {
        self.with_sync(|sync, cx| sync.handle(event, cx));
    }

    pub(super) fn tick_sync(&mut self) {
        let now = self.now;
        self.with_sync(|sync, cx| {
            if sync.deadline().is_some_and(|deadline| deadline <= now) {
                sync.tick(cx);
            }
        });
    }

    fn with_sync(&mut self, act: impl FnOnce(&mut Sync, &mut Cx<'_>)) {
        let Lent { mut cx, sync, .. } = self.lend();
        if let Some(sync) = sync {
            act(sync, &mut cx);
        }
    }

    /// Tells who the witnesses are.
    pub(super) fn introduce_witnesses(&mut self) {
        if self.sync.is_none() {
            return;
        }
        let joined = self.links.witnesses().filter(|(_, link)| link.joined);
        let witnesses: BTreeMap<NodeId, Group> =
            joined.map(|(peer, link)| (peer, link.group)).collect();
        self.tell_sync(Event::Witnesses(witnesses));
    }

    /// Whether a message is known by its id alone.
    pub(super) fn knows(&self, id: &MessageId) -> bool {
        self.ledger.contains(id) || self.sync.as_ref().is_some_and(|sync| sync.remembers(id))
    }

    /// Whether a message is known, or held.
    pub(super) fn has(&self, message: &Publication) -> bool {
        let (topic, item) = place(message);
        let held = || self.sync.as_ref().is_some_and(|sync| sync.holds(topic, &item));
        self.ledger.contains(&message.id()) || held()
    }

    /// Whether a message that is being checked was pulled.
    pub(super) fn is_pulling(&self, message: &Publication) -> bool {
        let (topic, item) = place(message);
        self.sync.as_ref().is_some_and(|sync| sync.is_pulling(topic, &item))
    }

    fn has_let_go(&self, message: &Publication) -> bool {
        let (topic, item) = place(message);
        self.sync.as_ref().is_some_and(|sync| sync.has_let_go(topic, &item))
    }

    /// What was pulled is dealt with.
    pub(super) fn settle_pull(&mut self, message: &Publication, is_refused: bool) {
        if self.sync.is_some() {
            let (topic, item) = place(message);
            self.tell_sync(Event::Settled { topic, item, is_refused });
        }
    }

    /// A peer sent a message that it was asked for.
    pub(super) fn pulled(&mut self, from: NodeId, message: Publication) {
        let header = *message.header();
        if self.has(&message) {
            // What was dealt with and is not kept is not wanted.
            let (topic, item) = place(&message);
            let is_held = self.sync.as_ref().is_some_and(|sync| sync.holds(topic, &item));
            let is_here = is_held || self.intake.holds(&message.id());
            return self.settle_pull(&message, !is_here);
        }
        match self.plausible(&header, message.payload().len()) {
            Ok(()) => {
                self.arrived(from, message.clone());
                self.settle_unchecked(&message);
            }
            Err(Fault::Expired) if self.ledger.exposed(&header.slot.author) => {
                self.settle_pull(&message, true);
            }
            // While it was compared and fetched, it may have come from elsewhere, and gone.
            Err(Fault::Expired) if self.has_let_go(&message) => self.settle_pull(&message, true),
            Err(Fault::Expired) => self.check_again(from, &message),
            Err(Fault::BadPayload) => {
                // Its header is good, and others may have it with its payload.
                let id = message.id();
                self.tell_sync(Event::Spoiled { id, from });
                self.accuse(from, Fault::BadPayload);
            }
            Err(fault) => {
                self.settle_pull(&message, true);
                self.accuse(from, fault);
            }
        }
    }

    /// Has the signature of a message checked that did not come by gossip.
    fn check_again(&mut self, from: NodeId, message: &Publication) {
        match self.intake.admit(from, message.id(), message.frame()) {
            Admission::Check(ticket) => {
                let check = Check::Publication(Untrusted::new(message.clone()));
                self.effects.push_back(Effect::Verify { ticket, check });
            }
            Admission::Waiting => {}
            Admission::Full => self.unready(message),
        }
    }

    fn unready(&mut self, message: &Publication) {
        let (topic, item) = place(message);
        self.tell_sync(Event::Unready { topic, item });
    }

    /// What went the ordinary way and is not being checked was refused on it, or found no room.
    fn settle_unchecked(&mut self, message: &Publication) {
        let id = message.id();
        if self.intake.holds(&id) || !self.is_pulling(message) {
            return;
        }
        let is_refused = self.gossip.refused(&id) || self.unheard(&message.header().slot.author);
        if is_refused || self.has(message) {
            self.settle_pull(message, is_refused);
        } else {
            self.unready(message);
        }
    }

    /// A message of an earlier life that was not accepted in it.
    pub(super) fn restore(&mut self, message: &Publication) {
        let me = self.me;
        match self.intake.admit(me, message.id(), message.frame()) {
            Admission::Check(ticket) => {
                let check = Check::Publication(Untrusted::new(message.clone()));
                self.effects.push_back(Effect::Verify { ticket, check });
            }
            Admission::Waiting => {}
            Admission::Full => {
                let (topic, id) = (message.header().slot.topic, message.id());
                self.tell_sync(Event::Unrestored { topic, id });
            }
        }
    }

    /// It is what it was. It waits for vouches again; everybody was told of it then.
    pub(super) fn restored(&mut self, ticket: Ticket, message: Verified<Publication>) {
        self.intake.finish(ticket);
        let is_over = self.is_over(message.header());
        if !is_over {
            drop(self.ledger.record(&message, None));
        }
        if self.ledger.exposed(&message.header().slot.author) {
            return;
        }
        let from = self.me;
        let (topic, item) = place(&message);
        if is_over && self.network.topic(topic).policy.threshold() > 0 {
            self.tell_sync(Event::Again { topic, item });
        }
        self.tell_acceptance(if is_over {
            acceptance::Event::Late { message, from }
        } else {
            acceptance::Event::Held { message, from }
        });
    }

    /// A message that was pulled is its author's, and its lifetime is over.
    pub(super) fn late(&mut self, ticket: Ticket, message: Verified<Publication>) {
        let slot = message.header().slot;
        if self.ledger.exposed(&slot.author) || self.collides(&message) {
            return self.refuse_late(ticket, &message);
        }
        // It may have been counted before, and dropped since: that is nobody's fault.
        if let Entry::OverRate = self.ledger.record_late(&message) {
            return self.refuse_late(ticket, &message);
        }
        match self.validator {
            Validator::Application if slot.author != self.me => {
                self.judging.insert(ticket, message.clone());
                self.effects.push_back(Effect::Validate { ticket, message });
            }
            Validator::None | Validator::Application => self.hold_late(ticket, &message),
        }
    }

    /// Whether a message's slot has another; then that is proven.
    pub(super) fn collides(&mut self, message: &Verified<Publication>) -> bool {
        let (_, item) = place(message);
        if let Some(proof) = self.ledger.conflict(message.signed()) {
            self.expose_both(proof);
            return true;
        }
        let slot = message.header().slot;
        let taken = self.sync.as_ref().and_then(|sync| sync.conflict(&slot, &item));
        if let Some(taken) = taken {
            let header = message.signed().detached();
            self.tell_sync(Event::Conflict { taken, header });
        }
        taken.is_some()
    }

    /// Two headers for one slot, both of which were verified here or in an earlier life.
    pub(super) fn expose_both(&mut self, proof: Proof) {
        if let Ok(proof) = verify(Untrusted::new(proof)) {
            self.expose(&proof, None);
        }
    }

    pub(super) fn refuse_late(&mut self, ticket: Ticket, message: &Publication) {
        if self.intake.finish(ticket).is_some() {
            self.settle_pull(message, true);
        }
    }

    /// The message is verified, valid, and alone in its slot; and late. Those who have it vouch for it.
    pub(super) fn hold_late(&mut self, ticket: Ticket, message: &Verified<Publication>) {
        let Some(pending) = self.intake.finish(ticket) else { return };
        let (topic, item) = place(message);
        let sync = self.sync.as_ref().filter(|_| self.acceptance.counts_vouches());
        let mut holders = sync.map(|sync| sync.holders(topic, &item)).unwrap_or_default();
        holders.push(pending.from);
        self.settle_pull(message, false);
        let slot = message.header().slot;
        if slot.author == self.me {
            self.recognise_own(slot.generation, message.header().timestamp);
            return self.keep_late(message);
        }
        if self.network.topic(topic).policy.threshold() > 0 {
            let (message, from) = ((**message).clone(), pending.from);
            self.tell_sync(Event::Pending { message, from });
        } else {
            self.keep_late(message);
        }
        let (message, from) = (message.clone(), pending.from);
        let id = message.id();
        self.tell_acceptance(acceptance::Event::Late { message, from });
        holders.into_iter().for_each(|holder| self.count_late(holder, vec![id]));
    }

    /// Counts vouches for messages that wait.
    fn count_late(&mut self, from: NodeId, mut ids: Vec<MessageId>) {
        let Some(witness) = self.links.witness(&from) else { return };
        ids.retain(|id| self.acceptance.waits(id));
        if !ids.is_empty() {
            self.tell_acceptance(Vouched { witness, ids });
        }
    }

    /// A peer holds all that we compared with it within these bounds, but for what it lacks or may not have been asked about: it
    /// vouches for what it holds.
    pub(super) fn agreed(
        &mut self,
        peer: NodeId,
        topic: TopicId,
        bounds: Bounds,
        lacking: &[Item],
    ) {
        let sync = self.sync.as_ref();
        let held = |message: &&Verified<Publication>| {
            let (_, item) = place(message);
            let is_compared = sync.is_some_and(|sync| sync.compares(topic, &item));
            is_compared && bounds.contains(item.at()) && lacking.binary_search(&item).is_err()
        };
        let ids: Vec<_> =
            self.acceptance.waiting(topic).filter(held).map(|message| message.id()).collect();
        self.count_late(peer, ids);
    }

    /// What is on disk, of earlier lives or since the disk works again. What this life has dealt with is not looked at again.
    pub(super) fn take_stock(&mut self, mut all: Vec<Held>) {
        all.retain(|held| !self.ledger.exposed(&held.slot.author));
        for held in &mut all {
            held.is_open &= !self.ledger.contains(&held.id) && !self.acceptance.waits(&held.id);
        }
        self.tell_sync(Event::Holds(all));
    }

    /// When something about what was pulled is due.
    pub(super) fn sync_deadline(&self) -> Option<Time> {
        self.sync.as_ref().and_then(|sync| sync.deadline())
    }
}
