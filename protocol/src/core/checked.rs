//! What becomes of what came when its signature is checked: slot, the application's validator, then relay and vouch, then
//! k-of-n.

use forsooth_crypto::{Untrusted, Verified, verify};

use super::{Core, Lent, Validator};
use crate::{
    Effect, Event, Fault, Judgement, acceptance,
    gossip::{self, Spread, Vouching},
    ledger::Entry,
    links, membership,
    message::{Header, Publication},
    sync,
    verify::{Outcome, Subject, Ticket, Verdict},
};

impl Core {
    /// A signature check is done.
    pub(super) fn verdict(&mut self, Verdict { ticket, outcome }: Verdict) {
        match outcome {
            Outcome::Publication(message) => self.verified(ticket, message),
            Outcome::Proof(proof) => {
                let Some(pending) = self.intake.finish(ticket) else {
                    return;
                };
                self.expose(&proof, Some(pending.from));
            }
            Outcome::Record(record) => self.record_verified(ticket, record),
            Outcome::Member(record) => {
                self.inspected(ticket, |from| membership::Event::Member { record, from });
            }
            Outcome::Accusation(accusation) => {
                self.inspected(ticket, |from| membership::Event::Accusation { accusation, from });
            }
            Outcome::Answer(answer) => {
                self.inspected(ticket, |from| membership::Event::Answer { answer, from });
            }
            Outcome::Rejected(subject, _) => {
                let Some(pending) = self.intake.finish(ticket) else {
                    return;
                };
                let fault = match subject {
                    Subject::Publication => Fault::Forged,
                    Subject::Proof => Fault::FalseProof,
                    Subject::Record => Fault::BadRecord,
                    Subject::Member | Subject::Accusation | Subject::Answer => Fault::BadStatement,
                };
                self.tell_gossip(gossip::Event::Spoiled { id: pending.message });
                let (id, from) = (pending.message, pending.from);
                self.tell_sync(sync::Event::Spoiled { id, from });
                self.accuse(pending.from, fault);
                pending.also.into_iter().for_each(|also| self.accuse(also, fault));
            }
        }
    }

    /// The message is its author's. Is it the only one for its slot?
    fn verified(&mut self, ticket: Ticket, message: Verified<Publication>) {
        let Some(pending) = self.intake.get(ticket) else { return };
        let (from, also) = (pending.from, pending.also.clone());
        let Header { slot, .. } = *message.header();
        if self.sync.as_mut().is_some_and(|sync| sync.is_restored(&message.id())) {
            return self.restored(ticket, message);
        }
        if self.is_over(message.header()) && self.is_pulling(&message) {
            return self.late(ticket, message);
        }
        // Both may have come to light, or to pass, while the signature was checked.
        if self.unheard(&slot.author) || self.is_over(message.header()) {
            return self.refuse(ticket, &message);
        }
        if slot.author == self.me && !self.ledger.contains(&message.id()) {
            self.recognise_own(slot.generation, message.header().timestamp);
        }
        if self.sync.is_some() && self.collides(&message) {
            return self.refuse(ticket, &message);
        }
        // Before the ledger knows it, so that who has it is known when it is passed on.
        self.recognise(&message.id(), slot.topic);
        let mut entry = self.ledger.record(&message, Some(from));
        for other in also {
            // There is no room for more from this one; another brought it too.
            if matches!(entry, Entry::Full) {
                entry = self.ledger.record(&message, Some(other));
            }
        }
        match entry {
            Entry::New => self.judge(ticket, message),
            Entry::Known => self.finish_repeated(ticket, &message),
            Entry::Conflict(proof) => {
                self.refuse(ticket, &message);
                // Both headers were verified here already; the type asks to see it, once for each author.
                if let Ok(proof) = verify(Untrusted::new(proof)) {
                    self.expose(&proof, None);
                }
            }
            Entry::OverRate => {
                self.refuse(ticket, &message);
                self.blame(Some(from), Some(slot.author), Fault::OverRate);
            }
            // Not refused: others may have room for what they bring.
            Entry::Full => {
                self.intake.finish(ticket);
                self.settle_pull(&message, false);
            }
        }
    }

