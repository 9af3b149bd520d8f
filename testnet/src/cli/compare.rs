//! What a defence is for: the same attack with all defences on, and with one after the other off.

use std::fmt;

use forsooth_protocol::{Defences, Safeguard};
use serde::Serialize;

use super::{Failure, args::CompareArgs, load, show, to_compare};
use crate::{
    engine::{self, Engine, Options, Outcome},
    output::{self, Run},
    scenario::{METRICS, Metric, Scenario, Seen},
    verdict::{Verdict, number},
};

/// Measures that every comparison shows, besides those that the scenario asserts.
const ALWAYS: &[&str] = &[
    "delivery_ratio",
    "latency_p99_ms",
    "hostile_actions",
    "banned_adversaries",
    "bytes_per_delivered_byte",
    "memory_bound_share",
    "violations",
];

/// The outcome of a comparison.
#[derive(Serialize)]
struct Comparison {
    /// `pass` if the network held with all defences, as expected, and the attack succeeded without each.
    verdict: Verdict,
    scenario: String,
    seed: u64,
    expected: Verdict,
    /// With all defences.
    with_all: Side,
    /// Without one, each.
    without: Vec<Side>,
}

/// One run.
#[derive(Serialize)]
struct Side {
    #[serde(skip_serializing_if = "Option::is_none")]
    without: Option<&'static str>,
    /// The verdict without the defence if the adversaries do nothing.
    calm: Option<Verdict>,
    verdict: Verdict,
    /// What did not hold, in words.
    failed: Vec<String>,
    measures: Vec<Measured>,
    repeat: String,
}

#[derive(Serialize)]
struct Measured {
    metric: &'static str,
    seen: Option<f64>,
}

/// Runs the scenario with all defences, and without each.
pub(super) fn compare(args: &CompareArgs) -> Result<Verdict, Failure> {
    let scenario = load(&args.scenario, args.seed)?;
    let chosen = to_compare(&args.without, &scenario)?;
    engine::check(&scenario, Engine::Sim)?;
    let repeat = args.scenario.repeat("run", scenario.seed);
    let with_all = engine::simulate(&scenario, Options::of(Engine::Sim), repeat.clone())?;
    let mut run = Run::of(&scenario, Defences::ALL, &with_all);
    let with_all = Side::new(&scenario, None, &with_all);
    let mut without = Vec::new();
    for off in chosen.into_iter().map(Switch) {
        let outcome = engine::simulate(&scenario, off.options(), off.repeat(&repeat))?;
        run.compare(off.0.name(), &outcome);
        let calm = engine::simulate(&scenario.calm(), off.options(), String::new())?;
        without.push(Side::new(&scenario, Some((off.0.name(), calm.verdict())), &outcome));
    }
    if let Some(dir) = &args.output.out {
        output::write(dir, &run)?;
    }
    let shown =
        with_all.verdict == scenario.expect && without.iter().all(Side::shows_what_it_is_for);
    let comparison = Comparison {
        verdict: if shown { Verdict::Pass } else { Verdict::Fail },
        scenario: scenario.name.clone(),
        seed: scenario.seed,
        expected: scenario.expect,
        with_all,
        without,
    };
    show(args.output.json, &comparison)?;
    Ok(comparison.verdict)
}

/// A defence that is off.
struct Switch(Safeguard);

impl Switch {
    const fn options(&self) -> Options {
        Options { defences: Defences::ALL.without(self.0), ..Options::of(Engine::Sim) }
    }

    fn repeat(&self, command: &str) -> String {
        format!("{command} --without {}", self.0.name())
    }
}

impl Side {
    fn new(
        scenario: &Scenario,
        without: Option<(&'static str, Verdict)>,
        outcome: &Outcome,
    ) -> Self {
        let baseline = outcome.baseline.as_ref().map(|(findings, _)| findings);
        let seen = Seen { run: &outcome.findings, baseline };
        let asserted = |metric: &&'static Metric| {
            ALWAYS.contains(&metric.name)
                || scenario.asserts.iter().any(|it| it.metric.name == metric.name)
        };
        let measured =
            |metric: &'static Metric| Measured { metric: metric.name, seen: metric.measure(&seen) };
        let failed = outcome.report.checks.iter().filter(|check| !check.held);
        Self {
            without: without.map(|(off, _)| off),
            calm: without.map(|(_, calm)| calm),
            verdict: outcome.verdict(),
            failed: failed.map(|check| format!("{}: {}", check.name, check.seen)).collect(),
            measures: METRICS.iter().copied().filter(asserted).map(measured).collect(),
            repeat: outcome.report.repeat.clone(),
        }
    }

    /// The attack succeeds without the defence, and it is the attack that does it.
    fn shows_what_it_is_for(&self) -> bool {
        self.verdict == Verdict::Fail && self.calm.is_none_or(|calm| calm != Verdict::Fail)
    }

    fn title(&self) -> String {
        self.without.map_or_else(|| "all defences".to_owned(), |off| format!("without {off}"))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides = || std::iter::once(&self.with_all).chain(&self.without);
        let width = sides().map(|side| side.title().len()).max().unwrap_or(0).max(14);
        let row = |f: &mut fmt::Formatter<'_>, name: &str, cell: &dyn Fn(&Side) -> String| {
            write!(f, "{name:<26}")?;
            sides().try_for_each(|side| write!(f, "{:>width$}  ", cell(side)))?;
            writeln!(f)
        };
        writeln!(f, "{}, seed {}\n", self.scenario, self.seed)?;
        row(f, "", &Side::title)?;
        row(f, "verdict", &|side| side.verdict.name().to_owned())?;
        for (place, Measured { metric, .. }) in self.with_all.measures.iter().enumerate() {
            let cell = |side: &Side| {
                let seen = side.measures.get(place).and_then(|measured| measured.seen);
                seen.map_or_else(|| "-".to_owned(), number)
            };
            row(f, metric, &cell)?;
        }
        writeln!(f)?;
        for side in sides() {
            writeln!(f, "{}: {}", side.title(), side.verdict.name())?;
            side.failed.iter().try_for_each(|reason| writeln!(f, "  ✗ {reason}"))?;
            match side.calm {
                None => {}
                Some(Verdict::Fail) => {
                    writeln!(f, "  ✗ it fails too if the adversaries do nothing")?;
                }
                Some(Verdict::Pass | Verdict::Inconclusive) => {
                    writeln!(f, "  nothing fails if the adversaries do nothing")?;
                }
            }
            writeln!(f, "  repeat it with: {}", side.repeat)?;
        }
        let sentence = match self.verdict {
            Verdict::Pass => {
                "The attack fails against all defences, and succeeds without each of these."
            }
            Verdict::Fail | Verdict::Inconclusive => {
                "This does not show what the defences are for: with all of them the verdict must be the \
                 expected one, and without each of them it must be fail, but only if the adversaries act."
            }
        };
        writeln!(f, "\n{sentence}")
    }
}
