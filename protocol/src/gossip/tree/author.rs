//! One author's tree, as far as it can be seen from one node: a parent, children, and while payloads have to be asked for
//! a second parent.

use core::time::Duration;

use forsooth_crypto::NodeId;

use super::{Size, TELL_AGAIN};
use crate::time::Time;

/// Messages after which a tree has found its shape.
const GROWN: u32 = 8;
/// A child that was pushed a message so long ago, and has not sent it back, has no other parent. Longer than most
/// round trips.
const SETTLED_AFTER: Duration = Duration::from_millis(500);

/// What a payload that somebody had to be asked for weighs, in payloads that came by themselves; and the most there may be.
const ASKED: u8 = 8;
const ASKED_MAX: u8 = 32;
/// From so much on there are two parents, until nothing is left of it: two in eight messages were withheld or lost.
const TROUBLED: u8 = 2 * ASKED - 4;
/// A second parent that leaves out more than so many messages, and for so long, is none.
const MISSES_MAX: u8 = 4;
const SILENT_MAX: Duration = Duration::from_secs(1);

/// An author's tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) heard_at: Time,
    /// Messages carried so far.
    carried: u32,
    pub(super) parent: Option<NodeId>,
    /// How much had to be asked for lately.
    asked: u8,
    /// There are to be two parents.
    is_troubled: bool,
    second: Option<Second>,
    children: Vec<Child>,
    /// Who was adopted because it had messages earlier than the parent, and has yet to bring one.
    pub(super) adopted: Option<NodeId>,
    /// Who was told that it need not send, and when.
    told: Vec<(NodeId, Time)>,
}

/// A parent beside the parent: its copy is one too many, unless the other withholds its own.
#[derive(Clone, Copy, Debug)]
struct Second {
    peer: NodeId,
    /// Messages since it was drawn or brought one, and when that was.
    missed: u8,
    since: Time,
}

/// A neighbour that has this author's messages from us.
#[derive(Clone, Copy, Debug)]
struct Child {
    peer: NodeId,
    /// When it was first pushed one and did not send it back.
    pushed: Option<Time>,
    /// It has asked for one.
    asked: bool,
}

impl Tree {
    /// A tree in which all these are children.
    pub(super) fn new(children: impl Iterator<Item = NodeId>, now: Time) -> Self {
        Self {
            heard_at: now,
            carried: 0,
            parent: None,
            asked: 0,
            is_troubled: false,
            second: None,
            children: children.map(Child::new).collect(),
            adopted: None,
            told: Vec::new(),
        }
    }

    /// A message came from this neighbour, or from nobody if it is our own. Gives a second parent that leaves out too many.
    pub(super) fn carry(
        &mut self,
        from: Option<NodeId>,
        how: Carried,
        now: Time,
    ) -> Option<NodeId> {
        self.carried = self.carried.saturating_add(1);
        self.judge(how);
        let failed = from.and_then(|from| self.change_parent(from, now));
        if self.adopted == from {
            self.adopted = None;
        }
        // A parent is no child: it has everything first.
        from.iter().for_each(|from| self.remove(from));
        failed
    }

    /// Whether there are to be two parents. A tree that has yet to find its shape says nothing, nor does a large payload.
    fn judge(&mut self, how: Carried) {
        if how.size == Size::Large || !self.is_grown() {
            return;
        }
        if how.was_asked {
            self.asked = self.asked.saturating_add(ASKED).min(ASKED_MAX);
            self.is_troubled |= self.asked >= TROUBLED;
        } else {
            self.asked = self.asked.saturating_sub(1);
            self.is_troubled &= self.asked > 0;
        }
    }

    /// Whoever brought a message first is the parent; if that was the second one, the other is the second now. Gives a second that
    /// is none any more.
    fn change_parent(&mut self, from: NodeId, now: Time) -> Option<NodeId> {
        let before = self.parent.replace(from).filter(|before| *before != from);
        let second = self.second.take().filter(|_| self.is_troubled)?;
        if second.peer == from {
            self.second = before.map(|peer| Second::new(peer, now));
        } else if second.missed < MISSES_MAX || now.since(second.since) < SILENT_MAX {
            self.second = Some(Second { missed: second.missed.saturating_add(1), ..second });
        } else {
            return Some(second.peer);
        }
        None
    }

