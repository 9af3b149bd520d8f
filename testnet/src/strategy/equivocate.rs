//! Says two things at once.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{Class, Publication, Slot, Time};
use rand::seq::SliceRandom as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Usual time between two equivocations.
const PACE: Duration = Duration::from_millis(500);

/// The strategy's entry.
pub const EQUIVOCATE: Kind = Kind {
    name: "equivocate",
    row: 4,
    sentence: "Signs two messages for one slot and sends one to each half of its peers, again and again \
               until nobody is left who listens.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Equivocate { intensity: brief.intensity, generation: None, seq: 0 }),
};

struct Equivocate {
    intensity: Intensity,
    /// Its slots are apart from those that the core would use.
    generation: Option<u64>,
    seq: u64,
}

impl Equivocate {
    /// A message that says `word`, in the same slot until the next act.
    fn say(&mut self, word: &'static str, cx: &Cx<'_>) -> Bytes {
        let generation = *self.generation.get_or_insert_with(|| cx.wall.as_secs() + 1);
        let slot = Slot { author: cx.keypair.id(), topic: cx.topic, generation, seq: self.seq };
        let lifetime = cx.network.topic(cx.topic).lifetime_max;
        let payload = Bytes::from_static(word.as_bytes());
        Publication::sign(slot, cx.wall, lifetime, payload, cx.keypair, cx.network).frame().clone()
    }
}

impl Strategy for Equivocate {
    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let mut victims = cx.victims();
        if !victims.is_empty() {
            let (yes, no) = (self.say("yes", cx), self.say("no", cx));
            self.seq += 1;
            victims.shuffle(cx.rng);
            let (left, right) = victims.split_at(victims.len() / 2);
            left.iter().for_each(|to| cx.attack(*to, Class::Payload, yes.clone()));
            right.iter().for_each(|to| cx.attack(*to, Class::Payload, no.clone()));
            // A lone listener hears both: half of one would be nobody.
            if let [alone] = right
                && left.is_empty()
            {
                cx.attack(*alone, Class::Payload, yes);
            }
        }
        Some(cx.now + pace)
    }
}
