//! Moments of a world as whole nanoseconds: half the size of a [`Time`], and one comparison.

use std::time::Duration;

use forsooth_protocol::Time;

/// Nanoseconds since the world began. Enough for five centuries.
pub(crate) type Nanos = u64;

/// A moment in nanoseconds.
pub(crate) fn nanos(time: Time) -> Nanos {
    u64::try_from(time.as_duration().as_nanos()).unwrap_or(Nanos::MAX)
}

/// Nanoseconds as a moment.
pub(crate) const fn time(nanos: Nanos) -> Time {
    Time::from_duration(Duration::from_nanos(nanos))
}
