//! What is to be told: each piece of news a bounded number of times, the least told and then the newest first.
//!
//! The number grows with the logarithm of the members, as in SWIM (Das, Gupta, Motivala, DSN 2002, section 4.1): with `c` tellings of
//! each, some `e^-c` of the members are left out, and find out when tables are compared.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Verified};

use super::{accusation::SignedAccusation, record::SignedMember};

/// Pieces of news at most; what was told most, and is oldest, goes.
pub(super) const RUMOURS_MAX: usize = 4_096;
/// Peers remembered that know a piece of news, as they told it.
const KNOWERS_MAX: usize = 4;

/// A piece of news.
#[derive(Clone, Debug)]
pub(super) enum Rumour {
    Member(Verified<SignedMember>),
    Accusation(Verified<SignedAccusation>),
}

/// What it is about: newer news of the same takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Member(NodeId),
    /// Of a subject, by an accuser.
    Accusation(NodeId, NodeId),
}

#[derive(Debug)]
struct Item {
    rumour: Rumour,
    told: u32,
    order: u64,
    knowers: Vec<NodeId>,
}

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Rumours {
    items: BTreeMap<Topic, Item>,
    /// The least told first, of those the newest.
    queue: BTreeSet<(u32, Reverse<u64>, Topic)>,
    next: u64,
}

impl Rumour {
    fn topic(&self) -> Topic {
        match self {
            Self::Member(record) => Topic::Member(record.content().id),
            Self::Accusation(accusation) => {
                let said = accusation.content();
                Topic::Accusation(said.subject, said.accuser)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Member(record) => record.wire_bytes(),
            Self::Accusation(accusation) => accusation.wire_bytes(),
        }
    }
}

/// How often a piece of news is told in a network of this size.
pub(super) fn tellings(members: usize) -> u32 {
    let members = u32::try_from(members).unwrap_or(u32::MAX);
    // ln(n) + 4, in whole numbers: 0.7 of the bits.
    (u32::BITS - members.leading_zeros()) * 7 / 10 + 4
}

impl Rumours {
    /// Has something told, which this peer knows already.
    pub(super) fn add(&mut self, rumour: Rumour, from: Option<NodeId>) {
        let topic = rumour.topic();
        self.drop(&topic);
        let order = self.next;
        self.next = self.next.saturating_add(1);
        self.queue.insert((0, Reverse(order), topic));
        self.items
            .insert(topic, Item { rumour, told: 0, order, knowers: from.into_iter().collect() });
        if self.items.len() > RUMOURS_MAX
            && let Some((_, _, topic)) = self.queue.last().copied()
        {
            self.drop(&topic);
        }
    }

    /// A peer told it too.
    pub(super) fn knows(&mut self, topic: &Topic, peer: NodeId) {
        if let Some(item) = self.items.get_mut(topic)
            && item.knowers.len() < KNOWERS_MAX
            && !item.knowers.contains(&peer)
        {
            item.knowers.push(peer);
        }
    }

    /// It is true no more, or known to all.
    pub(super) fn drop(&mut self, topic: &Topic) {
        if let Some(item) = self.items.remove(topic) {
            self.queue.remove(&(item.told, Reverse(item.order), *topic));
        }
    }

    /// What was said of a subject is true no more.
    pub(super) fn drop_accusations(&mut self, subject: NodeId) {
        let (first, last) = (NodeId::from_bytes([0; 32]), NodeId::from_bytes([255; 32]));
        let range = Topic::Accusation(subject, first)..=Topic::Accusation(subject, last);
        let topics: Vec<_> = self.items.range(range).map(|(topic, _)| *topic).collect();
        topics.iter().for_each(|topic| self.drop(topic));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// What a peer is told now, in so many bytes; each counts as told once more, and goes when it was told often enough.
    pub(super) fn take(&mut self, peer: &NodeId, bytes_max: usize, tellings: u32) -> Vec<Rumour> {
        let mut room = bytes_max;
        let mut taken = Vec::new();
        for (_, _, topic) in &self.queue {
            let Some(item) = self.items.get(topic).filter(|item| !item.knowers.contains(peer))
            else {
                continue;
            };
            let Some(rest) = room.checked_sub(item.rumour.bytes()) else { break };
            room = rest;
            taken.push(*topic);
        }
        let rumours = taken.iter().filter_map(|topic| Some(self.items.get(topic)?.rumour.clone()));
        let rumours = rumours.collect();
        for topic in taken {
            let Some(item) = self.items.get_mut(&topic) else { continue };
            self.queue.remove(&(item.told, Reverse(item.order), topic));
            item.told += 1;
            if item.told >= tellings {
                self.items.remove(&topic);
            } else {
                self.queue.insert((item.told, Reverse(item.order), topic));
            }
        }
        rumours
    }
}
