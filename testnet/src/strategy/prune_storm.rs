//! Shakes the trees, with absurd numbers.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Time, Timestamp, VouchKey,
    wire::{AGENT_BYTES_MAX, Frame, Hello, IDS_MAX, Intent, VERSION},
};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft, craft::Draft};

/// Usual time between two shakes.
const PACE: Duration = Duration::from_millis(10);
/// Every so many shakes a number is absurd. The other shakes are prunes and grafts in turn.
const ABSURD_EVERY: u64 = 8;

/// The strategy's entry.
pub const PRUNE_STORM: Kind = Kind {
    name: "prune-storm",
    row: 12,
    sentence: "Prunes and grafts each of its peers without end, says hello again and again, and puts the \
               highest and the lowest numbers into every field.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        Box::new(PruneStorm { intensity: brief.intensity, shakes: 0, met: BTreeMap::new() })
    },
};

struct PruneStorm {
    intensity: Intensity,
    shakes: u64,
    /// In which order peers were met: every other one gets absurdities that are worth a ban.
    met: BTreeMap<NodeId, usize>,
}

impl PruneStorm {
    fn absurdity(&mut self, to: NodeId, cx: &mut Cx<'_>) -> (Class, Bytes) {
        let met = self.met.len();
        let is_reckless = self.met.entry(to).or_insert(met).is_multiple_of(2);
        let turn = self.shakes / ABSURD_EVERY;
        let vouch_key = VouchKey::from_bytes(cx.rng.random());
        let hello = |generation, version| {
            let agent = "~".repeat(AGENT_BYTES_MAX);
            (
                Class::Evidence,
                Frame::Hello(Hello {
                    version,
                    generation,
                    agent,
                    intent: Intent::Gossip,
                    vouch_key,
                })
                .encode(),
            )
        };
        match turn % 8 {
            0 => hello(u64::MAX, VERSION),
            1 => hello(0, VERSION),
            2 => (Class::Vouch, craft::vouch(cx.topic, craft::phantoms(IDS_MAX, cx))),
            3 => (Class::Tree, craft::graft(cx.topic, craft::phantoms(IDS_MAX, cx))),
            _ if !is_reckless => self.absurd_message(turn, cx),
            4 => hello(1, u32::MAX),
            5 => hello(u64::MAX, 0),
            _ => self.reckless_message(turn, cx),
        }
    }

    /// A signed message that is refused, but for which nobody is banned.
    fn absurd_message(&self, turn: u64, cx: &Cx<'_>) -> (Class, Bytes) {
        let mut draft = Draft::new(cx.keypair.id(), u64::MAX - self.shakes, "absurd", cx);
        match turn % 4 {
            0 => draft.timestamp = Timestamp::from_millis(u64::MAX),
            1 => draft.timestamp = Timestamp::from_millis(0),
            2 => draft.slot.generation = u64::MAX,
            _ => {
                draft.slot.generation = u64::MAX;
                draft.timestamp = Timestamp::from_millis(u64::MAX);
                draft.lifetime = Duration::from_millis(1);
            }
        }
        (Class::Payload, draft.sign(cx.keypair, cx).frame().clone())
    }

    /// A signed message that no honest node would pass on.
    fn reckless_message(&self, turn: u64, cx: &Cx<'_>) -> (Class, Bytes) {
        let mut draft = Draft::new(cx.keypair.id(), u64::MAX - self.shakes, "reckless", cx);
        if turn.is_multiple_of(2) {
            draft.lifetime = Duration::MAX;
        } else {
            draft.lifetime = Duration::ZERO;
            draft.timestamp = Timestamp::from_millis(u64::MAX);
        }
        (Class::Payload, draft.sign(cx.keypair, cx).frame().clone())
    }

    fn shake(&mut self, to: NodeId, cx: &mut Cx<'_>) -> (Class, Bytes) {
        if self.shakes.is_multiple_of(ABSURD_EVERY) {
            self.absurdity(to, cx)
        } else if self.shakes.is_multiple_of(2) {
            (Class::Tree, craft::graft(cx.topic, craft::phantoms(1, cx)))
        } else {
            (Class::Tree, Frame::Prune { topic: cx.topic, author: None }.encode())
        }
    }
}

impl Strategy for PruneStorm {
    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            let (class, frame) = self.shake(to, cx);
            cx.attack(to, class, frame);
        }
        self.shakes = self.shakes.saturating_add(1);
        Some(cx.now + pace)
    }
}
