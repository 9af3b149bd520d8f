use std::time::Duration;

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    membership::{Preset, Settings},
    network::{Defence, Grouping, Identity, Kind, Policy, Topic},
};

use super::*;
use crate::net::identity::peer_id;

const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

const GOOD: &str = r#"format = 1
name = "demo"
kind = "testnet"
bootnodes = ["/ip4/127.0.0.1/tcp/8650/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"]

[[topics]]
name = "chat"
policy = "verified"

[[topics]]
name = "news/world"
policy = { vouched = { k = 5, n = 8 } }
rate_per_minute = 60
burst = 10
payload_bytes_max = 1024
lifetime_s_max = 30

[defence]
clock_skew_s_max = 20
grouping = "host"
"#;

fn parse(text: &str) -> Result<Manifest, Error> {
    Manifest::parse(text, Path::new("net.toml"))
}

#[test]
fn every_field_of_a_manifest_reaches_the_network() {
    let manifest = parse(GOOD).unwrap();
    let defence = Defence {
        clock_skew_max: Duration::from_secs(20),
        grouping: Grouping::Host,
        ..Defence::recommended(Kind::Testnet)
    };
    let news = Topic {
        name: "news/world".into(),
        policy: Policy::Vouched { k: 5, n: 8 },
        rate_per_minute: 60,
        burst: 10,
        payload_bytes_max: 1024,
        lifetime_max: Duration::from_secs(30),
        retention: None,
    };
    let topics = vec![Topic::new("chat", Policy::Verified), news];
    assert_eq!(*manifest.network(), Network::new("demo", Kind::Testnet, topics, defence).unwrap());
    assert_eq!(manifest.bootnodes().len(), 1);
}

#[test]
fn a_manifest_written_and_read_back_is_the_same_network() {
    let with = |kind, bootnodes: &[&str]| {
        let topics = vec![
            Topic::new("a.b-c_d/e", Policy::Verified),
            Topic {
                lifetime_max: Duration::from_secs(7),
                ..Topic::new("z", Policy::Vouched { k: 1, n: 256 })
            },
            Topic::new("w", Policy::Attested { k: 256 }),
            Topic {
                // Longer than the recommended lifetime.
                lifetime_max: Duration::from_secs(600),
                ..Topic::new("s", Policy::Settled { k: 1, n: 2, settle: Duration::from_secs(200) })
            },
        ];
        let network = Network::new("n", kind, topics, Defence::recommended(kind)).unwrap();
        Manifest::new(network, bootnodes.iter().map(|a| a.parse().unwrap()).collect()).unwrap()
    };
    let address = format!("/dns4/a.example/udp/8650/quic-v1/p2p/{PEER}");
    for kind in [Kind::Local, Kind::Testnet, Kind::Production] {
        for bootnodes in [&[][..], &[address.as_str()], &[address.as_str(); 3]] {
            let manifest = with(kind, bootnodes);
            let text = manifest.to_toml();
            assert_eq!(parse(&text).unwrap(), manifest, "{text}");
            assert!(text.contains(&manifest.network().protocol_name()));
        }
    }
}

#[test]
fn what_a_key_has_to_have_is_written_and_read_back() {
    let keys = |keys: &[u8]| keys.iter().map(|key| NodeId::from_bytes([*key; 32])).collect();
    let identities = [
        Identity::Open,
        Identity::Work { effort: 17 },
        Identity::Admitted(keys(&[1])),
        Identity::Admitted(keys(&[1, 2, 3])),
    ];
    for identity in identities {
        let topics = vec![Topic::new("t", Policy::Verified)];
        let network = Network::new("n", Kind::Testnet, topics, Defence::recommended(Kind::Testnet));
        let network = network.unwrap().with_identity(identity).unwrap();
        let manifest = Manifest::new(network, Vec::new()).unwrap();
        let text = manifest.to_toml();
        assert_eq!(parse(&text).unwrap(), manifest, "{text}");
    }
}

