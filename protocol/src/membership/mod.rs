//! Membership: who is a member of the network, who is alive, and who is not.
//!
//! Each member signs a [record] of itself, which everybody knows. On `2t + 1` rings each has an observer, drawn anew
//! with each shift, which probes it: directly, then through helpers. That a member answers is proof; that it does not is an
//! opinion, and nobody dies of one: `t + 1` independent signed accusations that it has not rebutted in time are a
//! certificate of its death. Whoever reads of its own accusation says that it is alive, with a higher epoch, and only its key can say so.
//!
//! This machine probes, hears, counts and tells. It knows no addresses but those in records, makes no links (the core asks it
//! whom it needs), and signs nothing.

pub mod accusation;
mod court;
mod health;
mod hearing;
mod phi;
mod probing;
pub mod record;
mod rings;
mod roster;
mod rumours;
pub mod settings;
pub mod signed;
mod status;
mod table;
mod telling;
#[cfg(test)]
mod tests;
mod watch;

use core::time::Duration;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use forsooth_crypto::{NodeId, Verified};
use rand_core::Rng as _;

pub use self::{
    accusation::{Accusation, Answer, Certificate, SignedAccusation, SignedAnswer},
    record::{Epoch, Member, SignedMember, Tags},
    settings::{Preset, Settings},
};
use self::{
    court::{Court, Rules},
    health::Health,
    rings::Rings,
    rumours::{Rumour, Rumours, tellings},
    table::Table,
    watch::Watch,
};
use crate::{
    budget::Budgets,
    links::Purpose,
    machine::{Cx, Machine, Signal},
    network::Network,
    sync::{
        Sessions, Set, SketchKey,
        reconcile::{Question, Reply},
    },
    time::{Time, Timestamp},
    wire::{Ack, Probe},
};

/// The roster is drawn anew so long after something has changed, so that changes that come together cost one drawing.
const ROSTER_AFTER: Duration = Duration::from_secs(1);
/// Views may differ so long on who came, and when a shift began.
const UNSETTLED: Duration = Duration::from_secs(20);
/// A node knows when others came only of those that came after it had been there for so long.
const NEWCOMER: Duration = Duration::from_secs(60);
/// Bytes a second that each member may cost each other by signing its record anew, of all members together.
const REFRESH_BYTES_PER_SECOND: u64 = 200;
/// Bytes of a record on the wire, about.
const RECORD_BYTES: u64 = 200;
/// Peers to be dialled that wait for it.
const WANTED_MAX: usize = 128;
/// Graves are looked through so often.
const REAP_EVERY: Duration = Duration::from_secs(300);
/// Members that one peer may tell of at once that nobody had told of before, and how soon one more.
const STRANGERS_BURST: u32 = 4_096;
const STRANGERS_EVERY: Duration = Duration::from_millis(100);

/// Who is a member, and who is alive.
#[derive(Debug)]
pub(crate) struct Membership {
    config: Config,
    settings: Settings,
    table: Table,
    court: Court,
    watch: Watch,
    rumours: Rumours,
    health: Health,
    /// Connected peers that have said hello.
    met: BTreeSet<NodeId>,
    /// What it said last, or is about to: the epoch, the version and the nonce.
    said: Option<(Epoch, u64, u64)>,
    tags: Tags,
    left: bool,
    rings: Rings,
    /// Those of the shift before.
    rings_before: Rings,
    /// Who may observe us.
    observers: BTreeSet<NodeId>,
    /// When whom to observe is found anew.
    roster_at: Option<Time>,
    /// When this node was first a member, by its wall clock.
    since: Option<Timestamp>,
    /// When this node first met anybody.
    began: Option<Time>,
    /// This node does not judge before: it has just been asleep.
    judges_from: Time,
    /// Whom to dial for it.
    wanted: VecDeque<(NodeId, Purpose)>,
    errands: Vec<probing::Errand>,
    gossip_at: Option<Time>,
    pace: telling::Pace,
    sessions: Sessions,
    refresh_at: Option<Time>,
    /// When it last signed its record.
    said_at: Time,
    reap_at: Time,
    strangers: Budgets<NodeId>,
    requests: Budgets<NodeId>,
    questions: Budgets<NodeId>,
    served: Budgets<NodeId>,
    wake: Option<Time>,
    restless: bool,
}

