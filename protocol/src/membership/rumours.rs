//! What is to be told: each piece of news a bounded number of times, the least told and then the newest first.
//!
//! The number grows with the logarithm of the members, as in SWIM (Das, Gupta, Motivala, DSN 2002, section 4.1): with `c` tellings of
//! each, some `e^-c` of the members are left out, and find out when tables are compared.
//!
//! Records and accusations have half of the room each, and what one leaves the other takes: a flood of accusations must not hold up
//! what answers them. Of records, rebuttals of those whom enough accuse to have them certified come first: they have seconds. Of
//! accusations, those of whom most accuse: liars are few, so what they say of everybody waits behind what many say of one.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Verified};

use super::{accusation::SignedAccusation, record::SignedMember};
use crate::time::Time;

/// Records at most, and accusations; what was told most, and is oldest, goes.
pub(super) const RUMOURS_MAX: usize = 4_096;
/// Peers remembered that know a piece of news, as they told it.
const KNOWERS_MAX: usize = 4;

/// A piece of news. Newer news of the same member, or of the same subject by the same accuser, takes its place.
#[derive(Clone, Debug)]
pub(super) enum Rumour {
    /// What a member says of itself.
    Member(Verified<SignedMember>),
    /// The same, of a member that enough accuse to have it certified, or of this node itself.
    Rebuttal(Verified<SignedMember>),
    /// An accusation, by as many independent accusers as are known with it. Nobody hears it after that time.
    Accusation { accusation: Verified<SignedAccusation>, accusers: usize, until: Time },
}

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Rumours {
    members: Shelf<NodeId, Verified<SignedMember>>,
    /// By subject and accuser.
    accusations: Shelf<(NodeId, NodeId), Verified<SignedAccusation>>,
}

/// News of one kind.
#[derive(Debug)]
struct Shelf<K, T> {
    items: BTreeMap<K, Item<T>>,
    queue: BTreeSet<(Turn, K)>,
    bytes: usize,
    next: u64,
}

/// When something is told: by its rank, then the least told, of that the newest.
type Turn = (Reverse<usize>, u32, Reverse<u64>);

#[derive(Debug)]
struct Item<T> {
    news: T,
    bytes: usize,
    turn: Turn,
    /// Worth nothing from then on.
    until: Option<Time>,
    knowers: Vec<NodeId>,
}

/// How often a piece of news is told in a network of this size.
pub(super) fn tellings(members: usize) -> u32 {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    // ln(n) + 4, in whole numbers: 0.7 of the bits.
    (u32::BITS - members.leading_zeros()) * 7 / 10 + 4
}

impl<K, T> Default for Shelf<K, T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), queue: BTreeSet::new(), bytes: 0, next: 0 }
    }
}

impl<K: Ord + Copy, T: Clone> Shelf<K, T> {
    fn add(
        &mut self,
        key: K,
        (news, bytes): (T, usize),
        rank: usize,
        until: Option<Time>,
        from: Option<NodeId>,
    ) {
        self.remove(&key);
        let turn = (Reverse(rank), 0, Reverse(self.next));
        self.next = self.next.saturating_add(1);
        self.queue.insert((turn, key));
        let knowers = from.into_iter().collect();
        self.items.insert(key, Item { news, bytes, turn, until, knowers });
        self.bytes = self.bytes.saturating_add(bytes);
        if self.items.len() > RUMOURS_MAX
            && let Some((_, last)) = self.queue.last().copied()
        {
            self.remove(&last);
        }
    }

