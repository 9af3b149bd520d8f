//! What arrived where, when, and whether an author may publish more. Shared by all nodes of a run, the same for
//! every system.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::sync::Notify;

use crate::task::Quantiles;

/// Bytes that a payload begins with: when it was published, by whom, and which message of theirs it is.
pub(crate) const STAMP_BYTES: usize = 16;
/// The longest time that histograms tell apart, in us.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Counts arrivals.
pub(crate) struct Tally {
    begun: Instant,
    /// What is measured, in ns since the beginning.
    from: AtomicU64,
    until: AtomicU64,
    arrivals: Vec<Mutex<Arrivals>>,
    windows: Vec<Window>,
}

/// What arrived at one node.
#[derive(Clone)]
struct Arrivals {
    /// Within the time that is measured.
    counted: u64,
    /// Of messages that were published in it.
    of_measured: u64,
    latency_us: Histogram<u64>,
    verified_us: Histogram<u64>,
}

/// Messages of one author that are under way: for each place the message that has it, and at how many nodes it is.
struct Window {
    places: Vec<AtomicU64>,
    freed: Notify,
}

/// The beginning of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    at: u64,
    author: u32,
    seq: u32,
}

/// The sum over all nodes.
pub(crate) struct Sum {
    pub(crate) counted: u64,
    pub(crate) of_measured: u64,
    pub(crate) latency: Quantiles,
    pub(crate) verified: Option<Quantiles>,
}

impl Stamp {
    /// What a payload begins with.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let (at, rest) = payload.split_first_chunk()?;
        let (author, rest) = rest.split_first_chunk()?;
        let (seq, _) = rest.split_first_chunk()?;
        Some(Self {
            at: u64::from_le_bytes(*at),
            author: u32::from_le_bytes(*author),
            seq: u32::from_le_bytes(*seq),
        })
    }

    /// A payload that begins with it; what follows differs between messages.
    pub(crate) fn payload(self, bytes: usize) -> Bytes {
        let mut payload = Vec::with_capacity(bytes);
        payload.extend(self.at.to_le_bytes());
        payload.extend(self.author.to_le_bytes());
        payload.extend(self.seq.to_le_bytes());
        let filler = (0u8..=255).cycle().skip(usize::from(self.seq.to_le_bytes()[0]));
        payload.extend(filler.take(bytes.saturating_sub(STAMP_BYTES)));
        payload.into()
    }
}

