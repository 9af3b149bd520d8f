//! The network manifest: the TOML file that all nodes of one network share.
//!
//! Reads a manifest into a [`Network`] and its bootnodes, and writes one back with comments. An error
//! shows the line, the column and the offending key, and names the nearest valid one.
//!
//! A manifest comes from a stranger as often as not, so its size is capped and nothing of it reaches a
//! terminal unescaped. What the numbers may be is not decided here but in [`forsooth_protocol::network`].

mod document;
mod render;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use forsooth_crypto::NodeId;
use forsooth_protocol::Network;
use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::{diagnosis::Diagnosis, net::identity::node_id};

/// The newest manifest format that this version reads, and the one it writes.
pub const FORMAT: u32 = 1;
/// Bytes of a manifest; more are not read. 256 topics with comments need a quarter of this.
pub const BYTES_MAX: u64 = 256 << 10;
/// Bootnodes of one manifest. A guess: a node tries them all.
pub const BOOTNODES_MAX: usize = 64;

/// A network, and where its first nodes are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    network: Network,
    bootnodes: Vec<Multiaddr>,
}

/// Why a manifest was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has that name.
    #[error(
        "there is no manifest at {}; get one from whoever runs the network, \
         or make one with `forsooth network new`", .path.display()
    )]
    Missing {
        /// The name.
        path: PathBuf,
    },
    /// The system does not let us read it.
    #[error("cannot read the manifest {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is larger than [`BYTES_MAX`].
    #[error("{} is larger than {BYTES_MAX} bytes, so it is no manifest; check the path", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It was written for a later version of Forsooth.
    #[error(
        "{} has format {found}, and this forsooth reads formats up to {FORMAT}; \
         install a newer forsooth, or ask whoever runs the network for a manifest of format {FORMAT}",
        .path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// It is no TOML, has a key that does not exist, or a value that makes no sense.
    #[error(transparent)]
    Wrong(#[from] Diagnosis),
}

/// Why an address cannot be a bootnode's or a peer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not say who is there.
    #[error(
        "the address {0} must end in /p2p/ and the node's peer id, as `forsooth run` prints it"
    )]
    NoPeer(Multiaddr),
    /// Who is there has no Ed25519 key.
    #[error(
        "the peer id in {0} is not that of a forsooth node; copy the address as `forsooth run` prints it"
    )]
    ForeignPeer(Multiaddr),
    /// Who is there may not take part.
    #[error(
        "the peer in {0} is not among the keys that the network admits, so nobody would link it; \
         add it to `admitted`, or leave the address out"
    )]
    NotAdmitted(Multiaddr),
}

impl Manifest {
    /// A network and the addresses of its bootnodes.
    ///
    /// # Errors
    /// Each address must say whose it is, see [`check_peer_address`], and the network must admit that peer.
    pub fn new(network: Network, bootnodes: Vec<Multiaddr>) -> Result<Self, AddressError> {
        bootnodes.iter().try_for_each(|address| check_member(address, &network))?;
        Ok(Self { network, bootnodes })
    }

    /// Reads a manifest from a file.
    ///
    /// # Errors
    /// Each way to fail has its variant and says what to do about it.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| {
            if source.kind() == io::ErrorKind::NotFound {
                return Error::Missing { path: path.into() };
            }
            Error::Read { path: path.into(), source }
        };
        let mut text = String::new();
        let length = File::open(path)
            .map_err(failed)?
            .take(BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(failed)?;
        if u64::try_from(length).unwrap_or(u64::MAX) > BYTES_MAX {
            return Err(Error::TooLarge { path: path.into() });
        }
        Self::parse(&text, path)
    }

    /// Reads a manifest from its text. `path` is only for messages.
    ///
    /// # Errors
    /// As [`Self::load`], but for reading.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        if let Some(found) = document::newer_format(text) {
            return Err(Error::NewerFormat { path: path.into(), found });
        }
        document::read(text).map_err(|flaw| Diagnosis::new(path, text, flaw).into())
    }

    /// The manifest as TOML with a comment for each key. Every value is written out, because a
    /// recommendation may change with the version of Forsooth, and the network's digest with it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        render::manifest(self)
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Where its first nodes are reached, each ending in `/p2p/…`.
    #[must_use]
    pub fn bootnodes(&self) -> &[Multiaddr] {
        &self.bootnodes
    }
}

/// Checks that an address says which Forsooth node is there, so that nobody else can answer in its stead.
///
/// # Errors
/// Says what the address lacks.
pub fn check_peer_address(address: &Multiaddr) -> Result<(), AddressError> {
    peer_of(address).map(drop)
}

/// The node that an address says is there.
pub(crate) fn peer_of(address: &Multiaddr) -> Result<NodeId, AddressError> {
    let Some(Protocol::P2p(peer)) = address.iter().last() else {
        return Err(AddressError::NoPeer(address.clone()));
    };
    node_id(&peer).ok_or_else(|| AddressError::ForeignPeer(address.clone()))
}

/// Checks that whoever is at an address may take part in a network.
fn check_member(address: &Multiaddr, network: &Network) -> Result<(), AddressError> {
    if network.identity().admits(&peer_of(address)?) {
        return Ok(());
    }
    Err(AddressError::NotAdmitted(address.clone()))
}

#[cfg(test)]
mod tests;