    /// Whether a second parent is lacking.
    pub(super) const fn lacks_second(&self) -> bool {
        self.is_troubled && self.second.is_none()
    }

    /// A neighbour is asked to send what the parent sends as well.
    pub(super) fn double(&mut self, peer: NodeId, now: Time) {
        self.second = Some(Second::new(peer, now));
        self.remove(&peer);
    }

    /// Whether it has carried no more than one message.
    pub(super) const fn is_young(&self) -> bool {
        self.carried <= 1
    }

    /// Whether it has found its shape.
    pub(super) const fn is_grown(&self) -> bool {
        self.carried > GROWN
    }

    /// Whether a neighbour gets a message at once, and in which way. A large one is only announced to who may have
    /// another parent.
    pub(super) fn pushes(&mut self, peer: &NodeId, size: Size, now: Time) -> Option<Push> {
        let child = self.children.iter_mut().find(|child| child.peer == *peer)?;
        match size {
            Size::Large if !child.is_settled(now) => Some(Push::Offer),
            Size::Large | Size::Small => {
                child.pushed = child.pushed.or(Some(now));
                Some(Push::Payload)
            }
        }
    }

    /// A neighbour asks for one of the author's messages, and to be sent what follows.
    pub(super) fn graft(&mut self, peer: NodeId) {
        self.adopt(peer);
        self.children.iter_mut().filter(|child| child.peer == peer).for_each(|it| it.asked = true);
        self.told.retain(|(told, _)| *told != peer);
    }

    /// A neighbour asks to be sent what follows, for which it may have another parent.
    pub(super) fn adopt(&mut self, peer: NodeId) {
        if !self.children.iter().any(|child| child.peer == peer) {
            self.children.push(Child::new(peer));
        }
    }

    /// A neighbour is no child.
    pub(super) fn remove(&mut self, peer: &NodeId) {
        self.children.retain(|child| child.peer != *peer);
    }

    /// A neighbour is gone.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.remove(peer);
        self.parent = self.parent.filter(|parent| parent != peer);
        self.adopted = self.adopted.filter(|adopted| adopted != peer);
        self.second = self.second.filter(|second| second.peer != *peer);
    }

    /// A neighbour sent, or offered, what was here: it is no child. Whether it is to be told.
    pub(super) fn duplicate(&mut self, peer: NodeId, what: Repeated, now: Time) -> bool {
        self.remove(&peer);
        if let Some(second) = self.second.as_mut().filter(|second| second.peer == peer) {
            if what == Repeated::Sent {
                *second = Second::new(peer, now);
            }
            return false;
        }
        self.told.retain(|(_, at)| now.since(*at) < TELL_AGAIN);
        let again = self.told.iter().any(|(told, _)| *told == peer);
        if !again {
            self.told.push((peer, now));
        }
        !again
    }
}

/// How a message came.
#[derive(Clone, Copy, Debug)]
pub(in crate::gossip) struct Carried {
    /// Somebody had to be asked for it.
    pub(in crate::gossip) was_asked: bool,
    pub(in crate::gossip) size: Size,
}

/// What a neighbour did again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// It sent a payload.
    Sent,
    /// It said that it could send it.
    Offered,
}

/// How a child gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    /// Whole.
    Payload,
    /// Its id and its size.
    Offer,
}

impl Second {
    const fn new(peer: NodeId, now: Time) -> Self {
        Self { peer, missed: 0, since: now }
    }
}

impl Child {
    const fn new(peer: NodeId) -> Self {
        Self { peer, pushed: None, asked: false }
    }

    /// Whether it has no other parent.
    fn is_settled(&self, now: Time) -> bool {
        self.asked || self.pushed.is_some_and(|at| now.since(at) >= SETTLED_AFTER)
    }
}
