//! How long it took from publishing to acceptance: over the whole run, in calm, under attack, and over time.

use std::time::Duration;

use forsooth_protocol::Time;
use hdrhistogram::Histogram;

use super::{
    Latency,
    buckets::{Buckets, Merge},
    spread::Published,
};

/// Latencies are cut here: the longest lifetime that a message may have.
const MICROS_MAX: u64 = 3_600_000_000;
/// The first width of buckets over time.
const WIDTH: Duration = Duration::from_millis(250);
/// Quantiles between 0 and 1 by which a distribution is drawn, finer towards its tail.
const QUANTILES: [f64; 35] = [
    0.0, 0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75,
    0.8, 0.84, 0.87, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975,
    0.999, 0.9995, 1.0,
];

/// All latencies of a run.
#[derive(Debug)]
pub(crate) struct Latencies {
    all: Histogram<u64>,
    calm: Histogram<u64>,
    disturbed: Histogram<u64>,
    /// By the time of publishing, coarser.
    over_time: Buckets<Coarse>,
}

/// Times of one kind.
#[derive(Debug)]
pub(crate) struct Times(pub(crate) Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new_with_max(MICROS_MAX, 3).expect("a range and 3 digits that fit it"))
    }
}

impl Times {
    /// It took so long.
    pub(crate) fn record(&mut self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.saturating_record(micros);
    }
}

/// A histogram of two digits.
#[derive(Debug)]
pub(crate) struct Coarse(Histogram<u32>);

impl Default for Latencies {
    fn default() -> Self {
        let empty =
            || Histogram::new_with_max(MICROS_MAX, 3).expect("a range and 3 digits that fit it");
        Self { all: empty(), calm: empty(), disturbed: empty(), over_time: Buckets::new(WIDTH) }
    }
}

impl Default for Coarse {
    fn default() -> Self {
        Self(Histogram::new_with_max(MICROS_MAX, 2).expect("a range and 2 digits that fit it"))
    }
}

impl Merge for Coarse {
    fn merge(&mut self, later: Self) {
        self.0.add(&later.0).expect("all have one range");
    }
}

impl Latencies {
    /// An acceptance came.
    pub(crate) fn record(&mut self, published: Published, at: Time) {
        let micros = u64::try_from(at.since(published.at).as_micros()).unwrap_or(u64::MAX).max(1);
        let phase = if published.disturbed { &mut self.disturbed } else { &mut self.calm };
        phase.saturating_record(micros);
        self.all.saturating_record(micros);
        self.over_time.at(published.at).0.saturating_record(micros);
    }

    /// Of the whole run.
    pub(crate) fn all(&self) -> Latency {
        latency(&self.all)
    }

    /// Of messages published while no attack and no fault was on.
    pub(crate) fn calm(&self) -> Latency {
        latency(&self.calm)
    }

    /// Of messages published while one was.
    pub(crate) fn disturbed(&self) -> Latency {
        latency(&self.disturbed)
    }

    /// Milliseconds and the share of acceptances that took no longer: whole run, calm, disturbed.
    pub(crate) fn distributions(&self) -> [Vec<(f64, f64)>; 3] {
        [distribution(&self.all), distribution(&self.calm), distribution(&self.disturbed)]
    }

    /// Seconds that one row of [`Self::over_time`] covers.
    pub(crate) const fn width(&self) -> Duration {
        self.over_time.width()
    }

    /// Seconds at which messages were published, and median and 99th percentile in milliseconds.
    pub(crate) fn over_time(&self) -> Vec<(f64, f64, f64)> {
        let filled = self.over_time.iter().filter(|(_, bucket)| !bucket.0.is_empty());
        let row = |(begins, Coarse(bucket)): (f64, &Coarse)| {
            let at = |quantile| millis(bucket.value_at_quantile(quantile));
            (begins, at(0.5), at(0.99))
        };
        filled.map(row).collect()
    }
}

/// What a histogram comes to.
pub(crate) fn latency(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile));
    Latency {
        count: histogram.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(histogram.max()),
    }
}

fn distribution(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    if histogram.is_empty() {
        return Vec::new();
    }
    QUANTILES.iter().map(|share| (millis(histogram.value_at_quantile(*share)), *share)).collect()
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
