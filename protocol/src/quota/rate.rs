//! A rate with a burst, on the core's clock: GCRA, by `governor`.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use crate::time::Time;

type Limiter = RateLimiter<NotKeyed, InMemoryState, CoreClock, NoOpMiddleware<Nanos>>;

/// `governor`'s view of the core's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreClock(Arc<AtomicU64>);

impl CoreClock {
    /// Moves the clock to `now`.
    pub(crate) fn set(&self, now: Time) {
        let nanos = u64::try_from(now.as_duration().as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for CoreClock {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// A rate with a burst, on the core's clock.
#[derive(Debug)]
pub(crate) struct Rate {
    limiter: Limiter,
    clock: CoreClock,
}

impl Rate {
    /// `per_period` units in each `period`, and up to `burst` at once. Zeros count as one.
    pub(crate) fn new(per_period: u32, period: Duration, burst: u32, clock: &CoreClock) -> Self {
        let interval = period / per_period.max(1);
        let quota = Quota::with_period(interval.max(Duration::from_nanos(1)))
            .expect("the interval is at least a nanosecond")
            .allow_burst(NonZeroU32::new(burst.max(1)).expect("at least one"));
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock: clock.clone() }
    }

    /// Takes `units` if there are so many, else says when there will be.
    ///
    /// # Errors
    /// How long to wait; `Duration::MAX` if `units` is more than the burst.
    pub(crate) fn take(&self, units: u32) -> Result<(), Duration> {
        let Some(units) = NonZeroU32::new(units) else {
            return Ok(());
        };
        match self.limiter.check_n(units) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wait)) => Err(wait.wait_time_from(self.clock.now())),
            Err(_over_burst) => Err(Duration::MAX),
        }
    }
}
