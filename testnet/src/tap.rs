//! Eyes around an honest participant, in both engines.
//!
//! A [`Tap`] tells the run's [`Recorder`] of the inputs and effects that matter. The recorder checks them without asking the core.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use forsooth_protocol::{Effect, Input, Participant, Time};

use crate::{
    clock::{RunClock, WallClock},
    eyes::{Eyes, Watched},
    record::{Recorder, Seat},
};

/// Publishing orders that are remembered until they are done; more than any application has under way.
const REQUESTS_MAX: usize = 1024;

/// What an honest participant does, for the record.
pub struct Tap {
    seat: Seat,
    recorder: Arc<Recorder>,
    clock: RunClock,
    wall: WallClock,
    /// When the application asked for what is not published yet.
    requests: BTreeMap<u64, Time>,
}

impl Tap {
    /// Watches `inner`, which has this seat in the run.
    #[must_use]
    pub fn around(
        inner: Box<dyn Participant>,
        seat: Seat,
        recorder: Arc<Recorder>,
        clock: RunClock,
    ) -> Watched<Self> {
        let (wall, requests) = (WallClock::default(), BTreeMap::new());
        Watched::new(inner, Self { seat, recorder, clock, wall, requests })
    }

    fn look_at(&mut self, now: Time, effect: &Effect) {
        let at = self.clock.read(now);
        match effect {
            Effect::Send { class, frame, .. } => self.recorder.sent(self.seat, *class, frame, at),
            Effect::Deliver(accepted) => {
                self.recorder.delivered(self.seat, accepted, at, self.wall.read(now))
            }
            Effect::Published { request, outcome } => {
                let asked = self.requests.remove(request).unwrap_or(at);
                if let Ok(receipt) = outcome {
                    self.recorder.published(self.seat, receipt.id, asked);
                }
            }
            Effect::Event(event) => self.recorder.event(self.seat, event, at),
            Effect::Verify { .. } => self.recorder.checks_a_signature(),
            Effect::Dial { .. }
            | Effect::Disconnect { .. }
            | Effect::Validate { .. }
            | Effect::Keep { .. }
            | Effect::Load { .. }
            | Effect::Store(_) => {}
        }
    }
}

impl Eyes for Tap {
    fn see_input(&mut self, now: Time, input: &Input) {
        self.wall.observe(now, input);
        if let Input::Received { from, lane, frame } = input {
            let at = self.clock.read(now);
            self.recorder.received(self.seat, from, *lane, frame, at);
        } else if let Input::Publish { request, .. } = input {
            if self.requests.len() >= REQUESTS_MAX {
                self.requests.pop_first();
            }
            self.requests.insert(*request, self.clock.read(now));
        }
    }

    fn see_effects(&mut self, now: Time, effects: &VecDeque<Effect>) {
        effects.iter().for_each(|effect| self.look_at(now, effect));
    }
}
