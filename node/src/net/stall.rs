//! Noticing that the other side keeps us waiting, and not mistaking our own pauses for that.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// If we look this much after the limit, it was us who paused (a full event channel, a suspended
/// machine), and the bytes that we wait for may have been there all the time. Far above a timer's
/// usual delay.
const OWN_PAUSE_MIN: Duration = Duration::from_secs(1);

/// A wait for the other side that must not last longer than a limit.
#[derive(Debug)]
pub(super) struct Stall {
    since: Option<Instant>,
    limit: Duration,
}

impl Stall {
    /// Not waiting, yet.
    pub(super) const fn new(limit: Duration) -> Self {
        Self { since: None, limit }
    }

    /// The wait begins now, unless it already did.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// What we waited for came.
    pub(super) const fn end(&mut self) {
        self.since = None;
    }

    /// When [`Self::is_over`] is worth asking.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // Too far in the future for the clock is never.
        self.since.and_then(|since| since.checked_add(self.limit))
    }

    /// Whether the wait has lasted too long. After a pause of our own it starts anew.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let Some(late) = self.deadline().and_then(|deadline| now.checked_duration_since(deadline))
        else {
            return false;
        };
        if late >= OWN_PAUSE_MIN {
            self.since = Some(now);
            return false;
        }
        true
    }
}

/// One timer for all deadlines of a connection. It is only set anew when it must ring earlier, so
/// that a deadline that is moved with every read costs nothing.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `deadline` has passed; otherwise the task is woken by then.
    pub(super) fn poll(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);
    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn a_wait_is_over_at_its_limit_and_not_before() {
        let start = Instant::now();
        let mut stall = Stall::new(LIMIT);
        assert!(!stall.is_over(start + LIMIT));
        stall.begin(start);
        stall.begin(start + LIMIT / 2);
        assert!(!stall.is_over(start + LIMIT - MOMENT));
        assert!(stall.is_over(start + LIMIT));
    }

    #[test]
    fn our_own_pause_is_not_held_against_the_peer() {
        let start = Instant::now();
        let mut stall = Stall::new(LIMIT);
        stall.begin(start);
        let resumed = start + LIMIT + OWN_PAUSE_MIN;
        assert!(!stall.is_over(resumed));
        assert!(stall.is_over(resumed + LIMIT));
    }

    #[test]
    fn what_came_in_time_ends_the_wait() {
        let start = Instant::now();
        let mut stall = Stall::new(LIMIT);
        stall.begin(start);
        stall.end();
        assert_eq!(stall.deadline(), None);
        assert!(!stall.is_over(start + LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn the_alarm_rings_at_the_latest_deadline_that_it_was_given() {
        let mut alarm = Alarm::default();
        let start = Instant::now();
        let early = Some(start + LIMIT / 2);
        assert!(futures::poll!(std::future::poll_fn(|cx| alarm.poll(early, cx))).is_pending());
        std::future::poll_fn(|cx| alarm.poll(Some(start + LIMIT), cx)).await;
        assert_eq!(Instant::now(), start + LIMIT);
    }
}
