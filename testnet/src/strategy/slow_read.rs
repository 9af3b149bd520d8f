//! Is sent everything and reads nothing.

use std::time::Duration;

use forsooth_protocol::{Input, Time};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// How often its silence counts as an act against each peer.
const PACE: Duration = Duration::from_secs(1);

/// The strategy's entry.
pub const SLOW_READ: Kind = Kind {
    name: "slow-read",
    row: 23,
    sentence: "Keeps its links and takes nothing of what is sent to it, so that others' queues fill.",
    onset: Onset::Attack,
    wire: Wire::Deaf,
    build: |brief| Box::new(SlowRead { intensity: brief.intensity }),
};

/// The engine takes nothing; what comes all the same is not heard.
struct SlowRead {
    intensity: Intensity,
}

impl Strategy for SlowRead {
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        let hears = !self.intensity.is_some() || !matches!(input, Input::Received { .. });
        hears.then_some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        cx.victims().into_iter().for_each(|victim| cx.withheld(victim));
        Some(cx.now + pace)
    }
}
