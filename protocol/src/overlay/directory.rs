//! Where the peers are whom this node may want to reach.
//!
//! *Contacts* are what the operator, a manifest or a file said: a peer and its addresses, unsigned. *Members* are
//! those that a dial of ours has found where they said they were; only they are drawn. What is known of a
//! member lasts as long as somebody asks for it: the view, the samples, a link.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Verified};

use super::{book::Endpoint, place::Place, record::SignedRecord};
use crate::input::{Address, Candidate};

/// Contacts that are kept; further ones are ignored.
const CONTACTS_MAX: usize = 4096;
/// Addresses kept of one contact; the oldest goes first.
const ADDRESSES_MAX: usize = 8;
/// Members kept beside those that are in use. Those not in use go first when there are more.
pub(super) const SPARE_MAX: usize = 64;

/// Who may be reached, and where.
#[derive(Debug, Default)]
pub(super) struct Directory {
    contacts: BTreeMap<NodeId, Vec<Address>>,
    members: BTreeMap<NodeId, Member>,
}

/// A peer that a dial of ours has found.
#[derive(Debug)]
pub(super) struct Member {
    /// Where it was found.
    pub(super) place: Place,
    /// By which address it was found, if it has not said more.
    addresses: Vec<Address>,
    /// What it says of itself.
    pub(super) record: Option<Verified<SignedRecord>>,
}

/// The IP address in an address, if there is one. An IPv4 address written as IPv6 is IPv4.
pub(super) fn ip_of(address: &Address) -> Option<IpAddr> {
    Endpoint::parse(address).ok().map(|endpoint| endpoint.ip.to_canonical())
}

impl Directory {
    /// Somebody may be reached there. Whether that is news.
    pub(super) fn know(&mut self, Candidate { peer, address }: Candidate) -> bool {
        let is_new = !self.contacts.contains_key(&peer);
        if is_new && self.contacts.len() >= CONTACTS_MAX {
            return false;
        }
        let addresses = self.contacts.entry(peer).or_default();
        if !addresses.contains(&address) {
            if addresses.len() >= ADDRESSES_MAX {
                addresses.remove(0);
            }
            addresses.push(address);
        }
        is_new
    }

    /// A dial of ours, or what is as good, has found a peer there.
    pub(super) fn found(&mut self, peer: NodeId, place: Place, address: Option<Address>) {
        let member = self.members.entry(peer).or_insert_with(|| Member {
            place,
            addresses: Vec::new(),
            record: None,
        });
        member.place = place;
        if let Some(address) = address
            && !member.addresses.contains(&address)
        {
            member.addresses.clear();
            member.addresses.push(address);
        }
    }

    /// A member signed a record. What is older than what it signed before is ignored.
    pub(super) fn sign(&mut self, record: &Verified<SignedRecord>) {
        let Some(member) = self.members.get_mut(&record.record().id) else { return };
        let number = |record: &Verified<SignedRecord>| record.record().number;
        if member.record.as_ref().map(number) < Some(number(record)) {
            member.record = Some(record.clone());
        }
    }

    pub(super) fn contact(&self, peer: &NodeId) -> Option<&[Address]> {
        self.contacts.get(peer).map(Vec::as_slice)
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = &NodeId> {
        self.contacts.keys()
    }

    pub(super) fn member(&self, peer: &NodeId) -> Option<&Member> {
        self.members.get(peer)
    }

    pub(super) fn members(&self) -> impl ExactSizeIterator<Item = (&NodeId, &Member)> {
        self.members.iter()
    }

    /// Where a member was found, what it says, and what was said of it.
    pub(super) fn addresses(&self, peer: &NodeId) -> Vec<Address> {
        let mut addresses = Vec::new();
        if let Some(member) = self.members.get(peer) {
            let said = member.record.iter().flat_map(|record| &record.record().addresses);
            // Only hosts where it was found: a record may name others'.
            let there = |address: &&Address| {
                ip_of(address) == member.place.ip() || member.place == Place::UNKNOWN
            };
            addresses.extend(said.chain(&member.addresses).filter(there).cloned());
        }
        if addresses.is_empty() {
            addresses.extend(self.contact(peer).into_iter().flatten().cloned());
        }
        addresses
    }

    /// A peer is not where it was found any more.
    pub(super) fn lose(&mut self, peer: &NodeId) {
        self.members.remove(peer);
    }

    /// A peer is banned for good.
    pub(super) fn forget(&mut self, peer: &NodeId) {
        self.members.remove(peer);
        self.contacts.remove(peer);
    }

    /// Lets go of members that nobody asks for, if there are many.
    pub(super) fn prune(&mut self, used: &BTreeSet<NodeId>) {
        if self.members.len() > used.len() + SPARE_MAX {
            self.members.retain(|peer, _| used.contains(peer));
        }
    }

    /// Contacts, and the most there may be.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.contacts.len(), CONTACTS_MAX)
    }
}
