//! Runs a scenario: in a simulated world, or as real nodes on loopback.
//!
//! Both engines go through the same phases with the same load, adversaries and [`timeline`], and feed the
//! same recorder. What was found is judged here, once.

mod active;
mod classes;
mod contacts;
pub mod load;
pub mod local;
pub(crate) mod memory;
mod outcome;
mod recall;
pub mod sim;
pub mod timeline;

use std::{fmt, path::Path, sync::Arc};

use forsooth_protocol::{Defences, Snapshot, network::Kind as NetworkKind};
use serde::Serialize;

pub use self::outcome::{Outcome, Pace};
use crate::{
    plan::{Impossible, Plan},
    record::{Findings, Recorder, Seat},
    scenario::{Baseline, FaultKind, Scenario, Seen},
    verdict,
};

/// What runs the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A simulated network: virtual time, one run for one seed.
    #[default]
    Sim,
    /// Real nodes on this machine's loopback addresses.
    Local,
}

impl Engine {
    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How to run a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// In which engine.
    pub engine: Engine,
    /// With which safeguards.
    pub defences: Defences,
    /// Whether it is shown while it happens; real nodes only.
    pub view: View,
    /// The program `forsooth-testnet`: real nodes that are killed are processes of it. Without, they are threads of this one, which end as
    /// abruptly, but for what their destructors still do.
    pub program: Option<&'static Path>,
}

/// Whether a run is shown while it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// On stderr.
    Shown,
    /// Nothing is printed.
    Hidden,
}

impl Options {
    /// All safeguards, nothing printed.
    #[must_use]
    pub const fn of(engine: Engine) -> Self {
        Self { engine, defences: Defences::ALL, view: View::Hidden, program: None }
    }
}

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// In no engine.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// Real nodes are attacked on this machine alone.
    #[error(
        "the network is of kind {0:?}: real nodes are attacked only on a network of kind \"local\"; \
         use --engine sim, or set network.kind=\"local\""
    )]
    NotLocal(&'static str),
    /// A fault that real nodes on one machine cannot have.
    #[error("real nodes cannot have the fault {0:?}; use --engine sim (real nodes know: {1})")]
    Fault(&'static str, String),
    /// Links of real nodes are slow, and lose frames, as the scenario says; they are as wide as loopback is.
    #[error("the links of real nodes have no `bandwidth`; use --engine sim, or leave it out")]
    Bandwidth,
}

/// What an engine has to tell about a run.
pub(crate) struct Ran {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) findings: Findings,
    pub(crate) pace: Pace,
}

/// Whether an engine can run a scenario.
///
/// # Errors
/// Says why not.
pub fn check(scenario: &Scenario, engine: Engine) -> Result<Plan, Unfit> {
    let plan = Plan::of(scenario)?;
    match engine {
        Engine::Sim => {}
        Engine::Local => {
            let kind = scenario.network.kind;
            if kind != NetworkKind::Local && scenario.hostile() > 0 {
                return Err(Unfit::NotLocal(kind.name()));
            }
            let links = &scenario.links;
            let mut all = links.by_group.iter().map(|(_, link)| link).chain([&links.default]);
            if all.any(|link| link.bandwidth.is_some()) {
                return Err(Unfit::Bandwidth);
            }
            let unknown =
                scenario.faults.iter().map(|fault| fault.kind).find(|kind| !is_real(*kind));
            if let Some(kind) = unknown {
                let known = FaultKind::NAMES.map(|(name, _)| name);
                let known: Vec<_> = known.into_iter().filter(|name| REAL.contains(name)).collect();
                return Err(Unfit::Fault(kind.name(), known.join(", ")));
            }
        }
    }
    Ok(plan)
}

/// Faults that real nodes in one process can have.
pub const REAL: &[&str] = &["kill", "restart", "pause", "churn"];

/// Whether real nodes in one process can have this fault.
fn is_real(kind: FaultKind) -> bool {
    REAL.contains(&kind.name())
}

/// Whether a node has the witnesses that it needs to accept a message of any topic.
fn is_ready(snapshot: &Snapshot) -> bool {
    snapshot.topics.values().all(|topic| topic.acceptable)
}

fn seat(node: usize) -> Seat {
    Seat(u32::try_from(node).unwrap_or(u32::MAX))
}

/// Runs a scenario and judges it. If something is to be compared with a run without the attack, that one
/// comes first.
///
/// # Errors
/// When the engine cannot run it, or a real node cannot be started.
pub async fn run(scenario: &Scenario, options: Options, repeat: String) -> anyhow::Result<Outcome> {
    check(scenario, options.engine)?;
    let needs = |baseline| scenario.asserts.iter().any(|it| it.metric.baseline == baseline);
    let baseline = if needs(Baseline::Needed) {
        Some(once(&scenario.baseline(), options).await?)
    } else {
        None
    };
    let ran = once(scenario, options).await?;
    Ok(judge(scenario, options, ran, baseline, repeat))
}

/// Runs a scenario in the simulator and judges it.
///
/// # Errors
/// When there can be no such run.
pub fn simulate(scenario: &Scenario, options: Options, repeat: String) -> Result<Outcome, Unfit> {
    let needs = scenario.asserts.iter().any(|it| it.metric.baseline == Baseline::Needed);
    let baseline = needs.then(|| sim::run(&scenario.baseline(), options.defences)).transpose()?;
    let ran = sim::run(scenario, options.defences)?;
    Ok(judge(scenario, Options { engine: Engine::Sim, ..options }, ran, baseline, repeat))
}

async fn once(scenario: &Scenario, options: Options) -> anyhow::Result<Ran> {
    Ok(match options.engine {
        Engine::Sim => sim::run(scenario, options.defences)?,
        Engine::Local => local::run(scenario, options).await?,
    })
}

fn judge(
    scenario: &Scenario,
    options: Options,
    ran: Ran,
    baseline: Option<Ran>,
    repeat: String,
) -> Outcome {
    let baseline = baseline.map(|ran| (ran.findings, ran.recorder));
    let seen =
        Seen { run: &ran.findings, baseline: baseline.as_ref().map(|(findings, _)| findings) };
    let judged = verdict::judge(scenario, &seen);
    Outcome::new(scenario, options.engine, judged, ran, baseline, repeat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        scenario::{Gang, Group},
        strategy,
    };

    #[test]
    fn real_nodes_know_every_attack_and_attack_nobody_but_themselves() {
        for kind in strategy::KINDS {
            let mut scenario = Scenario {
                adversaries: vec![Gang::of(kind, 1)],
                ..Scenario::of("test", vec![Group::of("honest", 5)])
            };
            assert!(check(&scenario, Engine::Local).is_ok(), "{kind}");
            scenario.network.kind = NetworkKind::Testnet;
            let refused = check(&scenario, Engine::Local).unwrap_err();
            assert!(matches!(refused, Unfit::NotLocal(_)), "{kind}: {refused}");
        }
    }
}
