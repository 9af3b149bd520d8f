//! The node's configuration: what may be set, where it is set, and which setting wins.
//!
//! A flag wins over the environment, the environment over `forsooth.toml` in the data folder, and that
//! over the default. Every [`Setting`] remembers where its value came from. What belongs to the network
//! is not here but in its [manifest](crate::manifest): an operator cannot change it alone.

mod environment;
mod file;
mod folder;
mod layer;

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use libp2p::Multiaddr;
use serde_json::json;
use zeroize::Zeroizing;

pub use self::{
    environment::{Environment, EnvironmentError},
    file::FileError,
    folder::{DataDir, FolderError},
    layer::{Layer, parse_external, parse_http, parse_listen, parse_outbound_target, parse_peer},
};

/// TCP and UDP port that a node listens on by default. Neither is registered for another service.
pub const PORT: u16 = 8650;
/// Port of the HTTP interface by default.
pub const HTTP_PORT: u16 = 8651;
/// What is logged by default.
pub const LOG: &str = "warn,forsooth=info";

/// Everything that an operator may set, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network's manifest. Default: `network.toml` in the data folder.
    pub network: Setting<PathBuf>,
    /// Where peers reach this node. Default: all IPv4 addresses, TCP and QUIC on [`PORT`].
    pub listen: Setting<Vec<Multiaddr>>,
    /// Where others reach this node, if not where it listens: public addresses that a NAT forwards from.
    /// Default: none.
    pub external: Setting<Vec<Multiaddr>>,
    /// Peers to dial besides the manifest's bootnodes, each ending in `/p2p/…`. Default: none.
    pub peers: Setting<Vec<Multiaddr>>,
    /// Where the HTTP interface listens; port 0 takes a free one. Default: 127.0.0.1 on [`HTTP_PORT`].
    pub http: Setting<SocketAddr>,
    /// Names besides `localhost` and the loopback addresses that HTTP clients may call this node.
    /// Default: none. At least one is needed if `http` is not a loopback address.
    pub http_hosts: Setting<Vec<String>>,
    /// Links that this node chooses itself; 1 to 256. Recommended and default: what the network's policies
    /// need, and at least 8.
    pub outbound_target: Setting<Option<usize>>,
    /// A table of autonomous systems, one network a line. Default: there is none.
    pub asn_map: Setting<Option<PathBuf>>,
    /// What is logged, in `tracing`'s filter language. Default: [`LOG`].
    pub log: Setting<String>,
    /// Where the key file's passphrase comes from. Default: there is none.
    pub passphrase: Setting<Passphrase>,
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

/// Where a value came from, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag on the command line.
    Flag,
    /// A variable of the environment.
    Environment,
    /// The configuration file.
    File(PathBuf),
    /// It was not set.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment => f.write_str("environment"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Where the key file's passphrase comes from. Never a flag: other users see the flags of a process.
#[derive(Clone, PartialEq, Eq)]
pub enum Passphrase {
    /// The key file is not encrypted.
    None,
    /// The first line of a file.
    File(PathBuf),
    /// The variable `FORSOOTH_PASSPHRASE`; its value is never shown.
    Value(Zeroizing<String>),
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::File(path) => write!(f, "the first line of {}", path.display()),
            Self::Value(_) => f.write_str("given (not shown)"),
        }
    }
}

impl Passphrase {
    /// The file, if it comes from one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::None | Self::Value(_) => None,
        }
    }

    /// The passphrase itself, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<Option<Zeroizing<String>>, PassphraseError> {
        match self {
            Self::None => Ok(None),
            Self::Value(value) => Ok(Some(value.clone())),
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map(Zeroizing::new);
                let text = text.map_err(|source| PassphraseError { path: path.clone(), source })?;
                Ok(Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())))
            }
        }
    }
}

/// The file with the passphrase cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the passphrase from {}: {source}; check `passphrase_file`", .path.display())]
pub struct PassphraseError {
    path: PathBuf,
    source: io::Error,
}

