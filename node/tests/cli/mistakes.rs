//! What an operator can get wrong: each has a message that says what to do, and loses nothing.

use std::{fs, net::TcpListener};

use crate::support::{Home, chmod};

/// A data folder `a`, ready to run.
fn home() -> Home {
    let home = Home::new();
    home.network("demo.toml", "demo", &[]);
    home.init("a", "demo.toml", 0);
    home
}

#[test]
fn a_data_folder_is_the_owners_alone_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = home();
    let mode = |file: &str| fs::metadata(home.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a"), mode("a/key.pem")), (0o700, 0o600));
    let before = fs::read(home.path("a/key.pem")).unwrap();
    for file in ["key.pem", "network.toml", "forsooth.toml"] {
        let said = format!("{file} is there already");
        home.run("a", &["init", "--network", "demo.toml"])
            .failed_with(&[&said, "nothing is overwritten"]);
        fs::rename(home.path("a").join(file), home.path(file)).unwrap();
    }
    fs::rename(home.path("key.pem"), home.path("a/key.pem")).unwrap();
    assert_eq!(fs::read(home.path("a/key.pem")).unwrap(), before);
    home.run("c", &["init", "--network", "none.toml"])
        .failed_with(&["there is no manifest at none.toml"]);
    assert!(!home.path("c").exists(), "a failed init leaves nothing");
}

#[test]
fn a_table_of_autonomous_systems_is_read_before_anything_starts() {
    let home = home();
    for (table, said) in [
        ("1.0.0.0/24 13335\n1.0.0.0/24 Cloudflare\n", "asn.txt: line 2: expected the number"),
        ("", "asn.txt names no network"),
    ] {
        fs::write(home.path("asn.txt"), table).unwrap();
        home.run("a", &["run", "--asn-map", "asn.txt"]).failed_with(&[said]);
    }
    let missing = "cannot read the table of autonomous systems none.txt";
    home.run("a", &["run", "--asn-map", "none.txt"]).failed_with(&[missing, "check `asn_map`"]);
    // What `init` writes does not depend on where it is run.
    home.run("b", &["init", "--network", "demo.toml", "--asn-map", "asn.txt"]).succeeded();
    let written = fs::read_to_string(home.path("b/forsooth.toml")).unwrap();
    assert!(written.contains("\nasn_map = \"/"), "{written}");
}

#[test]
fn each_fault_of_the_key_has_its_message_and_the_command_that_mends_it() {
    let home = home();
    let key = home.path("a/key.pem");
    for mode in [0o644, 0o640, 0o606] {
        chmod(&key, mode);
        let said = format!("chmod 600 {}", key.display());
        home.run("a", &["run"]).failed_with(&["is open to other users", &said]);
        home.run("a", &["key", "show"]).failed_with(&[&said]);
    }
    chmod(&key, 0o400);
    home.run("a", &["key", "show"]).succeeded();
    chmod(&key, 0o600);

    let good = fs::read_to_string(&key).unwrap();
    for bad in ["", "rubbish", &good[..good.len() / 2], &good.replace("PRIVATE", "PUBLIC")] {
        fs::write(&key, bad).unwrap();
        home.run("a", &["run"]).failed_with(&["key.pem", "restore it from a backup"]);
    }
    fs::remove_file(&key).unwrap();
    home.run("a", &["run"]).failed_with(&[
        "there is no key file at",
        "forsooth --data",
        "init --network FILE",
    ]);
}

#[test]
fn an_encrypted_key_needs_its_passphrase_which_is_never_shown() {
    let home = Home::new();
    home.network("demo.toml", "demo", &[]);
    let with = |passphrase: &str, args: &[&str]| {
        let output =
            home.command("a").env("FORSOOTH_PASSPHRASE", passphrase).args(args).output().unwrap();
        crate::support::Ended::from(output)
    };
    with("correct horse", &["init", "--network", "demo.toml"]).succeeded();
    assert!(fs::read_to_string(home.path("a/key.pem")).unwrap().contains("ENCRYPTED"));
    home.run("a", &["run"]).failed_with(&[
        "is encrypted",
        "FORSOOTH_PASSPHRASE",
        "--passphrase-file",
    ]);
    with("wrong horse", &["key", "show"]).failed_with(&["the passphrase is wrong"]);
    assert_eq!(
        with("correct horse", &["key", "show", "--json"]).succeeded().json()["encrypted"],
        true
    );
    let shown = with("correct horse", &["config", "show"]).succeeded();
    assert!(
        !shown.stdout.contains("horse") && shown.stdout.contains("FORSOOTH_PASSPHRASE"),
        "{shown:?}"
    );
    fs::write(home.path("secret"), "correct horse\n").unwrap();
    home.run("a", &["key", "show", "--passphrase-file", "secret"]).succeeded();
    home.run("a", &["key", "show", "--passphrase-file", "none"])
        .failed_with(&["cannot read the passphrase from none"]);
}

