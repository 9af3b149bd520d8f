//! Is there before the network is.

use forsooth_protocol::Effect;

use super::{Cx, FORGE, Intensity, Kind, Onset, Strategy, Wire, silent_drop::SilentDrop};

/// The strategy's entry.
pub const COLD_BOOT: Kind = Kind {
    name: "cold-boot",
    row: 24,
    sentence: "Attacks while the network forms, and after: one of three takes link after link and never \
               says hello, one forges from the first moment, one passes nothing on.",
    onset: Onset::Birth,
    wire: Wire::Sound,
    build: |brief| match brief.seat % 3 {
        0 => Box::new(Mute { intensity: brief.intensity }),
        1 => (FORGE.build)(brief),
        _ => Box::new(SilentDrop::at_once(brief)),
    },
};

/// Takes links and says nothing at all on them.
struct Mute {
    intensity: Intensity,
}

impl Strategy for Mute {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Send { to, .. } = &effect
            && self.intensity.is_some()
            && cx.is_victim(to)
        {
            cx.withheld(*to);
            return None;
        }
        Some(effect)
    }
}
