//! The trees along which payloads travel: one for each author heard of lately, and one for each topic for the rest.
//!
//! Plumtree keeps one tree, shaped by whoever published first; for everybody else it is a detour (Leitão, Pereira,
//! Rodrigues, section 3.8, who leave trees for each sender to others). Here an author's tree begins as the topic's
//! and is then its own: directed, from parent to children. A node's parent is who last brought it a message of this
//! author first; its children are the neighbours that asked for it and have not sent it back since.
//!
//! The authors that have a tree are bounded in number. Whoever was silent for longest makes room, unless even that
//! one was heard lately: then newcomers are carried along the topic's tree. So keys that somebody makes up cost
//! honest authors no tree that they use.
//!
//! Redundancy is what it has to be: one parent in peace, and while much of what an author says has to be asked for, because
//! parents withhold it or links lose it, a second one, drawn among those who vouch.
//!
//! A large payload goes whole only to a child that is known to have no other parent; it is announced to the others.

mod author;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;

pub(super) use self::author::Carried;
pub(crate) use self::author::Repeated;
use self::author::{Push, Tree};
use crate::{
    agenda::Agenda, machine::below, network::TopicId, peer_map::PeerMap, snapshot::Bound,
    time::Time,
};

/// Authors that have a tree of their own.
const AUTHORS_MAX: usize = 1024;
/// A tree that was used so lately is not given up for another.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// A neighbour that still sends duplicates so long after it was told not to is told again: our word and a
/// graft of its own have crossed, and each side believes something else. Longer than most round trips.
const TELL_AGAIN: Duration = Duration::from_secs(1);
/// How often a neighbour is adopted as a parent in vain before it is not any more.
const TRIES_MAX: u8 = 1;
/// A neighbour that did not choose us, and that nothing was said to for so long and for so many messages, is vouched to all
/// the same: it can see that we are of use. Whoever says nothing for a minute may be let go.
const SAMPLE_EVERY: Duration = Duration::from_secs(15);
const SAMPLE: u8 = 8;

/// The neighbours and the trees.
#[derive(Debug)]
pub(super) struct Trees {
    neighbours: PeerMap<Neighbour>,
    authors: BTreeMap<NodeId, Tree>,
    /// Authors by when they were last heard.
    heard: Agenda<Time, NodeId>,
}

#[derive(Debug, Default)]
struct Neighbour {
    /// The topics on whose tree it is lazy, in order, with when it was last told: most networks have few. A newcomer
    /// is eager everywhere; the first duplicate tells whether that was one link too many.
    lazy: Vec<(TopicId, Time)>,
    /// It chose us, and is vouched to.
    vouches: bool,
    /// When it was last sent a message or vouched to, and messages since.
    said: Option<Time>,
    unsaid: u8,
    /// How often it was adopted and then did not bring what it had.
    reluctance: u8,
    /// It has brought a message first.
    proven: bool,
}

/// Whether a payload is announced first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It costs little more than its announcement would.
    Small,
    /// It is, to those who may have another parent.
    Large,
}

/// What a neighbour gets of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// The payload.
    Payload,
    /// The id and the size, and the payload if it asks.
    Offer,
    /// The id.
    Vouch,
}

/// A better parent was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Adoption {
    /// The parent until now, who need not send any more.
    pub(super) from: Option<NodeId>,
}

/// What a duplicate leads to: these may be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Duplicate {
    /// Its sender need not send this author's messages.
    pub(super) author: bool,
    /// Nor those of authors that have no tree.
    pub(super) topic: bool,
}

impl Default for Trees {
    fn default() -> Self {
        Self { neighbours: PeerMap::new(), authors: BTreeMap::new(), heard: Agenda::new() }
    }
}

impl Trees {
    pub(super) fn join(&mut self, peer: NodeId) {
        if !self.neighbours.contains_key(&peer) {
            self.neighbours.insert(peer, Neighbour::default());
        }
    }

