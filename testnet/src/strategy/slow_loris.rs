//! Begins to say something and does not finish.

use std::collections::BTreeSet;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Effect, Input, Lane};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// The strategy's entry.
pub const SLOW_LORIS: Kind = Kind {
    name: "slow-loris",
    row: 23,
    sentence: "Stops in the middle of a frame on each lane of each link, and keeps the link.",
    onset: Onset::Attack,
    wire: Wire::Stalls,
    build: |brief| Box::new(SlowLoris { intensity: brief.intensity, begun: BTreeSet::new() }),
};

/// In the simulator, which stops in the middle of the first frame; this one holds back those behind it. On the
/// wire of a real node they wait behind that half by themselves.
struct SlowLoris {
    intensity: Intensity,
    /// The lanes on which a frame is begun.
    begun: BTreeSet<(NodeId, Lane)>,
}

impl Strategy for SlowLoris {
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Disconnected { peer } = &input {
            self.begun.retain(|(begun, _)| begun != peer);
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class, .. } = &effect else { return Some(effect) };
        if !self.intensity.is_some() || !cx.is_victim(to) {
            return Some(effect);
        }
        cx.withheld(*to);
        self.begun.insert((*to, class.lane())).then_some(effect)
    }
}
