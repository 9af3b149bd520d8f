//! Towns without liars: joining, leaving, dying, coming back.

use std::time::Duration;

use forsooth_protocol::membership::News;

use super::town::Town;

#[test]
fn all_know_all_soon_after_the_start() {
    let mut town = Town::new(40);
    town.run(30);
    for node in 0..40 {
        assert_eq!(town.view(node).len(), 39, "of node {node}");
        let state = town.snapshot(node).membership.unwrap();
        assert_eq!((state.members, state.observers, state.needed), (40, 9, 5));
    }
}

#[test]
fn nobody_is_suspected_in_peace_and_it_costs_little() {
    let mut town = Town::settled(30);
    town.bytes.fill(0);
    town.news.clear();
    town.run(900);
    assert!(town.news.is_empty(), "{:?}", town.news);
    let rate = town.bytes.iter().sum::<usize>() as f64 / 30.0 / 900.0;
    assert!(rate < 400.0, "{rate} bytes a second");
}

#[test]
fn a_crash_is_certified_by_all_and_nobody_else_dies() {
    let mut town = Town::settled(40);
    town.news.clear();
    town.kill(7);
    town.run(15);
    let mut by: Vec<_> = town.deaths();
    by.sort_unstable();
    let all: Vec<_> = (0..40).filter(|node| *node != 7).map(|node| (node, 7)).collect();
    assert_eq!(by, all);
    for node in town.up() {
        assert!(!town.view(node).contains(&7));
    }
}

#[test]
fn who_restarts_is_believed_at_once_and_nothing_old_brings_the_dead_back() {
    let mut town = Town::settled(30);
    town.kill(3);
    town.run(20);
    assert_eq!(town.deaths().len(), 29);
    town.start(3);
    town.run(20);
    for node in town.up().filter(|node| *node != 3) {
        assert!(town.view(node).contains(&3), "node {node} holds it for dead");
    }
    assert_eq!(town.view(3).len(), 29);
    assert_eq!(town.deaths().len(), 29, "once is enough");
}

#[test]
fn who_leaves_is_not_dead() {
    let mut town = Town::settled(30);
    town.news.clear();
    town.input(4, forsooth_protocol::Input::Stopping);
    town.run(1);
    town.kill(4);
    town.run(20);
    assert_eq!(town.deaths(), []);
    let left = town.news.iter().filter(|(_, _, news)| matches!(news, News::Left { .. })).count();
    assert_eq!(left, 29);
}

#[test]
fn a_restart_of_all_leaves_nobody_dead() {
    let mut town = Town::settled(30);
    (0..30).for_each(|node| town.kill(node));
    town.run(2);
    (0..30).for_each(|node| town.start(node));
    town.run(60);
    for node in 0..30 {
        assert_eq!(town.view(node).len(), 29, "of node {node}");
    }
    assert_eq!(town.deaths(), []);
}

#[test]
fn pauses_of_two_seconds_are_no_deaths_and_cause_no_storm() {
    let mut town = Town::settled(30);
    town.news.clear();
    town.bytes.fill(0);
    for second in 0..60 {
        if second % 10 == 0 {
            for node in [5, 6] {
                town.pause(node, Duration::from_secs(2));
            }
        }
        town.run(1);
    }
    assert_eq!(town.deaths(), []);
    assert!(town.blamed.is_empty(), "{} faults, {:?}", town.blamed.len(), town.blamed.first());
    let rate = town.bytes.iter().sum::<usize>() as f64 / 30.0 / 60.0;
    assert!(rate < 600.0, "{rate} bytes a second");
}
