//! Fills memory, if there is anything that grows.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Proof, Time, wire::Frame};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft, craft::Draft};

/// Usual time between two lots.
const PACE: Duration = Duration::from_millis(100);
/// Ids in a lot: as many as a frame holds.
const IDS: usize = forsooth_protocol::wire::IDS_MAX;
/// Messages or proofs in a lot, each by a key of its own.
const KEYS: usize = 2;

/// The strategy's entry.
pub const EXHAUST: Kind = Kind {
    name: "exhaust",
    row: 27,
    sentence: "Gives each of its peers too much of one thing to remember: ten thousand ids a second that \
               do not exist, messages of ever new authors, true proofs against ever new keys, or unknown \
               topics.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let (intensity, first) = (brief.intensity, brief.seat);
        Box::new(Exhaust { intensity, first, met: BTreeMap::new(), turn: 0 })
    },
};

struct Exhaust {
    intensity: Intensity,
    /// What the first peer that is met gets too much of.
    first: usize,
    met: BTreeMap<NodeId, usize>,
    turn: u64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Glut {
    Ids,
    Authors,
    Proofs,
    Topics,
}

impl Exhaust {
    fn glut(&mut self, peer: NodeId) -> Glut {
        let met = self.met.len();
        match (*self.met.entry(peer).or_insert(met) + self.first) % 4 {
            0 => Glut::Ids,
            1 => Glut::Authors,
            2 => Glut::Proofs,
            _ => Glut::Topics,
        }
    }

    fn lot(&mut self, glut: Glut, cx: &mut Cx<'_>) -> Vec<(Class, Bytes)> {
        self.turn = self.turn.wrapping_add(1);
        match glut {
            Glut::Ids => vec![(Class::Vouch, craft::vouch(cx.topic, craft::phantoms(IDS, cx)))],
            Glut::Authors => (0..KEYS).map(|_| (Class::Payload, newcomer(cx))).collect(),
            Glut::Proofs => (0..KEYS).map(|_| (Class::Evidence, exposure(cx))).collect(),
            Glut::Topics => vec![(Class::Tree, unknown_topic(cx))],
        }
    }
}

impl Strategy for Exhaust {
    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            let glut = self.glut(to);
            for (class, frame) in self.lot(glut, cx) {
                cx.attack(to, class, frame);
            }
        }
        Some(cx.now + pace)
    }
}

/// A good message of an author that nobody has heard of.
fn newcomer(cx: &mut Cx<'_>) -> Bytes {
    let key = craft::throwaway(cx);
    Draft::new(key.id(), 0, "I am new here", cx).sign(&key, cx).frame().clone()
}

/// A true proof against a key that nobody has heard of.
fn exposure(cx: &mut Cx<'_>) -> Bytes {
    let key = craft::throwaway(cx);
    let say = |word| Draft::new(key.id(), 0, word, cx).sign(&key, cx).signed().clone();
    let (yes, no) = (say("yes"), say("no"));
    Proof::new(yes.clone(), no).map_or_else(Bytes::new, |proof| Frame::Proof(proof).encode())
}

/// A prune on a topic that the network does not have.
fn unknown_topic(cx: &mut Cx<'_>) -> Bytes {
    // Field 5 of `Frame` with field 1 of `Prune`: a number of three bytes.
    let topic: u32 = cx.rng.random_range(0x4000..0x1f_ffff);
    let [_, high, middle, low] =
        (((topic & 0x1f_c000) << 2) | ((topic & 0x3f80) << 1) | topic & 0x7f).to_be_bytes();
    Bytes::copy_from_slice(&[0x2a, 0x04, 0x08, low | 0x80, middle | 0x80, high])
}
