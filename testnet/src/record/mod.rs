//! What a run was like, seen from the honest nodes and checked independently of their cores.
//!
//! One [`Recorder`] is shared by all taps and adversaries of a run. It verifies each distinct frame once,
//! counts what was said, sent and believed, and keeps the first violations in words. It is bounded: what
//! grows with the length of a run has a limit, and a run that goes over it says so in its findings.
//!
//! It deliberately does not ask any core for its opinion.

mod evidence;
mod findings;
mod frames;
mod roster;
mod spread;
mod traffic;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Accepted, Class, Event, Header, Lane, MessageId, Network, Publication, Time, Timestamp,
    wire::Frame,
};

use self::{evidence::Evidence, frames::Frames, spread::Spread, traffic::Traffic};
pub use self::{
    findings::{Findings, Latency},
    roster::{Roster, Seat},
};

/// Violations that are kept in words; the rest are only counted.
const VIOLATIONS_KEPT: usize = 16;
/// How long after its end a message may still be delivered before it counts: clocks are read at two moments.
const EXPIRY_GRACE_MS: u64 = 50;

/// Where all that happens at honest nodes comes together.
#[derive(Debug)]
pub struct Recorder {
    roster: Roster,
    network: Arc<Network>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spread: Spread,
    traffic: Traffic,
    evidence: Evidence,
    frames: Frames,
    violations: Vec<String>,
    forged_relayed: u64,
    forged_delivered: u64,
    expired_delivered: u64,
    delivered_twice: u64,
}

impl Recorder {
    /// A recorder for a run with these nodes on this network.
    #[must_use]
    pub fn new(roster: Roster, network: Arc<Network>) -> Self {
        let state = State {
            spread: Spread::new(roster.honest_count()),
            traffic: Traffic::default(),
            evidence: Evidence::default(),
            frames: Frames::default(),
            violations: Vec::new(),
            forged_relayed: 0,
            forged_delivered: 0,
            expired_delivered: 0,
            delivered_twice: 0,
        };
        Self { roster, network, state: Mutex::new(state) }
    }

    /// Who is honest and who is not.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// An adversary is about to send this, and an honest node would not. Counts when it arrives.
    pub fn mark_hostile(&self, frame: &Bytes) {
        self.state().frames.mark_hostile(frame);
    }

    /// A frame has arrived at an honest node.
    pub fn received(&self, from: &NodeId, lane: Lane, frame: &Bytes) {
        let hostile = self.roster.kind(from);
        // Vouches are the bulk of all frames and concern nobody here.
        if lane == Lane::Control && hostile.is_none() {
            return;
        }
        let mut state = self.state();
        if let Some(kind) = hostile
            && state.frames.is_hostile(frame)
        {
            state.traffic.hostile(kind.name);
            return state.look_for_equivocation(&self.roster, &self.network, frame);
        }
        if lane == Lane::Data
            && let Ok(Frame::Publication(copy)) = Frame::decode(frame, &self.network)
            && self.roster.is_honest(&copy.header().slot.author)
        {
            state.traffic.copies += 1;
        }
    }

    /// An honest node has ordered a frame to be sent.
    pub fn sent(&self, seat: Seat, class: Class, frame: &Bytes, at: Time) {
        let mut state = self.state();
        state.traffic.sent(class, frame.len());
        if !frames::carries_signatures(frame) || state.frames.is_genuine(frame, &self.network) {
            return;
        }
        state.forged_relayed += 1;
        state.violation(|| {
            format!("{at}: honest node {seat} sent a forged frame as {}", class.name())
        });
    }

    /// An honest node has published.
    pub fn published(&self, id: MessageId, at: Time) {
        self.state().spread.published(id, at);
    }

    /// An honest node has handed a message to its application.
    pub fn delivered(&self, seat: Seat, accepted: &Accepted, at: Time, wall: Timestamp) {
        self.believed(seat, accepted.message(), at, wall);
    }

    /// As [`Self::delivered`]; apart from it because only a core can make an [`Accepted`].
    pub(crate) fn believed(&self, seat: Seat, message: &Publication, at: Time, wall: Timestamp) {
        let id = message.id();
        let Header { slot, .. } = *message.header();
        let author = self.roster.seat(&slot.author);
        let mut state = self.state();
        if !state.frames.is_genuine(message.frame(), &self.network) {
            state.forged_delivered += 1;
            state
                .violation(|| format!("{at}: honest node {seat} delivered a forged message, {id}"));
        }
        if wall.as_millis() > message.header().expires().as_millis().saturating_add(EXPIRY_GRACE_MS)
        {
            state.expired_delivered += 1;
            state.violation(|| {
                format!("{at}: honest node {seat} delivered an expired message, {id}")
            });
        }
        if !state.spread.accepted(seat, author, id, message.payload().len(), at) {
            state.delivered_twice += 1;
            state.violation(|| format!("{at}: honest node {seat} delivered twice: {id}"));
        }
    }

    /// An honest node reports something.
    pub fn event(&self, seat: Seat, event: &Event, at: Time) {
        match event {
            Event::Banned { peer, fault, .. } => {
                let mut state = self.state();
                state.evidence.bans += 1;
                if let Some(victim) = self.roster.seat(peer) {
                    state.evidence.false_bans += 1;
                    state.violation(|| {
                        format!("{at}: honest node {seat} banned honest node {victim} for {fault}")
                    });
                }
            }
            Event::Exposed { proof } => {
                let author = proof.author();
                let mut state = self.state();
                state.evidence.exposed(author, seat);
                if let Some(victim) = self.roster.seat(&author) {
                    state.evidence.false_proofs += 1;
                    state.violation(|| {
                        format!(
                            "{at}: honest node {seat} holds a proof against honest node {victim}"
                        )
                    });
                }
            }
            Event::Fault { fault, blamed, .. } => {
                let blames_honest = blamed.is_some_and(|blamed| self.roster.is_honest(&blamed));
                self.state().traffic.fault(*fault, blames_honest);
            }
            Event::LinkUp { .. }
            | Event::LinkDown { .. }
            | Event::Relayed { .. }
            | Event::Duplicate { .. }
            | Event::Unaccepted { .. }
            | Event::Twin { .. } => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves counters that are good enough to report it with.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a hostile frame is the second half of an equivocation.
    fn look_for_equivocation(&mut self, roster: &Roster, network: &Network, frame: &Bytes) {
        if let Ok(Frame::Publication(message)) = Frame::decode(frame, network)
            && roster.kind(&message.header().slot.author).is_some()
        {
            self.evidence.said(message.signed());
        }
    }

    fn violation(&mut self, what: impl FnOnce() -> String) {
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(what());
        }
    }
}

#[cfg(test)]
mod tests;
