//! Many identities at few addresses.

use std::time::Duration;

use forsooth_protocol::{Effect, Time};
use rand::RngExt as _;

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, pack::Pack, siege::Siege};

/// Usual time between two attempts to join, and two lists.
const PACE: Duration = Duration::from_secs(5);

/// The strategy's entry.
pub const SYBIL_SUBNET: Kind = Kind {
    name: "sybil-subnet",
    row: 14,
    sentence: "Joins everybody from birth and tells of accomplices alone, who are many; a scenario's `subnet` \
               has them share an address range.",
    onset: Onset::Birth,
    wire: Wire::Sound,
    build: |brief| Box::new(Crowd::new(brief)),
};

/// One of many who join everybody and tell of each other.
pub(super) struct Crowd {
    intensity: Intensity,
    pack: Pack,
    siege: Siege,
}

impl Crowd {
    pub(super) fn new(brief: &Brief) -> Self {
        let (intensity, pack) = (brief.intensity, Pack::of(brief));
        Self { intensity, pack, siege: Siege::default() }
    }
}

impl Strategy for Crowd {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        self.siege.note(&effect, cx);
        self.pack.lie(effect, cx)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        self.pack.enlist(cx);
        self.siege.press(cx.known_victims(), cx);
        let victims = cx.victims();
        if !victims.is_empty()
            && let Some(victim) = victims.get(cx.rng.random_range(0..victims.len()))
        {
            self.pack.push(*victim, cx);
        }
        Some(cx.now + pace)
    }
}
