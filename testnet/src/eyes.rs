//! Eyes around a participant, which see all that reaches it and all that it orders, and change nothing.

use std::collections::VecDeque;

use forsooth_protocol::{Drain, Effect, Input, Participant, Snapshot, Time, snapshot::MemberState};

/// Room for so many effects is kept between inputs: there are thousands of participants.
const EFFECTS_KEPT: usize = 16;

/// What is done with what is seen.
pub trait Eyes: Send {
    /// The participant is about to deal with this.
    fn see_input(&mut self, _now: Time, _input: &Input) {}

    /// It orders these; never none.
    fn see_effects(&mut self, _now: Time, _effects: &VecDeque<Effect>) {}
}

/// A participant under such eyes.
pub struct Watched<E> {
    inner: Box<dyn Participant>,
    eyes: E,
    effects: VecDeque<Effect>,
}

impl<E: Eyes> Watched<E> {
    /// Lets `eyes` see what `inner` does.
    #[must_use]
    pub fn new(inner: Box<dyn Participant>, eyes: E) -> Self {
        Self { inner, eyes, effects: VecDeque::new() }
    }
}

impl<E: Eyes> Participant for Watched<E> {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.eyes.see_input(now, &input);
        self.effects.shrink_to(EFFECTS_KEPT);
        self.effects.extend(self.inner.handle(now, input));
        if !self.effects.is_empty() {
            self.eyes.see_effects(now, &self.effects);
        }
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
