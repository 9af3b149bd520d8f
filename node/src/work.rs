//! Finds the proof of work over a node's key, where its network asks for one.
//!
//! All cores search, each its share of the nonces, until one has it or nobody waits any more. It is found
//! once in a key's life in a network, and kept; an hour's search is what makes a thousand keys dear.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Network,
    overlay::work::{Puzzle, Work},
};

/// Tells the search to end when whoever waits for it goes away.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether a solution that was kept is one.
pub(crate) fn is_solution(node: &NodeId, network: &Network, work: &Work) -> bool {
    Puzzle::new(node, network.digest(), network.identity().effort()).check(work)
}

/// The proof of work over this key for this network.
///
/// # Errors
/// When the system gives no thread.
pub(crate) async fn find(node: NodeId, network: Arc<Network>) -> io::Result<Work> {
    let effort = network.identity().effort();
    tracing::info!(
        effort,
        "searching for the proof of work that the network asks of this key, once; \
         docs/identity.md says how long it takes"
    );
    let stop = Stop::default();
    let stopped = Arc::clone(&stop.0);
    let begun = Instant::now();
    let search = move || search(&node, &network, &stopped);
    let found = tokio::task::spawn_blocking(search).await.map_err(io::Error::other)??;
    tracing::info!(seconds = begun.elapsed().as_secs(), "found the proof of work");
    Ok(found)
}

fn search(node: &NodeId, network: &Network, stopped: &AtomicBool) -> io::Result<Work> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let found = Mutex::new(None);
    thread::scope(|scope| {
        for first in (0..).take(threads) {
            let found = &found;
            let run = move || {
                let mut puzzle = Puzzle::new(node, network.digest(), network.identity().effort());
                for nonce in (first..).step_by(threads) {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Some(work) = puzzle.attempt(nonce) {
                        *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(work);
                        return stopped.store(true, Ordering::Relaxed);
                    }
                }
            };
            // With one thread it merely takes longer.
            let spawned = thread::Builder::new().name("forsooth-work".to_owned());
            if let Err(error) = spawned.spawn_scoped(scope, run)
                && first == 0
            {
                return Err(error);
            }
        }
        Ok(())
    })?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.ok_or_else(|| io::Error::other("the search for a proof of work was given up"))
}

#[cfg(test)]
mod tests {
    use forsooth_protocol::network::Identity;

    use super::*;
    use crate::fixtures::network;

    fn costly(effort: u8) -> Arc<Network> {
        Arc::new(network("n").with_identity(Identity::Work { effort }).unwrap())
    }

    #[tokio::test]
    async fn what_is_found_is_a_solution_for_this_key_and_network() {
        let (node, network) = (NodeId::from_bytes([1; 32]), costly(6));
        let work = find(node, Arc::clone(&network)).await.unwrap();
        assert!(is_solution(&node, &network, &work));
    }

    #[tokio::test]
    async fn a_search_ends_when_nobody_waits_for_it() {
        let network = costly(40);
        let watched = Arc::downgrade(&network);
        let search = tokio::spawn(find(NodeId::from_bytes([1; 32]), network));
        tokio::task::yield_now().await;
        search.abort();
        assert!(search.await.unwrap_err().is_cancelled());
        // The threads hold the network until they end.
        while watched.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