#[test]
fn a_mistake_in_a_file_is_shown_where_it_is() {
    let home = home();
    let manifest = home.path("a/network.toml");
    let good = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, good.replacen("[[topics]]", "[[topcis]]", 1)).unwrap();
    home.run("a", &["run"]).failed_with(&[
        "network.toml:16:3: unknown field `topcis`, did you mean `topics`?",
        "[[topcis]]",
        "^^^^^^",
    ]);
    fs::write(&manifest, good.replace("format = 1", "format = 7")).unwrap();
    home.run("a", &["run"]).failed_with(&["has format 7", "install a newer forsooth"]);
    fs::remove_file(&manifest).unwrap();
    home.run("a", &["run"]).failed_with(&["there is no manifest at", "--network"]);
    fs::write(&manifest, good).unwrap();

    fs::write(home.path("a/forsooth.toml"), "htpt = 1\n").unwrap();
    home.run("a", &["run"])
        .failed_with(&["forsooth.toml:1:1: unknown field `htpt`, did you mean `http`?"]);
    home.run("a", &["config", "show"]).failed_with(&["did you mean `http`?"]);
    fs::remove_file(home.path("a/forsooth.toml")).unwrap();
    home.run("a", &["run", "--log", "forsooth=loud"])
        .failed_with(&["the log filter \"forsooth=loud\" makes no sense"]);
}

#[test]
fn config_show_says_where_each_value_came_from() {
    let home = home();
    let output = home
        .command("a")
        .env("FORSOOTH_LOG", "debug")
        .env("FORSOOTH_LGO", "x")
        .args(["config", "show", "--json", "--outbound-target", "9"])
        .output()
        .unwrap();
    let shown = crate::support::Ended::from(output).succeeded();
    assert_eq!(
        shown.stderr,
        "warning: unknown environment variable `FORSOOTH_LGO`, did you mean `FORSOOTH_LOG`?\n"
    );
    let settings = shown.json()["settings"].clone();
    let source = |name: &str| settings[name]["source"].as_str().unwrap().to_owned();
    assert_eq!(
        (source("outbound_target"), source("log")),
        ("flag".to_owned(), "environment".to_owned())
    );
    assert_eq!((source("http"), source("peers")), ("file".to_owned(), "default".to_owned()));
    assert_eq!(settings["outbound_target"]["value"], 9);
    assert!(settings["http"]["detail"].as_str().unwrap().ends_with("forsooth.toml"));
}

#[test]
fn two_processes_cannot_have_one_data_folder_and_the_first_goes_on() {
    let home = home();
    let _node = home.node("a");
    home.run("a", &["run"]).failed_with(&["is in use by another process", "its own data folder"]);
    home.run("a", &["status"]).succeeded();
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let listen = format!("/ip4/127.0.0.1/tcp/{}", address.port());
    home.run("a", &["run", "--listen", &listen]).failed_with(&[
        &listen,
        "in use by another process",
        "--listen",
    ]);
    let http = address.to_string();
    home.run("a", &["run", "--http", &http]).failed_with(&[
        &http,
        "the port is in use",
        "--http 127.0.0.1:0",
    ]);
    home.run("a", &["run", "--http", "0.0.0.0:0"]).failed_with(&["--http-host"]);
    home.run("a", &["run", "--listen", "/ip4/192.0.2.1/tcp/0"])
        .failed_with(&["cannot listen on /ip4/192.0.2.1/tcp/0"]);
    home.node("a");
}

#[test]
fn a_bootnode_that_cannot_be_reached_is_a_warning_and_the_node_goes_on() {
    let home = Home::new();
    let nobody = format!(
        "/ip4/127.0.0.1/tcp/{}/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
        crate::support::free_port()
    );
    home.network("demo.toml", "demo", &[&nobody]);
    home.init("a", "demo.toml", 0);
    let node = home.node("a");
    node.wait_for_note("a configured peer cannot be reached; will keep trying");
    let status = home.run("a", &["status", "--json"]).succeeded().json();
    assert_eq!(status["readiness"]["reasons"][0]["code"], "no_peers");
    node.signal("-TERM");
    assert_eq!(node.end().code, Some(0));
}

