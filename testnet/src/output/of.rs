//! From an engine's outcome to what is written down.

use forsooth_protocol::{Defences, Safeguard};

use super::{Assertion, Baseline, Compared, Header, Kept, Metrics, Run, Speed, run::finite};
use crate::{
    engine::Outcome,
    scenario::{METRICS, Scenario, Seen},
    verdict::{Asserted, Check},
};

impl Run {
    /// The run of a scenario with these defences. What it is compared with beside its baseline is the
    /// caller's to add.
    #[must_use]
    pub fn of(scenario: &Scenario, defences: Defences, outcome: &Outcome) -> Self {
        let pace = &outcome.pace;
        let header = Header {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            engine: outcome.engine.name().to_owned(),
            seed: scenario.seed,
            repeat: outcome.report.repeat.clone(),
            scenario: scenario.to_toml(),
            trace_digest: pace.trace_digest.map(|digest| digest.to_string()),
            speed: Speed {
                virtual_seconds: pace.virtual_seconds,
                elapsed_seconds: Some(pace.elapsed_seconds),
                frames: pace.frames,
                frames_per_second: pace.frames_per_second,
                peak_memory_bytes: pace.peak_memory_bytes,
            },
        };
        let history = outcome.recorder.history();
        let mut run = Self::new(header, outcome.verdict(), &outcome.findings, history);
        run.expected = Some(outcome.expected);
        let off = Safeguard::ALL.into_iter().filter(|safeguard| !defences.has(*safeguard));
        run.without = off.map(|safeguard| safeguard.name().to_owned()).collect();
        // Assertions are checks too, but have a place of their own here.
        let asserted = |check: &&Check| outcome.asserts.iter().any(|it| it.metric == check.name);
        let standing = outcome.report.checks.iter().filter(|check| !asserted(check));
        run.checks = standing.map(Kept::from).collect();
        run.assertions = outcome.asserts.iter().map(Assertion::from).collect();
        run.doubts.clone_from(&outcome.report.doubts);
        run.metrics = metrics(outcome);
        let baseline = outcome.baseline.as_ref();
        run.baseline =
            baseline.map(|(findings, recorder)| Baseline::new(findings, &recorder.history()));
        run
    }

    /// Notes the same run with a defence switched off.
    pub fn compare(&mut self, without: &str, outcome: &Outcome) {
        let failed = outcome.report.checks.iter().filter(|check| !check.held);
        self.compared.push(Compared {
            without: without.to_owned(),
            verdict: outcome.verdict(),
            failed: failed.map(|check| format!("{}: {}", check.name, check.seen)).collect(),
            metrics: metrics(outcome),
        });
    }
}

/// Every measure of a run. What scenarios can assert has the names that it has there.
fn metrics(outcome: &Outcome) -> Metrics {
    let baseline = outcome.baseline.as_ref();
    let seen = Seen { run: &outcome.findings, baseline: baseline.map(|(findings, _)| findings) };
    let measured = METRICS.iter().filter_map(|metric| Some((metric.name, metric.measure(&seen)?)));
    let mut metrics = outcome.findings.metrics();
    metrics.extend(measured);
    finite(&metrics)
}

impl From<&Check> for Kept {
    fn from(check: &Check) -> Self {
        Self { name: check.name.to_owned(), held: check.held, seen: check.seen.clone() }
    }
}

impl From<&Asserted> for Assertion {
    fn from(asserted: &Asserted) -> Self {
        Self {
            metric: asserted.metric.to_owned(),
            min: asserted.min,
            max: asserted.max,
            seen: asserted.seen.filter(|seen| seen.is_finite()),
            baseline: asserted.baseline,
            held: asserted.seen.is_some().then_some(asserted.held),
        }
    }
}