/// What [`Membership`] is told when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) me: NodeId,
    pub(crate) network: Arc<Network>,
    pub(crate) generation: u64,
}

/// What this node is to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) epoch: Epoch,
    pub(crate) version: u64,
    pub(crate) nonce: u64,
    pub(crate) left: bool,
    pub(crate) tags: Tags,
}

/// Something whose signature is worth a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Member(SignedMember),
    Accusation(SignedAccusation),
    Answer(SignedAnswer),
}

/// What became of a member, for observers.
#[derive(Clone, Debug)]
pub enum News {
    /// It is a member, or began a new life.
    Joined {
        /// Who.
        peer: NodeId,
        /// In which epoch.
        epoch: Epoch,
    },
    /// Several of its observers accuse it.
    Suspected {
        /// Who.
        peer: NodeId,
        /// In which epoch.
        epoch: Epoch,
    },
    /// It was suspected, or dead, and has shown that it is alive.
    Recovered {
        /// Who.
        peer: NodeId,
        /// The new epoch.
        epoch: Epoch,
    },
    /// It is certified dead.
    Died {
        /// By whose word.
        certificate: Certificate,
    },
    /// It says that it leaves.
    Left {
        /// Who.
        peer: NodeId,
    },
    /// It signed two records of one version, and is a member no more.
    Evicted {
        /// Who.
        peer: NodeId,
    },
}

/// What [`Membership`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A peer has said hello.
    Met { peer: NodeId },
    /// A peer is gone.
    Gone { peer: NodeId },
    /// A dial has not found a peer.
    Unreached { peer: NodeId },
    /// This node's addresses are known, or others than before.
    Announced,
    /// The application's tags for this node.
    Tagged(Tags),
    /// This node is about to end.
    Leaving,
    /// Our own record, signed.
    Own(Verified<SignedMember>),
    /// Our own accusation, signed.
    Accused(Verified<SignedAccusation>),
    /// So many helpers were asked about a subject.
    Helped { subject: NodeId, helpers: usize },
    /// A peer asks whether somebody is there.
    Probed { from: NodeId, probe: Probe },
    /// A peer says whether somebody is there.
    Acked { from: NodeId, ack: Ack },
    /// A peer tells of members.
    Told {
        from: NodeId,
        members: Vec<SignedMember>,
        accusations: Vec<SignedAccusation>,
        asked: bool,
    },
    /// A record is its member's. It is old if it was asked for.
    Member { record: Verified<SignedMember>, from: NodeId },
    /// An accusation is its accuser's.
    Accusation { accusation: Verified<SignedAccusation>, from: NodeId },
    /// An answer is its subject's.
    Answer { answer: Verified<SignedAnswer>, from: NodeId },
    /// A peer asks where tables differ.
    Asked { from: NodeId, question: Question },
    /// A peer replies.
    Replied { from: NodeId, reply: Reply },
    /// A peer wants records.
    Wanted { from: NodeId, names: Vec<u64>, members: Vec<NodeId> },
}

