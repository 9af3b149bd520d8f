//! What the core tells the shell: orders, and reports of what happened.

use core::time::Duration;
use std::collections::{VecDeque, vec_deque};

use bytes::Bytes;
use forsooth_crypto::{NodeId, Verified};

use crate::{
    Class, Fault, Standing,
    ban::{Ban, Whom},
    fault::Blame,
    input::Address,
    links::Role,
    membership,
    message::{Accepted, MessageId, Proof, Publication, Slot},
    network::{Policy, TopicId},
    snapshot::Twin,
    verify::{Check, Ticket},
};

/// An order to the shell.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Queue a frame for a linked peer.
    Send {
        /// To whom.
        to: NodeId,
        /// How urgent, and on which lane.
        class: Class,
        /// Its bytes, without a length in front.
        frame: Bytes,
    },
    /// Try to reach a peer; ends in `Connected` or `DialFailed`.
    Dial {
        /// Whom.
        peer: NodeId,
        /// Where.
        address: Address,
    },
    /// Close all connections to a peer.
    Disconnect {
        /// Which.
        peer: NodeId,
        /// For which fault, if for one.
        fault: Option<Fault>,
        /// Refuse it until its ban is over.
        banned: bool,
    },
    /// Check signatures; ends in `Verdicts`. Orders that come together are best checked together.
    Verify {
        /// Comes back in the verdict.
        ticket: Ticket,
        /// What to check.
        check: Check,
    },
    /// Ask the application's validator; ends in `Validated`.
    Validate {
        /// Comes back with the judgement.
        ticket: Ticket,
        /// What to judge.
        message: Verified<Publication>,
    },
    /// Hand a message to the application.
    Deliver(Accepted),
    /// Write a message to disk, on topics with a retention; ends in `Kept` or `Unkept`. Orders that come together
    /// are best written together. A message that is on disk already only changes its standing.
    Keep {
        /// Comes back with what became of it. Unique in one core's life.
        request: u64,
        /// What to keep.
        message: Verified<Publication>,
        /// What this node says of it.
        standing: Standing,
    },
    /// Read messages from disk; ends in `Read`.
    Load {
        /// Comes back with the messages.
        request: u64,
        /// On which topic.
        topic: TopicId,
        /// Which, the most wanted first.
        ids: Vec<MessageId>,
    },
    /// A `Publish` is done.
    Published {
        /// From the input.
        request: u64,
        /// What became of it.
        outcome: Result<Receipt, Refusal>,
    },
    /// Keep over a restart.
    Store(Record),
    /// For logs, metrics and observers; nothing needs doing.
    Event(Event),
}

/// What became of a published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id.
    pub id: MessageId,
    /// Links to which the payload was sent at once.
    pub sent_to: usize,
    /// There was no link; it is kept for its lifetime and sent to the first peers that come.
    pub queued: bool,
    /// Independent witnesses that this node lacks to accept anything on the topic itself; 0 if it has enough.
    pub witnesses_lacking: usize,
}

/// Why a message was not published. Nothing was sent, and the slot is still free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The payload is over the topic's maximum.
    #[error("the payload has {bytes} bytes, the topic allows {max}")]
    Oversize {
        /// Bytes of the payload.
        bytes: usize,
        /// Bytes that the topic allows.
        max: u32,
    },
    /// The lifetime is zero or over the topic's maximum.
    #[error("the lifetime must be between 1 ms and {max:?}, not {lifetime:?}")]
    Lifetime {
        /// Asked for.
        lifetime: Duration,
        /// What the topic allows.
        max: Duration,
    },
    /// More than the topic's rate; other nodes would not relay it.
    #[error("over the topic's rate for one author; try again in {retry_after:?}")]
    OverRate {
        /// When there is room again.
        retry_after: Duration,
    },
    /// Another machine signs with this node's key, in this generation or a later one.
    #[error(
        "another machine signs with this node's key: if both publish, the key is banned for good; stop one of the two, and restart the other"
    )]
    Twin,
    /// This node has just started, and listens whether another machine uses its key.
    #[error(
        "listening for another machine with this node's key before publishing; try again in {retry_after:?}"
    )]
    Listening {
        /// When it will have listened for long enough.
        retry_after: Duration,
    },
    /// This node's own key has been caught signing two messages for one slot: some other machine uses it.
    #[error(
        "this key is exposed as an equivocator: another machine signs with it. \
         Make a new key with `forsooth init` in a new folder"
    )]
    Exposed,
}

