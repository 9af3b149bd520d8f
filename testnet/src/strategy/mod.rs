//! How to lie: a strategy is a function over an honest core's inputs and effects.
//!
//! It may drop, replace and add both; what it leaves alone the core does honestly, so an adversary links,
//! relays and vouches until it strikes. Adding a strategy is one small file with a [`Strategy`] and a
//! [`Kind`] that names it, and a line in [`KINDS`].

mod adversary;
mod equivocate;
mod forge;
mod kind;
mod spam;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{Class, Effect, Input, Network, Time, Timestamp, TopicId};
use rand_chacha::ChaCha8Rng;

pub use self::{
    adversary::{Adversary, Standing},
    equivocate::EQUIVOCATE,
    forge::FORGE,
    kind::{Intensity, KINDS, Kind, Unknown, find},
    spam::SPAM,
};
use crate::record::Recorder;

/// A way to misbehave. Asked only while the attack is on.
pub trait Strategy: Send {
    /// What the core gets to know instead of `input`; `None` hides it.
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        Some(input)
    }

    /// What is done instead of what the core ordered; `None` does nothing.
    fn on_effect(&mut self, effect: Effect, _cx: &mut Cx<'_>) -> Option<Effect> {
        Some(effect)
    }

    /// Acts of its own accord: at first when the attack begins, then whenever it said. Returns when it
    /// wants to act again.
    fn act(&mut self, _cx: &mut Cx<'_>) -> Option<Time> {
        None
    }
}

/// What a strategy is lent while it schemes.
pub struct Cx<'a> {
    /// The core's own clock.
    pub now: Time,
    /// The wall clock, which messages are dated by.
    pub wall: Timestamp,
    /// The adversary's own key.
    pub keypair: &'a Keypair,
    /// The network under attack.
    pub network: &'a Network,
    /// The topic under attack.
    pub topic: TopicId,
    /// Peers that have said hello and are linked now.
    pub peers: &'a BTreeSet<NodeId>,
    /// This adversary's own randomness.
    pub rng: &'a mut ChaCha8Rng,
    recorder: &'a Recorder,
    orders: &'a mut VecDeque<Effect>,
    facts: &'a mut VecDeque<Input>,
}

impl Cx<'_> {
    /// Sends a frame that an honest node would not send. It counts once it reaches an honest node.
    pub fn attack(&mut self, to: NodeId, class: Class, frame: Bytes) {
        self.recorder.mark_hostile(&frame);
        self.order(Effect::Send { to, class, frame });
    }

    /// Orders something on top of what the core orders.
    pub fn order(&mut self, effect: Effect) {
        self.orders.push_back(effect);
    }

    /// Tells the core something on top of what happened.
    pub fn tell(&mut self, input: Input) {
        self.facts.push_back(input);
    }

    /// Linked peers that are honest, in a defined order.
    #[must_use]
    pub fn victims(&self) -> Vec<NodeId> {
        let honest = |peer: &&NodeId| self.recorder.roster().is_honest(peer);
        self.peers.iter().filter(honest).copied().collect()
    }
}

#[cfg(test)]
mod tests;
