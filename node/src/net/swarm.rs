//! The node's swarm: transports, limits and links, put together.
//!
//! TCP with Noise and Yamux, and QUIC; names are resolved if the system can. Around the links
//! stand, in the order in which they are asked: the ban list, the limits per address, libp2p's
//! limits on counts and on memory. Identify and ping serve strangers as well. What is *not* here:
//! whom to dial, and what frames mean.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::time::Duration;

use forsooth_crypto::Keypair;
use forsooth_protocol::LinksMax;
use libp2p::allow_block_list::{self, BlockedPeers};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{self, Transport};
use libp2p::core::upgrade::Version;
use libp2p::swarm::{InvalidProtocol, NetworkBehaviour, Swarm};
use libp2p::{
    PeerId, connection_limits, dns, identify, identity, memory_connection_limits, noise, ping,
    quic, yamux,
};

use super::boxed::Boxed;
use super::closing::Closing;
use super::tcp::Tcp;
use super::{behaviour, limits};

/// Connections that are closing, and second ones of peers who dialled when we did. A guess.
const SPARE: usize = 32;

/// Everything that the swarm needs to know, besides the key.
#[derive(Clone, Debug)]
pub struct Config {
    /// The links and their protocol's name.
    pub links: behaviour::Config,
    /// Connections per address and subnet.
    pub limits: limits::Config,
    /// Established connections in all. Above the inbound ones by as many as are dialled, so that who
    /// comes to us never keeps us from dialling; recommended 384, and a node has [`Self::make_room`] decide.
    pub connections: u32,
    /// Inbound handshakes in progress in all. Recommended 32.
    pub pending_inbound: u32,
    /// Outbound handshakes in progress in all. Recommended 32.
    pub pending_outbound: u32,
    /// New connections are refused while the process uses more memory than this. Recommended half
    /// of the machine's; 1 GiB by default.
    pub memory_bytes_max: usize,
    /// How long a connection and its handshake may take. 2 s to 30 s, and not above
    /// [`behaviour::Config::setup`]; recommended 10 s.
    pub connecting: Duration,
    /// How long a connection without a link may stay: a stranger's, or one that is of no use.
    /// Recommended 30 s.
    pub idle: Duration,
    /// How long closing may take before the connection is dropped. 100 ms to 10 s; recommended 2 s.
    pub closing: Duration,
    /// The time between pings, which keep NATs open and find dead connections. Recommended 15 s.
    pub ping: Duration,
    /// Substreams that one Yamux connection may have open: two lanes each way, identify and ping.
    /// 16 to 256; recommended 32.
    pub substreams: usize,
    /// What one QUIC stream may have under way. Not below 64 KiB; recommended 1 MiB. Yamux tunes
    /// itself.
    pub quic_stream_window_bytes: u32,
    /// Whether identify keeps our listening addresses, private ones among them, to itself.
    /// Recommended yes.
    pub hide_listen_addresses: bool,
}

impl Config {
    /// The recommended values, for the network with this protocol name.
    #[must_use]
    pub fn new(protocol: impl Into<String>) -> Self {
        Self {
            links: behaviour::Config::new(protocol),
            limits: limits::Config::default(),
            connections: 384,
            pending_inbound: 32,
            pending_outbound: 32,
            memory_bytes_max: 1 << 30,
            connecting: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            closing: Duration::from_secs(2),
            ping: Duration::from_secs(15),
            substreams: 32,
            quic_stream_window_bytes: 1 << 20,
            hide_listen_addresses: true,
        }
    }

    /// Sets the limits on connections above what their owner's limits on links come to, so that it, who knows
    /// whom to keep, makes room before anybody is refused here.
    pub fn make_room(&mut self, LinksMax { inbound, outbound }: LinksMax) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let inbound = inbound.saturating_add(self.links.strangers.places).saturating_add(SPARE);
        self.limits.inbound = number(inbound);
        self.connections = number(inbound.saturating_add(outbound));
    }
}

