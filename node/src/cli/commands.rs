//! `key show` and `config show`.

use anyhow::Context as _;
use forsooth::{
    Keypair,
    config::{DataDir, Passphrase, Row, Settings, Source},
    key_file,
    net::identity::peer_id,
};
use serde_json::{Value, json};

use super::{Place, args::ShowSettingsArgs, output};

pub(super) fn show_key(place: &Place, args: ShowSettingsArgs) -> anyhow::Result<()> {
    let settings = place.settings(args.settings.into())?;
    let id = load_key(&place.data, &settings)?.id();
    let (path, peer) = (place.data.key(), peer_id(&id).to_string());
    if args.output.json {
        let encrypted = settings.passphrase.value != Passphrase::None;
        return output::json(
            &json!({ "id": id, "peer_id": peer, "path": path, "encrypted": encrypted }),
        );
    }
    output::line(output::pairs([
        ("node", id.to_string()),
        ("peer id", peer),
        ("file", path.display().to_string()),
    ]))?;
    Ok(())
}

/// The node's key, or what to do to have one.
pub(super) fn load_key(data: &DataDir, settings: &Settings) -> anyhow::Result<Keypair> {
    let passphrase = settings.passphrase.value.read()?;
    let loaded =
        key_file::load(&data.key(), passphrase.as_ref().map(|passphrase| passphrase.as_str()));
    loaded.map_err(|error| {
        let data = data.path().display();
        if matches!(error, key_file::LoadError::Missing { .. }) {
            return anyhow::anyhow!(
                "{error}\nMake one with: forsooth --data {data} init --network FILE"
            );
        }
        if matches!(error, key_file::LoadError::PassphraseNeeded { .. }) {
            return anyhow::anyhow!(
                "{error}\nSet FORSOOTH_PASSPHRASE, or name a file with --passphrase-file"
            );
        }
        error.into()
    })
}

pub(super) fn show_config(place: &Place, args: ShowSettingsArgs) -> anyhow::Result<()> {
    let settings = place.settings(args.settings.into())?;
    let data = place.data.path();
    if args.output.json {
        let setting = |row: Row| {
            let source = source_name(&row.source);
            (
                row.name.to_owned(),
                json!({ "value": row.value, "source": source, "detail": detail(&row) }),
            )
        };
        let all: serde_json::Map<String, Value> =
            settings.rows().into_iter().map(setting).collect();
        return output::json(&json!({ "data": data, "settings": all }));
    }
    let row = |row: Row| [row.name.to_owned(), shown(&row), detail(&row)];
    let rows: Vec<_> = settings.rows().into_iter().map(row).collect();
    output::line(format_args!("data folder: {}\n", data.display()))?;
    output::line(output::table(["SETTING", "VALUE", "SOURCE"], &rows)).context("cannot print")?;
    Ok(())
}

/// Which flag, which variable or which file.
fn detail(row: &Row) -> String {
    let (flag, variable) = match row.name {
        "peers" => ("--peer".to_owned(), "FORSOOTH_PEERS".to_owned()),
        "http_hosts" => ("--http-host".to_owned(), "FORSOOTH_HTTP_HOSTS".to_owned()),
        "passphrase" => (
            "--passphrase-file".to_owned(),
            "FORSOOTH_PASSPHRASE or FORSOOTH_PASSPHRASE_FILE".to_owned(),
        ),
        name => {
            (format!("--{}", name.replace('_', "-")), format!("FORSOOTH_{}", name.to_uppercase()))
        }
    };
    match &row.source {
        Source::Flag => format!("flag {flag}"),
        Source::Environment => format!("environment {variable}"),
        Source::File(path) => path.display().to_string(),
        Source::Default => "default".to_owned(),
    }
}

const fn source_name(source: &Source) -> &'static str {
    match source {
        Source::Flag => "flag",
        Source::Environment => "environment",
        Source::File(_) => "file",
        Source::Default => "default",
    }
}

/// What is in force; a number that is not set follows from others.
fn shown(row: &Row) -> String {
    match (row.name, &row.value) {
        ("asn_map", Value::Null) => "none".to_owned(),
        (_, value) => plain(value),
    }
}

/// Strings without quotes and lists without brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "automatic".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
