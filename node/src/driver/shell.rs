//! Everything around the participant, and how its orders are carried out.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Accepted, Address, Class, Direction, Effect, Event, Input, MessageId, Network, Receipt, Record,
    Refusal, Timestamp, TopicId,
    network::{LIFETIME_MAX, Policy, Topic},
};
use libp2p::{Multiaddr, core::transport::ListenerId};
use tokio::{sync::oneshot, time::Instant};

use super::{
    bans::Bans,
    bootnodes::Bootnodes,
    company::{Company, Word},
    dials::{Dials, Failure},
    log::log,
    reach::Reach,
    view::View,
};
use crate::{
    archive::Shelf,
    clock::Clock,
    net::{behaviour::SendOutcome, identity::peer_id, swarm::NodeSwarm},
    status::{MemberChanges, TrafficTotals, Verification},
    store::Writer,
    subscription::{Message, Notice, Subscribers},
    validator::Panel,
    verifier::Client,
};

/// Everything around the participant.
pub(crate) struct Shell {
    pub(super) id: NodeId,
    pub(super) network: Arc<Network>,
    pub(super) clock: Clock,
    /// What the participant is to be told.
    pub(super) facts: VecDeque<Input>,
    pub(super) outside: Outside,
    pub(super) view: View,
    pub(super) listeners: Vec<ListenerId>,
    pub(super) reach: Reach,
    pub(super) links: BTreeMap<NodeId, Link>,
    pub(super) dials: Dials,
    pub(super) publishing: Publishing,
    pub(super) counters: Counters,
    pub(super) bans: Bans,
    /// Messages that were accepted in an earlier life: nobody is told of them again.
    pub(super) earlier: BTreeSet<MessageId>,
    bootnodes: Bootnodes,
    company: Company,
    joined: BTreeSet<NodeId>,
}

/// What the driver waits for, besides commands and time.
pub(crate) struct Outside {
    pub(crate) swarm: NodeSwarm,
    pub(crate) checks: Client,
    pub(crate) panel: Panel,
    pub(crate) subscribers: Subscribers,
    /// None if nothing is kept over a restart.
    pub(crate) writer: Option<Writer>,
    /// None if the network keeps no messages.
    pub(crate) shelf: Option<Shelf>,
}

/// A peer that is up, as the transport sees it.
pub(super) struct Link {
    pub(super) direction: Direction,
    pub(super) remote: Multiaddr,
    pub(super) since: Instant,
}

/// Publishing that the participant has not answered.
#[derive(Default)]
pub(super) struct Publishing {
    waiting: BTreeMap<u64, oneshot::Sender<Result<Receipt, Refusal>>>,
    next: u64,
}

/// What is counted since the start.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) traffic: TrafficTotals,
    pub(super) verification: Verification,
    pub(super) dials_failed: u64,
    pub(super) members: MemberChanges,
}

impl Publishing {
    /// A number for a request, under which its answer will come.
    pub(super) fn begin(&mut self, reply: oneshot::Sender<Result<Receipt, Refusal>>) -> u64 {
        let request = self.next;
        self.next += 1;
        self.waiting.insert(request, reply);
        request
    }

    fn end(&mut self, request: u64, outcome: Result<Receipt, Refusal>) {
        if let Some(reply) = self.waiting.remove(&request) {
            // Whoever asked may be gone.
            let _ = reply.send(outcome);
        }
    }
}

impl Shell {
    pub(crate) fn new(
        (id, network): (NodeId, Arc<Network>),
        wall: Timestamp,
        outside: Outside,
        view: View,
        (listeners, reach): (Vec<ListenerId>, Reach),
        bootnodes: Bootnodes,
    ) -> Self {
        let mut shell = Self {
            id,
            network,
            clock: Clock::start(wall),
            facts: VecDeque::new(),
            outside,
            view,
            listeners,
            reach,
            links: BTreeMap::new(),
            dials: Dials::default(),
            publishing: Publishing::default(),
            counters: Counters::default(),
            bans: Bans::default(),
            earlier: BTreeSet::new(),
            bootnodes,
            company: Company::default(),
            joined: BTreeSet::new(),
        };
        shell.on_addresses();
        shell
    }

    /// Takes over the bans of an earlier life.
    pub(super) fn remember(&mut self, records: &[Record]) {
        for record in records {
            self.bans.follow(record, self.outside.swarm.behaviour_mut());
        }
    }

    /// What the operator should hear of being alone.
    pub(super) fn company(&mut self) -> Option<Word> {
        self.company.look(self.joined.len(), Instant::now())
    }

