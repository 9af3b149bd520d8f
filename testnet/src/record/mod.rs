//! What a run was like, seen from the honest nodes and checked independently of their cores.
//!
//! One [`Recorder`] is shared by all taps and adversaries of a run. It verifies each distinct frame once,
//! counts what was said, sent and believed, and keeps the first violations in words. It is bounded: what
//! grows with the length of a run has a limit, and a run that goes over it says so in its findings.
//!
//! It deliberately does not ask any core for its opinion.

mod buckets;
mod catch_up;
mod disks;
mod evidence;
mod findings;
mod frames;
pub mod history;
mod invariants;
mod latencies;
mod log;
mod mark;
mod narrate;
mod promises;
mod roll;
mod roster;
mod samples;
mod seats;
mod spread;
mod ties;
mod timeline;
mod traffic;
mod trees;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Accepted, Ban, BanCause, Class, Event, Fault, Header, Lane, MessageId, Network, Publication,
    Slot, Snapshot, Time, Timestamp, Whom, membership::News, wire::Frame,
};

use self::{
    catch_up::CatchUps,
    evidence::Evidence,
    frames::Frames,
    invariants::Broken,
    log::{Happening, Log},
    promises::Promises,
    roll::Roll,
    samples::{Linked, Samples},
    spread::{Acceptance, Published, Spread},
    ties::Ties,
    timeline::Timeline,
    traffic::{Sent, Traffic},
    trees::Trees,
};
pub use self::{
    catch_up::CaughtUp,
    findings::{Findings, Latency},
    history::History,
    invariants::{Invariant, Violation},
    mark::{Mark, What},
    roll::Members,
    roster::{Roster, Seat},
    ties::Tied,
    timeline::Recovery,
};

/// How long after its end a message may still be delivered before it counts: clocks are read at two moments.
const EXPIRY_GRACE_MS: u64 = 50;

/// Where all that happens at honest nodes comes together.
#[derive(Debug)]
pub struct Recorder {
    roster: Roster,
    network: Arc<Network>,
    sent: Sent,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spread: Spread,
    traffic: Traffic,
    evidence: Evidence,
    roll: Roll,
    frames: Frames,
    broken: Broken,
    samples: Samples,
    ties: Ties,
    timeline: Timeline,
    log: Log,
    trees: Trees,
    promises: Promises,
    catch_ups: CatchUps,
}

impl Recorder {
    /// A recorder for a run with these nodes on this network.
    #[must_use]
    pub fn new(roster: Roster, network: Arc<Network>) -> Self {
        let is_kept = network.topics().any(|(_, topic)| topic.retention.is_some());
        let state = State {
            spread: Spread::new(roster.honest_count(), is_kept),
            traffic: Traffic::default(),
            evidence: Evidence::default(),
            roll: Roll::new(roster.honest_count()),
            frames: Frames::default(),
            broken: Broken::default(),
            samples: Samples::default(),
            ties: Ties::default(),
            timeline: Timeline::default(),
            log: Log::default(),
            trees: Trees::default(),
            promises: Promises::default(),
            catch_ups: CatchUps::default(),
        };
        Self { roster, network, sent: Sent::default(), state: Mutex::new(state) }
    }

    /// Who is honest and who is not.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// An adversary is about to send this, and an honest node would not. Counts when it arrives.
    pub fn mark_hostile(&self, adversary: &NodeId, frame: &Bytes) {
        self.state().frames.mark_hostile(adversary, frame);
    }

    /// An adversary does not do for an honest node what an honest one would have done. Counts at once, since
    /// nothing arrives.
    pub fn withheld(&self, adversary: &NodeId) {
        if let Some(kind) = self.roster.kind(adversary) {
            self.state().traffic.hostile(kind.name);
        }
    }

    /// Something begins or ends.
    pub fn mark(&self, at: Time, mark: Mark) {
        let mut state = self.state();
        state.traffic.now(at, &self.sent);
        state.timeline.mark(at, mark);
    }

    /// What an honest node looks like from inside; best about once a second.
    pub fn sample(&self, at: Time, seat: Seat, snapshot: &Snapshot) {
        let mut state = self.state();
        let State { samples, ties, timeline, broken, traffic, .. } = &mut *state;
        traffic.now(at, &self.sent);
        let linked = Linked::of(&snapshot.links, &self.roster);
        ties.look(seat, linked, timeline.is_under_attack());
        for bound in samples.take(at, seat, snapshot, &self.roster) {
            broken.note(Invariant::OverBound, at, seat, None, || {
                format!("holds {} in {}, of {} allowed", bound.used, bound.name, bound.max)
            });
        }
    }

    /// An honest node has left the network: crashed, stopped, or not there yet. Nothing that it has not
    /// accepted is owed to it.
    pub fn left(&self, at: Time, seat: Seat) {
        let mut state = self.state();
        state.spread.left(seat, at);
        state.evidence.left(seat);
        state.roll.left(seat, at);
        state.samples.forget(at, seat);
        state.ties.forget(seat);
        state.promises.died(seat);
        state.catch_ups.left(seat);
        state.log.note(at, seat, Happening::Left, None, None);
    }

