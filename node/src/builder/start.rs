//! From settings to a running node.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Candidate, Config, Core, LinksMax, Network, Participant, Record, Timestamp, Validator as Ask,
    overlay::work::Work,
};
use libp2p::{Multiaddr, core::transport::ListenerId};
use tokio::sync::{mpsc, watch};

use super::{Builder, StartError, net_config};
use crate::{
    Node, StoreError, Verifier,
    archive::{Readers, Shelf},
    clock,
    driver::{Bootnodes, Driver, Outside, Reach, Shell, View},
    external, listening,
    net::{identity::peer_id, swarm},
    node::Inner,
    peer_address::{BadPeerAddress, candidate},
    store::{self, Store, Writer},
    subscription::Subscribers,
    validator::Panel,
    work,
};

/// Commands that wait for the driver. More make their senders wait.
const COMMANDS_MAX: usize = 1024;
/// Subscriptions that wait for the driver.
const REGISTRATIONS_MAX: usize = 1024;

/// How long a node with a data folder listens before it publishes. Its neighbours answer its first question within this
/// time, and tell it what they hold of its own.
const LISTEN: Duration = Duration::from_secs(3);

impl Builder {
    /// Starts the node. It listens when this returns, and is linking up with peers; see [`Node::ready`].
    ///
    /// # Errors
    /// See [`StartError`]. Nothing is left running.
    pub async fn start(mut self) -> Result<Node, StartError> {
        let wall = clock::wall().ok_or(StartError::ClockBeforeEpoch)?;
        external::check_all(&self.external, self.network.kind())?;
        let keypair = self.keypair.take().map_or_else(|| random().map(Keypair::from_seed), Ok)?;
        let me = keypair.id();
        if !self.network.identity().admits(&me) {
            return Err(StartError::NotAdmitted { peer: peer_id(&me) });
        }
        let bootnodes = named(&self.peers, &keypair)?;
        let kept = named(&self.keep, &keypair)?;
        let network = Arc::new(self.network.clone());
        let folder = self.data_dir.take();
        let (memory, shelf, readers) = open(folder, &network, wall).await?;
        let work = memory.work(me, &network).await?;
        let external = std::mem::take(&mut self.external);
        let config = self.core_config(&network, &memory, work);
        let net = self.net_config(config.links_max());
        let (outside, listeners) =
            self.outside(&keypair, &net, &network, (memory.store, shelf)).await?;
        let messages_max = self.subscription_messages_max;
        let participant = self.into_participant(keypair, config)?;

        let (commands, command_inbox) = mpsc::channel(COMMANDS_MAX);
        let (registrations, registration_inbox) = mpsc::channel(REGISTRATIONS_MAX);
        let (view, window) = View::new();
        // Read again: the disk may have taken its time.
        let wall = clock::wall().ok_or(StartError::ClockBeforeEpoch)?;
        let counted_on: Vec<_> = bootnodes.iter().chain(&kept).cloned().collect();
        let named = Bootnodes::new(&counted_on);
        let place = (listeners, Reach::new(network.kind(), external));
        let shell = Shell::new((me, Arc::clone(&network)), wall, outside, view, place, named);
        let mut driver = Driver::new(participant, shell, command_inbox, registration_inbox);
        driver.begin(memory.records, bootnodes, kept).await.map_err(StartError::Store)?;
        let (report, ended) = watch::channel(None);
        tokio::spawn(async move {
            let outcome = driver.run().await.map_err(Arc::new);
            report.send_replace(Some(outcome));
        });
        Ok(Node::new(Inner {
            id: me,
            network,
            commands,
            registrations,
            window,
            ended,
            messages_max,
            readers,
        }))
    }

    /// Sockets, threads and files.
    async fn outside(
        &self,
        keypair: &Keypair,
        net: &swarm::Config,
        network: &Arc<Network>,
        (store, shelf): (Option<Store>, Option<Shelf>),
    ) -> Result<(Outside, Vec<ListenerId>), StartError> {
        let mut swarm = swarm::build(keypair, net)?;
        let listeners = listening::begin(&mut swarm, &self.listen).await?;
        let verifier = self.verifier.clone().map_or_else(|| self.start_verifier(), Ok)?;
        let outside = Outside {
            swarm,
            checks: verifier.client(),
            panel: Panel::new(self.judge.clone(), Arc::clone(network)),
            subscribers: Subscribers::default(),
            writer: store.map(Writer::start).transpose().map_err(StartError::Threads)?,
            shelf,
        };
        Ok((outside, listeners))
    }

    fn start_verifier(&self) -> Result<Verifier, StartError> {
        let workers = self.verify_workers.unwrap_or_else(Verifier::workers_default);
        Verifier::start(workers).map_err(StartError::Threads)
    }

    fn core_config(&self, network: &Arc<Network>, memory: &Memory, work: Option<Work>) -> Config {
        let mut config = Config::new(Arc::clone(network), memory.generation);
        config.former_generation = memory.former;
        // A key that is on no disk is on no other machine's either.
        config.listen = if memory.store.is_some() { LISTEN } else { Duration::ZERO };
        config.work = work.map(|work| Bytes::copy_from_slice(&work.to_bytes())).unwrap_or_default();
        config.outbound_target = self.outbound_target.unwrap_or(config.outbound_target);
        config.asns = Arc::clone(&self.asns);
        config.validator = if self.judge.is_some() { Ask::Application } else { Ask::None };
        config
    }

