//! What a node keeps on its disk of topics with a retention, as the core and its shell speak of it.
//!
//! The shell's archive is the authority on what is there and for how long. What is on disk is this node's
//! own word: it is trusted when it is told at the start, as the address book is.

use forsooth_crypto::NodeId;

use crate::{
    message::{MessageId, Publication, Slot},
    time::Timestamp,
};

/// What this node says of a message that it keeps. A later one takes the place of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It published the message itself. Nobody here waits for it.
    Own,
    /// It vouches for the message. Its topic's policy has yet to accept it, and may never do so.
    Held,
    /// Its topic's policy accepts the message.
    Accepted {
        /// The witnesses whose vouches reached the threshold, one of each address group.
        vouchers: Vec<NodeId>,
        /// On a topic with the policy `attested`, the authors who signed this payload, the message's among them.
        attestors: Vec<NodeId>,
    },
}

/// A message on disk, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Which.
    pub id: MessageId,
    /// Its slot, with its topic and author.
    pub slot: Slot,
    /// When its author says that it was made.
    pub timestamp: Timestamp,
    /// Its standing is [`Standing::Held`]: its topic's policy has not accepted it.
    pub is_open: bool,
}

impl Held {
    /// A message as it is on disk with this standing.
    #[must_use]
    pub fn new(message: &Publication, standing: &Standing) -> Self {
        let header = message.header();
        let is_open = match standing {
            Standing::Held => true,
            Standing::Own | Standing::Accepted { .. } => false,
        };
        Self { id: message.id(), slot: header.slot, timestamp: header.timestamp, is_open }
    }
}
