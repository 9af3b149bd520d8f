//! Forsooth's nodes: TCP with Noise and Yamux, a local network, messages accepted when k of n witnesses vouch.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use anyhow::Context as _;
use bytes::Bytes;
use forsooth::{
    Network, Node, Verifier,
    network::{Defence, Kind, Topic},
};
use forsooth_protocol::{
    Check, Drain, Effect, Event, Input, MessageId, Participant, Snapshot, Time,
};
use futures::future::{BoxFuture, try_join_all};

use super::{Fleet, of_contacts};
use crate::{
    tally::{Stamp, Tally},
    task::{Load, Task},
};

const TOPIC: &str = "compare";

/// Running nodes.
pub(super) struct Forsooth {
    nodes: Vec<Node>,
}

/// Starts the nodes; they draw their witnesses from what they hear of each other.
pub(super) async fn start(
    task: &Task,
    tally: &Arc<Tally>,
    contacts: &[Vec<usize>],
) -> anyhow::Result<Forsooth> {
    let network = network(task)?;
    let verifier = Verifier::start(Verifier::workers_default()).context("starting threads")?;
    let mut nodes = Vec::new();
    for place in 0..task.nodes {
        let mut builder = Node::builder(network.clone())
            .verifier(verifier.clone())
            .listen(["/ip4/127.0.0.1/tcp/0".parse().context("an address of our own")?]);
        // Nobody can tell verified from accepted under saturation: the node is alone with its load there.
        if matches!(task.load, Load::Steady { .. }) {
            let tally = Arc::clone(tally);
            builder =
                builder.participant(move |core| Box::new(Watch::new(Box::new(core), place, tally)));
        }
        let node = builder.start().await.context("starting a node of Forsooth")?;
        read(&node, place, Arc::clone(tally))?;
        nodes.push(node);
    }
    let addresses: Vec<_> = nodes.iter().map(Node::addresses).collect();
    for (node, contacts) in nodes.iter().zip(contacts) {
        node.add_peers(of_contacts(contacts, &addresses)?.concat()).await?;
    }
    Ok(Forsooth { nodes })
}

/// What is recommended, but that under saturation quotas are out of the way: what they are for is to end it.
fn network(task: &Task) -> anyhow::Result<Network> {
    let mut topic = Topic::new(TOPIC, task.policy());
    topic.payload_bytes_max =
        topic.payload_bytes_max.max(u32::try_from(task.payload_bytes).unwrap_or(u32::MAX));
    let mut defence = Defence::recommended(Kind::Local);
    match task.load {
        Load::Steady { .. } => {}
        Load::Saturated { .. } => {
            (topic.rate_per_minute, topic.burst) = (6_000_000, 1_000_000);
            defence.control_frames_per_second = 1_000_000;
            defence.control_bytes_per_second = 1 << 27;
            defence.data_frames_per_second = 1_000_000;
            defence.data_bytes_per_second = 1 << 27;
        }
    }
    Ok(Network::new("compare", Kind::Local, vec![topic], defence)?)
}

fn read(node: &Node, place: usize, tally: Arc<Tally>) -> anyhow::Result<()> {
    let mut subscription = node.subscribe(TOPIC)?;
    tokio::spawn(async move {
        while let Some(message) = subscription.recv().await {
            tally.arrived(place, &message.payload);
        }
    });
    Ok(())
}

impl Fleet for Forsooth {
    fn is_linked(&self) -> BoxFuture<'_, anyhow::Result<bool>> {
        Box::pin(async {
            let others = self.nodes.len().saturating_sub(1);
            let snapshots = try_join_all(self.nodes.iter().map(Node::snapshot)).await?;
            Ok(snapshots.iter().all(|snapshot| {
                let core = &snapshot.core;
                core.witnesses >= core.witnesses_wanted.min(others)
                    && core.topics.values().all(|topic| topic.acceptable)
            }))
        })
    }

    fn publish(&self, node: usize, payload: Bytes) -> BoxFuture<'_, anyhow::Result<()>> {
        Box::pin(async move {
            let node = self.nodes.get(node).context("no such node")?;
            node.publish(TOPIC, payload).await?;
            Ok(())
        })
    }
}

/// A core that is watched: when is a message verified and passed on?
struct Watch {
    inner: Box<dyn Participant>,
    place: usize,
    tally: Arc<Tally>,
    checked: BTreeMap<MessageId, Stamp>,
    effects: VecDeque<Effect>,
}

impl Watch {
    fn new(inner: Box<dyn Participant>, place: usize, tally: Arc<Tally>) -> Self {
        Self { inner, place, tally, checked: BTreeMap::new(), effects: VecDeque::new() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "two of many effects are looked at")]
    fn look(&mut self) {
        for effect in &self.effects {
            match effect {
                Effect::Verify { check: Check::Publication(message), .. } => {
                    let message = message.unverified();
                    let stamp = Stamp::read(message.payload());
                    self.checked.extend(stamp.map(|stamp| (message.id(), stamp)));
                }
                Effect::Event(Event::Relayed { id, from: Some(_), .. }) => {
                    if let Some(stamp) = self.checked.remove(id) {
                        self.tally.verified(self.place, stamp);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Participant for Watch {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        self.effects.extend(self.inner.handle(now, input));
        self.look();
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.inner.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }
}
