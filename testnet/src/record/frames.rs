//! What is known of frames by their bytes: whether their signatures hold, and whether an attacker made them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use forsooth_crypto::{Digest, Domain, Untrusted, verify};
use forsooth_protocol::{Network, wire::Frame};

/// Verdicts that are remembered; when there are more, all are forgotten and found again.
const VERDICTS_MAX: usize = 1 << 18;
/// Hostile frames that are remembered. Later ones are not counted when they arrive.
const HOSTILE_MAX: usize = 1 << 20;
/// First byte of a canonical frame with a publication: field 2 of `Frame`, length-delimited.
const PUBLICATION: u8 = 0x12;
/// First byte of a canonical frame with a proof: field 6.
const PROOF: u8 = 0x32;

/// Shared by all nodes of a run, so that each distinct frame is verified once.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    genuine: HashMap<Digest, bool>,
    hostile: HashSet<Digest>,
    /// The frame asked about last: a relay sends one frame to many, and those share their memory.
    last: Option<(Bytes, bool)>,
}

/// Whether an honest node answers for signatures in this frame, in whichever class it sends it.
pub(crate) fn carries_signatures(frame: &Bytes) -> bool {
    matches!(frame.first(), Some(&(PUBLICATION | PROOF)))
}

impl Frames {
    pub(crate) fn mark_hostile(&mut self, frame: &Bytes) {
        if self.hostile.len() < HOSTILE_MAX {
            self.hostile.insert(Digest::of(Domain::Received, frame));
        }
    }

    pub(crate) fn is_hostile(&self, frame: &Bytes) -> bool {
        !self.hostile.is_empty() && self.hostile.contains(&Digest::of(Domain::Received, frame))
    }

    /// Whether all signatures in a frame hold and its content is what was signed.
    pub(crate) fn is_genuine(&mut self, frame: &Bytes, network: &Network) -> bool {
        if let Some((last, genuine)) = &self.last
            && last.as_ptr() == frame.as_ptr()
            && last.len() == frame.len()
        {
            return *genuine;
        }
        let digest = Digest::of(Domain::Received, frame);
        if self.genuine.len() >= VERDICTS_MAX {
            self.genuine.clear();
        }
        let genuine = *self.genuine.entry(digest).or_insert_with(|| holds(frame, network));
        // Holding the bytes keeps their place from being taken by others.
        self.last = Some((frame.clone(), genuine));
        genuine
    }
}

fn holds(frame: &Bytes, network: &Network) -> bool {
    match Frame::decode(frame, network) {
        Ok(Frame::Publication(message)) => verify(Untrusted::new(message)).is_ok(),
        Ok(Frame::Proof(proof)) => verify(Untrusted::new(proof)).is_ok(),
        Ok(Frame::Hello(_) | Frame::Vouch { .. } | Frame::Graft { .. } | Frame::Prune { .. }) => {
            true
        }
        // What does not decode at all is not genuine either.
        Err(_) => false,
    }
}
