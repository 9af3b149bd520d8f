//! What is known of frames by their bytes: whether their signatures hold, and whether an attacker made them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use forsooth_crypto::{Digest, Domain, NodeId, Untrusted, verify};
use forsooth_protocol::{Network, wire::Frame};

/// Frames that are remembered by their digest; when there are more, all are forgotten and looked at again.
const FACTS_MAX: usize = 1 << 18;
/// Hostile frames that are remembered. Later ones are not counted when they arrive.
const HOSTILE_MAX: usize = 1 << 20;
/// Frames that are known by their place in memory: the same bytes go to many peers, one after the other.
const PLACES: usize = 512;
/// Larger frames are not kept alive for their place.
const PLACED_BYTES_MAX: usize = 32 << 10;
/// First byte of a canonical frame with a publication: field 2 of `Frame`, length-delimited.
const PUBLICATION: u8 = 0x12;
/// First byte of a canonical frame with a proof: field 6.
const PROOF: u8 = 0x32;
/// First bytes of a canonical frame with kept messages: field 22.
const HAUL: [u8; 2] = [0xb2, 0x01];

/// Shared by all nodes of a run, so that each distinct frame is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    known: HashMap<Digest, Facts>,
    /// With who sends them: whoever else sends the same bytes may mean well.
    hostile: HashSet<(Digest, NodeId)>,
    places: Vec<Option<(Bytes, Facts)>>,
}

/// What is to know of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Who signed the publication in it, if there is one.
    pub(crate) author: Option<NodeId>,
    /// Whether all signatures hold and the content is what was signed.
    pub(crate) genuine: bool,
}

/// Whether an honest node answers for signatures in this frame, in whichever class it sends it.
pub(crate) fn carries_signatures(frame: &Bytes) -> bool {
    matches!(frame.first(), Some(&(PUBLICATION | PROOF))) || frame.starts_with(&HAUL)
}

impl Frames {
    pub(crate) fn mark_hostile(&mut self, sender: &NodeId, frame: &Bytes) {
        if self.hostile.len() < HOSTILE_MAX {
            self.hostile.insert((Digest::of(Domain::Received, frame), *sender));
        }
    }

    pub(crate) fn is_hostile(&self, sender: &NodeId, frame: &Bytes) -> bool {
        !self.hostile.is_empty()
            && self.hostile.contains(&(Digest::of(Domain::Received, frame), *sender))
    }

    /// What a frame is.
    pub(crate) fn facts(&mut self, frame: &Bytes, network: &Network) -> Facts {
        let place = frame.as_ptr() as usize / 16 % PLACES;
        if let Some(Some((placed, facts))) = self.places.get(place)
            && placed.as_ptr() == frame.as_ptr()
            && placed.len() == frame.len()
        {
            return *facts;
        }
        if self.known.len() >= FACTS_MAX {
            self.known.clear();
        }
        let digest = Digest::of(Domain::Received, frame);
        let facts = *self.known.entry(digest).or_insert_with(|| look(frame, network));
        if frame.len() <= PLACED_BYTES_MAX {
            self.places.resize(PLACES, None);
            if let Some(old) = self.places.get_mut(place) {
                // Holding the bytes keeps their place from being taken by others.
                *old = Some((frame.clone(), facts));
            }
        }
        facts
    }
}

fn look(frame: &Bytes, network: &Network) -> Facts {
    match Frame::decode(frame, network) {
        Ok(Frame::Publication(message)) => {
            let author = Some(message.header().slot.author);
            Facts { author, genuine: verify(Untrusted::new(message)).is_ok() }
        }
        Ok(Frame::Proof(proof)) => {
            Facts { author: None, genuine: verify(Untrusted::new(proof)).is_ok() }
        }
        Ok(Frame::Haul { frames, .. }) => {
            let genuine = frames.iter().all(|frame| look(frame, network).genuine);
            Facts { author: None, genuine }
        }
        Ok(_) => Facts { author: None, genuine: true },
        // What does not decode at all is not genuine either.
        Err(_) => Facts { author: None, genuine: false },
    }
}