#[test]
fn a_key_cost_that_makes_no_sense_is_shown_where_it_is() {
    let good = "format = 1\nname = \"n\"\nkind = \"local\"\n\n[[topics]]\nname = \"t\"\npolicy = \"verified\"\n";
    let cases = [
        ("{ work = { effort = 0 } }", 12, "identity.effort must be 1 to 40, not 0".to_owned()),
        ("{ work = { effort = 41 } }", 12, "identity.effort must be 1 to 40, not 41".to_owned()),
        ("{ admitted = [] }", 12, "identity.admitted (keys) must be 1 to 1024, not 0".to_owned()),
        ("{ admitted = [\"me\"] }", 26, "no forsooth node's peer id".to_owned()),
        (&format!("{{ admitted = [\"{PEER}\", \"{PEER}\"] }}"), 82, "admitted twice".to_owned()),
        ("\"opne\"", 12, "did you mean `open`?".to_owned()),
    ];
    for (identity, column, message) in cases {
        let text = good.replacen("\n\n", &format!("\nidentity = {identity}\n"), 1);
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(&message), "{error}");
        assert!(error.contains(&format!("4:{column}")), "{column}: {error}");
    }
}

#[test]
fn a_bootnode_that_is_not_admitted_is_shown_where_it_is() {
    let peers = [1, 2].map(|seed| peer_id(&Keypair::from_seed([seed; 32]).id()).to_string());
    let [admitted, other] = &peers;
    let text = |bootnode: &str| {
        format!(
            "format = 1\nname = \"n\"\nkind = \"local\"\nidentity = {{ admitted = [\"{admitted}\"] }}\n\
             bootnodes = [\"/ip4/127.0.0.1/tcp/1/p2p/{admitted}\", \"/ip4/127.0.0.1/tcp/2/p2p/{bootnode}\"]\n\
             [[topics]]\nname = \"t\"\npolicy = \"verified\"\n"
        )
    };
    let manifest = parse(&text(admitted)).unwrap();
    assert_eq!(manifest.bootnodes().len(), 2);
    let error = parse(&text(other)).unwrap_err().to_string();
    assert!(error.contains("5:95") && error.contains("tcp/2/p2p/"), "{error}");
    assert!(error.contains("not among the keys that the network admits"), "{error}");

    let stranger: Multiaddr = format!("/ip4/127.0.0.1/tcp/1/p2p/{other}").parse().unwrap();
    let error = Manifest::new(manifest.network().clone(), vec![stranger.clone()]).unwrap_err();
    assert_eq!(error, AddressError::NotAdmitted(stranger));
}

