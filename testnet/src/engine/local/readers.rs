//! What honest applications do with real nodes: they publish what the load says, and read what comes.

use std::{sync::Arc, time::Duration};

use forsooth::Node;
use forsooth_protocol::{Network, Time};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::fleet::{Handles, Up};
use crate::{
    clock::RunClock,
    engine::load::{Load, Publication},
};

/// Publishes the whole load, each message at its time; what is due while this machine is busy follows as
/// soon as it can.
pub(super) async fn publish_all(
    mut load: Load,
    nodes: Handles,
    network: Arc<Network>,
    clock: RunClock,
    origin: Instant,
) {
    let mut under_way = JoinSet::new();
    while let Some(at) = load.next_at() {
        sleep_until(origin + at).await;
        while let Some(publication) = load.pop_until(origin.elapsed().max(at)) {
            match nodes.get(publication.node) {
                Some(Up::Here(node)) => drop(under_way.spawn(publish(node, publication))),
                Some(Up::There(remote)) => {
                    let topic = &network.topic(publication.topic).name;
                    remote.publish(topic, &publication, clock.read(Time::ZERO));
                }
                None => {}
            }
        }
        while under_way.try_join_next().is_some() {}
    }
    under_way.join_all().await;
}

async fn publish(node: Node, publication: Publication) {
    let topic = node.network().topic(publication.topic).name.clone();
    if let Err(error) = node.publish(&topic, publication.payload).await {
        tracing::warn!(node = %node.id(), %error, "not published");
    }
}

/// Reads all topics of a node for as long as it lives.
pub(super) fn read(node: &Node) {
    for (_, topic) in node.network().topics() {
        match node.subscribe(&topic.name) {
            Ok(mut subscription) => {
                // The subscription does not keep its node alive, and ends with it.
                tokio::spawn(async move {
                    while let Some(message) = subscription.recv().await {
                        if message.missed > 0 {
                            tracing::warn!(missed = message.missed, "a reader was too slow");
                        }
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "not subscribed"),
        }
    }
}

/// How long a node may take to answer a question about itself.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
