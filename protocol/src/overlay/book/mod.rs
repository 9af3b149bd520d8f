//! The address book: whom this node has heard of, and whom it has reached.
//!
//! It promises that nobody can fill it with lies. A peer that was only heard of stands in the *new* table, in
//! a bucket that a secret key picks from its source's group and its own, so one source reaches few buckets
//! and displaces nobody who may still be good. A peer that a dial of ours reached stands in the *tried*
//! table, and goes only after a dial to it has failed (test before evict). A peer's id is its name;
//! its addresses are those of its signed record of the highest number.
//!
//! Sources: Heilman et al., "Eclipse Attacks on Bitcoin's Peer-to-Peer Network" (USENIX Security 2015), and
//! Bitcoin Core's `addrman`, whose rules for terrible addresses, failures while offline and feelers these
//! are. Unlike there, a contested tried entry whose test never took place stays.
//!
//! It does not know links, frames or signatures: its caller verifies records before it shows them here,
//! and dials. All times are the wall clock's, since they are stored.

mod address;
mod bucket;
mod entries;
mod entry;
mod moves;
mod shelf;
mod stored;
#[cfg(test)]
mod tests;
mod unsaved;

use core::{net::IpAddr, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

pub use self::{
    address::{Endpoint, Refused},
    bucket::{Group, NEW_BUCKETS, NEW_PER_SOURCE, SLOTS, Shelf, TRIED_BUCKETS, TRIED_PER_GROUP},
    entry::{Contact, HORIZON},
    stored::Stored,
};
use self::{
    bucket::Key,
    entries::Entries,
    entry::{Entry, Reached, Standing},
    shelf::{Table, below},
    unsaved::Unsaved,
};
use super::asn::AsnMap;
use crate::{
    input::Address,
    network::{Grouping, Kind},
    snapshot::Bound,
    time::Timestamp,
};

/// Addresses of one record; more are absurd.
pub const ADDRESSES_MAX: usize = 8;
/// Bytes of a record as it travels; more are absurd.
pub const RECORD_BYTES_MAX: usize = 1536;
/// Peers of one book.
pub const PEERS_MAX: usize = (NEW_BUCKETS as usize + TRIED_BUCKETS as usize) * SLOTS as usize;
/// Addresses of our own that are remembered.
const OWN_MAX: usize = 32;
/// Buckets of the new table that one peer may stand in, through as many groups of sources.
const SPOTS_MAX: usize = 4;
/// Newcomers that wait for a test of the tried entry in their place.
const CONTESTS_MAX: usize = 16;
/// A tried entry that was reached within this needs no test. As in Bitcoin Core.
const FRESH: Duration = Duration::from_secs(4 * 3600);
/// A newcomer waits for a test at most this long. As in Bitcoin Core.
const CONTEST: Duration = Duration::from_secs(40 * 60);
/// How much further ahead than our clock a record may be dated.
const AHEAD_MAX: Duration = Duration::from_secs(600);
/// Peers dialled first after a restart.
pub const ANCHORS_MAX: usize = 2;
/// Draws before a pick gives up; each makes the next more likely to be taken.
const DRAWS_MAX: u32 = 64;

/// What a [`Book`] is told when it is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node.
    pub me: NodeId,
    /// Whether private addresses make sense.
    pub kind: Kind,
    /// Which peers can be assumed to be one party's.
    pub grouping: Grouping,
    /// Decides who stands where: random, secret, and the same over restarts.
    pub key: u64,
    /// Who runs which network: groups go by it where it is known.
    pub asns: Arc<AsnMap>,
}

/// Who showed us a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub peer: NodeId,
    /// Its address as the socket has it, if it has one.
    pub ip: Option<IpAddr>,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The peer was not known, and is now.
    Added,
    /// The record replaced one of a lower number.
    Updated,
    /// It was known.
    Known,
    /// Somebody else has its place, and no reason to go.
    Full,
}

/// Whom this node has heard of, and whom it has reached.
#[derive(Debug)]
pub struct Book {
    me: NodeId,
    kind: Kind,
    grouping: Grouping,
    key: Key,
    asns: Arc<AsnMap>,
    own: BTreeSet<Endpoint>,
    entries: Entries,
    new: Table,
    tried: Table,
    /// Who waits for a place in the tried table that is taken.
    contests: BTreeMap<NodeId, Contest>,
    anchors: Vec<NodeId>,
    /// When anybody was last reached: failures since then may be our own network's.
    last_reached: Option<Timestamp>,
    unsaved: Unsaved,
}

