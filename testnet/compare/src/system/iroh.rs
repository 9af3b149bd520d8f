//! iroh-gossip as it ships: messages are not signed; QUIC. Without relays, discovery and port mapping, which have no
//! place on loopback: addresses are told by hand.
//!
//! Two things are not defaults: messages may be as large as the payload needs, and a subscription may be further behind.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{StreamExt as _, future::BoxFuture};
use iroh::{
    Endpoint, EndpointAddr, RelayMode, address_lookup::memory::MemoryLookup, endpoint::presets,
    protocol::Router,
};
use iroh_gossip::{
    TopicId,
    api::{Event, GossipReceiver, GossipSender, JoinOptions},
    net::Gossip,
};

use super::{Fleet, of_contacts};
use crate::{tally::Tally, task::Task};

const TOPIC: TopicId = TopicId::from_bytes([7; 32]);
/// What a message has besides its payload, and more; and what is allowed by default.
const OVERHEAD_BYTES_MAX: usize = 1024;
const MESSAGE_BYTES_DEFAULT: usize = 4096;
/// Messages that wait for a reader; as many as in our node.
const SUBSCRIPTION_MESSAGES_MAX: usize = 4096;

/// Running nodes.
pub(super) struct Iroh {
    nodes: Vec<Running>,
}

struct Running {
    sender: GossipSender,
    neighbours: Arc<AtomicUsize>,
    /// Ends the node when it is dropped.
    _router: Router,
}

/// Starts the nodes; each joins by its contacts.
pub(super) async fn start(
    task: &Task,
    tally: &Arc<Tally>,
    contacts: &[Vec<usize>],
) -> anyhow::Result<Iroh> {
    let lookup = MemoryLookup::new();
    let mut endpoints = Vec::new();
    for _ in 0..task.nodes {
        let endpoint = Endpoint::builder(presets::Minimal)
            .relay_mode(RelayMode::Disabled)
            .address_lookup(lookup.clone())
            .clear_ip_transports()
            .bind_addr(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?
            .bind()
            .await?;
        let mut address = EndpointAddr::new(endpoint.id());
        for socket in endpoint.bound_sockets() {
            address = address.with_ip_addr(socket);
        }
        lookup.add_endpoint_info(address);
        endpoints.push(endpoint);
    }
    let ids: Vec<_> = endpoints.iter().map(Endpoint::id).collect();
    let message_bytes = MESSAGE_BYTES_DEFAULT.max(task.payload_bytes + OVERHEAD_BYTES_MAX);
    let mut gossips = Vec::new();
    for endpoint in endpoints {
        let gossip = Gossip::builder().max_message_size(message_bytes).spawn(endpoint.clone());
        let router = Router::builder(endpoint).accept(iroh_gossip::ALPN, gossip.clone()).spawn();
        gossips.push((gossip, router));
    }
    let mut nodes = Vec::new();
    for (place, ((gossip, router), contacts)) in gossips.into_iter().zip(contacts).enumerate() {
        let mut options = JoinOptions::with_bootstrap(of_contacts(contacts, &ids)?);
        options.subscription_capacity = SUBSCRIPTION_MESSAGES_MAX;
        let (sender, receiver) = gossip.subscribe_with_opts(TOPIC, options).await?.split();
        let neighbours = Arc::new(AtomicUsize::new(0));
        tokio::spawn(read(receiver, place, Arc::clone(tally), Arc::clone(&neighbours)));
        nodes.push(Running { sender, neighbours, _router: router });
    }
    Ok(Iroh { nodes })
}

async fn read(
    mut receiver: GossipReceiver,
    place: usize,
    tally: Arc<Tally>,
    neighbours: Arc<AtomicUsize>,
) {
    while let Some(event) = receiver.next().await {
        match event {
            Ok(Event::Received(message)) => tally.arrived(place, &message.content),
            Ok(Event::NeighborUp(_) | Event::NeighborDown(_)) => {
                neighbours.store(receiver.neighbors().count(), Relaxed);
            }
            Ok(Event::Lagged) => eprintln!("iroh: the reader of node {place} was too slow"),
            Err(error) => {
                eprintln!("iroh: node {place}: {error}");
                return;
            }
        }
    }
}

impl Fleet for Iroh {
    fn is_linked(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        // An active view has 5 by default; a node that has 2 is not at the end of a chain.
        let wanted = 2.min(self.nodes.len().saturating_sub(1));
        let is_linked = self.nodes.iter().all(|node| node.neighbours.load(Relaxed) >= wanted);
        Box::pin(async move { Ok(is_linked) })
    }

    fn publish(&self, node: usize, payload: Bytes) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let node = self.nodes.get(node).context("no such node")?;
            node.sender.broadcast(payload).await?;
            Ok(())
        })
    }
}
