//! What came out of many seeds.

use core::fmt;

use serde::Serialize;

use super::Report;

/// What comparisons with many seeds cost.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it, and `docs/sync.md`")]
pub struct Summary {
    pub records: u32,
    pub differences: u32,
    pub method: &'static str,
    /// The first of them.
    pub seed: u64,
    pub seeds: usize,
    /// The median, as are all that do not say otherwise.
    pub bytes: usize,
    pub bytes_95th: usize,
    pub bytes_most: usize,
    /// Null without differences.
    pub bytes_per_difference: Option<f64>,
    pub round_trips: u32,
    pub round_trips_most: u32,
    pub cpu_ms: f64,
    pub cpu_ms_most: f64,
    /// How many took at most 90 bytes a difference and 500 more, and at most three round trips.
    pub within_90_bytes_and_3_round_trips: usize,
    /// How many had to compare ranges after symbols.
    pub fallbacks: usize,
    /// All found what differs, all of it and nothing else.
    pub exact: bool,
}

impl Summary {
    /// # Panics
    /// If there is nothing to sum up.
    pub(super) fn of(reports: &[Report]) -> Self {
        let first = reports.first().expect("at least one seed");
        let bytes = Sorted::of(reports.iter().map(|it| it.bytes));
        let rounds = Sorted::of(reports.iter().map(|it| it.round_trips));
        let cpu = Sorted::of(reports.iter().map(|it| it.cpu_ms));
        let budget = first.differences as usize * 90 + 500;
        let within = |it: &&Report| it.bytes <= budget && it.round_trips <= 3;
        let median = bytes.at(0.5);
        Self {
            records: first.records,
            differences: first.differences,
            method: first.method,
            seed: first.seed,
            seeds: reports.len(),
            bytes: median,
            bytes_95th: bytes.at(0.95),
            bytes_most: bytes.at(1.0),
            bytes_per_difference: (first.differences > 0)
                .then(|| median as f64 / f64::from(first.differences)),
            round_trips: rounds.at(0.5),
            round_trips_most: rounds.at(1.0),
            cpu_ms: cpu.at(0.5),
            cpu_ms_most: cpu.at(1.0),
            within_90_bytes_and_3_round_trips: reports.iter().filter(within).count(),
            fallbacks: reports.iter().filter(|it| it.fallback.is_some()).count(),
            exact: reports.iter().all(|it| it.exact),
        }
    }
}

/// Numbers in order.
struct Sorted<T>(Vec<T>);

impl<T: PartialOrd + Copy + Default> Sorted<T> {
    fn of(numbers: impl Iterator<Item = T>) -> Self {
        let mut numbers: Vec<T> = numbers.collect();
        numbers.sort_by(|one, other| one.partial_cmp(other).unwrap_or(core::cmp::Ordering::Equal));
        Self(numbers)
    }

    /// The smallest number that so large a share is not above.
    fn at(&self, share: f64) -> T {
        let rank = (self.0.len() as f64 * share).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "a rank is a small whole number")]
        let rank = rank as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, differences, method, seed, seeds, .. } = self;
        writeln!(
            f,
            "{records} records, {differences} differences, {method}, {seeds} seeds from {seed} on\n"
        )?;
        writeln!(f, "                  median   95th %     most")?;
        let Self { bytes, bytes_95th, bytes_most, .. } = self;
        writeln!(f, "bytes           {bytes:>8} {bytes_95th:>8} {bytes_most:>8}")?;
        if let Some(each) = self.bytes_per_difference {
            writeln!(f, "a difference    {each:>8.1}")?;
        }
        writeln!(
            f,
            "round trips     {:>8} {:>8} {:>8}",
            self.round_trips, "", self.round_trips_most
        )?;
        writeln!(f, "cpu ms          {:>8.2} {:>8} {:>8.2}", self.cpu_ms, "", self.cpu_ms_most)?;
        let within = self.within_90_bytes_and_3_round_trips;
        writeln!(f, "within the bar  {within:>8}: 90 bytes a difference + 500, and 3 round trips")?;
        writeln!(f, "fallbacks       {:>8} to ranges", self.fallbacks)?;
        write!(
            f,
            "found           {}",
            if self.exact { "exactly what differs" } else { "NOT what differs" }
        )
    }
}
