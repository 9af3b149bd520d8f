//! Behaves for long, and then does not.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forsooth_protocol::{Effect, Input, Time};

use super::{
    Brain, Brief, Cx, FORGE, Kind, Onset, Strategy, VOUCH_LIE, Wire, silent_drop::SilentDrop,
};

/// How long they behave while the attack is on.
const SLEEP: Duration = Duration::from_secs(10);
/// How often a sleeper looks whether it is time.
const GLANCE: Duration = Duration::from_millis(50);

/// The strategy's entry.
pub const COVERT_FLASH: Kind = Kind {
    name: "covert-flash",
    row: 24,
    sentence: "Behaves for ten seconds more, then all turn at once: two of three pass nothing on, the rest \
               forge or vouch for what they do not hold.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let sleeper = CovertFlash {
            brief: brief.clone(),
            mind: brief.mind(),
            since: None,
            awake: awake(brief),
        };
        Box::new(sleeper)
    },
};

/// What a sleeper does when it wakes.
fn awake(brief: &Brief) -> Box<dyn Strategy> {
    match brief.seat % 6 {
        2 => (FORGE.build)(brief),
        5 => (VOUCH_LIE.build)(brief),
        _ => Box::new(SilentDrop::at_once(brief)),
    }
}

struct CovertFlash {
    brief: Brief,
    mind: Arc<Mutex<Brain>>,
    /// Since when it has behaved.
    since: Option<Time>,
    awake: Box<dyn Strategy>,
}

impl CovertFlash {
    fn is_awake(&self) -> bool {
        Brain::of(&self.mind).turned
    }
}

impl Strategy for CovertFlash {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if self.is_awake() { self.awake.on_input(input, cx) } else { Some(input) }
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if self.is_awake() { self.awake.on_effect(effect, cx) } else { Some(effect) }
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        if !self.brief.intensity.is_some() {
            return None;
        }
        let since = *self.since.get_or_insert(cx.now);
        if cx.now.since(since) >= SLEEP {
            Brain::of(&self.mind).turned = true;
        }
        if self.is_awake() { self.awake.act(cx) } else { Some(cx.now + GLANCE) }
    }
}
