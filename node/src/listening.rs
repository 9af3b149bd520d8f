//! Where a node listens, and why it cannot.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use futures::StreamExt as _;
use libp2p::{
    Multiaddr, TransportError, core::transport::ListenerId, multiaddr::Protocol, swarm::SwarmEvent,
};
use tokio::time::{Instant, timeout_at};

use crate::{StartError, net::swarm::NodeSwarm};

/// How long the system may take to say where we listen. It takes microseconds.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Listens on all addresses; returns when each is bound and known.
pub(crate) async fn begin(
    swarm: &mut NodeSwarm,
    addresses: &[Multiaddr],
) -> Result<Vec<ListenerId>, StartError> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        listeners.push(listen(swarm, address).await?);
    }
    Ok(listeners)
}

async fn listen(swarm: &mut NodeSwarm, address: &Multiaddr) -> Result<ListenerId, StartError> {
    let failed = |error: &io::Error| {
        if is_in_use(error) {
            StartError::PortInUse { address: address.clone() }
        } else {
            StartError::Listen { address: address.clone(), cause: error.to_string() }
        }
    };
    probe(address).map_err(|error| failed(&error))?;
    let id = swarm.listen_on(address.clone()).map_err(|error| match error {
        TransportError::Other(error) => failed(&error),
        TransportError::MultiaddrNotSupported(address) => {
            let cause = "not an address to listen on; try /ip4/0.0.0.0/udp/4001/quic-v1 or /ip4/0.0.0.0/tcp/4001";
            StartError::Listen { address, cause: cause.to_owned() }
        }
    })?;
    let deadline = Instant::now() + TIME_MAX;
    loop {
        match timeout_at(deadline, swarm.select_next_some()).await {
            Ok(SwarmEvent::NewListenAddr { listener_id, .. }) if listener_id == id => {
                return Ok(id);
            }
            Ok(SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. })
                if listener_id == id =>
            {
                return Err(failed(&error));
            }
            // Somebody else's news: nobody can have connected before we are told of the address.
            Ok(_) => {}
            Err(_elapsed) => return Err(failed(&io::Error::from(io::ErrorKind::TimedOut))),
        }
    }
}

/// Binds the address once and lets it go. libp2p's TCP sockets share their port with any other socket
/// that does the same, so two nodes of one user would listen on one port and never be told.
fn probe(address: &Multiaddr) -> io::Result<()> {
    let mut protocols = address.iter();
    let ip = match protocols.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Ok(()),
    };
    match protocols.next() {
        Some(Protocol::Tcp(port)) => TcpListener::bind(SocketAddr::new(ip, port)).map(drop),
        Some(Protocol::Udp(port)) => UdpSocket::bind(SocketAddr::new(ip, port)).map(drop),
        _ => Ok(()),
    }
}

/// Whether "address in use" is at the bottom of an error.
fn is_in_use(error: &io::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
