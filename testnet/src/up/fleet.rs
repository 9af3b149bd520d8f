//! The nodes of a run: started, introduced to each other, and shut down together.

use std::{net::Ipv4Addr, time::Instant};

use anyhow::Context as _;
use forsooth::{Node, Verifier};
use futures::future::{join_all, try_join_all};

use crate::{cast::Cast, clock::RunClock, plan::Plan};

/// Running nodes, honest ones first.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Node>,
    pub(crate) honest: usize,
    pub(crate) cast: Cast,
    pub(crate) started: Instant,
}

impl Fleet {
    /// Starts all nodes and tells each where the others are.
    pub(crate) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let verifier = Verifier::start(Verifier::workers_default())
            .context("starting verification threads")?;
        let started = Instant::now();
        let cast = Cast::new(plan, RunClock::Since(started));
        let mut fleet = Self { nodes: Vec::new(), honest: plan.honest, cast, started };
        for node in 0..plan.nodes() {
            let node = fleet.start_node(plan, node, verifier.clone()).await?;
            fleet.nodes.push(node);
        }
        fleet.introduce().await?;
        Ok(fleet)
    }

    async fn start_node(
        &self,
        plan: &Plan,
        node: usize,
        verifier: Verifier,
    ) -> anyhow::Result<Node> {
        let (ip, cast) = (ip(node), self.cast.clone());
        let address = |transport: &str| {
            format!("/ip4/{ip}/{transport}").parse().context("an address of our own")
        };
        Node::builder((*plan.network).clone())
            .keypair(plan.keypair(node))
            .seed(plan.core_seed(node))
            .outbound_target(plan.outbound_target())
            .verifier(verifier)
            .listen([address("tcp/0")?, address("udp/0/quic-v1")?])
            .participant(move |core| cast.participant(node, Box::new(core)))
            .start()
            .await
            .with_context(|| format!("starting node {node} on {ip}"))
    }

    /// Everybody knows everybody, by TCP and by QUIC; whom to link to is for the cores to choose.
    async fn introduce(&self) -> anyhow::Result<()> {
        let all = || self.nodes.iter().flat_map(Node::addresses);
        let introductions = self.nodes.iter().map(|node| node.add_peers(all()));
        try_join_all(introductions).await.context("introducing the nodes to each other")?;
        Ok(())
    }

    /// The honest nodes.
    pub(crate) fn honest(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().take(self.honest)
    }

    /// Whether every honest node has all the witnesses that it wants.
    pub(crate) async fn is_linked(&self, plan: &Plan) -> bool {
        let wanted = usize::from(plan.network.witnesses_max());
        let snapshots = join_all(self.honest().map(Node::snapshot)).await;
        snapshots
            .into_iter()
            .all(|snapshot| snapshot.is_ok_and(|snapshot| snapshot.core.witnesses >= wanted))
    }

    pub(crate) async fn shutdown(self) {
        for outcome in join_all(self.nodes.into_iter().map(Node::shutdown)).await {
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
