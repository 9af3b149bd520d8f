//! First contacts that lie.

use std::time::Duration;

use forsooth_protocol::{Effect, Time};

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, pack::Pack};

/// How often it looks whether its address has changed.
const PACE: Duration = Duration::from_secs(1);

/// The strategy's entry.
pub const POISON_SEEDS: Kind = Kind {
    name: "poison-seeds",
    row: 15,
    sentence: "Tells everybody from birth of accomplices alone; a scenario's `contacts` has honest nodes begin \
               with them.",
    onset: Onset::Birth,
    wire: Wire::Sound,
    build: |brief| Box::new(PoisonSeeds::new(brief)),
};

struct PoisonSeeds {
    intensity: Intensity,
    pack: Pack,
}

impl PoisonSeeds {
    fn new(brief: &Brief) -> Self {
        Self { intensity: brief.intensity, pack: Pack::of(brief) }
    }
}

impl Strategy for PoisonSeeds {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        self.pack.lie(effect, cx)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        self.pack.enlist(cx);
        Some(cx.now + pace)
    }
}
