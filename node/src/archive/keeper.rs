//! The one thread that writes messages while a node runs.
//!
//! It takes what has gathered since its last transaction, so that a busy node syncs its disk no more often than a quiet one. When the
//! disk refuses, what waits is bounded, and what does not fit is counted and not kept: relaying and delivering go on.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use forsooth_protocol::TopicId;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Archive, Holding, Kept, history::Heads};
use crate::{StoreError, clock};

/// Messages on their way to the thread.
const CHANNEL: usize = 16 * 1024;
/// Bytes of frames on their way to the thread, and of what it could not write yet.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Messages of one transaction.
const BATCH_MAX: usize = 4096;
/// How long the thread leaves a disk alone that has refused.
const PAUSE: Duration = if cfg!(test) { Duration::from_millis(1) } else { Duration::from_secs(2) };

/// Passes messages to the thread; never blocks.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: mpsc::Sender<Order>,
    waiting_bytes: Arc<AtomicUsize>,
    condition: Arc<Shared>,
    done: oneshot::Receiver<Result<(), StoreError>>,
}

#[derive(Debug)]
enum Order {
    Keep(Kept),
    /// Remove what is over.
    Clear,
}

/// How keeping goes, for status pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What is kept of each topic.
    pub holdings: BTreeMap<TopicId, Holding>,
    /// Messages that were accepted and not kept, because the disk refused or did not keep up.
    pub lost: u64,
    /// Why the disk refuses, if it does.
    pub refusal: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<Condition>,
    lost: AtomicU64,
}

impl Keeper {
    /// Starts the thread. Readers are told through `heads` of what they can read.
    pub(crate) fn start(
        archive: Arc<Archive>,
        heads: watch::Sender<Heads>,
    ) -> Result<Self, StoreError> {
        let holdings: BTreeMap<_, _> = archive.holdings()?.into_iter().collect();
        let condition = Shared {
            state: Mutex::new(Condition { holdings, ..Condition::default() }),
            lost: AtomicU64::new(0),
        };
        let condition = Arc::new(condition);
        let (orders, inbox) = mpsc::channel(CHANNEL);
        let (report, done) = oneshot::channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let path = archive.disk.path().to_owned();
        let mut writer = Writer {
            archive,
            heads,
            condition: Arc::clone(&condition),
            waiting_bytes: Arc::clone(&waiting_bytes),
            unsaved: Vec::new(),
        };
        thread::Builder::new()
            .name("forsooth-keeper".to_owned())
            .spawn(move || {
                let outcome = writer.run(inbox);
                // Closed before anybody hears that it is.
                drop(writer);
                let _ = report.send(outcome);
            })
            .map_err(|source: io::Error| StoreError::Io { path, source })?;
        Ok(Self { orders, waiting_bytes, condition, done })
    }

    /// Has a message kept soon.
    pub(crate) fn keep(&self, kept: Kept) {
        let bytes = kept.bytes();
        let waiting = self.waiting_bytes.load(Ordering::Relaxed);
        let fits = waiting == 0 || waiting.saturating_add(bytes) <= WAITING_BYTES_MAX;
        let permit = fits.then(|| self.orders.try_reserve().ok()).flatten();
        let Some(permit) = permit else {
            let lost = self.condition.lost.fetch_add(1, Ordering::Relaxed);
            if lost.is_power_of_two() || lost == 0 {
                tracing::error!(
                    lost = lost.saturating_add(1),
                    "the disk does not keep up: messages are delivered and not kept"
                );
            }
            return;
        };
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        permit.send(Order::Keep(kept));
    }

    /// Has what is over removed soon.
    pub(crate) fn clear(&self) {
        // If the thread is that busy, it removes on its own.
        let _ = self.orders.try_send(Order::Clear);
    }

    /// How keeping goes.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.condition.state.lock().unwrap_or_else(PoisonError::into_inner);
        Condition { lost: self.condition.lost.load(Ordering::Relaxed), ..state.clone() }
    }

    /// Waits until all is written and the file is closed.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        drop(self.orders);
        self.done.await.unwrap_or(Err(StoreError::WriterLost))
    }
}

struct Writer {
    archive: Arc<Archive>,
    heads: watch::Sender<Heads>,
    condition: Arc<Shared>,
    waiting_bytes: Arc<AtomicUsize>,
    unsaved: Vec<Kept>,
}

impl Writer {
    fn run(&mut self, mut inbox: mpsc::Receiver<Order>) -> Result<(), StoreError> {
        // What has gone over since the last life.
        let _ = self.save();
        while let Some(order) = inbox.blocking_recv() {
            self.take(order);
            while self.unsaved.len() < BATCH_MAX
                && let Ok(order) = inbox.try_recv()
            {
                self.take(order);
            }
            if self.save().is_err() {
                // The channel fills meanwhile, and what does not fit is lost and counted.
                thread::park_timeout(PAUSE);
            }
        }
        if self.unsaved.is_empty() { Ok(()) } else { self.save() }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Keep(kept) => self.unsaved.push(kept),
            Order::Clear => {}
        }
    }

    fn save(&mut self) -> Result<(), StoreError> {
        loop {
            let now = clock::wall().unwrap_or_default();
            let outcome = self.archive.write(&self.unsaved, now);
            let mut state = self.condition.state.lock().unwrap_or_else(PoisonError::into_inner);
            match outcome {
                Ok((holdings, is_more)) => {
                    if state.refusal.take().is_some() {
                        tracing::info!("messages are kept again");
                    }
                    state.holdings = holdings.iter().copied().collect();
                    drop(state);
                    let bytes: usize = self.unsaved.drain(..).map(|kept| kept.bytes()).sum();
                    self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                    let heads = holdings.into_iter().map(|(topic, it)| (topic, it.next)).collect();
                    self.heads.send_if_modified(|now| {
                        let before = std::mem::replace(now, heads);
                        before != *now
                    });
                    if !is_more {
                        return Ok(());
                    }
                }
                Err(error) => {
                    if state.refusal.is_none() {
                        tracing::error!(%error, "cannot keep messages; they are delivered all the same. Will try again");
                    }
                    state.refusal = Some(error.to_string());
                    return Err(error);
                }
            }
        }
    }
}
