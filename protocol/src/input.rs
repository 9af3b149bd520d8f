//! What the shell tells the core: past facts.

use core::{fmt, net::IpAddr, time::Duration};
use std::sync::Arc;

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{
    Fault, Held, Lane, MessageId, Record, Whom,
    membership::Tags,
    network::{Policy, TopicId},
    time::Timestamp,
    verify::{Ticket, Verdict},
};

/// A fact that the core reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// The wall clock was read. Sent before anything else, then every minute or so, and after a jump.
    WallClock(Timestamp),
    /// Somebody we asked, or a file of ours, knows addresses of peers.
    Known(Vec<Candidate>),
    /// The operator wants these as peers, whatever else this node does. They are no witnesses for that.
    Keep(Vec<Candidate>),
    /// This node may be reached there, as far as it knows; all of it, each time.
    Listening(Vec<Address>),
    /// A link to a peer is up: both sides speak our protocol.
    Connected {
        /// Who is at the other end; the transport has proven it.
        peer: NodeId,
        /// How the link came about.
        connection: Connection,
    },
    /// The last link to a peer is gone.
    Disconnected {
        /// Who was at the other end.
        peer: NodeId,
    },
    /// What [`Effect::Dial`](crate::Effect::Dial) ordered did not come about.
    DialFailed {
        /// Who was to be reached.
        peer: NodeId,
    },
    /// A frame arrived, of a length that the lane allows.
    Received {
        /// Who sent it.
        from: NodeId,
        /// On which lane.
        lane: Lane,
        /// Its bytes, without the length in front.
        frame: Bytes,
    },
    /// The shell noticed a fault below the level of frames.
    Misbehaved {
        /// Whose.
        peer: NodeId,
        /// Which.
        fault: Fault,
    },
    /// What [`Effect::Verify`](crate::Effect::Verify) ordered is done.
    Verdicts(Vec<Verdict>),
    /// What [`Effect::Validate`](crate::Effect::Validate) ordered is done.
    Validated {
        /// From the effect.
        ticket: Ticket,
        /// What the application's validator says.
        judgement: Judgement,
    },
    /// The application publishes.
    Publish {
        /// Comes back with the outcome.
        request: u64,
        /// Where.
        topic: TopicId,
        /// What.
        payload: Bytes,
        /// For how long it is worth relaying; the topic's maximum if not said.
        lifetime: Option<Duration>,
    },
    /// The application wants this topic's accepted messages. Told once for each policy that is wanted.
    Subscribe {
        /// Which.
        topic: TopicId,
        /// A policy that is stricter than the topic's; see [`Policy::tightened`]. The topic's own if it is not, or not said.
        policy: Option<Policy>,
    },
    /// The application no longer wants them by this policy.
    Unsubscribe {
        /// Which.
        topic: TopicId,
        /// As it was subscribed.
        policy: Option<Policy>,
    },
    /// The operator bans a peer or a network; takes the place of an earlier ban.
    Ban {
        /// Whom.
        whom: Whom,
        /// For how long; for good if not said.
        length: Option<Duration>,
    },
    /// The operator lifts a ban.
    Pardon {
        /// Whose.
        whom: Whom,
    },
    /// The application says something of this node that all members are to know; instead of what it said before.
    Tagged(Tags),
    /// What [`Effect::Store`](crate::Effect::Store) ordered in an earlier life.
    Loaded(Vec<Record>),
    /// What [`Effect::Keep`](crate::Effect::Keep) ordered in earlier lives and is still there: told at the start, in as many
    /// pieces as it takes, before the first `Connected`. Later, what is on disk although it was [`Self::Unkept`].
    Holds(Vec<Held>),
    /// What these orders to [keep](crate::Effect::Keep) were about is on disk, and survives whatever happens now.
    Kept {
        /// From the effects.
        requests: Vec<u64>,
    },
    /// The disk refuses, or does not keep up: what these orders were about is not kept.
    Unkept {
        /// From the effects.
        requests: Vec<u64>,
    },
    /// What [`Effect::Load`](crate::Effect::Load) ordered is done.
    Read {
        /// From the effect.
        request: u64,
        /// The frames, in the order of the request: none for what is not there, or did not fit into one answer. The first fits always.
        frames: Vec<(MessageId, Option<Bytes>)>,
    },
    /// The retention of their topic is over for these: they are no longer on disk.
    Forgotten(Vec<Held>),
    /// The shell is about to end. Orders to store what is not stored yet, some of it at a time: to be told again
    /// until no [`Effect::Store`](crate::Effect::Store) comes.
    Stopping,
    /// Nothing happened but time, up to the core's deadline.
    Tick,
}

/// A peer and where it may be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// Who.
    pub peer: NodeId,
    /// Where.
    pub address: Address,
}

/// Where a peer may be reached, in the shell's notation; the core only passes it back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(Arc<str>);

impl Address {
    /// Bytes of an address; longer ones are refused.
    pub const BYTES_MAX: usize = 256;

    /// An address in the shell's notation, or `None` if it is over [`Self::BYTES_MAX`].
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= Self::BYTES_MAX).then(|| Self(text.into()))
    }

    /// The shell's notation.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a link came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which side dialled.
    pub direction: Direction,
    /// The peer's address as the socket has it, if it has one.
    pub remote: Option<IpAddr>,
}

/// Which side dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// We did.
    Outbound,
    /// The peer did.
    Inbound,
}

/// What an application's validator says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Valid: relay it, vouch for it, accept it.
    Accept,
    /// Invalid, and its author is to blame.
    Reject,
    /// Not ours to pass on, and nobody's fault.
    Ignore,
}
