//! Which peers this node is linked to, what they are to each other, and how links come and go.
//!
//! Whom to choose is not decided here: the core brings what the overlay drew. A witness is a peer that was
//! drawn; a peer that dialled us is not one until it is drawn too. [`Witness`] can be made here alone, so no
//! inbound peer's vouch is ever counted. A link on which neither side wants gossip is a *visit*: a short
//! connection to exchange records, which the other machines never hear of. Inbound links and visits have
//! places of their own, and nobody who comes to us displaces a link that we chose.

mod dials;
mod greeting;
mod inbound;
mod places;
mod service;
mod view;

use core::{net::IpAddr, time::Duration};

use forsooth_crypto::NodeId;

pub(crate) use self::{dials::Purpose, service::EXTRA_MAX};
use self::{
    dials::{BACKOFF_MAX, BEREFT_BACKOFF_MAX, BUSY_BACKOFF_MAX, Dials},
    service::{Review, SILENT_BURST, SILENT_EVERY, Service},
};
use crate::{
    Class, Effect, Fault,
    budget::Budgets,
    defences::{Defences, Safeguard},
    group::Group,
    input::{Address, Connection, Direction},
    machine::{Cx, Machine, Signal},
    network::Grouping,
    peer_map::PeerMap,
    short_id::VouchKeys,
    time::Time,
    wire::{Frame, Hello, Intent, VERSION},
};

/// A linked peer must have said hello by then.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A visit is over by then, whatever has come of it.
const VISIT_TIMEOUT: Duration = Duration::from_secs(20);
/// A visitor stays for so long when it is done, so that what it said last is heard.
const LINGER: Duration = Duration::from_secs(3);
/// Links that the newcomers of one group may displace at once, and how soon one more.
const EVICTION_BURST: u32 = 4;
const EVICTION_EVERY: Duration = Duration::from_secs(300);
/// Second hellos that are answered in the life of one link.
const ANSWERS_MAX: u8 = 8;
/// Peers that may observe us over a link at a time: a few more than there are rings.
const OBSERVERS_MAX: usize = 48;
/// A link that ends before this is a failure, as a dial that comes to nothing is one.
const SHORT_LIFE: Duration = Duration::from_secs(60);

/// What a linked peer is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// We drew it by lot: its vouches count.
    Witness,
    /// The operator wants it as a peer: it may relay, but not vouch.
    Kept,
    /// It came to us: it may relay, but not vouch.
    Inbound,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Witness, Self::Kept, Self::Inbound];

    /// `witness`, `kept` or `inbound`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Kept => "kept",
            Self::Inbound => "inbound",
        }
    }
}

/// A peer that this node chose, with the group in which it is one voter. Made by [`Links`] alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Witness {
    peer: NodeId,
    group: Group,
}

impl Witness {
    /// Who.
    pub(crate) const fn peer(&self) -> NodeId {
        self.peer
    }

    /// Those in one group are one voter.
    pub(crate) const fn group(&self) -> Group {
        self.group
    }
}

/// All links.
#[derive(Debug)]
pub(crate) struct Links {
    config: Config,
    dials: Dials,
    links: PeerMap<Link>,
    /// What the newcomers of each group may displace.
    evictions: Budgets<Group>,
    /// How many silent links each group may still have.
    silent: Budgets<Group>,
    review: Review,
    /// Witnesses that are drawn beyond those that are wanted, and until when.
    extra: usize,
    extra_until: Time,
    /// Orders groups as nobody else can foresee.
    salt: u64,
    /// Computed after each change, because the core asks after every input.
    wake: Option<Time>,
    /// Something has changed since the core last looked whom to choose.
    restless: bool,
    /// There has been a link in this life.
    had_links: bool,
}

/// What [`Links`] is told when it is made.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) outbound_target: usize,
    pub(crate) inbound_max: usize,
    pub(crate) grouping: Grouping,
    pub(crate) defences: Defences,
    pub(crate) generation: u64,
    pub(crate) agent: String,
    pub(crate) keys: VouchKeys,
}

/// A connected peer.
#[derive(Debug)]
pub(crate) struct Link {
    /// Since when.
    pub(crate) since: Time,
    /// What it said of itself; until then it does not take part.
    pub(crate) hello: Option<Hello>,
    /// Where the transport sees it.
    pub(crate) remote: Option<IpAddr>,
    pub(crate) group: Group,
    /// Who dialled.
    pub(crate) direction: Direction,
    /// The link serves gossip.
    pub(crate) joined: bool,
    /// What we want of it; nothing but a visit if `None`.
    role: Option<Role>,
    /// The operator wants it, whatever else it is.
    kept: bool,
    /// We observe it.
    observes: bool,
    /// It observes us, and may.
    is_observer: bool,
    /// What we told it that we want.
    said: Option<Intent>,
    /// Hellos answered after the first.
    answers: u8,
    /// When anything came from it last.
    heard: Time,
    /// Since when it had been silent when it was last excused for that, and when that was.
    excused: Option<(Time, Time)>,
    served: Option<Time>,
    service: Service,
    rank: u64,
    /// It came, asked whom we know, and has its answer.
    told: bool,
    /// When a visit ends of itself.
    leave_at: Option<Time>,
    /// Since when it is what it is to us.
    pub(crate) chosen_at: Time,
}

