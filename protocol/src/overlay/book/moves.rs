//! How peers come to stand in the book, change their place in it, and go.
//!
//! Each peer stands in one to [`SPOTS_MAX`] slots of the new table or in one slot of the tried table, and
//! each slot that is taken is some peer's: every move here keeps both sides in step.

use core::net::IpAddr;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::{
    Book, Contact, DRAWS_MAX, Endpoint, Group, Learned, SPOTS_MAX,
    bucket::Spot,
    entry::{Entry, Reached, Spots, Standing},
    shelf::Table,
};
use crate::time::Timestamp;

impl Book {
    /// The group of a peer at an address.
    pub(super) fn group_at(&self, peer: &NodeId, ip: Option<IpAddr>) -> Group {
        Group::of(peer, ip, ip.and_then(|ip| self.asns.lookup(ip)), self.grouping)
    }

    /// The group that a record's first address is in; what counts is the group that is reached.
    pub(super) fn group(&self, contact: &Contact) -> Group {
        let first = contact.addresses.first().and_then(|address| Endpoint::parse(address).ok());
        self.group_at(&contact.peer, first.map(|endpoint| endpoint.ip))
    }

    /// Puts a peer that was not known into the new table, if there is room.
    pub(super) fn add(
        &mut self,
        contact: Contact,
        source: Group,
        spot: Spot,
        now: Timestamp,
    ) -> Learned {
        let occupant = self.new.get(spot).and_then(|occupant| self.entries.at(occupant));
        // Who stands elsewhere too, or has long been silent, makes room.
        if occupant.is_some_and(|entry| !entry.stands_elsewhere() && !entry.is_terrible(now)) {
            return Learned::Full;
        }
        self.clear_new(spot);
        let peer = contact.peer;
        let standing = Standing::New(Spots::from_iter([spot]));
        let Some(handle) = self.entries.insert(Entry::new(contact, source, standing)) else {
            return Learned::Full;
        };
        self.new.put(spot, handle);
        self.unsaved.change(peer);
        Learned::Added
    }

    /// Takes over a record of a higher number.
    pub(super) fn renew(&mut self, contact: Contact) {
        let peer = contact.peer;
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        let moved = entry.contact.addresses != contact.addresses;
        entry.contact = contact.clone();
        self.unsaved.change(peer);
        let Standing::Tried(reached) = &entry.standing else { return };
        let Reached { spot, group } = **reached;
        // What was reached is no longer among its addresses: the new ones have to be reached first. Else one
        // host could take places in the tried table and then name any addresses as good.
        if moved && !self.names(&contact, &group) {
            self.tried.clear(spot);
            self.demote(peer);
            self.settle(spot);
        }
    }

    /// Whether a record has an address in this group.
    fn names(&self, contact: &Contact, group: &Group) -> bool {
        let mut endpoints = contact.addresses.iter().filter_map(|a| Endpoint::parse(a).ok());
        endpoints.any(|endpoint| self.group_at(&contact.peer, Some(endpoint.ip)) == *group)
    }

    /// A known peer was heard of through another group: a second place makes it harder to push out. Half as
    /// likely with each that it has.
    pub(super) fn spread(
        &mut self,
        peer: NodeId,
        spot: Spot,
        now: Timestamp,
        rng: &mut ChaCha8Rng,
    ) {
        let Some(Entry { standing: Standing::New(spots), .. }) = self.entries.get(&peer) else {
            return;
        };
        let there = spots.len() >= SPOTS_MAX || spots.contains(&spot);
        if there || rng.next_u32() & ((1 << spots.len()) - 1) != 0 {
            return;
        }
        let occupant = self.new.get(spot).and_then(|occupant| self.entries.at(occupant));
        if occupant.is_some_and(|entry| !entry.is_terrible(now)) {
            return;
        }
        self.clear_new(spot);
        let Some(handle) = self.entries.handle(&peer) else { return };
        self.new.put(spot, handle);
        if let Some(Entry { standing: Standing::New(spots), .. }) = self.entries.get_mut(&peer) {
            spots.push(spot);
        }
        self.unsaved.change(peer);
    }

