//! A frame's way through the checks before its signature, cheapest first: quota, form, clock, seen before.

use core::time::Duration;

use bytes::Bytes;
use forsooth_crypto::{NodeId, Untrusted};

use super::{Core, intake::Admission};
use crate::{
    Effect, Event, Fault, Lane,
    defences::Safeguard,
    gossip::{self, Repeated},
    links, membership,
    message::{Header, MessageId, Proof, Publication, Slot},
    overlay,
    quota::Charge,
    sync::{self, Set},
    verify::Check,
    wire::{Frame, claims_to_be_sync},
};

/// A generation is about the Unix time of its node's start; one this far ahead of the clock is absurd.
const GENERATION_AHEAD_MAX: Duration = Duration::from_secs(365 * 86_400);

impl Core {
    /// A frame arrived.
    pub(super) fn received(&mut self, from: NodeId, lane: Lane, frame: &Bytes) {
        let Some(link) = self.links.hear(&from, self.now) else {
            return;
        };
        let (greeted, visits) = (link.hello.is_some(), link.is_visit());
        // Charged before decoding: a flooder pays for bytes, not for well-formed bytes.
        let claims_sync = claims_to_be_sync(frame);
        let charge = self.quotas.admit(&from, lane, claims_sync, frame.len());
        if self.defences.has(Safeguard::Quota) {
            match charge {
                Charge::Paid => {}
                Charge::OverQuota => return self.accuse(from, Fault::OverQuota),
                Charge::Crowded => {
                    self.crowded = self.crowded.saturating_add(1);
                    return;
                }
            }
        }
        let decoded = match Frame::decode(frame, &self.network) {
            Ok(decoded)
                if decoded.class().lane() == lane && decoded.class().is_sync() == claims_sync =>
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
            | Frame::Reconcile { set: Set::Proofs, .. }
            | Frame::Reconciled { set: Set::Proofs, .. }
            | Frame::WantProofs { .. }
            | Frame::Proof(_) => true,
            Frame::Hello(_)
            | Frame::Pull
            | Frame::Answer(_)
            | Frame::Push(_)
            | Frame::Probe(_)
            | Frame::Ack(_)
            | Frame::Rumours { .. }
            | Frame::Reconcile { set: Set::Members, .. }
            | Frame::Reconciled { set: Set::Members, .. }
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
            Frame::Reconcile { set: Set::Members, question } => {
                self.tell_membership(membership::Event::Asked { from, question });
            }
            Frame::Reconciled { set: Set::Members, reply } => {
                self.tell_membership(membership::Event::Replied { from, reply });
            }
            Frame::Reconcile { set: Set::Proofs, question } => {
                self.asked_of_proofs(from, &question)
            }
            Frame::Reconciled { set: Set::Proofs, reply } => self.told_of_proofs(from, reply),
            Frame::WantProofs { authors } => self.show_proofs(from, &authors),
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
    pub(super) fn repeated(&mut self, id: MessageId, slot: Slot, from: NodeId) {
        let Slot { author, topic, .. } = slot;
        self.effects.push_back(Effect::Event(Event::Duplicate { id, from }));
        self.tell_gossip(gossip::Event::Duplicate { topic, author, from, what: Repeated::Sent });
        self.tell_links(links::Event::Told { peer: from, messages: 1 });
        if self.is_vouch(&slot, &from) {
            self.count_vouches(from, vec![id]);
        }
    }

    /// A proof came.
    fn check_proof(&mut self, from: NodeId, proof: Proof, frame: &Bytes) {
        if self.ledger.exposed(&proof.author()) {
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
}
