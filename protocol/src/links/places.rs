//! Whether somebody who came finds a place, and at whose cost.

use core::{cmp::Reverse, net::IpAddr, time::Duration};

use forsooth_crypto::{Domain, Hasher, NodeId};

use super::{
    Cx, Direction, Group, Grouping, Link, Links, Role, Signal,
    inbound::{Guest, evict},
};

/// Visitors, and others who came and have not said what they want.
pub(super) const VISITORS_MAX: usize = 32;
/// Who came has so long to be told what it came for, before others may come in its place; a visitor, if it is the only one of
/// its group. Else many who come at once would drive each other out, and nobody would be told anything.
const VISIT_MIN: Duration = Duration::from_secs(1);
/// Inbound links of one address, and visitors, as many again.
const PER_HOST_MAX: usize = 4;
/// Inbound links of one subnet, and visitors, as many again.
const PER_SUBNET_MAX: usize = 8;

impl Links {
    /// A private order of groups.
    pub(super) fn rank(&self, group: Group) -> u64 {
        let mut hasher = Hasher::new(Domain::Rank);
        hasher.update(&self.salt.to_le_bytes());
        match group {
            Group::Peer(peer) => hasher.update(peer.as_bytes()),
            Group::Net(IpAddr::V4(ip)) => hasher.update(&ip.octets()),
            Group::Net(IpAddr::V6(ip)) => hasher.update(&ip.octets()),
            Group::Unknown => &mut hasher,
        };
        let digest = hasher.finish();
        digest.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }

    /// Those who came and are no more than visitors, of a group or of all.
    pub(super) fn visitors(&self, group: Option<Group>) -> impl Iterator<Item = (NodeId, &Link)> {
        let visits = move |(_, link): &(&NodeId, &Link)| {
            link.is_visit()
                && !link.is_observer
                && link.direction == Direction::Inbound
                && group.is_none_or(|group| link.group == group)
        };
        self.links.iter().filter(visits).map(|(peer, link)| (*peer, link))
    }

    /// Makes room for somebody who came, at the cost of a visitor of the largest group: of one that has been told what it came
    /// for, or else of the one that has been there for longest.
    pub(super) fn admit_visitor(
        &mut self,
        group: Group,
        remote: Option<IpAddr>,
        cx: &mut Cx<'_>,
    ) -> bool {
        if self.share(group) <= self.visitors(Some(group)).count() {
            return false;
        }
        // All of one address, whatever counts as a group here, but where keys are told apart by nothing else.
        let is_local = matches!(group, Group::Peer(_));
        let same = self.visitors(None).filter(|(_, link)| link.remote == remote).count();
        if !is_local && remote.is_some() && same >= PER_HOST_MAX {
            return false;
        }
        if self.visitors(None).count() >= VISITORS_MAX {
            let size = |link: &Link| self.visitors(Some(link.group)).count();
            let key = |(_, link): &(NodeId, &Link)| (Reverse(size(link)), !link.told, link.since);
            let Some((peer, link)) = self.visitors(None).min_by_key(key) else { return false };
            if size(link) == 1 && !link.told && cx.now.since(link.since) < VISIT_MIN {
                return false;
            }
            cx.signals.push_back(Signal::Close { peer });
        }
        true
    }

    /// Inbound links that one group may have.
    const fn share(&self, group: Group) -> usize {
        match (group, self.config.grouping) {
            (Group::Peer(_), _) => 1,
            (Group::Unknown, _) => usize::MAX,
            (Group::Net(_), Grouping::Host | Grouping::Peer) => PER_HOST_MAX,
            (Group::Net(_), Grouping::Subnet) => PER_SUBNET_MAX,
        }
    }

    /// Whether somebody who came may take part in gossip; somebody else may have to go for it, but none of
    /// those that we know from elsewhere, and not for a group whose newcomers have cost others their places.
    pub(super) fn admit_inbound(
        &mut self,
        peer: NodeId,
        known: &[NodeId],
        cx: &mut Cx<'_>,
    ) -> bool {
        let Some(link) = self.links.get(&peer) else { return false };
        let (group, remote) = (link.group, link.remote);
        let guests: Vec<_> = self.links.iter().filter_map(guest).collect();
        let is_local = matches!(group, Group::Peer(_));
        if self.silent.left(&group, cx.now) == 0 {
            // Its places were of no use to anybody, time and again.
            return false;
        }
        let hosts = guests.iter().filter(|(_, other)| *other == remote).count();
        if guests.iter().filter(|(guest, _)| guest.group == group).count() >= self.share(group)
            || (!is_local && remote.is_some() && hosts >= PER_HOST_MAX)
        {
            return false;
        }
        if guests.len() < self.config.inbound_max {
            return true;
        }
        let stays =
            |guest: &Guest| known.contains(&guest.peer) || cx.now.since(guest.since) < VISIT_MIN;
        let guests = guests.into_iter().map(|(guest, _)| guest).filter(|guest| !stays(guest));
        let Some(peer) = evict(guests.collect()) else { return false };
        if self.evictions.take(group, 1, cx.now) == 0 {
            return false;
        }
        cx.signals.push_back(Signal::Close { peer });
        true
    }
}

fn guest((peer, link): (&NodeId, &Link)) -> Option<(Guest, Option<IpAddr>)> {
    let Link { group, since, served, rank, remote, .. } = *link;
    let guest = Guest { peer: *peer, group, since, served, rank };
    (link.role == Some(Role::Inbound)).then_some((guest, remote))
}
