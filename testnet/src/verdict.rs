//! What a run proves: that the network held, that it did not, or nothing.

use serde::{Deserialize, Serialize};

use crate::{
    record::{Findings, Invariant},
    scenario::{Assertion, Baseline, Scenario, Seen},
    strategy::EQUIVOCATE,
};

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The attack happened and everything held.
    Pass,
    /// Something did not hold.
    Fail,
    /// Nothing broke, but the attack never happened, so nothing is proven.
    Inconclusive,
}

impl Verdict {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::Inconclusive];

    /// `pass`, `fail` or `inconclusive`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The exit code of the command.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Inconclusive => 2,
        }
    }
}

/// One thing that must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about, in a word.
    pub name: &'static str,
    /// Whether it held.
    pub held: bool,
    /// What was seen, as a sentence.
    pub seen: String,
}

/// An assertion of a scenario and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asserted {
    /// What is measured.
    pub metric: &'static str,
    /// The least that it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The most that it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// What it was; `None` if there was nothing to measure.
    pub seen: Option<f64>,
    /// What it was in the run without the attack, where the measure is of one run alone and there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Whether it kept the bar. A measure with nothing to measure has not, but raises a doubt only.
    pub held: bool,
}

/// What a run comes to.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The outcome.
    pub verdict: Verdict,
    /// All that had to hold.
    pub checks: Vec<Check>,
    /// Why the run proves nothing, where it does not.
    pub doubts: Vec<String>,
    /// The scenario's own assertions.
    pub asserts: Vec<Asserted>,
}

/// Judges a scenario's run: what must always hold, what the scenario asserts, and whether what it set out to
/// do has happened.
///
/// Full delivery, full coverage of proofs and the absence of false bans are demanded of every run, unless the
/// scenario sets a bar of its own for that very measure, on the side that matters.
#[must_use]
pub fn judge(scenario: &Scenario, seen: &Seen<'_>) -> Judgement {
    let asserts: Vec<Asserted> =
        scenario.asserts.iter().map(|bar| Asserted::new(bar, seen)).collect();
    let has_floor = |metric| asserts.iter().any(|it| it.metric == metric && it.min.is_some());
    let has_ceiling = |metric| asserts.iter().any(|it| it.metric == metric && it.max.is_some());
    let standing = checks(seen.run).into_iter().filter(|check| match check.name {
        DELIVERY => !has_floor("delivery_ratio"),
        EQUIVOCATION => !has_floor("proof_coverage"),
        BANS => !has_ceiling("false_bans"),
        _ => true,
    });
    let own = asserts.iter().filter(|it| it.seen.is_some()).map(Asserted::check);
    let checks: Vec<Check> = standing.chain(own).collect();
    let mut doubts = doubts(seen.run);
    doubts.extend(missing_faults(scenario, seen.run));
    doubts.extend(idle_gangs(scenario));
    let empty = asserts.iter().filter(|it| it.seen.is_none());
    doubts.extend(empty.map(|it| format!("there was nothing to measure {} of", it.metric)));
    Judgement { verdict: verdict(&checks, &doubts), checks, doubts, asserts }
}

/// A doubt, if fewer faults befell the network than the scenario has.
fn missing_faults(scenario: &Scenario, run: &Findings) -> Option<String> {
    let planned = scenario.faults.len() as u64;
    (run.faults_applied < planned)
        .then(|| format!("{} of {planned} faults happened", run.faults_applied))
}

/// A doubt for each gang that has been told to do nothing; others of its kind would hide it.
fn idle_gangs(scenario: &Scenario) -> impl Iterator<Item = String> {
    let gangs = scenario.adversaries.iter().enumerate();
    let idle = gangs.filter(|(_, gang)| gang.nodes > 0 && !gang.intensity.is_some());
    idle.map(|(place, gang)| {
        format!("adversaries.{place}, `{}`, have no intensity", gang.kind.name)
    })
}

