//! What waits for a verdict or a judgement: bounded for each peer, and each distinct frame checked once.

use std::collections::BTreeMap;

use forsooth_crypto::{Digest, NodeId};

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

/// Frames that wait for verdicts.
#[derive(Debug, Default)]
pub(super) struct Intake {
    tickets: BTreeMap<Ticket, Pending>,
    by_digest: BTreeMap<Digest, Ticket>,
    messages: BTreeMap<MessageId, usize>,
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
    /// The message that it claims to be; `None` for a proof.
    pub(super) message: Option<MessageId>,
    digest: Digest,
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
    /// Admits a frame of `bytes` with this digest of what was received.
    pub(super) fn admit(
        &mut self,
        from: NodeId,
        message: Option<MessageId>,
        digest: Digest,
        bytes: usize,
    ) -> Admission {
        if let Some(pending) =
            self.by_digest.get(&digest).and_then(|ticket| self.tickets.get_mut(ticket))
        {
            if pending.from != from
                && !pending.also.contains(&from)
                && pending.also.len() < ALSO_MAX
            {
                pending.also.push(from);
            }
            return Admission::Waiting;
        }
        let weight = bytes.saturating_add(OVERHEAD_BYTES);
        let held = self.bytes.entry(from).or_default();
        let total = self.bytes_total.saturating_add(weight);
        if held.saturating_add(weight) > BYTES_PER_PEER_MAX || total > BYTES_MAX {
            return Admission::Full;
        }
        *held = held.saturating_add(weight);
        self.bytes_total = total;
        if let Some(message) = message {
            let frames = self.messages.entry(message).or_default();
            *frames = frames.saturating_add(1);
        }
        let ticket = Ticket(self.next);
        self.next = self.next.saturating_add(1);
        self.by_digest.insert(digest, ticket);
        self.tickets.insert(ticket, Pending { from, also: Vec::new(), message, digest, weight });
        Admission::Check(ticket)
    }

    /// The frame stays, for its next check.
    pub(super) fn get(&self, ticket: Ticket) -> Option<&Pending> {
        self.tickets.get(&ticket)
    }

    /// The frame is dealt with.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.tickets.remove(&ticket)?;
        self.by_digest.remove(&pending.digest);
        self.bytes_total = self.bytes_total.saturating_sub(pending.weight);
        if let Some(message) = pending.message
            && let Some(frames) = self.messages.get_mut(&message)
        {
            *frames = frames.saturating_sub(1);
            if *frames == 0 {
                self.messages.remove(&message);
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

#[cfg(test)]
mod tests {
    use forsooth_crypto::Domain;

    use super::*;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    fn digest(frame: &[u8]) -> Digest {
        Digest::of(Domain::Received, frame)
    }

    #[test]
    fn the_same_frame_is_checked_once_and_both_senders_are_known() {
        let mut intake = Intake::default();
        let Admission::Check(ticket) = intake.admit(peer(1), None, digest(b"x"), 10) else {
            panic!("not admitted")
        };
        assert_eq!(intake.admit(peer(2), None, digest(b"x"), 10), Admission::Waiting);
        assert_eq!(intake.admit(peer(2), None, digest(b"x"), 10), Admission::Waiting);
        let pending = intake.finish(ticket).expect("it waits");
        assert_eq!((pending.from, pending.also), (peer(1), vec![peer(2)]));
        assert!(intake.finish(ticket).is_none());
        assert_eq!(intake.bound().used, 0);
    }

    #[test]
    fn a_flood_fills_only_the_flooders_room() {
        let mut intake = Intake::default();
        let admitted = (0u32..100_000)
            .filter(|n| {
                matches!(
                    intake.admit(peer(1), None, digest(&n.to_be_bytes()), 100),
                    Admission::Check(_)
                )
            })
            .count();
        assert_eq!(admitted, BYTES_PER_PEER_MAX / 612);
        assert!(matches!(intake.admit(peer(2), None, digest(b"honest"), 100), Admission::Check(_)));
        assert!(intake.bound().used <= intake.bound().max);
    }
}