impl Settings {
    /// The strongest value of each setting. `layers` come strongest first.
    #[must_use]
    pub fn resolve(layers: &[(Source, Layer)], folder: &DataDir) -> Self {
        Self {
            network: pick(layers, |layer| layer.network.clone(), || folder.network()),
            listen: pick(layers, |layer| layer.listen.clone(), default_listen),
            external: pick(layers, |layer| layer.external.clone(), Vec::new),
            peers: pick(layers, |layer| layer.peers.clone(), Vec::new),
            http: pick(
                layers,
                |layer| layer.http,
                || SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT)),
            ),
            http_hosts: pick(layers, |layer| layer.http_hosts.clone(), Vec::new),
            outbound_target: pick(layers, |layer| layer.outbound_target.map(Some), || None),
            asn_map: pick(layers, |layer| layer.asn_map.clone().map(Some), || None),
            log: pick(layers, |layer| layer.log.clone(), || LOG.to_owned()),
            passphrase: pick(layers, |layer| layer.passphrase.clone(), || Passphrase::None),
        }
    }

    /// Reads the environment and the configuration file, and resolves them with the flags.
    ///
    /// # Errors
    /// Names the variable, or the place in the file, and what is wrong there.
    pub fn load(flags: Layer, environment: &Environment, folder: &DataDir) -> Result<Self, Error> {
        let file = folder.config();
        let from_file = file::read(&file)?;
        let layers = [
            (Source::Flag, flags),
            (Source::Environment, environment.layer()?),
            (Source::File(file), from_file),
        ];
        Ok(Self::resolve(&layers, folder))
    }

    /// Every setting with its name, its value and its source, for `config show`.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let Self {
            network,
            listen,
            external,
            peers,
            http,
            http_hosts,
            outbound_target,
            asn_map,
            log,
            passphrase,
        } = self;
        vec![
            Row::new("network", json!(network.value), network),
            Row::new("listen", json!(listen.value), listen),
            Row::new("external", json!(external.value), external),
            Row::new("peers", json!(peers.value), peers),
            Row::new("http", json!(http.value), http),
            Row::new("http_hosts", json!(http_hosts.value), http_hosts),
            Row::new("outbound_target", json!(outbound_target.value), outbound_target),
            Row::new("asn_map", json!(asn_map.value), asn_map),
            Row::new("log", json!(log.value), log),
            Row::new("passphrase", json!(format!("{:?}", passphrase.value)), passphrase),
        ]
    }
}

/// Why the configuration makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// A setting as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name in the configuration file.
    pub name: &'static str,
    /// Its value.
    pub value: serde_json::Value,
    /// Where the value came from.
    pub source: Source,
}

impl Row {
    fn new<T>(name: &'static str, value: serde_json::Value, setting: &Setting<T>) -> Self {
        Self { name, value, source: setting.source.clone() }
    }
}

fn pick<T>(
    layers: &[(Source, Layer)],
    value: impl Fn(&Layer) -> Option<T>,
    default: impl FnOnce() -> T,
) -> Setting<T> {
    let set = layers.iter().find_map(|(source, layer)| Some((source.clone(), value(layer)?)));
    let (source, value) = set.unwrap_or_else(|| (Source::Default, default()));
    Setting { value, source }
}

/// All IPv4 addresses. IPv6 is left to the operator: to bind it fails on hosts that have it switched off.
fn default_listen() -> Vec<Multiaddr> {
    listen_on(Ipv4Addr::UNSPECIFIED)
}

/// TCP and QUIC on one address and [`PORT`].
#[must_use]
pub fn listen_on(address: Ipv4Addr) -> Vec<Multiaddr> {
    use libp2p::multiaddr::Protocol::{Ip4, QuicV1, Tcp, Udp};
    let at = |transport| Multiaddr::empty().with(Ip4(address)).with(transport);
    vec![at(Tcp(PORT)), at(Udp(PORT)).with(QuicV1)]
}

#[cfg(test)]
mod tests;
