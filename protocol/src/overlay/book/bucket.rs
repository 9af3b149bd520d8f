//! Where in the book a peer may stand: keyed buckets, as in Bitcoin Core's address manager.
//!
//! Source: Heilman, Kendler, Zohar, Goldberg, "Eclipse Attacks on Bitcoin's Peer-to-Peer Network" (USENIX
//! Security 2015), sections 2.2 and 7. The place is a function of a secret key, so nobody outside can aim;
//! and of few other things, so one group of sources reaches [`NEW_PER_SOURCE`] of the [`NEW_BUCKETS`]
//! buckets however many records it sends, and one group of addresses reaches [`TRIED_PER_GROUP`] of the
//! [`TRIED_BUCKETS`]. A peer has one slot in each bucket, so repeating oneself gains nothing.

use core::net::IpAddr;

use forsooth_crypto::{Domain, Hasher, NodeId};

use crate::network::Grouping;

/// Buckets of peers that were heard of. A quarter of Bitcoin Core's, for networks of tens of thousands.
pub const NEW_BUCKETS: u16 = 256;
/// Buckets of peers that were reached. Half of Bitcoin Core's.
pub const TRIED_BUCKETS: u16 = 128;
/// Peers of one bucket.
pub const SLOTS: u8 = 64;
/// New buckets that one group of sources reaches: a sixteenth of all, as in Bitcoin Core.
pub const NEW_PER_SOURCE: u16 = 16;
/// Tried buckets that one group of addresses reaches: a thirty-second of all, as in Bitcoin Core.
pub const TRIED_PER_GROUP: u16 = 4;

/// Addresses that one party can be assumed to hold together: what buckets are dealt out by.
///
/// Coarser than the groups that are one voter, because whoever fills a book rents whole networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// On a network whose peers are voters of their own, each peer.
    Peer(NodeId),
    /// On a network whose hosts are, each host.
    Host(IpAddr),
    /// An autonomous system, where the operator has a table of them.
    System(u32),
    /// An IPv4 /16.
    V4([u8; 2]),
    /// An IPv6 /32.
    V6([u8; 4]),
    /// All whose address nobody told.
    Unknown,
}

impl Group {
    /// The group of a peer at an address.
    #[must_use]
    pub fn of(peer: &NodeId, ip: Option<IpAddr>, asn: Option<u32>, grouping: Grouping) -> Self {
        match (grouping, ip.map(|ip| ip.to_canonical()), asn) {
            (Grouping::Peer, _, _) => Self::Peer(*peer),
            (Grouping::Host | Grouping::Subnet, None, _) => Self::Unknown,
            (Grouping::Host, Some(ip), _) => Self::Host(ip),
            (Grouping::Subnet, Some(_), Some(asn)) => Self::System(asn),
            (Grouping::Subnet, Some(IpAddr::V4(ip)), None) => {
                let [a, b, _, _] = ip.octets();
                Self::V4([a, b])
            }
            (Grouping::Subnet, Some(IpAddr::V6(ip)), None) => {
                let [a, b, c, d, ..] = ip.octets();
                Self::V6([a, b, c, d])
            }
        }
    }

    /// Bytes that no other group has.
    pub(super) fn encode(&self) -> Vec<u8> {
        let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
        match self {
            Self::Unknown => tagged(0, &[]),
            Self::Peer(peer) => tagged(1, peer.as_bytes()),
            Self::Host(IpAddr::V4(ip)) => tagged(2, &ip.octets()),
            Self::Host(IpAddr::V6(ip)) => tagged(3, &ip.octets()),
            Self::System(asn) => tagged(4, &asn.to_be_bytes()),
            Self::V4(net) => tagged(5, net),
            Self::V6(net) => tagged(6, net),
        }
    }

    /// The group that [`Self::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        match tag {
            0 => rest.is_empty().then_some(Self::Unknown),
            1 => NodeId::try_from(rest).ok().map(Self::Peer),
            2 => <[u8; 4]>::try_from(rest).ok().map(|ip| Self::Host(IpAddr::from(ip))),
            3 => <[u8; 16]>::try_from(rest).ok().map(|ip| Self::Host(IpAddr::from(ip))),
            4 => rest.try_into().ok().map(u32::from_be_bytes).map(Self::System),
            5 => rest.try_into().ok().map(Self::V4),
            6 => rest.try_into().ok().map(Self::V6),
            _ => None,
        }
    }
}

/// One of the book's two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// Peers that were heard of.
    New,
    /// Peers that were reached.
    Tried,
}

/// A bucket and the slot in it that a peer would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) bucket: u16,
    pub(super) slot: u8,
}

