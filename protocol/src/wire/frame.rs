//! What a frame can be.

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{
    Class,
    membership::{SignedAccusation, SignedAnswer, SignedMember},
    message::{MessageId, Proof, Publication},
    network::TopicId,
    overlay::record::SignedRecord,
    short_id::{ShortId, VouchKey},
    sync::{
        Item, Set,
        reconcile::{Question, Reply},
    },
};

/// A frame, decoded but not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The greeting.
    Hello(Hello),
    /// A message with its payload.
    Publication(Publication),
    /// Ids that the sender stands behind.
    Vouch {
        /// The topic that the sender says they are on.
        topic: TopicId,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// The same, by names under the key in the receiver's hello.
    ShortVouch {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// A large message, before it is sent.
    Announce(Announce),
    /// A question whether the receiver vouches for these, by the names that it has for them.
    Ask {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// The answer for those that the sender does not vouch for.
    Unknown {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// A request for what the receiver named.
    Inquire {
        /// The names.
        names: Vec<ShortId>,
        /// As a graft of it; else for full ids.
        payloads: bool,
    },
    /// A request for payloads, and to be the sender's parent in the trees of their authors.
    Graft {
        /// The topic that they are on.
        topic: TopicId,
        /// The payloads asked for.
        ids: Vec<MessageId>,
    },
    /// A request to be the sender's parent in one author's tree.
    Adopt {
        /// Whose messages are to be sent at once.
        author: NodeId,
    },
    /// A request to send no payloads unasked.
    Prune {
        /// The topic that they would be on.
        topic: TopicId,
        /// Whose payloads; those of all who have no tree of their own if `None`.
        author: Option<NodeId>,
    },
    /// Evidence against an author.
    Proof(Proof),
    /// A request for records.
    Pull,
    /// The records that were asked for.
    Answer(Vec<SignedRecord>),
    /// Records that nobody asked for.
    Push(Vec<SignedRecord>),
    /// A question whether somebody is there.
    Probe(Probe),
    /// Word on whether somebody is there.
    Ack(Ack),
    /// What the sender knows of members.
    Rumours {
        /// Their records.
        members: Vec<SignedMember>,
        /// Accusations of them.
        accusations: Vec<SignedAccusation>,
        /// The receiver asked for it.
        asked: bool,
    },
    /// A question where two sets differ that every node keeps.
    Reconcile {
        /// Which.
        set: Set,
        /// The question.
        question: Question,
    },
    /// A reply to it.
    Reconciled {
        /// From the question.
        set: Set,
        /// The reply.
        reply: Reply,
    },
    /// A request for proofs.
    WantProofs {
        /// Against whom.
        authors: Vec<NodeId>,
    },
    /// A request for members' records.
    Want {
        /// Their names.
        names: Vec<u64>,
        /// Or the members' own.
        members: Vec<NodeId>,
    },
    /// A question where two sets of messages differ.
    Compare {
        /// The topic that they are on.
        topic: TopicId,
        /// The question.
        question: Question,
    },
    /// A reply to it.
    Compared {
        /// From the question.
        topic: TopicId,
        /// The reply.
        reply: Reply,
        /// The sender is catching up.
        is_behind: bool,
    },
    /// A request for messages that were missed.
    Fetch {
        /// The topic that they are on.
        topic: TopicId,
        /// Comes back in the hauls.
        number: u32,
        /// Which.
        items: Vec<Item>,
    },
    /// What the receiver lacked when it was compared with.
    Offer {
        /// The topic that they are on.
        topic: TopicId,
        /// Which.
        items: Vec<Item>,
    },
    /// Messages that were asked for.
    Haul {
        /// The topic that they are on.
        topic: TopicId,
        /// From the request.
        number: u32,
        /// Each a frame that carries a publication; not decoded.
        frames: Vec<Bytes>,
        /// No more comes for this request.
        is_last: bool,
    },
}

impl Frame {
    /// The class that it belongs to, but for whether a message was asked for.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Hello(_) | Self::Proof(_) => Class::Evidence,
            Self::Inquire { .. }
            | Self::Ask { .. }
            | Self::Graft { .. }
            | Self::Adopt { .. }
            | Self::Prune { .. } => Class::Tree,
            Self::Probe(_)
            | Self::Ack(_)
            | Self::Rumours { .. }
            | Self::Reconcile { .. }
            | Self::Reconciled { .. }
            | Self::Want { .. }
            | Self::WantProofs { .. } => Class::Members,
            Self::Vouch { .. }
            | Self::ShortVouch { .. }
            | Self::Announce(_)
            | Self::Unknown { .. } => Class::Vouch,
            Self::Pull | Self::Answer(_) | Self::Push(_) => Class::Peers,
            Self::Compare { .. }
            | Self::Compared { .. }
            | Self::Fetch { .. }
            | Self::Offer { .. } => Class::Sync,
            Self::Haul { .. } => Class::Haul,
            Self::Publication(_) => Class::Payload,
        }
    }
}

/// A question whether somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Are you?
    Direct {
        /// Comes back in the answer.
        nonce: u64,
    },
    /// Are you? Somebody else wants to know.
    For {
        /// The observer drew it.
        nonce: u64,
        /// Who wants to know.
        observer: NodeId,
    },
    /// Is somebody else? Ask it.
    Through {
        /// The sender drew it.
        nonce: u64,
        /// Whom to ask.
        subject: NodeId,
    },
}

/// Word on whether somebody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The sender is; its channel proves that.
    Direct {
        /// From the question.
        nonce: u64,
    },
    /// The signer is.
    Through(SignedAnswer),
    /// The sender has not reached it, which proves nothing.
    Unreached {
        /// From the question.
        nonce: u64,
        /// Whom it asked.
        subject: NodeId,
    },
}

/// Word of a large message: a vouch that says how large, and whether the payload follows unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The topic that the sender says it is on.
    pub topic: TopicId,
    /// Which.
    pub id: MessageId,
    /// Bytes of its frame.
    pub bytes: u32,
    /// The sender is sending it; else it waits to be asked.
    pub sent: bool,
}

/// The first frame on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol.
    pub version: u32,
    /// The generation of the sender's node.
    pub generation: u64,
    /// Software and version, for people.
    pub agent: String,
    /// What the sender wants of the link.
    pub intent: Intent,
    /// The key under which the receiver is to name messages to the sender.
    pub vouch_key: VouchKey,
}

/// What a peer wants of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// To take part in gossip.
    #[default]
    Gossip,
    /// To exchange records, and then to leave.
    Visit,
    /// To take part in gossip and to be vouched to: the sender chose this peer.
    Witness,
    /// To see whether the receiver is alive, for as long as the sender is its observer.
    Observe,
}

impl Intent {
    /// Whether it is to take part in gossip.
    #[must_use]
    pub const fn is_gossip(self) -> bool {
        matches!(self, Self::Gossip | Self::Witness)
    }
}
