//! What happens outside, as facts for the participant.

use std::time::Duration;

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Connection, Direction, Input, Outcome, Receipt, Refusal, TopicId};
use libp2p::{
    Multiaddr, PeerId,
    multiaddr::Protocol,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    dials::Failure,
    shell::{Link, Shell},
};
use crate::{
    net::{behaviour, identity::node_id, origin::ip_address, swarm::Event},
    subscription::Registration,
    verifier::Batch,
};

/// Who listens on all interfaces hears of one after the other, and of all by then.
const INTERFACES_TIME_MAX: Duration = Duration::from_secs(2);

impl Shell {
    /// Something happened on the network.
    #[expect(clippy::wildcard_enum_match_arm, reason = "libp2p's enum is non-exhaustive")]
    pub(super) fn on_swarm(&mut self, event: SwarmEvent<Event>) {
        match event {
            SwarmEvent::Behaviour(Event::Link(event)) => self.on_link(event),
            SwarmEvent::Behaviour(Event::Identify(_) | Event::Ping(_)) => {}
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_lost(connection_id, &error.to_string());
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                let cause = cause.map_or_else(
                    || "closed before it was a link".to_owned(),
                    |cause| cause.to_string(),
                );
                self.on_lost(connection_id, &cause);
                if num_established == 0 {
                    self.on_disconnected(&peer_id);
                }
            }
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ListenerClosed { .. }
            | SwarmEvent::ExternalAddrConfirmed { .. }
            | SwarmEvent::ExternalAddrExpired { .. } => self.on_addresses(),
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener failed once")
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(from = %send_back_addr, %error, "an incoming connection came to nothing");
            }
            _ => {}
        }
    }

    fn on_link(&mut self, event: behaviour::Event) {
        let (behaviour::Event::Up { peer, .. }
        | behaviour::Event::Down { peer, .. }
        | behaviour::Event::Received { peer, .. }
        | behaviour::Event::Misbehaved { peer, .. }) = &event;
        let Some(id) = node_id(peer) else {
            // Its key is of a kind that no node has.
            return self.outside.swarm.behaviour_mut().links.disconnect(peer);
        };
        match event {
            behaviour::Event::Up { direction, remote, .. } => self.on_up(id, direction, remote),
            behaviour::Event::Down { reason, .. } => {
                tracing::debug!(peer = %id, ?reason, "a peer is down");
                if self.links.remove(&id).is_some() {
                    self.facts.push_back(Input::Disconnected { peer: id });
                }
            }
            behaviour::Event::Received { lane, frames, .. } => {
                let traffic = self.counters.traffic.received.of_mut(lane);
                frames.iter().for_each(|frame| traffic.count(frame.len()));
                self.facts.extend(frames.into_iter().map(|frame| Input::Received {
                    from: id,
                    lane,
                    frame,
                }));
            }
            behaviour::Event::Misbehaved { fault, .. } => {
                self.facts.push_back(Input::Misbehaved { peer: id, fault });
            }
        }
    }

    fn on_up(&mut self, peer: NodeId, direction: behaviour::Direction, remote: Multiaddr) {
        let direction = match direction {
            behaviour::Direction::Dialed => Direction::Outbound,
            behaviour::Direction::Accepted => Direction::Inbound,
        };
        self.on_reached(&peer);
        let connection = Connection { direction, remote: ip_address(&remote) };
        self.links.insert(peer, Link { direction, remote, since: Instant::now() });
        self.facts.push_back(Input::Connected { peer, connection });
    }

    fn on_lost(&mut self, connection: ConnectionId, cause: &str) {
        let failures = self.dials.lost(connection, cause);
        self.on_dials_failed(failures);
    }

    fn on_disconnected(&mut self, peer: &PeerId) {
        if let Some(peer) = node_id(peer) {
            let failures = self.dials.disconnected(&peer, &mut self.outside.swarm);
            self.on_dials_failed(failures);
        }
    }

    fn on_dials_failed(&mut self, failures: Vec<Failure>) {
        failures.iter().for_each(|failure| self.on_dial_failed(failure));
    }

    /// Tells the handles where the node listens now.
    pub(super) fn on_addresses(&mut self) {
        let swarm = &self.outside.swarm;
        let peer = *swarm.local_peer_id();
        let addresses =
            swarm.listeners().map(|address| address.clone().with(Protocol::P2p(peer))).collect();
        let found = swarm.external_addresses().chain(swarm.listeners());
        self.facts.push_back(Input::Listening(self.reach.addresses(found)));
        self.view.addresses.send_replace(addresses);
    }

    pub(super) fn on_publish(
        &mut self,
        topic: TopicId,
        payload: Bytes,
        lifetime: Option<Duration>,
        reply: oneshot::Sender<Result<Receipt, Refusal>>,
    ) {
        let request = self.publishing.begin(reply);
        self.facts.push_back(Input::Publish { request, topic, payload, lifetime });
    }

    pub(super) fn on_registration(&mut self, registration: Registration) {
        let (topic, policy) = (registration.topic, Some(registration.policy));
        if self.outside.subscribers.add(registration) {
            self.facts.push_back(Input::Subscribe { topic, policy });
        }
    }

    pub(super) fn on_checked(&mut self, Batch { verdicts, spent, .. }: Batch) {
        let counted = &mut self.counters.verification;
        let rejected = verdicts
            .iter()
            .filter(|verdict| matches!(verdict.outcome, Outcome::Rejected(..)))
            .count();
        counted.batches = counted.batches.saturating_add(1);
        counted.checks = counted.checks.saturating_add(verdicts.len() as u64);
        counted.rejected = counted.rejected.saturating_add(rejected as u64);
        counted.batch_max = counted.batch_max.max(verdicts.len());
        counted.spent = counted.spent.saturating_add(spent);
        self.facts.push_back(Input::Verdicts(verdicts));
    }

    /// Looks at what changes without an event: the wall clock, and dials that lead nowhere.
    pub(super) fn on_pulse(&mut self) {
        self.facts.extend(self.clock.reading().map(Input::WallClock));
        self.forget_messages();
        self.bans.expire(self.clock.wall_at(self.clock.now()), self.outside.swarm.behaviour_mut());
        let failures = self.dials.expire(Instant::now(), &mut self.outside.swarm);
        self.on_dials_failed(failures);
        if self.clock.now().as_duration() >= INTERFACES_TIME_MAX {
            self.judge_reach();
        }
    }

    /// Says once, if so, that this node has no address that others could be told of.
    fn judge_reach(&mut self) {
        let swarm = &self.outside.swarm;
        if self.reach.is_worth_a_warning(swarm.external_addresses().chain(swarm.listeners())) {
            tracing::warn!(
                "no public address: no other node will be told of this one; if it can be reached from the internet, set \
                 --external to the address there, such as /ip4/HOST/tcp/8650"
            );
        }
    }
}
