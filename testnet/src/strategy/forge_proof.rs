//! Accuses the innocent with false evidence.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Input, Lane, Proof, SignedHeader, Time, wire::Frame};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft, craft::Draft};

/// Usual time between two lots of evidence.
const PACE: Duration = Duration::from_millis(50);
/// Proofs of a lot.
const LOT: u64 = 16;

/// The strategy's entry.
pub const FORGE_PROOF: Kind = Kind {
    name: "forge-proof",
    row: 6,
    sentence: "Sends false proofs of equivocation in numbers: with signatures of its own, with one header \
               twice, with two slots, the wrong way round; and to every other peer one true proof against \
               a throwaway key, again and again.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let (heard, met) = (Vec::new(), BTreeMap::new());
        Box::new(ForgeProof { intensity: brief.intensity, heard, met, doubled: None, forged: 0 })
    },
};

struct ForgeProof {
    intensity: Intensity,
    /// What honest authors signed, in different slots.
    heard: Vec<SignedHeader>,
    met: BTreeMap<NodeId, usize>,
    doubled: Option<Bytes>,
    forged: u64,
}

/// What a false proof is made of.
const HEARD_MAX: usize = 64;

impl ForgeProof {
    fn is_patient_with(&mut self, peer: NodeId) -> bool {
        let met = self.met.len();
        !self.met.entry(peer).or_insert(met).is_multiple_of(2)
    }

    /// Two headers that a key signs for one slot.
    fn contradiction(&mut self, author: NodeId, cx: &mut Cx<'_>) -> (SignedHeader, SignedHeader) {
        let key = craft::throwaway(cx);
        let author = if cx.is_honest(&author) { author } else { key.id() };
        let seq = self.forged;
        let say = |word| Draft::new(author, seq, word, cx).sign(&key, cx).signed().clone();
        (say("yes"), say("no"))
    }

    /// A proof that proves nothing.
    fn falsehood(&mut self, scapegoat: NodeId, cx: &mut Cx<'_>) -> Bytes {
        self.forged += 1;
        let (one, other) = self.contradiction(scapegoat, cx);
        let proof = match (self.forged % 5, self.heard.as_slice()) {
            (1, [heard, ..]) => Proof::unchecked(heard.clone(), heard.clone()),
            (2, [first, .., last]) => Proof::unchecked(first.clone(), last.clone()),
            (3, [heard, ..]) => {
                let mut draft = Draft::new(scapegoat, 0, "never said", cx);
                draft.slot = heard.header().slot;
                let never_said = draft.sign(cx.keypair, cx).signed().clone();
                Proof::new(heard.clone(), never_said)
                    .unwrap_or_else(|| Proof::unchecked(heard.clone(), heard.clone()))
            }
            (4, _) => {
                // True, but the wrong way round, which would make two proofs of one.
                let (one, other) = self.contradiction(cx.keypair.id(), cx);
                let right = Proof::unchecked(one, other);
                let (first, second) = right.headers();
                let (first, second) =
                    if first.id() < second.id() { (second, first) } else { (first, second) };
                Proof::unchecked(first.clone(), second.clone())
            }
            (_, _) => Proof::unchecked(one, other),
        };
        Frame::Proof(proof).encode()
    }

    /// One and the same true proof each time.
    fn doubled(&mut self, cx: &mut Cx<'_>) -> Bytes {
        if let Some(frame) = &self.doubled {
            return frame.clone();
        }
        let (one, other) = self.contradiction(cx.keypair.id(), cx);
        let proof =
            Proof::new(one.clone(), other).unwrap_or_else(|| Proof::unchecked(one.clone(), one));
        self.doubled.insert(Frame::Proof(proof).encode()).clone()
    }
}

impl Strategy for ForgeProof {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Data, frame, .. } = &input
            && self.heard.len() < HEARD_MAX
            && self.intensity.is_some()
            && let Ok(Frame::Publication(message)) = Frame::decode(frame, cx.network)
            && cx.is_honest(&message.header().slot.author)
            && self.heard.iter().all(|heard| heard.id() != message.id())
        {
            self.heard.push(message.signed().clone());
        }
        Some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let victims = cx.victims();
        for to in &victims {
            let scapegoat = victims.iter().find(|peer| *peer != to).unwrap_or(to);
            let is_patient = self.is_patient_with(*to);
            for _ in 0..LOT {
                let frame =
                    if is_patient { self.doubled(cx) } else { self.falsehood(*scapegoat, cx) };
                cx.attack(*to, Class::Evidence, frame);
            }
        }
        Some(cx.now + pace)
    }
}
