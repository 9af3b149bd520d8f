//! What a node knows of its neighbours, of the author's tree and of what it lacks.

use super::Pace;
use crate::set::{NodeId, Set};

/// An honest node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    /// Messages that it holds.
    pub(crate) holds: Set,
    /// Neighbours that are lazy on the topic's tree.
    pub(crate) lazy: Set,
    /// Who has brought a message first.
    pub(crate) proven: Set,
    /// Who was adopted in vain since.
    pub(crate) reluctant: Set,
    /// Who is vouched to no more, where that rule is left out.
    pub(crate) unvouched: Set,
    /// The author's tree, from the first message on.
    pub(crate) tree: Option<Tree>,
    /// What it lacks, by message.
    pub(crate) missing: Vec<Wanted>,
}

/// An author's tree, as far as it can be seen from here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Tree {
    /// It has carried more than one message.
    pub(crate) is_old: bool,
    pub(crate) parent: Option<NodeId>,
    pub(crate) children: Set,
    pub(crate) adopted: Option<NodeId>,
    pub(crate) told: Set,
}

/// A message that others vouch for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// The first to vouch that this node chose.
    pub(crate) first: Option<NodeId>,
    /// Who vouches and was not asked yet.
    pub(crate) vouchers: Set,
    /// Who was asked and may serve still.
    pub(crate) asked: Set,
}

impl Node {
    /// Carries a message: who brought it is the parent and no child. The tree begins as the topic's, on which all are eager
    /// that are not lazy.
    pub(super) fn carry(&mut self, from: Option<NodeId>, neighbours: Set) {
        let lazy = self.lazy;
        let is_young = self.tree.is_none();
        let tree = self.tree.get_or_insert_with(|| Tree {
            children: neighbours.iter().filter(|peer| !lazy.has(*peer)).collect(),
            ..Tree::default()
        });
        tree.is_old = !is_young;
        let Some(from) = from else { return };
        tree.parent = Some(from);
        tree.adopted = tree.adopted.filter(|adopted| *adopted != from);
        tree.children.remove(from);
        self.reluctant.remove(from);
        self.proven.insert(from);
        if is_young {
            self.lazy.remove(from);
        }
    }

    /// A better parent? Who it is instead of, if it is to be adopted.
    pub(super) fn adopt(&mut self, peer: NodeId) -> Option<Option<NodeId>> {
        let tree = self.tree.as_mut()?;
        if tree.adopted == Some(peer) {
            self.reluctant.insert(peer);
            tree.adopted = None;
            return None;
        }
        if self.reluctant.has(peer) {
            return None;
        }
        tree.adopted = Some(peer);
        tree.children.remove(peer);
        Some(if self.proven.has(peer) { tree.parent.take() } else { None })
    }

    /// A neighbour asks for the author's messages, and for one that is here if it has one in mind.
    pub(super) fn graft(&mut self, peer: NodeId) {
        let Some(tree) = self.tree.as_mut() else { return };
        tree.children.insert(peer);
        tree.told.remove(peer);
        if !tree.is_old {
            self.lazy.remove(peer);
        }
    }

    /// A neighbour brought what is here. Whether it is to be told about the author, and about the topic.
    pub(super) fn duplicate(&mut self, peer: NodeId, pace: Pace) -> [bool; 2] {
        let Some(tree) = self.tree.as_mut().filter(|tree| tree.parent != Some(peer)) else {
            return [false, false];
        };
        tree.children.remove(peer);
        let again = pace == Pace::Long;
        let author = tree.told.insert(peer) || again;
        let topic = !tree.is_old && (self.lazy.insert(peer) || again);
        [author, topic]
    }

    /// Whether it lacks nothing that is still to come.
    pub(super) fn is_full(&self) -> bool {
        (0..).zip(&self.missing).all(|(message, _)| self.holds.has(message))
    }

    /// Drops what can matter no more: what the liar is sent, and whom a node would push to that has nothing more to push.
    pub(super) fn tidy(&mut self, liar: NodeId) {
        let is_full = self.is_full();
        self.lazy.remove(liar);
        self.unvouched.remove(liar);
        let Some(tree) = self.tree.as_mut() else { return };
        tree.children.remove(liar);
        tree.told.remove(liar);
        if is_full {
            (tree.children, tree.adopted) = (Set::default(), None);
            (self.proven, self.reluctant) = (Set::default(), Set::default());
            (self.unvouched, self.lazy) = (Set::default(), Set::default());
        }
    }
}

impl Wanted {
    /// Whether it is waited for at all.
    pub(super) const fn is_open(&self) -> bool {
        !self.vouchers.is_empty() || !self.asked.is_empty()
    }

    /// Somebody vouches. `chosen` is the same, if this node chose it.
    pub(super) fn vouched(&mut self, peer: NodeId, chosen: Option<NodeId>) {
        self.first = self.first.or(chosen);
        if !self.asked.has(peer) {
            self.vouchers.insert(peer);
        }
    }

    /// Who was asked has broken its promise. If there is nobody else, the message is forgotten until somebody vouches.
    pub(super) fn broken(&mut self, peer: NodeId) -> Option<()> {
        let was_asked = self.asked.remove(peer);
        if !self.is_open() {
            *self = Self::default();
        }
        was_asked.then_some(())
    }
}
