//! What waits for a verdict or a judgement: bounded for each peer, and each distinct frame checked once.

use std::collections::BTreeMap;

use forsooth_crypto::{Digest, NodeId};

use crate::{message::MessageId, snapshot::Bound, verify::Ticket};

/// Bytes of one peer's frames that wait. Two of the largest frames; a faster peer than our verification
/// loses what it sends beyond that, and others bring it later.
const BYTES_PER_PEER_MAX: usize = 4 << 20;
/// What a waiting frame weighs beyond its bytes; bounds the count as well.
const OVERHEAD_BYTES: usize = 512;
/// Other peers kept that sent the same frame while it waited.
const ALSO_MAX: usize = 64;

/// Frames that wait for verdicts.
#[derive(Debug, Default)]
pub(super) struct Intake {
    tickets: BTreeMap<Ticket, Pending>,
    by_digest: BTreeMap<Digest, Ticket>,
    bytes: BTreeMap<NodeId, usize>,
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
        if held.saturating_add(weight) > BYTES_PER_PEER_MAX {
            return Admission::Full;
        }
        *held = held.saturating_add(weight);
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
        if let Some(held) = self.bytes.get_mut(&pending.from) {
            *held = held.saturating_sub(pending.weight);
            if *held == 0 {
                self.bytes.remove(&pending.from);
            }
        }
        Some(pending)
    }

    /// How full it is, with this many links.
    pub(super) fn bound(&self, links: usize) -> Bound {
        let used = self.bytes.values().sum();
        let max = self.bytes.len().max(links).max(1).saturating_mul(BYTES_PER_PEER_MAX);
        Bound { name: "core.intake_bytes", used, max }
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
        assert_eq!(intake.bound(0).used, 0);
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
        assert!(intake.bound(2).used <= intake.bound(2).max);
    }
}
