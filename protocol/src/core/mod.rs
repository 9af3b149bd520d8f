//! The core: the machines wired together, one input at a time.
//!
//! It alone knows all the machines. `ingress` carries a frame through the checks, cheapest first, and `checked` what has its signature; `egress`
//! publishes; `neighbours` brings links and overlay together; `justice` says what follows from faults; this file holds the
//! state and the clocks.

mod checked;
mod config;
mod egress;
mod evidence;
mod ingress;
mod intake;
mod justice;
mod keeping;
mod members;
mod neighbours;
mod pulled;
mod status;
mod twin;
mod vouching;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use forsooth_crypto::{Keypair, NodeId, Verified};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

pub use self::config::{Config, LinksMax, Validator};
use self::{egress::Outlet, evidence::Evidence, intake::Intake, keeping::Keeping, twin::Twins};
use crate::{
    Class, Effect, Event, Fault, Input,
    acceptance::{self, Acceptance},
    defences::Defences,
    effect::Drain,
    gossip::{self, Gossip},
    ledger::Ledger,
    links::{self, Links},
    machine::{Cx, Machine as _, Participant, Signal},
    membership::{self, Membership},
    message::Publication,
    network::Network,
    overlay::{self, Overlay},
    peers::Peers,
    quota::{CoreClock, Largest, Quotas},
    short_id::VouchKeys,
    snapshot::{self, Snapshot},
    sync::{self, Sync},
    time::{Time, Timestamp},
    verify::Ticket,
    wire::{AGENT_BYTES_MAX, CONTROL_FRAME_BYTES_MAX, Frame},
};

/// Room for so many effects is kept between inputs: what a burst took beyond is given back.
const EFFECTS_KEPT: usize = 64;
/// Proofs that a newcomer is sent at once.
const PROOFS_AT_JOIN_MAX: usize = 256;
/// Slots are forgotten this often, in milliseconds: once a second is often enough for what lives minutes.
const SWEEP_MS: u64 = 1000;

/// An honest participant in a network, without IO. See the [crate's documentation](crate).
#[derive(Debug)]
pub struct Core {
    network: Arc<Network>,
    keypair: Keypair,
    me: NodeId,
    generation: u64,
    validator: Validator,
    defences: Defences,

    now: Time,
    /// What the wall clock showed, and when it was read.
    wall: (Timestamp, Time),
    clock: CoreClock,
    rng: ChaCha8Rng,
    effects: VecDeque<Effect>,
    signals: VecDeque<Signal>,

    links: Links,
    overlay: Overlay,
    membership: Option<Membership>,
    gossip: Gossip,
    acceptance: Acceptance,
    ledger: Ledger,
    peers: Peers,
    quotas: Quotas,
    intake: Intake,
    outlet: Outlet,
    keeping: Keeping,
    sync: Option<Sync>,
    evidence: Evidence,
    /// Verified messages that the application is asked about.
    judging: BTreeMap<Ticket, Verified<Publication>>,
    faults: BTreeMap<Fault, u64>,
    /// Frames dropped because all peers together sent too much.
    crowded: u64,
    twins: Twins,
    /// Records of our own that were signed in this life.
    announced: u64,
    /// The proof of work over our own key; empty if none is asked for.
    work: bytes::Bytes,
}

/// What a machine is lent, and the machines next to it.
struct Lent<'a> {
    cx: Cx<'a>,
    links: &'a mut Links,
    gossip: &'a mut Gossip,
    acceptance: &'a mut Acceptance,
    overlay: &'a mut Overlay,
    membership: &'a mut Option<Membership>,
    sync: &'a mut Option<Sync>,
    evidence: &'a mut Evidence,
    ledger: &'a Ledger,
}

impl Core {
    /// A core that knows nobody yet. The seed is its only source of randomness: an attacker who knows it
    /// knows whom it will choose.
    #[must_use]
    pub fn new(config: Config, keypair: Keypair, seed: [u8; 32]) -> Self {
        let Config {
            network,
            generation,
            former_generation,
            listen,
            outbound_target,
            inbound_max,
            validator,
            defences,
            agent,
            work,
            asns,
        } = config;
        let mut rng = ChaCha8Rng::from_seed(seed);
        let me = keypair.id();
        let clock = CoreClock::default();
        let agent = agent
            .chars()
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .take(AGENT_BYTES_MAX)
            .collect();
        let keys = VouchKeys::draw(&mut rng);
        let outbound_target = outbound_target.max(usize::from(network.witnesses_max()));
        let links = links::Config {
            outbound_target,
            inbound_max: inbound_max.max(2 * outbound_target),
            grouping: network.defence().grouping,
            defences,
            generation,
            agent,
            keys,
        };
        let overlay = overlay::Config { me, network: network.clone(), asns, defences };
        let links = Links::new(links, rng.next_u64());
        let (control, data) = (CONTROL_FRAME_BYTES_MAX, network.data_frame_bytes_max());
        let largest = Largest { control, data };
        let overlay = Overlay::new(overlay, &mut rng);
        let membership = network.membership().copied().map(|settings| {
            let config = membership::Config { me, network: network.clone(), generation };
            Membership::new(config, settings)
        });
        Self {
            keypair,
            me,
            generation,
            validator,
            defences,
            now: Time::ZERO,
            wall: (Timestamp::default(), Time::ZERO),
            rng,
            effects: VecDeque::new(),
            signals: VecDeque::new(),
            links,
            overlay,
            membership,
            gossip: Gossip::new(defences, keys),
            acceptance: Acceptance::new(network.clone(), defences),
            ledger: Ledger::new(network.clone(), defences),
            peers: Peers::default(),
            quotas: Quotas::new(*network.defence(), largest, clock.clone()),
            intake: Intake::default(),
            outlet: Outlet::new(&network, &clock),
            keeping: Keeping::default(),
            sync: Sync::new(network.clone(), defences),
            evidence: Evidence::new(),
            judging: BTreeMap::new(),
            faults: BTreeMap::new(),
            crowded: 0,
            twins: Twins::new(former_generation, listen),
            announced: 0,
            work,
            network,
            clock,
        }
    }

