//! How long requests take: a round trip, and for large payloads the time that their bytes take.

use core::time::Duration;

use super::super::patience::Patience;

/// How long requests take, as measured.
#[derive(Debug)]
pub(super) struct Pace {
    round_trip: Patience,
    /// For 1024 bytes.
    transfer: Patience,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { round_trip: Patience::with_voucher(), transfer: Patience::with_transfer() }
    }

    /// How long somebody who was asked is waited for before the next is, if this is known of the size.
    pub(super) fn request(&self, bytes: Option<u32>) -> Duration {
        self.round_trip.wait() + self.transfer(bytes)
    }

    /// How long a payload of this size is on its way beyond a round trip; no time if nobody said that it is large.
    pub(super) fn transfer(&self, bytes: Option<u32>) -> Duration {
        self.transfer.wait().saturating_mul(bytes.map_or(0, kib))
    }

    /// A request took so long.
    pub(super) fn learn(&mut self, took: Duration, bytes: Option<u32>) {
        match bytes.map_or(0, kib) {
            0 => self.round_trip.learn(took),
            kib => self.transfer.learn(took.saturating_sub(self.round_trip.mean()) / kib),
        }
    }
}

/// In units of 1024 bytes; what is less is as good as nothing.
const fn kib(bytes: u32) -> u32 {
    bytes >> 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_payload_is_waited_for_in_proportion_and_never_for_long() {
        let mut pace = Pace::new();
        let small = pace.request(None);
        assert_eq!(pace.request(Some(1000)), small);
        assert_eq!(pace.request(Some(1 << 20)) - small, Duration::from_millis(1024));
        (0..50).for_each(|_| pace.learn(Duration::from_secs(2), Some(1 << 20)));
        let slow = pace.request(Some(1 << 20)) - small;
        assert!(
            slow > Duration::from_millis(1700) && slow < Duration::from_millis(2000),
            "{slow:?}"
        );
        (0..50).for_each(|_| pace.learn(Duration::from_secs(60), Some(1 << 20)));
        assert_eq!(pace.request(Some(1 << 20)) - small, Duration::from_millis(4096));
        assert_eq!(pace.request(None), small, "large ones say nothing of round trips");
    }
}
