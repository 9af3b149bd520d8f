//! Small networks, in virtual time.

use super::*;

fn small() -> Setting {
    Setting {
        nodes: 24,
        contacts: 0,
        crash: 0,
        vanish: false,
        loss: 0.0,
        slow: 0.0,
        lossy: 0.0,
        one_way: 0.0,
        liars: 0.0,
        silent: 0.0,
        restart_all: None,
        preset: Preset::Lan,
        duration: Duration::from_secs(30),
        seed: 7,
    }
}

#[test]
fn all_join_through_one_seed_and_a_crash_is_certified_by_all() {
    let report = run(&Setting { crash: 2, ..small() }, drop).unwrap();
    assert!(report.join_converge_s.is_some_and(|seconds| seconds < 30.0), "{report}");
    assert_eq!(report.detected_ratio, Some(1.0), "{report}");
    assert!(report.one_change_ratio.is_some_and(|ratio| ratio >= 0.9), "{report}");
    assert_eq!((report.false_deaths, report.missing_in_the_end), (0, 0), "{report}");
}

#[test]
fn after_a_restart_of_all_everybody_knows_everybody_in_their_new_lives() {
    let restart_all = Some(Duration::from_secs(5));
    let duration = Duration::from_secs(60);
    let report = run(&Setting { restart_all, duration, contacts: 4, ..small() }, drop).unwrap();
    assert!(report.restart_converge_s.is_some_and(|seconds| seconds < 30.0), "{report}");
    assert_eq!((report.false_deaths, report.missing_in_the_end), (0, 0), "{report}");
}

#[test]
fn a_fifth_of_liars_kills_nobody_and_costs_little() {
    let duration = Duration::from_secs(120);
    let report = run(&Setting { liars: 0.2, duration, ..small() }, drop).unwrap();
    assert_eq!((report.false_deaths, report.banned), (0, 0), "{report}");
    assert!(report.bytes_per_member_per_s < 1_000.0, "{report}");
}

#[test]
fn half_of_the_nodes_have_to_be_without_trouble() {
    let setting = Setting { crash: 13, ..small() };
    assert!(matches!(run(&setting, drop), Err(Error::TooMuchTrouble { .. })));
}
