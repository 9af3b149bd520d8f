//! Links to peers as a libp2p [`NetworkBehaviour`]: frames in, frames out.
//!
//! A peer is *up* from [`Event::Up`] to [`Event::Down`], and in between its frames arrive in the
//! order in which it sent them. It takes one connection; a second one arises when both sides dial
//! at once. Then both are kept, since each side sends only on the first that came up for it, its
//! *primary*: closing one would lose frames that are on their way, and moving to the other would
//! let later frames overtake them. When either goes, so does the session.
//!
//! A peer that lost a connection which we still believe in connects anew: a second link in
//! the same direction, or one that comes long after the first, ends the old session
//! ([`DownReason::Replaced`]) and begins another.
//!
//! A connection that came in and is no link yet has a place of few, and little time: see
//! [`strangers`](super::strangers).
//!
//! The behaviour knows nothing of what frames mean, whom to dial, or who is banned. It can be part
//! of any swarm:
//!
//! ```
//! use forsooth::net::behaviour::{Behaviour, Config};
//! use libp2p::swarm::NetworkBehaviour;
//!
//! #[derive(NetworkBehaviour)]
//! struct Mine {
//!     links: Behaviour,
//!     ping: libp2p::ping::Behaviour,
//! }
//!
//! let links = Behaviour::new(Config::new("/forsooth/1/0123456789abcdef")).unwrap();
//! let mine = Mine { links, ping: libp2p::ping::Behaviour::default() };
//! ```

mod config;
mod event;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use forsooth_protocol::Class;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, InvalidProtocol, NetworkBehaviour,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

pub use self::config::Config;
pub use self::event::{Direction, DownReason, Event, SendOutcome, TooManyConnections};
use super::handler::{Handler, Limits, ToBehaviour};
use super::outbox::Outbox;
use super::peer::{Link, Peer, Progress};
use super::protocols::Protocols;
use super::queue::Pushed;
use super::stats::Stats;
use super::strangers::Strangers;

/// Links to peers. See the module's documentation.
#[derive(Debug)]
pub struct Behaviour {
    config: Config,
    protocols: Protocols,
    peers: HashMap<PeerId, Peer>,
    strangers: Strangers,
    /// Peers with frames that their connection does not know of yet.
    unwoken: Vec<PeerId>,
    events: VecDeque<ToSwarm<Event, Infallible>>,
}

impl Behaviour {
    /// No peers, yet.
    ///
    /// # Errors
    ///
    /// If the protocol's name does not begin with a slash.
    pub fn new(config: Config) -> Result<Self, InvalidProtocol> {
        let protocols = Protocols::new(&config.protocol)?;
        let strangers = Strangers::new(config.strangers.clone());
        Ok(Self {
            config,
            protocols,
            peers: HashMap::new(),
            strangers,
            unwoken: Vec::new(),
            events: VecDeque::new(),
        })
    }

    /// Queues a frame for a peer. It leaves when the swarm is polled next, together with all others
    /// that were queued by then.
    pub fn send(&mut self, peer: &PeerId, class: Class, frame: Bytes) -> SendOutcome {
        if frame.is_empty() || frame.len() > *self.config.frame_bytes_max.of(class.lane()) {
            return SendOutcome::Unsendable;
        }
        let Some(primary) = self.peers.get_mut(peer).and_then(Peer::primary_mut) else {
            return SendOutcome::NotConnected;
        };
        match primary.outbox.push(class, frame) {
            Pushed::Queued { displaced: _ } => {
                if !std::mem::replace(&mut primary.is_unwoken, true) {
                    self.unwoken.push(*peer);
                }
                SendOutcome::Queued
            }
            Pushed::Refused(_) => SendOutcome::Dropped,
        }
    }

    /// Closes all connections with a peer now; what waits for it is dropped.
    pub fn disconnect(&mut self, peer: &PeerId) {
        self.end_session(*peer, DownReason::Disconnected);
    }

    /// Whether frames can be sent to a peer.
    #[must_use]
    pub fn is_up(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(Peer::is_up)
    }

    /// The peers that are up, in no particular order.
    pub fn peers(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.iter().filter(|(_, peer)| peer.is_up()).map(|(id, _)| id)
    }

    /// The bytes that wait for a peer, with [`super::queue::FRAME_OVERHEAD_BYTES`] for each frame.
    #[must_use]
    pub fn queued_bytes(&self, peer: &PeerId) -> usize {
        self.stats(peer).map_or(0, |stats| stats.queued_bytes)
    }

    /// What passed over the peer's open connections; `None` if it has none.
    #[must_use]
    pub fn stats(&self, peer: &PeerId) -> Option<Stats> {
        self.peers.get(peer).map(Peer::stats)
    }

