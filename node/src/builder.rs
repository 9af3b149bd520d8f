//! How a node is made.

mod start;

use std::{io, num::NonZeroUsize, path::PathBuf, sync::Arc};

use forsooth_crypto::Keypair;
use forsooth_protocol::{Core, LinksMax, Network, Participant, network::Kind, wire};
use libp2p::{Multiaddr, PeerId};

use crate::{
    BadExternal, StoreError, Validator, Verifier,
    asn_map::AsnMap,
    net::{origin::Loopback, stats::PerLane, swarm},
    peer_address::BadPeerAddress,
    subscription,
    validator::Judge,
};

/// Makes the participant out of the core that it hides, or plays with.
type MakeParticipant = Box<dyn FnOnce(Core) -> Box<dyn Participant> + Send>;

/// Changes what is recommended for the transport.
type ChangeNet = Box<dyn FnOnce(&mut swarm::Config) + Send>;

/// Settings of a node that is not started yet. See [`Node::builder`](crate::Node::builder).
///
/// Without any, it has a new key, keeps nothing, listens nowhere and knows nobody.
pub struct Builder {
    network: Network,
    keypair: Option<Keypair>,
    data_dir: Option<PathBuf>,
    listen: Vec<Multiaddr>,
    external: Vec<Multiaddr>,
    peers: Vec<Multiaddr>,
    keep: Vec<Multiaddr>,
    judge: Option<Judge>,
    participant: MakeParticipant,
    seed: Option<[u8; 32]>,
    outbound_target: Option<usize>,
    asns: Arc<AsnMap>,
    net: Vec<ChangeNet>,
    verify_workers: Option<NonZeroUsize>,
    verifier: Option<Verifier>,
    subscription_messages_max: usize,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens there.
    #[error(
        "{address} is in use by another process: stop it, or listen elsewhere (port 0 lets the system choose)"
    )]
    PortInUse {
        /// Where this node was to listen.
        address: Multiaddr,
    },
    /// It cannot listen there for another reason.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Where this node was to listen.
        address: Multiaddr,
        /// What the system says.
        cause: String,
    },
    /// Another process uses the data folder.
    #[error("{} is in use by another process: stop it, or give this one its own data folder", path.display())]
    DataDirBusy {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(StoreError),
    /// A peer's address is of no use.
    #[error(transparent)]
    BadPeerAddress(#[from] BadPeerAddress),
    /// An external address is of no use.
    #[error(transparent)]
    BadExternal(#[from] BadExternal),
    /// The network has a list of keys, and this node's is not on it.
    #[error(
        "this node's key is not among those that the network admits, so nobody would link it: have {peer} added to \
         `admitted` in the manifest, which all nodes must then take over, or use a key that is there"
    )]
    NotAdmitted {
        /// Who this node is.
        peer: PeerId,
    },
    /// The system's clock shows a time before 1970.
    #[error("the system's clock is before 1970: set it, since messages carry the time")]
    ClockBeforeEpoch,
    /// The system gave no randomness.
    #[error("the system gives no randomness: {0}")]
    Entropy(io::Error),
    /// The system gave no thread.
    #[error("the system gives no thread: {0}")]
    Threads(#[source] io::Error),
    /// The transport cannot be set up.
    #[error("the transport cannot be set up: {0}")]
    Transport(#[from] swarm::Error),
}

impl Builder {
    pub(crate) fn new(network: Network) -> Self {
        Self {
            network,
            keypair: None,
            data_dir: None,
            listen: Vec::new(),
            external: Vec::new(),
            peers: Vec::new(),
            keep: Vec::new(),
            judge: None,
            participant: Box::new(|core| Box::new(core)),
            seed: None,
            outbound_target: None,
            asns: Arc::default(),
            net: Vec::new(),
            verify_workers: None,
            verifier: None,
            subscription_messages_max: subscription::MESSAGES_DEFAULT,
        }
    }

    /// The key that names the node and signs what it publishes. A new one, if not said.
    ///
    /// A key that is used again needs a [data folder](Self::data_dir): without one, two processes that
    /// start within a second publish in one generation, and the network takes the key for an equivocator's.
    #[must_use]
    pub fn keypair(mut self, keypair: Keypair) -> Self {
        self.keypair = Some(keypair);
        self
    }

    /// Where generation, bans and proofs are kept over a restart. Nothing is kept, if not said. The key is not
    /// looked for here.
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// Where to listen, such as `/ip4/0.0.0.0/udp/4001/quic-v1`; port 0 lets the system choose. Nowhere, if not
    /// said: the node can still dial.
    #[must_use]
    pub fn listen(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.listen = addresses.into_iter().collect();
        self
    }

    /// Where others reach the node, if not where it listens: its public addresses behind a NAT that forwards
    /// ports, or outside of its container. Like `/ip4/HOST/tcp/8650`, at most four; others are told of the
    /// first ones first.
    #[must_use]
    pub fn external(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.external = addresses.into_iter().collect();
        self
    }

    /// Peers to begin with; each address ends in `/p2p/` and a peer id. The node's own address is skipped.
    #[must_use]
    pub fn peers(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.peers = addresses.into_iter().collect();
        self
    }

    /// Peers to stay linked with, whatever else the node does. They relay, but are no witnesses for that.
    #[must_use]
    pub fn keep(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.keep = addresses.into_iter().collect();
        self
    }

    /// The application's rule for what is valid. Every verified message is, if not said.
    #[must_use]
    pub fn validator(mut self, validator: impl Validator) -> Self {
        self.judge = Some(Judge::new(validator));
        self
    }

    /// What the node drives instead of its core, which is handed over. This is how a testnet gets its
    /// liars: `node` itself cannot lie. It must answer each `Publish`, or whoever publishes waits forever.
    #[must_use]
    pub fn participant(
        mut self,
        make: impl FnOnce(Core) -> Box<dyn Participant> + Send + 'static,
    ) -> Self {
        self.participant = Box::new(make);
        self
    }

    /// Where the core's randomness comes from, for tests. The system's, if not said.
    #[must_use]
    pub const fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Links to choose and keep. What the network's policies need, and at least 8, if not said.
    #[must_use]
    pub const fn outbound_target(mut self, links: usize) -> Self {
        self.outbound_target = Some(links);
        self
    }

    /// Who runs which network; see [`asn_map::load`](crate::asn_map::load). Nobody's system is known, if not said.
    #[must_use]
    pub fn asn_map(mut self, asns: Arc<AsnMap>) -> Self {
        self.asns = asns;
        self
    }

    /// Changes limits and times of the transport. Its limits on connections follow from the links that the node may
    /// have, see [`swarm::Config::make_room`].
    #[must_use]
    pub fn net(mut self, change: impl FnOnce(&mut swarm::Config) + Send + 'static) -> Self {
        self.net.push(Box::new(change));
        self
    }

    /// Threads that check signatures, if no [`Verifier`] is shared. See [`Verifier::workers_default`].
    #[must_use]
    pub const fn verify_workers(mut self, workers: NonZeroUsize) -> Self {
        self.verify_workers = Some(workers);
        self
    }

    /// Shares the threads of other nodes in this process.
    #[must_use]
    pub fn verifier(mut self, verifier: Verifier) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Messages that wait for one slow subscription before it misses some. 4096, if not said.
    #[must_use]
    pub const fn subscription_messages_max(mut self, messages: usize) -> Self {
        self.subscription_messages_max = messages;
        self
    }
}

/// The recommended transport for a network, and for a core that may have so many links.
fn net_config(network: &Network, links: LinksMax) -> swarm::Config {
    let mut config = swarm::Config::new(network.protocol_name());
    config.links.frame_bytes_max =
        PerLane { control: wire::CONTROL_FRAME_BYTES_MAX, data: network.data_frame_bytes_max() };
    config.make_room(links);
    if network.kind() == Kind::Local {
        // All nodes of such a network may be on this machine.
        config.limits.counting.loopback = Loopback::Exempt;
        config.links.setup_inbound = config.links.setup;
    }
    config
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("network", &self.network.name()).finish_non_exhaustive()
    }
}
