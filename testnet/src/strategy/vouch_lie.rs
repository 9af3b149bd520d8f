//! Vouches for what it does not hold.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use forsooth_protocol::{Class, Effect, Input, Lane, MessageId, ShortId, Time, wire::Frame};
use rand::RngExt as _;

use super::{Brain, Cx, Intensity, Kind, Onset, Strategy, Wire, craft};

/// Usual time between two lots of invented ids.
const PACE: Duration = Duration::from_millis(100);
/// Ids in a lot, and names.
const LOT: usize = 16;
/// Invented ids that colluders remember; the lower go first.
const PHANTOMS_MAX: usize = 1 << 16;

/// The strategy's entry.
pub const VOUCH_LIE: Kind = Kind {
    name: "vouch-lie",
    row: 10,
    sentence: "Vouches for messages that do not exist, colluders for the same ones and by names that mean \
               nothing, or for everything that it hears others vouch for; serves nothing when asked.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let manner =
            if brief.seat.is_multiple_of(2) { Manner::Phantoms } else { Manner::Everything };
        let (mind, told) = (brief.mind(), BTreeSet::new());
        Box::new(VouchLie { intensity: brief.intensity, manner, mind, told })
    },
};

struct VouchLie {
    intensity: Intensity,
    manner: Manner,
    mind: Arc<Mutex<Brain>>,
    /// Invented ids for which it has vouched.
    told: BTreeSet<MessageId>,
}

/// What it vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// What nobody has.
    Phantoms,
    /// What somebody says to have.
    Everything,
}

impl VouchLie {
    /// Ids of no message, of the colluders' making if they made some that this one has not told.
    fn lot(&mut self, cx: &mut Cx<'_>) -> Vec<MessageId> {
        let mut brain = Brain::of(&self.mind);
        let mut lot: Vec<_> = brain.phantoms.difference(&self.told).take(LOT).copied().collect();
        let fresh = craft::phantoms(LOT - lot.len(), cx);
        brain.phantoms.extend(&fresh);
        lot.extend(fresh);
        while brain.phantoms.len() > PHANTOMS_MAX {
            let forgotten = brain.phantoms.pop_first();
            forgotten.and_then(|id| self.told.take(&id));
        }
        self.told.extend(&lot);
        lot
    }
}

impl Strategy for VouchLie {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { from, lane: Lane::Control, frame } = &input
            && self.manner == Manner::Everything
            && self.intensity.is_some()
            && let Ok(decoded) = Frame::decode(frame, cx.network)
        {
            craft::inquire(*from, &decoded, cx);
            if !matches!(decoded, Frame::Vouch { .. }) {
                return Some(input);
            }
            for to in cx.victims().into_iter().filter(|to| to != from) {
                cx.attack(to, Class::Vouch, frame.clone());
            }
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Send { to, class: Class::Requested, .. } = &effect
            && self.intensity.is_some()
            && cx.is_victim(to)
        {
            cx.withheld(*to);
            return None;
        }
        Some(effect)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        match self.manner {
            Manner::Everything => return None,
            Manner::Phantoms => {
                let ids = craft::vouch(cx.topic, self.lot(cx));
                let names = (0..LOT).map(|_| ShortId::from_bytes(cx.rng.random())).collect();
                let names = Frame::ShortVouch { names }.encode();
                for to in cx.victims() {
                    cx.attack(to, Class::Vouch, ids.clone());
                    cx.attack(to, Class::Vouch, names.clone());
                }
            }
        }
        Some(cx.now + pace)
    }
}