#[test]
fn each_mistake_is_shown_where_it_is_with_what_to_do() {
    // What is replaced in the good manifest, by what, where the flaw is, and what is said.
    let cases = [
        (
            "[[topics]]\nname = \"chat\"",
            "[[topcis]]\nname = \"chat\"",
            (6, 3),
            "unknown field `topcis`, did you mean `topics`?",
        ),
        ("burst = 10", "bursts = 10", (14, 1), "unknown field `bursts`, did you mean `burst`?"),
        (
            "burst = 10",
            "zzz = 10",
            (14, 1),
            "unknown field `zzz`, expected one of: name, policy, rate_per_minute, burst, payload_bytes_max, lifetime_s_max",
        ),
        (
            "grouping = \"host\"",
            "groupings = \"host\"",
            (20, 1),
            "unknown field `groupings`, did you mean `grouping`?",
        ),
        (
            "grouping = \"host\"",
            "grouping = \"hots\"",
            (20, 12),
            "unknown variant `hots`, did you mean `host`?",
        ),
        (
            "kind = \"testnet\"",
            "kind = \"test-net\"",
            (3, 8),
            "unknown variant `test-net`, did you mean `testnet`?",
        ),
        (
            "\"verified\"",
            "\"verfied\"",
            (8, 10),
            "unknown variant `verfied`, did you mean `verified`?",
        ),
        (
            "k = 5, n = 8",
            "k = 9, n = 8",
            (12, 10),
            "topic \"news/world\": the policy needs 1 <= k <= n <= 256, not k = 9, n = 8",
        ),
        ("k = 5, n = 8", "k = 5", (12, 22), "missing field `n`"),
        (
            "k = 5, n = 8",
            "k = 5, n = 8, m = 1",
            (12, 38),
            "unknown field `m`, expected one of: k, n, settle_ms",
        ),
        (
            "k = 5, n = 8",
            "k = 5, n = 8, settle_ms = 30000",
            (12, 10),
            "the settling time (ms) of topic \"news/world\" must be 1 to 29999, not 30000",
        ),
        (
            "k = 5, n = 8",
            "k = 5, n = 8, settle_ms = 0",
            (12, 10),
            "the settling time (ms) of topic \"news/world\" must be 1 to 29999, not 0",
        ),
        (
            "burst = 10",
            "burst = 0",
            (14, 9),
            "burst of topic \"news/world\" must be 1 to 1000000, not 0",
        ),
        ("burst = 10", "burst = -1", (14, 9), "invalid value: integer `-1`, expected u32"),
        ("burst = 10", "burst = \"ten\"", (14, 9), "invalid type: string \"ten\", expected u32"),
        (
            "1024",
            "1048577",
            (15, 21),
            "payload_bytes_max of topic \"news/world\" must be 1 to 1048576, not 1048577",
        ),
        ("lifetime_s_max = 30", "lifetime_s_max = 3601", (16, 18), "must be 1 to 3600, not 3601"),
        (
            "clock_skew_s_max = 20",
            "clock_skew_s_max = 601",
            (19, 20),
            "defence.clock_skew_max (s) must be 1 to 600, not 601",
        ),
        (
            "name = \"demo\"",
            "name = \"De mo\"",
            (2, 8),
            "the name \"De mo\" must have 1 to 64 characters",
        ),
        ("name = \"demo\"", "", (1, 1), "missing field `name`"),
        ("\"news/world\"", "\"chat\"", (11, 8), "the topic \"chat\" is there twice"),
        (
            "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
            "",
            (4, 14),
            "must end in /p2p/ and the node's peer id",
        ),
        (
            "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
            (4, 14),
            "is not that of a forsooth node",
        ),
        ("/ip4/127.0.0.1", "/ipv4/127.0.0.1", (4, 14), "ipv4"),
        ("format = 1", "format = 0", (1, 10), "the format must be 1"),
        ("format = 1", "", (1, 1), "missing field `format`"),
        ("name = \"demo\"", "name = \"demo", (2, 13), "invalid basic string"),
        ("burst = 10", "burst = 10\nburst = 11", (15, 1), "duplicate key"),
    ];
    for (from, to, place, said) in cases {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
        let Error::Wrong(diagnosis) = error else { panic!("{to}: {error}") };
        assert!(diagnosis.message().contains(said), "{to}: {diagnosis}");
        assert_eq!((diagnosis.line(), diagnosis.column()), place, "{to}: {diagnosis}");
    }
}

#[test]
fn a_network_without_new_fields_keeps_its_name_and_each_new_one_changes_it() {
    let topic =
        |name: &str, policy: &str| format!("[[topics]]\nname = \"{name}\"\npolicy = {policy}\n");
    let head = "format = 1\nname = \"demo\"\nkind = \"local\"\n";
    let chat = topic("chat", "\"verified\"");
    let name = |news: &str| {
        let text = format!("{head}{chat}{}", topic("news", news));
        parse(&text).unwrap().network().protocol_name()
    };
    // As versions before these fields name them.
    let alone = parse(&format!("{head}{chat}")).unwrap();
    assert_eq!(alone.network().protocol_name(), "/forsooth/1/8c72e001606ae242");
    assert_eq!(name("{ vouched = { k = 5, n = 8 } }"), "/forsooth/1/0031566a8b7c4020");
    let policies = [
        "{ vouched = { k = 5, n = 8 } }",
        "{ vouched = { k = 5, n = 8, settle_ms = 1 } }",
        "\"verified\"",
        "{ attested = { k = 1 } }",
        "{ attested = { k = 2 } }",
    ];
    let names = policies.map(name);
    assert_eq!(std::collections::BTreeSet::from(names).len(), policies.len());
}

#[test]
fn a_newer_format_is_refused_with_the_way_out_even_if_all_else_has_changed() {
    let error = parse("format = 2\nsomething = { new = true }\n").unwrap_err();
    let said =
        "net.toml has format 2, and this forsooth reads formats up to 1; install a newer forsooth";
    assert!(error.to_string().starts_with(said), "{error}");
}

