//! Puts words into others' mouths.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Input, Lane, Publication, Slot, Time, wire::Frame};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Usual time between two forgeries of a flood.
const PACE: Duration = Duration::from_millis(5);
/// One in so many of the messages that a [`Manner::Drip`] peer could have had from us is forged.
const DRIP: u64 = 64;

/// The strategy's entry.
pub const FORGE: Kind = Kind {
    name: "forge",
    row: 1,
    sentence: "Sends messages that their authors never signed: a flood of bad signatures to some peers, \
               tampered copies of what it hears to others, and to the rest one bad among 64 good.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        Box::new(Forge {
            intensity: brief.intensity,
            manners: BTreeMap::new(),
            heard: 0,
            forged: 0,
        })
    },
};

struct Forge {
    intensity: Intensity,
    manners: BTreeMap<NodeId, Manner>,
    heard: u64,
    forged: u64,
}

/// How a peer is deceived; each gets one manner when it is first met, in turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// New messages in others' names, without pause.
    Flood,
    /// Every message that it hears, with another payload or a broken signature.
    Tamper,
    /// Honest, but for one message in [`DRIP`].
    Drip,
}

impl Forge {
    /// The honest linked peers and how to deceive them.
    fn victims(&mut self, cx: &Cx<'_>) -> Vec<(NodeId, Manner)> {
        let manner = |met: usize| match met % 3 {
            0 => Manner::Flood,
            1 => Manner::Tamper,
            _ => Manner::Drip,
        };
        let mut with_manner = |peer: NodeId| {
            let met = self.manners.len();
            (peer, *self.manners.entry(peer).or_insert_with(|| manner(met)))
        };
        cx.victims().into_iter().map(&mut with_manner).collect()
    }

    /// A message that its author has not signed.
    fn invent(&mut self, author: NodeId, cx: &mut Cx<'_>) -> Bytes {
        self.forged += 1;
        let slot =
            Slot { author, topic: cx.topic, generation: cx.wall.as_secs(), seq: self.forged };
        let lifetime = cx.network.topic(cx.topic).lifetime_max;
        let payload = Bytes::from_static(b"forsooth, I never said this");
        Publication::sign(slot, cx.wall, lifetime, payload, cx.keypair, cx.network).frame().clone()
    }

    /// What was heard, but not as it was said: in turn another payload and another signature.
    fn tamper(&mut self, heard: &Publication, cx: &mut Cx<'_>) -> Bytes {
        self.forged += 1;
        if self.forged.is_multiple_of(2) && !heard.payload().is_empty() {
            let mut payload = vec![0; heard.payload().len()];
            cx.rng.fill(payload.as_mut_slice());
            return Publication::from_parts(heard.signed().clone(), payload.into()).frame().clone();
        }
        let mut frame = heard.frame().to_vec();
        let signature = heard.signed().signature().as_bytes();
        let at = frame.windows(signature.len()).position(|window| window == signature);
        if let Some(byte) = at.and_then(|at| frame.get_mut(at)) {
            *byte ^= 1;
        }
        frame.into()
    }
}

impl Strategy for Forge {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Data, frame, .. } = &input
            && let Ok(Frame::Publication(heard)) = Frame::decode(frame, cx.network)
            && self.intensity.pace(PACE).is_some()
        {
            self.heard += 1;
            for (to, manner) in self.victims(cx) {
                let bad = match manner {
                    Manner::Flood => false,
                    Manner::Tamper => true,
                    Manner::Drip => self.heard.is_multiple_of(DRIP),
                };
                if bad {
                    let frame = self.tamper(&heard, cx);
                    cx.attack(to, Class::Payload, frame);
                }
            }
        }
        Some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let victims = self.victims(cx);
        for (to, _) in victims.iter().filter(|(_, manner)| *manner == Manner::Flood) {
            // In the name of another peer, who must not pay for it.
            let scapegoat = victims.iter().map(|(peer, _)| *peer).find(|peer| peer != to);
            let frame = self.invent(scapegoat.unwrap_or(*to), cx);
            cx.attack(*to, Class::Payload, frame);
        }
        Some(cx.now + pace)
    }
}
