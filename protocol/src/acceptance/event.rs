//! What [`Acceptance`](super::Acceptance) reacts to.

use forsooth_crypto::{NodeId, Verified};

use crate::{
    links::Witness,
    message::{MessageId, Publication, Slot},
    network::{Policy, TopicId},
};

/// What [`Acceptance`](super::Acceptance) reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A message is verified and valid. `from` is who brought it.
    Held { message: Verified<Publication>, from: NodeId },
    /// The same of one whose lifetime is over: others have it in what they keep.
    Late { message: Verified<Publication>, from: NodeId },
    /// A witness vouches for messages that are not decided yet.
    Vouched { witness: Witness, ids: Vec<MessageId> },
    /// A peer is gone, or was caught lying: what it said of undecided messages counts no more. Otherwise all
    /// liars that we ever chose would vote, one after the other.
    Withdrawn { peer: NodeId },
    /// A witness that was asked about these does not know them.
    Unknown { ids: Vec<MessageId> },
    /// A message will never be held.
    Refused { id: MessageId },
    /// One of our own was published.
    Published { topic: TopicId },
    /// The application wants a topic by this policy; by the topic's own if none is said.
    Subscribed { topic: TopicId, policy: Option<Policy> },
    /// The application no longer wants a topic by this policy.
    Unsubscribed { topic: TopicId, policy: Option<Policy> },
    /// There are so many independent witnesses now.
    Witnesses { count: usize },
    /// Two headers for one slot have come to light.
    Exposed { slot: Slot },
}