#[test]
fn a_new_network_is_checked_before_it_is_written() {
    let home = Home::new();
    let new = |name: &str, topic: &str| {
        home.run("none", &["network", "new", "--name", name, "--topic", topic])
    };
    new("Demo", "chat=verified").failed_with(&["the name \"Demo\" must have"]);
    new("demo", "chat=9/8").failed_with(&["1 <= k <= n"]);
    assert_eq!(new("demo", "chat=sometimes").code, Some(2));
    let text = new("demo", "chat=5/8").succeeded().stdout;
    fs::write(home.path("demo.toml"), text).unwrap();
    let shown = home.run("none", &["network", "show", "demo.toml", "--json"]).succeeded().json();
    assert_eq!(shown["topics"][0]["policy"]["vouched"]["k"], 5);
    assert!(
        home.run("none", &["network", "show", "demo.toml"])
            .succeeded()
            .stdout
            .contains("vouched 5 of 8")
    );
    home.run(
        "none",
        &["network", "new", "--name", "demo", "--topic", "a=verified", "-o", "demo.toml"],
    )
    .failed_with(&["cannot make demo.toml"]);
}

#[test]
fn a_node_that_nobody_can_be_told_of_says_so_and_what_to_do() {
    let home = Home::new();
    let new = ["network", "new", "--name", "open", "--kind", "testnet", "--topic", "chat=verified"];
    home.run("none", &[&new[..], &["--output", "open.toml"]].concat()).succeeded();
    home.init("a", "open.toml", 0);
    home.run("a", &["run", "--external", "/ip4/10.0.0.1/tcp/8650"])
        .failed_with(&["/ip4/10.0.0.1/tcp/8650: it is private, and the network is public"]);
    let wrong = home.run("a", &["run", "--external", "/ip4/8.8.8.8/tcp/0"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("it has port 0"), "{wrong:?}");

    let node = home.node("a");
    let status = home.run("a", &["status"]).succeeded().stdout;
    assert!(status.contains("no: it has no address that others could be told of"), "{status}");
    node.wait_for_note("no public address: no other node will be told of this one");
    node.signal("-TERM");
    assert_eq!(node.end().code, Some(0));

    fs::write(home.path("a/forsooth.toml"), EXTERNAL).unwrap();
    let _node = home.node("a");
    home.wait_for_status("a", "announced", |status| status["node"]["overlay"]["record"].is_u64());
    let status = home.run("a", &["status"]).succeeded().stdout;
    assert!(status.contains("yes, by record") && status.contains("/ip4/8.8.8.8"), "{status}");
}

#[test]
fn a_new_key_on_a_network_with_a_list_is_told_that_it_has_to_be_added() {
    let home = home();
    let shown = home.run("a", &["key", "show", "--json"]).succeeded().json();
    let admitted = format!("identity = {{ admitted = [{}] }}", shown["peer_id"]);
    let open = fs::read_to_string(home.path("demo.toml")).unwrap();
    fs::write(home.path("listed.toml"), open.replace("identity = \"open\"", &admitted)).unwrap();

    let made = home.run("b", &["init", "--network", "listed.toml"]).succeeded();
    let peer = made.stdout.split_whitespace().last().unwrap().to_owned();
    assert!(made.stderr.contains(&format!("have {peer} added to `admitted`")), "{made:?}");
    home.run("b", &["run", "--http", "127.0.0.1:0"])
        .failed_with(&["not among those that the network admits", &peer]);
}

#[test]
fn a_wish_that_cannot_be_met_names_one_that_can() {
    let home = Home::new();
    let params = |args: &[&str]| {
        home.run("none", &[&["params", "--liars", "0.45", "--peers", "1000"], args].concat())
    };
    let told = [
        "no k of n meets 1e-6",
        "smallest target for them is 3.3e-2, by 128/255",
        "at most 374 liars",
    ];
    params(&[]).failed_with(&told);
    let met = params(&["--target", "3.3e-2", "--json"]).succeeded().json();
    assert_eq!((&met["k"], &met["meets_target"]), (&128.into(), &true.into()), "{met}");
    params(&["--policy", "13/2000"]).failed_with(&["the nearest policy is 2/256"]);
    params(&["--target", "1"]).failed_with(&["above 0 and below 0.5"]);
    let few =
        home.run("none", &["params", "--liars", "0.2", "--peers", "1000", "--policy", "settle"]);
    let said = few.succeeded().stdout;
    assert!(said.contains("25 of 49 witnesses must vouch, the fewest for 1e-6"), "{said}");
    assert!(said.contains("with a settling time of 4 hops"), "{said}");
}

const EXTERNAL: &str = "listen = [\"/ip4/127.0.0.1/tcp/0\"]\nhttp = \"127.0.0.1:0\"\n\
                        external = [\"/ip4/8.8.8.8/tcp/8650\"]\n";