/// The key that decides who stands where. Whoever knows it can aim, so it never leaves the node.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) u64);

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl Key {
    /// Where a peer of this group stands, if it is heard of from that source.
    pub(super) fn heard(self, peer: &NodeId, group: &Group, source: &Group) -> Spot {
        let source = source.encode();
        let lane = self.number(&[b"lane", &group.encode(), &source]) % u64::from(NEW_PER_SOURCE);
        let bucket = self.number(&[b"heard", &source, &lane.to_be_bytes()]);
        self.spot(Shelf::New, reduce(bucket, NEW_BUCKETS), peer)
    }

    /// Where a peer stands that was reached in this group.
    pub(super) fn reached(self, peer: &NodeId, group: &Group) -> Spot {
        let lane = self.number(&[b"way", peer.as_bytes()]) % u64::from(TRIED_PER_GROUP);
        let bucket = self.number(&[b"reached", &group.encode(), &lane.to_be_bytes()]);
        self.spot(Shelf::Tried, reduce(bucket, TRIED_BUCKETS), peer)
    }

    /// The slot of a peer in a bucket.
    pub(super) fn spot(self, shelf: Shelf, bucket: u16, peer: &NodeId) -> Spot {
        let shelf: &[u8] = match shelf {
            Shelf::New => b"new",
            Shelf::Tried => b"tried",
        };
        let slot = self.number(&[shelf, &bucket.to_be_bytes(), peer.as_bytes()]);
        let slot = u8::try_from(reduce(slot, SLOTS.into())).unwrap_or(0);
        Spot { bucket, slot }
    }

    fn number(self, parts: &[&[u8]]) -> u64 {
        let mut hasher = Hasher::new(Domain::Bucket);
        hasher.update(&self.0.to_be_bytes());
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
        }
        let digest = hasher.finish();
        digest.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

fn reduce(number: u64, bound: u16) -> u16 {
    u16::try_from(number % u64::from(bound)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn peer(n: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        NodeId::from_bytes(id)
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_source_reaches_a_sixteenth_of_the_new_buckets_whatever_it_says() {
        for key in 0..20 {
            let source = Group::V4([192, 7]);
            let reached: BTreeSet<u16> = (0..20_000_u32)
                .map(|n| {
                    let [_, a, b, _] = n.to_be_bytes();
                    let [_, _, c, d] = n.wrapping_mul(2_654_435_761).to_be_bytes();
                    Key(key).heard(&peer(n), &Group::V4([a ^ c, b ^ d]), &source).bucket
                })
                .collect();
            assert!(reached.len() <= NEW_PER_SOURCE.into(), "{}", reached.len());
            assert!(reached.len() >= usize::from(NEW_PER_SOURCE) - 4, "{}", reached.len());
        }
    }

    #[test]
    fn one_group_of_addresses_reaches_one_new_bucket_through_each_source() {
        let through = |source| {
            let spots = (0..1000).map(|n| Key(3).heard(&peer(n), &Group::V4([9, 9]), &source));
            spots.map(|spot| spot.bucket).collect::<BTreeSet<_>>().len()
        };
        assert!((0..50).all(|n| through(Group::V4([n, 0])) == 1));
    }

    #[test]
    fn one_group_of_addresses_reaches_four_tried_buckets() {
        let spots = (0..10_000).map(|n| Key(5).reached(&peer(n), &Group::V6([1, 2, 3, 4])));
        let buckets: BTreeSet<_> = spots.map(|spot| spot.bucket).collect();
        assert_eq!(buckets.len(), usize::from(TRIED_PER_GROUP));
    }

    #[test]
    fn another_key_is_another_order() {
        let same = (0..1000)
            .filter(|n| {
                let at = |key| Key(key).reached(&peer(*n), &Group::Unknown);
                at(1) == at(2)
            })
            .count();
        assert!(same < 10, "{same} of 1000 stand in the same place");
    }

    #[test]
    fn groups_are_networks_where_subnets_vote_and_peers_where_peers_do() {
        let of = |text, asn, grouping| Group::of(&peer(1), ip(text), asn, grouping);
        assert_eq!(of("8.9.1.2", None, Grouping::Subnet), Group::V4([8, 9]));
        assert_eq!(of("::ffff:8.9.1.2", None, Grouping::Subnet), Group::V4([8, 9]));
        assert_eq!(of("2a00:1::7", None, Grouping::Subnet), Group::V6([0x2a, 0, 0, 1]));
        assert_eq!(of("8.9.1.2", Some(7), Grouping::Subnet), Group::System(7));
        assert_eq!(of("8.9.1.2", Some(7), Grouping::Peer), Group::Peer(peer(1)));
        assert_eq!(Group::of(&peer(1), None, None, Grouping::Subnet), Group::Unknown);
    }

    #[test]
    fn a_group_is_read_back_as_it_was_written() {
        let groups = [
            Group::Unknown,
            Group::Peer(peer(4)),
            Group::Host("1.2.3.4".parse().unwrap()),
            Group::Host("2a00::1".parse().unwrap()),
            Group::System(64_512),
            Group::V4([1, 2]),
            Group::V6([1, 2, 3, 4]),
        ];
        for group in groups {
            assert_eq!(Group::decode(&group.encode()), Some(group));
        }
        assert_eq!(Group::decode(&[9]), None);
        assert_eq!(Group::decode(&[5, 1]), None);
    }
}
