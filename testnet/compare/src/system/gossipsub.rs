//! libp2p-gossipsub: defaults, signed messages, strict validation; TCP with Noise and Yamux, as our nodes have it.
//!
//! Two things are not defaults: frames may be as large as the payload needs, and connections outside of the mesh
//! are not closed for being idle, since gossipsub tells its ids to those.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{
    StreamExt as _,
    future::{BoxFuture, try_join_all},
};
use libp2p::{
    Multiaddr, Swarm, SwarmBuilder,
    gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode},
    identity, noise,
    swarm::SwarmEvent,
    tcp, yamux,
};
use tokio::sync::{mpsc, oneshot};

use super::{Fleet, of_contacts};
use crate::{tally::Tally, task::Task};

const TOPIC: &str = "compare";
/// What a signed message has besides its payload, and more.
const OVERHEAD_BYTES_MAX: usize = 1024;
/// Longer than any run.
const IDLE: Duration = Duration::from_secs(3600);
/// Commands that wait for a node; as in our node.
const COMMANDS_MAX: usize = 64;

/// Running nodes.
pub(super) struct Gossipsub {
    nodes: Vec<mpsc::Sender<Command>>,
    mesh_min: usize,
}

enum Command {
    Publish(Bytes, oneshot::Sender<Result<(), gossipsub::PublishError>>),
    /// How many peers the node has in its mesh.
    Mesh(oneshot::Sender<usize>),
}

/// Starts the nodes; each dials its contacts.
pub(super) async fn start(
    task: &Task,
    tally: &Arc<Tally>,
    contacts: &[Vec<usize>],
) -> anyhow::Result<Gossipsub> {
    let mut swarms = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..task.nodes {
        let mut swarm = swarm(task)?;
        addresses.push(listen(&mut swarm).await?);
        swarms.push(swarm);
    }
    let mut nodes = Vec::new();
    for (place, (mut swarm, contacts)) in swarms.into_iter().zip(contacts).enumerate() {
        for address in of_contacts(contacts, &addresses)? {
            swarm.dial(address)?;
        }
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(serve(swarm, inbox, place, Arc::clone(tally)));
        nodes.push(commands);
    }
    let mesh_min = gossipsub::Config::default().mesh_n_low().min(task.nodes.saturating_sub(1));
    Ok(Gossipsub { nodes, mesh_min })
}

fn swarm(task: &Task) -> anyhow::Result<Swarm<gossipsub::Behaviour>> {
    let mut config = gossipsub::ConfigBuilder::default();
    config.validation_mode(ValidationMode::Strict);
    let bytes = gossipsub::Config::default_max_transmit_size();
    config.max_transmit_size(bytes.max(task.payload_bytes + OVERHEAD_BYTES_MAX));
    let config = config.build()?;
    let key = identity::Keypair::generate_ed25519();
    let signer = MessageAuthenticity::Signed(key.clone());
    let mut behaviour =
        gossipsub::Behaviour::new(signer, config).map_err(|error| anyhow::anyhow!(error))?;
    behaviour.subscribe(&IdentTopic::new(TOPIC))?;
    Ok(SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build())
}

async fn listen(swarm: &mut Swarm<gossipsub::Behaviour>) -> anyhow::Result<Multiaddr> {
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return Ok(address);
        }
    }
}

async fn serve(
    mut swarm: Swarm<gossipsub::Behaviour>,
    mut inbox: mpsc::Receiver<Command>,
    place: usize,
    tally: Arc<Tally>,
) {
    let topic = IdentTopic::new(TOPIC).hash();
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) = event {
                    tally.arrived(place, &message.data);
                }
            }
            command = inbox.recv() => match command {
                // Who asked may be gone.
                Some(Command::Publish(payload, reply)) => {
                    let outcome = swarm.behaviour_mut().publish(topic.clone(), payload);
                    let _ = reply.send(outcome.map(drop));
                }
                Some(Command::Mesh(reply)) => {
                    let _ = reply.send(swarm.behaviour().mesh_peers(&topic).count());
                }
                None => return,
            },
        }
    }
}

impl Gossipsub {
    async fn mesh(&self, node: &mpsc::Sender<Command>) -> anyhow::Result<usize> {
        let (reply, answer) = oneshot::channel();
        node.send(Command::Mesh(reply)).await.context("the node has ended")?;
        answer.await.context("the node has ended")
    }
}

impl Fleet for Gossipsub {
    fn is_linked(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        Box::pin(async {
            let meshes = try_join_all(self.nodes.iter().map(|node| self.mesh(node))).await?;
            Ok(meshes.iter().all(|peers| *peers >= self.mesh_min))
        })
    }

    fn publish(&self, node: usize, payload: Bytes) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let node = self.nodes.get(node).context("no such node")?;
            let (reply, outcome) = oneshot::channel();
            node.send(Command::Publish(payload, reply)).await.context("the node has ended")?;
            Ok(outcome.await.context("the node has ended")??)
        })
    }
}
