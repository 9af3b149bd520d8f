//! The nodes of a run: started, introduced to each other, killed, started again, and shut down together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::Path,
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
    remote::{Place, Process, Remote},
    stall::Brake,
};
use crate::{
    cast::Cast,
    clock::RunClock,
    engine::{Unfit, contacts, recall::Recall, seat, timeline::Timeline},
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
    processes: BTreeMap<usize, Process>,
    mortals: Mortals,
    /// The scenario, as TOML.
    scenario: String,
    /// The last message of each topic that the application of a node has which is a process.
    read: BTreeMap<usize, BTreeMap<String, String>>,
    /// The generations in which nodes have lived.
    generations: BTreeMap<usize, u64>,
    /// How far the nodes are from each other; on one machine, if not said.
    distances: Option<Arc<Distances>>,
    /// What stops the frames of gangs that stall.
    brakes: BTreeMap<usize, Arc<Brake>>,
    /// Where nodes that are killed keep what they must not forget.
    disks: Option<TempDir>,
    verifier: Verifier,
}

/// Nodes that can be stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Mortals {
    /// Where they are, on threads of their own.
    islanders: BTreeSet<usize>,
    /// As processes of their own, of this program.
    processes: BTreeSet<usize>,
    program: Option<&'static Path>,
}

impl Mortals {
    /// Those whom the timeline stops. Where messages are kept, and there is a program, those that are killed are processes.
    pub(super) fn of(
        timeline: &Timeline,
        scenario: &Scenario,
        program: Option<&'static Path>,
    ) -> Self {
        let killed = timeline.killed();
        let paused = timeline.paused();
        let program = program.filter(|_| scenario.network.retention.is_some());
        let processes: BTreeSet<_> = match program {
            Some(_) => killed.difference(&paused).copied().collect(),
            None => BTreeSet::new(),
        };
        let islanders = timeline.stopped().difference(&processes).copied().collect();
        Self { islanders, processes, program }
    }
}

/// A node that is up.
#[derive(Clone)]
pub(super) enum Up {
    Here(Node),
    There(Remote),
}

impl Up {
    fn addresses(&self) -> Vec<Multiaddr> {
        match self {
            Self::Here(node) => node.addresses(),
            Self::There(remote) => remote.addresses.to_vec(),
        }
    }

    /// Tells it of others. Who is paused hears of it later, or not at all.
    async fn add_peers(&self, peers: Vec<Multiaddr>) -> anyhow::Result<()> {
        match self {
            Self::Here(node) => match timeout(ANSWER_MAX, node.add_peers(peers)).await {
                Ok(added) => Ok(added?),
                Err(_) => Ok(()),
            },
            Self::There(remote) => {
                remote.add_peers(&peers);
                Ok(())
            }
        }
    }

    fn here(self) -> Option<Node> {
        match self {
            Self::Here(node) => Some(node),
            Self::There(_) => None,
        }
    }
}

/// The handles of all nodes that are up. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Handles(Arc<Mutex<Vec<Option<Up>>>>);

impl Handles {
    /// A node's handle, if it is up.
    pub(super) fn get(&self, node: usize) -> Option<Up> {
        self.slots(|slots| slots.get(node).cloned().flatten())
    }

    /// All that are up, with their places.
    pub(super) fn all(&self) -> Vec<(usize, Up)> {
        let up = |(place, node): (usize, &Option<Up>)| Some((place, node.clone()?));
        self.slots(|slots| slots.iter().enumerate().filter_map(up).collect())
    }

    fn put(&self, node: usize, handle: Option<Up>) -> Option<Up> {
        self.slots(|slots| {
            if slots.len() <= node {
                slots.resize(node + 1, None);
            }
            slots.get_mut(node).and_then(|slot| std::mem::replace(slot, handle))
        })
    }

