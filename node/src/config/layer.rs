//! What one place sets: the flags, the environment or the file.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use forsooth_protocol::network::Kind;
use libp2p::Multiaddr;

use super::Passphrase;
use crate::{BadExternal, external, manifest::check_peer_address};

/// How many links a node may want to choose itself.
const OUTBOUND_TARGETS: RangeInclusive<usize> = 1..=256;

/// Settings of one source; `None` is left to a weaker one. The fields are those of
/// [`Settings`](super::Settings).
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// The network's manifest.
    pub network: Option<PathBuf>,
    /// Where peers reach this node.
    pub listen: Option<Vec<Multiaddr>>,
    /// Where others reach this node, if not where it listens.
    pub external: Option<Vec<Multiaddr>>,
    /// Peers to dial.
    pub peers: Option<Vec<Multiaddr>>,
    /// Where the HTTP interface listens.
    pub http: Option<SocketAddr>,
    /// Names that HTTP clients may call this node.
    pub http_hosts: Option<Vec<String>>,
    /// Links that this node chooses itself.
    pub outbound_target: Option<usize>,
    /// A table of autonomous systems.
    pub asn_map: Option<PathBuf>,
    /// What is logged.
    pub log: Option<String>,
    /// Where the key file's passphrase comes from.
    pub passphrase: Option<Passphrase>,
}

/// Reads an address to listen on: `/ip4/127.0.0.1/tcp/8650`.
///
/// # Errors
/// Says what is wrong and gives an example.
pub fn parse_listen(text: &str) -> Result<Multiaddr, String> {
    let example =
        "an address to listen on is like /ip4/0.0.0.0/tcp/8650 or /ip4/0.0.0.0/udp/8650/quic-v1";
    text.parse().map_err(|error| format!("{error}; {example}"))
}

/// Reads an address at which others reach this node: `/ip4/HOST/tcp/8650`. Whether it is public is asked when the
/// network is known.
///
/// # Errors
/// Says what is wrong and gives an example.
pub fn parse_external(text: &str) -> Result<Multiaddr, String> {
    let address = text
        .parse()
        .map_err(|error| format!("{error}; an external address is like /ip4/HOST/tcp/8650"))?;
    check_external(&address).map_err(|error| error.to_string())?;
    Ok(address)
}

pub(super) fn check_external(address: &Multiaddr) -> Result<(), BadExternal> {
    external::check(address, Kind::Local)
}

/// Reads a peer's address: `/ip4/192.0.2.1/tcp/8650/p2p/12D3KooW…`.
///
/// # Errors
/// Says what is wrong.
pub fn parse_peer(text: &str) -> Result<Multiaddr, String> {
    let address: Multiaddr = text
        .parse()
        .map_err(|error| format!("{error}; a peer's address is as `forsooth run` prints it"))?;
    check_peer_address(&address).map_err(|error| error.to_string())?;
    Ok(address)
}

/// Reads where the HTTP interface listens: `127.0.0.1:8651`.
///
/// # Errors
/// Says what is wrong and gives an example.
pub fn parse_http(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|error| {
        format!("{error}; give an address and a port, such as 127.0.0.1:8651 or [::1]:0")
    })
}

/// Reads how many links a node chooses itself.
///
/// # Errors
/// Says what is wrong.
pub fn parse_outbound_target(text: &str) -> Result<usize, String> {
    let target = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    check_outbound_target(target)?;
    Ok(target)
}

pub(super) fn check_outbound_target(target: usize) -> Result<(), String> {
    if OUTBOUND_TARGETS.contains(&target) {
        return Ok(());
    }
    let (min, max) = (OUTBOUND_TARGETS.start(), OUTBOUND_TARGETS.end());
    Err(format!("outbound_target must be {min} to {max}, not {target}"))
}
