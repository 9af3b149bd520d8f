//! What [`Sync`](super::Sync) reacts to.

use std::collections::BTreeMap;

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{
    group::Group,
    held::Held,
    message::{MessageId, Publication, SignedHeader},
    network::TopicId,
    sync::{
        Item,
        reconcile::{Question, Reply},
    },
};

/// What [`Sync`](super::Sync) reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// These are the witnesses now that take part.
    Witnesses(BTreeMap<NodeId, Group>),
    /// A peer is being visited.
    Visiting { peer: NodeId },
    /// A peer is gone.
    Left { peer: NodeId },
    /// A peer asks what differs.
    Asked { from: NodeId, topic: TopicId, question: Question },
    /// A peer replies.
    Replied { from: NodeId, topic: TopicId, reply: Reply, is_behind: bool },
    /// A peer wants messages.
    Fetched { from: NodeId, topic: TopicId, number: u32, items: Vec<Item> },
    /// A peer sends what it was asked for.
    Hauled { from: NodeId, topic: TopicId, number: u32, frames: Vec<Bytes>, is_last: bool },
    /// A peer has what we lacked when we compared.
    Offered { from: NodeId, topic: TopicId, items: Vec<Item> },
    /// The disk has read.
    Read { request: u64, frames: Vec<(MessageId, Option<Bytes>)> },
    /// What is on disk.
    Holds(Vec<Held>),
    /// Messages are being written to disk.
    Keeping(Vec<Held>),
    /// Messages are on disk, and this node stands behind them.
    Kept(Vec<Held>),
    /// The disk refuses to keep a message.
    Unkept(Held),
    /// These are no longer on disk.
    Forgotten(Vec<Held>),
    /// A message that was pulled is good, and waits for vouches.
    Pending { message: Publication, from: NodeId },
    /// A late message that is on disk waits for vouches again, or still.
    Again { topic: TopicId, item: Item },
    /// What was pulled is dealt with.
    Settled { topic: TopicId, item: Item, is_refused: bool },
    /// What was pulled from a peer was no message.
    Spoiled { id: MessageId, from: NodeId },
    /// What was pulled could not be checked now.
    Unready { topic: TopicId, item: Item },
    /// A message of an earlier life could not be checked now.
    Unrestored { topic: TopicId, id: MessageId },
    /// A message that waited for vouches waits no more, and is not accepted.
    Dropped { topic: TopicId, item: Item },
    /// A verified message has a slot that another has.
    Conflict { taken: Item, header: SignedHeader },
    /// An author said two things.
    Exposed { author: NodeId },
}
