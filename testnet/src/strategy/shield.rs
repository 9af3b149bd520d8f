//! Keeps silent about the dead.

use forsooth_protocol::{
    Class, Effect,
    wire::{Ack, Frame},
};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// The strategy's entry.
pub const SHIELD: Kind = Kind {
    name: "shield",
    row: 19,
    sentence: "Accuses nobody, passes no accusation on, and does not say that it has not reached whom it was asked to try.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Shield { intensity: brief.intensity }),
};

struct Shield {
    intensity: Intensity,
}

impl Strategy for Shield {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class: Class::Members, frame } = &effect else {
            return Some(effect);
        };
        if !self.intensity.is_some() || !cx.is_honest(to) {
            return Some(effect);
        }
        let (to, class) = (*to, Class::Members);
        match Frame::decode(frame, cx.network) {
            Ok(Frame::Rumours { members, accusations, asked }) if !accusations.is_empty() => {
                cx.withheld(to);
                let rest = Frame::Rumours { members, accusations: Vec::new(), asked }.encode();
                Some(Effect::Send { to, class, frame: rest })
            }
            Ok(Frame::Ack(Ack::Unreached { .. })) => {
                cx.withheld(to);
                None
            }
            Ok(_) | Err(_) => Some(effect),
        }
    }
}
