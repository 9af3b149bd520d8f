//! Who is drawn for a link, who is visited next, and which link was drawn long enough ago.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::{Address, Group, IpAddr, Overlay, ROUND, below, ip_of};
use crate::time::{Time, Timestamp};

/// Draws in search of a group that has no link yet.
const DRAWS: usize = 24;
/// Looks into the book in search of somebody who may be dialled.
const PICKS: usize = 4;
/// Links in one group while the view has yet to settle: those who came first may be one crowd, and a group is
/// one voter.
const EARLY_PER_GROUP: usize = 2;
/// A link is replaced this often, give or take a quarter. With 8 to 24 links, each lasts for an hour or two.
const ROTATE_EVERY: Duration = Duration::from_secs(300);

/// Somebody to reach.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) peer: NodeId,
    pub(crate) address: Address,
    pub(crate) group: Group,
}

/// Where there are links already.
#[derive(Debug)]
pub(crate) struct Taken {
    /// How many in each group.
    groups: BTreeMap<Group, usize>,
    systems: BTreeSet<u32>,
}

/// How much a link there would add to those there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Novelty {
    /// There is one in this group.
    None,
    /// There is none in this group, but one in this autonomous system.
    Group,
    /// There is none in this group, and none in this autonomous system if that is known.
    System,
}

/// How good a choice is; the better, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// It answered when it was asked last.
    is_sure: bool,
    novelty: Novelty,
}

impl Merit {
    const BEST: Self = Self { is_sure: true, novelty: Novelty::System };
}

impl Taken {
    fn novelty(&self, group: &Group, system: Option<u32>) -> Novelty {
        match system {
            _ if self.groups.contains_key(group) => Novelty::None,
            Some(system) if self.systems.contains(&system) => Novelty::Group,
            Some(_) | None => Novelty::System,
        }
    }
}

impl Overlay {
    /// Where there are links: how many in each group, and at which addresses.
    pub(crate) fn taken(
        &self,
        groups: BTreeMap<Group, usize>,
        ips: impl Iterator<Item = IpAddr>,
    ) -> Taken {
        Taken { groups, systems: ips.filter_map(|ip| self.config.asns.lookup(ip)).collect() }
    }

    /// Draws a peer for a link, in an autonomous system and a group that have none if one can be found.
    pub(crate) fn draw(
        &mut self,
        is_free: &dyn Fn(&NodeId) -> bool,
        taken: &Taken,
        rng: &mut ChaCha8Rng,
    ) -> Option<Target> {
        if let Some(anchor) = self.draw_anchor(is_free, rng) {
            return Some(anchor);
        }
        let view: Vec<NodeId> = self.sampler.view().map(|(peer, _)| peer).collect();
        let mut second = None;
        for _ in 0..DRAWS {
            let sample = self.samples.pop_front();
            let at = below(rng, view.len());
            let Some(peer) = sample.or_else(|| view.get(at).copied()) else { break };
            if self.suits(&peer, is_free, taken, &mut second) {
                return self.target(peer, rng);
            }
        }
        if self.directory.members().len() <= self.sampler.slots() {
            // The network, as far as it is known, is smaller than the view: everybody is a sample.
            let members: Vec<NodeId> = self.directory.members().map(|(peer, _)| *peer).collect();
            let (before, after) = members.split_at(below(rng, members.len()));
            for peer in after.iter().chain(before) {
                if self.suits(peer, is_free, taken, &mut second) {
                    return self.target(*peer, rng);
                }
            }
        }
        second.and_then(|(_, peer)| self.target(peer, rng))
    }

    /// Whether there is no better choice than this. If there may be, it is noted as the second if it is better
    /// than that.
    fn suits(
        &self,
        peer: &NodeId,
        is_free: &dyn Fn(&NodeId) -> bool,
        taken: &Taken,
        second: &mut Option<(Merit, NodeId)>,
    ) -> bool {
        let Some(member) = self.directory.member(peer).filter(|_| is_free(peer)) else {
            return false;
        };
        let grouping = self.config.network.defence().grouping;
        let group = Group::of(*peer, member.place.ip(), grouping);
        let links = taken.groups.get(&group).copied().unwrap_or(0);
        if self.settled_at.is_none() && links >= EARLY_PER_GROUP {
            return false;
        }
        let novelty = taken.novelty(&group, member.place.asn());
        let merit = Merit { is_sure: !self.doubtful.contains_key(peer), novelty };
        if second.is_none_or(|(best, _)| best < merit) {
            *second = Some((merit, *peer));
        }
        merit == Merit::BEST
    }

    /// Whom an earlier life was linked with comes first: nobody can have arranged that since. So does, while nobody at all is
    /// connected, whom this node was linked with for longest.
    fn draw_anchor(
        &mut self,
        is_free: &dyn Fn(&NodeId) -> bool,
        rng: &mut ChaCha8Rng,
    ) -> Option<Target> {
        if self.met.is_empty() && self.anchors.is_empty() {
            self.anchors.extend(self.book.anchors().iter().rev());
        }
        while let Some(anchor) = self.anchors.pop() {
            if let Some(target) = self.target(anchor, rng).filter(|_| is_free(&anchor)) {
                return Some(target);
            }
        }
        None
    }

