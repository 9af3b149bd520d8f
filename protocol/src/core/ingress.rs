//! A frame's way through the checks, cheapest first: quota, form, clock, seen before, signature, slot,
//! the application's validator, then relay and vouch, then k-of-n.

use core::time::Duration;

use bytes::Bytes;
use forsooth_crypto::{NodeId, Untrusted, Verified, verify};

use super::{Core, Validator, intake::Admission};
use crate::{
    Class, Effect, Event, Fault, Judgement, Lane, acceptance,
    defences::Safeguard,
    gossip::{self, Spread, Vouching},
    ledger::Entry,
    links, membership,
    message::{Header, MessageId, Proof, Publication, Slot},
    overlay, sync,
    verify::{Check, Outcome, Subject, Ticket, Verdict},
    wire::{Frame, claims_to_be_sync},
};

/// A generation is about the Unix time of its node's start; one this far ahead of the clock is absurd.
const GENERATION_AHEAD_MAX: Duration = Duration::from_secs(365 * 86_400);

impl Core {
    /// A frame arrived.
    pub(super) fn received(&mut self, from: NodeId, lane: Lane, frame: &Bytes) {
        let Some(link) = self.links.get(&from) else {
            return;
        };
        let (greeted, visits) = (link.hello.is_some(), link.is_visit());
        // Charged before decoding: a flooder pays for bytes, not for well-formed bytes.
        let claims_sync = claims_to_be_sync(frame);
        let is_admitted = if claims_sync {
            self.quotas.admit_sync(&from, lane, frame.len())
        } else {
            self.quotas.admit(&from, lane, frame.len())
        };
        if self.defences.has(Safeguard::Quota) && !is_admitted {
            return self.accuse(from, Fault::OverQuota);
        }
        let decoded = match Frame::decode(frame, &self.network) {
            Ok(decoded)
                if class(&decoded).lane() == lane && class(&decoded).is_sync() == claims_sync =>
            {
                decoded
            }
            Ok(_) => return self.accuse(from, Fault::Malformed),
            Err(fault) => return self.accuse(from, fault),
        };
        // Whoever has not said hello takes no part. It is no fault: after one of two connections broke, the
        // other side may not know yet that it has to say it again. A payload is welcome from anybody, and
        // may overtake the hello, since the lanes are separate.
        if lane == Lane::Control && !greeted && !matches!(decoded, Frame::Hello(_)) {
            return;
        }
        let is_gossip = match decoded {
            Frame::Publication(_)
            | Frame::Vouch { .. }
            | Frame::ShortVouch { .. }
            | Frame::Announce(_)
            | Frame::Ask { .. }
            | Frame::Unknown { .. }
            | Frame::Inquire { .. }
            | Frame::Graft { .. }
            | Frame::Adopt { .. }
            | Frame::Prune { .. }
            | Frame::Offer { .. }
            | Frame::Proof(_) => true,
            Frame::Hello(_)
            | Frame::Pull
            | Frame::Answer(_)
            | Frame::Push(_)
            | Frame::Probe(_)
            | Frame::Ack(_)
            | Frame::Rumours { .. }
            | Frame::Sync { .. }
            | Frame::Summary { .. }
            | Frame::Want { .. }
            | Frame::Compare { .. }
            | Frame::Compared { .. }
            | Frame::Fetch { .. }
            | Frame::Haul { .. } => false,
        };
        // Nor does a visitor, whatever it brings; its hello may have been overtaken.
        if is_gossip && visits && greeted {
            return;
        }
        match decoded {
            Frame::Hello(hello) => self.greeted(from, hello),
            Frame::Publication(message) => self.arrived(from, message),
            Frame::Vouch { topic, ids } => self.vouched_in_full(from, topic, ids),
            Frame::ShortVouch { names } => self.vouched_in_short(from, &names),
            Frame::Announce(announce) => self.announced(from, announce),
            Frame::Ask { names } => self.tell_gossip(gossip::Event::Asked { from, names }),
            Frame::Unknown { names } => self.unknown(from, &names),
            Frame::Inquire { names, payloads } => {
                self.tell_gossip(gossip::Event::Inquired { from, names, payloads });
            }
            Frame::Graft { topic, ids } => {
                self.tell_gossip(gossip::Event::Grafted { from, topic, ids })
            }
            Frame::Adopt { author } => self.tell_gossip(gossip::Event::Adopted { from, author }),
            Frame::Prune { topic, author } => {
                self.tell_gossip(gossip::Event::Pruned { from, topic, author });
            }
            Frame::Proof(proof) => self.check_proof(from, proof, frame),
            Frame::Compare { topic, question } => {
                self.tell_sync(sync::Event::Asked { from, topic, question });
            }
            Frame::Compared { topic, reply, is_behind } => {
                self.tell_sync(sync::Event::Replied { from, topic, reply, is_behind });
            }
            Frame::Fetch { topic, number, items } => {
                self.tell_sync(sync::Event::Fetched { from, topic, number, items });
            }
            Frame::Offer { topic, items } => {
                self.tell_sync(sync::Event::Offered { from, topic, items });
            }
            Frame::Haul { topic, number, frames, is_last } => {
                self.tell_sync(sync::Event::Hauled { from, topic, number, frames, is_last });
            }
            Frame::Pull => self.asked_for_records(from),
            Frame::Answer(records) => {
                self.tell_overlay(overlay::Event::Answered { from, records });
            }
            Frame::Push(records) => self.pushed(from, records),
            Frame::Probe(probe) => {
                self.tell_membership(membership::Event::Probed { from, probe });
            }
            Frame::Ack(ack) => self.tell_membership(membership::Event::Acked { from, ack }),
            Frame::Rumours { members, accusations, asked } => {
                let event = membership::Event::Told { from, members, accusations, asked };
                self.tell_membership(event);
            }
            Frame::Sync { sums } => {
                self.tell_membership(membership::Event::Compared { from, sums });
            }
            Frame::Summary { ranges, names } => {
                self.tell_membership(membership::Event::Summed { from, ranges, names });
            }
            Frame::Want { names, members } => {
                self.tell_membership(membership::Event::Wanted { from, names, members });
            }
        }
    }

