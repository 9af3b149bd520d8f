//! How many connections one address, or one subnet, may have with us.
//!
//! libp2p's own limits count connections and know nothing of addresses, so one machine could take
//! all places. This behaviour counts by IP address and by subnet, and refuses what is too much as
//! early as libp2p allows: before the handshake for what comes in, before the first frame for what
//! goes out. The two directions are counted apart: whoever fills a subnet's inbound places must not
//! keep us from dialling into it.
//!
//! Every table has at most one entry for each connection that is open or being negotiated. IPv4
//! addresses mapped into IPv6 count as what they are. An address without an IP (memory, onion)
//! counts towards the total only.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::hash::Hash;
use std::net::IpAddr;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::origin::{Counting, Origin, Subnet};

/// The limits. A limit is the most that may be, so zero forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Established connections per IP address and direction. 1 to 100; recommended 4, since homes
    /// and offices share addresses.
    pub per_address: u32,
    /// Established connections per subnet and direction. Not below `per_address`; recommended 8.
    pub per_subnet: u32,
    /// Handshakes in progress per IP address, inbound. 1 to 100; recommended 4.
    pub pending_per_address: u32,
    /// Established inbound connections in all. It has no way to make room, so it must be above what others
    /// that have one hold: recommended 256, and a node raises it to what its core may hold.
    pub inbound: u32,
    /// Which addresses are one place.
    pub counting: Counting,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            per_address: 4,
            per_subnet: 8,
            pending_per_address: 4,
            inbound: 256,
            counting: Counting::default(),
        }
    }
}

/// Which limit a connection would exceed. libp2p's error for a denied connection can be downcast to
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// [`Config::per_address`]
    #[error("{0} has as many connections as one address may; raise `per_address` if you trust it")]
    PerAddress(IpAddr),
    /// [`Config::per_subnet`]
    #[error(
        "{0}/{1} has as many connections as one subnet may; raise `per_subnet` if you trust it"
    )]
    PerSubnet(IpAddr, u8),
    /// [`Config::pending_per_address`]
    #[error("{0} has as many handshakes in progress as one address may")]
    PendingPerAddress(IpAddr),
    /// [`Config::inbound`]
    #[error("all places for inbound connections are taken")]
    Inbound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Way {
    In,
    Out,
}

/// Caps connections per address and subnet. See the module's documentation.
#[derive(Debug)]
pub struct Behaviour {
    config: Config,
    /// Inbound handshakes in progress.
    pending: HashMap<ConnectionId, IpAddr>,
    pending_per_address: Counts<IpAddr>,
    /// What each connection was counted as, so that it is discounted as the same.
    established: HashMap<ConnectionId, (Way, Origin)>,
    per_address: Counts<(Way, IpAddr)>,
    per_subnet: Counts<(Way, Subnet)>,
    /// Inbound connections, those without an IP included.
    inbound: HashSet<ConnectionId>,
}

impl Behaviour {
    /// Nothing is connected, yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            pending: HashMap::new(),
            pending_per_address: Counts::default(),
            established: HashMap::new(),
            per_address: Counts::default(),
            per_subnet: Counts::default(),
            inbound: HashSet::new(),
        }
    }

    fn check(&self, way: Way, origin: Option<Origin>) -> Result<(), Exceeded> {
        let is_full = match way {
            Way::In => self.inbound.len() as u64 >= u64::from(self.config.inbound),
            Way::Out => false,
        };
        if is_full {
            return Err(Exceeded::Inbound);
        }
        let Some(Origin { address, subnet }) = origin else {
            return Ok(());
        };
        if self.per_address.of(&(way, address)) >= self.config.per_address {
            return Err(Exceeded::PerAddress(address));
        }
        if self.per_subnet.of(&(way, subnet)) >= self.config.per_subnet {
            return Err(Exceeded::PerSubnet(subnet.0, subnet.1));
        }
        Ok(())
    }

    fn no_longer_pending(&mut self, id: ConnectionId) {
        if let Some(address) = self.pending.remove(&id) {
            self.pending_per_address.remove(&address);
        }
    }

    fn on_established(&mut self, id: ConnectionId, endpoint: &ConnectedPoint) {
        let way = match endpoint {
            ConnectedPoint::Listener { .. } => Way::In,
            ConnectedPoint::Dialer { .. } => Way::Out,
        };
        if way == Way::In {
            self.inbound.insert(id);
        }
        if let Some(origin) = self.config.counting.origin(endpoint.get_remote_address()) {
            self.per_address.add((way, origin.address));
            self.per_subnet.add((way, origin.subnet));
            self.established.insert(id, (way, origin));
        }
    }

    fn on_closed(&mut self, id: ConnectionId) {
        self.inbound.remove(&id);
        if let Some((way, origin)) = self.established.remove(&id) {
            self.per_address.remove(&(way, origin.address));
            self.per_subnet.remove(&(way, origin.subnet));
        }
    }
}

/// How often each key is there; a key that is not, takes no place.
#[derive(Debug)]
struct Counts<K>(HashMap<K, u32>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn of(&self, key: &K) -> u32 {
        self.0.get(key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: K) {
        let count = self.0.entry(key).or_insert(0);
        *count = count.saturating_add(1);
    }

    fn remove(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let origin = self.config.counting.origin(remote);
        self.check(Way::In, origin).map_err(ConnectionDenied::new)?;
        let Some(Origin { address, .. }) = origin else {
            return Ok(());
        };
        if self.pending_per_address.of(&address) >= self.config.pending_per_address {
            return Err(ConnectionDenied::new(Exceeded::PendingPerAddress(address)));
        }
        self.pending_per_address.add(address);
        self.pending.insert(id, address);
        Ok(())
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.no_longer_pending(id);
        // Again: others may have been established since this handshake began.
        self.check(Way::In, self.config.counting.origin(remote)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _id: ConnectionId,
        _peer: PeerId,
        remote: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check(Way::Out, self.config.counting.origin(remote)).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "libp2p's enum is non-exhaustive")]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            // Counted only here, when no other behaviour can deny it any more.
            FromSwarm::ConnectionEstablished(event) => {
                self.on_established(event.connection_id, event.endpoint)
            }
            FromSwarm::ConnectionClosed(event) => self.on_closed(event.connection_id),
            FromSwarm::ListenFailure(event) => self.no_longer_pending(event.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