impl Membership {
    pub(crate) fn new(config: Config, settings: Settings) -> Self {
        let rings = Rings::new(config.network.digest(), 0, 1);
        Self {
            settings,
            table: Table::new(SketchKey::of(&config.network)),
            sessions: Sessions::new(Set::Members),
            court: Court::new(Rules::of(&settings)),
            watch: Watch::default(),
            rumours: Rumours::default(),
            health: Health::default(),
            met: BTreeSet::new(),
            said: None,
            tags: Tags::default(),
            left: false,
            rings_before: rings.clone(),
            rings,
            observers: BTreeSet::new(),
            roster_at: None,
            since: None,
            began: None,
            judges_from: Time::ZERO,
            wanted: VecDeque::new(),
            errands: Vec::new(),
            gossip_at: None,
            pace: telling::Pace::default(),
            refresh_at: None,
            said_at: Time::ZERO,
            reap_at: Time::ZERO + REAP_EVERY,
            strangers: Budgets::new(STRANGERS_BURST, STRANGERS_EVERY),
            requests: Budgets::new(telling::REQUESTS_BURST, telling::REQUESTS_EVERY),
            questions: Budgets::new(telling::QUESTIONS_BURST, telling::QUESTIONS_EVERY),
            served: Budgets::new(telling::SERVED_BURST, telling::SERVED_EVERY),
            wake: None,
            restless: false,
            config,
        }
    }

    /// Whether whom to reach is to be looked at again, since the last time that this was asked.
    pub(crate) const fn take_restless(&mut self) -> bool {
        core::mem::replace(&mut self.restless, false)
    }

    /// Whom to reach next, and for what.
    pub(crate) fn next_wanted(&mut self) -> Option<(NodeId, Purpose)> {
        self.wanted.pop_front()
    }

    /// Whether a peer may be observing us, so that its link has a place.
    pub(crate) fn is_observer(&self, peer: &NodeId) -> bool {
        self.observers.contains(peer)
    }

    /// What a member says of itself.
    pub(crate) fn member(&self, peer: &NodeId) -> Option<&Member> {
        self.table.member(peer)
    }

    fn want(&mut self, peer: NodeId, purpose: Purpose) {
        if self.wanted.len() < WANTED_MAX && !self.wanted.contains(&(peer, purpose)) {
            self.wanted.push_back((peer, purpose));
            self.restless = true;
        }
    }

    /// Says of this node what is to be said: something new, or in a new incarnation, that it is alive.
    fn declare(&mut self, what: Declare, cx: &mut Cx<'_>) {
        let first = Epoch { generation: self.config.generation, incarnation: 0 };
        let (epoch, version, nonce) = match (self.said, what) {
            (None, _) => (first, 0, cx.rng.next_u64()),
            (Some((epoch, version, nonce)), Declare::Changed) => {
                (epoch, version.saturating_add(1), nonce)
            }
            (Some((epoch, ..)), Declare::Alive) => {
                let incarnation = epoch.incarnation.saturating_add(1);
                (Epoch { incarnation, ..epoch }, 0, cx.rng.next_u64())
            }
        };
        self.said = Some((epoch, version, nonce));
        let (left, tags) = (self.left, self.tags.clone());
        cx.signals.push_back(Signal::Declare(Draft { epoch, version, nonce, left, tags }));
    }

    /// Our own record is signed.
    fn own(&mut self, record: Verified<SignedMember>, cx: &mut Cx<'_>) {
        self.since.get_or_insert(cx.wall);
        self.said_at = cx.now;
        self.refresh_at = Some(cx.now + jitter(self.refresh_every(), cx));
        self.table.set_own(record.clone());
        if record.content().left {
            // There is no time for rounds.
            self.tell_all(&record, cx);
        } else {
            self.spread(Rumour::Rebuttal(record), None, cx);
        }
        self.unsettle(cx);
    }

    /// How often this node signs its record anew, in a network of this size.
    fn refresh_every(&self) -> Duration {
        let members = u64::try_from(self.table.len()).unwrap_or(u64::MAX);
        let copies = u64::from(tellings(self.table.len()));
        let bytes = members.saturating_mul(copies).saturating_mul(RECORD_BYTES);
        self.settings.shift.max(Duration::from_secs(bytes / REFRESH_BYTES_PER_SECOND))
    }

    /// Signs this node's record anew, if it still is time: when it last did, there may have been far fewer members.
    fn refresh(&mut self, cx: &mut Cx<'_>) {
        self.refresh_at = None;
        let next = self.said_at + jitter(self.refresh_every(), cx);
        if next <= cx.now + self.settings.shift / 2 {
            self.declare(Declare::Alive, cx);
        } else {
            self.refresh_at = Some(next);
        }
    }

