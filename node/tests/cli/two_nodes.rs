//! Two `forsooth run` processes: they find each other, talk, die, come back, and keep to their network.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Home, Running, free_port, poll};

/// Nodes `a` and `b`, linked; `a` is the bootnode, and the manifest knows it by a fixed port.
fn two_nodes(home: &Home) -> (Running, Running, String) {
    let port = free_port();
    home.network("first.toml", "demo", &[]);
    let id = home.init("a", "first.toml", port);
    let a = home.node("a");
    home.network("demo.toml", "demo", &[a.address()]);
    home.init("b", "demo.toml", 0);
    let b = home.node("b");
    home.wait_for_links("b", 1);
    home.wait_for_links("a", 1);
    (a, b, id)
}

/// Publishes at `a` and returns what a subscriber at `b` sees.
fn told(home: &Home, words: &str) -> Value {
    let mut subscriber = home.subscribe("b", &["chat", "--limit", "1", "--json"]);
    home.run("a", &["publish", "chat", words]).succeeded();
    let message: Value = serde_json::from_str(&subscriber.line()).unwrap();
    assert_eq!(subscriber.end().code, Some(0));
    assert_eq!(message["text"], words);
    message
}

#[test]
fn what_one_publishes_the_other_sees_also_after_kill_9_in_a_new_generation() {
    let home = Home::new();
    let (a, _b, id) = two_nodes(&home);
    let first = told(&home, "before");
    assert_eq!((&first["author"], &first["seq"]), (&Value::from(id.clone()), &Value::from(0)));
    assert_eq!(told(&home, "again")["seq"], 1);

    a.kill();
    home.wait_for_links("b", 0);
    assert!(home.path("a/http.addr").exists(), "nobody was there to remove it");
    home.run("a", &["status"]).failed_with(&["no node answers at", "run"]);
    let _a = home.node("a");
    home.wait_for_links("b", 1);
    home.wait_for_links("a", 1);

    let after = told(&home, "after");
    assert_eq!((&after["author"], &after["seq"]), (&Value::from(id), &Value::from(0)));
    assert!(after["generation"].as_u64() > first["generation"].as_u64(), "{first} {after}");
    let bans = home.wait_for_links("b", 1)["node"]["bans"].clone();
    assert_eq!(bans, 0, "a restart is no equivocation");
}

#[test]
fn what_was_read_of_a_kept_topic_is_there_after_kill_9_and_is_read_once() {
    let home = Home::new();
    let port = free_port();
    let new = ["network", "new", "--name", "kept", "--topic", "chat=verified", "--retention", "1h"];
    home.run("none", &[&new[..], &["--output", "first.toml"]].concat()).succeeded();
    home.init("a", "first.toml", port);
    let a = home.node("a");
    let bootnode = ["--bootnode", a.address(), "--output", "kept.toml"];
    home.run("none", &[&new[..], &bootnode[..]].concat()).succeeded();
    home.init("b", "kept.toml", 0);
    let b = home.node("b");
    home.wait_for_links("b", 1);
    home.wait_for_links("a", 1);
    for words in ["one", "two", "three"] {
        home.run("a", &["publish", "chat", words]).succeeded();
    }
    let from = |from: &str| {
        let subscriber = ["chat", "--from", from, "--limit", "2", "--json"];
        let mut subscriber = home.subscribe("b", &subscriber);
        let lines = [subscriber.line(), subscriber.line()];
        assert_eq!(subscriber.end().code, Some(0));
        lines.map(|line| serde_json::from_str::<Value>(&line).unwrap())
    };
    let [one, two] = from("start");
    assert_eq!((&one["text"], &two["text"]), (&"one".into(), &"two".into()));
    b.kill();
    let b = home.node("b");
    home.wait_for_links("b", 1);
    home.run("a", &["publish", "chat", "four"]).succeeded();
    let [three, four] = from(two["id"].as_str().unwrap());
    assert_eq!((&three["text"], &four["text"]), (&"three".into(), &"four".into()));
    let shown = home.run("b", &["status"]).succeeded().stdout;
    assert!(shown.contains("KEPT") && shown.contains("SYNC"), "{shown}");
    home.run("b", &["subscribe", "chat", "--from", "x"]).failed_with(&["start", "id of a message"]);

    // What is over before it comes back is not gossiped any more: it is fetched.
    b.kill();
    let since = Instant::now();
    home.run("a", &["publish", "chat", "while away", "--lifetime", "1s"]).succeeded();
    poll(|| (since.elapsed() > Duration::from_secs(2)).then_some(())).unwrap();
    let _b = home.node("b");
    let after = four["id"].as_str().unwrap();
    let mut subscriber = home.subscribe("b", &["chat", "--from", after, "--limit", "1"]);
    assert!(subscriber.line().contains("while away"));
    assert_eq!(subscriber.end().code, Some(0));
    let status = home.run("b", &["status", "--json"]).succeeded().json();
    assert_eq!(status["topics"][0]["sync"]["fetched"], 1, "{status}");
}

