use std::ffi::OsString;

use super::*;

const PEER: &str = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// Settings from a file's text, the environment and flags.
fn load(file: &str, variables: &[(&str, &str)], flags: Layer) -> Result<Settings, Error> {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    std::fs::write(data.config(), file).unwrap();
    Settings::load(flags, &environment(variables), &data)
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = "log = \"file\"";
    let variables = [("FORSOOTH_LOG", "environment")];
    let flags = Layer { log: Some("flag".into()), ..Layer::default() };
    let all = load(file, &variables, flags).unwrap().log;
    assert_eq!((all.value.as_str(), all.source), ("flag", Source::Flag));
    let two = load(file, &variables, Layer::default()).unwrap().log;
    assert_eq!((two.value.as_str(), two.source), ("environment", Source::Environment));
    let one = load(file, &[], Layer::default()).unwrap().log;
    assert!(matches!((one.value.as_str(), one.source), ("file", Source::File(_))));
    let none = load("", &[("FORSOOTH_LOG", "")], Layer::default()).unwrap().log;
    assert_eq!((none.value.as_str(), none.source), (LOG, Source::Default));
}

#[test]
fn every_setting_can_come_from_the_file_and_from_the_environment() {
    let file = format!(
        "network = \"n.toml\"\nlisten = [\"/ip4/127.0.0.1/tcp/1\"]\npeers = [\"{PEER}\"]\nhttp = \"[::1]:9\"\n\
         external = [\"/ip4/8.8.8.8/tcp/1\"]\nhttp_hosts = [\"node.example:9\"]\noutbound_target = 8\nasn_map = \"/run/a\"\nlog = \"debug\"\npassphrase_file = \"/run/p\""
    );
    let variables = [
        ("FORSOOTH_NETWORK", "n.toml"),
        ("FORSOOTH_LISTEN", "/ip4/127.0.0.1/tcp/1,"),
        ("FORSOOTH_EXTERNAL", "/ip4/8.8.8.8/tcp/1"),
        ("FORSOOTH_PEERS", PEER),
        ("FORSOOTH_HTTP", "[::1]:9"),
        ("FORSOOTH_HTTP_HOSTS", "node.example:9"),
        ("FORSOOTH_OUTBOUND_TARGET", "8"),
        ("FORSOOTH_ASN_MAP", "/run/a"),
        ("FORSOOTH_LOG", "debug"),
        ("FORSOOTH_PASSPHRASE_FILE", "/run/p"),
    ];
    let values = |settings: Settings| {
        settings.rows().into_iter().map(|row| row.value).skip(1).collect::<Vec<_>>()
    };
    let of_file = load(&file, &[], Layer::default()).unwrap();
    let of_environment = load("", &variables, Layer::default()).unwrap();
    // The path of a file is relative to the file, that of a variable to the current folder.
    assert!(of_file.network.value.is_absolute() && of_file.network.value.ends_with("n.toml"));
    assert_eq!(of_environment.network.value, Path::new("n.toml"));
    assert!(of_file.rows().iter().all(|row| matches!(row.source, Source::File(_))));
    assert!(of_environment.rows().iter().all(|row| row.source == Source::Environment));
    assert_eq!(values(of_file), values(of_environment));
}

#[test]
fn a_mistake_in_the_file_is_shown_where_it_is() {
    let cases = [
        ("lisen = []", "forsooth.toml:1:1: unknown field `lisen`, did you mean `listen`?"),
        (
            "\nfrobnicate = 1",
            "forsooth.toml:2:1: unknown field `frobnicate`, expected one of: network, listen, external, peers, http, http_hosts, outbound_target, asn_map, log, passphrase_file",
        ),
        ("outbound_target = 0", "forsooth.toml:1:19: outbound_target must be 1 to 256, not 0"),
        (
            "outbound_target = \"x\"",
            "forsooth.toml:1:19: invalid type: string \"x\", expected usize",
        ),
        ("http = \"localhost\"", "forsooth.toml:1:8: invalid socket address syntax"),
        (
            "peers = [\"/ip4/127.0.0.1/tcp/1\"]",
            "forsooth.toml:1:10: the address /ip4/127.0.0.1/tcp/1 must end in /p2p/",
        ),
        (
            "external = [\"/ip4/8.8.8.8/tcp/0\"]",
            "forsooth.toml:1:13: others cannot be told of the external address /ip4/8.8.8.8/tcp/0: it has port 0",
        ),
        ("listen = [\"127.0.0.1:1\"]", "forsooth.toml:1:11: "),
        ("listen = ", "forsooth.toml:1:"),
    ];
    for (file, said) in cases {
        let error = load(file, &[], Layer::default()).unwrap_err().to_string();
        assert!(error.contains(said), "{file}: {error}");
    }
}