    /// A new connection gets its queue and its handler, unless the peer has too many already.
    fn connect(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        direction: Direction,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        let entry = self.peers.entry(peer).or_default();
        if !entry.admits(direction) {
            return Err(ConnectionDenied::new(TooManyConnections));
        }
        let outbox = Arc::new(Outbox::new(self.config.queued_bytes_max));
        entry.add(Link::new(id, direction, remote.clone(), Arc::clone(&outbox), Instant::now()));
        if direction == Direction::Accepted
            && let Some((peer, id)) = self.strangers.admit(id, peer, remote)
        {
            self.close(peer, id);
        }
        let limits = Limits {
            frame_bytes_max: self.config.frame_bytes_max,
            read_stall: self.config.read_stall,
            write_stall: self.config.write_stall,
            setup: match direction {
                Direction::Dialed => self.config.setup,
                Direction::Accepted => self.config.setup_inbound,
            },
        };
        let wrap = self.config.wrap.clone();
        Ok(Handler::new(peer, limits, self.protocols.clone(), outbox, wrap))
    }

    fn on_up(&mut self, peer: PeerId, id: ConnectionId) {
        self.strangers.remove(id);
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        match entry.came_up(id, self.config.setup) {
            Progress::First { direction, remote } => {
                self.events.push_back(ToSwarm::GenerateEvent(Event::Up {
                    peer,
                    direction,
                    remote,
                }));
            }
            Progress::Second => {}
            Progress::Replacement => {
                self.end_session_except(peer, DownReason::Replaced, Some(id));
                self.on_up(peer, id);
            }
        }
    }

    /// A connection is gone, or was denied by another behaviour before it was of use.
    fn on_gone(&mut self, peer: PeerId, id: ConnectionId) {
        self.strangers.remove(id);
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        if entry.is_up_by(id) {
            self.end_session(peer, DownReason::Closed);
        }
        if let Some(entry) = self.peers.get_mut(&peer) {
            entry.remove(id);
            if entry.is_empty() {
                self.peers.remove(&peer);
            }
        }
    }

    fn end_session(&mut self, peer: PeerId, reason: DownReason) {
        self.end_session_except(peer, reason, None);
    }

    fn end_session_except(&mut self, peer: PeerId, reason: DownReason, kept: Option<ConnectionId>) {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        if entry.end_session() {
            self.events.push_back(ToSwarm::GenerateEvent(Event::Down { peer, reason }));
        }
        for id in entry.open().filter(|id| Some(*id) != kept).collect::<Vec<_>>() {
            self.close(peer, id);
        }
    }

    fn close(&mut self, peer_id: PeerId, id: ConnectionId) {
        self.strangers.remove(id);
        if self.peers.get_mut(&peer_id).is_some_and(|entry| entry.close(id)) {
            let connection = CloseConnection::One(id);
            self.events.push_back(ToSwarm::CloseConnection { peer_id, connection });
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.connect(id, peer, Direction::Accepted, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.connect(id, peer, Direction::Dialed, remote)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "libp2p's enum is non-exhaustive")]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(event) => self.on_gone(event.peer_id, event.connection_id),
            FromSwarm::DialFailure(event) => {
                event.peer_id.into_iter().for_each(|peer| self.on_gone(peer, event.connection_id));
            }
            FromSwarm::ListenFailure(event) => {
                event.peer_id.into_iter().for_each(|peer| self.on_gone(peer, event.connection_id));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        // A session that is over has no more events, although its connection may still be closing.
        let Some(link) = self.peers.get_mut(&peer).and_then(|entry| entry.open_link_mut(id)) else {
            return;
        };
        match event {
            ToBehaviour::Up => self.on_up(peer, id),
            ToBehaviour::Received(lane, frames) => {
                let received = link.received.of_mut(lane);
                frames.iter().for_each(|frame| received.count(frame.len()));
                self.events.push_back(ToSwarm::GenerateEvent(Event::Received {
                    peer,
                    lane,
                    frames,
                }));
            }
            ToBehaviour::Late => match link.direction() {
                Direction::Accepted => self.close(peer, id),
                // It was worth a dial to somebody; libp2p's idle timeout applies.
                Direction::Dialed => {}
            },
            ToBehaviour::Misbehaved(fault) => {
                self.events.push_back(ToSwarm::GenerateEvent(Event::Misbehaved { peer, fault }));
                self.end_session(peer, DownReason::Misbehaved(fault));
            }
            ToBehaviour::Wedged => self.end_session(peer, DownReason::Wedged),
            // Even if it is not our primary: it may be the remote's.
            ToBehaviour::Closed => self.end_session(peer, DownReason::Closed),
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, Infallible>> {
        for peer in self.unwoken.drain(..) {
            if let Some(entry) = self.peers.get_mut(&peer) {
                entry.wake();
            }
        }
        // No waker is kept: only a caller with `&mut` access adds events, and it polls the swarm
        // afterwards.
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