impl Asserted {
    fn new(bar: &Assertion, seen: &Seen<'_>) -> Self {
        let Assertion { metric, min, max } = *bar;
        let measured = metric.measure(seen);
        let held = measured.is_some_and(|measured| {
            min.is_none_or(|min| measured >= min) && max.is_none_or(|max| measured <= max)
        });
        let alone = |run| metric.measure(&Seen { run, baseline: None });
        let baseline = match metric.baseline {
            Baseline::Needed => None,
            Baseline::Unneeded => seen.baseline.and_then(alone),
        };
        Self { metric: metric.name, min, max, seen: measured, baseline, held }
    }

    /// `at least 0.99`, `at most 2`, `from 1 to 2`.
    #[must_use]
    pub fn bar(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => "anything".to_owned(),
        }
    }

    fn check(&self) -> Check {
        let seen = self.seen.map_or_else(|| "nothing".to_owned(), number);
        let seen = format!("expected {}, seen {seen}", self.bar());
        Check { name: self.metric, held: self.held, seen }
    }
}

/// A number with as many digits as a reader wants.
#[must_use]
pub fn number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else if number.abs() >= 100.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.4}")
    }
}

/// The name of the check that everything was delivered.
const DELIVERY: &str = "delivery";
/// The name of the check that every equivocator is exposed.
const EQUIVOCATION: &str = "equivocation";
/// The name of the check that no honest node is banned.
const BANS: &str = "bans";

/// What must hold in any run, in the order in which a reader wants to know it.
#[must_use]
pub fn checks(findings: &Findings) -> Vec<Check> {
    vec![
        delivery(findings),
        forgeries(findings),
        equivocation(findings),
        bans(findings),
        safety(findings),
    ]
}

/// Why the run proves nothing, if it does not: the attack or the load never happened.
#[must_use]
pub fn doubts(findings: &Findings) -> Vec<String> {
    let mut doubts = Vec::new();
    if findings.wanted == 0 {
        doubts.push("no honest node published anything".to_owned());
    }
    for kind in findings.adversaries.keys() {
        if findings.hostile.get(kind).is_none_or(|count| *count == 0) {
            doubts.push(format!("no hostile frame of `{kind}` reached an honest node"));
        } else if *kind == EQUIVOCATE.name && findings.equivocations == 0 {
            doubts.push("no slot was seen with two messages".to_owned());
        }
    }
    if findings.untracked > 0 {
        doubts.push(format!(
            "{} messages were more than the recorder can follow",
            findings.untracked
        ));
    }
    doubts
}

/// The verdict: failed checks first, then doubts.
#[must_use]
pub fn verdict(checks: &[Check], doubts: &[String]) -> Verdict {
    if !checks.iter().all(|check| check.held) {
        Verdict::Fail
    } else if doubts.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Inconclusive
    }
}

fn delivery(f: &Findings) -> Check {
    let held = f.accepted >= f.wanted;
    let what = if held {
        "every message of an honest author was accepted by every honest node"
    } else {
        "messages of honest authors are missing at honest nodes"
    };
    let mut seen =
        format!("{what}: {} messages, {} of {} acceptances", f.published, f.accepted, f.wanted);
    if f.orphaned > 0 {
        let lost =
            format!("; {} more went down with their authors, who alone had them", f.orphaned);
        seen.push_str(&lost);
    }
    Check { name: DELIVERY, held, seen }
}

fn forgeries(f: &Findings) -> Check {
    let seen = format!("{} forged messages were relayed by honest nodes", f.forged_relayed);
    Check { name: "forgery", held: f.forged_relayed == 0, seen }
}

fn equivocation(f: &Findings) -> Check {
    let (held, wanted) = (f.proofs_held, f.proofs_wanted());
    let seen = if f.equivocations == 0 {
        "nobody said two things for one slot".to_owned()
    } else {
        format!(
            "{} said two things for {}; honest nodes hold {held} of {wanted} proofs",
            plural(f.equivocators, "author"),
            plural(f.equivocations, "slot"),
        )
    };
    Check { name: EQUIVOCATION, held: held >= wanted && f.false_proofs == 0, seen }
}

