//! A peer that authenticates like any other and then writes what the test wants, or reads nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{AsyncWrite, StreamExt};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{ReadyUpgrade, SelectUpgrade};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, Stream, StreamProtocol, SubstreamProtocol, SwarmEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::mpsc;

const CONTROL: StreamProtocol = StreamProtocol::new("/forsooth/1/0123456789abcdef/control");
const DATA: StreamProtocol = StreamProtocol::new("/forsooth/1/0123456789abcdef/data");

/// Opens one substream for each of these and writes the bytes to it.
#[derive(Clone)]
pub(crate) struct Script(pub(crate) Vec<(StreamProtocol, Vec<u8>)>);

impl Script {
    pub(crate) fn control(bytes: &[u8]) -> Self {
        Self(vec![(CONTROL, bytes.to_vec())])
    }

    pub(crate) fn data(bytes: &[u8]) -> Self {
        Self(vec![(CONTROL, Vec::new()), (DATA, bytes.to_vec())])
    }

    pub(crate) fn control_twice() -> Self {
        Self(vec![(CONTROL, Vec::new()), (CONTROL, Vec::new())])
    }
}

/// Dials a node and plays a script to it. What is sent to the returned channel is
/// written to its only substream.
pub(crate) fn play(script: Script, address: Multiaddr) -> (PeerId, mpsc::Sender<Vec<u8>>) {
    let (more, inbox) = mpsc::channel(8);
    let mut inbox = Some(inbox);
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| Behaviour { script, inbox: inbox.take() })
        .unwrap()
        .build();
    let peer = *swarm.local_peer_id();
    swarm.dial(address).unwrap();
    tokio::spawn(async move {
        loop {
            if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
                return;
            }
        }
    });
    (peer, more)
}

struct Behaviour {
    script: Script,
    inbox: Option<mpsc::Receiver<Vec<u8>>>,
}

impl Behaviour {
    fn handler(&mut self) -> Handler {
        Handler {
            to_open: self.script.0.clone(),
            writing: Vec::new(),
            unread: Vec::new(),
            inbox: self.inbox.take(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: Infallible) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, Infallible>> {
        Poll::Pending
    }
}

struct Handler {
    to_open: Vec<(StreamProtocol, Vec<u8>)>,
    /// Substreams with what is left to write.
    writing: Vec<(Stream, Vec<u8>)>,
    /// Accepted and kept open, never read.
    unread: Vec<Stream>,
    inbox: Option<mpsc::Receiver<Vec<u8>>>,
}

type Upgrade = ReadyUpgrade<StreamProtocol>;

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = SelectUpgrade<Upgrade, Upgrade>;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Vec<u8>;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(
            SelectUpgrade::new(ReadyUpgrade::new(CONTROL), ReadyUpgrade::new(DATA)),
            (),
        )
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Upgrade, Vec<u8>, Infallible>> {
        if let Some((protocol, bytes)) = self.to_open.pop() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), bytes);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if let (Some(inbox), [(_, bytes)]) = (&mut self.inbox, self.writing.as_mut_slice())
            && let Poll::Ready(Some(more)) = inbox.poll_recv(cx)
        {
            bytes.extend(more);
        }
        for (stream, bytes) in &mut self.writing {
            while !bytes.is_empty()
                && let Poll::Ready(Ok(written)) = Pin::new(&mut *stream).poll_write(cx, bytes)
            {
                bytes.drain(..written);
            }
            let _ = Pin::new(stream).poll_flush(cx);
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "libp2p's enum is non-exhaustive")]
    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Upgrade, (), Vec<u8>>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                self.unread.push(protocol.into_inner());
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => {
                self.writing.push((protocol, info));
            }
            _ => {}
        }
    }
}