#[test]
fn a_payload_comes_from_text_a_file_or_standard_input_to_a_topic_with_slashes() {
    let home = Home::new();
    let (_a, _b, _) = two_nodes(&home);
    let mut subscriber = home.subscribe("b", &["news/world", "--limit", "3"]);
    home.run("a", &["publish", "news/world", "text"]).succeeded();
    std::fs::write(home.path("file"), "of a\u{1b}[2J file").unwrap();
    let sent = home
        .run("a", &["publish", "news/world", "--file", "file", "--lifetime", "30s"])
        .succeeded();
    assert!(sent.stdout.trim_end().ends_with("sent to 1 peer"), "{sent:?}");
    home.run_with_input("a", &["publish", "news/world", "-", "--json"], b"\xff\0").succeeded();
    // Vouches make a message accepted, so one may overtake another.
    let mut lines = [subscriber.line(), subscriber.line(), subscriber.line()];
    lines.sort_by_key(|line| line.split_whitespace().nth(2).map(str::to_owned));
    for (line, shown) in lines.iter().zip(["  text", "  of a\\u{1b}[2J file", "  (base64) /wA="]) {
        assert!(line.ends_with(shown), "{line}");
    }
    assert_eq!(subscriber.end().code, Some(0));

    let peers = home.run("b", &["peers", "--json"]).succeeded().json();
    assert_eq!(peers[0]["role"], "witness");
    assert!(home.run("b", &["peers"]).succeeded().stdout.starts_with("PEER"));
    assert!(home.run("b", &["status"]).succeeded().stdout.contains("news/world"));
}

#[test]
fn what_the_node_refuses_to_publish_is_told() {
    let home = Home::new();
    home.network("demo.toml", "demo", &[]);
    home.init("a", "demo.toml", 0);
    home.run("a", &["publish", "chat", "x"]).failed_with(&["No node runs on the data folder"]);
    let _a = home.node("a");
    home.run("a", &["publish", "caht", "x"])
        .failed_with(&["no topic `caht`, did you mean `chat`?"]);
    home.run("a", &["subscribe", "caht"]).failed_with(&["did you mean `chat`?"]);
    home.run_with_input("a", &["publish", "chat", "-"], &[0; 65_537])
        .failed_with(&["larger than the 65536 bytes"]);
    home.run("a", &["publish", "chat", "x", "--lifetime", "1h"])
        .failed_with(&["between 1 ms and 120s"]);
    home.run("a", &["publish", "chat", "--file", "none"]).failed_with(&["cannot read none"]);
    let queued = home.run("a", &["publish", "chat", "x"]).succeeded();
    assert!(queued.stdout.contains("is queued: no peer is linked"), "{queued:?}");
    for args in [
        &["publish", "chat"][..],
        &["publish", "chat", "x", "--file", "f"],
        &["frobnicate"],
        &["run", "--http", "x"],
    ] {
        assert_eq!(home.run("a", args).code, Some(2), "{args:?}");
    }
    crate::support::chmod(&home.path("a/http.token"), 0o644);
    home.run("a", &["publish", "chat", "x"]).failed_with(&["open to other users", "chmod 600"]);
}

