//! Peers that count as one: one voter, one share of the inbound links, one budget.
//!
//! What a group is, the network's manifest says, because only its authors know what keys and addresses cost
//! there. A peer whose address the transport does not tell is grouped with all others of that kind.

use core::net::IpAddr;

use forsooth_crypto::NodeId;

use crate::{ban::Net, network::Grouping};

/// Peers that count as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    /// A peer by itself.
    Peer(NodeId),
    /// One address, or the network part of one.
    Net(IpAddr),
    /// All peers whose address the transport does not tell.
    Unknown,
}

impl Group {
    /// The group of a peer at an address.
    pub(crate) fn of(peer: NodeId, ip: Option<IpAddr>, grouping: Grouping) -> Self {
        let ip = ip.map(|ip| ip.to_canonical());
        match (grouping, ip) {
            (Grouping::Peer, _) => Self::Peer(peer),
            (Grouping::Host | Grouping::Subnet, None) => Self::Unknown,
            (Grouping::Host, Some(ip)) => Self::Net(ip),
            (Grouping::Subnet, Some(IpAddr::V4(ip))) => {
                Self::Net(IpAddr::V4((ip.to_bits() & (!0 << 8)).into()))
            }
            (Grouping::Subnet, Some(IpAddr::V6(ip))) => {
                Self::Net(IpAddr::V6((ip.to_bits() & (!0 << 80)).into()))
            }
        }
    }

    /// The addresses that count as this group; none if keys alone tell its peers apart.
    pub(crate) fn net(self, grouping: Grouping) -> Option<Net> {
        let Self::Net(ip) = self else { return None };
        let bits = match (grouping, ip) {
            (Grouping::Peer, _) => return None,
            (Grouping::Host, _) => u8::MAX,
            (Grouping::Subnet, IpAddr::V4(_)) => 24,
            (Grouping::Subnet, IpAddr::V6(_)) => 48,
        };
        Some(Net::of(ip, bits))
    }
}
