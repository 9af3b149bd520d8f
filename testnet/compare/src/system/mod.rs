//! The systems that are compared, behind what a load needs of them.

mod forsooth;
mod gossipsub;
mod iroh;

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::future::BoxFuture;
use rand::seq::index;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

use crate::{
    tally::Tally,
    task::{System, Task},
};

/// Running nodes of one system. What arrives at them goes to the tally.
pub(crate) trait Fleet: Send + Sync {
    /// Whether every node has the links that it needs.
    fn is_linked(&self) -> BoxFuture<'_, anyhow::Result<bool>>;

    /// Publishes a message at a node. Fails if the library refuses it.
    fn publish(&self, node: usize, payload: Bytes) -> BoxFuture<'_, anyhow::Result<()>>;
}

/// Starts the nodes and tells each of its contacts.
///
/// # Errors
/// When a node does not start.
pub(crate) async fn start(task: &Task, tally: &Arc<Tally>) -> anyhow::Result<Arc<dyn Fleet>> {
    let contacts = contacts(task);
    Ok(match task.system {
        System::Forsooth => Arc::new(forsooth::start(task, tally, &contacts).await?),
        System::Gossipsub => Arc::new(gossipsub::start(task, tally, &contacts).await?),
        System::Iroh => Arc::new(iroh::start(task, tally, &contacts).await?),
    })
}

/// For each node, the others that it is told of: the next one, so that nobody is apart, and random ones. They are
/// the same for every system.
fn contacts(task: &Task) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(task.seed);
    let others = task.nodes.saturating_sub(1);
    let mut draw = |node: usize| {
        let steps = index::sample(&mut rng, others, task.contacts.min(others)).into_iter();
        let mut told: Vec<_> =
            [0].into_iter().chain(steps).map(|step| (node + 1 + step) % task.nodes).collect();
        told.truncate(task.contacts);
        told.sort_unstable();
        told.dedup();
        told
    };
    (0..task.nodes).map(&mut draw).collect()
}

/// What nodes are to be told: of each of these contacts, what is known.
fn of_contacts<T: Clone>(contacts: &[usize], known: &[T]) -> anyhow::Result<Vec<T>> {
    let one = |contact: &usize| known.get(*contact).cloned().context("a contact is a node");
    contacts.iter().map(one).collect()
}
