//! Sends what is no frame.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Effect, Input, Lane, Time, VouchKey,
    wire::{AGENT_BYTES_MAX, CONTROL_FRAME_BYTES_MAX, Frame, Hello, IDS_MAX, Intent, VERSION},
};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft, craft::Draft, mutate::mutate};

/// Usual time between two malformed frames.
const PACE: Duration = Duration::from_millis(100);
/// A number larger than any machine has memory, as a varint.
const LIE: [u8; 9] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];

/// The strategy's entry.
pub const MALFORMED: Kind = Kind {
    name: "malformed",
    row: 2,
    sentence: "Sends bytes that are no frames: cut off, oversized, nested without end, with lying lengths, \
               wrong types, unknown topics, or on the wrong lane; and to every third peer its core's frames \
               with random damage.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let flaw = brief.seat * 7;
        Box::new(Malformed { intensity: brief.intensity, flaw, met: BTreeMap::new(), heard: None })
    },
};

struct Malformed {
    intensity: Intensity,
    /// The flaw that is next.
    flaw: usize,
    met: BTreeMap<NodeId, usize>,
    /// A frame of others, to be cut off.
    heard: Option<Bytes>,
}

impl Malformed {
    /// Whether a peer gets what the core says, with damage.
    fn garbles(&mut self, peer: NodeId) -> bool {
        let met = self.met.len();
        self.met.entry(peer).or_insert(met).is_multiple_of(3)
    }

    /// The next of all the ways to be wrong.
    fn next(&mut self, cx: &mut Cx<'_>) -> (Class, Bytes) {
        self.flaw = self.flaw.wrapping_add(1);
        let control = [Class::Evidence, Class::Tree, Class::Vouch];
        let class = control.get(self.flaw % 3).copied().unwrap_or(Class::Vouch);
        let frame = match self.flaw % 20 {
            0 => Vec::new(),
            1 => bytes_of(cx.rng.random_range(1..300), cx),
            2 => return (Class::Payload, self.cut_off(cx)),
            // A publication, a vouch and a hello of a size that they do not have.
            3 => [&[0x12], LIE.as_slice()].concat(),
            4 => [&[0x1a], LIE.as_slice(), &[1; 40]].concat(),
            5 => [&[0x0a, 0x0b, 0x1a], LIE.as_slice()].concat(),
            // An inner length beyond the outer one.
            6 => vec![0x12, 0x04, 0x0a, 0x7f, 0x00, 0x00],
            // Bodies of wrong types: a number, eight bytes, and groups in groups.
            7 => [&[0x10], LIE.as_slice()].concat(),
            8 => vec![0x19, 1, 2, 3, 4, 5, 6, 7, 8],
            9 => vec![0x7b; CONTROL_FRAME_BYTES_MAX],
            10 => field(2, &field(1, &[0x7b; 150])),
            // Ids that are too many, too short, none.
            11 => vouch_of(vec![7; (IDS_MAX + 1) * 32]),
            12 => vouch_of(vec![7; 31]),
            13 => vouch_of(Vec::new()),
            // Topics and bodies that there are not.
            14 => field(3, &[&[0x08], [0xff, 0xff, 0xff, 0xff, 0x0f].as_slice()].concat()),
            15 => field(9, b"a body of the future"),
            16 => field(6, &[]),
            17 => hello("\u{7}".repeat(AGENT_BYTES_MAX)),
            18 => hello("a".repeat(AGENT_BYTES_MAX + 1)),
            // A good frame on the wrong lane.
            _ => return self.misplaced(cx),
        };
        (class, frame.into())
    }

    fn cut_off(&self, cx: &mut Cx<'_>) -> Bytes {
        let whole = self.heard.clone().unwrap_or_else(|| honest_message(cx));
        whole.slice(..cx.rng.random_range(0..whole.len().max(1)))
    }

    fn misplaced(&self, cx: &mut Cx<'_>) -> (Class, Bytes) {
        if cx.rng.random() {
            (Class::Vouch, honest_message(cx))
        } else {
            (Class::Payload, craft::vouch(cx.topic, craft::phantoms(1, cx)))
        }
    }
}

impl Strategy for Malformed {
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Data, frame, .. } = &input
            && self.intensity.is_some()
        {
            self.heard = Some(frame.clone());
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class, frame } = effect else { return Some(effect) };
        if !self.intensity.is_some() || !cx.is_victim(&to) || !self.garbles(to) {
            return Some(Effect::Send { to, class, frame });
        }
        let damaged = mutate(&frame, cx.rng);
        cx.attack(to, class, damaged);
        None
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            if !self.garbles(to) {
                let (class, frame) = self.next(cx);
                cx.attack(to, class, frame);
            }
        }
        Some(cx.now + pace)
    }
}

fn honest_message(cx: &Cx<'_>) -> Bytes {
    Draft::new(cx.keypair.id(), 0, "well formed", cx).sign(cx.keypair, cx).frame().clone()
}

fn bytes_of(len: usize, cx: &mut Cx<'_>) -> Vec<u8> {
    let mut bytes = vec![0; len];
    cx.rng.fill(bytes.as_mut_slice());
    bytes
}

fn hello(agent: String) -> Vec<u8> {
    let vouch_key = VouchKey::from_bytes([0; 16]);
    Frame::Hello(Hello {
        version: VERSION,
        generation: 1,
        agent,
        intent: Intent::Gossip,
        vouch_key,
    })
    .encode()
    .to_vec()
}

fn vouch_of(ids: Vec<u8>) -> Vec<u8> {
    field(3, &field(2, &ids))
}

/// A field of bytes, as protobuf writes it.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(number << 3) | 2];
    let mut rest = content.len();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap_or(0));
    bytes.extend_from_slice(content);
    bytes
}
