//! Takes all places that there are for those who come.

use std::time::Duration;

use forsooth_protocol::{Effect, Time};

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, siege::Siege};

/// Usual time between two attempts to join.
const PACE: Duration = Duration::from_millis(500);

/// The strategy's entry.
pub const SLOT_EXHAUST: Kind = Kind {
    name: "slot-exhaust",
    row: 17,
    sentence: "Joins everybody it knows of unasked and comes back at once when sent away, so that no place is \
               left for those who come.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(SlotExhaust::new(brief)),
};

struct SlotExhaust {
    intensity: Intensity,
    siege: Siege,
    /// With which of its victims it begins, where they are more than it can join.
    first: usize,
}

impl SlotExhaust {
    fn new(brief: &Brief) -> Self {
        Self { intensity: brief.intensity, siege: Siege::default(), first: brief.seat }
    }
}

impl Strategy for SlotExhaust {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        self.siege.note(&effect, cx);
        Some(effect)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let mut victims = cx.known_victims();
        if !victims.is_empty() {
            let first = self.first % victims.len();
            victims.rotate_left(first);
        }
        self.siege.press(victims, cx);
        Some(cx.now + pace)
    }
}
