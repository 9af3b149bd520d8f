//! Who publishes what when, the same for every system.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rand::seq::index;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::{
    system::Fleet,
    tally::{STAMP_BYTES, Tally},
    task::{Load, Task},
};

/// A message that has been under way for so long no longer keeps its author from publishing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before an author tries again after its library refused a message.
const PAUSE: Duration = Duration::from_millis(1);

/// Messages published while it was measured.
#[derive(Default)]
pub(crate) struct Published {
    pub(crate) taken: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// One publisher, or all.
#[derive(Clone)]
struct Publisher {
    fleet: Arc<dyn Fleet>,
    tally: Arc<Tally>,
    published: Arc<Published>,
    bytes: usize,
}

/// Messages that each node may have under way; 0 if there is no bound.
pub(crate) fn window(task: &Task) -> usize {
    match task.load {
        Load::Saturated { in_flight } => in_flight.div_ceil(task.nodes.max(1)),
        Load::Steady { .. } => 0,
    }
}

/// Begins to publish. It ends when the set is dropped.
pub(crate) fn begin(
    task: &Task,
    fleet: &Arc<dyn Fleet>,
    tally: &Arc<Tally>,
) -> (JoinSet<()>, Arc<Published>) {
    let published = Arc::new(Published::default());
    let publisher = Publisher {
        fleet: Arc::clone(fleet),
        tally: Arc::clone(tally),
        published: Arc::clone(&published),
        bytes: task.payload_bytes.max(STAMP_BYTES),
    };
    let mut running = JoinSet::new();
    match task.load {
        Load::Saturated { .. } => {
            for node in 0..task.nodes {
                running.spawn(publisher.clone().saturate(node));
            }
        }
        Load::Steady { per_second } => {
            let every = Duration::from_secs_f64(1.0 / per_second.max(0.001));
            let rng = ChaCha8Rng::seed_from_u64(task.seed.wrapping_add(1));
            running.spawn(publisher.pace(every, task.nodes, rng));
        }
    }
    (running, published)
}

impl Publisher {
    async fn saturate(self, node: usize) {
        for seq in 0..u32::MAX {
            self.tally.admit(node, seq, PATIENCE).await;
            self.publish(node, seq).await;
        }
    }

    async fn pace(self, every: Duration, nodes: usize, mut rng: ChaCha8Rng) {
        let mut due = interval(every);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for seq in 0..u32::MAX {
            due.tick().await;
            let author = index::sample(&mut rng, nodes, 1).into_iter().next().unwrap_or(0);
            self.publish(author, seq).await;
        }
    }

    /// Publishes a message; again, if the library refuses it.
    async fn publish(&self, node: usize, seq: u32) {
        loop {
            let stamp = self.tally.stamp(node, seq);
            let counts = u64::from(self.tally.is_measured(stamp));
            // Before it is known what became of it: by then it may have arrived, and the run be over.
            self.published.taken.fetch_add(counts, Relaxed);
            if self.fleet.publish(node, stamp.payload(self.bytes)).await.is_ok() {
                return;
            }
            self.published.taken.fetch_sub(counts, Relaxed);
            self.published.refused.fetch_add(counts, Relaxed);
            sleep(PAUSE).await;
        }
    }
}
