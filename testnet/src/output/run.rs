//! All that is known of a run: the schema of `run.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    record::{Findings, History, Invariant, Violation},
    verdict::Verdict,
};

/// The version of the schema. Fields may be added; a change of meaning is a new version.
pub const FORMAT: u32 = 1;

/// Measures by name; `None` for one that is without bound.
pub type Metrics = BTreeMap<String, Option<f64>>;

/// A run, judged. Field names are what scripts rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The version of the schema: [`FORMAT`].
    pub format: u32,
    /// The scenario's name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// `sim` or `local`.
    pub engine: String,
    /// From which everything random came.
    pub seed: u64,
    /// The command that repeats the run.
    pub repeat: String,
    /// The version of the program.
    pub version: String,
    /// The scenario as it was run, in TOML.
    pub scenario: String,
    /// Defences of honest nodes that were switched off.
    pub without: Vec<String>,
    /// Equal for equal runs of the simulator.
    pub trace_digest: Option<String>,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: Verdict,
    /// The verdict that the scenario expects.
    pub expected: Option<Verdict>,
    /// What always has to hold.
    pub checks: Vec<Kept>,
    /// What the scenario asserts.
    pub assertions: Vec<Assertion>,
    /// What must hold after every event.
    pub invariants: Vec<Promise>,
    /// Why the run proves nothing, where it does not.
    pub doubts: Vec<String>,
    /// The first time that an invariant was broken.
    pub first_violation: Option<FirstViolation>,
    /// The first violations in words.
    pub violations: Vec<String>,
    /// Honest nodes.
    pub honest: u64,
    /// Adversaries by strategy.
    pub adversaries: BTreeMap<String, u64>,
    /// Hostile acts that reached honest nodes, by strategy.
    pub hostile_actions: BTreeMap<String, u64>,
    /// Every measure by name; `null` for one that is without bound, such as a recovery that never came.
    pub metrics: Metrics,
    /// Bytes that honest nodes sent in frames, by class.
    pub bytes_sent: BTreeMap<String, u64>,
    /// Faults that honest nodes noticed, by name.
    pub faults: BTreeMap<String, u64>,
    /// Those among them that they blamed on honest nodes.
    pub false_blame: BTreeMap<String, u64>,
    /// How fast it was.
    pub speed: Speed,
    /// The same scenario and seed without the attack, if that was run.
    pub baseline: Option<Baseline>,
    /// The same with one defence switched off, for each that was.
    pub compared: Vec<Compared>,
    /// The run over time.
    pub history: History,
}

/// What an engine knows of a run before it is judged.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The scenario's name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// `sim` or `local`.
    pub engine: String,
    /// From which everything random came.
    pub seed: u64,
    /// The command that repeats the run.
    pub repeat: String,
    /// The scenario as it was run, in TOML.
    pub scenario: String,
    /// The simulator's digest of all that happened.
    pub trace_digest: Option<String>,
    /// How fast it was.
    pub speed: Speed,
}

/// Something that always has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What it is about, in a word.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What was seen, as a sentence.
    pub seen: String,
}

/// Something that the scenario asserts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assertion {
    /// The measure.
    pub metric: String,
    /// The least that it may be.
    pub min: Option<f64>,
    /// The most that it may be.
    pub max: Option<f64>,
    /// What was measured; `None` if there was nothing to measure, or it was without bound.
    pub seen: Option<f64>,
    /// What it was in the run without the attack, if there was one.
    pub baseline: Option<f64>,
    /// Whether it held; `None` if it could not be evaluated.
    pub held: Option<bool>,
}

/// A promise of the core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Its stable name.
    pub name: String,
    /// What it promises.
    pub promise: String,
    /// How often it was broken.
    pub violations: u64,
}

/// The first time that a promise was broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstViolation {
    /// Which promise.
    pub invariant: String,
    /// Seconds from the beginning of the run.
    pub at_s: f64,
    /// At which honest node.
    pub node: u32,
    /// By which message, if by one.
    pub message: Option<String>,
    /// What happened, in words.
    pub text: String,
}

/// How fast a run was, as far as its engine knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// How long it took in the simulated world.
    pub virtual_seconds: Option<f64>,
    /// How long it took here.
    pub elapsed_seconds: Option<f64>,
    /// Frames that arrived.
    pub frames: Option<u64>,
    /// Frames that arrived in a second of this machine's time.
    pub frames_per_second: Option<f64>,
    /// The most memory that the process had.
    pub peak_memory_bytes: Option<u64>,
}

