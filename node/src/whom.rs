//! Whom a ban is of, as people write it.

use forsooth_crypto::NodeId;
use forsooth_protocol::{Net, Whom};
use libp2p::PeerId;

use crate::net::identity::node_id;

/// Why a text names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names nobody: write a node id as `forsooth peers --json` shows it, a peer id such as 12D3KooW..., an address such \
     as 192.0.2.7, or a network such as 192.0.2.0/24"
)]
pub struct BadWhom(String);

/// A node id, a libp2p peer id, an IP address, or a network in CIDR notation.
///
/// # Errors
/// When it is none of these, or the peer id of a key that no node has.
pub fn parse_whom(text: &str) -> Result<Whom, BadWhom> {
    let node = || text.parse::<NodeId>().ok();
    let peer = || node_id(&text.parse::<PeerId>().ok()?);
    let net = || text.parse::<Net>().ok().map(Whom::Net);
    let whom = node().or_else(peer).map(Whom::Peer).or_else(net);
    whom.ok_or_else(|| BadWhom(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;

    use super::*;
    use crate::net::identity::peer_id;

    #[test]
    fn people_write_ids_addresses_and_networks() {
        let node = Keypair::from_seed([1; 32]).id();
        assert_eq!(parse_whom(&node.to_string()), Ok(Whom::Peer(node)));
        assert_eq!(parse_whom(&peer_id(&node).to_string()), Ok(Whom::Peer(node)));
        for text in ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32"] {
            assert_eq!(parse_whom(text).map(|whom| whom.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "alice", "192.0.2.7/99", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"] {
            assert!(parse_whom(bad).unwrap_err().to_string().contains("names nobody"), "{bad}");
        }
    }
}
