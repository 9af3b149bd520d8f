//! A node in a process of its own, so that `kill -9` is what it says: the process ends where it is, whatever it had in memory is gone,
//! and its files are as they were.
//!
//! What it says over its pipe before that is heard; so the run knows what its application had been told.

pub(crate) mod child;
mod words;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use forsooth::Multiaddr;
use forsooth_protocol::{BanCause, MessageId, Slot, Time};
use tokio::{sync::oneshot, task::spawn_blocking, time::timeout};

use self::words::{Brief, Order, Read, Word};
use crate::{
    cast::Cast,
    engine::{load::Publication, seat},
};

/// The hidden command of `forsooth-testnet` that is such a process.
pub(crate) const COMMAND: &str = "node";
/// Orders that wait for a process; what comes beyond is lost, as on a busy machine.
const ORDERS_MAX: usize = 1024;
/// How long a process may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// A node that is to be a process.
pub(super) struct Place<'a> {
    pub(super) program: &'a Path,
    /// The scenario, as TOML.
    pub(super) scenario: &'a str,
    pub(super) node: usize,
    pub(super) ip: Ipv4Addr,
    pub(super) folder: PathBuf,
    /// The last message that its application has of each topic.
    pub(super) after: BTreeMap<String, String>,
}

/// What is known of a process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) addresses: Arc<[Multiaddr]>,
    orders: SyncSender<Order>,
    heard: Arc<Mutex<Heard>>,
}

/// What a process has said.
#[derive(Default)]
struct Heard {
    witnesses: usize,
    is_ready: bool,
    /// When the application asked for what it has no receipt of.
    asked: BTreeMap<u64, Time>,
    next: u64,
    /// The last message that it has read of each topic.
    last: BTreeMap<String, String>,
}

/// A running process.
pub(super) struct Process {
    alive: Alive,
    listener: JoinHandle<()>,
    pub(super) remote: Remote,
    pub(super) generation: u64,
}

/// It does not outlive who started it.
struct Alive(Child);

impl Drop for Alive {
    fn drop(&mut self) {
        // It has ended already, or does now.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Starts a node.
    pub(super) async fn start(place: Place<'_>, cast: Cast) -> anyhow::Result<Self> {
        let child = Command::new(place.program)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", place.program.display()))?;
        let mut alive = Alive(child);
        let pipes = alive.0.stdin.take().zip(alive.0.stdout.take());
        let (stdin, stdout) = pipes.context("the pipes of a process")?;
        let heard = Heard { last: place.after.clone(), ..Heard::default() };
        let heard = Arc::new(Mutex::new(heard));
        let Place { scenario, node, ip, folder, after, .. } = place;
        let brief = Brief { scenario: scenario.to_owned(), node, ip, folder, after };
        let brief = line(&brief)?;
        let (orders, waiting) = sync_channel(ORDERS_MAX);
        thread::Builder::new().spawn(move || tell(stdin, &brief, &waiting))?;
        let (up, is_up) = oneshot::channel();
        let hearing = Hearing { node, cast, heard: Arc::clone(&heard) };
        let listener = thread::Builder::new().spawn(move || hearing.hear_all(stdout, up))?;
        let ready = timeout(START_MAX, is_up).await.context("a node's process does not start")?;
        let ready = ready.context("a node's process has ended at once; its stderr says why")?;
        let remote = Remote { addresses: ready.addresses.into(), orders, heard };
        Ok(Self { alive, listener, remote, generation: ready.generation })
    }

    /// Kills it, as `kill -9` does, and hears what it had said. Returns the last message of each topic that its application has.
    pub(super) async fn kill(self) -> anyhow::Result<BTreeMap<String, String>> {
        let Self { mut alive, listener, remote, .. } = self;
        let kill = move || {
            alive.0.kill().context("killing a process")?;
            alive.0.wait().context("waiting for the end of a process")?;
            anyhow::Ok(listener.join())
        };
        // Whoever listens does not panic.
        drop(spawn_blocking(kill).await??);
        let last = remote.heard().last.clone();
        Ok(last)
    }

    /// Has it shut down, which it does at the end of its input.
    pub(super) async fn stop(self) {
        let Self { mut alive, remote, .. } = self;
        drop(remote);
        // It has its own time limits.
        drop(spawn_blocking(move || alive.0.wait()).await);
    }
}

/// Writes the brief and then all orders, until nobody gives any more.
fn tell(mut stdin: ChildStdin, brief: &str, orders: &Receiver<Order>) {
    let mut said = stdin.write_all(brief.as_bytes());
    while said.is_ok()
        && let Ok(order) = orders.recv()
    {
        said = line(&order).map_or(Ok(()), |line| stdin.write_all(line.as_bytes()));
    }
}

/// A process is up.
struct Ready {
    addresses: Vec<Multiaddr>,
    generation: u64,
}

impl Remote {
    /// Has a message published; when there is a receipt, the recorder hears of it.
    pub(super) fn publish(&self, topic: &str, publication: &Publication, at: Time) {
        let request = {
            let mut heard = self.heard();
            let request = heard.next;
            heard.next += 1;
            heard.asked.insert(request, at);
            request
        };
        // A line carries text.
        let text = |byte: &u8| char::from((byte & 0x7f) | 0x20);
        let payload = publication.payload.iter().map(text).collect();
        let order = Order::Publish { request, topic: topic.to_owned(), payload };
        if self.orders.try_send(order).is_err() {
            self.heard().asked.remove(&request);
        }
    }

