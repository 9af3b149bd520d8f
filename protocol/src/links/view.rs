//! What others ask about links: who is linked, what is lacking, who may be dialled, and how full it is.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use super::{Link, Links, OBSERVERS_MAX, Purpose, Role, places::VISITORS_MAX};
use crate::{budget::BUDGETS_MAX, group::Group, time::Time};

/// From whom nothing has come for so long may be cut off: nearly all the time that there is to keep a promise.
const CUT_OFF: Duration = Duration::from_secs(7);
/// And how soon that is believed again.
const EXCUSE_EVERY: Duration = Duration::from_secs(600);

impl Links {
    /// The link to a connected peer.
    pub(crate) fn get(&self, peer: &NodeId) -> Option<&Link> {
        self.links.get(peer)
    }

    /// Something came from a peer.
    pub(crate) fn hear(&mut self, peer: &NodeId, now: Time) -> Option<&Link> {
        let link = self.links.get_mut(peer)?;
        link.heard = now;
        Some(link)
    }

    /// Whether it may be for want of a network that a peer did not keep a promise: nothing at all has come from it for about as long
    /// as it had. One silence is excused, whatever was asked in it, and then none for a while: it could be chosen.
    pub(crate) fn excuses(&mut self, peer: &NodeId, now: Time) -> bool {
        let Some(link) = self.links.get_mut(peer) else { return false };
        if now.since(link.heard) < CUT_OFF {
            return false;
        }
        match link.excused {
            Some((since, _)) if since == link.heard => true,
            Some((_, at)) if now < at + EXCUSE_EVERY => false,
            Some(_) | None => {
                link.excused = Some((link.heard, now));
                true
            }
        }
    }

    /// All that is open, whatever it is for.
    pub(crate) fn all(&self) -> impl Iterator<Item = (NodeId, &Link)> {
        self.links.iter().map(|(peer, link)| (*peer, link))
    }

