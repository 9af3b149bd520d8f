//! The trees of one author, and repair, with one liar among the neighbours (docs/protocol.md, section 6, Plumtree).
//!
//! Time is left out: a timer may run out at any moment, a frame may take for ever as long as it arrives, and frames overtake
//! each other. A node asks any voucher, in any order. So what holds here holds for any patience and any latency. The liar
//! needs no link to hear of messages: it may send any of them, and any other frame, to those in its reach, at any moment and as
//! often as it likes.

mod model;
mod node;
mod rules;
mod tests;

use std::collections::BTreeMap;

use self::node::Node;
use crate::set::{NodeId, Set};

/// Who publishes.
pub(crate) const AUTHOR: NodeId = 0;

/// Who is there, and which rules hold.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Honest nodes, the author among them. The liar comes after them.
    pub(crate) nodes: u8,
    /// Who chose whom, among honest nodes, and so wants its vouches.
    pub(crate) chosen: Vec<(NodeId, NodeId)>,
    /// Whom the liar is linked to. They chose it too.
    pub(crate) reach: Set,
    /// Messages that the author publishes.
    pub(crate) messages: u8,
    /// When it does.
    pub(crate) publishes: Publishes,
    /// The rule that is left out.
    pub(crate) without: Without,
    /// What states are told apart by.
    pub(crate) tells: Tells,
}

/// What states are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// Everything.
    All,
    /// What can matter still, which is a tenth or less: not whom a node sends to that has nothing more to send, and not
    /// what is sent to the liar.
    Relevant,
}

/// When the author publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Publishes {
    /// Once honest nodes have come to rest.
    AtRest,
    /// At any moment.
    Always,
}

/// A rule that is left out, to see what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Without {
    /// All rules hold.
    Nothing,
    /// Nobody asks for what is vouched for: `Safeguard::Repair`.
    Repair,
    /// One voucher is asked, and no other.
    Others,
    /// Who sent a prune is not vouched to either.
    VouchesToPruned,
}

/// What peers send each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Frame {
    /// A message, pushed or asked for.
    Publication(u8),
    /// The sender holds this message.
    Vouch(u8),
    /// Send this message, and the author's from now on.
    Graft(u8),
    /// Send the author's messages from now on: a graft without ids.
    Adopt,
    /// Send nothing of this author unasked.
    PruneAuthor,
    /// Send nothing on this topic of authors without a tree.
    PruneTopic,
}

/// A frame on its way between honest nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sent {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) frame: Frame,
}

/// Whether what the receiver measures is short or long: since it told a neighbour to send less (`TELL_AGAIN`), and by how
/// much a voucher was earlier than the parent (`EARLIER`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Short,
    Long,
}

/// Everything, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) nodes: Vec<Node>,
    /// Frames on their way, and how many of each.
    pub(crate) flight: BTreeMap<Sent, u8>,
    pub(crate) published: u8,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The author publishes.
    Publish,
    /// A frame arrives.
    Deliver(Sent, Pace),
    /// A timer has run out: a voucher is asked.
    Ask { node: NodeId, message: u8, voucher: NodeId },
    /// Who was asked has not served in time.
    Break { node: NodeId, message: u8, peer: NodeId },
    /// The liar sends something.
    Lie { to: NodeId, frame: Frame, pace: Pace },
}
