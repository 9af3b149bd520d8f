//! One run of one system in this process.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::{Instant, sleep};

use crate::{
    load,
    meters::{Reading, resident_bytes},
    system::{self, Fleet},
    tally::Tally,
    task::{Found, Task},
};

/// How long nodes may take to find each other.
const LINKING_MAX: Duration = Duration::from_secs(120);
/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(200);
/// How long what was published last has time to arrive.
const DRAIN: Duration = Duration::from_secs(5);

/// Starts the nodes, lets them work, and says what it cost.
///
/// # Errors
/// When the nodes do not start or do not find each other, or the system does not tell what they cost.
pub(crate) fn run(task: Task, loopback_is_own: bool) -> anyhow::Result<Found> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let found = runtime.block_on(work(task, loopback_is_own));
    // What still runs has nothing to say.
    runtime.shutdown_background();
    found
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52, for people to read")]
async fn work(task: Task, loopback_is_own: bool) -> anyhow::Result<Found> {
    let seconds = Duration::from_secs_f64;
    let nodes = task.nodes.max(1) as u64;
    let tally = Arc::new(Tally::new(task.nodes, load::window(&task))?);
    let empty_bytes = resident_bytes()?;
    let fleet = system::start(&task, &tally).await?;
    linked(fleet.as_ref()).await?;
    sleep(seconds(task.settle_seconds)).await;
    let per_node = |bytes: u64| bytes.saturating_sub(empty_bytes) / nodes;
    let idle_bytes_per_node = per_node(resident_bytes()?);

    let (publishers, published) = load::begin(&task, &fleet, &tally);
    sleep(seconds(task.warm_up_seconds)).await;
    let (before, begun) = (Reading::now()?, Instant::now());
    tally.begin();
    sleep(seconds(task.seconds)).await;
    tally.end();
    let (used, lasted) = (Reading::now()?.since(before), begun.elapsed().as_secs_f64());
    let loaded_bytes_per_node = per_node(resident_bytes()?);
    drop(publishers);
    sleep(DRAIN).await;

    let sum = tally.sum().context("no nodes")?;
    let taken = published.taken.load(Relaxed);
    let delivered = sum.counted.max(1) as f64;
    let expected = taken.saturating_mul(nodes.saturating_sub(1)).max(1);
    Ok(Found {
        published: taken,
        refused: published.refused.load(Relaxed),
        deliveries: sum.counted,
        deliveries_per_second: sum.counted as f64 / lasted,
        delivery_ratio: sum.of_measured as f64 / expected as f64,
        latency_ms: sum.latency,
        verified_ms: sum.verified,
        cpu_us_per_delivery: used.cpu.as_secs_f64() * 1e6 / delivered,
        cpu_cores: used.cpu.as_secs_f64() / lasted,
        wire_bytes_per_payload_byte: used.wire_bytes as f64
            / (delivered * task.payload_bytes.max(1) as f64),
        wire_packets_per_delivery: used.wire_packets as f64 / delivered,
        idle_bytes_per_node,
        loaded_bytes_per_node,
        loopback_is_own,
        task,
    })
}

async fn linked(fleet: &dyn Fleet) -> anyhow::Result<()> {
    let end = Instant::now() + LINKING_MAX;
    while !fleet.is_linked().await? {
        if Instant::now() >= end {
            bail!(
                "after {LINKING_MAX:?} some nodes still lack links: try fewer nodes, or with less else to do here"
            );
        }
        sleep(LOOK).await;
    }
    Ok(())
}
