//! Other machines that sign with our key.
//!
//! A data folder that was copied, or restored and started twice, makes an operator an equivocator by mistake, as soon
//! as both publish in one generation. What others hold of ours shows it earlier: something signed in a
//! generation that is not ours, or after we started. Only what bears our own signature counts, so nobody else can raise
//! the alarm; and what we signed ourselves in earlier lives is old, so a replay of it does not.

use core::time::Duration;

use super::Core;
use crate::{
    Effect, Event, Refusal,
    snapshot::Twin,
    time::{Time, Timestamp},
};

/// What is known of other machines that sign with our key.
#[derive(Debug)]
pub(super) struct Twins {
    /// The generation of the life before this one, as far as our disk knows.
    former: Option<u64>,
    /// When this life began, once the wall clock is known.
    started: Option<Timestamp>,
    /// Until when others are listened to before anything is published.
    listens_until: Time,
    seen: Option<Twin>,
}

impl Twins {
    pub(super) const fn new(former: Option<u64>, listen: Duration) -> Self {
        Self { former, started: None, listens_until: Time::from_duration(listen), seen: None }
    }

    /// The wall clock was read.
    pub(super) fn starts(&mut self, wall: Timestamp) {
        self.started.get_or_insert(wall);
    }

    pub(super) const fn seen(&self) -> Option<Twin> {
        self.seen
    }

    /// Whether publishing is safe.
    ///
    /// # Errors
    /// It is too early to know, or another machine has started with our key since.
    pub(super) fn may_publish(&self, now: Time) -> Result<(), Refusal> {
        if self.seen.is_some_and(|twin| twin.is_newer) {
            return Err(Refusal::Twin);
        }
        if now < self.listens_until {
            return Err(Refusal::Listening { retry_after: self.listens_until.since(now) });
        }
        Ok(())
    }
}

impl Core {
    /// Something that bears our signature and is not of this life, or is not known to be: `generation` is what it says, `at` when it
    /// was signed. Another machine's if it is of this generation or a later one, of one that our disk does not know
    /// of, or signed after we started.
    pub(super) fn recognise_own(&mut self, generation: u64, at: Timestamp) {
        let is_newer = generation >= self.generation;
        let is_unknown = self.twins.former.is_some_and(|former| generation > former);
        let skew = self.network.defence().clock_skew_max;
        let is_alive = self.twins.started.is_some_and(|started| at > started.saturating_add(skew));
        if is_newer || is_unknown || is_alive {
            self.twin(Twin { generation, is_newer });
        }
    }

    /// Somebody signs with our key. Told once, and once more if it turns out to be worse.
    pub(super) fn twin(&mut self, twin: Twin) {
        if self.twins.seen.is_none_or(|before| twin.is_newer && !before.is_newer) {
            self.twins.seen = Some(twin);
            self.effects.push_back(Effect::Event(Event::Twin(twin)));
        }
    }
}
