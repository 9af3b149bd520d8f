//! Addresses that say whose they are.

use forsooth_protocol::{Address, Candidate};
use libp2p::Multiaddr;

use crate::manifest::{AddressError, peer_of};

/// Why an address is of no use for reaching a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPeerAddress {
    /// It does not say which node is there.
    #[error(transparent)]
    Peer(#[from] AddressError),
    /// It is longer than a core keeps.
    #[error("the address {0} has more than {max} characters", max = Address::BYTES_MAX)]
    TooLong(Multiaddr),
}

/// The peer at an address.
pub(crate) fn candidate(address: &Multiaddr) -> Result<Candidate, BadPeerAddress> {
    let peer = peer_of(address)?;
    let text = Address::new(&address.to_string())
        .ok_or_else(|| BadPeerAddress::TooLong(address.clone()))?;
    Ok(Candidate { peer, address: text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_must_say_which_node_is_there() {
        let node = "12D3KooWGwX4kkJBqLMfsQxgo1RfDqRhPXrpMLDjPZGXtFzZUpUa";
        for (address, expected) in [
            (format!("/ip4/10.0.0.1/tcp/4001/p2p/{node}"), None),
            (format!("/dns4/boot.example/udp/4001/quic-v1/p2p/{node}"), None),
            ("/ip4/10.0.0.1/tcp/4001".to_owned(), Some("/p2p/")),
            (
                "/ip4/10.0.0.1/tcp/4001/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"
                    .to_owned(),
                Some("not that of a forsooth node"),
            ),
            (format!("/dns4/{}/tcp/4001/p2p/{node}", "a".repeat(250)), Some("characters")),
        ] {
            match (candidate(&address.parse().unwrap()), expected) {
                (Ok(candidate), None) => assert_eq!(candidate.address.as_str(), address),
                (Err(error), Some(hint)) => assert!(error.to_string().contains(hint), "{error}"),
                (other, _) => panic!("{address}: {other:?}"),
            }
        }
    }
}