#[test]
fn a_mistake_in_the_environment_names_the_variable() {
    let cases = [
        (
            "FORSOOTH_HTTP",
            "localhost",
            "invalid socket address syntax; give an address and a port, such as 127.0.0.1:8651",
        ),
        ("FORSOOTH_OUTBOUND_TARGET", "many", "\"many\" is not a number"),
        ("FORSOOTH_OUTBOUND_TARGET", "257", "outbound_target must be 1 to 256, not 257"),
        ("FORSOOTH_PEERS", "/ip4/127.0.0.1/tcp/1", "must end in /p2p/"),
        ("FORSOOTH_EXTERNAL", "/dns4/a.example/tcp/1", "it is not of the form /ip4/../tcp/.."),
        ("FORSOOTH_LISTEN", "127.0.0.1:1", "an address to listen on is like /ip4/0.0.0.0/tcp/8650"),
    ];
    for (name, value, said) in cases {
        let error = load("", &[(name, value)], Layer::default()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("the environment variable {name}: "))
                && error.contains(said),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_variable_of_ours_is_a_warning_with_a_suggestion() {
    let environment =
        environment(&[("FORSOOTH_LISTN", "x"), ("FORSOOTH_LOG", "x"), ("OTHER", "x")]);
    let warnings: Vec<_> = environment.unknown().collect();
    assert_eq!(
        warnings,
        ["unknown environment variable `FORSOOTH_LISTN`, did you mean `FORSOOTH_LISTEN`?"]
    );
}

#[test]
fn the_data_folder_is_where_the_xdg_specification_says() {
    let cases = [
        (&[("FORSOOTH_DATA", "d"), ("XDG_DATA_HOME", "/x"), ("HOME", "/h")][..], Some("d")),
        (&[("XDG_DATA_HOME", "/x"), ("HOME", "/h")], Some("/x/forsooth")),
        (
            &[("XDG_DATA_HOME", "relative/is/ignored"), ("HOME", "/h")],
            Some("/h/.local/share/forsooth"),
        ),
        (&[], None),
    ];
    for (variables, expected) in cases {
        assert_eq!(environment(variables).data_dir().as_deref(), expected.map(Path::new));
    }
}

#[test]
fn a_passphrase_is_read_and_never_shown() {
    let secret = [("FORSOOTH_PASSPHRASE", "hush"), ("FORSOOTH_PASSPHRASE_FILE", "/nowhere")];
    let settings = load("", &secret, Layer::default()).unwrap();
    assert_eq!(settings.passphrase.value.read().unwrap().unwrap().as_str(), "hush");
    assert!(!format!("{settings:?}{:?}", settings.rows()).contains("hush"));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first line\nsecond\n").unwrap();
    assert_eq!(
        Passphrase::File(file.path().into()).read().unwrap().unwrap().as_str(),
        "first line"
    );
    let error = Passphrase::File("/nowhere".into()).read().unwrap_err().to_string();
    assert!(error.starts_with("cannot read the passphrase from /nowhere"), "{error}");
}

#[test]
fn the_file_that_is_written_says_what_was_set_and_shows_the_defaults() {
    let empty = Layer::default().to_toml();
    let uncommented: String = empty
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
        .map(|l| format!("{l}\n"))
        .collect();
    let defaults = load("", &[], Layer::default()).unwrap().rows();
    let written = load(&uncommented, &[], Layer::default()).unwrap().rows();
    let fixed = ["listen", "external", "peers", "http", "http_hosts", "log"];
    for (default, written) in
        defaults.iter().zip(&written).filter(|(row, _)| fixed.contains(&row.name))
    {
        assert_eq!(default.value, written.value, "{}", default.name);
    }
    assert!(
        load(&empty, &[], Layer::default())
            .unwrap()
            .rows()
            .iter()
            .all(|row| row.source == Source::Default)
    );

    let layer = Layer {
        listen: Some(listen_on(Ipv4Addr::LOCALHOST)),
        http: Some(([127, 0, 0, 1], 0).into()),
        ..Layer::default()
    };
    let settings = load(&layer.to_toml(), &[], Layer::default()).unwrap();
    assert_eq!(settings.listen.value, listen_on(Ipv4Addr::LOCALHOST));
    assert_eq!(settings.http.value.to_string(), "127.0.0.1:0");
}

#[test]
fn the_http_address_is_announced_and_retracted() {
    let folder = tempfile::tempdir().unwrap();
    let data = DataDir::new(folder.path());
    assert_eq!(data.announced(), None);
    let address = SocketAddr::from(([127, 0, 0, 1], 7));
    data.announce(address).unwrap();
    assert_eq!(data.announced(), Some(address));
    data.retract();
    data.retract();
    assert_eq!(data.announced(), None);
}
