//! Places for those who come to us, and who goes when there are no more.
//!
//! An attacker can have as many connections as addresses, so the places for strangers fill up; what it must
//! not do is to fill them for good, nor to drive out those who serve well. As Bitcoin Core does since Heilman
//! et al. ("Eclipse Attacks on Bitcoin's Peer-to-Peer Network", section 7), some are protected for what is
//! costly to imitate: a group of their own, messages that they brought first, and a long stay. Of the others,
//! the youngest of the largest group goes. Whom our own sampling has found is not even considered: no flood makes
//! an attacker's share of those larger. Links that this node chose are none of this file's business.

use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use crate::{group::Group, time::Time};

/// Links protected because of their groups, drawn by a private order of groups.
const BY_GROUP: usize = 4;
/// Links protected because they brought a message first most recently.
const BY_SERVICE: usize = 8;

/// What counts of an inbound link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest {
    pub(crate) peer: NodeId,
    pub(crate) group: Group,
    pub(crate) since: Time,
    /// When it last brought a message that nobody had brought before.
    pub(crate) served: Option<Time>,
    /// Where its group is in an order that only this node knows.
    pub(crate) rank: u64,
}

/// Who goes, if anybody may.
pub(crate) fn evict(guests: Vec<Guest>) -> Option<NodeId> {
    let mut rest = guests;
    // One of each of a few groups that nobody can choose to be in.
    rest.sort_by_key(|guest| (guest.rank, guest.since));
    let mut groups = BTreeSet::new();
    rest.retain(|guest| !(groups.len() < BY_GROUP && groups.insert(guest.group)));
    rest.sort_by_key(|guest| core::cmp::Reverse(guest.served));
    let serving = rest.iter().take(BY_SERVICE).filter(|guest| guest.served.is_some()).count();
    rest.drain(..serving);
    // Half of the others have been here longer than the other half.
    rest.sort_by_key(|guest| guest.since);
    rest.drain(..rest.len() / 2);
    let mut sizes: BTreeMap<Group, (usize, Time)> = BTreeMap::new();
    for guest in &rest {
        let (size, youngest) = sizes.entry(guest.group).or_default();
        (*size, *youngest) = (*size + 1, guest.since.max(*youngest));
    }
    let (largest, _) = sizes.into_iter().max_by_key(|(_, size)| *size)?;
    let of_group = rest.into_iter().filter(|guest| guest.group == largest);
    of_group.max_by_key(|guest| guest.since).map(|guest| guest.peer)
}

#[cfg(test)]
mod tests {
    use core::{net::IpAddr, time::Duration};

    use super::*;

    fn guest(tag: u8, net: u8, since: u64) -> Guest {
        Guest {
            peer: NodeId::from_bytes([tag; 32]),
            group: Group::Net(IpAddr::from([10, 0, net, 0])),
            since: Time::from_duration(Duration::from_secs(since)),
            served: None,
            rank: u64::from(net),
        }
    }

    #[test]
    fn the_youngest_of_the_largest_group_goes() {
        let honest = (0..20).map(|tag| guest(tag, tag, 1000 + u64::from(tag)));
        let crowd = (100..128).map(|tag| guest(tag, 99, 2000 + u64::from(tag)));
        let goes = evict(honest.chain(crowd).collect());
        assert_eq!(goes, Some(NodeId::from_bytes([127; 32])));
    }

    #[test]
    fn neither_service_nor_a_long_stay_is_driven_out_by_a_flood() {
        let mut guests: Vec<_> = (0..16).map(|tag| guest(tag, tag, u64::from(tag))).collect();
        guests.extend((16..24).map(|tag| Guest {
            served: Some(Time::from_duration(Duration::from_secs(5000))),
            ..guest(tag, 50, 4000)
        }));
        for n in 0..1000 {
            // Each from a group of its own: the most an attacker can do.
            let tag = 100 + u8::try_from(n % 100).unwrap();
            guests.push(guest(tag, tag, 5000 + n));
            if guests.len() > 48 {
                let goes = evict(guests.clone()).unwrap();
                guests.retain(|guest| guest.peer != goes);
            }
        }
        let stayed = guests.iter().filter(|guest| guest.since.as_duration().as_secs() < 5000);
        assert_eq!(stayed.count(), 24);
    }

    #[test]
    fn if_all_are_protected_nobody_goes() {
        assert_eq!(evict((0..4).map(|tag| guest(tag, tag, 0)).collect()), None);
    }
}
