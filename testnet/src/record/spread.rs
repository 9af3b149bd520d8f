//! How messages spread: who accepted what, and how long it took.

use std::{collections::BTreeMap, time::Duration};

use forsooth_protocol::{MessageId, Time};
use hdrhistogram::Histogram;

use super::{Latency, Seat};

/// Messages that are followed. What is published beyond that is not judged, and the findings say so.
const MESSAGES_MAX: usize = 1 << 17;

/// Latencies are cut here: the longest lifetime that a message may have.
const LATENCY_MICROS_MAX: u64 = 3_600_000_000;

/// The spread of all messages of a run.
#[derive(Debug)]
pub(crate) struct Spread {
    messages: BTreeMap<MessageId, Message>,
    /// Microseconds from publishing to acceptance, of honest authors' messages at honest nodes.
    latency: Histogram<u64>,
    honest: u64,
    pub(crate) published: u64,
    /// Acceptances of honest authors' messages at other honest nodes.
    pub(crate) accepted: u64,
    /// Payload bytes of all acceptances at honest nodes, whoever the author.
    pub(crate) accepted_bytes: u64,
    /// Messages that were not followed.
    pub(crate) untracked: u64,
}

#[derive(Debug, Default)]
struct Message {
    published_at: Option<Time>,
    holders: Seats,
}

impl Spread {
    pub(crate) fn new(honest: usize) -> Self {
        Self {
            messages: BTreeMap::new(),
            latency: Histogram::new_with_max(LATENCY_MICROS_MAX, 3)
                .expect("a range and 3 digits that fit it"),
            honest: u64::try_from(honest).unwrap_or(u64::MAX),
            published: 0,
            accepted: 0,
            accepted_bytes: 0,
            untracked: 0,
        }
    }

    pub(crate) fn published(&mut self, id: MessageId, at: Time) {
        self.published += 1;
        if let Some(message) = self.message(id) {
            message.published_at.get_or_insert(at);
        }
    }

    /// Notes an acceptance. False if this node had accepted the message before.
    pub(crate) fn accepted(
        &mut self,
        seat: Seat,
        author: Option<Seat>,
        id: MessageId,
        payload_bytes: usize,
        at: Time,
    ) -> bool {
        let Some(message) = self.message(id) else { return true };
        if !message.holders.insert(seat) {
            return false;
        }
        let published_at = message.published_at;
        self.accepted_bytes += u64::try_from(payload_bytes).unwrap_or(u64::MAX);
        if author.is_some() && author != Some(seat) {
            self.accepted += 1;
            if let Some(published_at) = published_at {
                let taken = at.since(published_at).as_micros();
                self.latency.saturating_record(u64::try_from(taken).unwrap_or(u64::MAX).max(1));
            }
        }
        true
    }

    /// Acceptances that are due: each published message at each honest node but its author's.
    pub(crate) fn wanted(&self) -> u64 {
        self.published.saturating_mul(self.honest.saturating_sub(1))
    }

    pub(crate) fn latency(&self) -> Latency {
        let at = |quantile| Duration::from_micros(self.latency.value_at_quantile(quantile));
        Latency { p50: at(0.5), p99: at(0.99), max: Duration::from_micros(self.latency.max()) }
    }

    fn message(&mut self, id: MessageId) -> Option<&mut Message> {
        if self.messages.len() >= MESSAGES_MAX && !self.messages.contains_key(&id) {
            self.untracked += 1;
            return None;
        }
        Some(self.messages.entry(id).or_default())
    }
}

/// A set of seats, a bit for each.
#[derive(Debug, Default)]
struct Seats(Vec<u64>);

impl Seats {
    /// False if it was in the set.
    fn insert(&mut self, Seat(seat): Seat) -> bool {
        let (place, bit) = (seat as usize / 64, 1 << (seat % 64));
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        let Some(word) = self.0.get_mut(place) else { return false };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_duration(Duration::from_millis(ms))
    }

    #[test]
    fn each_seat_is_counted_once() {
        let mut seats = Seats::default();
        for seat in [0, 63, 64, 1000] {
            assert!(seats.insert(Seat(seat)), "{seat}");
            assert!(!seats.insert(Seat(seat)), "{seat} again");
        }
    }

    #[test]
    fn what_is_wanted_is_each_message_at_each_other_honest_node() {
        let id = |byte| MessageId::from_bytes([byte; 32]);
        let mut spread = Spread::new(3);
        spread.published(id(1), at(100));
        assert!(spread.accepted(Seat(0), Some(Seat(0)), id(1), 10, at(100)));
        assert!(spread.accepted(Seat(1), Some(Seat(0)), id(1), 10, at(110)));
        assert_eq!((spread.accepted, spread.wanted()), (1, 2));
        assert!(spread.accepted(Seat(2), Some(Seat(0)), id(1), 10, at(130)));
        assert!(!spread.accepted(Seat(2), Some(Seat(0)), id(1), 10, at(131)), "twice");
        // An adversary's message is worth its bytes, not a place in the ratio.
        assert!(spread.accepted(Seat(2), None, id(2), 5, at(140)));
        assert_eq!((spread.accepted, spread.wanted(), spread.accepted_bytes), (2, 2, 35));
        assert_eq!(spread.latency().max.as_millis(), 30);
    }
}
