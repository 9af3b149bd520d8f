//! The one thread that writes messages while a node runs.
//!
//! It takes what has gathered since its last transaction, so that a busy node syncs its disk no more often than a quiet one, and
//! answers when all of that is on disk: then, and only then, the node may promise anything about it. When the disk refuses, it
//! answers that at once, so that relaying and delivering go on without promises; what it could not write waits, bounded, and is
//! written and answered for once there is room. What does not fit is counted and not kept.

use std::{
    collections::BTreeMap,
    io, mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use forsooth_protocol::{Held, TopicId};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Archive, Holding, Kept, Written, history::Heads};
use crate::{StoreError, clock};

/// Messages on their way to the thread.
const CHANNEL: usize = 16 * 1024;
/// Answers on their way back; more make the thread wait.
const ANSWERS: usize = 64;
/// Bytes of messages on their way to the thread, and of what it could not write yet.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Messages of one transaction.
const BATCH_MAX: usize = 4096;
/// How long the thread leaves a disk alone that has refused: ten times as long as it took to find that out, since a large file that has
/// to be opened anew is read whole, but at least and at most so long.
const PAUSES: (Duration, Duration) = if cfg!(test) {
    (Duration::from_millis(1), Duration::from_millis(1))
} else {
    (Duration::from_secs(2), Duration::from_secs(60))
};

/// What has become of messages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What these orders were about is on disk, synced.
    Kept(Vec<u64>),
    /// It is not: the disk refuses.
    Unkept(Vec<u64>),
    /// The disk has taken after all what it had refused.
    Late(Vec<Held>),
    /// This was on disk, and is no longer.
    Forgotten(Vec<Held>),
}

/// Passes messages to the thread; never blocks.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: mpsc::Sender<Order>,
    answers: mpsc::Receiver<Answer>,
    waiting_bytes: Arc<AtomicUsize>,
    condition: Arc<Shared>,
    done: oneshot::Receiver<Result<(), StoreError>>,
}

#[derive(Debug)]
enum Order {
    Keep(Waiting),
    /// Remove what is over.
    Clear,
}

/// A message that waits for the disk, and the order to keep it.
#[derive(Debug)]
struct Waiting {
    request: u64,
    kept: Kept,
}

/// How keeping goes, for status pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// What is kept of each topic.
    pub holdings: BTreeMap<TopicId, Holding>,
    /// Messages that were not kept, because the disk refused or did not keep up.
    pub lost: u64,
    /// Why the disk refuses, if it does.
    pub refusal: Option<String>,
    /// Transactions since the start, each synced to disk.
    pub syncs: u64,
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
        let (answer, answers) = mpsc::channel(ANSWERS);
        let (report, done) = oneshot::channel();
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let path = archive.disk.path().to_owned();
        let mut writer = Writer {
            archive,
            heads,
            answer,
            condition: Arc::clone(&condition),
            waiting_bytes: Arc::clone(&waiting_bytes),
            unsaved: Vec::new(),
            told: 0,
            retry_at: None,
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
        Ok(Self { orders, answers, waiting_bytes, condition, done })
    }

    /// Has a message kept soon, which is answered. `false` if it cannot be, since too many wait.
    #[must_use]
    pub(crate) fn keep(&self, request: u64, kept: Kept) -> bool {
        let bytes = kept.bytes();
        let waiting = self.waiting_bytes.load(Ordering::Relaxed);
        let fits = waiting == 0 || waiting.saturating_add(bytes) <= WAITING_BYTES_MAX;
        let permit = fits.then(|| self.orders.try_reserve().ok()).flatten();
        let Some(permit) = permit else {
            let lost = self.condition.lost.fetch_add(1, Ordering::Relaxed);
            if lost.is_power_of_two() || lost == 0 {
                tracing::error!(
                    lost = lost.saturating_add(1),
                    "the disk does not keep up: messages are relayed and delivered, and not kept"
                );
            }
            return false;
        };
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        permit.send(Order::Keep(Waiting { request, kept }));
        true
    }

    /// Has what is over removed soon, and what the disk refused tried again.
    pub(crate) fn clear(&self) {
        // If the thread is that busy, it removes on its own.
        let _ = self.orders.try_send(Order::Clear);
    }

    /// The next answer; never, once the thread has ended. May be dropped without loss.
    pub(crate) async fn answer(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// How keeping goes.
    pub(crate) fn condition(&self) -> Condition {
        let state = self.condition.state.lock().unwrap_or_else(PoisonError::into_inner);
        Condition { lost: self.condition.lost.load(Ordering::Relaxed), ..state.clone() }
    }

    /// Waits until all is written and the file is closed.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        drop((self.orders, self.answers));
        self.done.await.unwrap_or(Err(StoreError::WriterLost))
    }
}