    /// All peers with which gossip goes on.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (NodeId, &Link)> {
        self.links.iter().filter(|(_, link)| link.joined).map(|(peer, link)| (*peer, link))
    }

    /// All witnesses, those that have yet to say hello included.
    pub(crate) fn witnesses(&self) -> impl Iterator<Item = (NodeId, &Link)> {
        let witnesses = self.links.iter().filter(|(_, link)| link.role == Some(Role::Witness));
        witnesses.map(|(peer, link)| (*peer, link))
    }

    /// Independent witnesses that have said hello.
    pub(crate) fn independent_witnesses(&self) -> usize {
        let witnesses = self.joined().filter(|(_, link)| link.role == Some(Role::Witness));
        witnesses.map(|(_, link)| link.group).collect::<BTreeSet<_>>().len()
    }

    /// How many witnesses each group has, those that are being dialled included.
    pub(crate) fn witness_groups(&self) -> BTreeMap<Group, usize> {
        let mut groups = BTreeMap::new();
        let linked = self.witnesses().map(|(_, link)| link.group);
        let dialled = self.dials.groups(Purpose::Witness);
        linked.chain(dialled).for_each(|group| *groups.entry(group).or_default() += 1);
        groups
    }

    /// Who came to us last and takes part.
    pub(crate) fn latest_guest(&self) -> Option<(NodeId, Group)> {
        let guests = self.joined().filter(|(_, link)| link.role == Some(Role::Inbound));
        guests.max_by_key(|(_, link)| link.since).map(|(peer, link)| (peer, link.group))
    }

    /// Links that this node wants to have chosen.
    pub(crate) const fn outbound_target(&self) -> usize {
        self.config.outbound_target
    }

    /// Those, and more while messages lack vouches because too many are silent.
    pub(crate) const fn drawn_target(&self) -> usize {
        self.config.outbound_target + self.extra
    }

    /// How many these are, as long as there are more than usual; else none.
    pub(crate) const fn relief(&self) -> usize {
        if self.extra > 0 { self.drawn_target() } else { 0 }
    }

    /// Peers whose failures are remembered, and the most there may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        self.dials.usage()
    }

    /// Inbound links, and the most there may be.
    pub(crate) fn inbound_usage(&self) -> (usize, usize) {
        let inbound = |link: &&Link| link.role == Some(Role::Inbound);
        (self.links.values().filter(inbound).count(), self.config.inbound_max)
    }

    /// Inbound links if there is no place for another.
    pub(crate) fn crowd(&self) -> impl Iterator<Item = &NodeId> {
        let (used, max) = self.inbound_usage();
        let inbound = self.links.iter().filter(|(_, link)| link.role == Some(Role::Inbound));
        inbound.filter(move |_| used >= max).map(|(peer, _)| peer)
    }

    /// Groups whose budgets are remembered, and the most there may be.
    pub(crate) fn eviction_usage(&self) -> (usize, usize) {
        (self.evictions.len(), BUDGETS_MAX)
    }

    /// Groups whose silent links are remembered, and the most there may be.
    pub(crate) fn silent_usage(&self) -> (usize, usize) {
        (self.silent.len(), BUDGETS_MAX)
    }

    /// Visitors, and the most there may be.
    pub(crate) fn visitor_usage(&self) -> (usize, usize) {
        (self.visitors(None).count(), VISITORS_MAX)
    }

    /// Whether whom to choose is to be looked at again, since the last time that this was asked.
    pub(crate) const fn take_restless(&mut self) -> bool {
        core::mem::replace(&mut self.restless, false)
    }

    /// Whether so many witnesses beyond the target may be sought.
    pub(crate) fn wants_witness(&self, beyond: usize) -> bool {
        let chosen = self.witnesses().count() + self.dials.count(Purpose::Witness);
        chosen < self.drawn_target() + beyond && self.dials.has_room(Purpose::Witness)
    }

    /// Whether there are fewer visits under way than witnesses are lacking.
    pub(crate) fn is_lacking(&self) -> bool {
        let dialled = self.dials.count(Purpose::Witness) + self.dials.count(Purpose::Visit);
        let unmet = self.links.values().filter(|link| link.hello.is_none()).count();
        self.witnesses().count() + dialled + unmet < self.config.outbound_target
    }

    /// Whether another of the operator's peers may be dialled.
    pub(crate) fn may_keep(&self) -> bool {
        self.dials.has_room(Purpose::Kept)
    }

    /// Whether another visit may begin.
    pub(crate) fn may_visit(&self) -> bool {
        self.dials.has_room(Purpose::Visit)
    }

    /// Whether a peer could be made a witness now.
    pub(crate) fn is_free(&self, peer: &NodeId, now: Time) -> bool {
        match self.links.get(peer) {
            // Who was let go for its silence may have come back for a visit.
            Some(link) => link.role != Some(Role::Witness) && self.dials.may(peer, now),
            None => self.may_dial(peer, now),
        }
    }

    /// Whether a peer is not linked and may be dialled now.
    pub(crate) fn may_dial(&self, peer: &NodeId, now: Time) -> bool {
        !self.links.contains_key(peer) && !self.dials.pending(peer) && self.dials.may(peer, now)
    }

    /// Whether another dial for this may begin.
    pub(crate) fn has_room(&self, purpose: Purpose) -> bool {
        self.dials.has_room(purpose)
    }

    /// Peers that observe us, and the most there may be.
    pub(crate) fn observer_usage(&self) -> (usize, usize) {
        (self.links.values().filter(|link| link.is_observer).count(), OBSERVERS_MAX)
    }

    /// Whether a peer is as the operator wants it, or is about to be.
    pub(crate) fn is_kept(&self, peer: &NodeId, now: Time) -> bool {
        match self.links.get(peer) {
            Some(link) => link.kept,
            None => self.dials.pending(peer) || !self.dials.may(peer, now),
        }
    }
}
