//! What waits for a verdict or a judgement: bounded for each peer, and each distinct frame checked once.

use std::collections::BTreeMap;

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{message::MessageId, snapshot::Bound, verify::Ticket};

/// Bytes of one peer's frames that wait. Two of the largest frames; a faster peer than our verification
/// loses what it sends beyond that, and others bring it later.
const BYTES_PER_PEER_MAX: usize = 4 << 20;
/// Bytes of all frames that wait, those of peers that have left included.
const BYTES_MAX: usize = 256 << 20;
/// What a waiting frame weighs beyond its bytes; bounds the count as well.
const OVERHEAD_BYTES: usize = 512;
/// Other peers kept that sent the same frame while it waited.
const ALSO_MAX: usize = 64;
/// Frames of one message that a new one is compared with. An honest message has one; a liar's variants beyond
/// it are each checked, at its own expense.
const VARIANTS_MAX: usize = 8;

/// Frames that wait for verdicts.
#[derive(Debug, Default)]
pub(super) struct Intake {
    tickets: BTreeMap<Ticket, Pending>,
    /// The frames that wait for each message. Its id is a digest that we computed.
    messages: BTreeMap<MessageId, Vec<Ticket>>,
    bytes: BTreeMap<NodeId, usize>,
    bytes_total: usize,
    next: u64,
}

/// A frame that waits.
#[derive(Debug)]
pub(super) struct Pending {
    /// Who sent it first. Pays for it.
    pub(super) from: NodeId,
    /// Who else sent the very same frame.
    pub(super) also: Vec<NodeId>,
    /// The message that it claims to be; of a proof, its first.
    pub(super) message: MessageId,
    frame: Bytes,
    weight: usize,
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Check it under this ticket.
    Check(Ticket),
    /// The same frame waits already.
    Waiting,
    /// Its sender has too much waiting.
    Full,
}

impl Intake {
    /// Admits a frame with this message, or with a proof whose first message this is.
    pub(super) fn admit(&mut self, from: NodeId, message: MessageId, frame: &Bytes) -> Admission {
        let variants = self.messages.get(&message).into_iter().flatten().take(VARIANTS_MAX);
        let same = variants.copied().find(|ticket| {
            // Compared byte by byte: a message that claims to be another must not pass for it.
            self.tickets.get(ticket).is_some_and(|pending| pending.frame == *frame)
        });
        if let Some(pending) = same.and_then(|ticket| self.tickets.get_mut(&ticket)) {
            pending.join(from);
            return Admission::Waiting;
        }
        let weight = frame.len().saturating_add(OVERHEAD_BYTES);
        let held = self.bytes.entry(from).or_default();
        let total = self.bytes_total.saturating_add(weight);
        if held.saturating_add(weight) > BYTES_PER_PEER_MAX || total > BYTES_MAX {
            return Admission::Full;
        }
        *held = held.saturating_add(weight);
        self.bytes_total = total;
        let ticket = Ticket(self.next);
        self.next = self.next.saturating_add(1);
        self.messages.entry(message).or_default().push(ticket);
        let pending = Pending { from, also: Vec::new(), message, frame: frame.clone(), weight };
        self.tickets.insert(ticket, pending);
        Admission::Check(ticket)
    }

    /// The frame stays, for its next check.
    pub(super) fn get(&self, ticket: Ticket) -> Option<&Pending> {
        self.tickets.get(&ticket)
    }

    /// The frame is dealt with.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.tickets.remove(&ticket)?;
        self.bytes_total = self.bytes_total.saturating_sub(pending.weight);
        if let Some(variants) = self.messages.get_mut(&pending.message) {
            variants.retain(|variant| *variant != ticket);
            if variants.is_empty() {
                self.messages.remove(&pending.message);
            }
        }
        if let Some(held) = self.bytes.get_mut(&pending.from) {
            *held = held.saturating_sub(pending.weight);
            if *held == 0 {
                self.bytes.remove(&pending.from);
            }
        }
        Some(pending)
    }

    /// Whether a frame that claims to be this message waits.
    pub(super) fn holds(&self, message: &MessageId) -> bool {
        self.messages.contains_key(message)
    }

    /// How full it is.
    pub(super) const fn bound(&self) -> Bound {
        Bound { name: "core.intake_bytes", used: self.bytes_total, max: BYTES_MAX }
    }
}

impl Pending {
    fn join(&mut self, from: NodeId) {
        if self.from != from && !self.also.contains(&from) && self.also.len() < ALSO_MAX {
            self.also.push(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    fn message(n: u32) -> MessageId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        MessageId::from_bytes(id)
    }

    #[test]
    fn the_same_frame_is_checked_once_and_both_senders_are_known() {
        let mut intake = Intake::default();
        let frame = Bytes::from_static(b"frame");
        let Admission::Check(ticket) = intake.admit(peer(1), message(1), &frame) else {
            panic!("not admitted")
        };
        assert_eq!(intake.admit(peer(2), message(1), &frame), Admission::Waiting);
        assert_eq!(intake.admit(peer(2), message(1), &frame), Admission::Waiting);
        let pending = intake.finish(ticket).expect("it waits");
        assert_eq!((pending.from, pending.also), (peer(1), vec![peer(2)]));
        assert!(intake.finish(ticket).is_none());
        assert!(!intake.holds(&message(1)));
        assert_eq!(intake.bound().used, 0);
    }

    #[test]
    fn a_frame_that_claims_to_be_another_does_not_pass_for_it() {
        let mut intake = Intake::default();
        let (liar, honest) = (Bytes::from_static(b"lie"), Bytes::from_static(b"truth"));
        assert!(matches!(intake.admit(peer(1), message(1), &liar), Admission::Check(_)));
        assert!(matches!(intake.admit(peer(2), message(1), &honest), Admission::Check(_)));
    }

    #[test]
    fn a_message_is_compared_with_a_bounded_number_of_variants() {
        let mut intake = Intake::default();
        let variant = |n: u8| Bytes::from(vec![n; 9]);
        for n in 0..20 {
            assert!(matches!(intake.admit(peer(1), message(1), &variant(n)), Admission::Check(_)));
        }
        assert_eq!(intake.admit(peer(2), message(1), &variant(0)), Admission::Waiting);
        let beyond = intake.admit(peer(2), message(1), &variant(19));
        assert!(matches!(beyond, Admission::Check(_)), "its sender pays for its own check");
    }

    #[test]
    fn many_peers_together_are_bounded_too() {
        let mut intake = Intake::default();
        let frame = Bytes::from(vec![0; 1 << 20]);
        for n in 0..1000u16 {
            let [high, low] = n.to_be_bytes();
            let mut id = [high; 32];
            id[1] = low;
            let _ = intake.admit(NodeId::from_bytes(id), message(n.into()), &frame);
        }
        let Bound { used, max, .. } = intake.bound();
        assert!(used <= max && used > max - (2 << 20), "{used} of {max}");
    }

    #[test]
    fn a_flood_fills_only_the_flooders_room() {
        let mut intake = Intake::default();
        let frame = Bytes::from(vec![0; 100]);
        let admitted = (0..100_000)
            .filter(|n| matches!(intake.admit(peer(1), message(*n), &frame), Admission::Check(_)))
            .count();
        assert_eq!(admitted, BYTES_PER_PEER_MAX / 612);
        assert!(matches!(intake.admit(peer(2), message(100_000), &frame), Admission::Check(_)));
        assert!(intake.bound().used <= intake.bound().max);
    }
}