/// Why a swarm cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The protocol's name is not one.
    #[error("the protocol's name must begin with a slash")]
    Protocol(#[from] InvalidProtocol),
    /// The key does not serve for Noise.
    #[error("the node's key cannot authenticate connections")]
    Noise(#[from] noise::Error),
}

/// The node's behaviours.
#[derive(NetworkBehaviour)]
#[behaviour(to_swarm = "Event")]
pub struct Composed {
    /// Peers that are refused. `block_peer` also closes what is open.
    pub bans: allow_block_list::Behaviour<BlockedPeers>,
    /// Connections per address and subnet.
    pub limits: limits::Behaviour,
    counts: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    /// Who peers say they are.
    pub identify: identify::Behaviour,
    ping: ping::Behaviour,
    /// The links to peers.
    pub links: behaviour::Behaviour,
}

/// The node's swarm.
pub type NodeSwarm = Swarm<Boxed<Composed>>;

/// What the node's behaviours report.
#[derive(Debug)]
pub enum Event {
    /// Of the links.
    Link(behaviour::Event),
    /// What a connected peer or stranger says of itself: nothing to rely on.
    Identify(Box<identify::Event>),
    /// A round trip, or that there was none.
    Ping(ping::Event),
}

impl From<behaviour::Event> for Event {
    fn from(event: behaviour::Event) -> Self {
        Self::Link(event)
    }
}

impl From<identify::Event> for Event {
    fn from(event: identify::Event) -> Self {
        Self::Identify(Box::new(event))
    }
}

impl From<ping::Event> for Event {
    fn from(event: ping::Event) -> Self {
        Self::Ping(event)
    }
}

impl From<Infallible> for Event {
    fn from(event: Infallible) -> Self {
        match event {}
    }
}

/// Builds the swarm. It neither listens nor dials yet. Call it within a tokio runtime.
///
/// # Errors
///
/// See [`Error`].
pub fn build(keypair: &Keypair, config: &Config) -> Result<NodeSwarm, Error> {
    let keypair = super::identity::keypair(keypair);
    let peer = keypair.public().to_peer_id();
    let transport = transport(&keypair, config)?;
    let behaviour = composed(&keypair, config)?;
    let swarm_config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(config.idle)
        // What a peer can have us hold while the node is busy: so many batches of about 64 KiB.
        .with_per_connection_event_buffer_size(2)
        .with_notify_handler_buffer_size(NonZeroUsize::MIN.saturating_add(7))
        .with_max_negotiating_inbound_streams(16);
    Ok(Swarm::new(transport, Boxed::new(behaviour), peer, swarm_config))
}

fn composed(keypair: &identity::Keypair, config: &Config) -> Result<Composed, InvalidProtocol> {
    let counts = connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(config.pending_inbound))
        .with_max_pending_outgoing(Some(config.pending_outbound))
        .with_max_established(Some(config.connections));
    let identify = identify::Config::new(config.links.protocol.clone(), keypair.public())
        .with_agent_version(concat!("forsooth/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(false)
        .with_hide_listen_addrs(config.hide_listen_addresses)
        // Addresses are the overlay's business; what a stranger claims must not become a dial.
        .with_cache_size(0);
    let mut links = config.links.clone();
    links.strangers.counting.clone_from(&config.limits.counting);
    Ok(Composed {
        bans: allow_block_list::Behaviour::default(),
        limits: limits::Behaviour::new(config.limits.clone()),
        counts: connection_limits::Behaviour::new(counts),
        memory: memory_connection_limits::Behaviour::with_max_bytes(config.memory_bytes_max),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(ping::Config::new().with_interval(config.ping)),
        links: behaviour::Behaviour::new(links)?,
    })
}

fn transport(
    keypair: &identity::Keypair,
    config: &Config,
) -> Result<transport::Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let connecting = match dns::tokio::Transport::system(by_address(keypair, config)?) {
        Ok(by_name) => by_name.boxed(),
        // A bare container, for example. It can dial addresses but no names; that is no reason not
        // to start.
        Err(error) => {
            tracing::warn!(%error, "no resolver configuration: names are not resolved");
            by_address(keypair, config)?
        }
    };
    Ok(TransportTimeout::new(connecting, config.connecting).boxed())
}

fn by_address(
    keypair: &identity::Keypair,
    config: &Config,
) -> Result<transport::Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let closing = config.closing;
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(config.substreams);
    let tcp = Tcp::new()
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux)
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(Closing::new(muxer, closing))));
    let mut quic = quic::Config::new(keypair);
    quic.handshake_timeout = config.connecting;
    quic.max_stream_data = config.quic_stream_window_bytes;
    quic.max_connection_data = config.quic_stream_window_bytes.saturating_mul(4);
    quic.max_concurrent_stream_limit = u32::try_from(config.substreams).unwrap_or(u32::MAX);
    let quic = quic::tokio::Transport::new(quic)
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(Closing::new(muxer, closing))));
    Ok(tcp.or_transport(quic).map(|either, _| either.into_inner()).boxed())
}
