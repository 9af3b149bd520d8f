//! The nodes of a run: started, introduced to each other, killed, started again, and shut down together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use forsooth::{Builder, Multiaddr, Node, NodeSnapshot, Verifier};
use forsooth_protocol::{Participant, network::Kind as NetworkKind};
use futures::future::{join_all, try_join_all};
use tempfile::TempDir;
use tokio::time::timeout;

use super::{
    island::Island,
    lag::{Distances, Lag},
    readers::{ANSWER_MAX, read},
    stall::Brake,
};
use crate::{
    cast::Cast,
    clock::RunClock,
    engine::{Unfit, contacts, recall::Recall, seat},
    plan::{Plan, Purpose},
    scenario::Scenario,
    strategy::Wire,
};

/// How long adversaries that stall are patient with themselves; longer than anybody is with them.
const STALL_MAX: Duration = Duration::from_secs(120);

/// Running nodes, honest ones first.
pub(super) struct Fleet {
    pub(super) cast: Cast,
    pub(super) started: Instant,
    handles: Handles,
    islands: Vec<Option<Island>>,
    /// Nodes that can be stopped where they are.
    islanders: BTreeSet<usize>,
    /// How far the nodes are from each other; on one machine, if not said.
    distances: Option<Arc<Distances>>,
    /// What stops the frames of gangs that stall.
    brakes: BTreeMap<usize, Arc<Brake>>,
    /// Where nodes that are killed keep what they must not forget.
    disks: Option<TempDir>,
    verifier: Verifier,
}

/// The handles of all nodes that are up. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Handles(Arc<Mutex<Vec<Option<Node>>>>);

impl Handles {
    /// A node's handle, if it is up.
    pub(super) fn get(&self, node: usize) -> Option<Node> {
        self.slots(|slots| slots.get(node).cloned().flatten())
    }

    /// All that are up, with their places.
    pub(super) fn all(&self) -> Vec<(usize, Node)> {
        let up = |(place, node): (usize, &Option<Node>)| Some((place, node.clone()?));
        self.slots(|slots| slots.iter().enumerate().filter_map(up).collect())
    }

    fn put(&self, node: usize, handle: Option<Node>) -> Option<Node> {
        self.slots(|slots| {
            if slots.len() <= node {
                slots.resize(node + 1, None);
            }
            slots.get_mut(node).and_then(|slot| std::mem::replace(slot, handle))
        })
    }

