//! The binary as a script sees it: arguments, exit codes, and the last line of stdout.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

use std::process::{Command, Output};

fn testnet(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forsooth-testnet")).args(args).output().unwrap()
}

/// Exit code and what was printed, stderr last.
fn outcome(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = testnet(args);
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn json(args: &[&str]) -> serde_json::Value {
    let output = testnet(args);
    let stdout = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn bad_arguments_end_with_3_and_a_message_that_helps() {
    for (args, hint) in [
        (&["up", "--adversary", "forg=1"][..], "did you mean \"forge\""),
        (&["up", "--adversary", "forge"], "KIND=COUNT"),
        (&["up", "--adversary", "forge=x"], "\"x\" is not a number"),
        (&["up", "--honest", "1"], "at least 2 honest nodes"),
        (&["up", "--honest", "0"], "at least 2 honest nodes"),
        (&["up", "--for", "20"], "write it as 20s"),
        (&["up", "--rate", "0"], "from 0.01 to 1000"),
        (&["up", "--payload", "0"], "1..=1048576"),
        (&["up", "--seed", "-1"], "invalid value '-1' for '--seed"),
        (&["sim", "--latency", "50..10ms"], "must rise"),
        (&["sim", "--loss", "1.5"], "from 0 to 0.9"),
        (&["sim", "--nodes", "5", "--adversary", "spam=5"], "at least 2 honest nodes"),
        (&["sim", "--adversary", "spam=99999999999"], "at least 2 honest nodes"),
        (&["experiment", "broadcast", "--nodes", "24"], "more nodes than links"),
        (&["experiment", "broadcast", "--silent", "0.5"], "honest majority"),
        (&["experiment", "broadcast", "--authors", "1001"], "only 1000 honest nodes"),
        (&["experiment", "broadcast", "--lie"], "nobody withholds"),
        (&["experiment", "broadcast", "--latency", "uniform:9"], "uniform:10ms..50ms"),
        (
            &["experiment", "reconcile", "--records", "4", "--differences", "10"],
            "10 differences among 4 records",
        ),
        (&["up", "--nonsense"], "--nonsense"),
        (&["attack"], "attack"),
        (&[], "Usage"),
    ] {
        let (code, text) = outcome(args);
        assert_eq!(code, Some(3), "{args:?}: {text}");
        assert!(text.contains(hint), "{args:?}: {text}");
    }
}

#[test]
fn help_and_list_end_with_0() {
    for (args, hint) in [
        (&["--help"][..], "Exit codes: 0 pass, 1 fail, 2 inconclusive"),
        (&["up", "--help"], "--adversary <KIND=COUNT>"),
        (&["list"], "equivocate      Signs two messages for one slot"),
    ] {
        let (code, text) = outcome(args);
        assert_eq!(code, Some(0), "{args:?}: {text}");
        assert!(text.contains(hint), "{args:?}: {text}");
    }
}

#[test]
fn two_processes_with_one_seed_have_one_digest() {
    let digest = |seed: &str| {
        let args = [
            "sim",
            "--nodes",
            "20",
            "--messages",
            "20",
            "--adversary",
            "forge=2",
            "--json",
            "--seed",
            seed,
        ];
        let report = json(&args);
        assert_eq!(report["verdict"], "pass", "{report}");
        assert_eq!(report["delivery_ratio"], 1.0, "{report}");
        report["trace_digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest("7"), digest("7"));
    assert_ne!(digest("7"), digest("8"));
}

#[test]
fn the_object_has_what_scripts_rely_on() {
    let report = json(&[
        "sim",
        "--nodes",
        "15",
        "--messages",
        "10",
        "--adversary",
        "equivocate=1",
        "--json",
    ]);
    let numbers = [
        "honest",
        "adversaries",
        "published",
        "delivery_ratio",
        "forged_relayed",
        "equivocations",
        "proof_coverage",
        "false_bans",
        "hostile_actions",
        "redundancy",
        "bytes_per_delivered_byte",
        "frames",
        "frames_per_second",
    ];
    for name in numbers {
        assert!(report[name].is_number(), "{name}: {report}");
    }
    for name in ["p50", "p99", "max"] {
        assert!(report["latency_ms"][name].is_number(), "{name}: {report}");
    }
    assert_eq!((&report["honest"], &report["adversaries"]), (&14.into(), &1.into()));
}

#[test]
fn a_run_without_messages_proves_nothing() {
    let (code, text) = outcome(&["sim", "--nodes", "10", "--messages", "0"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("INCONCLUSIVE") && text.contains("no honest node published anything"),
        "{text}"
    );
}