#[test]
fn nodes_of_two_networks_never_link() {
    let home = Home::new();
    home.network("one.toml", "one", &[]);
    home.init("a", "one.toml", 0);
    let a = home.node("a");
    home.network("two.toml", "two", &[a.address()]);
    home.init("b", "two.toml", 0);
    let b = home.node("b");
    b.wait_for_note("a configured peer cannot be reached");
    for data in ["a", "b"] {
        let status = home.wait_for_links(data, 0);
        assert_eq!(status["node"]["bans"], 0, "a stranger is not banned: {status}");
        assert!(!home.run(data, &["status"]).stdout.contains("ready  yes"));
    }
    // Nor does a data folder change its network.
    drop(a);
    let changed = home.run("a", &["run", "--network", "two.toml"]);
    changed.failed_with(&["belongs to another network"]);
}

#[test]
fn a_signal_stops_the_node_in_order_and_its_subscribers_learn_of_it() {
    let home = Home::new();
    home.network("demo.toml", "demo", &[]);
    home.init("a", "demo.toml", 0);
    for signal in ["-TERM", "-INT"] {
        let node = home.node("a");
        let subscriber = home.subscribe("a", &["chat"]);
        node.signal(signal);
        assert_eq!(node.end().code, Some(0));
        subscriber.end().failed_with(&["the node has ended the subscription"]);
        assert!(!home.path("a/http.addr").exists());
        home.run("a", &["status"]).failed_with(&["No node runs on the data folder", "run"]);
    }
    let node = home.node("a");
    let subscriber = home.subscribe("a", &["chat"]);
    node.kill();
    subscriber.end().failed_with(&["the node has ended the subscription"]);
}

#[test]
fn a_second_signal_does_not_wait_for_what_is_under_way() {
    let home = Home::new();
    home.network("demo.toml", "demo", &[]);
    home.init("a", "demo.toml", 0);
    let node = home.node("a");
    let address = std::fs::read_to_string(home.path("a/http.addr")).unwrap();
    let token = std::fs::read_to_string(home.path("a/http.token")).unwrap();
    let (address, token) = (address.trim(), token.trim());
    // A payload that never comes: the node waits a while for it, and says so by asking for it.
    let mut stuck = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/topics/chat/messages HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    );
    stuck.write_all(head.as_bytes()).unwrap();
    stuck.read_exact(&mut [0; 12]).unwrap();
    node.signal("-TERM");
    node.wait_for_note("a second signal stops at once");
    node.signal("-TERM");
    node.end().failed_with(&["SIGTERM again: stopped at once"]);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let home = Home::new();
    let (_a, _b, _) = two_nodes(&home);
    let mut subscriber = home.subscribe("b", &["chat"]);
    subscriber.close_output();
    home.run("a", &["publish", "chat", "x"]).succeeded();
    let ended = subscriber.end();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "subscribed to chat\n");
}

#[test]
fn the_operator_bans_a_peer_which_stays_banned_after_a_restart() {
    let home = Home::new();
    let (a, _b, _) = two_nodes(&home);
    let nobody = home.run("a", &["bans"]).succeeded();
    assert_eq!((nobody.stdout.as_str(), nobody.stderr.trim_end()), ("", "nobody is banned"));
    let b = home.run("b", &["key", "show", "--json"]).succeeded().json()["id"].clone();
    let b = b.as_str().unwrap();

    let banned = home.run("a", &["bans", "add", b, "--for", "48h"]).succeeded();
    assert!(banned.stdout.contains("is banned for "), "{banned:?}");
    home.run("a", &["bans", "add", "192.0.2.0/24"]).succeeded();
    home.wait_for_links("a", 0);
    a.signal("-TERM");
    assert_eq!(a.end().code, Some(0));

    let _a = home.node("a");
    let bans = home.run("a", &["bans", "--json"]).succeeded().json();
    let shown: Vec<_> =
        bans.as_array().unwrap().iter().map(|ban| (&ban["whom"], &ban["cause"])).collect();
    let operator = Value::from("operator");
    assert_eq!(shown, [(&Value::from(b), &operator), (&Value::from("192.0.2.0/24"), &operator)]);
    assert!(
        home.run("a", &["bans"]).succeeded().stdout.contains("  operator  the operator says so")
    );
    home.run("a", &["bans", "remove", b]).succeeded();
    home.wait_for_links("a", 1);
    home.run("a", &["bans", "remove", b]).failed_with(&["is not banned", "forsooth bans"]);
    home.run("a", &["bans", "add", "bob"]).failed_with(&["\"bob\" names nobody", "192.0.2.0/24"]);
}
