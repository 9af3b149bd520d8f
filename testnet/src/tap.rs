//! A pair of eyes around an honest participant, in both engines.
//!
//! A [`Tap`] changes nothing: it passes on every input and every effect, and tells the run's
//! [`Recorder`] of those that matter. The recorder checks them without asking the core.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{Drain, Effect, Input, Participant, Snapshot, Time};

use crate::{
    clock::{RunClock, WallClock},
    record::{Recorder, Seat},
};

/// Publishing orders that are remembered until they are done; more than any application has under way.
const REQUESTS_MAX: usize = 1024;

/// An honest participant under observation.
pub struct Tap {
    inner: Box<dyn Participant>,
    seat: Seat,
    recorder: Arc<Recorder>,
    clock: RunClock,
    wall: WallClock,
    /// When the application asked for what is not published yet.
    requests: BTreeMap<u64, Time>,
    effects: VecDeque<Effect>,
}

impl Tap {
    /// Watches `inner`, which has this seat in the run.
    #[must_use]
    pub fn new(
        inner: Box<dyn Participant>,
        seat: Seat,
        recorder: Arc<Recorder>,
        clock: RunClock,
    ) -> Self {
        let (requests, effects) = (BTreeMap::new(), VecDeque::new());
        Self { inner, seat, recorder, clock, wall: WallClock::default(), requests, effects }
    }

    fn look_at_input(&mut self, now: Time, input: &Input) {
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

    fn look_at_effect(&mut self, now: Time, effect: &Effect) {
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

impl Participant for Tap {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.look_at_input(now, &input);
        let mut effects = std::mem::take(&mut self.effects);
        effects.extend(self.inner.handle(now, input));
        effects.iter().for_each(|effect| self.look_at_effect(now, effect));
        self.effects = effects;
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.inner.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn members(&self) -> Vec<MemberState> {
        self.inner.members()
    }
}
