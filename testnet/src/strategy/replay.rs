//! Says what is over, what was said, and what is not yet.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Input, Lane, Time};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft::Draft};

/// Usual time between two replays.
const PACE: Duration = Duration::from_millis(20);
/// Frames that it remembers, of others' as well as of its own.
const FRAMES_MAX: usize = 512;
/// How wrong its clock may be: past any lifetime and any skew.
const HOURS: Duration = Duration::from_secs(2 * 3600);
/// An unknown field of `Frame` (number 1000), of four bytes: makes other bytes of the same message.
const JUNK: [u8; 4] = [0xc2, 0x3e, 0x01, 0x00];

/// The strategy's entry.
pub const REPLAY: Kind = Kind {
    name: "replay",
    row: 3,
    sentence: "Repeats what it heard long ago, as it was and with junk around it, and sends messages of \
               its own that are over, about to be over, of another generation, or dated hours ahead.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Replay { intensity: brief.intensity, heard: VecDeque::new(), turn: 0 }),
};

struct Replay {
    intensity: Intensity,
    /// Frames with their lanes, the oldest first.
    heard: VecDeque<(Lane, Bytes)>,
    turn: u64,
}

impl Replay {
    fn remember(&mut self, lane: Lane, frame: Bytes) {
        // Until there are enough of them; then the oldest are worth most.
        if self.heard.len() < FRAMES_MAX {
            self.heard.push_back((lane, frame));
        }
    }

    fn old(&self, cx: &mut Cx<'_>) -> Option<(Class, Bytes)> {
        let at = cx.rng.random_range(0..self.heard.len().max(1));
        let (lane, frame) = self.heard.get(at)?;
        let class = match lane {
            Lane::Control => Class::Vouch,
            Lane::Data => Class::Payload,
        };
        let junk = if self.turn.is_multiple_of(2) { &[] } else { JUNK.as_slice() };
        Some((class, [frame, junk].concat().into()))
    }

    /// A message of its own whose time is not now.
    fn untimely(&mut self, cx: &mut Cx<'_>) -> (Class, Bytes) {
        let mut draft = Draft::new(cx.keypair.id(), self.turn, "untimely", cx);
        match self.turn % 4 {
            0 => draft.timestamp = cx.wall.saturating_sub(HOURS),
            1 => draft.timestamp = cx.wall.saturating_add(HOURS),
            2 => {
                // Over when it arrives, or just before.
                let lifetime = Duration::from_millis(cx.rng.random_range(1..100));
                draft.lifetime = lifetime;
                draft.timestamp = cx.wall.saturating_sub(lifetime / 2);
            }
            _ => {
                draft.slot.generation = draft.slot.generation.saturating_mul(2);
                draft.timestamp = cx.wall.saturating_sub(draft.lifetime);
            }
        }
        let frame = draft.sign(cx.keypair, cx).frame().clone();
        self.remember(Lane::Data, frame.clone());
        (Class::Payload, frame)
    }

    fn strike(&mut self, to: NodeId, cx: &mut Cx<'_>) {
        let old = if self.turn.is_multiple_of(3) { None } else { self.old(cx) };
        let (class, frame) = old.unwrap_or_else(|| self.untimely(cx));
        self.turn = self.turn.saturating_add(1);
        cx.attack(to, class, frame);
    }
}

impl Strategy for Replay {
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane, frame, .. } = &input
            && self.intensity.is_some()
        {
            self.remember(*lane, frame.clone());
        }
        Some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            self.strike(to, cx);
        }
        Some(cx.now + pace)
    }
}
