//! How to lie: a strategy is a function over an honest core's inputs and effects.
//!
//! It may drop, replace and add both; what it leaves alone the core does honestly, so an adversary links,
//! relays and vouches until it strikes. Adding a strategy is one small file with a [`Strategy`] and a
//! [`Kind`] that names it, and a line in [`KINDS`].

mod accuse;
mod adversary;
mod brain;
mod censor;
mod cold_boot;
mod covert_flash;
mod craft;
mod dawn;
mod eclipse;
mod epoch_jump;
mod equivocate;
mod exhaust;
mod forge;
mod forge_proof;
mod graft_drain;
mod grind;
mod kind;
mod lying_server;
mod malformed;
mod mutate;
mod pack;
mod poison_seeds;
mod prune_storm;
mod replay;
mod restart_eclipse;
mod shield;
mod siege;
mod silent_drop;
mod slot_exhaust;
mod slow_loris;
mod slow_read;
mod spam;
mod sybil_subnet;
mod twins;
mod vouch_lie;
mod whereabouts;

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Address, Candidate, Class, Effect, Input, Network, Participant, Time, Timestamp, TopicId,
    snapshot::MemberState,
};
use rand_chacha::ChaCha8Rng;

use self::whereabouts::Whereabouts;
pub use self::{
    accuse::ACCUSE,
    adversary::{Adversary, Standing},
    brain::Brain,
    censor::CENSOR,
    cold_boot::COLD_BOOT,
    covert_flash::COVERT_FLASH,
    dawn::DAWN,
    eclipse::ECLIPSE,
    epoch_jump::EPOCH_JUMP,
    equivocate::EQUIVOCATE,
    exhaust::EXHAUST,
    forge::FORGE,
    forge_proof::FORGE_PROOF,
    graft_drain::GRAFT_DRAIN,
    grind::GRIND,
    kind::{Brief, Intensity, KINDS, Kind, Onset, Unknown, Wire, find},
    lying_server::{COLLUDING_CHECKERS, LYING_SERVER},
    malformed::MALFORMED,
    poison_seeds::POISON_SEEDS,
    prune_storm::PRUNE_STORM,
    replay::REPLAY,
    restart_eclipse::RESTART_ECLIPSE,
    shield::SHIELD,
    silent_drop::{FLASH_DROP, FLASH_VOUCHING_DROP, SILENT_DROP, VOUCHING_DROP},
    slot_exhaust::SLOT_EXHAUST,
    slow_loris::SLOW_LORIS,
    slow_read::SLOW_READ,
    spam::SPAM,
    sybil_subnet::SYBIL_SUBNET,
    twins::TWINS,
    vouch_lie::VOUCH_LIE,
};
pub(crate) use silent_drop::TAKES_PLACE;

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
    /// The generation that its core publishes with.
    pub generation: u64,
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
    /// Whom it is after; everybody honest if empty.
    pub targets: &'a [NodeId],
    core: &'a dyn Participant,
    whereabouts: &'a Whereabouts,
    recorder: &'a Recorder,
    orders: &'a mut VecDeque<Effect>,
    facts: &'a mut VecDeque<Input>,
}

impl Cx<'_> {
    /// Sends a frame that an honest node would not send. It counts once it reaches an honest node.
    pub fn attack(&mut self, to: NodeId, class: Class, frame: Bytes) {
        self.recorder.mark_hostile(&self.keypair.id(), &frame);
        self.order(Effect::Send { to, class, frame });
    }

    /// A frame that the core ordered is hostile all the same.
    pub fn mark(&mut self, frame: &Bytes) {
        self.recorder.mark_hostile(&self.keypair.id(), frame);
    }

    /// An honest peer does not get what an honest node would have sent it: this counts at once, since
    /// nothing arrives.
    pub fn withheld(&mut self, to: NodeId) {
        if self.is_honest(&to) {
            self.recorder.withheld(&self.keypair.id());
        }
    }

    /// Orders something on top of what the core orders.
    pub fn order(&mut self, effect: Effect) {
        self.orders.push_back(effect);
    }

    /// Tells the core something on top of what happened.
    pub fn tell(&mut self, input: Input) {
        self.facts.push_back(input);
    }

    /// Members of the network, as its core knows them.
    #[must_use]
    pub fn members(&self) -> Vec<MemberState> {
        self.core.members()
    }

    /// Where this adversary may be reached.
    #[must_use]
    pub fn own_addresses(&self) -> &[Address] {
        self.whereabouts.own()
    }

    /// Where a node may be reached, if this adversary was told.
    #[must_use]
    pub fn whereabouts(&self, node: &NodeId) -> Option<Candidate> {
        self.whereabouts.of(node)
    }

    /// Victims whose addresses are known, linked or not, in a defined order.
    #[must_use]
    pub fn known_victims(&self) -> Vec<NodeId> {
        self.whereabouts.known().filter(|node| self.is_victim(node)).copied().collect()
    }

    /// Linked peers that it is after, in a defined order.
    #[must_use]
    pub fn victims(&self) -> Vec<NodeId> {
        self.peers.iter().filter(|peer| self.is_victim(peer)).copied().collect()
    }

    /// Whether it is after this node: honest, and among its targets if it has any.
    #[must_use]
    pub fn is_victim(&self, node: &NodeId) -> bool {
        self.recorder.roster().is_honest(node)
            && (self.targets.is_empty() || self.targets.contains(node))
    }

    /// Whether a node is honest. Attackers are assumed to know each other.
    #[must_use]
    pub fn is_honest(&self, node: &NodeId) -> bool {
        self.recorder.roster().is_honest(node)
    }
}

#[cfg(test)]
mod tests;
