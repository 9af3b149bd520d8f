//! How a node is made.

use std::{io, num::NonZeroUsize, path::PathBuf, sync::Arc};

use forsooth_crypto::Keypair;
use forsooth_protocol::{
    Config, Core, Event, Network, Participant, Record, Timestamp, network::Kind, wire,
};
use libp2p::Multiaddr;
use tokio::sync::{broadcast, mpsc, watch};

use crate::{
    Node, StoreError, Validator, Verifier, clock,
    driver::{Bootnodes, Driver, Outside, Shell, View},
    events, listening,
    net::{limits::Loopback, stats::PerLane, swarm},
    node::Inner,
    peer_address::{BadPeerAddress, candidate},
    store::{self, Store, Writer},
    subscription::{self, Subscribers},
    validator::{Judge, Panel},
};

/// Commands that wait for the driver. More make their senders wait.
const COMMANDS_MAX: usize = 1024;
/// Subscriptions that wait for the driver.
const REGISTRATIONS_MAX: usize = 1024;

/// Makes the participant out of the core that it hides, or plays with.
type MakeParticipant = Box<dyn FnOnce(Core) -> Box<dyn Participant> + Send>;

/// Settings of a node that is not started yet. See [`Node::builder`].
///
/// Without any, it has a new key, keeps nothing, listens nowhere and knows nobody.
pub struct Builder {
    network: Network,
    keypair: Option<Keypair>,
    data_dir: Option<PathBuf>,
    listen: Vec<Multiaddr>,
    peers: Vec<Multiaddr>,
    judge: Option<Judge>,
    participant: MakeParticipant,
    seed: Option<[u8; 32]>,
    outbound_target: Option<usize>,
    net: swarm::Config,
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
        let net = net_config(&network);
        Self {
            network,
            keypair: None,
            data_dir: None,
            listen: Vec::new(),
            peers: Vec::new(),
            judge: None,
            participant: Box::new(|core| Box::new(core)),
            seed: None,
            outbound_target: None,
            net,
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

    /// Peers to begin with; each address ends in `/p2p/` and a peer id. The node's own address is skipped.
    #[must_use]
    pub fn peers(mut self, addresses: impl IntoIterator<Item = Multiaddr>) -> Self {
        self.peers = addresses.into_iter().collect();
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

    /// Changes limits and times of the transport.
    #[must_use]
    pub fn net(mut self, change: impl FnOnce(&mut swarm::Config)) -> Self {
        change(&mut self.net);
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

    /// Starts the node. It listens when this returns, and is linking up with peers; see [`Node::ready`].
    ///
    /// # Errors
    /// See [`StartError`]. Nothing is left running.
    pub async fn start(mut self) -> Result<Node, StartError> {
        let wall = clock::wall().ok_or(StartError::ClockBeforeEpoch)?;
        let peers = self.peers.iter().map(candidate).collect::<Result<Vec<_>, BadPeerAddress>>()?;
        let keypair = match self.keypair.take() {
            Some(keypair) => keypair,
            None => Keypair::from_seed(random()?),
        };
        let me = keypair.id();
        let bootnodes: Vec<_> = peers.into_iter().filter(|peer| peer.peer != me).collect();
        let network = Arc::new(self.network.clone());
        let memory = Memory::open(self.data_dir.take(), &network, wall).await?;

        let mut swarm = swarm::build(&keypair, &self.net)?;
        let listeners = listening::begin(&mut swarm, &self.listen).await?;
        let outside = Outside {
            swarm,
            checks: self.threads()?.client(),
            panel: Panel::new(self.judge.clone(), Arc::clone(&network)),
            subscribers: Subscribers::default(),
            writer: memory.store.map(Writer::start).transpose().map_err(StartError::Threads)?,
        };
        let mut config = Config::new(Arc::clone(&network), memory.generation);
        config.outbound_target = self.outbound_target.unwrap_or(config.outbound_target);
        config.validator = self.judge.as_ref().map_or(forsooth_protocol::Validator::None, |_| {
            forsooth_protocol::Validator::Application
        });
        let seed = self.seed.map_or_else(random, Ok)?;
        let participant = (self.participant)(Core::new(config, keypair, seed));

        let (commands, command_inbox) = mpsc::channel(COMMANDS_MAX);
        let (registrations, registration_inbox) = mpsc::channel(REGISTRATIONS_MAX);
        let (events, _) = broadcast::channel::<Event>(events::BUFFER);
        let (joined, joined_now) = watch::channel(0);
        let (addresses, addresses_now) = watch::channel(Vec::new());
        let weak_events = events.downgrade();
        let view = View { events, joined, addresses };
        // Read again: the disk may have taken its time.
        let wall = clock::wall().ok_or(StartError::ClockBeforeEpoch)?;
        let shell = Shell::new(
            (me, Arc::clone(&network)),
            wall,
            outside,
            view,
            listeners,
            Bootnodes::new(&bootnodes),
        );
        let driver = Driver::new(participant, shell, command_inbox, registration_inbox);
        let (report, ended) = watch::channel(None);
        tokio::spawn(async move {
            let outcome = driver.run(memory.records, bootnodes).await.map_err(Arc::new);
            report.send_replace(Some(outcome));
        });
        Ok(Node::new(Inner {
            id: me,
            network,
            commands,
            registrations,
            events: weak_events,
            joined: joined_now,
            addresses: addresses_now,
            ended,
            subscription_messages_max: self.subscription_messages_max,
        }))
    }

    fn threads(&self) -> Result<Verifier, StartError> {
        match &self.verifier {
            Some(verifier) => Ok(verifier.clone()),
            None => {
                let workers = self.verify_workers.unwrap_or_else(Verifier::workers_default);
                Verifier::start(workers).map_err(StartError::Threads)
            }
        }
    }
}

/// What a node knows of its earlier lives.
struct Memory {
    store: Option<Store>,
    generation: u64,
    records: Vec<Record>,
}

impl Memory {
    async fn open(
        folder: Option<PathBuf>,
        network: &Arc<Network>,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let Some(folder) = folder else {
            return Ok(Self {
                store: None,
                generation: store::ephemeral_generation(now),
                records: Vec::new(),
            });
        };
        let network = Arc::clone(network);
        let open = move || {
            let store = Store::open(&folder, &network)?;
            let (generation, records) = (store.next_generation(now)?, store.records(now)?);
            Ok(Self { store: Some(store), generation, records })
        };
        let opened = tokio::task::spawn_blocking(open)
            .await
            .map_err(io::Error::other)
            .map_err(StartError::Threads)?;
        opened.map_err(|error| {
            if let StoreError::Busy { path } = error {
                StartError::DataDirBusy { path }
            } else {
                StartError::Store(error)
            }
        })
    }
}

/// The recommended transport for a network.
fn net_config(network: &Network) -> swarm::Config {
    let mut config = swarm::Config::new(network.protocol_name());
    let payload = usize::try_from(network.payload_bytes_max()).unwrap_or(usize::MAX);
    config.links.frame_bytes_max = PerLane {
        control: wire::CONTROL_FRAME_BYTES_MAX,
        data: payload.saturating_add(wire::DATA_FRAME_OVERHEAD_MAX),
    };
    if network.kind() == Kind::Local {
        // All nodes of such a network may be on this machine.
        config.limits.loopback = Loopback::Exempt;
    }
    config
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other).map_err(StartError::Entropy)?;
    Ok(bytes)
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("network", &self.network.name()).finish_non_exhaustive()
    }
}
