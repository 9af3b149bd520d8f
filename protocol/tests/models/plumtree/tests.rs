//! What holds with one liar, and what does not without a rule.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::model::{ALL, CAPTURED, DELIVERY};
use super::{Network, Publishes, Tells, Without};
use crate::set::{NodeId, Set};

type Links = &'static [(NodeId, NodeId)];

const LINE: Links = &[(0, 1), (1, 2)];
const TRIANGLE: Links = &[(0, 1), (1, 2), (2, 0)];
const LONG_LINE: Links = &[(0, 1), (1, 2), (2, 3)];
const STAR: Links = &[(0, 1), (0, 2), (0, 3)];
const SQUARE: Links = &[(0, 1), (1, 2), (2, 3), (3, 0)];
/// A square with a diagonal that the author is not on.
const DIAMOND: Links = &[(0, 1), (1, 2), (2, 3), (3, 0), (1, 3)];

/// A network in which whoever is linked chose each other.
fn network(links: Links, reach: &[NodeId]) -> Network {
    let back = links.iter().map(|(one, other)| (*other, *one));
    one_way(links.iter().copied().chain(back).collect(), reach)
}

/// A network in which the first of each two chose the second.
fn one_way(chosen: Vec<(NodeId, NodeId)>, reach: &[NodeId]) -> Network {
    let nodes = chosen.iter().map(|(one, other)| one.max(other) + 1).max().unwrap_or(1);
    Network {
        nodes,
        chosen,
        reach: Set::of(reach),
        messages: 2,
        publishes: Publishes::AtRest,
        without: Without::Nothing,
        tells: Tells::Relevant,
    }
}

fn holds(name: &str, network: Network) {
    let checker = network.checker().spawn_dfs().join();
    println!("{name}: {} states, {} steps", checker.unique_state_count(), checker.state_count());
    checker.assert_any_discovery(ALL);
    checker.assert_no_discovery(DELIVERY);
    if !checker.model().reach.is_empty() {
        checker.assert_any_discovery(CAPTURED);
    }
}

fn fails(name: &str, network: Network) {
    let found = HasDiscoveries::AnyOf([DELIVERY].into());
    let checker = network.checker().finish_when(found).spawn_bfs().join();
    let steps = checker.assert_any_discovery(DELIVERY).into_actions();
    println!("{name}: a message is lost after {} steps", steps.len());
}

#[test]
fn without_a_liar_everybody_gets_all() {
    for (name, links) in [("square", SQUARE), ("diamond", DIAMOND)] {
        holds(name, network(links, &[]));
    }
}

#[test]
fn a_liar_linked_to_all_keeps_nothing_from_anybody() {
    for (name, links) in [("line", LINE), ("triangle", TRIANGLE)] {
        holds(name, network(links, &[0, 1, 2]));
    }
    for (name, links) in [("long line", LONG_LINE), ("star", STAR)] {
        holds(name, network(links, &[0, 1, 2, 3]));
    }
}

#[test]
fn where_there_are_cycles_of_four_a_liar_keeps_nothing_from_its_neighbours() {
    for reach in [[1, 2], [1, 3]] {
        holds("square", network(SQUARE, &reach));
    }
    for reach in [1, 2] {
        holds("diamond", network(DIAMOND, &[reach]));
    }
}

#[test]
fn messages_may_follow_each_other_closely_and_there_may_be_three() {
    let three = |links, reach: &[NodeId]| Network { messages: 3, ..network(links, reach) };
    holds("line, three messages", three(LINE, &[1, 2]));
    holds("triangle, three messages", three(TRIANGLE, &[2]));
    let close =
        |links, reach: &[NodeId]| Network { publishes: Publishes::Always, ..network(links, reach) };
    holds("line, close messages", close(LINE, &[1, 2]));
    holds("triangle, close messages", close(TRIANGLE, &[2]));
}

/// Each node chose who comes before it on the author's side, and need not have been chosen.
#[test]
fn it_is_enough_to_have_chosen_who_is_nearer_to_the_author() {
    holds("one-way line", one_way(vec![(1, 0), (2, 1)], &[1, 2]));
    holds("one-way ring", one_way(vec![(1, 0), (2, 1), (0, 2)], &[1, 2]));
    holds("one-way ring of four", one_way(vec![(1, 0), (2, 1), (3, 2), (0, 3)], &[1, 3]));
    // Whoever chose nobody but the liar hears of some messages only: now and then of one.
    fails("chosen only", one_way(vec![(0, 1), (1, 2)], &[1, 2]));
}

/// The states that are left out by default change nothing.
#[test]
fn a_liars_grafts_and_prunes_change_what_it_gets_and_nothing_else() {
    let all = |links, reach: &[NodeId]| Network { tells: Tells::All, ..network(links, reach) };
    holds("line, all states", all(LINE, &[1, 2]));
    holds("triangle, all states", all(TRIANGLE, &[2]));
    holds("square, all states", all(SQUARE, &[2]));
}

#[test]
fn each_rule_of_repair_is_needed() {
    for without in [Without::Repair, Without::Others, Without::VouchesToPruned] {
        for links in [LINE, TRIANGLE] {
            fails(&format!("{without:?}"), Network { without, ..network(links, &[1, 2]) });
        }
    }
}