    /// A message arrived, with a payload.
    pub(super) fn arrived(&mut self, from: NodeId, message: Publication) {
        let (id, header) = (message.id(), *message.header());
        self.recognise(&id, header.slot.topic);
        // First of all: whoever was asked and sends it has kept its promise, whatever has become of it since.
        self.tell_gossip(gossip::Event::Seen { id, from });
        if let Err(fault) = self.plausible(&header, message.payload().len()) {
            // What is over stays over; the rest may be usable later, or from somebody else.
            let event = if fault == Fault::Expired {
                gossip::Event::Refused { id, from }
            } else {
                gossip::Event::Unusable { id }
            };
            self.tell_gossip(event);
            return self.accuse(from, fault);
        }
        if self.has(&message) {
            return self.repeated(id, header.slot, from);
        }
        if self.gossip.refused(&id) {
            return;
        }
        if self.unheard(&header.slot.author) {
            // The id binds the author, so it need not be verified to know that nobody should be asked for it.
            return self.tell_gossip(gossip::Event::Refused { id, from });
        }
        match self.intake.admit(from, id, message.frame()) {
            Admission::Check(ticket) => {
                self.tell_gossip(gossip::Event::Checking { id });
                let check = Check::Publication(Untrusted::new(message));
                self.effects.push_back(Effect::Verify { ticket, check });
            }
            Admission::Waiting | Admission::Full => {}
        }
    }

    /// Whether nothing of an author's is passed on any more.
    pub(super) fn unheard(&self, author: &NodeId) -> bool {
        self.ledger.exposed(author) || self.peers.banned(author, self.wall())
    }

