//! What is written down, of real runs in the simulator.

use std::sync::OnceLock;

use forsooth_protocol::Defences;

use super::*;
use crate::{
    engine::{self, Engine, Options},
    scenario::Scenario,
    verdict::Verdict,
};

/// A run with an attack, a fault and a baseline.
const SCENARIO: &str = r#"
format = 1
name = "sample"
about = "Forgers and an equivocator <attack> while two nodes are \"paused\" & resumed."
seed = 7
[run]
warm_up = "10s"
duration = "20s"
cool_down = "20s"
[[groups]]
name = "honest"
nodes = 28
rate = 0.5
payload = 256
[[adversaries]]
kind = "forge"
nodes = 4
start = "4s"
stop = "14s"
[[adversaries]]
kind = "equivocate"
nodes = 2
start = "6s"
stop = "16s"
[[faults]]
kind = "pause"
at = "9s"
for = "3s"
group = "honest"
share = 0.1
[[assert]]
metric = "delivery_ratio"
min = 0.95
[[assert]]
metric = "latency_p99_ratio"
max = 30.0
[[assert]]
metric = "proof_coverage"
min = 1.0
"#;

/// One run for all tests, as it would be written.
pub(crate) fn sample() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| {
        let scenario = Scenario::parse(SCENARIO, "sample.toml", &[]).unwrap();
        let repeat = "forsooth-testnet run sample.toml --seed 7".to_owned();
        let outcome = engine::simulate(&scenario, Options::of(Engine::Sim), repeat).unwrap();
        Run::of(&scenario, Defences::ALL, &outcome)
    })
}

/// A folder of its own, gone when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("forsooth-testnet-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn what_is_written_is_read_again_and_is_the_same() {
    let folder = Folder::new("round-trip");
    write(&folder.0, sample()).unwrap();
    let mut again = read(&folder.0).unwrap();
    let mut events = read_events(&folder.0).unwrap();
    let end = events.pop().unwrap();
    assert_eq!((end.what.as_str(), end.text.contains("0 left out")), ("end", true), "{end:?}");
    again.history.events = events;
    assert!(again == *sample(), "the run that was read is not the one that was written");
}

#[test]
fn a_report_can_be_made_again_from_the_run() {
    let folder = Folder::new("again");
    write(&folder.0, sample()).unwrap();
    let page = fs::read_to_string(folder.0.join(REPORT)).unwrap();
    fs::remove_file(folder.0.join(REPORT)).unwrap();
    crate::report::command(&folder.0).unwrap();
    assert_eq!(fs::read_to_string(folder.0.join(REPORT)).unwrap(), page);
}

#[test]
fn what_is_no_run_of_this_format_is_refused_with_a_way_out() {
    let folder = Folder::new("refused");
    let error = read(&folder.0).unwrap_err();
    assert!(format!("{error:#}").contains("--out"), "{error:#}");
    fs::create_dir_all(&folder.0).unwrap();
    put(&folder.0, RUN, "{\"format\": 99}").unwrap();
    assert!(format!("{:#}", read(&folder.0).unwrap_err()).contains("format 99"));
    put(&folder.0, RUN, "[]").unwrap();
    assert!(format!("{:#}", read(&folder.0).unwrap_err()).contains("not the record"));
}

#[test]
fn the_schema_names_every_field_of_a_run() {
    let page = include_str!("../../../docs/run-json.md");
    let value = serde_json::to_value(sample()).unwrap();
    let mut missing = Vec::new();
    names(&value, &mut |name| {
        if !page.contains(&format!("`{name}`")) {
            missing.push(name.to_owned());
        }
    });
    assert!(missing.is_empty(), "docs/run-json.md does not say what these are: {missing:?}");
}

/// Calls `each` with the name of every field, but for those of maps by name.
fn names(value: &serde_json::Value, each: &mut impl FnMut(&str)) {
    const MAPS: [&str; 8] = [
        "adversaries_by_kind",
        "metrics",
        "bytes_sent",
        "faults",
        "false_blame",
        "hostile_actions",
        "bytes",
        "fill",
    ];
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                each(name);
                let is_map =
                    MAPS.contains(&name.as_str()) || name == "adversaries" && field.is_object();
                if !is_map {
                    names(field, each);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| names(item, each)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

#[test]
fn each_check_assertion_and_invariant_is_a_test_case() {
    let run = sample();
    let xml = junit::render(run);
    let cases = 1 + run.checks.len() + run.assertions.len() + run.invariants.len();
    assert_eq!(xml.matches("<testcase ").count(), cases);
    assert!(xml.contains(&format!("tests=\"{cases}\" failures=\"0\"")), "{xml}");
    crate::report::html::tests::assert_balanced(&xml);
}

#[test]
fn what_broke_is_a_failure_and_what_was_not_measured_is_skipped() {
    let mut run = sample().clone();
    run.verdict = Verdict::Fail;
    run.invariants[0].violations = 2;
    run.first_violation = Some(FirstViolation {
        invariant: run.invariants[0].name.clone(),
        at_s: 1.5,
        node: 3,
        message: None,
        text: "1.500s: honest node 3 delivered <a forged> \"message\"".to_owned(),
    });
    run.assertions[0].held = None;
    run.assertions[1].held = Some(false);
    let xml = junit::render(&run);
    assert!(xml.contains("failures=\"3\" errors=\"0\" skipped=\"1\""), "{xml}");
    assert!(xml.contains("honest node 3 delivered &lt;a forged&gt; &quot;message&quot;"), "{xml}");
    assert!(xml.contains("expected pass, got fail"), "{xml}");
    crate::report::html::tests::assert_balanced(&xml);
}

#[test]
fn a_margin_is_the_way_to_the_nearest_limit() {
    let assertion = |min, max, seen| Assertion {
        metric: "m".to_owned(),
        min,
        max,
        seen,
        baseline: None,
        held: None,
    };
    assert_eq!(assertion(Some(1.0), Some(4.0), Some(1.5)).margin(), Some(0.5));
    assert_eq!(assertion(None, Some(4.0), Some(5.0)).margin(), Some(-1.0));
    assert_eq!(assertion(Some(1.0), None, None).margin(), None);
    assert_eq!(assertion(Some(1.0), Some(4.0), None).wish(), "1 <= m <= 4");
}
