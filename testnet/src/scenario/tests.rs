//! Files that make no sense, and what is said of them.

use super::*;
use crate::verdict::Verdict;

/// A file that makes sense; each test breaks one line of it.
const GOOD: &str = r#"format = 1
name = "example"
about = "An example."
seed = 7
expect = "pass"

[network]
policy = { k = 3, n = 5 }
lifetime = "60s"

[run]
warm_up = "10s"
duration = "20s"
cool_down = "20s"

[[groups]]
name = "honest"
nodes = 12
rate = 2.0
payload = 256
quiet = "5s..6s"

[[groups]]
name = "slow"
nodes = 4
outbound = 6
subnet = "10.1.0.0/16"
contacts = { nodes = 5, hostile = 0.5 }

[links.default]
latency = "10ms..50ms"
loss = 0.01
bandwidth = "100MB/s"

[links.slow]
latency = "200ms"

[[adversaries]]
kind = "forge"
nodes = 2
start = "1s"
stop = "15s"
intensity = 0.5
targets = "slow"

[[adversaries]]
kind = "spam"
nodes = 1
targets = [0, 3]
collude = true
ids = "near"

[[faults]]
kind = "kill"
at = "5s"
for = "3s"
group = "honest"
share = 0.2

[[faults]]
kind = "one-way"
nodes = [0, 1]
blocked = "inward"

[[faults]]
kind = "skew"
nodes = 2
by = "-30s"

[[assert]]
metric = "delivery_ratio"
min = 0.99

[compare]
without = ["bans", "quota"]
"#;

fn parse(text: &str, sets: &[&str]) -> Result<Scenario, String> {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Scenario::parse(text, "x.toml", &sets).map_err(|error| error.to_string())
}

#[test]
fn a_file_says_what_it_says() {
    let scenario = parse(GOOD, &[]).unwrap();
    assert_eq!(
        (scenario.name.as_str(), scenario.seed, scenario.expect),
        ("example", 7, Verdict::Pass)
    );
    assert_eq!((scenario.honest(), scenario.hostile()), (16, 3));
    assert_eq!(scenario.places("slow"), Some(12..16));
    let [forge, spam] = scenario.adversaries.as_slice() else {
        panic!("{:?}", scenario.adversaries)
    };
    assert_eq!(forge.targets, Some(Who::Group("slow".to_owned())));
    assert_eq!((spam.targets.clone(), spam.collude), (Some(Who::Nodes(vec![0, 3])), true));
    assert_eq!(scenario.faults[0].who, Who::Share(Some("honest".to_owned()), 0.2));
    assert_eq!(scenario.faults[1].kind, FaultKind::OneWay(Blocked::Inward));
    assert_eq!(scenario.faults[2].kind, FaultKind::Skew(-30_000));
    assert_eq!(scenario.links.by_group.len(), 1);
    assert!(
        (scenario.links.by_group[0].1.loss - 0.01).abs() < 1e-9,
        "what is not said is as default"
    );
    assert_eq!(scenario.compare.len(), 2);
}

#[test]
fn a_scenario_is_written_as_it_was_read() {
    let scenario = parse(GOOD, &[]).unwrap();
    let written = scenario.to_toml();
    let again = parse(&written, &[]).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(again.to_toml(), written);
    assert_eq!(format!("{again:?}"), format!("{scenario:?}"));
}