struct Writer {
    archive: Arc<Archive>,
    heads: watch::Sender<Heads>,
    answer: mpsc::Sender<Answer>,
    condition: Arc<Shared>,
    waiting_bytes: Arc<AtomicUsize>,
    unsaved: Vec<Waiting>,
    /// How many of them are told as unkept.
    told: usize,
    /// The disk has refused, and is left alone until then.
    retry_at: Option<Instant>,
}

impl Writer {
    fn run(&mut self, mut inbox: mpsc::Receiver<Order>) -> Result<(), StoreError> {
        // What has gone over since the last life.
        let _ = self.save();
        while let Some(order) = inbox.blocking_recv() {
            self.take(order);
            for _ in 1..BATCH_MAX {
                let Ok(order) = inbox.try_recv() else { break };
                self.take(order);
            }
            let is_left_alone = self.retry_at.is_some_and(|at| Instant::now() < at);
            if is_left_alone || self.save().is_err() {
                self.refuse();
            }
        }
        if self.unsaved.is_empty() { Ok(()) } else { self.save() }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Keep(waiting) => self.unsaved.push(waiting),
            Order::Clear => {}
        }
    }

    /// Writes all that waits, and tells so.
    fn save(&mut self) -> Result<(), StoreError> {
        loop {
            let (now, begun) = (clock::wall().unwrap_or_default(), Instant::now());
            let batch = self.unsaved.len().min(BATCH_MAX);
            let messages = self.unsaved.iter().take(batch).map(|waiting| &waiting.kept);
            match self.archive.write(messages, now) {
                Ok(written) => {
                    self.retry_at = None;
                    let saved: Vec<_> = self.unsaved.drain(..batch).collect();
                    let late = self.told.min(batch);
                    self.told -= late;
                    let is_more = written.is_more || !self.unsaved.is_empty();
                    self.succeed(saved.split_at(late), written);
                    if !is_more {
                        return Ok(());
                    }
                }
                Err(error) => {
                    let pause = begun.elapsed().saturating_mul(10).clamp(PAUSES.0, PAUSES.1);
                    self.retry_at = Some(Instant::now() + pause);
                    self.fail(&error);
                    return Err(error);
                }
            }
        }
    }

    /// What was written: first what was told as unkept, then the rest.
    fn succeed(&self, (late, saved): (&[Waiting], &[Waiting]), written: Written) {
        let mut state = self.condition.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.refusal.take().is_some() {
            tracing::info!("messages are kept again");
        }
        state.holdings = written.holdings.iter().copied().collect();
        state.syncs = state.syncs.saturating_add(1);
        drop(state);
        let bytes = late.iter().chain(saved).map(|waiting| waiting.kept.bytes()).sum();
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.tell(Answer::Kept, saved.iter().map(|waiting| waiting.request).collect());
        let held = |Waiting { kept, .. }: &Waiting| Held::new(&kept.publication, &kept.standing);
        self.tell(Answer::Late, late.iter().map(held).collect());
        self.tell(Answer::Forgotten, written.removed);
        let heads = written.holdings.into_iter().map(|(topic, it)| (topic, it.next)).collect();
        self.heads.send_if_modified(|now| {
            let before = mem::replace(now, heads);
            before != *now
        });
    }

    fn fail(&self, error: &StoreError) {
        let mut state = self.condition.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.refusal.is_none() {
            tracing::error!(%error, "cannot keep messages; they are relayed and delivered all the same. Will try again");
        }
        state.refusal = Some(error.to_string());
    }

    /// Tells of those that are not on disk, of each once.
    fn refuse(&mut self) {
        let news = self.unsaved.get(self.told..).unwrap_or_default();
        self.tell(Answer::Unkept, news.iter().map(|waiting| waiting.request).collect());
        self.told = self.unsaved.len();
    }

    fn tell<T>(&self, answer: impl FnOnce(Vec<T>) -> Answer, of: Vec<T>) {
        if !of.is_empty() {
            // An error only says that the node is shutting down.
            let _ = self.answer.blocking_send(answer(of));
        }
    }
}
