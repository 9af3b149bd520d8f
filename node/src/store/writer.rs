//! The one thread that writes to the state file while a node runs.
//!
//! It takes what has gathered since its last transaction, so a storm of bans costs a few syncs, not one
//! each. When the disk refuses, it keeps what it could not write and tries again with the next records.
//!
//! Peers of the address book are many, and whoever is talked to can cause changes of them; bans and proofs are
//! few. So the book waits apart, and nothing of it ever displaces one of those.

use std::{io, thread};

use forsooth_protocol::Record;
use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError};
use crate::backlog::Backlog;

/// Records on their way to the thread.
const CHANNEL: usize = 256;
/// Records of one transaction, and of what waits when the disk refuses. The core stores one for each ban,
/// pardon and proof, and its own tables of those are bounded; beyond this the oldest are lost, those of the book
/// first.
const UNSAVED_MAX: usize = 16 * 1024;
/// Records of the book that wait for the thread: a quarter of an hour's.
const BOOK_MAX: usize = 4 * 1024;

/// Passes records to the thread; never blocks.
#[derive(Debug)]
pub(crate) struct Writer {
    records: Backlog<Record>,
    book: Backlog<Record>,
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
        Ok(Self::new(records, done))
    }

    fn new(channel: mpsc::Sender<Record>, done: oneshot::Receiver<Result<(), StoreError>>) -> Self {
        let book = Backlog::new(channel.clone(), BOOK_MAX);
        Self { records: Backlog::new(channel, UNSAVED_MAX), book, done }
    }

    /// Has a record written soon.
    pub(crate) fn store(&mut self, record: Record) {
        if is_of_book(&record) {
            if self.book.push(record).is_some() {
                tracing::warn!(
                    "the disk does not keep up: what changed of a peer in the address book is lost"
                );
            }
        } else if self.records.push(record).is_some() {
            tracing::error!("the disk does not keep up: a ban or a proof is lost with the restart");
        }
    }

    /// Moves on what waits for room; see [`Backlog::flush`].
    pub(crate) async fn flush(&mut self) {
        tokio::select! {
            biased;
            () = self.records.flush() => {}
            () = self.book.flush() => {}
        }
    }

    /// Waits until the thread has taken all that waits for room.
    pub(crate) async fn drain(&mut self) {
        self.records.drain().await;
        self.book.drain().await;
    }

    /// Waits until all is written and the file is closed.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        self.records.close().await;
        self.book.close().await;
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
            forget(&mut unsaved, UNSAVED_MAX);
        } else {
            unsaved.clear();
        }
    }
    if unsaved.is_empty() { Ok(()) } else { store.write(&unsaved) }
}

/// Whether a record is one of many, and its loss that of an address.
const fn is_of_book(record: &Record) -> bool {
    match record {
        Record::Peer { .. } | Record::PeerGone { .. } => true,
        Record::Ban(_)
        | Record::Pardon { .. }
        | Record::Proof { .. }
        | Record::BookKey { .. }
        | Record::Anchors { .. } => false,
    }
}

/// Drops the oldest until there are no more than `max`: first of the book, then of the others.
fn forget(unsaved: &mut Vec<Record>, max: usize) {
    let mut over = unsaved.len().saturating_sub(max);
    unsaved.retain(|record| {
        let goes = over > 0 && is_of_book(record);
        over -= usize::from(goes);
        !goes
    });
    unsaved.drain(..over);
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::NodeId;
    use forsooth_protocol::{Ban, BanCause, Fault};

    use super::*;

    fn id(number: usize) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        NodeId::from_bytes(id)
    }

    fn ban(number: usize) -> Record {
        let cause = BanCause::Fault(Fault::Forged);
        Record::Ban(Ban { whom: id(number).into(), cause, until: None })
    }

    fn gone(number: usize) -> Record {
        Record::PeerGone { peer: id(number) }
    }

    #[tokio::test]
    async fn no_change_of_the_book_displaces_a_ban() {
        let (channel, mut inbox) = mpsc::channel(1);
        let (report, done) = oneshot::channel();
        drop(report);
        let mut writer = Writer::new(channel, done);
        // The first finds room in the channel.
        writer.store(gone(0));
        writer.store(ban(1));
        (2..BOOK_MAX + 3).for_each(|number| writer.store(gone(number)));
        writer.store(ban(2));

        let mut received = Vec::new();
        let receive = async {
            while let Some(record) = inbox.recv().await {
                received.push(record);
            }
        };
        let (outcome, ()) = tokio::join!(writer.close(), receive);
        assert!(matches!(outcome, Err(StoreError::WriterLost)));
        // Of the book, the oldest that waited is lost.
        let kept = [gone(0), ban(1), ban(2)].into_iter().chain((3..BOOK_MAX + 3).map(gone));
        assert_eq!(received, kept.collect::<Vec<_>>());
    }

    #[test]
    fn what_the_disk_refuses_is_forgotten_from_the_book_first() {
        let all = [ban(0), gone(1), ban(2), gone(3), ban(4)];
        for (max, kept) in [
            (9, vec![0, 1, 2, 3, 4]),
            (5, vec![0, 1, 2, 3, 4]),
            (4, vec![0, 2, 3, 4]),
            (3, vec![0, 2, 4]),
            (2, vec![2, 4]),
            (0, vec![]),
        ] {
            let mut unsaved = all.to_vec();
            forget(&mut unsaved, max);
            let expected: Vec<_> =
                kept.into_iter().map(|place: usize| all[place].clone()).collect();
            assert_eq!(unsaved, expected, "{max}");
        }
    }
}