    /// Empties a slot of the new table. Who stands nowhere else is forgotten.
    fn clear_new(&mut self, spot: Spot) {
        let occupant = self.new.get(spot).and_then(|occupant| self.entries.at(occupant));
        let Some(peer) = occupant.map(|occupant| occupant.contact.peer) else { return };
        self.new.clear(spot);
        let Some(Entry { standing: Standing::New(spots), .. }) = self.entries.get_mut(&peer) else {
            return;
        };
        spots.retain(|other| *other != spot);
        if spots.is_empty() {
            self.remove(&peer);
        } else {
            self.unsaved.change(peer);
        }
    }

    /// Takes a peer out of all places.
    pub(super) fn remove(&mut self, peer: &NodeId) {
        let Some(entry) = self.entries.remove(peer) else { return };
        self.contests.remove(peer);
        self.unsaved.forget(*peer, entry.stored);
        match entry.standing {
            Standing::New(spots) => spots.into_iter().for_each(|spot| self.new.clear(spot)),
            Standing::Tried(reached) => {
                self.tried.clear(reached.spot);
                self.settle(reached.spot);
            }
        }
    }

    /// Moves a peer from the new table to a place in the tried one. Who stood there has to be moved next.
    pub(super) fn promote(&mut self, peer: NodeId, reached: Reached) {
        let Some(handle) = self.entries.handle(&peer) else { return };
        let Some(entry) = self.entries.get_mut(&peer) else { return };
        let old = core::mem::replace(&mut entry.standing, Standing::Tried(Box::new(reached)));
        if let Standing::New(spots) = old {
            spots.into_iter().for_each(|spot| self.new.clear(spot));
        }
        self.tried.put(reached.spot, handle);
        self.contests.remove(&peer);
        self.unsaved.change(peer);
    }

    /// Moves a peer that has lost its place in the tried table back to the new one, instead of whoever is
    /// there: it was reached once, and the other perhaps never.
    pub(super) fn demote(&mut self, peer: NodeId) {
        let Some(entry) = self.entries.get(&peer) else { return };
        let spot = self.key.heard(&peer, &self.group(&entry.contact), &entry.source);
        self.clear_new(spot);
        let Some(handle) = self.entries.handle(&peer) else { return };
        self.new.put(spot, handle);
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.standing = Standing::New(Spots::from_iter([spot]));
        }
        self.unsaved.change(peer);
    }

    /// A tried peer has failed its test. If somebody waits for its place, they change.
    pub(super) fn lose_contest(&mut self, loser: NodeId, spot: Spot) {
        if let Some((newcomer, reached)) = self.waiting_for(spot) {
            self.promote(newcomer, reached);
            self.demote(loser);
        }
    }

    /// A place in the tried table is free. If somebody waits for it, it is theirs.
    fn settle(&mut self, spot: Spot) {
        if let Some((newcomer, reached)) = self.waiting_for(spot) {
            self.promote(newcomer, reached);
        }
    }

    fn waiting_for(&self, spot: Spot) -> Option<(NodeId, Reached)> {
        let contest = self.contests.iter().find(|(_, contest)| contest.reached.spot == spot);
        contest.map(|(newcomer, contest)| (*newcomer, contest.reached))
    }

    /// Draws from a table until a draw is taken, in the end any.
    pub(super) fn pick_from(
        &self,
        table: &Table,
        now: Timestamp,
        rng: &mut ChaCha8Rng,
    ) -> Option<NodeId> {
        let mut drawn = table.draw(rng)?;
        let mut boost = 1.0;
        for _ in 1..DRAWS_MAX {
            let chance = self.entries.at(drawn).map_or(0.0, |entry| entry.chance(now));
            if f64::from(rng.next_u32()) < chance * boost * f64::from(u32::MAX) {
                break;
            }
            drawn = table.draw(rng)?;
            // A fifth more with each draw, as in Bitcoin Core.
            boost *= 1.2;
        }
        self.entries.at(drawn).map(|entry| entry.contact.peer)
    }
}