impl Link {
    /// What the peer is to us; while it only visits, what comes to us.
    pub(crate) fn role(&self) -> Role {
        self.role.unwrap_or(Role::Inbound)
    }

    /// Whether neither side has asked for more than a visit.
    pub(crate) const fn is_visit(&self) -> bool {
        self.role.is_none()
    }
}

/// What [`Links`] reacts to.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A link is up.
    Connected { peer: NodeId, connection: Connection },
    /// A link is gone.
    Disconnected { peer: NodeId },
    /// A dial came to nothing.
    DialFailed { peer: NodeId },
    /// A peer introduced itself. If the places are taken, `known` are those that came and that we have found
    /// ourselves, too. Whether it may observe us is said as well.
    Greeted { from: NodeId, hello: Hello, known: Vec<NodeId>, may_observe: bool },
    /// A peer brought a message that nobody had brought before.
    Served { peer: NodeId },
    /// A peer brought, or vouched for, so many messages that are held here.
    Told { peer: NodeId, messages: usize },
    /// Another message is held here.
    Held,
    /// A message waits for more vouches than it gets.
    Starved { needs: usize },
    /// This peer is wanted.
    Chosen { peer: NodeId, address: Address, group: Group, purpose: Purpose },
    /// We observe this peer no more.
    Unobserved { peer: NodeId },
    /// This witness was drawn long enough ago.
    Released { peer: NodeId },
    /// What we visited it for, or it us, is done.
    Visited { peer: NodeId },
    /// A peer is banned until then, or for good: do not choose it.
    Banned { peer: NodeId, until: Option<Time> },
    /// A peer's ban is lifted.
    Pardoned { peer: NodeId },
}

impl Links {
    pub(crate) fn new(config: Config, salt: u64) -> Self {
        let links = PeerMap::new();
        let evictions = Budgets::new(EVICTION_BURST, EVICTION_EVERY);
        let silent = Budgets::new(SILENT_BURST, SILENT_EVERY);
        let (dials, review) = (Dials::new(), Review::new());
        Self {
            config,
            dials,
            links,
            evictions,
            silent,
            review,
            extra: 0,
            extra_until: Time::ZERO,
            salt,
            wake: None,
            restless: true,
            had_links: false,
        }
    }

    /// The peer as a witness, if it is one.
    pub(crate) fn witness(&self, peer: &NodeId) -> Option<Witness> {
        let anybody = !self.config.defences.has(Safeguard::Witnesses);
        let counts = |link: &&Link| link.joined && (anybody || link.role == Some(Role::Witness));
        let link = self.links.get(peer).filter(counts)?;
        Some(Witness { peer: *peer, group: link.group })
    }

    fn connect(&mut self, peer: NodeId, connection: Connection, cx: &mut Cx<'_>) {
        let Connection { direction, remote } = connection;
        let purpose = self.dials.end(&peer);
        let role = match purpose {
            Some(Purpose::Witness) => Some(Role::Witness),
            Some(Purpose::Kept) => Some(Role::Kept),
            Some(Purpose::Observe | Purpose::Visit) | None => None,
        };
        let group = Group::of(peer, remote, self.config.grouping);
        // Also somebody whom we were about to visit: it has come first, and takes a place.
        let is_visitor = role.is_none() && direction == Direction::Inbound;
        if is_visitor && !self.admit_visitor(group, remote, cx) {
            return cx.signals.push_back(Signal::Close { peer });
        }
        let link = Link {
            since: cx.now,
            hello: None,
            remote,
            group,
            direction,
            joined: false,
            role,
            kept: purpose == Some(Purpose::Kept),
            observes: purpose == Some(Purpose::Observe),
            is_observer: false,
            said: None,
            answers: 0,
            heard: cx.now,
            excused: None,
            served: None,
            service: Service::default(),
            rank: self.rank(group),
            told: false,
            leave_at: None,
            chosen_at: cx.now,
        };
        self.links.insert(peer, link);
        // A stranger says first what it wants.
        if purpose.is_some() || direction == Direction::Outbound {
            self.say_hello(peer, cx);
        }
    }

