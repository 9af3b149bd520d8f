//! A [`NodeId`] and a libp2p [`PeerId`] name the same key, and map to each other without loss.
//!
//! The peer id of an Ed25519 key is not a hash but the key itself: an identity multihash of the 36
//! bytes of the protobuf that libp2p wraps around it (libp2p specification, "Peer Ids and Keys").

use forsooth_crypto::{Keypair, NodeId};
use libp2p::PeerId;
use libp2p::identity;
use libp2p::multihash::Multihash;

/// Multihash code of "no hash, the bytes themselves".
const IDENTITY: u64 = 0;
/// The protobuf's field 1, `KeyType::Ed25519`, and the tag and length of its field 2.
const ED25519_PREFIX: [u8; 4] = [0x08, 0x01, 0x12, 0x20];

/// The peer id of a node. Every node id has one, even one that is no point of the curve and so
/// nobody's key.
#[must_use]
pub fn peer_id(node: &NodeId) -> PeerId {
    let mut bytes = [0; 36];
    let (prefix, key) = bytes.split_at_mut(ED25519_PREFIX.len());
    prefix.copy_from_slice(&ED25519_PREFIX);
    key.copy_from_slice(node.as_bytes());
    let multihash = Multihash::wrap(IDENTITY, &bytes).expect("36 bytes fit the 64 of a multihash");
    PeerId::from_multihash(multihash).expect("an identity multihash of up to 42 bytes is a peer id")
}

/// The node id of a peer; `None` if its key is not an Ed25519 key.
#[must_use]
pub fn node_id(peer: &PeerId) -> Option<NodeId> {
    let multihash = peer.as_ref();
    if multihash.code() != IDENTITY {
        return None;
    }
    let key = multihash.digest().strip_prefix(&ED25519_PREFIX)?;
    NodeId::try_from(key).ok()
}

/// The same secret as libp2p wants it.
#[must_use]
pub fn keypair(keypair: &Keypair) -> identity::Keypair {
    identity::Keypair::ed25519_from_bytes(keypair.seed()).expect("any 32 bytes are an Ed25519 seed")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_keypair_has_the_same_name_on_both_sides() {
        let ours = Keypair::from_seed([7; 32]);
        let theirs = keypair(&ours).public().to_peer_id();
        assert_eq!(peer_id(&ours.id()), theirs);
        assert_eq!(node_id(&theirs), Some(ours.id()));
    }

    #[test]
    fn a_peer_with_a_hashed_key_is_no_node() {
        // A random peer id is a SHA-256 multihash, as RSA keys have.
        assert_eq!(node_id(&PeerId::random()), None);
    }

    proptest! {
        #[test]
        fn no_node_id_is_lost_on_the_way(bytes: [u8; 32]) {
            let node = NodeId::from_bytes(bytes);
            prop_assert_eq!(node_id(&peer_id(&node)), Some(node));
        }
    }
}
