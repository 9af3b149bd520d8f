//! What a key has to have to take part in a network.
//!
//! Keys are free to make, so whoever has one machine can be thousands of peers. A network may ask for a proof
//! of work over each key, or name the keys that it admits. `docs/identity.md` says what either is worth.

use std::collections::BTreeSet;

use bytes::Bytes;
use forsooth_crypto::NodeId;

use super::{Error, range};
use crate::{overlay::work, wire};

/// Keys of a list of admitted ones.
pub const ADMITTED_MAX: usize = 1024;

/// What a key has to have to take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nothing: keys are free.
    #[default]
    Open,
    /// A proof of work over it, see [`work`].
    Work {
        /// Bits, 1 to [`work::EFFORT_MAX`]; each doubles the cost.
        effort: u8,
    },
    /// A place in this list of 1 to [`ADMITTED_MAX`] keys.
    Admitted(BTreeSet<NodeId>),
}

impl Identity {
    /// Whether a key may take part, as far as the key alone tells.
    #[must_use]
    pub fn admits(&self, peer: &NodeId) -> bool {
        match self {
            Self::Open | Self::Work { .. } => true,
            Self::Admitted(keys) => keys.contains(peer),
        }
    }

    /// Bits of proof of work that a record must show; 0 for none.
    #[must_use]
    pub const fn effort(&self) -> u8 {
        match self {
            Self::Work { effort } => *effort,
            Self::Open | Self::Admitted(_) => 0,
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let field = |name: &str| format!("identity.{name}");
        match self {
            Self::Open => Ok(()),
            Self::Work { effort } => range(field("effort"), *effort, 1, work::EFFORT_MAX),
            Self::Admitted(keys) => range(field("admitted (keys)"), keys.len(), 1, ADMITTED_MAX),
        }
    }

    /// What the network's digest covers; nothing for an open network.
    pub(super) fn descriptor(&self) -> Option<wire::IdentityDescriptor> {
        let bytes = |key: &NodeId| Bytes::copy_from_slice(key.as_bytes());
        match self {
            Self::Open => None,
            Self::Work { effort } => {
                Some(wire::IdentityDescriptor { effort: (*effort).into(), admitted: Vec::new() })
            }
            Self::Admitted(keys) => Some(wire::IdentityDescriptor {
                effort: 0,
                admitted: keys.iter().map(bytes).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Defence, Kind, Network, Policy, Topic};

    fn network(identity: Identity) -> Result<Network, Error> {
        let topic = Topic::new("t", Policy::Verified);
        Network::new("n", Kind::Local, vec![topic], Defence::recommended(Kind::Local))
            .and_then(|network| network.with_identity(identity))
    }

    fn keys(count: usize) -> BTreeSet<NodeId> {
        let key = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&n.to_be_bytes());
            NodeId::from_bytes(bytes)
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn what_a_key_costs_is_part_of_the_networks_digest() {
        let identities = [
            Identity::Open,
            Identity::Work { effort: 10 },
            Identity::Work { effort: 11 },
            Identity::Admitted(keys(1)),
            Identity::Admitted(keys(2)),
        ];
        let digests = identities.map(|identity| *network(identity).unwrap().digest());
        assert_eq!(BTreeSet::from(digests).len(), 5);
    }

    #[test]
    fn absurd_costs_are_refused() {
        for identity in [
            Identity::Work { effort: 0 },
            Identity::Work { effort: work::EFFORT_MAX + 1 },
            Identity::Admitted(keys(0)),
            Identity::Admitted(keys(ADMITTED_MAX + 1)),
        ] {
            assert!(matches!(network(identity), Err(Error::Range { .. })));
        }
        assert!(network(Identity::Admitted(keys(ADMITTED_MAX))).is_ok());
    }

    #[test]
    fn a_list_admits_its_keys_and_nobody_else() {
        let stranger = NodeId::from_bytes([9; 32]);
        let listed = Identity::Admitted(keys(3));
        assert!(keys(3).iter().all(|key| listed.admits(key)));
        assert!(!listed.admits(&stranger));
        assert!(Identity::Open.admits(&stranger));
    }
}
