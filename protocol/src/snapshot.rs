//! What a core looks like from inside: for status pages, metrics and the testnet's checks of bounds.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use crate::{
    Ban, Fault, Shortfall,
    links::Role,
    membership::{Epoch, SignedMember},
    network::TopicId,
};

/// The state of a core at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The generation that it publishes with.
    pub generation: u64,
    /// Another machine that signs with this node's key, if one was noticed.
    pub twin: Option<Twin>,
    /// Peers that have said hello.
    pub links: Vec<Link>,
    /// Witnesses among them.
    pub witnesses: usize,
    /// Links that this node wants to have chosen itself.
    pub witnesses_wanted: usize,
    /// Peers whose addresses are known.
    pub candidates: usize,
    /// Whom this node samples.
    pub overlay: Overlay,
    /// Who is a member, in numbers; nothing on a network without membership.
    pub membership: Option<Membership>,
    /// For each topic, how it stands.
    pub topics: BTreeMap<TopicId, TopicState>,
    /// For each topic that keeps its messages, how this node stands to others.
    pub sync: BTreeMap<TopicId, SyncState>,
    /// Who is banned.
    pub bans: Vec<Ban>,
    /// Authors whose equivocation is proven.
    pub exposed: usize,
    /// Faults seen so far, by name.
    pub faults: BTreeMap<Fault, u64>,
    /// Frames that were dropped because all peers together sent too much, and their senders more than their part.
    pub crowded: u64,
    /// Every collection that a peer can feed, with what it holds and what it may hold.
    pub bounds: Vec<Bound>,
}

/// How what this node keeps of a topic stands to what others keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// Messages that it stands behind.
    pub held: usize,
    /// Messages that it pulled, and that wait for vouches.
    pub pending: usize,
    /// Messages that others have and it lacks, as far as it knows.
    pub wanted: usize,
    /// Comparisons under way.
    pub open: usize,
    /// Something may be lacking that others have.
    pub is_behind: bool,
    /// It has once found nothing lacking since it started.
    pub is_settled: bool,
    /// How long no comparison has shown a difference.
    pub equal_for: Option<Duration>,
    /// Comparisons begun.
    pub comparisons: u64,
    /// Messages pulled.
    pub pulled: u64,
    /// Messages found that a server hid.
    pub hidden: u64,
}

/// Another machine that signs with our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The generation that it signs in.
    pub generation: u64,
    /// It started after us, or in the same second: nothing is published here any more.
    pub is_newer: bool,
}

/// A peer that has said hello.
#[derive(Clone, Debug)]
pub struct Link {
    /// Who.
    pub peer: NodeId,
    /// Chosen by us, or come to us.
    pub role: Role,
    /// How long the link has been up.
    pub age: Duration,
    /// What software it says it is.
    pub agent: String,
    /// The generation that it says it is in.
    pub generation: u64,
    /// Its score: 0 is spotless, -100 is a ban.
    pub score: f64,
    /// Topics on which it gets payloads from us at once.
    pub eager_topics: usize,
}

/// How the sampling of peers stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Slots of the view.
    pub slots: usize,
    /// Peers in them.
    pub view: usize,
    /// Peers in the network, oneself left out, as far as the view tells.
    pub peers: u32,
    /// Slots that are drawn anew in a round.
    pub rate: f64,
    /// How often a slot is offered every peer before it is drawn anew: `C = 2 v^2 / (rho N)`.
    pub capacity: f64,
    /// The capacity is below 10: the network is too large for the view, and liars may fill it.
    pub is_overrun: bool,
    /// The view has yet to settle, and nobody is drawn from it for good.
    pub is_joining: bool,
    /// Rounds so far.
    pub rounds: u64,
    /// Samples that wait to be made links.
    pub samples: usize,
    /// Peers that the operator, the manifest or the application named.
    pub contacts: usize,
    /// Peers in the address book.
    pub book: usize,
    /// The number of our own record, if we are reachable and told others so.
    pub record: Option<u64>,
}

/// Who is a member, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Members, this node among them if it is one.
    pub members: usize,
    /// Those of them that are suspected.
    pub suspected: usize,
    /// Members that left or died and are remembered.
    pub graves: usize,
    /// `t`: so many observers of one member may lie.
    pub tolerated: usize,
    /// Observers of each member: `2t + 1`.
    pub observers: usize,
    /// Independent accusers whose word is a certificate: `t + 1`.
    pub needed: usize,
    /// Members that this node observes,
    pub subjects: usize,
    /// and those of them that do not answer.
    pub doubtful: usize,
    /// By how much this node stretches its timeouts, since it may be slow itself: 0 is well, 8 the most.
    pub health: u32,
    /// Our own epoch, if we are a member.
    pub epoch: Option<Epoch>,
    /// What we say of ourselves, if we are one.
    pub own: Option<SignedMember>,
    /// Pieces of news that are being told.
    pub rumours: usize,
}

/// A member, as this node knows it.
#[derive(Clone, Debug)]
pub struct MemberState {
    /// What it says of itself.
    pub record: SignedMember,
    /// Several of its observers accuse it.
    pub is_suspected: bool,
    /// This node is one of its observers, on this ring.
    pub observed_on: Option<u8>,
    /// `-log10` of the chance that a normal answer takes as long as the one that this node waits for; nothing if it waits for none.
    pub phi: Option<f64>,
}

/// How a topic stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicState {
    /// Whether the application subscribes.
    pub subscribed: bool,
    /// Whether there are enough witnesses for its policy, and for those of its subscriptions.
    pub acceptable: bool,
    /// Independent witnesses that must vouch, by the strictest of these.
    pub witnesses_needed: usize,
    /// Messages published here.
    pub published: u64,
    /// Messages verified and found valid.
    pub verified: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages that wait for vouches.
    pub waiting: u64,
    /// Messages dropped before the topic's policy accepted them.
    pub unaccepted: Shortfalls,
    /// Messages handed to the application whose authors turned out to have said two things.
    pub contested: u64,
}

/// Messages dropped before they were accepted, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfalls {
    too_few_vouches: u64,
    unanswered: u64,
    contested: u64,
    crowded: u64,
    expired: u64,
}

impl Shortfalls {
    /// How many for this reason.
    #[must_use]
    pub const fn of(&self, why: Shortfall) -> u64 {
        match why {
            Shortfall::TooFewVouches => self.too_few_vouches,
            Shortfall::Unanswered => self.unanswered,
            Shortfall::Contested => self.contested,
            Shortfall::Crowded => self.crowded,
            Shortfall::Expired => self.expired,
        }
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        Shortfall::ALL.iter().fold(0, |sum: u64, why| sum.saturating_add(self.of(*why)))
    }

    /// One more.
    pub(crate) const fn count(&mut self, why: Shortfall) {
        let count = match why {
            Shortfall::TooFewVouches => &mut self.too_few_vouches,
            Shortfall::Unanswered => &mut self.unanswered,
            Shortfall::Contested => &mut self.contested,
            Shortfall::Crowded => &mut self.crowded,
            Shortfall::Expired => &mut self.expired,
        };
        *count = count.saturating_add(1);
    }
}

/// How full a bounded collection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The collection, as in `docs/protocol.md`.
    pub name: &'static str,
    /// What it holds, in its unit.
    pub used: usize,
    /// What it may hold.
    pub max: usize,
}
