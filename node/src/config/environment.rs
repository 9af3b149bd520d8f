//! Settings from the environment: `FORSOOTH_` and the setting's name in capitals.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use zeroize::Zeroizing;

use super::{
    Passphrase,
    layer::{Layer, parse_external, parse_http, parse_listen, parse_outbound_target, parse_peer},
};
use crate::diagnosis::suggest;

const PREFIX: &str = "FORSOOTH_";
/// Every variable that means something.
const KNOWN: [&str; 12] = [
    "FORSOOTH_DATA",
    "FORSOOTH_NETWORK",
    "FORSOOTH_LISTEN",
    "FORSOOTH_EXTERNAL",
    "FORSOOTH_PEERS",
    "FORSOOTH_HTTP",
    "FORSOOTH_HTTP_HOSTS",
    "FORSOOTH_OUTBOUND_TARGET",
    "FORSOOTH_ASN_MAP",
    "FORSOOTH_LOG",
    "FORSOOTH_PASSPHRASE_FILE",
    "FORSOOTH_PASSPHRASE",
];

/// The variables that concern us. An empty one counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

/// A variable's value makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name}: {reason}")]
pub struct EnvironmentError {
    name: &'static str,
    reason: String,
}

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The folder for data that is this user's: `FORSOOTH_DATA`, or else `forsooth` in `XDG_DATA_HOME`, or
    /// else `.local/share/forsooth` in `HOME`, as the XDG base directory specification has it.
    #[must_use]
    pub fn data_dir(&self) -> Option<PathBuf> {
        let path = |name: &str| self.variables.get(name).map(PathBuf::from);
        let xdg = || path("XDG_DATA_HOME").filter(|home| home.is_absolute());
        let share = || xdg().or_else(|| Some(path("HOME")?.join(".local/share")));
        path("FORSOOTH_DATA").or_else(|| Some(share()?.join("forsooth")))
    }

    /// What the environment sets. Lists are separated by commas.
    ///
    /// # Errors
    /// Names the first variable whose value makes no sense.
    pub fn layer(&self) -> Result<Layer, EnvironmentError> {
        let path = |name| self.variables.get(name).map(PathBuf::from);
        Ok(Layer {
            network: path("FORSOOTH_NETWORK"),
            listen: self.list("FORSOOTH_LISTEN", parse_listen)?,
            external: self.list("FORSOOTH_EXTERNAL", parse_external)?,
            peers: self.list("FORSOOTH_PEERS", parse_peer)?,
            http: self.one("FORSOOTH_HTTP", parse_http)?,
            http_hosts: self.list("FORSOOTH_HTTP_HOSTS", |host| Ok(host.to_owned()))?,
            outbound_target: self.one("FORSOOTH_OUTBOUND_TARGET", parse_outbound_target)?,
            asn_map: path("FORSOOTH_ASN_MAP"),
            log: self.one("FORSOOTH_LOG", |log| Ok(log.to_owned()))?,
            passphrase: self.passphrase()?,
        })
    }

    /// A warning for each variable that begins like ours and is none. Not errors: Kubernetes, for one,
    /// sets `FORSOOTH_SERVICE_HOST` and the like for a service that is called `forsooth`.
    pub fn unknown(&self) -> impl Iterator<Item = String> {
        let ours = self.variables.keys().filter(|name| name.starts_with(PREFIX));
        let unknown = ours.filter(|name| !KNOWN.contains(&name.as_str()));
        unknown.map(|name| suggest(&format!("unknown environment variable `{name}`"), name, &KNOWN))
    }

    /// The passphrase itself wins over a file with one.
    fn passphrase(&self) -> Result<Option<Passphrase>, EnvironmentError> {
        let value = self.one("FORSOOTH_PASSPHRASE", |text| Ok(Zeroizing::new(text.to_owned())))?;
        let file = || self.variables.get("FORSOOTH_PASSPHRASE_FILE").map(PathBuf::from);
        Ok(value.map(Passphrase::Value).or_else(|| file().map(Passphrase::File)))
    }

    fn one<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, EnvironmentError> {
        let Some(value) = self.variables.get(name) else { return Ok(None) };
        let text = value.to_str().ok_or_else(|| "is not UTF-8".to_owned());
        text.and_then(parse).map(Some).map_err(|reason| EnvironmentError { name, reason })
    }

    fn list<T>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, EnvironmentError> {
        self.one(name, |text| {
            text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(&parse).collect()
        })
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(all: I) -> Self {
        let concerns =
            |name: &str| name.starts_with(PREFIX) || name == "XDG_DATA_HOME" || name == "HOME";
        let named =
            all.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let variables = named.filter(|(name, value)| concerns(name) && !value.is_empty()).collect();
        Self { variables }
    }
}
