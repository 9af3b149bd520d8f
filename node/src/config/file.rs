//! Settings from `forsooth.toml` in the data folder, and the file that `init` writes.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use libp2p::Multiaddr;
use serde::Deserialize;
use toml::Spanned;

use super::{
    HTTP_PORT, LOG, PORT, Passphrase,
    layer::{Layer, check_external, check_outbound_target},
};
use crate::{
    diagnosis::{Diagnosis, Flaw},
    manifest::check_peer_address,
};

/// Bytes of a configuration file; more are not read.
const BYTES_MAX: u64 = 64 << 10;

/// Why the configuration file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system does not let us.
    #[error("cannot read the configuration {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is too large to be one.
    #[error("{} is larger than {BYTES_MAX} bytes, so it is no configuration", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no TOML, has a key that does not exist, or a value that makes no sense.
    #[error(transparent)]
    Wrong(#[from] Diagnosis),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    network: Option<PathBuf>,
    listen: Option<Vec<Multiaddr>>,
    external: Option<Vec<Spanned<Multiaddr>>>,
    peers: Option<Vec<Spanned<Multiaddr>>>,
    http: Option<SocketAddr>,
    http_hosts: Option<Vec<String>>,
    outbound_target: Option<Spanned<usize>>,
    asn_map: Option<PathBuf>,
    log: Option<String>,
    passphrase_file: Option<PathBuf>,
}

/// What the file sets; nothing if there is none.
pub(super) fn read(path: &Path) -> Result<Layer, FileError> {
    let failed = |source| FileError::Read { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Layer::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    let length = file.take(BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > BYTES_MAX {
        return Err(FileError::TooLarge { path: path.into() });
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    parse(&text, folder).map_err(|flaw| Diagnosis::new(path, &text, flaw).into())
}

/// Paths in the file are relative to the `folder` it is in, wherever the process was started.
fn parse(text: &str, folder: &Path) -> Result<Layer, Flaw> {
    let document: Document = toml::from_str(text)?;
    let external = document.external.map(|all| all.into_iter().map(external).collect());
    let peers = document.peers.map(|peers| peers.into_iter().map(peer).collect()).transpose()?;
    let outbound_target = document.outbound_target.map(outbound_target).transpose()?;
    let within = |path: PathBuf| folder.join(path);
    Ok(Layer {
        network: document.network.map(within),
        listen: document.listen,
        external: external.transpose()?,
        peers,
        http: document.http,
        http_hosts: document.http_hosts,
        outbound_target,
        asn_map: document.asn_map.map(within),
        log: document.log,
        passphrase: document.passphrase_file.map(within).map(Passphrase::File),
    })
}

fn external(address: Spanned<Multiaddr>) -> Result<Multiaddr, Flaw> {
    check_external(address.get_ref()).map_err(|error| Flaw::new(address.span(), error))?;
    Ok(address.into_inner())
}

fn peer(address: Spanned<Multiaddr>) -> Result<Multiaddr, Flaw> {
    check_peer_address(address.get_ref()).map_err(|error| Flaw::new(address.span(), error))?;
    Ok(address.into_inner())
}

fn outbound_target(target: Spanned<usize>) -> Result<usize, Flaw> {
    check_outbound_target(*target.get_ref()).map_err(|error| Flaw::new(target.span(), error))?;
    Ok(target.into_inner())
}

impl Layer {
    /// A configuration file with every setting: these as they are, the others as comments with their
    /// defaults.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let list = |items: Vec<String>| toml::Value::from(items).to_string();
        let addresses = |all: &Vec<Multiaddr>| list(all.iter().map(ToString::to_string).collect());
        let path = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
        let text = |text: String| toml::Value::from(text).to_string();

        let mut out = String::from(
            "# Settings of this node. A flag or an environment variable (FORSOOTH_LISTEN, ...) wins over them;\n\
             # `forsooth config show` says what is in force. Paths are relative to this folder.\n",
        );
        let mut row = |comment: &str, name: &str, value: Option<String>, default: &str| {
            let line = match value {
                Some(value) => format!("{name} = {value}"),
                None => format!("#{name} = {default}"),
            };
            writeln!(out, "\n# {comment}\n{line}").expect("writing to a string does not fail");
        };
        let listen = format!("[\"/ip4/0.0.0.0/tcp/{PORT}\", \"/ip4/0.0.0.0/udp/{PORT}/quic-v1\"]");
        row(
            "The network's manifest.",
            "network",
            self.network.as_deref().map(path),
            "\"network.toml\"",
        );
        row("Where this node listens.", "listen", self.listen.as_ref().map(addresses), &listen);
        row(
            "Where others reach it, if not there: the public addresses that a NAT forwards from.",
            "external",
            self.external.as_ref().map(addresses),
            "[]",
        );
        row(
            "Peers to dial besides the bootnodes.",
            "peers",
            self.peers.as_ref().map(addresses),
            "[]",
        );
        let http = format!("\"127.0.0.1:{HTTP_PORT}\"");
        row(
            "The HTTP interface; port 0 takes a free one.",
            "http",
            self.http.map(|at| text(at.to_string())),
            &http,
        );
        let hosts = "Names that HTTP clients may call this node, besides localhost.";
        row(hosts, "http_hosts", self.http_hosts.clone().map(list), "[]");
        let target = self.outbound_target.map(|target| target.to_string());
        row(
            "Links that this node chooses itself, instead of what the policies need.",
            "outbound_target",
            target,
            "24",
        );
        let asns = "A table of autonomous systems, by which peers count as of one network.";
        row(asns, "asn_map", self.asn_map.as_deref().map(path), "\"asn.txt\"");
        row("What is logged.", "log", self.log.clone().map(text), &format!("{LOG:?}"));
        let passphrase = "A file whose first line is the passphrase of key.pem.";
        let file = self.passphrase.as_ref().and_then(Passphrase::file).map(path);
        row(passphrase, "passphrase_file", file, "\"passphrase\"");
        out
    }
}