    fn disconnect(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.remove(&peer) else {
            return;
        };
        if link.joined {
            cx.signals.push_back(Signal::Left { peer });
        }
        if !self.dials.may(&peer, cx.now) {
            // It is left alone already: it is banned.
            return;
        }
        let was_visit = link.is_visit() && link.hello.is_some();
        if was_visit || cx.now.since(link.since) >= SHORT_LIFE {
            self.dials.forgive(&peer);
        }
        if !was_visit {
            // Who has no links yet comes again soon to who has no place for it: it may know nobody else.
            let longest = match link.direction {
                Direction::Outbound if self.is_alone() => BUSY_BACKOFF_MAX,
                Direction::Outbound | Direction::Inbound => self.backoff_max(),
            };
            self.dials.back_off(peer, longest, cx.now, cx.rng);
        }
    }

    fn is_alone(&self) -> bool {
        self.joined().next().is_none()
    }

    fn backoff_max(&self) -> Duration {
        if self.had_links && self.is_alone() { BEREFT_BACKOFF_MAX } else { BACKOFF_MAX }
    }

    fn avoid(&mut self, peer: NodeId, until: Option<Time>) {
        self.dials.end(&peer);
        if let Some(until) = until {
            self.dials.avoid(peer, until);
        }
    }

    fn next_wake(&self) -> Option<Time> {
        let link = self.deadlines().map(|(_, deadline, _)| deadline).min();
        let extra = (self.extra > 0).then_some(self.extra_until);
        [link, self.dials.next(), self.next_review(), extra].into_iter().flatten().min()
    }

    /// By when a link must have changed, and whether it is its fault if it has not.
    fn deadlines(&self) -> impl Iterator<Item = (NodeId, Time, Option<Fault>)> {
        self.links.iter().filter_map(|(peer, link)| {
            if link.hello.is_none() {
                return Some((*peer, link.since + HELLO_TIMEOUT, Some(Fault::Silent)));
            }
            if !link.is_visit() && !link.joined {
                // It said hello and wants no gossip: its place is for somebody else.
                return Some((*peer, link.chosen_at.max(link.since) + HELLO_TIMEOUT, None));
            }
            if link.observes || link.is_observer {
                return None;
            }
            let timeout = link.since + VISIT_TIMEOUT;
            let end = link.leave_at.map_or(timeout, |leave_at| leave_at.min(timeout));
            link.is_visit().then_some((*peer, end, None))
        })
    }
}

impl Machine for Links {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            // Nothing to choose, and often.
            Event::Served { peer } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    link.served = Some(cx.now);
                }
                return;
            }
            Event::Held => return self.review.note_held(),
            Event::Told { peer, messages } => return self.note_told(&peer, messages, cx.now),
            Event::Starved { needs } => self.relieve(needs, cx.now),
            Event::Connected { peer, connection } => self.connect(peer, connection, cx),
            Event::Disconnected { peer } => self.disconnect(peer, cx),
            Event::DialFailed { peer } => {
                if self.dials.end(&peer).is_some() {
                    self.dials.back_off(peer, self.backoff_max(), cx.now, cx.rng);
                    cx.signals.push_back(Signal::Unreached { peer });
                }
            }
            Event::Greeted { from, hello, known, may_observe } => {
                self.note_observer(from, &hello, may_observe);
                self.greet(from, hello, &known, cx);
            }
            Event::Chosen { peer, address, group, purpose } => {
                self.choose(peer, (address, group), purpose, cx);
            }
            Event::Unobserved { peer } => self.unobserve(peer, cx),
            Event::Released { peer } => self.release(peer, cx),
            Event::Visited { peer } => {
                if let Some(link) = self.links.get_mut(&peer) {
                    match link.direction {
                        Direction::Outbound => link.leave_at = Some(cx.now + LINGER),
                        // The host waits for what the visitor may want yet, unless others wait for its place.
                        Direction::Inbound => link.told = true,
                    }
                }
            }
            Event::Banned { peer, until } => self.avoid(peer, until),
            Event::Pardoned { peer } => self.dials.forgive(&peer),
        }
        self.restless = true;
        self.wake = self.next_wake();
    }

    fn deadline(&self) -> Option<Time> {
        self.wake
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let late: Vec<_> =
            self.deadlines().filter(|(_, deadline, _)| *deadline <= cx.now).collect();
        for (peer, _, fault) in late {
            match fault {
                Some(fault) => cx.fault(peer, fault),
                None => cx.signals.push_back(Signal::Close { peer }),
            }
        }
        if self.next_review().is_some_and(|at| at <= cx.now) {
            self.review(cx);
        }
        if self.extra_until <= cx.now {
            self.extra = 0;
        }
        for peer in self.dials.stuck(cx.now) {
            self.dials.back_off(peer, self.backoff_max(), cx.now, cx.rng);
            cx.signals.push_back(Signal::Unreached { peer });
        }
        self.dials.expire(cx.now);
        self.restless = true;
        self.wake = self.next_wake();
    }
}