    fn slots<T>(&self, look: impl FnOnce(&mut Vec<Option<Up>>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Fleet {
    /// Starts all nodes and tells each where the others are. Those in `islanders` can be stopped.
    pub(super) async fn start(
        scenario: &Scenario,
        plan: &Plan,
        mut mortals: Mortals,
    ) -> anyhow::Result<Self> {
        // Asked here too, so that no way leads around it.
        let kind = plan.network.kind();
        if kind != NetworkKind::Local && !plan.adversaries.is_empty() {
            return Err(Unfit::NotLocal(kind.name()).into());
        }
        let deaf = plan.gangs.iter().filter(|gang| gang.of.kind.wire == Wire::Deaf);
        mortals.islanders.extend(deaf.flat_map(|gang| gang.places.clone()));
        let verifier = Verifier::start(Verifier::workers_default())
            .context("starting verification threads")?;
        let started = Instant::now();
        let has_disks = !mortals.islanders.is_empty() || !mortals.processes.is_empty();
        let disks = has_disks.then(TempDir::new).transpose();
        let cast = Cast::new(plan, RunClock::Since(started));
        let brake = |gang| Some((gang, Brake::of(&cast, gang)?));
        let mut fleet = Self {
            brakes: (0..plan.gangs.len()).filter_map(brake).collect(),
            cast,
            started,
            handles: Handles::default(),
            islands: (0..plan.nodes()).map(|_| None).collect(),
            processes: BTreeMap::new(),
            mortals,
            scenario: scenario.to_toml(),
            read: BTreeMap::new(),
            generations: BTreeMap::new(),
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
    fn told(&self, node: usize, life: u64, nodes: &[(usize, Up)]) -> Vec<Multiaddr> {
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
        if self.mortals.processes.contains(&node) {
            return self.start_process(node).await;
        }
        let builder = self.builder(node)?;
        let context = || format!("starting node {node} on {}", ip(node));
        let handle = if self.mortals.islanders.contains(&node) {
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
        self.handles.put(node, Some(Up::Here(handle)));
        Ok(())
    }

    async fn start_process(&mut self, node: usize) -> anyhow::Result<()> {
        let program = self.mortals.program.context("a node's process has a program")?;
        let disks = self.disks.as_ref().context("a node's process has a folder")?;
        let place = Place {
            program,
            scenario: &self.scenario,
            node,
            ip: ip(node),
            folder: disks.path().join(node.to_string()),
            after: self.read.get(&node).cloned().unwrap_or_default(),
        };
        let process = Process::start(place, self.cast.clone()).await;
        let process = process.with_context(|| format!("starting node {node} as a process"))?;
        let former = self.generations.insert(node, process.generation);
        anyhow::ensure!(
            former.is_none_or(|former| former < process.generation),
            "node {node} lives again in generation {}, after {former:?}: its slots are used twice",
            process.generation
        );
        self.handles.put(node, Some(Up::There(process.remote.clone())));
        self.processes.insert(node, process);
        Ok(())
    }

    fn builder(&self, node: usize) -> anyhow::Result<Builder> {
        let (cast, plan) = (self.cast.clone(), &self.cast.plan);
        let (distances, me) = (self.distances.clone(), plan.keypair(node).id());
        let brake = plan.gang(node).and_then(|(gang, _)| self.brakes.get(&gang));
        let (wrap, stalls) = (brake.map(|brake| brake.put_on(me)), brake.is_some());
        let builder = plain_builder(plan, node, ip(node))?
            .verifier(self.verifier.clone())
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
                    participant =
                        Box::new(Recall::around(participant, seat(node), recorder, cast.clock));
                }
                match distances {
                    Some(distances) => Box::new(Lag::new(participant, &me, distances)),
                    None => participant,
                }
            });
        let disk = self.disks.as_ref().filter(|_| self.mortals.islanders.contains(&node));
        Ok(match disk {
            Some(disks) => builder.data_dir(disks.path().join(node.to_string())),
            None => builder,
        })
    }

    /// Ends a node at once.
    pub(super) async fn kill(&mut self, node: usize) -> anyhow::Result<()> {
        drop(self.handles.put(node, None));
        if let Some(process) = self.processes.remove(&node) {
            self.read.insert(node, process.kill().await?);
        }
        if let Some(island) = self.islands.get_mut(node).and_then(Option::take) {
            island.kill().await;
        }
        Ok(())
    }

    /// Starts a killed node again: with its disk, and at another port, which all are told.
    pub(super) async fn revive(&mut self, node: usize) -> anyhow::Result<()> {
        self.start_node(node).await?;
        let Some(revived) = self.handles.get(node) else { return Ok(()) };
        let nodes = self.handles.all();
        let known = self.told(node, 2, &nodes);
        revived.add_peers(known).await.context("introducing a node that is back")?;
        for (_, other) in nodes.iter().filter(|(place, _)| *place != node) {
            // One that has ended meanwhile is told when it is back.
            drop(other.add_peers(revived.addresses()).await);
        }
        Ok(())
    }

    /// The nodes that are processes and up.
    pub(super) fn remotes(&self) -> Vec<(usize, Remote)> {
        self.processes.iter().map(|(node, process)| (*node, process.remote.clone())).collect()
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
        let nodes = nodes.filter_map(|(place, up)| Some((place, up.here()?)));
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
        let remotes = self.remotes();
        snapshots.len() + remotes.len() == plan.honest
            && remotes.iter().all(|(_, remote)| remote.witnesses() >= wanted)
            && snapshots.iter().all(|(_, snapshot)| snapshot.core.witnesses >= wanted)
    }

    pub(super) async fn shutdown(mut self) {
        self.islands.iter_mut().flatten().for_each(Island::resume);
        let nodes = self.handles.all().into_iter().map(|(place, _)| place);
        let handles = nodes.filter_map(|place| self.handles.put(place, None)?.here());
        let handles: Vec<Node> = handles.collect();
        join_all(std::mem::take(&mut self.processes).into_values().map(Process::stop)).await;
        for outcome in join_all(handles.into_iter().map(Node::shutdown)).await {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a node did not shut down cleanly");
            }
        }
    }
}

/// A node of a plan, as yet alone.
pub(super) fn plain_builder(plan: &Plan, node: usize, ip: Ipv4Addr) -> anyhow::Result<Builder> {
    let address =
        |transport: &str| format!("/ip4/{ip}/{transport}").parse().context("an address of our own");
    let nodes = plan.nodes();
    Ok(Node::builder((*plan.network).clone())
        .keypair(plan.keypair(node))
        .seed(plan.core_seed(node))
        .outbound_target(plan.outbound_target(node))
        .listen([address("tcp/0")?, address("udp/0/quic-v1")?])
        // Which is the process's, and most of the nodes share one: it would refuse all connections for what they hold together.
        .net(move |net| net.memory_bytes_max = net.memory_bytes_max.saturating_mul(nodes)))
}

/// A node's address: 127.x.y.z, where x differs between processes, so that runs do not share any.
fn ip(node: usize) -> Ipv4Addr {
    let byte = |number: usize| u8::try_from(number % 250 + 1).unwrap_or(1);
    let process = usize::try_from(std::process::id()).unwrap_or(0);
    Ipv4Addr::new(127, byte(process), byte(node / 250), byte(node))
}
