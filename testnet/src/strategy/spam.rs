//! Says far too much, all of it validly signed.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{Class, Publication, Slot, Time};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// How many times the topic's rate for one author.
const EXCESS: u32 = 100;
/// Messages are made this far apart at most; at high rates several at once.
const PACE: Duration = Duration::from_millis(10);
/// Bytes of a payload, or what the topic allows if that is less.
const PAYLOAD_BYTES: u32 = 64;

/// The strategy's entry.
pub const SPAM: Kind = Kind {
    name: "spam",
    row: 7,
    sentence: "Publishes valid messages at 100 times the topic's rate, a part of them to each of its peers.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        Box::new(Spam { intensity: brief.intensity, begun: None, generation: 0, seq: 0 })
    },
};

struct Spam {
    intensity: Intensity,
    begun: Option<Time>,
    generation: u64,
    seq: u64,
}

impl Spam {
    fn message(&mut self, cx: &mut Cx<'_>) -> Bytes {
        let topic = cx.network.topic(cx.topic);
        let slot = Slot {
            author: cx.keypair.id(),
            topic: cx.topic,
            generation: self.generation,
            seq: self.seq,
        };
        self.seq += 1;
        let mut payload = vec![0; PAYLOAD_BYTES.min(topic.payload_bytes_max) as usize];
        cx.rng.fill(payload.as_mut_slice());
        let (lifetime, payload) = (topic.lifetime_max, payload.into());
        Publication::sign(slot, cx.wall, lifetime, payload, cx.keypair, cx.network).frame().clone()
    }
}

impl Strategy for Spam {
    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let per_minute = cx.network.topic(cx.topic).rate_per_minute.saturating_mul(EXCESS);
        let gap = self.intensity.pace(Duration::from_secs(60) / per_minute.max(1))?;
        let begun = *self.begun.get_or_insert(cx.now);
        if self.generation == 0 {
            self.generation = cx.wall.as_secs() + 1;
        }
        let victims = cx.victims();
        // What is due by now, whatever the pace of the ticks.
        let due = cx.now.since(begun).as_nanos() / gap.as_nanos().max(1) + 1;
        let due = u64::try_from(due).unwrap_or(u64::MAX);
        while self.seq < due && !victims.is_empty() {
            let turn = usize::try_from(self.seq).unwrap_or(usize::MAX) % victims.len();
            let frame = self.message(cx);
            // Each message to one peer: all of them have to carry it on, or not.
            if let Some(to) = victims.get(turn) {
                cx.attack(*to, Class::Payload, frame);
            }
        }
        self.seq = self.seq.max(due);
        Some(cx.now + gap.max(PACE))
    }
}