    /// How a peer may be reached.
    fn target(&self, peer: NodeId, rng: &mut ChaCha8Rng) -> Option<Target> {
        let mut addresses = match self.tried.get(&peer) {
            Some(record) => record.record().addresses.clone(),
            None => self.directory.addresses(&peer),
        };
        if let (true, Some(contact)) = (addresses.is_empty(), self.book.contact(&peer)) {
            addresses.clone_from(&contact.addresses);
        }
        if self.tried.contains_key(&peer) {
            // It would win because of where it says it is first of all.
            let first = addresses.first().map(ip_of);
            addresses.retain(|address| Some(ip_of(address)) == first);
            addresses.retain(|address| !self.book.is_own(address));
        }
        let address = addresses.get(below(rng, addresses.len()))?.clone();
        let place = self.directory.member(&peer).map(|member| member.place);
        let ip = place.map_or_else(|| ip_of(&address), |place| place.ip());
        let group = Group::of(peer, ip, self.config.network.defence().grouping);
        Some(Target { peer, address, group })
    }

    /// Whom to visit next; while links are lacking, any contact that may be dialled.
    pub(crate) fn next_visit(
        &mut self,
        is_free: &dyn Fn(&NodeId) -> bool,
        is_lacking: bool,
        wall: Timestamp,
        rng: &mut ChaCha8Rng,
    ) -> Option<Target> {
        let is_new =
            |overlay: &Self, peer: &NodeId| !overlay.met.contains_key(peer) && is_free(peer);
        while let Some(peer) = self.visits.pop_front() {
            if let Some(target) = self.target(peer, rng).filter(|_| is_new(self, &peer)) {
                return Some(target);
            }
            self.errands.remove(&peer);
            self.tried.remove(&peer);
        }
        if !is_lacking {
            return None;
        }
        while !self.fresh.is_empty() {
            let peer = self.fresh.swap_remove(below(rng, self.fresh.len()));
            if let Some(target) = self.target(peer, rng).filter(|_| is_new(self, &peer)) {
                return Some(self.ask(target));
            }
        }
        let unmet = |peer: &&NodeId| self.directory.member(peer).is_none() && is_new(self, peer);
        let contacts: Vec<NodeId> = self.directory.contacts().filter(unmet).copied().collect();
        if let Some(peer) = contacts.get(below(rng, contacts.len())) {
            return self.target(*peer, rng).map(|target| self.ask(target));
        }
        // Last, what an earlier life and others have told: half of it was reached once.
        let mut picks = (0..PICKS).filter_map(|_| self.book.pick(wall, rng));
        let picked = picks.find(|peer| is_new(self, peer));
        self.target(picked?, rng).map(|target| self.ask(target))
    }

    /// Has a peer asked for its view when it is met.
    fn ask(&mut self, target: Target) -> Target {
        self.errands.entry(target.peer).or_default().pull = true;
        target
    }

    /// Whom the operator wants, and where.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Target> {
        let grouping = self.config.network.defence().grouping;
        self.kept.iter().map(move |(peer, address)| Target {
            peer: *peer,
            address: address.clone(),
            group: Group::of(*peer, ip_of(address), grouping),
        })
    }

    /// Whether it is time to draw a link anew.
    pub(crate) fn rotates(&self, now: Time) -> bool {
        self.settled_at.is_some() && self.rotate_at <= now
    }

    /// A link is being drawn anew, or there was nobody else to draw. Links that were drawn before the view
    /// had settled were drawn from what the first contacts said: they go soon, one after the other.
    pub(crate) fn rotated(&mut self, chosen: &[(NodeId, Time)], now: Time, rng: &mut ChaCha8Rng) {
        let is_early = chosen.iter().any(|link| self.is_early(link));
        let jitter = 0.75 + f64::from(rng.next_u32()) / f64::from(u32::MAX) / 2.0;
        self.rotate_at = now + if is_early { ROUND } else { ROTATE_EVERY.mul_f64(jitter) };
    }

    /// Whether a link was drawn from what the first contacts said. That with an anchor was not.
    fn is_early(&self, (peer, chosen_at): &(NodeId, Time)) -> bool {
        !self.trusted.contains(peer)
            && self.settled_at.is_some_and(|settled_at| *chosen_at < settled_at)
    }

    /// Which of the links that were drawn makes room: one of the early ones, else any but the latest.
    pub(crate) fn oldest(&self, chosen: &[(NodeId, Time)], rng: &mut ChaCha8Rng) -> Option<NodeId> {
        let early: Vec<_> = chosen.iter().filter(|link| self.is_early(link)).collect();
        let latest = chosen.iter().map(|(_, at)| *at).max()?;
        let others: Vec<_> = chosen.iter().filter(|(_, at)| *at < latest).collect();
        let from = if early.is_empty() { others } else { early };
        from.get(below(rng, from.len())).map(|(peer, _)| *peer)
    }
}
