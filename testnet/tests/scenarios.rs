//! Every scenario in `testnet/scenarios`, in the simulator: its expected verdict, the same run twice, and what
//! each defence is for.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use forsooth_protocol::{Defences, Safeguard};
use forsooth_testnet::{
    engine::{self, Engine, Options, Outcome},
    scenario::{FaultKind, Scenario},
    strategy::KINDS,
    verdict::Verdict,
};

/// Scenarios that are too long for every test run at their full size, and how they are made smaller. The sweeps
/// over the full size are in `docs/threats.md`. Of 41 networks, the liars' one is drawn as often as any other.
const SMALLER: [(&str, &[&str]); 3] = [
    (
        "crash-restart",
        &["run.duration=40s", "faults.0.for=30s", "groups.0.rate=1", "assert.5.min=10"],
    ),
    ("eclipse", &["groups.0.nodes=60", "groups.0.rate=0.01", "adversaries.0.nodes=15"]),
    ("sybil-subnet", &["groups.0.nodes=40", "adversaries.0.nodes=40", "assert.1.max=0.0244"]),
];

/// Scenarios in which more frames arrive are not run twice. They use nothing that the others do not.
const FRAMES_MAX: u64 = 150_000;

/// Safeguards without which no scenario fails, since another one stops its attack too; what they are for is shown by
/// `protocol/tests/core/defences.rs`. Liars' cores vouch to nobody who did not choose them, as honest ones do; and
/// who is silent is let go, drawn or not. Without cross-verification a node believes one server for good, which may have missed
/// something itself: that fails without liars as well.
const SHOWN_ELSEWHERE: [Safeguard; 3] =
    [Safeguard::Witnesses, Safeguard::Sampling, Safeguard::CrossVerification];

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn load(name: &str, sets: &[&str]) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    read(&path, sets)
}

fn read(path: &Path, sets: &[&str]) -> Scenario {
    let smaller = SMALLER.iter().find(|(name, _)| path.file_stem() == Some(OsStr::new(name)));
    let smaller = smaller.map_or(&[][..], |(_, sets)| sets);
    let sets: Vec<_> = smaller.iter().chain(sets).map(|set| (*set).to_owned()).collect();
    Scenario::load(path, &sets).unwrap()
}

fn simulate(scenario: &Scenario, defences: Defences) -> Outcome {
    let options = Options { defences, ..Options::of(Engine::Sim) };
    engine::simulate(scenario, options, String::new()).unwrap()
}

/// Does something with each of these, on as many threads as there are processors; gives all complaints.
fn each<T: Sync>(of: &[T], complain: impl Fn(&T) -> Vec<String> + Sync) -> Vec<String> {
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(one) = of.get(next.fetch_add(1, Ordering::Relaxed)) {
            let more = complain(one);
            complaints.lock().unwrap().extend(more);
        }
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
    complaints.into_inner().unwrap()
}

#[test]
fn every_scenario_has_its_expected_verdict_and_the_short_are_the_same_run_twice() {
    let complaints = each(&files(), |file| {
        let scenario = read(file, &[]);
        let outcome = simulate(&scenario, Defences::ALL);
        let mut complaints = Vec::new();
        if outcome.verdict() != scenario.expect {
            complaints.push(format!("{}:\n{outcome}", file.display()));
        }
        if outcome.pace.frames.is_some_and(|frames| frames > FRAMES_MAX) {
            return complaints;
        }
        // Without assertions there is no baseline to be run along with it; the run is the same.
        let again = Scenario { asserts: Vec::new(), ..scenario };
        let digests = [&outcome, &simulate(&again, Defences::ALL)].map(|it| it.pace.trace_digest);
        if digests[0] != digests[1] {
            complaints.push(format!("{}: two runs differ", file.display()));
        }
        complaints
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_scenario_is_named_after_its_file_and_written_as_it_is_read() {
    let mut names = BTreeSet::new();
    for file in files() {
        let scenario = Scenario::load(&file, &[]).unwrap();
        assert_eq!(Some(scenario.name.as_ref()), file.file_stem(), "{}", file.display());
        assert!(scenario.about.ends_with('.'), "{}: {}", file.display(), scenario.about);
        assert!(!scenario.asserts.is_empty(), "{} asserts nothing", file.display());
        let again = Scenario::parse(&scenario.to_toml(), "again", &[]).unwrap();
        assert_eq!(format!("{again:?}"), format!("{scenario:?}"));
        names.insert(scenario.name);
    }
    for kind in KINDS {
        assert!(names.contains(kind.name), "{kind} has no scenario");
    }
    let used: BTreeSet<_> = files()
        .iter()
        .flat_map(|file| Scenario::load(file, &[]).unwrap().faults)
        .collect::<Vec<_>>()
        .iter()
        .map(|fault| fault.kind.name())
        .collect();
    for (name, _) in FaultKind::NAMES {
        assert!(used.contains(name), "no scenario has the fault {name}");
    }
}

#[test]
fn the_scenario_in_the_documentation_makes_sense() {
    let page = include_str!("../../docs/testnets.md");
    let (_, from) = page.split_once("```toml\n").unwrap();
    let (text, _) = from.split_once("```").unwrap();
    let scenario = Scenario::parse(text, "docs/testnets.md", &[]).unwrap();
    assert_eq!(simulate(&scenario, Defences::ALL).verdict(), scenario.expect);
}

#[test]
fn an_attack_without_intensity_proves_nothing() {
    for name in [
        "forge",
        "silent-drop",
        "slow-read",
        "cold-boot",
        "malformed",
        "equivocate",
        "slot-exhaust",
        "poison-seeds",
    ] {
        let calm = load(&format!("{name}.toml"), &["adversaries.0.intensity=0"]);
        let outcome = simulate(&calm, Defences::ALL);
        assert_eq!(outcome.verdict(), Verdict::Inconclusive, "{name}: {outcome}");
    }
}

#[test]
fn each_defence_has_a_scenario_in_which_the_attack_succeeds_without_it() {
    let all: Vec<_> = files().iter().map(|file| read(file, &[])).collect();
    let pairs: Vec<_> = all
        .iter()
        .flat_map(|scenario| scenario.compare.iter().map(move |off| (scenario, *off)))
        .collect();
    let shown: BTreeSet<_> = pairs.iter().map(|(_, off)| *off).collect();
    for safeguard in Safeguard::ALL.into_iter().filter(|one| !SHOWN_ELSEWHERE.contains(one)) {
        assert!(shown.contains(&safeguard), "no scenario shows what {} is for", safeguard.name());
    }
    let complaints = each(&pairs, |(scenario, off)| {
        let outcome = simulate(scenario, Defences::ALL.without(*off));
        let calm = simulate(&scenario.calm(), Defences::ALL.without(*off));
        let mut complaints = Vec::new();
        if outcome.verdict() != Verdict::Fail {
            complaints.push(format!("{} without {}:\n{outcome}", scenario.name, off.name()));
        }
        if calm.verdict() == Verdict::Fail {
            complaints.push(format!("{} calm without {}:\n{calm}", scenario.name, off.name()));
        }
        complaints
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