/// The same scenario and seed without the attack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Every measure by name.
    pub metrics: Metrics,
    /// Its latency: pairs of milliseconds and the share of acceptances that took no longer.
    pub latency: Vec<(f64, f64)>,
    /// Bytes that honest nodes sent in frames, by class.
    pub bytes_sent: BTreeMap<String, u64>,
}

/// The same scenario and seed with a defence switched off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// The defence that was off.
    pub without: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What did not hold, in words.
    pub failed: Vec<String>,
    /// Every measure by name.
    pub metrics: Metrics,
}

impl Run {
    /// A run with this verdict. Checks, assertions, doubts, baseline and comparison are the caller's to add.
    #[must_use]
    pub fn new(header: Header, verdict: Verdict, findings: &Findings, history: History) -> Self {
        let promise = |(invariant, violations): &(Invariant, u64)| Promise {
            name: invariant.name().to_owned(),
            promise: invariant.promise().to_owned(),
            violations: *violations,
        };
        Self {
            format: FORMAT,
            name: header.name,
            about: header.about,
            engine: header.engine,
            seed: header.seed,
            repeat: header.repeat,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: header.scenario,
            without: Vec::new(),
            trace_digest: header.trace_digest,
            verdict,
            expected: None,
            checks: Vec::new(),
            assertions: Vec::new(),
            invariants: findings.invariants.iter().map(promise).collect(),
            doubts: Vec::new(),
            first_violation: findings.first_violation.as_ref().map(FirstViolation::from),
            violations: findings.violations.clone(),
            honest: findings.honest as u64,
            adversaries: owned(&findings.adversaries, |count| *count as u64),
            hostile_actions: owned(&findings.hostile, |count| *count),
            metrics: finite(&findings.metrics()),
            bytes_sent: owned(&findings.bytes_sent, |bytes| *bytes),
            faults: owned(&findings.faults, |count| *count),
            false_blame: owned(&findings.false_blame, |count| *count),
            speed: header.speed,
            baseline: None,
            compared: Vec::new(),
            history,
        }
    }
}

impl Baseline {
    /// What is kept of a run that was only made to be compared with.
    #[must_use]
    pub fn new(findings: &Findings, history: &History) -> Self {
        Self {
            metrics: finite(&findings.metrics()),
            latency: history.latency.all.clone(),
            bytes_sent: owned(&findings.bytes_sent, |bytes| *bytes),
        }
    }
}

impl Assertion {
    /// What is asserted: `delivery_ratio >= 0.999`.
    #[must_use]
    pub fn wish(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{min} <= {} <= {max}", self.metric),
            (Some(min), None) => format!("{} >= {min}", self.metric),
            (None, Some(max)) => format!("{} <= {max}", self.metric),
            (None, None) => self.metric.clone(),
        }
    }

    /// What is asserted and what was seen.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self.seen {
            Some(seen) => format!("{}: {seen}", self.wish()),
            None => format!("{}: nothing to measure", self.wish()),
        }
    }

    /// How far what was seen is from the nearest limit; negative if it is beyond.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        let seen = self.seen?;
        let (over, under) = (self.min.map(|min| seen - min), self.max.map(|max| max - seen));
        [over, under].into_iter().flatten().min_by(f64::total_cmp)
    }
}

impl From<&Violation> for FirstViolation {
    fn from(violation: &Violation) -> Self {
        Self {
            invariant: violation.invariant.name().to_owned(),
            at_s: violation.at.as_duration().as_secs_f64(),
            node: violation.seat.0,
            message: violation.message.map(|id| id.to_string()),
            text: violation.to_string(),
        }
    }
}

fn owned<T, U>(map: &BTreeMap<&'static str, T>, value: impl Fn(&T) -> U) -> BTreeMap<String, U> {
    map.iter().map(|(name, it)| ((*name).to_owned(), value(it))).collect()
}

/// What has no bound is `None`, since JSON has no word for it.
pub(super) fn finite(metrics: &BTreeMap<&'static str, f64>) -> Metrics {
    owned(metrics, |value| value.is_finite().then_some(*value))
}