    /// What is recommended, as the application changes it.
    fn net_config(&mut self, links: LinksMax) -> swarm::Config {
        let mut config = net_config(&self.network, links);
        self.net.drain(..).for_each(|change| change(&mut config));
        config
    }

    fn into_participant(
        self,
        keypair: Keypair,
        config: Config,
    ) -> Result<Box<dyn Participant>, StartError> {
        let seed = self.seed.map_or_else(random, Ok)?;
        Ok((self.participant)(Core::new(config, keypair, seed)))
    }
}

/// Opens the files of a data folder, or what takes their place in memory. Of messages, if the network keeps any.
async fn open(
    folder: Option<PathBuf>,
    network: &Arc<Network>,
    now: Timestamp,
) -> Result<(Memory, Option<Shelf>, Option<Readers>), StartError> {
    let network = Arc::clone(network);
    let open = move || {
        let folder = folder.as_deref();
        // First, since it is there on any network: who has it open has the folder.
        let store = folder.map(|folder| Store::open(folder, &network)).transpose()?;
        let keeps = network.topics().any(|(_, topic)| topic.retention.is_some());
        let archive = keeps.then(|| Shelf::open(folder, &network)).transpose()?;
        let published = archive.as_ref().and_then(|(_, _, generation)| *generation);
        let memory = Memory::begin(store, published, now)?;
        let (shelf, readers) = archive.map(|(shelf, readers, _)| (shelf, readers)).unzip();
        Ok((memory, shelf, readers))
    };
    let opened = tokio::task::spawn_blocking(open).await;
    let opened = opened.map_err(io::Error::other).map_err(StartError::Threads)?;
    opened.map_err(|error| {
        if let StoreError::Busy { path } = error {
            StartError::DataDirBusy { path }
        } else {
            StartError::Store(error)
        }
    })
}

/// What a node knows of its earlier lives.
struct Memory {
    store: Option<Store>,
    generation: u64,
    /// Of the life before.
    former: Option<u64>,
    records: Vec<Record>,
}

impl Memory {
    /// Begins another life, in a later generation than the last one, and than any in which this node is known to have published.
    fn begin(
        store: Option<Store>,
        published: Option<u64>,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let Some(store) = store else {
            let generation = store::ephemeral_generation(now);
            return Ok(Self { store: None, generation, former: None, records: Vec::new() });
        };
        let (generation, former) = store.next_generation(now, published)?;
        let records = store.records(now)?;
        Ok(Self { store: Some(store), generation, former, records })
    }
}

impl Memory {
    /// The proof of work over this node's key, if the network asks for one: kept from an earlier life, or
    /// found now, which takes as long as the network's effort says.
    async fn work(&self, me: NodeId, network: &Arc<Network>) -> Result<Option<Work>, StartError> {
        if network.identity().effort() == 0 {
            return Ok(None);
        }
        let kept = self.store.as_ref().map(|store| store.work(&me)).transpose();
        let kept = kept.map_err(StartError::Store)?.flatten();
        if let Some(kept) = kept.filter(|kept| work::is_solution(&me, network, kept)) {
            return Ok(Some(kept));
        }
        let found = work::find(me, Arc::clone(network)).await.map_err(StartError::Threads)?;
        if let Some(store) = &self.store {
            store.keep_work(&me, found).map_err(StartError::Store)?;
        }
        Ok(Some(found))
    }
}

/// The peers that the operator named; all nodes may be given one list, with themselves on it.
fn named(addresses: &[Multiaddr], keypair: &Keypair) -> Result<Vec<Candidate>, BadPeerAddress> {
    let mut named = addresses.iter().map(candidate).collect::<Result<Vec<_>, _>>()?;
    named.retain(|candidate| candidate.peer != keypair.id());
    Ok(named)
}

fn random() -> Result<[u8; 32], StartError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other).map_err(StartError::Entropy)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::network;

    #[test]
    fn the_transport_has_room_for_whatever_the_core_may_hold_unless_told_otherwise() {
        for target in [1, 8, 256] {
            let network = Arc::new(network("n"));
            let mut builder = Node::builder((*network).clone()).outbound_target(target);
            let memory = Memory { store: None, generation: 1, former: None, records: Vec::new() };
            let links = builder.core_config(&network, &memory, None).links_max();
            let net = builder.net_config(links);
            let fits = |connections: usize, max: u32| connections <= usize::try_from(max).unwrap();
            assert!(fits(links.inbound + net.links.strangers.places, net.limits.inbound));
            // Who comes to us never keeps us from dialling.
            let outbound = net.connections - net.limits.inbound;
            assert!(fits(links.outbound, outbound));

            let mut changed = builder.net(|net| net.limits.inbound = 7);
            assert_eq!(changed.net_config(links).limits.inbound, 7);
        }
    }
}