    /// Carries out one order.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, class, frame } => self.send(&to, class, frame),
            Effect::Dial { peer, address } => self.dial(peer, address),
            Effect::Disconnect { peer, fault, banned } => {
                tracing::debug!(%peer, ?fault, banned, "disconnecting");
                // If banned, its record keeps it out.
                self.outside.swarm.behaviour_mut().links.disconnect(&peer_id(&peer));
            }
            Effect::Verify { ticket, check } => self.outside.checks.gather(ticket, check),
            Effect::Validate { ticket, message } => self.outside.panel.ask(ticket, message),
            Effect::Keep { request, message, standing } => self.keep(request, &message, standing),
            Effect::Load { request, topic, ids } => self.load(request, topic, ids),
            Effect::Deliver(accepted) => self.deliver(&accepted),
            Effect::Published { request, outcome } => self.publishing.end(request, outcome),
            Effect::Store(record) => self.store(record),
            Effect::Event(event) => self.report(event),
        }
    }

    fn send(&mut self, to: &NodeId, class: Class, frame: Bytes) {
        let bytes = frame.len();
        match self.outside.swarm.behaviour_mut().links.send(&peer_id(to), class, frame) {
            SendOutcome::Queued => self.counters.traffic.sent.of_mut(class).count(bytes),
            SendOutcome::Dropped => {
                let refused = self.counters.traffic.refused.of_mut(class);
                *refused = refused.saturating_add(1);
            }
            // It went down, and the participant has yet to hear of it.
            SendOutcome::NotConnected => {}
            SendOutcome::Unsendable => {
                tracing::error!(peer = %to, class = class.name(), bytes, "a frame of ours is over the lane's maximum");
            }
        }
    }

    fn dial(&mut self, peer: NodeId, address: Address) {
        if self.links.contains_key(&peer) {
            // It came up on its own; its `Connected` is told already.
            return self.facts.push_back(Input::DialFailed { peer });
        }
        if let Err(failure) = self.dials.begin(peer, address, &mut self.outside.swarm) {
            self.on_dial_failed(&failure);
        }
    }

    /// Reports a failed dial to the participant and, if it is worth it, to the operator.
    pub(super) fn on_dial_failed(&mut self, failure: &Failure) {
        self.counters.dials_failed = self.counters.dials_failed.saturating_add(1);
        self.bootnodes.failed(failure);
        self.facts.push_back(Input::DialFailed { peer: failure.peer });
    }

    /// A dial, ours or the peer's, has led to a link.
    pub(super) fn on_reached(&mut self, peer: &NodeId) {
        self.dials.linked(peer);
        self.bootnodes.reached(peer);
    }

    /// Has messages of topics with a retention accepted, whoever subscribes.
    pub(super) fn keep_topics(&mut self) {
        let kept = self.network.topics().filter(|(_, topic)| topic.retention.is_some());
        let subscribe = |(topic, rules): (TopicId, &Topic)| Input::Subscribe {
            topic,
            policy: Some(rules.policy),
        };
        self.facts.extend(kept.map(subscribe));
    }

    /// Whether messages that meet this policy are kept, whoever subscribes.
    pub(super) fn keeps(&self, topic: TopicId, policy: Policy) -> bool {
        let rules = self.network.topic(topic);
        rules.retention.is_some() && rules.policy == policy
    }

    /// What is long over can be forgotten.
    pub(super) fn forget_messages(&mut self) {
        if let Some(shelf) = &self.outside.shelf {
            shelf.keeper.clear();
        }
        if self.clock.now().as_duration() > LIFETIME_MAX {
            self.earlier.clear();
        }
    }

    fn deliver(&mut self, accepted: &Accepted) {
        if self.earlier.contains(&accepted.message().id()) {
            return;
        }
        let topic = accepted.message().header().slot.topic;
        let at = self.clock.wall_at(accepted.at());
        let message = Message::new(accepted, at, &self.network);
        self.outside.subscribers.deliver(topic, accepted.policy(), &message);
    }

    fn store(&mut self, record: Record) {
        self.bans.follow(&record, self.outside.swarm.behaviour_mut());
        if let Some(writer) = &mut self.outside.writer {
            writer.store(record);
        }
    }

    fn report(&mut self, event: Event) {
        log(&event);
        match &event {
            Event::LinkUp { peer, .. } => drop(self.joined.insert(*peer)),
            Event::LinkDown { peer } => drop(self.joined.remove(peer)),
            Event::Fault { .. }
            | Event::Banned(_)
            | Event::Exposed { .. }
            | Event::Relayed { .. }
            | Event::Duplicate { .. }
            | Event::Twin(_) => {}
            Event::Membership(news) => {
                self.counters.members.count(news);
                self.view.members.tell(news.clone());
            }
            &Event::Unaccepted { id, topic, policy, vouched, threshold, why } => {
                let notice = Notice::Unaccepted { id, vouched, threshold, why };
                self.outside.subscribers.notify(topic, Some(policy), &notice);
            }
            &Event::Contested { id, slot } => {
                let notice = Notice::Contested { id, slot };
                self.outside.subscribers.notify(slot.topic, None, &notice);
            }
        }
        self.view.joined.send_if_modified(|joined| {
            let before = std::mem::replace(joined, self.joined.len());
            before != *joined
        });
        self.view.events.tell(event);
    }
}
