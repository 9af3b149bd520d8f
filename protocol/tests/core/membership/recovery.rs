//! Towns that are cut in two, nodes that are cut off, and the dead that die together.

use std::collections::BTreeSet;

use forsooth_protocol::{Participant as _, membership::News, wire::Frame};

use super::town::{Filter, Town};

/// Frames do not pass between the two sides.
fn cut(is_there: fn(usize) -> bool) -> Filter {
    Box::new(move |from, to, _| is_there(from) == is_there(to))
}

fn assert_all_know_all(town: &Town, count: usize) {
    for node in 0..count {
        assert_eq!(town.view(node).len(), count - 1, "of node {node}");
    }
}

#[test]
fn after_a_partition_nobody_stays_dead() {
    let mut town = Town::settled(24);
    town.news.clear();
    town.filter = cut(|node| node % 2 == 0);
    town.run(90);
    assert!(!town.deaths().is_empty(), "the sides hold each other for dead");
    town.filter = Box::new(|_, _, _| true);
    // Most are back within seconds; who died alone, before or after, is taken back after five minutes.
    town.run(420);
    assert_all_know_all(&town, 24);
}

#[test]
fn who_was_cut_off_alone_accuses_nobody_and_comes_back_by_itself() {
    let mut town = Town::settled(20);
    town.news.clear();
    town.filter = cut(|node| node == 7);
    town.run(60);
    let deaths = town.deaths();
    assert!(deaths.iter().all(|(_, subject)| *subject == 7), "{deaths:?}");
    assert!(!town.view(0).contains(&7), "it is dead to others");
    assert_eq!(town.view(7).len(), 19, "and nobody is to it");
    town.filter = Box::new(|_, _, _| true);
    // Who dies alone is taken back after five minutes.
    town.run(400);
    assert_all_know_all(&town, 20);
}

#[test]
fn a_certificate_of_an_earlier_epoch_removes_nobody() {
    let mut town = Town::settled(20);
    town.news.clear();
    town.kill(5);
    town.run(20);
    let died = town.news.iter().find_map(|(_, _, news)| match news {
        News::Died { certificate } => Some(certificate.clone()),
        _ => None,
    });
    let certificate = died.expect("a crash is certified");
    town.start(5);
    town.run(60);
    town.news.clear();
    let by = certificate.accusations.iter().map(|one| town.number(&one.content().accuser));
    let by: BTreeSet<usize> = by.collect();
    for second in 0..60 {
        let accusations: Vec<_> =
            certificate.accusations.iter().map(|one| (**one).clone()).collect();
        let frame = Frame::Rumours { members: vec![], accusations, asked: false };
        let from = by.iter().copied().nth(second % by.len()).unwrap();
        (0..20).filter(|to| *to != from).for_each(|to| town.send(from, to, &frame));
        town.run(1);
    }
    assert_eq!(town.deaths(), []);
    assert!(!town.news.iter().any(|(_, _, news)| matches!(news, News::Suspected { .. })));
    assert_all_know_all(&town, 20);
}

#[test]
fn those_who_die_together_are_removed_as_one_change() {
    let mut town = Town::settled(40);
    town.news.clear();
    let dead = [3, 14, 25, 36];
    dead.iter().for_each(|node| town.kill(*node));
    town.run(30);
    for node in town.up() {
        let of_node = |(at, by, news): &(_, usize, News)| {
            (matches!(news, News::Died { .. }) && *by == node).then_some(*at)
        };
        let moments: Vec<_> = town.news.iter().filter_map(of_node).collect();
        assert_eq!(moments.len(), dead.len(), "at node {node}");
        assert!(moments.iter().all(|at| *at == moments[0]), "at node {node}: {moments:?}");
    }
}

#[test]
fn whose_first_word_is_lost_is_found_when_tables_are_compared() {
    let mut town = Town::new(20);
    let lost = town.id(9);
    town.filter = Box::new(move |from, _, frame| {
        let Frame::Rumours { members, asked: false, .. } = frame else { return true };
        from != 9 || !members.iter().any(|record| record.content().id == lost)
    });
    town.run(90);
    assert_all_know_all(&town, 20);
    assert!(town.cores[9].as_ref().unwrap().snapshot().bans.is_empty());
}
