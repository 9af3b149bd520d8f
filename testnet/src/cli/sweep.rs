//! One scenario with many seeds, several at once.

use std::{
    fmt,
    num::NonZeroUsize,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::anyhow;
use serde::Serialize;

use super::{Failure, args::SweepArgs, load, show};
use crate::{
    cli::bar::bar,
    engine::{self, Engine, Options, Outcome},
    scenario::Scenario,
    verdict::{Asserted, Verdict, number},
};

/// The outcome of a sweep. All but the time it took depends on the scenario and the seeds alone.
#[derive(Serialize)]
struct Sweep {
    verdict: Verdict,
    scenario: String,
    seeds: usize,
    pass: usize,
    fail: usize,
    inconclusive: usize,
    elapsed_seconds: f64,
    /// Those that failed first, then those that prove nothing, each in the order of the seeds.
    runs: Vec<Swept>,
}

/// The outcome of one seed.
#[derive(Serialize)]
struct Swept {
    seed: u64,
    verdict: Verdict,
    trace_digest: Option<String>,
    delivery_ratio: f64,
    latency_p99_ms: f64,
    hostile_actions: u64,
    /// What each assertion saw.
    asserts: Vec<Asserted>,
    /// Why it failed or proves nothing, in words.
    reasons: Vec<String>,
    repeat: String,
}

/// Runs every seed.
pub(super) fn sweep(args: &SweepArgs) -> Result<Verdict, Failure> {
    let scenario = load(&args.scenario, None)?;
    engine::check(&scenario, Engine::Sim)?;
    let seeds: Vec<u64> = args.seeds.clone().collect();
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let jobs = args.jobs.map_or(processors, usize::from);
    let begun = Instant::now();
    let mut runs = run_all(&scenario, &seeds, jobs, |seed| args.scenario.repeat("run", seed))?;
    runs.sort_by_key(|run| (severity(run.verdict), run.seed));
    let count = |verdict| runs.iter().filter(|run| run.verdict == verdict).count();
    let sweep = Sweep {
        verdict: runs.first().map_or(Verdict::Inconclusive, |worst| worst.verdict),
        scenario: scenario.name,
        seeds: runs.len(),
        pass: count(Verdict::Pass),
        fail: count(Verdict::Fail),
        inconclusive: count(Verdict::Inconclusive),
        elapsed_seconds: begun.elapsed().as_secs_f64(),
        runs,
    };
    show(args.json, &sweep)?;
    Ok(sweep.verdict)
}

/// Runs all seeds on so many threads. The results are in the order of the seeds, whoever was first.
fn run_all(
    scenario: &Scenario,
    seeds: &[u64],
    jobs: usize,
    repeat: impl Fn(u64) -> String + Sync,
) -> Result<Vec<Swept>, Failure> {
    let bar = bar(Some(seeds.len()), "{bar:40} {pos}/{len} seeds, {eta} left {msg}");
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let failed = AtomicUsize::new(0);
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
            let scenario = Scenario { seed, ..scenario.clone() };
            let outcome = engine::simulate(&scenario, Options::of(Engine::Sim), repeat(seed));
            if outcome.as_ref().is_ok_and(|outcome| outcome.verdict() == Verdict::Fail) {
                let failed = failed.fetch_add(1, Ordering::Relaxed) + 1;
                bar.set_message(format!("{failed} failed"));
            }
            let swept = outcome.map(|outcome| Swept::new(seed, outcome));
            results.lock().unwrap_or_else(PoisonError::into_inner).push(swept);
            bar.inc(1);
        }
    };
    let panicked = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(seeds.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().err()).count()
    });
    bar.finish_and_clear();
    if panicked > 0 {
        return Err(Failure::Broken(anyhow!("{panicked} of the runs panicked; see above")));
    }
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?)
}

const fn severity(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fail => 0,
        Verdict::Inconclusive => 1,
        Verdict::Pass => 2,
    }
}

impl Swept {
    fn new(seed: u64, outcome: Outcome) -> Self {
        let report = outcome.report;
        let failed = report.checks.iter().filter(|check| !check.held);
        let mut reasons: Vec<_> =
            failed.map(|check| format!("{}: {}", check.name, check.seen)).collect();
        reasons.extend(report.violations.first().cloned());
        reasons.extend(report.doubts);
        Self {
            seed,
            verdict: report.verdict,
            trace_digest: outcome.pace.trace_digest.map(|digest| digest.to_string()),
            delivery_ratio: report.delivery_ratio,
            latency_p99_ms: report.latency_ms.p99,
            hostile_actions: report.hostile_actions,
            asserts: outcome.asserts,
            reasons,
            repeat: report.repeat,
        }
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.runs.iter().filter(|run| run.verdict != Verdict::Pass) {
            writeln!(f, "seed {}: {}", run.seed, run.verdict.name())?;
            run.reasons.iter().try_for_each(|reason| writeln!(f, "    {reason}"))?;
            writeln!(f, "    repeat it with: {}", run.repeat)?;
        }
        let asserts = self.runs.first().map_or(&[][..], |run| &run.asserts);
        for (place, asserted) in asserts.iter().enumerate() {
            let seen = self.runs.iter().filter_map(|run| run.asserts.get(place)?.seen);
            let (seen, name) = (Spread::of(seen.collect()), asserted.metric);
            writeln!(f, "  {name}: {seen}")?;
        }
        let worst = |measure: fn(&Swept) -> f64, pick: fn(f64, f64) -> f64| {
            self.runs.iter().map(measure).reduce(pick).unwrap_or(0.0)
        };
        writeln!(
            f,
            "{}: {} seeds in {:.1} s: {} pass, {} fail, {} inconclusive; delivery at least {}, p99 at most {} ms",
            self.scenario,
            self.seeds,
            self.elapsed_seconds,
            self.pass,
            self.fail,
            self.inconclusive,
            number(worst(|run| run.delivery_ratio, f64::min)),
            number(worst(|run| run.latency_p99_ms, f64::max)),
        )
    }
}

/// What an assertion saw over the seeds.
struct Spread(Vec<f64>);

impl Spread {
    fn of(mut seen: Vec<f64>) -> Self {
        seen.sort_by(f64::total_cmp);
        Self(seen)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else {
            return f.write_str("nothing to measure");
        };
        let mean = self.0.iter().sum::<f64>() / self.0.len() as f64;
        write!(f, "{} to {}, mean {}", number(*least), number(*most), number(mean))
    }
}
