//! The one thread that writes to the state file while a node runs.
//!
//! It takes what has gathered since its last transaction, so a storm of bans costs a few syncs, not one
//! each. When the disk refuses, it keeps what it could not write and tries again with the next records.

use std::{io, thread};

use forsooth_protocol::Record;
use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError};
use crate::backlog::Backlog;

/// Records on their way to the thread.
const CHANNEL: usize = 256;
/// Records of one transaction, and of what waits when the disk refuses. The core stores one for each ban,
/// pardon and proof, and its own tables of those are bounded; beyond this the oldest are lost.
const UNSAVED_MAX: usize = 16 * 1024;

/// Passes records to the thread; never blocks.
#[derive(Debug)]
pub(crate) struct Writer {
    records: Backlog<Record>,
    done: oneshot::Receiver<Result<(), StoreError>>,
}

impl Writer {
    /// Starts the thread, which owns the store from now on.
    pub(crate) fn start(store: Store) -> io::Result<Self> {
        let (records, inbox) = mpsc::channel(CHANNEL);
        let (report, done) = oneshot::channel();
        thread::Builder::new().name("forsooth-store".to_owned()).spawn(move || {
            let outcome = write_all(&store, inbox);
            // The file is closed and unlocked before anybody hears that it is.
            drop(store);
            let _ = report.send(outcome);
        })?;
        Ok(Self { records: Backlog::new(records, UNSAVED_MAX), done })
    }

    /// Has a record written soon.
    pub(crate) fn store(&mut self, record: Record) {
        if self.records.push(record).is_some() {
            tracing::error!(
                "the disk does not keep up: a record of a ban, a proof or a peer is lost"
            );
        }
    }

    /// Moves on what waits for room; see [`Backlog::flush`].
    pub(crate) async fn flush(&mut self) {
        self.records.flush().await;
    }

    /// Waits until the thread has taken all that waits for room.
    pub(crate) async fn drain(&mut self) {
        self.records.drain().await;
    }

    /// Waits until all is written and the file is closed.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        self.records.close().await;
        self.done.await.unwrap_or(Err(StoreError::WriterLost))
    }
}

fn write_all(store: &Store, mut inbox: mpsc::Receiver<Record>) -> Result<(), StoreError> {
    let mut unsaved = Vec::new();
    while let Some(record) = inbox.blocking_recv() {
        unsaved.push(record);
        while unsaved.len() < UNSAVED_MAX
            && let Ok(record) = inbox.try_recv()
        {
            unsaved.push(record);
        }
        if let Err(error) = store.write(&unsaved) {
            tracing::error!(%error, records = unsaved.len(), "cannot write the state; will try again");
            let over = unsaved.len().saturating_sub(UNSAVED_MAX);
            unsaved.drain(..over);
        } else {
            unsaved.clear();
        }
    }
    if unsaved.is_empty() { Ok(()) } else { store.write(&unsaved) }
}