#[test]
fn what_makes_no_sense_is_shown_with_its_line_and_what_would_be_right() {
    for (line, broken, place, hint) in [
        ("format = 1", "format = 2", "x.toml:1:10", "format must be 1"),
        ("format = 1\n", "", "x.toml:1:1", "begins with format = 1"),
        (
            "seed = 7",
            "sede = 7",
            "x.toml:4:1",
            "unknown key in a scenario \"sede\"; did you mean \"seed\"?",
        ),
        ("seed = 7", "seed = -7", "x.toml:4:8", "seed must be from 0"),
        ("seed = 7", "seed = \"7\"", "x.toml:4:8", "seed must be a whole number, not a text"),
        (
            "expect = \"pass\"",
            "expect = \"passes\"",
            "x.toml:5:10",
            "unknown verdict \"passes\"; did you mean \"pass\"?",
        ),
        ("name = \"example\"", "name = \"an example\"", "x.toml:2:8", "must be letters"),
        ("k = 3, n = 5", "k = 6, n = 5", "x.toml:8:16", "k must be at most n"),
        ("k = 3, n = 5", "k = 3, n = 19", "x.toml:8:1", "n must be at most the 18 other nodes"),
        (
            "k = 3, n = 5",
            "k = 16, n = 18",
            "x.toml:8:1",
            "k must be at most the 15 other honest nodes",
        ),
        ("k = 3, n = 5", "k = 3", "x.toml:8:", "policy needs the key \"n\""),
        ("{ k = 3, n = 5 }", "\"verfied\"", "x.toml:8:10", "did you mean \"verified\"?"),
        (
            "lifetime = \"60s\"",
            "lifetime = \"2h\"",
            "x.toml:9:12",
            "lifetime must be from 1s to 3600s",
        ),
        (
            "lifetime = \"60s\"",
            "retention = \"30s\"",
            "x.toml:9:13",
            "retention must be from the lifetime, 120s, to 7776000s",
        ),
        ("duration = \"20s\"", "duration = \"0s\"", "x.toml:13:12", "must be more than nothing"),
        (
            "duration = \"20s\"",
            "duration = 20",
            "x.toml:13:12",
            "needs a unit: write it as \"20s\"",
        ),
        ("warm_up = \"10s\"", "warm_up = \"-10s\"", "x.toml:12:11", "warm_up must not be negative"),
        ("warm_up = \"10s\"", "warmup = \"10s\"", "x.toml:12:1", "did you mean \"warm_up\"?"),
        ("nodes = 12", "nodes = 0", "x.toml:18:9", "nodes must be from 1 to"),
        ("nodes = 12", "nodes = -3", "x.toml:18:9", "nodes must be from 1 to"),
        ("nodes = 12\n", "", "x.toml:16:1", "[[groups]] needs the key \"nodes\""),
        ("nodes = 12", "nodes = 59999", "x.toml:", "60000 are possible"),
        ("rate = 2.0", "rate = -2.0", "x.toml:19:8", "rate must be from 0 to 1000"),
        ("rate = 2.0", "rate = nan", "x.toml:19:8", "rate must be from 0 to 1000"),
        ("payload = 256", "payload = 0", "x.toml:20:11", "payload must be from 1 to 1048576"),
        ("quiet = \"5s..6s\"", "quiet = \"6s..5s\"", "x.toml:21:9", "must end after it begins"),
        ("name = \"slow\"", "name = \"honest\"", "x.toml:", "two groups called \"honest\""),
        (
            "contacts = { nodes = 5, hostile = 0.5 }",
            "contacts = { nodes = 5, hostil = 0.5 }",
            "x.toml:28:25",
            "unknown key in contacts \"hostil\"; did you mean \"hostile\"?",
        ),
        ("hostile = 0.5", "hostile = 1.5", "x.toml:28:35", "hostile must be from 0 to 1"),
        ("ids = \"near\"", "ids = \"next\"", "x.toml:51:7", "unknown choice of ids \"next\""),
        ("subnet = \"10.1.0.0/16\"", "subnet = \"10.1.0.0\"", "x.toml:27:10", "10.1.0.0/16"),
        ("latency = \"10ms..50ms\"", "latency = \"50ms..10ms\"", "x.toml:31:11", "must rise"),
        ("loss = 0.01", "loss = 1.5", "x.toml:32:8", "loss must be from 0 to 0.9"),
        ("bandwidth = \"100MB/s\"", "bandwidth = \"fast\"", "x.toml:33:13", "write it as 100MB/s"),
        (
            "[links.slow]",
            "[links.slwo]",
            "x.toml:35:",
            "unknown group \"slwo\"; did you mean \"slow\"?",
        ),
        (
            "kind = \"forge\"",
            "kind = \"frge\"",
            "x.toml:39:8",
            "unknown strategy \"frge\"; did you mean \"forge\"?",
        ),
        ("start = \"1s\"", "start = \"25s\"", "x.toml:41:9", "after the end of the run"),
        ("stop = \"15s\"", "stop = \"1s\"", "x.toml:42:8", "stop must be after start"),
        ("intensity = 0.5", "intensity = -1", "x.toml:43:13", "intensity must be from 0 to 1000"),
        ("intensity = 0.5", "intensty = 0.5", "x.toml:43:1", "did you mean \"intensity\"?"),
        (
            "targets = \"slow\"",
            "targets = \"slo\"",
            "x.toml:44:11",
            "unknown group \"slo\"; did you mean \"slow\"?",
        ),
        (
            "targets = [0, 3]",
            "targets = [0, 16]",
            "x.toml:49:15",
            "no honest node 16: they are 0 to 15",
        ),
        (
            "kind = \"kill\"",
            "kind = \"kil\"",
            "x.toml:54:8",
            "unknown fault \"kil\"; did you mean \"kill\"?",
        ),
        ("at = \"5s\"", "at = \"21s\"", "x.toml:55:6", "after the end of the run"),
        ("for = \"3s\"", "for = \"300s\"", "x.toml:56:7", "ends after the run"),
        ("for = \"3s\"", "loss = 0.5", "x.toml:56:1", "unknown key in [[faults]] \"loss\""),
        ("group = \"honest\"", "group = \"honset\"", "x.toml:57:9", "did you mean \"honest\"?"),
        ("share = 0.2", "share = 1.2", "x.toml:58:9", "share must be from 0 to 1"),
        ("blocked = \"inward\"", "blocked = \"in\"", "x.toml:63:11", "inward"),
        ("nodes = 2\nby", "nodes = 99\nby", "x.toml:67:9", "nodes must be from 1 to 16"),
        ("by = \"-30s\"\n", "", "x.toml:65:1", "needs the key \"by\""),
        (
            "metric = \"delivery_ratio\"",
            "metric = \"delivery\"",
            "x.toml:71:10",
            "did you mean \"delivery_ratio\"?",
        ),
        ("min = 0.99\n", "", "x.toml:71:10", "needs a min or a max"),
        ("min = 0.99", "min = 2\nmax = 1", "x.toml:72:7", "must be at most max"),
        (
            "\"quota\"]",
            "\"quotas\"]",
            "x.toml:75:20",
            "unknown defence \"quotas\"; did you mean \"quota\"?",
        ),
        ("[compare]", "[compare", "x.toml:74:", ""),
    ] {
        assert!(GOOD.contains(line), "{line}");
        let error = parse(&GOOD.replacen(line, broken, 1), &[]).unwrap_err();
        assert!(error.starts_with(place), "{broken}: {error}");
        assert!(error.contains(hint), "{broken}: {error}");
    }
}

#[test]
fn a_set_changes_a_value_and_is_to_blame_for_it() {
    let scenario =
        parse(GOOD, &["adversaries.0.intensity=0", "name=other", "groups.1.nodes=5"]).unwrap();
    assert!(!scenario.adversaries[0].intensity.is_some());
    assert_eq!((scenario.name.as_str(), scenario.honest()), ("other", 17));
    for (set, hint) in [
        (
            "adversaries.0.intensity=-1",
            "--set adversaries.0.intensity=-1: intensity must be from 0",
        ),
        ("adversaries.9.intensity=0", "no place in a list of 2"),
        ("adversaries.0.intensty=0", "did you mean \"intensity\"?"),
        ("run.duration", "key=value"),
    ] {
        let error = parse(GOOD, &[set]).unwrap_err();
        assert!(error.starts_with("--set ") && error.contains(hint), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Scenario::load(Path::new("/nowhere/x.toml"), &[]).unwrap_err().to_string();
    assert!(error.contains("/nowhere/x.toml"), "{error}");
}