    fn keeps(&self) -> bool {
        self.network.topics().any(|(_, topic)| topic.retention.is_some())
    }

    /// An honest node has joined the network, or is back in another life.
    pub fn joined(&self, at: Time, seat: Seat) {
        let mut state = self.state();
        state.spread.joined(seat);
        if self.keeps() {
            let lacking = state.spread.lacking(seat);
            state.catch_ups.returned(seat, lacking, at);
        }
        state.evidence.joined(seat);
        state.roll.joined(seat, at);
        state.log.note(at, seat, Happening::Joined, None, None);
    }

    /// A frame has arrived at an honest node.
    pub fn received(&self, seat: Seat, from: &NodeId, lane: Lane, frame: &Bytes, at: Time) {
        let hostile = self.roster.kind(from);
        // Vouches are the bulk of all frames and concern nobody here.
        if lane == Lane::Control && hostile.is_none() {
            return;
        }
        let mut state = self.state();
        if let Some(kind) = hostile
            && state.frames.is_hostile(from, frame)
        {
            state.traffic.hostile(kind.name);
            state.traffic.now(at, &self.sent).hostile += 1;
            if let Some(adversary) = self.roster.index(from) {
                state.evidence.struck(adversary, seat);
            }
            state.log.note(at, seat, Happening::Hostile, self.roster.index(from), None);
            return state.look_for_equivocation(&self.roster, &self.network, frame);
        }
        let author = match lane {
            Lane::Control => None,
            Lane::Data => state.frames.facts(frame, &self.network).author,
        };
        let Some(author) = author else { return };
        if self.roster.is_honest(&author) {
            state.traffic.copies += 1;
        } else if hostile.is_some() {
            // What one says, another may bring in good faith.
            state.look_for_equivocation(&self.roster, &self.network, frame);
        }
    }

    /// An honest node has ordered a frame to be sent.
    pub fn sent(&self, seat: Seat, class: Class, frame: &Bytes, at: Time) {
        self.sent.count(class, frame.len());
        if !frames::carries_signatures(frame) {
            return;
        }
        let mut state = self.state();
        if !state.frames.facts(frame, &self.network).genuine {
            state.broken.note(Invariant::UnverifiedRelayed, at, seat, None, || {
                format!("sent a forged frame as {}", class.name())
            });
        }
    }

    /// An honest node has a signature checked, which is what a frame costs most.
    pub fn checks_a_signature(&self) {
        self.sent.check();
    }

    /// An honest node has published.
    pub fn published(&self, seat: Seat, id: MessageId, at: Time) {
        let mut state = self.state();
        let disturbed = state.timeline.is_disturbed();
        state.traffic.now(at, &self.sent).published += 1;
        let published = Published { at, author: seat, disturbed };
        if let Some(number) = state.spread.published(id, published) {
            state.log.note(at, seat, Happening::Published, None, Some(number));
            state.trees.published(number, seat, at, disturbed);
            state.promises.made(seat, number);
        }
    }

    /// An honest node has handed a message to its application.
    pub fn delivered(&self, seat: Seat, accepted: &Accepted, at: Time, wall: Timestamp) {
        self.believed(seat, accepted.message(), at, wall);
        self.vouched(accepted.message().id(), accepted.vouchers());
    }

    /// These nodes have vouched for a message that an honest node has accepted.
    pub(crate) fn vouched(&self, id: MessageId, vouchers: &[NodeId]) {
        let mut state = self.state();
        let State { spread, promises, .. } = &mut *state;
        if let Some(number) = spread.find(&id) {
            let seats = vouchers.iter().filter_map(|voucher| self.roster.seat(voucher));
            seats.for_each(|seat| promises.made(seat, number));
        }
    }

    /// As [`Self::delivered`]; apart from it because only a core can make an [`Accepted`].
    pub(crate) fn believed(&self, seat: Seat, message: &Publication, at: Time, wall: Timestamp) {
        let id = message.id();
        let Header { slot, .. } = *message.header();
        let mut state = self.state();
        let State { frames, broken, .. } = &mut *state;
        if !frames.facts(message.frame(), &self.network).genuine {
            broken.note(Invariant::ForgedAccepted, at, seat, Some(id), || {
                format!("delivered a forged message, {id}")
            });
        }
        let kept = self.network.topic(slot.topic).retention;
        let expires = kept.map_or(message.header().expires(), |retention| {
            message.header().timestamp.saturating_add(retention.time)
        });
        if wall.as_millis() > expires.as_millis().saturating_add(EXPIRY_GRACE_MS) {
            broken.note(Invariant::ExpiredAccepted, at, seat, Some(id), || {
                format!("delivered an expired message, {id}")
            });
        }
        drop(state);
        self.read(seat, id, slot, message.payload().len(), at);
    }

