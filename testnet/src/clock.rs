//! Which time it is in a run, for those who watch or attack it.

use std::time::Instant;

use forsooth_protocol::{Input, Time, Timestamp};

/// The one clock of a run, so that moments at different nodes can be compared.
#[derive(Clone, Copy, Debug)]
pub enum RunClock {
    /// All cores were made at one moment and share their `now`: the simulator.
    Shared,
    /// Cores are made one after the other: real nodes measure from here.
    Since(Instant),
}

impl RunClock {
    /// The run's time when a core's own clock shows `now`.
    #[must_use]
    pub fn read(self, now: Time) -> Time {
        match self {
            Self::Shared => now,
            Self::Since(start) => Time::from_duration(start.elapsed()),
        }
    }
}

/// The wall clock as a core knows it: what it was told last, and the time since.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock {
    told: Timestamp,
    at: Time,
}

impl WallClock {
    /// Sets the clock if the input does.
    pub fn observe(&mut self, now: Time, input: &Input) {
        if let Input::WallClock(told) = input {
            *self = Self { told: *told, at: now };
        }
    }

    /// What the clock shows.
    #[must_use]
    pub fn read(&self, now: Time) -> Timestamp {
        self.told.saturating_add(now.since(self.at))
    }
}
