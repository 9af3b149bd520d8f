//! The two clocks of a node: the steady one that its core lives by, and the one on the wall.
//!
//! The core is told the wall's time at the start, every half minute, and when it has jumped: a laptop that
//! slept, an administrator who corrected it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forsooth_protocol::{Time, Timestamp};
use tokio::time::Instant;

/// The core is told the wall's time this often.
const TOLD_EVERY: Duration = Duration::from_secs(30);
/// Clocks that drift apart by more than this have jumped. A guess, far below any network's allowance.
const JUMP_MIN: Duration = Duration::from_millis(500);

/// Both clocks, from the moment that the node started.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    told: (Instant, Timestamp),
}

impl Clock {
    /// Starts at zero, with a first reading of the wall.
    pub(crate) fn start(wall: Timestamp) -> Self {
        let now = Instant::now();
        Self { started: now, told: (now, wall) }
    }

    /// The core's time.
    pub(crate) fn now(&self) -> Time {
        Time::from_duration(self.started.elapsed())
    }

    /// When the core's clock will show `time`.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        // Only a deadline beyond the end of time has no instant; a day is as good.
        let day = Duration::from_secs(24 * 3600);
        self.started.checked_add(time.as_duration()).unwrap_or_else(|| Instant::now() + day)
    }

    /// What the wall showed when the core's clock showed `time`, by its last reading.
    pub(crate) fn wall_at(&self, time: Time) -> Timestamp {
        let (at, wall) = self.told;
        let told = Time::from_duration(at.saturating_duration_since(self.started));
        if time >= told {
            wall.saturating_add(time.since(told))
        } else {
            wall.saturating_sub(told.since(time))
        }
    }

    /// Reads the wall; answers when the core should be told.
    pub(crate) fn reading(&mut self) -> Option<Timestamp> {
        // A clock that has fallen before 1970 tells nothing; the last reading stands.
        let wall = wall()?;
        let now = Instant::now();
        let expected =
            self.wall_at(Time::from_duration(now.saturating_duration_since(self.started)));
        let jump = expected.since(wall).max(wall.since(expected));
        let stale = now.saturating_duration_since(self.told.0) >= TOLD_EVERY;
        if jump > JUMP_MIN {
            tracing::warn!(ms = %jump.as_millis(), "the wall clock has jumped");
        }
        (stale || jump > JUMP_MIN).then(|| {
            self.told = (now, wall);
            wall
        })
    }
}

/// The time on the wall; `None` before 1970.
pub(crate) fn wall() -> Option<Timestamp> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since_epoch.as_millis()).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_core_is_told_of_a_jump_at_once_and_else_every_half_minute() {
        // Tokio's clock is stopped, the wall's is not: it seems to run ahead only when tokio's is moved.
        let mut clock = Clock::start(wall().unwrap());
        assert_eq!(clock.reading(), None);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(clock.reading().is_some(), "the wall fell behind by two seconds");
        assert_eq!(clock.reading(), None);
    }

    #[test]
    fn a_time_is_put_on_the_wall() {
        let clock = Clock::start(Timestamp::from_millis(10_000));
        let at = Time::from_duration(Duration::from_millis(1500));
        assert_eq!(clock.wall_at(at), Timestamp::from_millis(11_500));
    }
}
