//! The one shape of every stateful part of the protocol, and of whatever a shell can drive.
//!
//! A [`Machine`] reacts to events and to time. It owns no clock, socket or entropy: [`Cx`] lends them, so
//! the same inputs always give the same effects. Machines are siblings that never import each other; what
//! one has to tell the others goes through [`Signal`] to the core, which alone knows them all.

use std::collections::VecDeque;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use crate::{
    Effect, Event, Fault, Input,
    effect::Drain,
    links::Role,
    membership::{Accusation, Answer, Draft, Statement},
    message::{Accepted, MessageId, Proof, Publication},
    network::TopicId,
    overlay::record::SignedRecord,
    short_id::VouchKey,
    sync::{Bounds, Item},
    time::{Time, Timestamp},
};

/// A piece of protocol state that reacts to events and to time.
pub(crate) trait Machine {
    /// What it reacts to: past facts.
    type Event;

    /// Reacts to a fact. A peer's mistake is a signal, never an error.
    fn handle(&mut self, event: Self::Event, cx: &mut Cx<'_>);

    /// When [`Machine::tick`] is wanted next.
    fn deadline(&self) -> Option<Time> {
        None
    }

    /// Reacts to time. Called at the deadline or later, and sometimes before.
    fn tick(&mut self, _cx: &mut Cx<'_>) {}
}

/// What a machine is lent while it reacts.
pub(crate) struct Cx<'a> {
    /// The core's own clock.
    pub(crate) now: Time,
    /// The wall clock, as far as this node knows it.
    pub(crate) wall: Timestamp,
    /// The core's one stream of randomness.
    pub(crate) rng: &'a mut ChaCha8Rng,
    /// Orders to the shell.
    pub(crate) effects: &'a mut VecDeque<Effect>,
    /// News for the core and, through it, for the siblings.
    pub(crate) signals: &'a mut VecDeque<Signal>,
}

impl Cx<'_> {
    /// Orders the shell to do something.
    pub(crate) fn order(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Reports something to observers.
    pub(crate) fn report(&mut self, event: Event) {
        self.effects.push_back(Effect::Event(event));
    }

    /// Accuses a peer of what it did itself.
    pub(crate) fn fault(&mut self, from: NodeId, fault: Fault) {
        self.signals.push_back(Signal::Fault { from, fault });
    }
}

/// What a machine tells the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A peer did wrong.
    Fault {
        /// From whom it came.
        from: NodeId,
        /// What it was.
        fault: Fault,
    },
    /// A peer has said hello: it takes part in gossip from now on.
    Joined {
        /// Who.
        peer: NodeId,
        /// Chosen by us, or come to us.
        role: Role,
        /// Under which messages are named to it.
        key: VouchKey,
        /// It chose us, and is to be vouched to.
        vouches: bool,
    },
    /// A peer that has joined chose us, or does so no more.
    Wants {
        /// Who.
        peer: NodeId,
        /// Whether it is to be vouched to.
        vouches: bool,
    },
    /// A peer that had joined is gone.
    Left {
        /// Who.
        peer: NodeId,
    },
    /// A peer has said hello, if only for a visit.
    Met {
        /// Who.
        peer: NodeId,
    },
    /// A dial has not found a peer.
    Unreached {
        /// Whom.
        peer: NodeId,
    },
    /// A link is to be closed, and nobody is to blame.
    Close {
        /// To whom.
        peer: NodeId,
    },
    /// What a peer was visited for is done.
    Visited {
        /// Who.
        peer: NodeId,
    },
    /// A visited peer was compared with, and what came of it is done.
    Compared {
        /// Who.
        peer: NodeId,
    },
    /// A record is worth a check of its signature.
    Check {
        /// The record.
        record: SignedRecord,
        /// Who told of it.
        from: NodeId,
    },
    /// Our own record is to be signed anew.
    Announce,
    /// Something bears our own signature and is of a generation that is not ours yet.
    OwnKey { generation: u64 },
    /// This node's record as a member is to be signed.
    Declare(Draft),
    /// An accusation is to be signed.
    Accuse(Accusation),
    /// An answer is to be signed and sent.
    Testify {
        /// To whom: the helper that asked.
        to: NodeId,
        /// What.
        answer: Answer,
    },
    /// What a member signed is worth a check of its signature.
    Inspect {
        /// What.
        statement: Statement,
        /// Who told of it.
        from: NodeId,
    },
    /// Helpers are to ask whether a subject is there.
    Seek {
        /// Whom to ask.
        subject: NodeId,
        /// What comes back.
        nonce: u64,
    },
    /// This node observes a peer no more.
    Unobserved {
        /// Whom.
        peer: NodeId,
    },
    /// Witnesses that have not vouched for these are to be asked whether they do.
    Ask {
        /// Which.
        ids: Vec<MessageId>,
    },
    /// The policy of a topic that keeps messages accepts one.
    Accepted {
        /// The message, and by whose word.
        accepted: Accepted,
        /// The application subscribes to it by this policy.
        is_wanted: bool,
    },
    /// The policy of a topic that keeps messages will not accept one.
    Unaccepted {
        /// On which topic.
        topic: TopicId,
        /// When its author says that it was made.
        timestamp: Timestamp,
        /// Which.
        id: MessageId,
    },
    /// The lifetime of a message is over, and it goes on to wait for those who keep it.
    Overdue {
        /// On which topic.
        topic: TopicId,
        /// When its author says that it was made.
        timestamp: Timestamp,
        /// Which.
        id: MessageId,
    },
    /// A peer sent a message that it was asked for.
    Pulled {
        /// Who.
        from: NodeId,
        /// What.
        message: Publication,
    },
    /// A message of an earlier life is to be looked at again.
    Restored {
        /// What.
        message: Publication,
    },
    /// A peer holds all that we hold within bounds, but for these.
    Agreed {
        /// Who.
        peer: NodeId,
        /// On which topic.
        topic: TopicId,
        /// Which positions were compared.
        bounds: Bounds,
        /// What it lacks of ours, in order.
        lacking: Vec<Item>,
    },
    /// Two headers for one slot, both verified at some time.
    Conflicting(Proof),
    /// A message waits for more vouches than it gets.
    Starved {
        /// How many it needs.
        needs: usize,
    },
}

/// A random number below `bound`; 0 if the bound is.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    // The bias of a remainder of 64 bits is beyond measure for the few thousand candidates there may be.
    let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
    usize::try_from(rng.next_u64() % bound).unwrap_or(0)
}

/// Whatever takes part in a network: the [`Core`](crate::Core), or something that lies.
///
/// The shell of `node` and the simulator of `testnet` drive anything that implements this.
pub trait Participant: Send {
    /// Reacts to a fact; the effects are to be carried out in order, before the next input.
    #[must_use = "effects are orders to be carried out"]
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_>;

    /// When it wants an [`Input::Tick`] at the latest.
    fn deadline(&self) -> Option<Time>;

    /// What it looks like from inside, for status pages and metrics.
    fn snapshot(&self) -> crate::Snapshot;

    /// All other members of the network, as it knows them, by id. Costly: there may be thousands.
    fn members(&self) -> Vec<crate::snapshot::MemberState> {
        Vec::new()
    }
}