    /// What can be told without a signature.
    pub(super) fn plausible(&self, header: &Header, payload_bytes: usize) -> Result<(), Fault> {
        let topic = self.network.topic(header.slot.topic);
        let wall = self.wall();
        if u32::try_from(payload_bytes) != Ok(header.payload_len)
            || header.payload_len > topic.payload_bytes_max
        {
            return Err(Fault::BadPayload);
        }
        if header.lifetime.is_zero() || header.lifetime > topic.lifetime_max {
            return Err(Fault::LongLifetime);
        }
        if !self.defences.has(Safeguard::Expiry) {
            return Ok(());
        }
        if header.slot.generation > wall.saturating_add(GENERATION_AHEAD_MAX).as_secs() {
            return Err(Fault::AbsurdGeneration);
        }
        if header.timestamp > wall.saturating_add(self.network.defence().clock_skew_max) {
            return Err(Fault::FromFuture);
        }
        if self.is_over(header) {
            return Err(Fault::Expired);
        }
        Ok(())
    }

    /// Whether a message's time is over.
    pub(super) fn is_over(&self, header: &Header) -> bool {
        let over = header.expires() <= self.wall() || self.ledger.forgotten(header);
        over && self.defences.has(Safeguard::Expiry)
    }

    /// A message came that is known: the link was one too many, and its sender may stand behind the message.
    fn repeated(&mut self, id: MessageId, slot: Slot, from: NodeId) {
        let Slot { author, topic, .. } = slot;
        self.effects.push_back(Effect::Event(Event::Duplicate { id, from }));
        self.tell_gossip(gossip::Event::Duplicate { topic, author, from });
        self.tell_links(links::Event::Told { peer: from, messages: 1 });
        if self.is_vouch(&slot, &from) {
            self.count_vouches(from, vec![id]);
        }
    }

    /// A proof came.
    fn check_proof(&mut self, from: NodeId, proof: Proof, frame: &Bytes) {
        if self.ledger.exposed(&proof.author()) || self.peers.disgraced(&proof.author()) {
            return;
        }
        // Dropped and nobody's fault: whoever relays a flood of true proofs is as honest as we are.
        let matters =
            self.ledger.hears(&proof.author()) || self.links.get(&proof.author()).is_some();
        if !matters
            && self.defences.has(Safeguard::Quota)
            && !self.quotas.admit_strange_proof(&from)
        {
            return;
        }
        let (first, _) = proof.headers();
        if let Admission::Check(ticket) = self.intake.admit(from, first.id(), frame) {
            let check = Check::Proof(Untrusted::new(proof));
            self.effects.push_back(Effect::Verify { ticket, check });
        }
    }

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
        let (mut cx, _, gossip, _) = self.lend();
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

/// The class that a frame belongs to, whatever lane it came on.
const fn class(frame: &Frame) -> Class {
    match frame {
        Frame::Hello(_) | Frame::Proof(_) => Class::Evidence,
        Frame::Inquire { .. }
        | Frame::Ask { .. }
        | Frame::Graft { .. }
        | Frame::Adopt { .. }
        | Frame::Prune { .. } => Class::Tree,
        Frame::Probe(_) | Frame::Ack(_) | Frame::Rumours { .. } | Frame::Sync { .. } => {
            Class::Members
        }
        Frame::Summary { .. } | Frame::Want { .. } => Class::Members,
        Frame::Vouch { .. }
        | Frame::ShortVouch { .. }
        | Frame::Announce(_)
        | Frame::Unknown { .. } => Class::Vouch,
        Frame::Pull | Frame::Answer(_) | Frame::Push(_) => Class::Peers,
        Frame::Compare { .. }
        | Frame::Compared { .. }
        | Frame::Fetch { .. }
        | Frame::Offer { .. } => Class::Sync,
        Frame::Haul { .. } => Class::Haul,
        Frame::Publication(_) => Class::Payload,
    }
}
