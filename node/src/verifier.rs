//! Threads that check signatures, away from the task that must stay quick.
//!
//! A worker takes whatever has gathered since it last looked and checks it as one batch: on a busy node many, at half
//! the price each. A quiet node checks the one message that it has on the spot, and wakes no thread for it. Several nodes of
//! one process can share the threads: clone the [`Verifier`].
//!
//! Nothing is dropped for want of room. What finds no room waits at its node, and a core bounds what each
//! peer may have pending there.

use std::{
    collections::VecDeque,
    io,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use forsooth_protocol::{Check, Ticket, Verdict, check_all, check_one};
use getrandom::SysRng;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::sync::mpsc;

/// Checks that are handed over together.
const JOB_CHECKS_MAX: usize = 64;
/// Once a batch has this many, it is checked: larger ones gain little more.
const BATCH_CHECKS: usize = 256;
/// Jobs of all nodes that wait for a worker.
const JOBS_MAX: usize = 256;
/// Jobs of one node that wait or are in work. What is over this gathers into larger jobs.
const JOBS_PER_CLIENT_MAX: usize = 32;
/// More threads than this would only starve the rest of the node.
const WORKERS_DEFAULT_MAX: usize = 4;

/// A pool of threads that check signatures. Cheap to clone; the threads end with the last clone.
#[derive(Clone, Debug)]
pub struct Verifier {
    jobs: mpsc::Sender<Job>,
}

/// Checks of one node, and where their verdicts go.
#[derive(Debug)]
struct Job {
    checks: Vec<(Ticket, Check)>,
    reply: mpsc::Sender<Batch>,
}

/// The outcome of one batch.
#[derive(Debug)]
pub(crate) struct Batch {
    /// One for each check.
    pub(crate) verdicts: Vec<Verdict>,
    /// How long a thread was busy with it.
    pub(crate) spent: Duration,
    jobs: usize,
}

impl Verifier {
    /// As many threads as the machine has processors, less one for the driver; at least 1 and at most 4.
    #[must_use]
    pub fn workers_default() -> NonZeroUsize {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = processors.saturating_sub(1).clamp(1, WORKERS_DEFAULT_MAX);
        NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN)
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives no thread or no randomness.
    pub fn start(workers: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..workers.get() {
            // Unpredictable to signers, or they could make bad signatures that cancel out in a batch.
            let rng = ChaCha20Rng::try_from_rng(&mut SysRng).map_err(io::Error::other)?;
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("forsooth-verify".to_owned())
                .spawn(move || work(&queue, rng))?;
        }
        Ok(Self { jobs })
    }

    /// One node's access to the threads.
    pub(crate) fn client(&self) -> Client {
        let (reply, batches) = mpsc::channel(JOBS_PER_CLIENT_MAX);
        Client { jobs: self.jobs.clone(), gathered: VecDeque::new(), in_work: 0, reply, batches }
    }
}

/// One node's access to the threads.
#[derive(Debug)]
pub(crate) struct Client {
    jobs: mpsc::Sender<Job>,
    gathered: VecDeque<(Ticket, Check)>,
    in_work: usize,
    reply: mpsc::Sender<Batch>,
    batches: mpsc::Receiver<Batch>,
}

impl Client {
    /// Takes a check; it leaves with the next [`Self::dispatch`].
    pub(crate) fn gather(&mut self, ticket: Ticket, check: Check) {
        self.gathered.push_back((ticket, check));
    }

    /// Checks what has gathered on the spot, if that is one brief check and no other is under way. A node that has so
    /// much to do that a second one comes meanwhile leaves both to the threads.
    pub(crate) fn check_alone(&mut self) -> Option<Batch> {
        let is_alone = self.in_work == 0 && self.gathered.len() == 1;
        let check = self.gathered.pop_front_if(|(_, check)| is_alone && check.is_brief())?;
        let begun = Instant::now();
        let verdicts = vec![check_one(check)];
        Some(Batch { verdicts, spent: begun.elapsed(), jobs: 0 })
    }

    /// Hands over what has gathered, as far as there is room.
    pub(crate) fn dispatch(&mut self) {
        while self.has_job()
            && let Ok(permit) = self.jobs.try_reserve()
        {
            permit.send(job(&mut self.gathered, &self.reply));
            self.in_work += 1;
        }
    }

    /// The next verdicts. May be dropped at any point without loss.
    pub(crate) async fn batch(&mut self) -> Batch {
        loop {
            let has_job = self.has_job();
            tokio::select! {
                Some(batch) = self.batches.recv() => {
                    self.in_work = self.in_work.saturating_sub(batch.jobs);
                    return batch;
                }
                // Other nodes had filled the queue when we dispatched.
                Ok(permit) = self.jobs.reserve(), if has_job => {
                    permit.send(job(&mut self.gathered, &self.reply));
                    self.in_work += 1;
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Checks that have no verdict yet and have not found room.
    pub(crate) fn waiting(&self) -> usize {
        self.gathered.len()
    }

    fn has_job(&self) -> bool {
        !self.gathered.is_empty() && self.in_work < JOBS_PER_CLIENT_MAX
    }
}

fn job(gathered: &mut VecDeque<(Ticket, Check)>, reply: &mpsc::Sender<Batch>) -> Job {
    let checks = gathered.drain(..gathered.len().min(JOB_CHECKS_MAX)).collect();
    Job { checks, reply: reply.clone() }
}

/// What one thread does.
fn work(queue: &Mutex<mpsc::Receiver<Job>>, mut rng: ChaCha20Rng) {
    loop {
        let jobs = take(&mut queue.lock().unwrap_or_else(PoisonError::into_inner));
        if jobs.is_empty() {
            return;
        }
        for (job, jobs) in by_client(jobs) {
            let begun = Instant::now();
            let verdicts = check_all(job.checks, &mut rng);
            let batch = Batch { verdicts, spent: begun.elapsed(), jobs };
            // Its channel has room for all jobs that a client may have in work. A client that is gone
            // needs no verdicts.
            let _ = job.reply.try_send(batch);
        }
    }
}

/// Waits for a job and takes those that are there too; empty when no client can come any more.
fn take(queue: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let Some(first) = queue.blocking_recv() else { return Vec::new() };
    let mut checks = first.checks.len();
    let mut jobs = vec![first];
    while checks < BATCH_CHECKS
        && let Ok(job) = queue.try_recv()
    {
        checks += job.checks.len();
        jobs.push(job);
    }
    jobs
}

/// Joins the jobs of each client into one, with their number: tickets are unique within a client only.
fn by_client(jobs: Vec<Job>) -> Vec<(Job, usize)> {
    let mut joined: Vec<(Job, usize)> = Vec::new();
    for job in jobs {
        match joined.iter_mut().find(|(other, _)| other.reply.same_channel(&job.reply)) {
            Some((other, count)) => {
                other.checks.extend(job.checks);
                *count += 1;
            }
            None => joined.push((job, 1)),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
