//! Where others reach this node, as its operator says: what no listener knows behind a NAT or in a container.
//!
//! What may be said here is what the core puts into a record, so that nothing is taken silently and left out
//! later.

use forsooth_protocol::{
    Address,
    network::Kind,
    overlay::{
        book::{Endpoint, Refused},
        record::ADDRESSES_MAX,
    },
};
use libp2p::Multiaddr;

/// Why an address cannot be one at which others reach this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExternal {
    /// Others would not dial it.
    #[error(
        "others cannot be told of the external address {address}: {reason}; \
         it is to be like /ip4/HOST/tcp/8650 or /ip4/HOST/udp/8650/quic-v1, with this node's public address"
    )]
    Refused {
        /// The address.
        address: Multiaddr,
        /// What is wrong with it.
        reason: Refused,
    },
    /// A record has no room for all of them.
    #[error("a node has at most {ADDRESSES_MAX} external addresses, not {0}")]
    TooMany(usize),
}

/// Whether this node may be announced at an address on a network of this kind.
pub(crate) fn check(address: &Multiaddr, kind: Kind) -> Result<(), BadExternal> {
    endpoint(address)
        .and_then(|endpoint| endpoint.check(kind))
        .map_err(|reason| BadExternal::Refused { address: address.clone(), reason })
}

/// The same, of all that the operator says.
pub(crate) fn check_all(addresses: &[Multiaddr], kind: Kind) -> Result<(), BadExternal> {
    if addresses.len() > ADDRESSES_MAX {
        return Err(BadExternal::TooMany(addresses.len()));
    }
    addresses.iter().try_for_each(|address| check(address, kind))
}

fn endpoint(address: &Multiaddr) -> Result<Endpoint, Refused> {
    Endpoint::parse(&Address::new(&address.to_string()).ok_or(Refused::Oversized)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(address: &str, kind: Kind) -> Result<(), String> {
        check(&address.parse().unwrap(), kind).map_err(|error| error.to_string())
    }

    #[test]
    fn an_external_address_is_one_that_others_can_be_told_of() {
        for address in ["/ip4/8.8.8.8/tcp/8650", "/ip6/2a00::1/udp/8650/quic-v1"] {
            for kind in [Kind::Local, Kind::Testnet, Kind::Production] {
                assert_eq!(checked(address, kind), Ok(()), "{address}");
            }
        }
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        for (address, said) in [
            ("/dns4/node.example/tcp/8650", "not of the form"),
            ("/ip4/8.8.8.8/udp/8650", "not of the form"),
            (&format!("/ip4/8.8.8.8/tcp/8650/p2p/{peer}"), "not of the form"),
            ("/ip4/8.8.8.8/tcp/1/ip4/9.9.9.9/tcp/1", "not of the form"),
            ("/ip4/8.8.8.8/tcp/0", "port 0"),
            ("/ip4/0.0.0.0/tcp/8650", "unspecified"),
        ] {
            let error = checked(address, Kind::Local).unwrap_err();
            assert!(error.contains(said) && error.contains(address), "{error}");
        }
    }

    #[test]
    fn a_private_address_is_external_on_a_local_network_alone() {
        for address in ["/ip4/10.0.0.1/tcp/8650", "/ip4/127.0.0.1/udp/8650/quic-v1"] {
            assert_eq!(checked(address, Kind::Local), Ok(()));
            let error = checked(address, Kind::Testnet).unwrap_err();
            assert!(error.contains("private, and the network is public"), "{error}");
        }
    }

    #[test]
    fn as_many_are_taken_as_a_record_has_room_for() {
        let address: Multiaddr = "/ip4/8.8.8.8/tcp/8650".parse().unwrap();
        assert_eq!(check_all(&vec![address.clone(); ADDRESSES_MAX], Kind::Testnet), Ok(()));
        let error = check_all(&vec![address; ADDRESSES_MAX + 1], Kind::Testnet).unwrap_err();
        assert_eq!(error, BadExternal::TooMany(ADDRESSES_MAX + 1));
    }
}
