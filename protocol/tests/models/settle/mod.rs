//! One author, its slots, and nodes that let messages settle (docs/protocol.md, sections 5 to 7).
//!
//! Time goes in ticks. What an honest node passes on is with its honest neighbours within [`HOP`], in any order; what the
//! author shows, it shows to whom it likes when it likes. A liar's vouch counts at once and everywhere, which is
//! the worst that liars can do to `k`; the rest of `k` must come from honest neighbours.

mod model;
mod rules;
mod tests;

use std::collections::BTreeMap;

use crate::set::{NodeId, Set};

/// Ticks that a frame takes from an honest node to its neighbour at most, with all checks.
pub(crate) const HOP: u8 = 1;

/// Who is there, and which rules hold.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// Honest nodes.
    pub(crate) nodes: u8,
    /// Links between honest nodes. The author is linked to all.
    pub(crate) links: Vec<(NodeId, NodeId)>,
    /// Ticks from when a message is held until it may be accepted.
    pub(crate) settle: u8,
    /// Vouches that are needed.
    pub(crate) k: u32,
    /// Slots that the author uses.
    pub(crate) slots: u8,
    /// What the author does.
    pub(crate) author: Author,
    /// What an exposed author loses.
    pub(crate) loses: Loses,
    /// Who has banned the author for something else, and refuses its messages unseen.
    pub(crate) banned: Set,
    /// Whose validator rejects all messages.
    pub(crate) rejecting: Set,
    /// Who may forget a slot before its time, as a restart makes it do.
    pub(crate) forgetful: Set,
}

/// What the author does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// Says one thing for each slot. Then liars keep their vouches to themselves.
    Honest,
    /// Signs two messages for each slot, and shows them to anybody in any order.
    Equivocates,
}

/// What an exposed author loses, of what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loses {
    /// Everything.
    All,
    /// What waits in the slot of the proof: not the rule, but the mistake next to it.
    Slot,
    /// Nothing: the proof is kept for later messages only.
    Nothing,
}

/// One of the two messages for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Header {
    pub(crate) slot: u8,
    pub(crate) twin: bool,
}

/// What is on its way between honest nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Frame {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) body: Body,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Body {
    /// A message with its sender's vouch, pushed or asked for.
    Message(Header),
    /// Two signed headers for this slot.
    Proof { slot: u8 },
}

/// What an application got in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Accepted {
    pub(crate) first: bool,
    pub(crate) twin: bool,
}

/// A node's view of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    /// What the ledger has recorded.
    pub(crate) recorded: Option<Header>,
    /// Ticks until what is recorded has settled, while it waits.
    pub(crate) waits: Option<u8>,
    /// Neighbours that vouch for it.
    pub(crate) vouchers: Set,
    /// Which of the two the application got.
    pub(crate) accepted: Accepted,
}

/// An honest node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) slots: Vec<Slot>,
    /// It has a proof against the author.
    pub(crate) exposed: bool,
}

/// Everything, at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) nodes: Vec<Node>,
    /// Frames, with the ticks until they must have arrived.
    pub(crate) flight: BTreeMap<Frame, u8>,
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The author shows a message to a node.
    Show { to: NodeId, header: Header },
    /// A frame arrives.
    Deliver(Frame),
    /// A node hands its message to the application.
    Accept { node: NodeId, slot: u8 },
    /// A node forgets a slot, and what waits in it.
    Forget { node: NodeId, slot: u8 },
    /// Time goes by.
    Tick,
}