    fn knows(&mut self, key: &K, peer: NodeId) {
        if let Some(item) = self.items.get_mut(key)
            && item.knowers.len() < KNOWERS_MAX
            && !item.knowers.contains(&peer)
        {
            item.knowers.push(peer);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(item) = self.items.remove(key) {
            self.queue.remove(&(item.turn, *key));
            self.bytes = self.bytes.saturating_sub(item.bytes);
        }
    }

    /// What a peer is told in so many bytes, and how many that takes.
    fn take(
        &mut self,
        peer: &NodeId,
        bytes_max: usize,
        (tellings, now): (u32, Time),
    ) -> (Vec<T>, usize) {
        let mut room = bytes_max;
        let (mut taken, mut stale) = (Vec::new(), Vec::new());
        for (_, key) in &self.queue {
            let Some(item) = self.items.get(key) else { continue };
            if item.until.is_some_and(|until| until <= now) {
                stale.push(*key);
                continue;
            }
            if item.knowers.contains(peer) {
                continue;
            }
            let Some(rest) = room.checked_sub(item.bytes) else { break };
            room = rest;
            taken.push(*key);
        }
        stale.iter().for_each(|key| self.remove(key));
        let news = taken.iter().filter_map(|key| Some(self.items.get(key)?.news.clone())).collect();
        for key in taken {
            let Some(item) = self.items.get_mut(&key) else { continue };
            self.queue.remove(&(item.turn, key));
            let (rank, told, order) = item.turn;
            item.turn = (rank, told.saturating_add(1), order);
            self.queue.insert((item.turn, key));
            if told.saturating_add(1) >= tellings {
                self.remove(&key);
            }
        }
        (news, bytes_max.saturating_sub(room))
    }
}

impl Rumours {
    /// Has something told, which this peer knows already.
    pub(super) fn add(&mut self, rumour: Rumour, from: Option<NodeId>) {
        match rumour {
            Rumour::Member(record) => self.add_member(record, 0, from),
            Rumour::Rebuttal(record) => self.add_member(record, 1, from),
            Rumour::Accusation { accusation, accusers, until } => {
                let said = *accusation.content();
                let bytes = accusation.wire_bytes();
                let key = (said.subject, said.accuser);
                self.accusations.add(key, (accusation, bytes), accusers, Some(until), from);
            }
        }
    }

    fn add_member(&mut self, record: Verified<SignedMember>, rank: usize, from: Option<NodeId>) {
        let (id, bytes) = (record.content().id, record.wire_bytes());
        self.members.add(id, (record, bytes), rank, None, from);
    }

    /// A peer told of a member too.
    pub(super) fn knows_member(&mut self, id: &NodeId, peer: NodeId) {
        self.members.knows(id, peer);
    }

    /// A peer told of an accusation too.
    pub(super) fn knows_accusation(&mut self, subject: NodeId, accuser: NodeId, peer: NodeId) {
        self.accusations.knows(&(subject, accuser), peer);
    }

    /// Somebody is a member no more.
    pub(super) fn drop_member(&mut self, id: &NodeId) {
        self.members.remove(id);
    }

    /// What was said of a subject is true no more.
    pub(super) fn drop_accusations(&mut self, subject: NodeId) {
        let (first, last) = (NodeId::from_bytes([0; 32]), NodeId::from_bytes([255; 32]));
        let range = self.accusations.items.range((subject, first)..=(subject, last));
        let keys: Vec<_> = range.map(|(key, _)| *key).collect();
        keys.iter().for_each(|key| self.accusations.remove(key));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.members.items.len() + self.accusations.items.len()
    }

    /// What a peer is told now, in so many bytes; each counts as told once more, and goes when it was told often enough.
    pub(super) fn take(
        &mut self,
        peer: &NodeId,
        bytes_max: usize,
        tellings: u32,
        now: Time,
    ) -> (Vec<Verified<SignedMember>>, Vec<Verified<SignedAccusation>>) {
        let left_to_accusations = self.accusations.bytes.min(bytes_max / 2);
        let room = bytes_max.saturating_sub(left_to_accusations);
        let (members, used) = self.members.take(peer, room, (tellings, now));
        let room = bytes_max.saturating_sub(used);
        let (accusations, _) = self.accusations.take(peer, room, (tellings, now));
        (members, accusations)
    }
}