    /// A neighbour chose us, or does so no more. Whether it is news that it did.
    pub(super) fn want(&mut self, peer: &NodeId, vouches: bool) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return false };
        !std::mem::replace(&mut neighbour.vouches, vouches) && vouches
    }

    /// Whether a neighbour chose us.
    pub(super) fn wants(&self, peer: &NodeId) -> bool {
        self.neighbours.get(peer).is_some_and(|neighbour| neighbour.vouches)
    }

    /// A neighbour is gone. Whose parent it was, somebody who vouches for the next message is asked for it.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.neighbours.remove(peer);
        self.authors.values_mut().for_each(|tree| tree.leave(peer));
    }

    pub(super) fn knows(&self, peer: &NodeId) -> bool {
        self.neighbours.contains_key(peer)
    }

    /// A message of an author's is new here and came from this neighbour; from nobody if it is our own. Whether the
    /// tree has found its shape.
    pub(super) fn carry(
        &mut self,
        author: NodeId,
        topic: TopicId,
        (from, how): (Option<NodeId>, Carried),
        now: Time,
    ) -> bool {
        if !self.authors.contains_key(&author) && !self.plant(author, topic, now) {
            from.into_iter().for_each(|from| self.make_eager(&from, topic));
            return false;
        }
        let Some(tree) = self.authors.get_mut(&author) else { return false };
        self.heard.remove(&(tree.heard_at, author));
        tree.heard_at = now;
        self.heard.insert((now, author));
        let failed = tree.carry(from, how, now);
        let (is_young, is_grown) = (tree.is_young(), tree.is_grown());
        if let Some(neighbour) = failed.and_then(|peer| self.neighbours.get_mut(&peer)) {
            neighbour.reluctance = neighbour.reluctance.saturating_add(1);
        }
        if let Some(from) = from {
            if let Some(neighbour) = self.neighbours.get_mut(&from) {
                (neighbour.reluctance, neighbour.proven) = (0, true);
            }
            if is_young {
                self.make_eager(&from, topic);
            }
        }
        is_grown
    }

    /// Begins an author's tree as a copy of the topic's, if there is room.
    fn plant(&mut self, author: NodeId, topic: TopicId, now: Time) -> bool {
        if self.authors.len() >= AUTHORS_MAX {
            let Some((heard_at, silent)) = self.heard.first().copied() else { return false };
            if now.since(heard_at) < KEPT_FOR {
                return false;
            }
            self.heard.pop_first();
            self.authors.remove(&silent);
        }
        let eager = self.neighbours.iter().filter(|(_, neighbour)| neighbour.eager(topic));
        let tree = Tree::new(eager.map(|(peer, _)| *peer), now);
        self.heard.insert((now, author));
        self.authors.insert(author, tree);
        true
    }

    /// Tells who gets what of a message that was just [carried](Self::carry); `has` says who needs no payload.
    pub(super) fn shares(
        &mut self,
        author: &NodeId,
        (topic, size): (TopicId, Size),
        now: Time,
        has: impl Fn(&NodeId) -> bool,
        mut tell: impl FnMut(NodeId, Share),
    ) {
        let Self { neighbours, authors, .. } = self;
        let mut tree = authors.get_mut(author);
        for (peer, neighbour) in neighbours.iter_mut() {
            let push = if has(peer) {
                None
            } else {
                match (tree.as_mut(), size) {
                    (Some(tree), _) => tree.pushes(peer, size, now),
                    (None, Size::Small) => neighbour.eager(topic).then_some(Push::Payload),
                    (None, Size::Large) => neighbour.eager(topic).then_some(Push::Offer),
                }
            };
            let share = if let Some(push) = push {
                push.into()
            } else if neighbour.is_to_be_told(now) {
                Share::Vouch
            } else {
                continue;
            };
            (neighbour.said, neighbour.unsaid) = (Some(now), 0);
            tell(*peer, share);
        }
    }

    /// A neighbour had a message of this author's before its parent brought it. Whether, and in whose place, it is to
    /// be adopted.
    pub(super) fn adopt(&mut self, author: &NodeId, peer: NodeId) -> Option<Adoption> {
        let (Some(tree), Some(neighbour)) =
            (self.authors.get_mut(author), self.neighbours.get_mut(&peer))
        else {
            return None;
        };
        if tree.adopted == Some(peer) {
            // It was asked to send, had it first, and did not.
            neighbour.reluctance = neighbour.reluctance.saturating_add(1);
            tree.adopted = None;
            return None;
        }
        if neighbour.reluctance >= TRIES_MAX {
            return None;
        }
        tree.adopted = Some(peer);
        tree.remove(&peer);
        // Who has never brought anything may never do so: the parent stays until it has.
        let from = if neighbour.proven { tree.parent.take() } else { None };
        Some(Adoption { from })
    }

    /// If an author's tree is to have a second parent and has none, draws it among those who vouched for a message.
    pub(super) fn double(
        &mut self,
        author: &NodeId,
        vouchers: impl Iterator<Item = NodeId>,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) -> Option<NodeId> {
        let tree = self.authors.get_mut(author).filter(|tree| tree.lacks_second())?;
        let may = |peer: &NodeId| {
            let is_willing = |it: &Neighbour| it.reluctance < TRIES_MAX;
            ![tree.parent, tree.adopted].contains(&Some(*peer))
                && self.neighbours.get(peer).is_some_and(is_willing)
        };
        let all: Vec<NodeId> = vouchers.filter(may).collect();
        let peer = *all.get(below(rng, all.len()))?;
        tree.double(peer, now);
        Some(peer)
    }

    /// A neighbour asks to be sent an author's messages.
    pub(super) fn graft(&mut self, peer: NodeId, author: &NodeId, topic: TopicId) {
        match self.authors.get_mut(author) {
            Some(tree) => {
                if self.neighbours.contains_key(&peer) {
                    tree.graft(peer);
                }
                if tree.is_young() {
                    self.make_eager(&peer, topic);
                }
            }
            None => self.make_eager(&peer, topic),
        }
    }

    /// As [`Self::graft`], for one that has no message in particular in mind.
    pub(super) fn add_child(&mut self, peer: NodeId, author: &NodeId) {
        if let Some(tree) = self.authors.get_mut(author)
            && self.neighbours.contains_key(&peer)
        {
            tree.adopt(peer);
        }
    }

    fn make_eager(&mut self, peer: &NodeId, topic: TopicId) {
        if let Some(neighbour) = self.neighbours.get_mut(peer)
            && let Ok(place) = neighbour.place(topic)
        {
            neighbour.lazy.remove(place);
        }
    }

    /// A neighbour asks not to be sent an author's messages, or those of all without a tree.
    pub(super) fn prune(
        &mut self,
        peer: &NodeId,
        topic: TopicId,
        author: Option<&NodeId>,
        now: Time,
    ) {
        match author {
            None => drop(self.make_lazy(peer, topic, now)),
            Some(author) => {
                if let Some(tree) = self.authors.get_mut(author) {
                    tree.remove(peer);
                }
            }
        }
    }

    /// A neighbour sent, or offered, what was here.
    pub(super) fn duplicate(
        &mut self,
        (peer, what): (NodeId, Repeated),
        topic: TopicId,
        author: &NodeId,
        now: Time,
    ) -> Duplicate {
        if !self.neighbours.contains_key(&peer) {
            return Duplicate::default();
        }
        let Some(tree) = self.authors.get_mut(author) else {
            return Duplicate { author: false, topic: self.make_lazy(&peer, topic, now) };
        };
        if tree.parent == Some(peer) {
            return Duplicate::default();
        }
        let is_young = tree.is_young();
        let author = tree.duplicate(peer, what, now);
        Duplicate { author, topic: is_young && self.make_lazy(&peer, topic, now) }
    }

    /// Makes a neighbour lazy on a topic's tree; whether it is to be told.
    fn make_lazy(&mut self, peer: &NodeId, topic: TopicId, now: Time) -> bool {
        let Some(neighbour) = self.neighbours.get_mut(peer) else { return false };
        match neighbour.place(topic) {
            Err(place) => neighbour.lazy.insert(place, (topic, now)),
            Ok(place) => {
                let Some((_, told)) = neighbour.lazy.get_mut(place) else { return false };
                if now.since(*told) < TELL_AGAIN {
                    return false;
                }
                *told = now;
            }
        }
        true
    }

    /// Whether a neighbour is eager on a topic's tree.
    pub(super) fn eager(&self, peer: &NodeId, topic: TopicId) -> bool {
        self.neighbours.get(peer).is_some_and(|neighbour| neighbour.eager(topic))
    }

    pub(super) fn bound(&self) -> Bound {
        Bound { name: "gossip.trees", used: self.authors.len(), max: AUTHORS_MAX }
    }
}

impl Neighbour {
    /// Whether it is vouched to for another message that it is not sent.
    fn is_to_be_told(&mut self, now: Time) -> bool {
        self.unsaid = self.unsaid.saturating_add(1);
        let is_sample = || self.said.is_none_or(|said| now.since(said) >= SAMPLE_EVERY);
        self.vouches || (self.unsaid >= SAMPLE && is_sample())
    }

    /// Where a topic is among those on which it is lazy, or where it would be.
    fn place(&self, topic: TopicId) -> Result<usize, usize> {
        self.lazy.binary_search_by_key(&topic, |(topic, _)| *topic)
    }

    /// Whether it is eager on a topic's tree.
    fn eager(&self, topic: TopicId) -> bool {
        self.place(topic).is_err()
    }
}

impl From<Push> for Share {
    fn from(push: Push) -> Self {
        match push {
            Push::Payload => Self::Payload,
            Push::Offer => Self::Offer,
        }
    }
}
