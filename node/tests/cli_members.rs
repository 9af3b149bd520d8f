//! Thirty `forsooth run` processes that know each other as members, while some of them are killed and one is held up.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be as expected ends the test, in its helpers too"
)]

#[path = "cli/support.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Home, Running, free_port, poll};

const NODES: usize = 30;
const KILLED: usize = 3;

/// All nodes, by id. The first is everybody's bootnode, and is in the first place.
fn town(home: &Home) -> (Running, String, BTreeMap<String, Running>) {
    let port = free_port();
    home.network("first.toml", "demo", &[]);
    let watcher_id = home.init("n0", "first.toml", port);
    let watcher = home.node("n0");
    home.network("demo.toml", "demo", &[watcher.address()]);
    let others = (1..NODES).map(|at| {
        let data = format!("n{at}");
        let id = home.init(&data, "demo.toml", 0);
        (id, home.spawn(&data, &["run"]))
    });
    let others = others.collect();
    (watcher, watcher_id, others)
}

fn members(home: &Home, data: &str) -> Option<Value> {
    let answer = home.run(data, &["members", "--json"]);
    serde_json::from_str(&answer.stdout).ok()
}

/// Waits until a node has so many members, and each of them several observers.
fn wait_for_members(home: &Home, data: &str, count: usize) {
    let mut last = Value::Null;
    let found = poll(|| {
        last = members(home, data)?;
        (last["members"] == count && last["needed"].as_u64() > Some(1)).then_some(())
    });
    assert!(found.is_some(), "{data} has {} members, never {count}", last["members"]);
}

#[test]
fn of_thirty_who_is_killed_is_certified_dead_and_who_is_held_up_is_not() {
    let home = Home::new();
    let (watcher, watcher_id, mut others) = town(&home);
    wait_for_members(&home, "n0", NODES);
    let mut watch = home.spawn("n0", &["members", "--watch", "--json"]);
    let list: Value = serde_json::from_str(&watch.line()).unwrap();
    assert_eq!(list["list"][0]["id"], watcher_id);
    let needed = usize::try_from(list["needed"].as_u64().unwrap()).unwrap();
    assert!(needed > 1, "{list}");

    // Held up for two seconds, as by a pause of its machine.
    let (paused, process) = others.iter().next().unwrap();
    let paused = paused.clone();
    process.signal("-STOP");
    let resumed = Instant::now() + Duration::from_secs(2);
    while let Some(rest) = resumed.checked_duration_since(Instant::now()) {
        thread::park_timeout(rest);
    }
    process.signal("-CONT");

    let killed: BTreeSet<String> = others.keys().rev().take(KILLED).cloned().collect();
    for id in &killed {
        others.remove(id).unwrap().kill();
    }
    let mut died = BTreeSet::new();
    while died.len() < KILLED {
        let news: Value = serde_json::from_str(&watch.line()).unwrap();
        let id = news["id"].as_str().unwrap_or_else(|| panic!("{news}")).to_owned();
        if news["event"] != "died" {
            continue;
        }
        assert!(killed.contains(&id), "{news}; {paused} was only held up");
        let certificate = news["certificate"].as_array().unwrap();
        let accusers: BTreeSet<_> =
            certificate.iter().map(|accusation| accusation["accuser"].as_str().unwrap()).collect();
        assert!(accusers.len() >= needed, "{news}");
        died.insert(id);
    }
    wait_for_members(&home, "n0", NODES - KILLED);

    let shown = home.run("n0", &["members"]).succeeded().stdout;
    assert!(shown.contains("this node") && shown.contains("27 members, "), "{shown}");
    watcher.signal("-TERM");
    assert_eq!(watcher.end().code, Some(0));
    assert_eq!(watch.end().code, Some(1), "the watch ends with the node");
}

#[test]
fn members_of_a_network_without_membership_are_not_to_be_had() {
    let home = Home::new();
    let args = ["network", "new", "--name", "n", "--topic", "t=verified", "--membership", "off"];
    home.run("none", &[&args[..], &["--output", "n.toml"]].concat()).succeeded();
    home.init("a", "n.toml", 0);
    let _node = home.node("a");
    for args in [&["members"][..], &["members", "--watch"]] {
        home.run("a", args).failed_with(&["no membership", "[membership]"]);
    }
}
