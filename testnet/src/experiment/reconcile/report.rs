//! What came out.

use core::{fmt, time::Duration};

use forsooth_protocol::sync::reconcile::{Difference, Ending, Fallback, Method};
use serde::Serialize;

use super::{Cost, Setting};

/// Bytes of an id: no difference can be told in fewer.
const BOUND_BYTES: f64 = 32.0;

/// What a comparison cost.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it, and `docs/sync.md`")]
pub struct Report {
    pub records: u32,
    pub differences: u32,
    pub method: &'static str,
    pub seed: u64,
    /// Of all frames, both ways.
    pub bytes: usize,
    pub question_bytes: usize,
    pub reply_bytes: usize,
    pub questions: usize,
    pub round_trips: u32,
    /// Null without differences.
    pub bytes_per_difference: Option<f64>,
    /// That, over 32 bytes.
    pub times_the_bound: Option<f64>,
    /// Of both sides together, with encoding and decoding.
    pub cpu_ms: f64,
    pub opener_cpu_ms: f64,
    pub answerer_cpu_ms: f64,
    /// What was found is what differs, all of it and nothing else.
    pub exact: bool,
    /// Why ranges had to be compared after symbols; null if they had not.
    pub fallback: Option<&'static str>,
    /// To build the index with its sketch and digests, one item after the other. Not part of `cpu_ms`.
    pub build_ns_per_record: f64,
}

impl Report {
    pub(super) fn of(
        setting: &Setting,
        cost: &Cost,
        difference: &Difference,
        exact: bool,
        build_ns_per_record: f64,
    ) -> Self {
        let bytes = cost.question_bytes + cost.reply_bytes;
        let each = (setting.differences > 0).then(|| bytes as f64 / f64::from(setting.differences));
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        Self {
            records: setting.records,
            differences: setting.differences,
            method: match setting.method {
                Method::Auto => "auto",
                Method::Merkle => "merkle",
                Method::Sketch => "sketch",
            },
            seed: setting.seed,
            bytes,
            question_bytes: cost.question_bytes,
            reply_bytes: cost.reply_bytes,
            questions: cost.questions,
            round_trips: cost.round_trips,
            bytes_per_difference: each,
            times_the_bound: each.map(|each| each / BOUND_BYTES),
            cpu_ms: ms(cost.opener + cost.answerer),
            opener_cpu_ms: ms(cost.opener),
            answerer_cpu_ms: ms(cost.answerer),
            exact: exact && difference.ending == Ending::Complete,
            fallback: difference.fallback.map(|why| match why {
                Fallback::Unsolved => "unsolved",
                Fallback::Garbage => "garbage",
                Fallback::Mismatch => "mismatch",
                Fallback::Moved => "moved",
            }),
            build_ns_per_record,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, differences, method, seed, .. } = self;
        writeln!(f, "{records} records, {differences} differences, {method}, seed {seed}\n")?;
        let rounds = self.round_trips;
        writeln!(f, "bytes           {} in {rounds} round trips", self.bytes)?;
        if let (Some(each), Some(times)) = (self.bytes_per_difference, self.times_the_bound) {
            writeln!(f, "a difference    {each:.1} bytes, {times:.2} times an id's 32")?;
        }
        let (opener, answerer) = (self.opener_cpu_ms, self.answerer_cpu_ms);
        writeln!(
            f,
            "cpu             {:.2} ms: {opener:.2} asks, {answerer:.2} answers",
            self.cpu_ms
        )?;
        writeln!(f, "building        {:.0} ns a record, beforehand", self.build_ns_per_record)?;
        if let Some(why) = self.fallback {
            writeln!(f, "fallback        to ranges: {why}")?;
        }
        write!(
            f,
            "found           {}",
            if self.exact { "exactly what differs" } else { "NOT what differs" }
        )
    }
}
