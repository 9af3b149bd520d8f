//! Where the behaviour leaves frames and the handler of one connection fetches them.
//!
//! The node owns its state in one task without locks; this is the one exception, and no
//! contradiction to it: behaviour and handler live in different tasks by libp2p's design, and the
//! alternative, a channel, would need a bound in messages where we want one in bytes, could not
//! displace what it holds, and would hop once for each frame. The lock is held for a push, or to
//! move a batch of handles, never for IO, a copy or another lock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;
use forsooth_protocol::{Class, Lane};

use super::queue::{Pushed, Queue};
use super::stats::{PerLane, Stats, Traffic};

/// The shared end of one connection's queue.
#[derive(Debug)]
pub(super) struct Outbox(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    sent: PerLane<Traffic>,
    /// The connection's task, once it found a lane empty.
    waker: Option<Waker>,
}

impl Outbox {
    pub(super) fn new(queued_bytes_max: PerLane<usize>) -> Self {
        Self(Mutex::new(Inner {
            queue: Queue::new(queued_bytes_max),
            sent: PerLane::default(),
            waker: None,
        }))
    }

    /// Queues a frame. The connection's task learns of it by [`Self::wake`], so that frames which
    /// are pushed together are written together.
    pub(super) fn push(&self, class: Class, frame: Bytes) -> Pushed {
        self.lock().queue.push(class, frame)
    }

    /// Wakes the connection's task, if it waits for frames.
    pub(super) fn wake(&self) {
        // The guard is gone before the task runs and asks for the same lock.
        let waker = self.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves frames of a lane to `batch` until it has at least `batch_bytes` or the lane is empty;
    /// an empty lane has the task woken when that changes.
    pub(super) fn take(
        &self,
        lane: Lane,
        batch_bytes: usize,
        batch: &mut impl Extend<Bytes>,
        cx: &Context<'_>,
    ) {
        let mut inner = self.lock();
        let Inner { queue, sent, waker } = &mut *inner;
        let mut bytes = 0;
        while bytes < batch_bytes {
            let Some(frame) = queue.pop(lane) else {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                break;
            };
            bytes += frame.len();
            sent.of_mut(lane).count(frame.len());
            batch.extend(Some(frame));
        }
    }

    /// What was sent and dropped so far, and what waits.
    pub(super) fn stats(&self) -> Stats {
        let inner = self.lock();
        Stats {
            sent: inner.sent,
            dropped: *inner.queue.dropped(),
            queued_bytes: inner.queue.queued_bytes_total(),
            ..Stats::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves the queue whole: its methods do not panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