#[test]
fn a_network_has_topics_and_not_too_many() {
    let head = "format = 1\nname = \"n\"\nkind = \"local\"\n";
    assert!(
        parse(&format!("{head}topics = []"))
            .unwrap_err()
            .to_string()
            .contains("1 to 256 topics, this one has 0")
    );
    assert!(parse(head).unwrap_err().to_string().contains("missing field `topics`"));
    let topics: String =
        (0..257).map(|i| format!("[[topics]]\nname = \"t{i}\"\npolicy = \"verified\"\n")).collect();
    assert!(
        parse(&format!("{head}{topics}")).unwrap_err().to_string().contains("this one has 257")
    );
    let many = format!("\"/ip4/127.0.0.1/tcp/1/p2p/{PEER}\",").repeat(BOOTNODES_MAX + 1);
    let error = parse(&format!(
        "{head}bootnodes = [{many}]\n[[topics]]\nname = \"t\"\npolicy = \"verified\""
    ))
    .unwrap_err();
    assert!(error.to_string().contains("at most 64 bootnodes"), "{error}");
}

#[test]
fn a_file_that_is_missing_too_large_or_no_text_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.toml");
    let said = |path: &Path| Manifest::load(path).unwrap_err().to_string();
    assert!(
        said(&path).contains("there is no manifest at")
            && said(&path).contains("forsooth network new")
    );
    std::fs::write(&path, GOOD).unwrap();
    Manifest::load(&path).unwrap();
    std::fs::write(&path, "#".repeat(usize::try_from(BYTES_MAX).unwrap() + 1)).unwrap();
    assert!(said(&path).contains("is larger than 262144 bytes"));
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(said(&path).contains("cannot read the manifest"));
    assert!(said(folder.path()).contains("cannot read the manifest"));
}

#[test]
fn what_a_table_of_membership_does_not_say_is_as_recommended_for_the_kind() {
    let membership =
        |table: &str| *parse(&format!("{GOOD}{table}")).unwrap().network().membership().unwrap();
    assert_eq!(membership("\n[membership]\n"), Settings::preset(Preset::Wan));
    let quick = Settings {
        rebut_min: Duration::from_millis(500),
        rebut_max: Duration::from_millis(900),
        accusation_lifetime: Duration::from_millis(1800),
        liars_percent: 30,
        ..Settings::preset(Preset::Wan)
    };
    let table =
        "rebut_ms_min = 500\nrebut_ms_max = 900\naccusation_lifetime_ms = 1800\nliars_percent = 30";
    assert_eq!(membership(&format!("\n[membership]\n{table}\n")), quick);
    assert_eq!(
        parse(GOOD).unwrap().network().membership(),
        None,
        "nodes do not know who is a member"
    );
}

#[test]
fn membership_is_written_and_read_back() {
    for preset in Preset::ALL {
        let topics = vec![Topic::new("t", Policy::Verified)];
        let network = Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local));
        let settings = Settings { helpers: 7, ..Settings::preset(preset) };
        let network = network.unwrap().with_membership(Some(settings)).unwrap();
        let manifest = Manifest::new(network, Vec::new()).unwrap();
        let text = manifest.to_toml();
        assert_eq!(parse(&text).unwrap(), manifest, "{text}");
    }
}

#[test]
fn a_membership_that_makes_no_sense_is_shown_where_it_is() {
    let cases = [
        ("liars_percent = 34", 23, 17, "membership.liars_percent must be 1 to 33, not 34"),
        ("rebut_ms_min = 90000", 23, 16, "membership.rebut_min (ms) must be 100 to 16000"),
        ("accusation_lifetime_ms = 900", 23, 26, "membership.accusation_lifetime (ms) must be"),
        ("helper = 1", 23, 1, "did you mean `helpers`?"),
    ];
    for (line, row, column, message) in cases {
        let error = parse(&format!("{GOOD}\n[membership]\n{line}\n")).unwrap_err().to_string();
        let place = format!("net.toml:{row}:{column}");
        assert!(error.contains(&place) && error.contains(message), "{place} {message}: {error}");
    }
}
