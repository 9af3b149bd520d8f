//! Disks that are full, and files that are damaged: the node says so and what to do, and goes on where it can.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;

use crate::support::{Home, Running, free_port, poll};

/// A manifest whose only topic is kept.
fn manifest(home: &Home, file: &str, bootnodes: &[&str]) {
    let mut args = vec!["network", "new", "--name", "kept", "--topic", "chat=verified"];
    args.extend(["--retention", "1h", "--output", file]);
    args.extend(bootnodes.iter().flat_map(|address| ["--bootnode", address]));
    home.run("none", &args).succeeded();
}

/// Nodes `a` and `b`, linked. The files of `b` can be limited.
fn two_nodes(home: &Home) -> (Running, Running) {
    manifest(home, "first.toml", &[]);
    home.init("a", "first.toml", free_port());
    let a = home.node("a");
    manifest(home, "kept.toml", &[a.address()]);
    home.init("b", "kept.toml", 0);
    let b = home.limitable_node("b");
    home.wait_for_links("b", 1);
    home.wait_for_links("a", 1);
    (a, b)
}

/// A page of a node's HTTP interface.
fn page(home: &Home, data: &str, path: &str) -> String {
    let address = fs::read_to_string(home.path(data).join("http.addr")).unwrap();
    let address = address.trim();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// Why the disk of a node refuses, as `/readyz` has it.
fn refusal(home: &Home, data: &str) -> Option<String> {
    let view: Value = serde_json::from_str(&page(home, data, "/readyz")).unwrap();
    let reasons = view["reasons"].as_array().unwrap();
    let disk = reasons.iter().find(|reason| reason["code"] == "disk")?;
    assert_eq!(view["ready"], false);
    Some(disk["message"].as_str().unwrap().to_owned())
}

fn read(reader: &mut Running) -> String {
    let message: Value = serde_json::from_str(&reader.line()).unwrap();
    message["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_full_disk_is_told_and_what_it_refused_is_kept_once_there_is_room() {
    let home = Home::new();
    let (_a, b) = two_nodes(&home);
    let size = fs::metadata(home.path("b/messages.redb")).unwrap().len();
    b.limit_files(&size.to_string());
    let mut subscriber = home.subscribe("b", &["chat", "--json"]);
    let mut said = Vec::new();
    let mut say = |text: String| {
        fs::write(home.path("payload"), &text).unwrap();
        home.run("a", &["publish", "chat", "--file", "payload"]).succeeded();
        assert_eq!(read(&mut subscriber), text, "it is delivered, kept or not");
        said.push(text);
        assert!(said.len() < 55, "the disk is never full");
    };
    let refused = loop {
        say("x".repeat(60_000));
        if let Some(refused) = refusal(&home, "b") {
            break refused;
        }
    };
    assert!(refused.contains("messages.redb") && refused.contains("ulimit -f"), "{refused}");
    say("while it is full".to_owned());
    home.run("b", &["publish", "chat", "of its own"]).succeeded();
    b.wait_for_note("cannot keep messages");

    b.limit_files("unlimited");
    assert!(poll(|| refusal(&home, "b").is_none().then_some(())).is_some(), "it never recovers");
    b.wait_for_note("messages are kept again");
    let metrics = page(&home, "b", "/metrics");
    assert!(metrics.contains("forsooth_messages_unkept_total 0"), "{metrics}");
    let count = said.len().to_string();
    let all = ["chat", "--from", "start", "--limit", &count, "--json"];
    let mut reader = home.subscribe("b", &all);
    let kept: Vec<_> = said.iter().map(|_| read(&mut reader)).collect();
    assert_eq!(kept, said);
}

#[test]
fn a_damaged_file_is_named_with_what_to_do_and_the_node_starts_once_that_is_done() {
    let home = Home::new();
    manifest(&home, "kept.toml", &[]);
    home.init("a", "kept.toml", 0);
    let a = home.node("a");
    for words in ["one", "two", "three"] {
        home.run("a", &["publish", "chat", words]).succeeded();
    }
    a.signal("-TERM");
    assert_eq!(a.end().code, Some(0));
    for (file, advice) in [
        ("messages.redb", "move it away, and start again"),
        ("state.redb", "restore it from a backup"),
    ] {
        let path = home.path("a").join(file);
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped.iter_mut().skip(7).step_by(512).for_each(|byte| *byte ^= 0x55);
        let cut = good[..good.len() / 3].to_vec();
        for bad in [flipped, cut, vec![0; good.len()], b"no database".to_vec(), Vec::new()] {
            fs::write(&path, &bad).unwrap();
            let said = home.run("a", &["run"]).failed_with(&[file, "is damaged", advice]);
            assert!(!said.stdout.contains("is running"), "{said:?}");
            assert_eq!(fs::read(&path).unwrap().len(), bad.len(), "it is left as it is");
        }
        if file == "messages.redb" {
            fs::rename(&path, home.path("away")).unwrap();
            let a = home.node("a");
            a.signal("-TERM");
            assert_eq!(a.end().code, Some(0));
        } else {
            fs::write(&path, good).unwrap();
        }
    }
    let _a = home.node("a");
}
