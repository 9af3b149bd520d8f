//! The outcome of a run: the report that both engines give, and what only one of them knows.

use std::{fmt, sync::Arc};

use forsooth_crypto::Digest;
use serde::Serialize;

use super::{Engine, Ran};
use crate::{
    record::{Findings, Recorder},
    report::Report,
    scenario::Scenario,
    verdict::{Asserted, Judgement, Verdict},
};

/// The outcome of a run. Its fields in JSON are what scripts rely on.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The verdict and what it rests on.
    #[serde(flatten)]
    pub report: Report,
    /// The scenario's name.
    pub scenario: String,
    /// What ran it.
    pub engine: Engine,
    /// The verdict that the scenario should have.
    pub expected: Verdict,
    /// Each assertion with what was measured.
    pub asserts: Vec<Asserted>,
    /// How long it took, and how much.
    #[serde(flatten)]
    pub pace: Pace,
    /// All that was found.
    #[serde(skip)]
    pub findings: Findings,
    /// All that was seen.
    #[serde(skip)]
    pub recorder: Arc<Recorder>,
    /// The same of the run without the attack, if there was one.
    #[serde(skip)]
    pub baseline: Option<(Findings, Arc<Recorder>)>,
}

/// How long a run took, and how much.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pace {
    /// Nodes of all kinds.
    pub nodes: usize,
    /// Equal for equal runs; simulator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_digest: Option<Digest>,
    /// How long it took in the simulated world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_seconds: Option<f64>,
    /// How long it took here.
    pub elapsed_seconds: f64,
    /// Frames that arrived; simulator only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Frames that arrived in a second of this machine's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f64>,
    /// Resident memory of this process at its peak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

impl Outcome {
    pub(super) fn new(
        scenario: &Scenario,
        engine: Engine,
        judged: Judgement,
        ran: Ran,
        baseline: Option<(Findings, Arc<Recorder>)>,
        repeat: String,
    ) -> Self {
        let asserts = judged.asserts.clone();
        Self {
            report: Report::new(&ran.findings, judged, scenario.seed, repeat),
            scenario: scenario.name.clone(),
            engine,
            expected: scenario.expect,
            asserts,
            pace: ran.pace,
            findings: ran.findings,
            recorder: ran.recorder,
            baseline,
        }
    }

    /// The verdict of the run.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.report.verdict
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = &self.pace;
        if let Some(seconds) = pace.virtual_seconds {
            let elapsed = pace.elapsed_seconds;
            writeln!(f, "Simulated: {seconds:.1} s of a network's life in {elapsed:.1} s")?;
        }
        self.report.fmt(f)?;
        if self.expected != self.report.verdict {
            writeln!(f, "  expected of this scenario: {}", self.expected.name())?;
        }
        if let (Some(frames), Some(rate)) = (pace.frames, pace.frames_per_second) {
            writeln!(f, "  {frames} frames arrived, {rate:.0} a second of this machine")?;
        }
        if let Some(digest) = pace.trace_digest {
            writeln!(f, "  trace digest {digest}")?;
        }
        Ok(())
    }
}
