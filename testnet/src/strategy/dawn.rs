//! Waits for the quiet, and spoils the first words after it.

use std::time::Duration;

use forsooth_protocol::{Class, Effect, Input, Lane, Time};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Without a message for so long, it is night.
const NIGHT: Duration = Duration::from_secs(3);
/// How long after its first message a day is young.
const MORNING: Duration = Duration::from_secs(2);

/// The strategy's entry.
pub const DAWN: Kind = Kind {
    name: "dawn",
    row: 24,
    sentence: "Behaves while there is traffic, but passes on and vouches for nothing of the first two seconds \
               after an idle time of three.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Dawn { intensity: brief.intensity, last: None, morning: None }),
};

struct Dawn {
    intensity: Intensity,
    /// When the last message came.
    last: Option<Time>,
    /// Until when the day is young.
    morning: Option<Time>,
}

impl Strategy for Dawn {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Data, .. } = &input {
            if self.last.is_none_or(|last| cx.now.since(last) >= NIGHT) {
                self.morning = Some(cx.now + MORNING);
            }
            self.last = Some(cx.now);
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Send { to, class: Class::Payload | Class::Requested | Class::Vouch, .. } =
            &effect
            && self.morning.is_some_and(|end| cx.now < end)
            && self.intensity.is_some()
            && cx.is_victim(to)
            && cx.rng.random_bool(self.intensity.share())
        {
            cx.withheld(*to);
            return None;
        }
        Some(effect)
    }
}
