//! What faults leave behind: who is up, what was recovered from, and who holds which proof.

use super::*;
use crate::record::Findings;

/// A run of 14 nodes that publish for ten seconds, with this besides.
fn run(rest: &str) -> (Findings, Outcome) {
    let head = "format = 1\nname = \"x\"\nabout = \"x\"\n[run]\nduration = \"10s\"\ncool_down = \"30s\"\n\
                [[groups]]\nname = \"honest\"\nnodes = 14\n";
    let scenario = Scenario::parse(&format!("{head}{rest}"), "x.toml", &[]).unwrap();
    let outcome = outcome(&scenario);
    (outcome.findings.clone(), outcome)
}

fn fault(kind: &str, at: &str, nodes: &str, rest: &str) -> String {
    format!("[[faults]]\nkind = \"{kind}\"\nat = \"{at}\"\nnodes = {nodes}\n{rest}\n")
}

const EQUIVOCATORS: &str =
    "[[adversaries]]\nkind = \"equivocate\"\nnodes = 2\nstart = \"1s\"\nstop = \"4s\"\n";

#[test]
fn faults_that_do_nothing_are_not_applied() {
    let churn =
        |per_minute: f64| format!("[[faults]]\nkind = \"churn\"\nper_minute = {per_minute}\n");
    for (text, applied) in [
        ("[[faults]]\nkind = \"partition\"\nat = \"2s\"\nfor = \"4s\"\n".to_owned(), 0),
        ("[[faults]]\nkind = \"one-way\"\nat = \"2s\"\nfor = \"4s\"\n".to_owned(), 0),
        (churn(3.0) + &churn(0.0), 1),
        (fault("kill", "2s", "[0]", "") + &fault("restart", "4s", "[0]", ""), 1),
        (
            fault("pause", "2s", "[0]", "for = \"3s\"")
                + &fault("pause", "4s", "[0]", "for = \"3s\""),
            2,
        ),
    ] {
        assert_eq!(run(&text).0.faults_applied, applied, "{text}");
    }
}

#[test]
fn a_node_that_is_killed_for_good_is_not_brought_back_by_a_restart() {
    let (one, _) = run(&fault("kill", "2s", "[0]", ""));
    let (both, _) =
        run(&(fault("kill", "2s", "[0]", "") + &fault("restart", "4s", "[0]", "for = \"1s\"")));
    assert_eq!((one.away, both.away), (1, 1));
    assert_eq!(one.published, both.published);
}

#[test]
fn of_two_pauses_of_a_node_the_shorter_does_not_end_the_longer() {
    let long = fault("pause", "1s", "[0]", "for = \"8s\"");
    let short = fault("pause", "2s", "[0]", "for = \"1s\"");
    let (alone, _) = run(&long);
    let (both, _) = run(&(long + &short));
    assert!(alone.latency.max.as_secs() >= 4, "{:?}", alone.latency);
    assert_eq!(both.latency.max, alone.latency.max);
}

#[test]
fn nodes_that_return_at_the_very_end_are_waited_for() {
    let (findings, outcome) = run(&fault("restart", "9s", "[0, 1, 2]", "for = \"1s\""));
    let Recovery::Within(taken) = findings.recovery else { panic!("{:?}", findings.recovery) };
    assert!(!taken.is_zero() && taken.as_secs() < 10, "{taken:?}");
    let seconds = outcome.pace.virtual_seconds.unwrap();
    assert!(seconds < 30.0, "settled after {seconds} s");
}

#[test]
fn what_a_wrong_clock_has_lost_is_never_recovered() {
    let (findings, _) = run(&fault("skew", "1s", "[0]", "by = \"1h\"\nfor = \"3s\""));
    assert!(findings.delivery_ratio() < 1.0 && findings.samples > 0);
    assert_eq!(findings.recovery, Recovery::Never);
}

#[test]
fn a_dead_node_is_owed_no_proof_and_the_run_ends_without_it() {
    let late = EQUIVOCATORS.replace("start = \"1s\"", "start = \"3s\"");
    let (findings, outcome) = run(&(fault("kill", "1s", "[0]", "") + &late));
    assert_eq!((findings.proofs_held, findings.proofs_wanted()), (26, 26));
    assert_eq!(outcome.verdict(), Verdict::Pass, "{outcome}");
    assert!(outcome.pace.virtual_seconds.unwrap() < 30.0);
}

#[test]
fn a_node_that_returns_holds_the_proofs_that_its_disk_kept_or_gets_them_again() {
    let restart = fault("restart", "6s", "[0]", "for = \"1s\"");
    for full in ["", "[[faults]]\nkind = \"disk-full\"\nnodes = [0]\n"] {
        let (findings, outcome) = run(&format!("{EQUIVOCATORS}{restart}{full}"));
        assert_eq!((findings.proofs_held, findings.proofs_wanted()), (28, 28), "{outcome}");
    }
}
