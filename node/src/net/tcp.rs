//! TCP that dials from the address that it listens on.
//!
//! libp2p's TCP transport reuses the listening *port* for dialling but binds the wildcard address
//! (`local_dial_addr` in libp2p-tcp 0.45), so the kernel chooses the source: on loopback always
//! 127.0.0.1. Peers that count by address would take all nodes of a local testnet for one, and a
//! host with several addresses would show another than it announces. Here, who listens on one
//! particular address dials from it, with a port of the kernel's choice: reusing the listening port
//! as well would turn two simultaneous dials into one TCP simultaneous open, which libp2p cannot
//! negotiate.
//!
//! Who listens on the wildcard address, or not at all, dials as libp2p does.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use libp2p::core::Endpoint;
use libp2p::core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::tcp::tokio::{TcpStream, Transport as Inner};
use libp2p::{Multiaddr, tcp};
use tokio::net::TcpSocket;

use super::origin::ip_part;

/// libp2p's TCP transport, except for where it dials from.
pub(super) struct Tcp {
    inner: Inner,
    /// Listeners on one particular address.
    listening: HashMap<ListenerId, IpAddr>,
}

impl Tcp {
    pub(super) fn new() -> Self {
        Self { inner: Inner::new(tcp::Config::new().nodelay(true)), listening: HashMap::new() }
    }

    /// The address to dial from: that of a listener from which the remote can be reached.
    fn source(&self, remote: IpAddr) -> Option<IpAddr> {
        let fits = |ip: &&IpAddr| {
            ip.is_ipv4() == remote.is_ipv4() && ip.is_loopback() == remote.is_loopback()
        };
        // The lowest, so that it does not depend on the map's order.
        self.listening.values().filter(fits).min().copied()
    }
}

impl Transport for Tcp {
    type Output = TcpStream;
    type Error = io::Error;
    type ListenerUpgrade = <Inner as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<TcpStream>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        let ip = socket_address(&address).map(|socket| socket.ip());
        self.inner.listen_on(id, address)?;
        self.listening.extend(ip.filter(|ip| !ip.is_unspecified()).map(|ip| (id, ip)));
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.listening.remove(&id);
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let remote = socket_address(&address)
            .filter(|remote| remote.port() != 0 && !remote.ip().is_unspecified());
        let source = remote.and_then(|remote| self.source(remote.ip()));
        match (remote, source, opts.role) {
            (Some(remote), Some(source), Endpoint::Dialer) => Ok(dial_from(source, remote).boxed()),
            // A hole punch needs the listening port.
            (_, _, Endpoint::Listener) | (None, _, _) | (_, None, _) => {
                self.inner.dial(address, opts)
            }
        }
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let event = std::task::ready!(Pin::new(&mut self.inner).poll(cx));
        if let TransportEvent::ListenerClosed { listener_id, .. } = &event {
            self.listening.remove(listener_id);
        }
        Poll::Ready(event)
    }
}

async fn dial_from(source: IpAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = if remote.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    socket.bind(SocketAddr::new(source, 0))?;
    Ok(TcpStream(socket.connect(remote).await?))
}

/// `/ip4/../tcp/..` or `/ip6/../tcp/..`, with or without a peer id behind it; other addresses are
/// not for TCP alone.
fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut protocols = address.iter();
    let ip = ip_part(&protocols.next()?)?;
    let Protocol::Tcp(port) = protocols.next()? else {
        return None;
    };
    protocols
        .next()
        .is_none_or(|rest| matches!(rest, Protocol::P2p(_)))
        .then(|| SocketAddr::new(ip, port))
}