    pub(super) fn add_peers(&self, peers: &[Multiaddr]) {
        let peers = peers.iter().map(ToString::to_string).collect();
        if self.orders.try_send(Order::Peers(peers)).is_err() {
            tracing::warn!("a node's process takes no orders");
        }
    }

    /// How many witnesses it has.
    pub(super) fn witnesses(&self) -> usize {
        self.heard().witnesses
    }

    /// Whether it could accept a message of any topic.
    pub(super) fn is_ready(&self) -> bool {
        self.heard().is_ready
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who listens to a process, and tells the recorder.
struct Hearing {
    node: usize,
    cast: Cast,
    heard: Arc<Mutex<Heard>>,
}

impl Hearing {
    /// Until the process has ended, and all that it said is heard.
    fn hear_all(self, stdout: ChildStdout, up: oneshot::Sender<Ready>) {
        let mut up = Some(up);
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            match serde_json::from_str(&line) {
                Ok(Word::Ready { addresses, generation }) => {
                    let addresses = addresses.iter().filter_map(|it| it.parse().ok()).collect();
                    if let Some(up) = up.take() {
                        // Nobody waits for one that took too long.
                        drop(up.send(Ready { addresses, generation }));
                    }
                }
                Ok(word) => self.hear(word),
                // The last line of one that was killed may be half a line.
                Err(error) => tracing::debug!(%error, line, "half a word"),
            }
        }
    }

    fn hear(&self, word: Word) {
        let (seat, recorder) = (seat(self.node), &self.cast.recorder);
        let at = self.cast.clock.read(Time::ZERO);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match word {
            Word::Ready { .. } => {}
            Word::Stands { witnesses, is_ready } => {
                (heard.witnesses, heard.is_ready) = (witnesses, is_ready);
            }
            Word::Published { request, id } => {
                let asked = heard.asked.remove(&request).unwrap_or(at);
                if let Ok(id) = id.parse() {
                    recorder.published(seat, id, asked);
                }
            }
            Word::Read(read) => {
                heard.last.insert(read.topic.clone(), read.id.clone());
                drop(heard);
                self.has_read(&read, at);
            }
            Word::Holds(held) => {
                let network = &self.cast.plan.network;
                let held: Vec<_> = held.iter().filter_map(|held| held.held(network)).collect();
                recorder.lists(seat, &held);
            }
            Word::ToldAll => recorder.has_told_all(seat, at),
            Word::Banned { peer, cause } => {
                if let Some(BanCause::Fault(fault)) = BanCause::from_name(&cause) {
                    recorder.banned(seat, &peer, fault, at);
                }
            }
            Word::Exposed { author } => recorder.exposed(seat, author, at),
        }
    }

    /// Its application has a message.
    fn has_read(&self, read: &Read, at: Time) {
        let (id, topic) =
            (read.id.parse::<MessageId>(), self.cast.plan.network.topic_id(&read.topic));
        let (Ok(id), Some(topic)) = (id, topic) else { return };
        let slot = Slot { author: read.author, topic, generation: read.generation, seq: read.seq };
        if read.missed > 0 {
            tracing::error!(node = self.node, missed = read.missed, "a reader has missed messages");
        }
        let recorder = &self.cast.recorder;
        recorder.read(seat(self.node), id, slot, read.bytes, at);
        recorder.vouched(id, &read.vouchers);
    }
}

fn line(what: &impl serde::Serialize) -> anyhow::Result<String> {
    let mut line = serde_json::to_string(what)?;
    line.push('\n');
    Ok(line)
}