/// The place that a peer waits for.
#[derive(Clone, Copy, Debug)]
struct Contest {
    reached: Reached,
    since: Timestamp,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            me: config.me,
            kind: config.kind,
            grouping: config.grouping,
            key: Key(config.key),
            asns: config.asns,
            own: BTreeSet::new(),
            entries: Entries::default(),
            new: Table::new(NEW_BUCKETS),
            tried: Table::new(TRIED_BUCKETS),
            contests: BTreeMap::new(),
            anchors: Vec::new(),
            last_reached: None,
            unsaved: Unsaved::new(),
        }
    }

    /// Where this node listens, as far as it knows: nobody else is there. What is over a bound is ignored.
    pub fn set_own(&mut self, addresses: &[Address]) {
        let endpoints = addresses.iter().filter_map(|address| Endpoint::parse(address).ok());
        self.own = endpoints.take(OWN_MAX).collect();
    }

    /// Hears of a peer from somebody. The record must have been verified.
    ///
    /// # Errors
    /// Says what is wrong with the record. It is then as if it had not come.
    pub fn learn(
        &mut self,
        contact: Contact,
        source: &Source,
        now: Timestamp,
        rng: &mut ChaCha8Rng,
    ) -> Result<Learned, Refused> {
        let contact = self.check(contact, now)?;
        let peer = contact.peer;
        let source = self.group_at(&source.peer, source.ip);
        let spot = self.key.heard(&peer, &self.group(&contact), &source);
        let Some(entry) = self.entries.get_mut(&peer) else {
            return Ok(self.add(contact, source, spot, now));
        };
        let newer = contact.number > entry.contact.number;
        if newer {
            self.renew(contact);
        }
        self.spread(peer, spot, now, rng);
        Ok(if newer { Learned::Updated } else { Learned::Known })
    }

    /// Keeps of a fresh record the addresses that may be dialled.
    ///
    /// # Errors
    /// Names the first reason against the record, or against its first address if none may be dialled.
    pub fn check(&self, contact: Contact, now: Timestamp) -> Result<Contact, Refused> {
        if contact.time > now.saturating_add(AHEAD_MAX) {
            return Err(Refused::FromFuture);
        }
        if now.since(contact.time) > HORIZON {
            return Err(Refused::Outdated);
        }
        self.check_content(contact)
    }

    fn check_content(&self, mut contact: Contact) -> Result<Contact, Refused> {
        if contact.peer == self.me {
            return Err(Refused::Own);
        }
        if contact.record.len() > RECORD_BYTES_MAX {
            return Err(Refused::Oversized);
        }
        if contact.addresses.len() > ADDRESSES_MAX {
            return Err(Refused::ManyAddresses);
        }
        let mut first = None;
        contact.addresses.retain(|address| {
            let refused = self.check_address(address).err();
            first = first.or(refused);
            refused.is_none()
        });
        if contact.addresses.is_empty() {
            return Err(first.unwrap_or(Refused::NoAddress));
        }
        Ok(contact)
    }

    fn check_address(&self, address: &Address) -> Result<(), Refused> {
        let endpoint = Endpoint::parse(address)?;
        endpoint.check(self.kind)?;
        if self.own.contains(&endpoint) { Err(Refused::Own) } else { Ok(()) }
    }

    /// Whether this node itself listens there.
    #[must_use]
    pub fn is_own(&self, address: &Address) -> bool {
        Endpoint::parse(address).is_ok_and(|endpoint| self.own.contains(&endpoint))
    }

    /// A dial of ours reached the peer at this address, or a link that we dialled has lasted until now.
    /// Inbound links prove no address and do not count.
    pub fn tried(&mut self, peer: &NodeId, ip: Option<IpAddr>, now: Timestamp) {
        let group = self.group_at(peer, ip);
        let Some(entry) = self.entries.get_mut(peer) else { return };
        let dials = entry.dials_mut();
        (dials.last, dials.last_reached, dials.failures) = (Some(now), Some(now), 0);
        self.last_reached = Some(now);
        self.unsaved.change(*peer);
        if let Standing::Tried(reached) = &entry.standing {
            // It has passed its test.
            self.contests.retain(|_, contest| contest.reached.spot != reached.spot);
            return;
        }
        let spot = self.key.reached(peer, &group);
        let reached = Reached { spot, group };
        let Some(occupant) = self.tried.get(spot).and_then(|occupant| self.entries.at(occupant))
        else {
            return self.promote(*peer, reached);
        };
        let fresh = occupant.dials().last_reached.is_some_and(|last| now.since(last) < FRESH);
        let contested = self.contests.values().any(|contest| contest.reached.spot == spot);
        if !fresh && !contested && self.contests.len() < CONTESTS_MAX {
            self.contests.insert(*peer, Contest { reached, since: now });
        }
    }

    /// A dial of ours did not reach the peer. While nobody at all is reached, one failure of each is counted:
    /// a node that is offline does not forget whom it knows.
    pub fn failed(&mut self, peer: &NodeId, now: Timestamp) {
        let Some(entry) = self.entries.get_mut(peer) else { return };
        let dials = entry.dials_mut();
        dials.last = Some(now);
        if dials.last_failure.is_some() && dials.last_failure >= self.last_reached {
            return;
        }
        dials.last_failure = Some(now);
        dials.failures = dials.failures.saturating_add(1);
        self.unsaved.change(*peer);
        if let Standing::Tried(reached) = &entry.standing {
            let spot = reached.spot;
            self.lose_contest(*peer, spot);
        }
    }

    /// A peer to dial, tried or new with equal chance. Rarely one that was dialled within ten minutes.
    pub fn pick(&self, now: Timestamp, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        let tried = match (self.tried.used(), self.new.used()) {
            (_, 0) => true,
            (0, _) => false,
            _ => rng.next_u32() & 1 == 0,
        };
        self.pick_from(if tried { &self.tried } else { &self.new }, now, rng)
    }

    /// A peer of the tried table to dial.
    pub fn pick_tried(&self, now: Timestamp, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        self.pick_from(&self.tried, now, rng)
    }

    /// A peer to dial only to see whether it is there: a tried one in whose place a newcomer waits, else one
    /// that was never reached. If it is linked, tell [`Self::tried`] so; else dial it, and tell the outcome.
    pub fn pick_feeler(&mut self, now: Timestamp, rng: &mut ChaCha8Rng) -> Option<NodeId> {
        self.contests.retain(|_, contest| now.since(contest.since) < CONTEST);
        let contested = self.contests.values().nth(below(rng, self.contests.len()));
        let occupant = contested.and_then(|contest| self.tried.get(contest.reached.spot));
        let occupant = occupant.and_then(|occupant| self.entries.at(occupant));
        let occupant = occupant.map(|occupant| occupant.contact.peer);
        occupant.or_else(|| self.pick_from(&self.new, now, rng))
    }

    /// What is known of a peer.
    #[must_use]
    pub fn contact(&self, peer: &NodeId) -> Option<&Contact> {
        self.entries.get(peer).map(|entry| &entry.contact)
    }

    /// On which shelf a peer stands.
    #[must_use]
    pub fn shelf(&self, peer: &NodeId) -> Option<Shelf> {
        let entry = self.entries.get(peer)?;
        Some(if entry.is_tried() { Shelf::Tried } else { Shelf::New })
    }

    /// All peers, by id.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.entries.iter().map(|entry| &entry.contact)
    }

    /// Peers known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets a peer: it is banned.
    pub fn forget(&mut self, peer: &NodeId) {
        self.remove(peer);
        if self.anchors.contains(peer) {
            self.anchors.retain(|anchor| anchor != peer);
            self.unsaved.change_anchors();
        }
    }

    /// Peers to dial first after a restart: the first of `links`, in distinct groups, that were reached. Give
    /// the outbound links, the oldest first.
    pub fn set_anchors(&mut self, links: impl IntoIterator<Item = NodeId>) {
        let mut groups = Vec::new();
        let mut anchors = Vec::new();
        for peer in links {
            let Some(Entry { standing: Standing::Tried(reached), .. }) = self.entries.get(&peer)
            else {
                continue;
            };
            if anchors.len() < ANCHORS_MAX && !groups.contains(&reached.group) {
                groups.push(reached.group);
                anchors.push(peer);
            }
        }
        if anchors != self.anchors && !anchors.is_empty() {
            self.anchors = anchors;
            self.unsaved.change_anchors();
        }
    }

    /// Peers to dial first after a restart.
    #[must_use]
    pub fn anchors(&self) -> &[NodeId] {
        &self.anchors
    }

    /// How full the tables are.
    #[must_use]
    pub fn bounds(&self) -> [Bound; 4] {
        let bound = |name, used, max| Bound { name, used, max };
        [
            bound("book.new", self.new.used(), self.new.max()),
            bound("book.tried", self.tried.used(), self.tried.max()),
            bound("book.contests", self.contests.len(), CONTESTS_MAX),
            bound("book.gone", self.unsaved.gone(), PEERS_MAX),
        ]
    }
}