/// What is kept over a restart. The shell stores it and gives it back in
/// [`Input::Loaded`](crate::Input::Loaded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Somebody is banned; takes the place of an earlier ban.
    Ban(Ban),
    /// A ban is over or lifted: forget it.
    Pardon {
        /// Whose.
        whom: Whom,
    },
    /// An author is exposed by this proof, a frame as it travels. It is verified again when loaded.
    Proof {
        /// Whom it exposes.
        author: NodeId,
        /// The encoded frame.
        frame: Bytes,
    },
    /// A peer of the address book. Its signed record is verified again when loaded.
    Peer {
        /// Who.
        peer: NodeId,
        /// What the book knows, as only the book reads it.
        entry: Bytes,
    },
    /// A peer is no longer in the address book: forget it.
    PeerGone {
        /// Who.
        peer: NodeId,
    },
    /// The secret that decides where peers stand in the address book.
    BookKey {
        /// The secret.
        key: u64,
    },
    /// Peers to dial first after a restart.
    Anchors {
        /// Who, the most trusted first.
        peers: Vec<NodeId>,
    },
}

/// Something happened that an operator or an observer may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// A peer has said hello: the link carries gossip.
    LinkUp {
        /// Who.
        peer: NodeId,
        /// Chosen by us, or come to us.
        role: Role,
    },
    /// A link is gone.
    LinkDown {
        /// Who.
        peer: NodeId,
    },
    /// Somebody did wrong.
    Fault {
        /// From whom it came.
        from: Option<NodeId>,
        /// Who answers for it: `from`, the author, or nobody.
        blamed: Option<NodeId>,
        /// Which side that is.
        blame: Blame,
        /// What it was.
        fault: Fault,
    },
    /// Somebody is banned.
    Banned(Ban),
    /// An author said two things.
    Exposed {
        /// The verified evidence.
        proof: Verified<Proof>,
    },
    /// A message was verified, found valid, and passed on.
    Relayed {
        /// Which.
        id: MessageId,
        /// Who brought it; `None` for our own.
        from: Option<NodeId>,
        /// Links that got the payload.
        pushed: usize,
        /// Links that got the id.
        vouched: usize,
    },
    /// A payload came that we had.
    Duplicate {
        /// Which message.
        id: MessageId,
        /// From whom.
        from: NodeId,
    },
    /// A message was dropped before it was accepted, by this policy.
    Unaccepted {
        /// Which.
        id: MessageId,
        /// On which topic.
        topic: TopicId,
        /// The topic's policy, or a stricter one of a subscription.
        policy: Policy,
        /// Independent witnesses that had vouched; or authors who had signed the same, itself included.
        vouched: usize,
        /// How many would have had to.
        threshold: usize,
        /// Why.
        why: Shortfall,
    },
    /// A message that was handed to the application has turned out to be one of two for its slot. Said once.
    Contested {
        /// Which.
        id: MessageId,
        /// Its slot, with its author, which is exposed.
        slot: Slot,
    },
    /// Something became of a member.
    Membership(membership::News),
    /// A message signed with our own key that we did not publish in this life: another machine has the key.
    Twin(Twin),
}

/// Why a message was dropped before it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortfall {
    /// Its time was over before enough witnesses vouched, or enough authors signed the same: its lifetime, and often 10 minutes more if its
    /// topic keeps its messages.
    TooFewVouches,
    /// The same, and witnesses that were asked whether they vouch for it did not answer, who would have been enough.
    Unanswered,
    /// Its author has said two things.
    Contested,
    /// There was no room for it among the messages that wait: whoever brought it brought too many.
    Crowded,
    /// Its time was over before it had settled.
    Expired,
}

impl Shortfall {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::TooFewVouches, Self::Unanswered, Self::Contested, Self::Crowded, Self::Expired];

    /// A short, stable name: `too_few_vouches`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooFewVouches => "too_few_vouches",
            Self::Unanswered => "unanswered",
            Self::Contested => "contested",
            Self::Crowded => "crowded",
            Self::Expired => "expired",
        }
    }
}

/// The effects of one input. Borrows the core, so that the next input cannot come before they are
/// carried out. What is not taken is discarded.
#[derive(Debug)]
pub struct Drain<'a> {
    effects: vec_deque::Drain<'a, Effect>,
}

impl<'a> Drain<'a> {
    /// The effects in this queue, in their order. Public for those who implement
    /// [`Participant`](crate::Participant).
    #[must_use]
    pub fn new(effects: &'a mut VecDeque<Effect>) -> Self {
        Self { effects: effects.drain(..) }
    }
}

impl Iterator for Drain<'_> {
    type Item = Effect;
    fn next(&mut self) -> Option<Effect> {
        self.effects.next()
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.effects.size_hint()
    }
}

impl ExactSizeIterator for Drain<'_> {}