    /// Whom to observe is to be found anew.
    fn unsettle(&mut self, cx: &Cx<'_>) {
        self.roster_at.get_or_insert(cx.now + ROSTER_AFTER);
    }

    /// This node was asleep: what it waited for may have come and gone.
    fn wake_up(&mut self, cx: &mut Cx<'_>) {
        self.health.slept();
        self.judges_from = cx.now + self.settings.probe_timeout * 2;
        for edge in self.watch.edges.values_mut() {
            edge.rest(cx.now);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let rest = [self.roster_at, self.gossip_at, self.refresh_at, Some(self.reap_at)];
        // A node that was asleep decides nothing before it judges again, and must not be woken for it meanwhile.
        let court = self.court.deadline().map(|at| at.max(self.judges_from));
        let due = [self.watch.deadline(), court, self.pace.at()];
        let errands = self.errands.iter().map(|errand| errand.until).min();
        rest.into_iter().chain(due).chain([errands]).flatten().min()
    }
}

/// What this node has to say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declare {
    /// Something else than before.
    Changed,
    /// That it is alive.
    Alive,
}

/// A time, give or take a quarter.
fn jitter(time: Duration, cx: &mut Cx<'_>) -> Duration {
    time.mul_f64(0.75 + f64::from(cx.rng.next_u32()) / f64::from(u32::MAX) / 2.0)
}

impl Machine for Membership {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Met { peer } => self.meet(peer, cx),
            Event::Gone { peer } => self.part(peer, cx),
            Event::Unreached { peer } => self.miss(peer, cx),
            Event::Announced => self.declare(Declare::Changed, cx),
            Event::Tagged(tags) => {
                if self.tags != tags {
                    self.tags = tags;
                    if self.table.own().is_some() {
                        self.declare(Declare::Changed, cx);
                    }
                }
            }
            Event::Leaving => {
                if self.table.own().is_some() && !self.left {
                    self.left = true;
                    self.declare(Declare::Alive, cx);
                }
            }
            Event::Own(record) => self.own(record, cx),
            Event::Accused(accusation) => self.accuse(accusation, cx),
            Event::Helped { subject, helpers } => self.helped(&subject, helpers),
            Event::Probed { from, probe } => self.probed(from, probe, cx),
            Event::Acked { from, ack } => self.acked(from, ack, cx),
            Event::Told { from, members, accusations, asked } => {
                self.told(from, members, asked, cx);
                self.accused(from, accusations, cx);
            }
            Event::Member { record, from } => self.learn(record, from, cx),
            Event::Accusation { accusation, from } => self.hear(accusation, from, cx),
            Event::Answer { answer, from } => self.answered(&answer, from, cx),
            Event::Asked { from, question } => self.asked(from, &question, cx),
            Event::Replied { from, reply } => self.replied(from, reply, cx),
            Event::Wanted { from, names, members } => self.serve(from, &names, &members, cx),
        }
        self.wake = self.next_wake();
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        if self.wake.is_some_and(|wake| cx.now.since(wake) > self.settings.probe_timeout) {
            self.wake_up(cx);
        }
        let due = |at: Option<Time>| at.is_some_and(|at| at <= cx.now);
        let is_new_shift =
            self.table.own().is_some() && self.settings.shift_at(cx.wall).0 != self.rings.shift();
        if due(self.roster_at) || is_new_shift {
            self.draw_roster(cx);
        }
        if self.refresh_at.is_some_and(|at| at <= cx.now) {
            self.refresh(cx);
        }
        for subject in self.watch.due(cx.now) {
            self.act(subject, cx);
        }
        self.run_errands(cx);
        self.ask_around(cx);
        self.decide(cx);
        self.gossip(cx);
        self.compare(cx);
        if self.reap_at <= cx.now {
            self.reap_at = cx.now + REAP_EVERY;
            self.table.reap(cx.now);
        }
        self.wake = self.next_wake();
    }
}