    /// An honest node's application has a message.
    pub(crate) fn read(&self, seat: Seat, id: MessageId, slot: Slot, bytes: usize, at: Time) {
        let mut state = self.state();
        let State { spread, traffic, broken, timeline, log, trees, promises, catch_ups, .. } =
            &mut *state;
        match spread.accepted(seat, id, slot, bytes, at) {
            Acceptance::First(taken) => {
                traffic.now(at, &self.sent).accepted += 1;
                let author = self.roster.index(&slot.author);
                log.note(at, seat, Happening::Accepted, author, Some(taken.number));
                trees.accepted(taken.number, seat, at);
                promises.made(seat, taken.number);
                catch_ups.has(seat, taken.number, at);
                if let Some(published) = taken.published {
                    timeline.accepted(published, at);
                }
            }
            Acceptance::Again => {
                broken.note(Invariant::DeliveredTwice, at, seat, Some(id), || {
                    format!("delivered twice: {id}")
                });
            }
            Acceptance::Untracked => {}
        }
    }

    /// An honest node reports something.
    pub fn event(&self, seat: Seat, event: &Event, at: Time) {
        // The bulk of all reports, and known from the frames themselves.
        if let Event::Duplicate { .. } = event {
            return;
        }
        let index = |node: &NodeId| self.roster.index(node);
        let mut state = self.state();
        let State { spread, traffic, evidence, roll, log, trees, .. } = &mut *state;
        let mut note = |what, peer, message| log.note(at, seat, what, peer, message);
        match event {
            // Networks and what operators say are not this run's business.
            Event::Banned(Ban {
                whom: Whom::Peer(peer), cause: BanCause::Fault(fault), ..
            }) => {
                drop(state);
                self.banned(seat, peer, *fault, at);
            }
            Event::Exposed { proof } => {
                drop(state);
                self.exposed(seat, proof.author(), at);
            }
            Event::Fault { fault, blamed, from, .. } => {
                note(Happening::Fault(*fault), blamed.or(*from).as_ref().and_then(index), None);
                if let Some(adversary) = blamed.filter(|it| self.roster.kind(it).is_some()) {
                    index(&adversary).into_iter().for_each(|it| evidence.blamed(it, seat));
                }
                let blames_honest = blamed.is_some_and(|blamed| self.roster.is_honest(&blamed));
                traffic.fault(*fault, blames_honest);
                traffic.now(at, &self.sent).faults += 1;
            }
            Event::LinkUp { peer, role } => note(Happening::LinkUp(*role), index(peer), None),
            Event::LinkDown { peer } => note(Happening::LinkDown, index(peer), None),
            Event::Relayed { id, from, .. } => {
                if let Some(number) = spread.find(id) {
                    let from = from.as_ref().and_then(index);
                    note(Happening::Relayed, from, Some(number));
                    spread.relayed(seat, number);
                    trees.relayed(number, seat, from, at);
                }
            }
            Event::Unaccepted { id, why, .. } => {
                note(Happening::Unaccepted(*why), None, spread.find(id));
            }
            Event::Contested { id, slot } => {
                note(Happening::Contested, index(&slot.author), spread.find(id));
            }
            Event::Membership(news) => {
                let happening = match news {
                    // As many as there are pairs of nodes.
                    News::Joined { .. } => None,
                    News::Suspected { peer, .. } => Some((Happening::Suspected, *peer)),
                    News::Recovered { peer, .. } => Some((Happening::Recovered, *peer)),
                    News::Died { certificate } => Some((Happening::Died, certificate.subject)),
                    News::Left { peer } | News::Evicted { peer } => {
                        Some((Happening::Parted, *peer))
                    }
                };
                if let Some((what, peer)) = happening {
                    note(what, index(&peer), None);
                }
                roll.told(seat, news, &self.roster, at);
            }
            Event::Banned(_) | Event::Duplicate { .. } | Event::Twin(_) => {}
        }
    }

    /// An honest node has banned somebody.
    pub(crate) fn banned(&self, seat: Seat, peer: &NodeId, fault: Fault, at: Time) {
        let mut state = self.state();
        let State { traffic, evidence, broken, log, .. } = &mut *state;
        log.note(at, seat, Happening::Banned(fault), self.roster.index(peer), None);
        evidence.bans += 1;
        let moment = traffic.now(at, &self.sent);
        if let Some(victim) = self.roster.seat(peer) {
            moment.false_bans += 1;
            broken.note(Invariant::FalseBan, at, seat, None, || {
                format!("banned honest node {victim} for {fault}")
            });
        } else if let Some(adversary) = self.roster.index(peer) {
            moment.bans += 1;
            evidence.banned(adversary, seat);
        }
    }

    /// An honest node holds a proof against somebody.
    pub(crate) fn exposed(&self, seat: Seat, author: NodeId, at: Time) {
        let mut state = self.state();
        let State { evidence, broken, log, .. } = &mut *state;
        log.note(at, seat, Happening::Exposed, self.roster.index(&author), None);
        evidence.exposed(author, seat);
        if let Some(victim) = self.roster.seat(&author) {
            broken.note(Invariant::FalseProof, at, seat, None, || {
                format!("holds a proof against honest node {victim}")
            });
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
}

#[cfg(test)]
mod tests;
