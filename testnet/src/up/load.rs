//! What honest applications do: they publish at random moments, and read what comes.

use std::time::Duration;

use bytes::Bytes;
use forsooth::Node;
use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha8Rng;
use tokio::{task::JoinSet, time::sleep};

use super::{Options, fleet::Fleet};
use crate::plan::{Plan, Purpose, TOPIC};

/// A publisher and a reader for each honest node.
pub(crate) struct Publishers {
    publishers: JoinSet<()>,
    /// Kept until the end of the settling: they end with their nodes.
    readers: JoinSet<()>,
}

impl Publishers {
    pub(crate) fn start(plan: &Plan, fleet: &Fleet, options: Options) -> Self {
        let mut this = Self { publishers: JoinSet::new(), readers: JoinSet::new() };
        for (place, node) in fleet.honest().enumerate() {
            this.readers.spawn(read(node.clone()));
            this.publishers.spawn(publish(
                node.clone(),
                options,
                plan.stream(Purpose::Load, place),
            ));
        }
        this
    }

    /// No more messages; readers read on.
    pub(crate) async fn stop(mut self) {
        self.publishers.shutdown().await;
        self.readers.detach_all();
    }
}

async fn publish(node: Node, options: Options, mut rng: ChaCha8Rng) {
    let gap = Duration::from_secs_f64(1.0 / options.rate);
    // Not all at once in the beginning.
    sleep(gap.mul_f64(rng.random())).await;
    loop {
        let mut payload = vec![0; options.payload_bytes as usize];
        rng.fill_bytes(&mut payload);
        if let Err(error) = node.publish(TOPIC, Bytes::from(payload)).await {
            tracing::warn!(node = %node.id(), %error, "not published");
        }
        sleep(gap.mul_f64(rng.random_range(0.5..1.5))).await;
    }
}

async fn read(node: Node) {
    match node.subscribe(TOPIC) {
        Ok(mut subscription) => {
            // A reader's own handle would keep its node alive.
            drop(node);
            while let Some(message) = subscription.recv().await {
                if message.missed > 0 {
                    tracing::warn!(missed = message.missed, "a reader was too slow");
                }
            }
        }
        Err(error) => tracing::warn!(%error, "not subscribed"),
    }
}
