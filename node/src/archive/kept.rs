//! A message on its way to the disk, and as it comes back from there.

use bytes::Bytes;
use forsooth_crypto::Verifiable as _;
#[cfg(test)]
use forsooth_protocol::MessageId;
use forsooth_protocol::{Network, Publication, Standing, Timestamp, TopicId, wire::Frame};

use super::head::{Head, Mark, Word};
use crate::Message;

/// What a message that waits takes in memory beside its frame, about.
const OVERHEAD_BYTES: usize = 512;

/// A message that this node stands behind.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) publication: Publication,
    pub(crate) standing: Standing,
    /// When it came to stand so.
    pub(crate) at: Timestamp,
}

impl Kept {
    pub(crate) fn topic(&self) -> TopicId {
        self.publication.header().slot.topic
    }

    #[cfg(test)]
    pub(crate) fn id(&self) -> MessageId {
        self.publication.id()
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.publication.frame().len().saturating_add(OVERHEAD_BYTES)
    }

    const fn mark(&self) -> Mark {
        match &self.standing {
            Standing::Own => Mark::Own,
            Standing::Held => Mark::Held,
            Standing::Accepted { .. } => Mark::Accepted,
        }
    }

    /// Without a place.
    pub(super) fn head(&self) -> Head {
        let header = self.publication.header();
        Head {
            id: self.publication.id(),
            slot: header.slot,
            published: header.timestamp,
            lifetime: header.lifetime,
            mark: self.mark(),
            place: None,
            bytes: u32::try_from(self.publication.frame().len()).unwrap_or(u32::MAX),
        }
    }

    /// By whose word it was accepted, if it was.
    pub(super) fn word(&self) -> Option<Word> {
        let Standing::Accepted { vouchers, attestors } = &self.standing else { return None };
        Some(Word {
            published: self.publication.header().timestamp,
            id: *self.publication.id().as_bytes(),
            accepted: self.at,
            vouchers: vouchers.clone(),
            attestors: attestors.clone(),
        })
    }
}

/// The message of a frame that comes from the disk; nothing if it is not the one that was put there.
pub(super) fn publication(
    frame: &[u8],
    topic: TopicId,
    id: &[u8; 32],
    network: &Network,
) -> Option<Publication> {
    let frame = Frame::decode(&Bytes::copy_from_slice(frame), network).ok()?;
    let Frame::Publication(publication) = frame else { return None };
    let is_it = publication.id().as_bytes() == id
        && publication.header().slot.topic == topic
        && publication.intact();
    is_it.then_some(publication)
}

/// In the application's terms.
pub(super) fn message(publication: &Publication, word: Word, network: &Network) -> Message {
    let header = *publication.header();
    Message {
        topic: network.topic(header.slot.topic).name.clone(),
        payload: publication.payload().clone(),
        author: header.slot.author,
        id: publication.id(),
        vouchers: word.vouchers,
        attestors: word.attestors,
        published: header.timestamp,
        accepted: word.accepted,
        missed: 0,
        generation: header.slot.generation,
        seq: header.slot.seq,
    }
}
