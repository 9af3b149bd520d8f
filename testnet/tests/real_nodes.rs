//! Real nodes on loopback, a few of them and not for long.

use std::{path::Path, time::Duration};

use forsooth_testnet::{
    engine::{self, Engine, Options, Outcome},
    scenario::{Fault, FaultKind, Gang, Group, Phases, Scenario, Who},
    strategy,
    verdict::Verdict,
};

/// A few nodes that publish for some seconds.
fn scenario(name: &str, duration: Duration) -> Scenario {
    let group = Group { rate: 3.0, ..Group::of("honest", 6) };
    let run =
        Phases { warm_up: Duration::from_secs(60), duration, cool_down: Duration::from_secs(30) };
    Scenario { seed: 11, run, ..Scenario::of(name, vec![group]) }
}

async fn run(scenario: &Scenario) -> anyhow::Result<Outcome> {
    engine::run(scenario, Options::of(Engine::Local), String::new()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_nodes_withstand_a_forger() {
    let mut attacked = scenario("forge", Duration::from_secs(4));
    attacked.adversaries = vec![Gang::of(strategy::find("forge").unwrap(), 1)];
    let outcome = run(&attacked).await.unwrap();
    assert_eq!(outcome.verdict(), Verdict::Pass, "{outcome}");
    assert!(outcome.report.published > 20, "{outcome}");
    assert!(outcome.report.faults.contains_key("forged"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_node_hears_everything_though_it_is_besieged() {
    let mut besieged = scenario("eclipse", Duration::from_secs(6));
    let gang = Gang::of(strategy::find("eclipse").unwrap(), 2);
    besieged.adversaries = vec![Gang { targets: Some(Who::Nodes(vec![0])), collude: true, ..gang }];
    let outcome = run(&besieged).await.unwrap();
    assert_eq!(outcome.verdict(), Verdict::Pass, "{outcome}");
    let findings = &outcome.findings;
    assert_eq!((findings.eclipsed, findings.isolated), (0, 0), "{outcome}");
    assert!(findings.hostile_actions() > 0 && findings.tied.is_some(), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_comes_back_in_a_new_life_and_nobody_is_blamed() {
    let mut killed = scenario("restart", Duration::from_secs(6));
    killed.faults = vec![Fault {
        kind: FaultKind::Restart,
        at: Duration::from_secs(2),
        lasts: Some(Duration::from_secs(1)),
        who: Who::Nodes(vec![0]),
    }];
    let outcome = run(&killed).await.unwrap();
    assert_eq!(outcome.verdict(), Verdict::Pass, "{outcome}");
    assert_eq!((outcome.findings.faults_applied, outcome.report.bans), (1, 0), "{outcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_had_promised_when_it_was_killed_with_kill_9_is_on_its_disk() {
    let mut killed = scenario("crash", Duration::from_secs(6));
    killed.network.retention = Some(Duration::from_secs(600));
    let restart = |s| Fault {
        kind: FaultKind::Restart,
        at: Duration::from_secs(s),
        lasts: Some(Duration::from_secs(1)),
        who: Who::Nodes(vec![0]),
    };
    killed.faults = vec![restart(1), restart(4)];
    let program = Path::new(env!("CARGO_BIN_EXE_forsooth-testnet"));
    let options = Options { program: Some(program), ..Options::of(Engine::Local) };
    let outcome = engine::run(&killed, options, String::new()).await.unwrap();
    let findings = &outcome.findings;
    assert_eq!(findings.caught_up.unwrap().returns, 2, "{outcome}");
    assert!(findings.promises > 20, "{outcome}");
    assert_eq!(findings.promises_kept(), 1.0, "{outcome}");
    let wrongs = (findings.delivered_twice, findings.equivocations, outcome.report.bans);
    assert_eq!(wrongs, (0, 0, 0), "{outcome}");
}
