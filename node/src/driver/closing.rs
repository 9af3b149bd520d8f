//! The end of a node: what waits is sent, as far as peers take it, then everything is let go of.

use std::time::Duration;

use futures::StreamExt as _;
use tokio::time::{Instant, timeout, timeout_at};

use super::shell::Shell;
use crate::{net::identity::peer_id, store::StoreError};

/// How long peers have to take what waits for them.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);
/// How long connections have to close politely. Above [`crate::net::swarm::Config::closing`]'s default.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(3);
/// How long the disk has to take the last records.
const STORE_TIME_MAX: Duration = Duration::from_secs(10);

impl Shell {
    /// Flushes, closes and saves. When it returns, ports and files are free again.
    pub(super) async fn close(mut self) -> Result<(), StoreError> {
        self.flush().await;
        self.hang_up().await;
        let writer = self.outside.writer.take();
        let shelf = self.outside.shelf.take();
        // Ends the streams of subscribers and observers, and frees what is left of the sockets.
        drop(self);
        let kept = match shelf {
            Some(shelf) => within(shelf.keeper.close()).await,
            None => Ok(()),
        };
        match writer {
            Some(writer) => within(writer.close()).await.and(kept),
            None => kept,
        }
    }

    async fn flush(&mut self) {
        let deadline = Instant::now() + FLUSH_TIME_MAX;
        while self.has_unsent()
            && let Ok(_event) = timeout_at(deadline, self.outside.swarm.next()).await
        {}
    }

    fn has_unsent(&self) -> bool {
        let links = &self.outside.swarm.behaviour().links;
        self.links.keys().any(|peer| links.queued_bytes(&peer_id(peer)) > 0)
    }

    async fn hang_up(&mut self) {
        let swarm = &mut self.outside.swarm;
        for id in self.listeners.drain(..) {
            swarm.remove_listener(id);
        }
        let connected: Vec<_> = swarm.connected_peers().copied().collect();
        for peer in connected {
            // An error only says that it is gone already.
            let _ = swarm.disconnect_peer_id(peer);
        }
        let deadline = Instant::now() + CLOSE_TIME_MAX;
        while swarm.network_info().num_peers() > 0
            && let Ok(_event) = timeout_at(deadline, swarm.next()).await
        {}
    }
}

/// What comes of saving, if the disk takes it in time.
async fn within(saving: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    timeout(STORE_TIME_MAX, saving).await.unwrap_or(Err(StoreError::WriterLost))
}