    fn slots<T>(&self, look: impl FnOnce(&mut Vec<Option<Node>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Fleet {
    /// Starts all nodes and tells each where the others are. Those in `islanders` can be stopped.
    pub(super) async fn start(
        scenario: &Scenario,
        plan: &Plan,
        mut islanders: BTreeSet<usize>,
    ) -> anyhow::Result<Self> {
        // Asked here too, so that no way leads around it.
        let kind = plan.network.kind();
        if kind != NetworkKind::Local && !plan.adversaries.is_empty() {
            return Err(Unfit::NotLocal(kind.name()).into());
        }
        let deaf = plan.gangs.iter().filter(|gang| gang.of.kind.wire == Wire::Deaf);
        islanders.extend(deaf.flat_map(|gang| gang.places.clone()));
        let verifier = Verifier::start(Verifier::workers_default())
            .context("starting verification threads")?;
        let started = Instant::now();
        let disks = (!islanders.is_empty()).then(TempDir::new).transpose();
        let cast = Cast::new(plan, RunClock::Since(started));
        let brake = |gang| Some((gang, Brake::of(&cast, gang)?));
        let mut fleet = Self {
            brakes: (0..plan.gangs.len()).filter_map(brake).collect(),
            cast,
            started,
            handles: Handles::default(),
            islands: (0..plan.nodes()).map(|_| None).collect(),
            islanders,
            distances: Distances::new(scenario, plan),
            disks: disks.context("a temporary folder")?,
            verifier,
        };
        for node in 0..plan.nodes() {
            fleet.start_node(node).await?;
        }
        let nodes = fleet.handles.all();
        let told = |place: usize| fleet.told(place, 1, &nodes);
        let introductions = nodes.iter().map(|(place, node)| node.add_peers(told(*place)));
        try_join_all(introductions).await.context("introducing the nodes to each other")?;
        Ok(fleet)
    }

    /// The addresses that a node is told at the beginning of a life, by TCP and by QUIC: those of all others, if
    /// its group says nothing. Whom to link to is for the cores to choose.
    fn told(&self, node: usize, life: u64, nodes: &[(usize, Node)]) -> Vec<Multiaddr> {
        let mut rng = self.cast.plan.stream(Purpose::Graph, node);
        let said = contacts::of_group(&self.cast.plan, node, life, &mut rng);
        let is_told = |place: usize| said.as_ref().is_none_or(|said| said.contains(&place));
        let others = nodes.iter().filter(|(place, _)| *place != node && is_told(*place));
        others.flat_map(|(_, other)| other.addresses()).collect()
    }

    /// The nodes that are up.
    pub(super) fn handles(&self) -> Handles {
        self.handles.clone()
    }

    async fn start_node(&mut self, node: usize) -> anyhow::Result<()> {
        let builder = self.builder(node)?;
        let context = || format!("starting node {node} on {}", ip(node));
        let handle = if self.islanders.contains(&node) {
            let (island, handle) = Island::start(builder).await.with_context(context)?;
            if let Some(slot) = self.islands.get_mut(node) {
                *slot = Some(island);
            }
            handle
        } else {
            builder.start().await.with_context(context)?
        };
        if node < self.cast.plan.honest {
            read(&handle);
        }
        self.handles.put(node, Some(handle));
        Ok(())
    }

    fn builder(&self, node: usize) -> anyhow::Result<Builder> {
        let (ip, cast, plan) = (ip(node), self.cast.clone(), &self.cast.plan);
        let (distances, me) = (self.distances.clone(), plan.keypair(node).id());
        let brake = plan.gang(node).and_then(|(gang, _)| self.brakes.get(&gang));
        let (wrap, stalls) = (brake.map(|brake| brake.put_on(me)), brake.is_some());
        let address = |transport: &str| {
            format!("/ip4/{ip}/{transport}").parse().context("an address of our own")
        };
        let builder = Node::builder((*plan.network).clone())
            .keypair(plan.keypair(node))
            .seed(plan.core_seed(node))
            .outbound_target(plan.outbound_target(node))
            .verifier(self.verifier.clone())
            .listen([address("tcp/0")?, address("udp/0/quic-v1")?])
            .net(|config| {
                if let Some(wrap) = wrap {
                    config.links.wrap = wrap;
                    config.links.write_stall = STALL_MAX;
                }
            })
            .participant(move |core| {
                let mut participant: Box<dyn Participant> =
                    if stalls { Box::new(core) } else { cast.participant(node, Box::new(core)) };
                if node < cast.plan.honest {
                    let recorder = Arc::clone(&cast.recorder);
                    participant = Box::new(Recall::new(participant, seat(node), recorder));
                }
                match distances {
                    Some(distances) => Box::new(Lag::new(participant, &me, distances)),
                    None => participant,
                }
            });
        let disk = self.disks.as_ref().filter(|_| self.islanders.contains(&node));
        Ok(match disk {
            Some(disks) => builder.data_dir(disks.path().join(node.to_string())),
            None => builder,
        })
    }

    /// Ends a node at once.
    pub(super) async fn kill(&mut self, node: usize) {
        drop(self.handles.put(node, None));
        if let Some(island) = self.islands.get_mut(node).and_then(Option::take) {
            island.kill().await;
        }
    }

    /// Starts a killed node again: with its disk, and at another port, which all are told.
    pub(super) async fn revive(&mut self, node: usize) -> anyhow::Result<()> {
        self.start_node(node).await?;
        let Some(revived) = self.handles.get(node) else { return Ok(()) };
        let nodes = self.handles.all();
        let known = self.told(node, 2, &nodes);
        revived.add_peers(known).await.context("introducing a node that is back")?;
        for (_, other) in nodes.iter().filter(|(place, _)| *place != node) {
            // Who is paused hears of it later, or not at all.
            drop(timeout(ANSWER_MAX, other.add_peers(revived.addresses())).await);
        }
        Ok(())
    }

    /// Stops a node where it is.
    pub(super) fn pause(&mut self, node: usize) {
        if let Some(Some(island)) = self.islands.get_mut(node) {
            island.pause();
        }
    }

    /// Lets a paused node go on.
    pub(super) fn resume(&mut self, node: usize) {
        if let Some(Some(island)) = self.islands.get_mut(node) {
            island.resume();
        }
    }

    /// Lets go on what a gang has stopped in the middle, once its gate is closed.
    pub(super) fn release(&self, gang: usize) {
        if let Some(brake) = self.brakes.get(&gang) {
            brake.release();
        }
    }

    /// What nodes look like from inside, of those that answer in time.
    pub(super) async fn snapshots(
        &self,
        wanted: impl Fn(usize) -> bool,
    ) -> Vec<(usize, NodeSnapshot)> {
        let nodes = self.handles.all().into_iter().filter(|(place, _)| wanted(*place));
        let ask = |(place, node): (usize, Node)| async move {
            Some((place, timeout(ANSWER_MAX, node.snapshot()).await.ok()?.ok()?))
        };
        join_all(nodes.map(ask)).await.into_iter().flatten().collect()
    }

    /// Whether every honest node has all the witnesses that it wants.
    pub(super) async fn is_linked(&self) -> bool {
        let plan = &self.cast.plan;
        // Adversaries may not let themselves be linked to.
        let wanted = usize::from(plan.network.witnesses_max()).min(plan.honest.saturating_sub(1));
        let snapshots = self.snapshots(|node| node < plan.honest).await;
        snapshots.len() == plan.honest
            && snapshots.iter().all(|(_, snapshot)| snapshot.core.witnesses >= wanted)
    }

    pub(super) async fn shutdown(mut self) {
        self.islands.iter_mut().flatten().for_each(Island::resume);
        let nodes = self.handles.all().into_iter().map(|(place, _)| place);
        let handles: Vec<Node> = nodes.filter_map(|place| self.handles.put(place, None)).collect();
        for outcome in join_all(handles.into_iter().map(Node::shutdown)).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a node did not shut down cleanly");
            }
        }
    }
}

/// A node's address: 127.x.y.z, where x differs between processes, so that runs do not share any.
fn ip(node: usize) -> Ipv4Addr {
    let byte = |number: usize| u8::try_from(number % 250 + 1).unwrap_or(1);
    let process = usize::try_from(std::process::id()).unwrap_or(0);
    Ipv4Addr::new(127, byte(process), byte(node / 250), byte(node))
}