impl Tally {
    /// For so many nodes, each with so many messages under way at most; without bound if 0.
    pub(crate) fn new(nodes: usize, window: usize) -> anyhow::Result<Self> {
        let histogram = Histogram::new_with_max(LATENCY_US_MAX, 3).context("a histogram")?;
        let arrivals = || {
            Mutex::new(Arrivals {
                counted: 0,
                of_measured: 0,
                latency_us: histogram.clone(),
                verified_us: histogram.clone(),
            })
        };
        let places = || (0..window).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            begun: Instant::now(),
            from: AtomicU64::new(u64::MAX),
            until: AtomicU64::new(u64::MAX),
            arrivals: (0..nodes).map(|_| arrivals()).collect(),
            windows: (0..nodes)
                .map(|_| Window { places: places(), freed: Notify::new() })
                .collect(),
        })
    }

    /// From now on it is measured.
    pub(crate) fn begin(&self) {
        self.from.store(self.now(), Relaxed);
    }

    /// And now no longer.
    pub(crate) fn end(&self) {
        self.until.store(self.now(), Relaxed);
    }

    /// A message that its author publishes now.
    pub(crate) fn stamp(&self, author: usize, seq: u32) -> Stamp {
        Stamp { at: self.now(), author: u32::try_from(author).unwrap_or(u32::MAX), seq }
    }

    /// Whether a message published then counts.
    pub(crate) fn is_measured(&self, stamp: Stamp) -> bool {
        self.is_within(stamp.at)
    }

    /// The application of this node has a message.
    pub(crate) fn arrived(&self, node: usize, payload: &[u8]) {
        let Some(stamp) = Stamp::read(payload) else { return };
        let now = self.now();
        if let Some(mut arrivals) = self.arrivals(node) {
            arrivals.counted += u64::from(self.is_within(now));
            if self.is_within(stamp.at) {
                arrivals.of_measured += 1;
                arrivals.latency_us.saturating_record(now.saturating_sub(stamp.at) / 1000);
            }
        }
        if let Some(window) = self.window(stamp.author) {
            window.arrived(stamp.seq, self.arrivals.len().saturating_sub(1));
        }
    }

    /// This node has checked a message and passed it on.
    pub(crate) fn verified(&self, node: usize, stamp: Stamp) {
        let now = self.now();
        if self.is_within(stamp.at)
            && let Some(mut arrivals) = self.arrivals(node)
        {
            arrivals.verified_us.saturating_record(now.saturating_sub(stamp.at) / 1000);
        }
    }

    /// Waits until an author may publish its next message: the one that had its place has arrived everywhere, or has
    /// been under way for so long that it is given up.
    pub(crate) async fn admit(&self, author: usize, seq: u32, patience: Duration) {
        let Some(window) = self.windows.get(author) else { return };
        let everywhere = self.arrivals.len().saturating_sub(1);
        let free = async {
            loop {
                let freed = window.freed.notified();
                if window.take(seq, everywhere, false) {
                    return;
                }
                freed.await;
            }
        };
        if tokio::time::timeout(patience, free).await.is_err() {
            window.take(seq, everywhere, true);
        }
    }

    /// All nodes together.
    pub(crate) fn sum(&self) -> Option<Sum> {
        let mut nodes = (0..self.arrivals.len()).filter_map(|node| self.arrivals(node));
        let mut sum = nodes.next()?.clone();
        for arrivals in nodes {
            sum.counted += arrivals.counted;
            sum.of_measured += arrivals.of_measured;
            sum.latency_us.add(&arrivals.latency_us).ok()?;
            sum.verified_us.add(&arrivals.verified_us).ok()?;
        }
        let verified = !sum.verified_us.is_empty();
        Some(Sum {
            counted: sum.counted,
            of_measured: sum.of_measured,
            latency: quantiles(&sum.latency_us),
            verified: verified.then(|| quantiles(&sum.verified_us)),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_within(&self, at: u64) -> bool {
        self.from.load(Relaxed) <= at && at < self.until.load(Relaxed)
    }

    fn arrivals(&self, node: usize) -> Option<MutexGuard<'_, Arrivals>> {
        Some(self.arrivals.get(node)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn window(&self, author: u32) -> Option<&Window> {
        self.windows.get(usize::try_from(author).ok()?)
    }
}

impl Window {
    /// Gives a place to a message, if the one that had it is everywhere, or all the same.
    fn take(&self, seq: u32, everywhere: usize, even_so: bool) -> bool {
        let Some(place) = self.place(seq) else { return true };
        let taken = place.load(Relaxed);
        let is_free = even_so || taken == 0 || is_everywhere(taken, everywhere);
        if is_free {
            // A count of one stands for none, so that zero is a place that nobody had.
            place.store(u64::from(seq) << 32 | 1, Relaxed);
        }
        is_free
    }

    /// A message is at one more node.
    fn arrived(&self, seq: u32, everywhere: usize) {
        let Some(place) = self.place(seq) else { return };
        let more = place.try_update(Relaxed, Relaxed, |taken| {
            (taken >> 32 == u64::from(seq)).then(|| taken.saturating_add(1))
        });
        if more.is_ok_and(|before| is_everywhere(before.saturating_add(1), everywhere)) {
            self.freed.notify_one();
        }
    }

    fn place(&self, seq: u32) -> Option<&AtomicU64> {
        let place = usize::try_from(seq).ok()?.checked_rem(self.places.len())?;
        self.places.get(place)
    }
}

fn is_everywhere(taken: u64, everywhere: usize) -> bool {
    (taken & u64::from(u32::MAX)).saturating_sub(1) >= everywhere as u64
}

#[expect(clippy::cast_precision_loss, reason = "times of less than a minute, in us")]
fn quantiles(us: &Histogram<u64>) -> Quantiles {
    let ms = |us: u64| us as f64 / 1000.0;
    Quantiles {
        p50: ms(us.value_at_quantile(0.5)),
        p99: ms(us.value_at_quantile(0.99)),
        max: ms(us.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_when_by_whom_and_which() {
        let stamp = Stamp { at: 7, author: 3, seq: 300 };
        let payload = stamp.payload(256);
        assert_eq!((payload.len(), Stamp::read(&payload)), (256, Some(stamp)));
        assert_eq!(Stamp::read(&payload[..15]), None);
    }

    #[test]
    fn only_what_is_published_in_time_is_measured() {
        let tally = Tally::new(2, 0).unwrap();
        let early = tally.stamp(0, 0);
        tally.begin();
        let measured = tally.stamp(0, 1);
        tally.arrived(1, &early.payload(16));
        tally.arrived(1, &measured.payload(16));
        tally.end();
        tally.arrived(1, &tally.stamp(0, 2).payload(16));
        let sum = tally.sum().unwrap();
        assert_eq!((sum.counted, sum.of_measured), (2, 1));
        assert!(sum.verified.is_none());
    }

    #[test]
    fn a_place_is_free_again_once_its_message_is_everywhere() {
        let window = Window { places: vec![AtomicU64::new(0)], freed: Notify::new() };
        assert!(window.take(0, 2, false));
        window.arrived(0, 2);
        assert!(!window.take(1, 2, false));
        window.arrived(0, 2);
        assert!(window.take(1, 2, false));
        // One that was given up comes after all: it no longer counts.
        window.arrived(0, 2);
        assert!(!window.take(2, 2, false));
        assert!(window.take(2, 2, true));
    }
}