    /// Who this is.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.me
    }

    /// The network it takes part in.
    #[must_use]
    pub const fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The key that it signs with; for those who lie in its name.
    #[must_use]
    pub const fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The generation that it publishes with.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The wall clock now, as far as it was told.
    fn wall(&self) -> Timestamp {
        self.wall.0.saturating_add(self.now.since(self.wall.1))
    }

    fn lend(&mut self) -> Lent<'_> {
        let wall = self.wall();
        let cx = Cx {
            now: self.now,
            wall,
            rng: &mut self.rng,
            effects: &mut self.effects,
            signals: &mut self.signals,
        };
        Lent {
            cx,
            links: &mut self.links,
            gossip: &mut self.gossip,
            acceptance: &mut self.acceptance,
            overlay: &mut self.overlay,
            membership: &mut self.membership,
            sync: &mut self.sync,
            evidence: &mut self.evidence,
            ledger: &self.ledger,
        }
    }

    fn tell_links(&mut self, event: links::Event) {
        let Lent { mut cx, links, .. } = self.lend();
        links.handle(event, &mut cx);
    }

    fn tell_gossip(&mut self, event: gossip::Event) {
        let Lent { mut cx, gossip, .. } = self.lend();
        gossip.handle(event, &mut cx);
    }

    fn tell_acceptance(&mut self, event: acceptance::Event) {
        let Lent { mut cx, acceptance, .. } = self.lend();
        acceptance.handle(event, &mut cx);
    }

    fn react(&mut self, input: Input) {
        match input {
            Input::WallClock(wall) => {
                let first = self.wall.0 == Timestamp::default();
                self.wall = (wall, self.now);
                self.twins.starts(wall);
                if first {
                    self.announce();
                }
            }
            Input::Known(candidates) => self.known(candidates),
            Input::Keep(candidates) => self.tell_overlay(overlay::Event::Keep(candidates)),
            Input::Listening(addresses) => {
                self.tell_overlay(overlay::Event::Listening(addresses));
            }
            Input::Connected { peer, connection } => self.connected(peer, connection),
            Input::Disconnected { peer } => self.disconnected(peer),
            Input::DialFailed { peer } => {
                self.tell_links(links::Event::DialFailed { peer });
                self.tell_membership(membership::Event::Unreached { peer });
            }
            Input::Received { from, lane, frame } => self.received(from, lane, &frame),
            Input::Misbehaved { peer, fault } => self.accuse(peer, fault),
            Input::Verdicts(verdicts) => {
                verdicts.into_iter().for_each(|verdict| self.verdict(verdict))
            }
            Input::Validated { ticket, judgement } => self.validated(ticket, judgement),
            Input::Publish { request, topic, payload, lifetime } => {
                self.publish(request, topic, payload, lifetime);
            }
            Input::Subscribe { topic, policy } => {
                self.tell_acceptance(acceptance::Event::Subscribed { topic, policy })
            }
            Input::Unsubscribe { topic, policy } => {
                self.tell_acceptance(acceptance::Event::Unsubscribed { topic, policy })
            }
            Input::Ban { whom, length } => self.ban(whom, length),
            Input::Pardon { whom } => self.pardon(whom),
            Input::Tagged(tags) => self.tell_membership(membership::Event::Tagged(tags)),
            Input::Loaded(records) => self.load(records),
            Input::Kept { requests } => self.kept(&requests),
            Input::Unkept { requests } => self.unkept(&requests),
            Input::Holds(held) => self.take_stock(held),
            Input::Forgotten(held) => self.tell_sync(sync::Event::Forgotten(held)),
            Input::Read { request, frames } => {
                self.tell_sync(sync::Event::Read { request, frames });
            }
            Input::Stopping => self.stop(),
            Input::Tick => {}
        }
    }

    /// Deals with what the machines told, and what follows from that.
    fn settle(&mut self) {
        while let Some(signal) = self.signals.pop_front() {
            match signal {
                Signal::Fault { from, fault } => self.accuse(from, fault),
                Signal::Joined { peer, role, key, vouches } => {
                    self.effects.push_back(Effect::Event(Event::LinkUp { peer, role }));
                    // From a random one on: the first by key would be those that liars ground for it.
                    let mut start = [0; 32];
                    self.rng.fill_bytes(&mut start);
                    let proofs = self.ledger.proofs(NodeId::from_bytes(start));
                    let proofs = proofs.take(PROOFS_AT_JOIN_MAX);
                    let frames: Vec<_> =
                        proofs.map(|proof| Frame::Proof((**proof).clone()).encode()).collect();
                    let send = |frame| Effect::Send { to: peer, class: Class::Evidence, frame };
                    self.effects.extend(frames.into_iter().map(send));
                    self.evidence.meet(self.now);
                    self.tell_gossip(gossip::Event::Joined { peer, key, vouches });
                }
                Signal::Wants { peer, vouches } => {
                    self.tell_gossip(gossip::Event::Wanted { peer, vouches });
                }
                Signal::Left { peer } => {
                    self.effects.push_back(Effect::Event(Event::LinkDown { peer }));
                    self.tell_gossip(gossip::Event::Left { peer });
                    self.tell_acceptance(acceptance::Event::Withdrawn { peer });
                }
                Signal::Met { peer } => self.met(peer),
                Signal::Unreached { peer } => {
                    self.tell_overlay(overlay::Event::Unreached { peer });
                }
                Signal::Close { peer } => self.part(peer),
                Signal::Visited { peer } => self.visited(peer),
                Signal::Compared { peer } => self.compared(peer),
                Signal::Check { record, from } => self.check_record(from, record),
                Signal::Announce => self.announce(),
                Signal::OwnKey { generation } => self.recognise_own(generation, self.wall()),
                Signal::Declare(draft) => self.declare(draft),
                Signal::Accuse(accusation) => self.sign_accusation(accusation),
                Signal::Testify { to, answer } => self.testify(to, answer),
                Signal::Inspect { statement, from } => self.inspect(from, statement),
                Signal::Seek { subject, nonce } => self.seek_help(subject, nonce),
                Signal::Unobserved { peer } => {
                    self.tell_links(links::Event::Unobserved { peer });
                }
                Signal::Ask { ids } => self.ask_witnesses(&ids),
                Signal::Accepted { accepted, is_wanted } => {
                    self.keep_accepted(accepted, is_wanted);
                }
                Signal::Unaccepted { topic, timestamp, id } => {
                    let item = sync::item(timestamp, &id);
                    self.tell_sync(sync::Event::Dropped { topic, item });
                }
                Signal::Overdue { topic, timestamp, id } => {
                    let item = sync::item(timestamp, &id);
                    self.tell_sync(sync::Event::Again { topic, item });
                }
                Signal::Pulled { from, message } => self.pulled(from, message),
                Signal::Restored { message } => self.restore(&message),
                Signal::Agreed { peer, topic, bounds, lacking } => {
                    self.agreed(peer, topic, bounds, &lacking);
                }
                Signal::Conflicting(proof) => self.expose_both(proof),
                Signal::Starved { needs } => self.tell_links(links::Event::Starved { needs }),
            }
        }
    }

    /// When the ledger is next worth a sweep, on the core's clock.
    fn sweep_at(&self) -> Option<Time> {
        let expiry = self.ledger.next_expiry()?.as_millis();
        let rounded = expiry.div_ceil(SWEEP_MS).saturating_mul(SWEEP_MS);
        Some(self.now + Timestamp::from_millis(rounded).since(self.wall()))
    }

    fn tick(&mut self) {
        if self.sweep_at().is_some_and(|at| at <= self.now) {
            self.ledger.expire(self.wall());
        }
        let now = self.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        if due(self.overlay.deadline()) {
            self.tick_overlay();
        }
        let Lent { mut cx, links, gossip, acceptance, .. } = self.lend();
        if due(links.deadline()) {
            links.tick(&mut cx);
        }
        if due(gossip.deadline()) {
            gossip.tick(&mut cx);
        }
        if due(acceptance.deadline()) {
            acceptance.tick(&mut cx);
        }
        self.tick_membership();
        self.tick_sync();
        self.compare_proofs();
    }
}

impl Participant for Core {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.now = self.now.max(now);
        self.clock.set(self.now);
        self.effects.shrink_to(EFFECTS_KEPT);
        self.react(input);
        self.settle();
        self.tick();
        self.settle();
        self.arrange();
        self.order_keeping();
        let Lent { mut cx, gossip, .. } = self.lend();
        gossip.flush(&mut cx);
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        let machines = [
            self.links.deadline(),
            self.overlay.deadline(),
            self.gossip.deadline(),
            self.acceptance.deadline(),
            self.membership.as_ref().and_then(|membership| membership.deadline()),
            self.sync_deadline(),
            self.evidence.deadline(),
        ];
        machines.into_iter().chain([self.sweep_at()]).flatten().min()
    }

    fn snapshot(&self) -> Snapshot {
        self.status()
    }

    fn members(&self) -> Vec<snapshot::MemberState> {
        self.membership.iter().flat_map(|membership| membership.members(self.now)).collect()
    }
}
