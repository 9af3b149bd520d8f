//! What holds within the assumptions, and what does not without them.

use stateright::{Checker as _, HasDiscoveries, Model as _};

use super::model::{ACCEPTED, ACCEPTED_BY_ALL, AGREEMENT, ALONE};
use super::{Author, HOP, Loses, Network};
use crate::set::{NodeId, Set};

type Links = &'static [(NodeId, NodeId)];

const PAIR: Links = &[(0, 1)];
const LINE: Links = &[(0, 1), (1, 2)];
const TRIANGLE: Links = &[(0, 1), (1, 2), (2, 0)];
const LONG_LINE: Links = &[(0, 1), (1, 2), (2, 3)];
const SQUARE: Links = &[(0, 1), (1, 2), (2, 3), (3, 0)];
const STAR: Links = &[(0, 1), (0, 2), (0, 3)];

/// Graphs, with the hops between the two nodes that are furthest apart.
const GRAPHS: [(&str, Links, u8); 6] = [
    ("pair", PAIR, 1),
    ("line", LINE, 2),
    ("triangle", TRIANGLE, 1),
    ("long line", LONG_LINE, 3),
    ("square", SQUARE, 2),
    ("star", STAR, 2),
];

/// The time in which what one honest node knows is known to all: as a message, and from where that meets another one as a proof.
const fn spread(diameter: u8) -> u8 {
    diameter * HOP
}

fn network(links: Links, settle: u8) -> Network {
    let nodes = links.iter().map(|(one, other)| one.max(other) + 1).max().unwrap_or(1);
    Network {
        nodes,
        links: links.to_vec(),
        settle,
        k: 1,
        slots: 1,
        author: Author::Equivocates,
        loses: Loses::All,
        banned: Set::default(),
        rejecting: Set::default(),
        forgetful: Set::default(),
    }
}

fn holds(name: &str, network: Network, properties: &[&'static str]) {
    let checker = network.checker().spawn_dfs().join();
    println!("{name}: {properties:?} in {} states", checker.unique_state_count());
    checker.assert_any_discovery(ACCEPTED);
    properties.iter().for_each(|property| checker.assert_no_discovery(property));
}

fn fails(name: &str, network: Network, property: &'static str) {
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = network.checker().finish_when(found).spawn_bfs().join();
    let steps = checker.assert_any_discovery(property).into_actions();
    println!("{name}: not {property:?}, after {} steps", steps.len());
}

#[test]
fn honest_nodes_agree_if_messages_settle_for_longer_than_a_spread() {
    for (name, links, diameter) in GRAPHS {
        let spread = spread(diameter);
        holds(name, network(links, spread + 1), &[AGREEMENT]);
        fails(name, network(links, spread), AGREEMENT);
        fails(name, network(links, 0), AGREEMENT);
    }
}

#[test]
fn nobody_holds_anything_else_than_what_settled_for_longer_than_two() {
    for (name, links, diameter) in GRAPHS {
        let spread = spread(diameter);
        holds(name, network(links, 2 * spread + 1), &[AGREEMENT, ALONE]);
        fails(name, network(links, 2 * spread), ALONE);
    }
}

/// Liars that are enough for `k` change nothing, since vouches do not count towards time; nor are honest vouches enough without it.
#[test]
fn a_threshold_is_neither_needed_for_agreement_nor_enough() {
    for (name, links, diameter) in [("triangle", TRIANGLE, 1), ("square", SQUARE, 2)] {
        let needs_one = |settle| Network { k: 2, ..network(links, settle) };
        holds(name, needs_one(spread(diameter) + 1), &[AGREEMENT]);
    }
    fails("long line", Network { k: 2, ..network(LONG_LINE, 0) }, AGREEMENT);
    fails("square", Network { k: 2, ..network(SQUARE, 0) }, AGREEMENT);
}

#[test]
fn an_exposed_author_loses_all_that_waits_or_a_second_slot_goes_unnoticed() {
    let two = |links, settle| Network { slots: 2, ..network(links, settle) };
    holds("pair, two slots", two(PAIR, 2 * spread(1) + 1), &[AGREEMENT, ALONE]);
    holds("line, two slots", two(LINE, spread(2) + 1), &[AGREEMENT]);
    let slot = Network { loses: Loses::Slot, ..two(PAIR, 2 * spread(1) + 1) };
    fails("only the slot is lost", slot, AGREEMENT);
    let nothing = Network { loses: Loses::Nothing, ..network(PAIR, 2 * spread(1) + 1) };
    fails("nothing is lost", nothing, AGREEMENT);
}

#[test]
fn what_an_honest_author_says_is_accepted_by_all() {
    for (name, links, k) in
        [("long line", LONG_LINE, 1), ("triangle", TRIANGLE, 2), ("square", SQUARE, 2)]
    {
        let honest = Network { author: Author::Honest, k, ..network(links, 3) };
        holds(name, honest, &[AGREEMENT, ALONE, ACCEPTED_BY_ALL]);
    }
    // Nodes at the ends have one neighbour, who is not two.
    let short = Network { author: Author::Honest, k: 2, ..network(LINE, 3) };
    fails("line", short, ACCEPTED_BY_ALL);
}

/// Many times what a spread takes, and still: the assumptions of section 6, each left out in turn.
#[test]
fn no_settling_time_makes_up_for_a_broken_assumption() {
    let ages = 20;
    fails("fallen apart", Network { nodes: 3, ..network(PAIR, ages) }, AGREEMENT);
    let rejecting = Set::of(&[1, 2]);
    let judges = Network { rejecting, ..network(LONG_LINE, ages) };
    fails("two validators between disagree", judges, AGREEMENT);
    let banned = Network { banned: Set::of(&[1]), ..network(LINE, ages) };
    fails("one between has banned the author", banned, AGREEMENT);
    let forgetful = Network { forgetful: Set::of(&[0, 1]), ..network(PAIR, ages) };
    fails("all forget", forgetful, AGREEMENT);
}

/// The others remember, and what they know is back in time.
#[test]
fn one_node_may_forget_or_reject_alone() {
    for settle in [spread(2) + 1, 2 * spread(2) + 1] {
        for one in 0..3 {
            let rejecting = Network { rejecting: Set::of(&[one]), ..network(LINE, settle) };
            holds("line, one rejects", rejecting, &[AGREEMENT]);
            let forgetful = Network { forgetful: Set::of(&[one]), ..network(LINE, settle) };
            holds("line, one forgets", forgetful, &[AGREEMENT]);
        }
    }
}
