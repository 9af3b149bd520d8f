//! What is printed at the end of a run: a page for people and an object for programs.

pub(crate) mod canvas;
pub(crate) mod html;
pub(crate) mod palette;
mod plots;
mod tree;
mod words;

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use serde::Serialize;

use crate::{
    output,
    record::Findings,
    verdict::{Check, Judgement, Verdict, plural},
};

/// The outcome of a run in either engine. Field names are what scripts rely on.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: Verdict,
    /// What had to hold.
    pub checks: Vec<Check>,
    /// Why the run proves nothing, where it does not.
    pub doubts: Vec<String>,
    /// The first violations of safety, in words.
    pub violations: Vec<String>,
    /// Honest nodes.
    pub honest: usize,
    /// Adversaries of all kinds.
    pub adversaries: usize,
    /// Adversaries of each kind.
    pub adversaries_by_kind: BTreeMap<&'static str, usize>,
    /// Messages that honest nodes published.
    pub published: u64,
    /// Share of acceptances that came, of those due: each message at each honest node but its author's.
    pub delivery_ratio: f64,
    /// From publishing to acceptance, in milliseconds.
    pub latency_ms: LatencyMs,
    /// Forged messages that honest nodes sent on.
    pub forged_relayed: u64,
    /// Slots for which two signed messages reached honest nodes.
    pub equivocations: usize,
    /// Share of proofs that honest nodes hold, of each equivocator's at each of them.
    pub proof_coverage: f64,
    /// Bans of honest nodes by honest nodes.
    pub false_bans: u64,
    /// Hostile frames that reached honest nodes.
    pub hostile_actions: u64,
    /// The same by strategy.
    pub hostile_actions_by_kind: BTreeMap<&'static str, u64>,
    /// Payload copies that arrived for each payload accepted, less one.
    pub redundancy: f64,
    /// Bytes that honest nodes sent in frames for each payload byte accepted.
    pub bytes_per_delivered_byte: f64,
    /// Bytes that honest nodes sent in frames, by class.
    pub bytes_sent: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes noticed.
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes blamed on honest nodes.
    pub false_blame: BTreeMap<&'static str, u64>,
    /// Bans by honest nodes.
    pub bans: u64,
    /// From which everything random came.
    pub seed: u64,
    /// The command that repeats the run.
    pub repeat: String,
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatencyMs {
    /// Half of the acceptances took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// None took longer.
    pub max: f64,
}

impl Report {
    /// Judges what was found.
    #[must_use]
    pub fn new(findings: &Findings, judged: Judgement, seed: u64, repeat: String) -> Self {
        let Judgement { verdict, checks, doubts, asserts: _ } = judged;
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let latency = findings.latency;
        Self {
            verdict,
            checks,
            doubts,
            violations: findings.violations.clone(),
            honest: findings.honest,
            adversaries: findings.adversaries.values().sum(),
            adversaries_by_kind: findings.adversaries.clone(),
            published: findings.published,
            delivery_ratio: findings.delivery_ratio(),
            latency_ms: LatencyMs {
                p50: ms(latency.p50),
                p99: ms(latency.p99),
                max: ms(latency.max),
            },
            forged_relayed: findings.forged_relayed,
            equivocations: findings.equivocations,
            proof_coverage: findings.proof_coverage(),
            false_bans: findings.false_bans,
            hostile_actions: findings.hostile_actions(),
            hostile_actions_by_kind: findings.hostile.clone(),
            redundancy: findings.redundancy(),
            bytes_per_delivered_byte: findings.bytes_per_delivered_byte(),
            bytes_sent: findings.bytes_sent.clone(),
            faults: findings.faults.clone(),
            false_blame: findings.false_blame.clone(),
            bans: findings.bans,
            seed,
            repeat,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attackers = counts(&self.adversaries_by_kind);
        writeln!(
            f,
            "{} against {}",
            plural(self.honest, "honest node"),
            attackers.as_deref().unwrap_or("nobody")
        )?;
        if let Some(actions) = counts(&self.hostile_actions_by_kind) {
            writeln!(
                f,
                "  attacked with {} hostile frames that reached honest nodes: {actions}",
                self.hostile_actions
            )?;
        }
        if let Some(faults) = counts(&self.faults) {
            writeln!(f, "  honest nodes noticed faults: {faults}")?;
        }
        if let Some(faults) = counts(&self.false_blame) {
            writeln!(f, "  of which they blamed on honest nodes: {faults}")?;
        }
        writeln!(f)?;
        for Check { name, held, seen } in &self.checks {
            writeln!(f, "  {} {name:<13} {seen}", if *held { '✓' } else { '✗' })?;
        }
        self.violations.iter().try_for_each(|violation| writeln!(f, "      {violation}"))?;
        self.doubts.iter().try_for_each(|doubt| writeln!(f, "  ? {doubt}"))?;
        let LatencyMs { p50, p99, max } = self.latency_ms;
        writeln!(
            f,
            "\n  latency  p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms, from publishing to acceptance"
        )?;
        let (copies, bytes) = (self.redundancy, self.bytes_per_delivered_byte);
        writeln!(
            f,
            "  cost     {bytes:.2} bytes sent for each payload byte accepted, {copies:.2} payload copies too many\n"
        )?;
        let sentence = match self.verdict {
            Verdict::Pass => "PASS: the attack happened and the network held.",
            Verdict::Fail => "FAIL: see the lines with ✗.",
            Verdict::Inconclusive => {
                "INCONCLUSIVE: nothing broke, but this run proves nothing; see the lines with ?."
            }
        };
        let sentence = if self.adversaries == 0 && self.verdict == Verdict::Pass {
            "PASS: the network works. Nobody attacked it."
        } else {
            sentence
        };
        writeln!(f, "{sentence}\nrepeat it with: {}", self.repeat)
    }
}

/// Makes `report.html` of the run in a folder again, from its `run.json`.
///
/// # Errors
/// When there is no run in it, or the page cannot be written.
pub fn command(dir: &Path) -> anyhow::Result<()> {
    let run = output::read(dir)?;
    output::put(dir, output::REPORT, &html::render(&run))
}

/// `forge 3, spam 12`; `None` if there is nothing.
fn counts<T: fmt::Display>(counts: &BTreeMap<&'static str, T>) -> Option<String> {
    let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