fn bans(f: &Findings) -> Check {
    let seen = format!(
        "{} honest nodes were banned by honest nodes, {} bans in all",
        f.false_bans, f.bans
    );
    Check { name: BANS, held: f.false_bans == 0, seen }
}

fn safety(f: &Findings) -> Check {
    let wrong = [
        (f.count(Invariant::OverBound), "collections over their bounds"),
        (f.forged_delivered, "forged messages accepted"),
        (f.expired_delivered, "expired messages accepted"),
        (f.delivered_twice, "messages delivered twice"),
        (f.false_proofs, "proofs against honest nodes"),
        (f.count(Invariant::PromiseLost), "promises lost with a killed node"),
    ];
    let seen: Vec<_> = wrong.iter().map(|(count, what)| format!("{count} {what}")).collect();
    Check {
        name: "safety",
        held: wrong.iter().all(|(count, _)| *count == 0),
        seen: seen.join(", "),
    }
}

/// `1 author`, `2 authors`.
#[must_use]
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Findings {
        Findings {
            honest: 3,
            adversaries: [("equivocate", 1), ("forge", 1)].into(),
            hostile: [("equivocate", 4), ("forge", 9)].into(),
            published: 10,
            wanted: 20,
            accepted: 20,
            equivocations: 2,
            equivocators: 1,
            proofs_held: 3,
            bans: 6,
            ..Findings::default()
        }
    }

    fn judge(findings: &Findings) -> Verdict {
        verdict(&checks(findings), &doubts(findings))
    }

    #[test]
    fn a_run_in_which_all_held_and_the_attack_happened_passes() {
        assert_eq!(judge(&good()), Verdict::Pass);
    }

    #[test]
    fn whatever_does_not_hold_fails_the_run() {
        type Break = fn(&mut Findings);
        let broken: [(&str, Break); 10] = [
            ("delivery", |f| f.accepted = 19),
            ("forgery", |f| f.forged_relayed = 1),
            ("equivocation", |f| f.proofs_held = 2),
            ("bans", |f| f.false_bans = 1),
            ("safety", |f| f.forged_delivered = 1),
            ("safety", |f| f.expired_delivered = 1),
            ("safety", |f| f.delivered_twice = 1),
            ("safety", |f| f.false_proofs = 1),
            ("safety", |f| f.invariants = vec![(Invariant::OverBound, 1)]),
            ("safety", |f| f.invariants = vec![(Invariant::PromiseLost, 1)]),
        ];
        for (name, break_it) in broken {
            let mut findings = good();
            break_it(&mut findings);
            assert_eq!(judge(&findings), Verdict::Fail, "{name}");
            assert!(
                checks(&findings).iter().any(|check| check.name == name && !check.held),
                "{name}"
            );
        }
    }

    #[test]
    fn a_run_in_which_the_attack_never_happened_proves_nothing() {
        let hollow: [fn(&mut Findings); 5] = [
            |f| f.hostile.clear(),
            |f| f.hostile = [("equivocate", 4), ("forge", 0)].into(),
            |f| (f.equivocations, f.equivocators, f.proofs_held) = (0, 0, 0),
            |f| (f.published, f.wanted, f.accepted) = (0, 0, 0),
            |f| f.untracked = 1,
        ];
        for hollow_out in hollow {
            let mut findings = good();
            hollow_out(&mut findings);
            assert_eq!(judge(&findings), Verdict::Inconclusive, "{findings:?}");
        }
    }

    #[test]
    fn a_failure_weighs_more_than_a_doubt() {
        let mut findings = good();
        findings.hostile.clear();
        findings.accepted = 0;
        assert_eq!(judge(&findings), Verdict::Fail);
    }
}