    fn finish_repeated(&mut self, ticket: Ticket, message: &Publication) {
        let Some(pending) = self.intake.finish(ticket) else {
            return;
        };
        self.settle_pull(message, false);
        for from in [pending.from].into_iter().chain(pending.also) {
            self.repeated(message.id(), message.header().slot, from);
        }
    }

    /// The message is not passed on.
    fn refuse(&mut self, ticket: Ticket, message: &Publication) {
        let Some(pending) = self.intake.finish(ticket) else {
            return;
        };
        let (id, topic) = (message.id(), message.header().slot.topic);
        self.recognise(&id, topic);
        self.tell_gossip(gossip::Event::Overruled { id, topic, from: pending.from });
        self.tell_acceptance(acceptance::Event::Refused { id });
        self.settle_pull(message, true);
    }

    /// Asks the application, if it wants to be asked.
    fn judge(&mut self, ticket: Ticket, message: Verified<Publication>) {
        match self.validator {
            Validator::None => self.hold(ticket, message),
            Validator::Application => {
                self.judging.insert(ticket, message.clone());
                self.effects.push_back(Effect::Validate { ticket, message });
            }
        }
    }

    /// The application has judged.
    pub(super) fn validated(&mut self, ticket: Ticket, judgement: Judgement) {
        let Some(message) = self.judging.remove(&ticket) else {
            return;
        };
        let is_late = self.is_over(message.header()) && self.is_pulling(&message);
        match judgement {
            Judgement::Accept if is_late => self.hold_late(ticket, &message),
            Judgement::Accept => {
                // Some may have named it while the application judged.
                self.recognise(&message.id(), message.header().slot.topic);
                self.hold(ticket, message);
            }
            Judgement::Ignore => self.refuse(ticket, &message),
            Judgement::Reject => {
                let from = self.intake.get(ticket).map(|pending| pending.from);
                self.refuse(ticket, &message);
                self.blame(from, Some(message.header().slot.author), Fault::Invalid);
            }
        }
    }

    /// The message is verified, valid and alone in its slot: relay it, vouch for it, and see who else does.
    fn hold(&mut self, ticket: Ticket, message: Verified<Publication>) {
        // Its author may have been exposed while the application judged.
        if self.is_over(message.header()) || self.unheard(&message.header().slot.author) {
            return self.refuse(ticket, &message);
        }
        let Some(pending) = self.intake.finish(ticket) else { return };
        let (id, slot, from) = (message.id(), message.header().slot, pending.from);
        let vouching = self.vouching(&message);
        let Lent { mut cx, gossip, .. } = self.lend();
        let spread = gossip.spread(&message, Some(from), vouching, &mut cx);
        let Spread { pushed, vouched, holders } = spread;
        if vouching != Vouching::Now {
            self.keep_held(&message);
            self.settle_pull(&message, false);
        }
        self.tell_links(links::Event::Served { peer: from });
        self.tell_links(links::Event::Held);
        let told = holders.into_iter().chain([from]);
        told.for_each(|peer| self.tell_links(links::Event::Told { peer, messages: 1 }));
        let event = Event::Relayed { id, from: Some(from), pushed, vouched };
        self.effects.push_back(Effect::Event(event));
        // What this node said in an earlier life is news to others, not to its own application.
        if slot.author != self.me {
            // If who sends it stands behind it, that may be all that it has to wait for. Who was asked for it has it on disk.
            if self.acceptance.counts_vouches()
                && (vouching == Vouching::Quietly || self.is_vouch(&slot, &from))
                && let Some(witness) = self.links.witness(&from)
            {
                let event = acceptance::Event::Vouched { witness, ids: vec![id] };
                self.tell_acceptance(event);
            }
            self.tell_acceptance(acceptance::Event::Held { message, from });
        }
        pending.also.into_iter().for_each(|also| self.repeated(id, slot, also));
    }
}
