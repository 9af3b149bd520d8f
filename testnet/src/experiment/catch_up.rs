//! How fast a node that joins late gets all that is kept: whole cores, without a network between them.
//!
//! A few servers have all messages on disk. One core has none, is linked with them, and pulls everything; signatures are
//! checked in batches, as workers do, of what has gathered. What is measured is the processor's time that the
//! joining node takes for it, on one thread, against the time that checking the same signatures takes alone. Both are
//! measured in turns, a batch each, so that whatever else slows the machine down slows down both.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use cpu_time::ThreadTime;
use forsooth_crypto::{Keypair, NodeId, Untrusted, verify_all};
use forsooth_protocol::{
    Address, Candidate, Config, Connection, Core, Direction, Effect, Held, Input, MessageId,
    Network, Participant as _, Publication, Slot, Standing, Time, Timestamp, Verdict, check_all,
    network::{Defence, Error, Kind, Policy, Retention, Topic},
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Bytes that a disk reads at once.
const READ_BYTES_MAX: usize = 1 << 20;
/// Time passes in steps of this length: about what a frame takes from one node to another.
const STEP: Duration = Duration::from_millis(5);
/// After so long it will not end.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Authors of the messages.
const AUTHORS: u64 = 16;
/// Signatures that are checked together, at most.
const BATCH: usize = 1024;
/// When it is.
const WALL: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Messages that are kept.
    pub messages: usize,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Nodes that keep them.
    pub servers: u8,
    /// From which everything random comes.
    pub seed: u64,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it, and `docs/testnets.md`")]
pub struct Report {
    pub messages: usize,
    pub payload_bytes: usize,
    pub servers: u8,
    pub seed: u64,
    /// Messages that the node handed to its application.
    pub accepted: usize,
    /// Processor seconds of the joining node, and of the servers together.
    pub joining_s: f64,
    pub serving_s: f64,
    /// Virtual seconds until all was there.
    pub virtual_s: f64,
    pub messages_per_second: f64,
    /// Bytes of frames that the node received and sent.
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub bytes_per_message: f64,
    /// Of checking the same signatures and nothing else, in batches as large.
    pub raw_per_second: f64,
    pub ratio: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, payload_bytes, servers, accepted, .. } = self;
        writeln!(
            f,
            "{accepted} of {messages} messages of {payload_bytes} B, from {servers} servers"
        )?;
        writeln!(
            f,
            "{:.2} s of the joining node, {:.2} s of the servers together, {:.1} s of virtual time",
            self.joining_s, self.serving_s, self.virtual_s
        )?;
        writeln!(
            f,
            "{:.0} messages a second; {:.0} bytes a message received and sent",
            self.messages_per_second, self.bytes_per_message
        )?;
        write!(f, "signatures alone: {:.0} a second; ratio {:.2}", self.raw_per_second, self.ratio)
    }
}

/// A core with a disk.
struct Host {
    id: NodeId,
    core: Core,
    disk: HashMap<MessageId, Bytes>,
    inbox: VecDeque<Input>,
    spent: Duration,
}

/// Measures.
///
/// # Errors
/// When the network makes no sense, such as with a payload that is too large.
pub fn run(setting: &Setting) -> Result<Report, Error> {
    let network = Arc::new(network(setting)?);
    let messages = messages(setting, &network);
    let mut scene = Scene::new(setting, &network, &messages);
    let topic = network.topics().next().map(|(id, _)| id);
    if let Some(topic) = topic {
        scene.tell(0, Input::Subscribe { topic, policy: None });
    }
    scene.introduce();
    while scene.accepted < messages.len() && scene.now < Time::from_duration(PATIENCE) {
        scene.step();
    }
    let joining = scene.hosts.first().map_or(Duration::ZERO, |host| host.spent);
    let serving = scene.hosts.iter().skip(1).map(|host| host.spent).sum::<Duration>();
    let rate = scene.accepted as f64 / joining.as_secs_f64().max(1e-9);
    scene.raw.finish();
    let raw = messages.len() as f64 / scene.raw.spent.as_secs_f64().max(1e-9);
    Ok(Report {
        messages: setting.messages,
        payload_bytes: setting.payload_bytes,
        servers: setting.servers,
        seed: setting.seed,
        accepted: scene.accepted,
        joining_s: joining.as_secs_f64(),
        serving_s: serving.as_secs_f64(),
        virtual_s: scene.now.as_duration().as_secs_f64(),
        messages_per_second: rate,
        bytes_received: scene.received,
        bytes_sent: scene.sent,
        bytes_per_message: (scene.received + scene.sent) as f64 / scene.accepted.max(1) as f64,
        raw_per_second: raw,
        ratio: rate / raw,
    })
}

fn network(setting: &Setting) -> Result<Network, Error> {
    let payload = u32::try_from(setting.payload_bytes).unwrap_or(u32::MAX);
    let topic = Topic {
        retention: Some(Retention::of(Duration::from_secs(30 * 86_400))),
        payload_bytes_max: payload.max(1024),
        ..Topic::new("kept", Policy::Verified)
    };
    Network::new("catch-up", Kind::Local, vec![topic], Defence::recommended(Kind::Local))
}

/// Old messages, as many authors would have said them within the rate: ten a second each.
fn messages(setting: &Setting, network: &Arc<Network>) -> Vec<Publication> {
    let Some((topic, rules)) = network.topics().next() else { return Vec::new() };
    let authors: Vec<Keypair> = (0..AUTHORS).map(|author| key(1000 + author)).collect();
    let per_author = (setting.messages as u64).div_ceil(AUTHORS);
    let span = Duration::from_millis(per_author * 100) + Duration::from_secs(600);
    let begin = WALL.saturating_sub(span);
    let message = |number: u64| {
        let (seq, author) = (number / AUTHORS, authors.get((number % AUTHORS) as usize)?);
        let slot = Slot { author: author.id(), topic, generation: 1, seq };
        let at = begin.saturating_add(Duration::from_millis(seq * 100));
        let payload = Bytes::from(vec![(number % 251) as u8; setting.payload_bytes]);
        Some(Publication::sign(slot, at, rules.lifetime_max, payload, author, network))
    };
    (0..setting.messages as u64).filter_map(message).collect()
}

/// The same signatures, checked and nothing else.
struct Raw {
    batches: VecDeque<Vec<Untrusted<Publication>>>,
    rng: ChaCha8Rng,
    spent: Duration,
}

impl Raw {
    fn new(messages: &[Publication], seed: u64) -> Self {
        let batch = |some: &[Publication]| some.iter().cloned().map(Untrusted::new).collect();
        let batches = messages.chunks(BATCH).map(batch).collect();
        Self { batches, rng: ChaCha8Rng::seed_from_u64(seed), spent: Duration::ZERO }
    }

    /// Checks a batch. Whether there was one.
    fn turn(&mut self) -> bool {
        let Some(batch) = self.batches.pop_front() else { return false };
        let begun = ThreadTime::now();
        drop(verify_all(batch, &mut self.rng));
        self.spent += begun.elapsed();
        true
    }

    fn finish(&mut self) {
        while self.turn() {}
    }
}

fn key(number: u64) -> Keypair {
    let mut seed = [0; 32];
    seed.iter_mut().zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    Keypair::from_seed(seed)
}

/// The joining node, which is the first, and the servers.
struct Scene {
    now: Time,
    hosts: Vec<Host>,
    rng: ChaCha8Rng,
    raw: Raw,
    accepted: usize,
    received: u64,
    sent: u64,
}

impl Scene {
    fn new(setting: &Setting, network: &Arc<Network>, messages: &[Publication]) -> Self {
        let accepted = Standing::Accepted { vouchers: Vec::new(), attestors: Vec::new() };
        let mut scene = Self {
            now: Time::ZERO,
            hosts: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(setting.seed),
            raw: Raw::new(messages, setting.seed),
            accepted: 0,
            received: 0,
            sent: 0,
        };
        for number in 0..=u64::from(setting.servers) {
            let keypair = key(number);
            let mut seed = [0; 32];
            let word = setting.seed.wrapping_add(number << 32).to_le_bytes();
            seed.iter_mut().zip(word).for_each(|(to, from)| *to = from);
            let core =
                Core::new(Config::new(network.clone(), WALL.as_secs()), keypair.clone(), seed);
            let (disk, inbox) = (HashMap::new(), VecDeque::new());
            let host = Host { id: keypair.id(), core, disk, inbox, spent: Duration::ZERO };
            scene.hosts.push(host);
        }
        for place in 0..scene.hosts.len() {
            scene.tell(place, Input::WallClock(WALL));
            if place > 0 {
                let held = messages.iter().map(|message| Held::new(message, &accepted)).collect();
                scene.tell(place, Input::Holds(held));
                let Some(host) = scene.hosts.get_mut(place) else { continue };
                let kept = messages.iter().map(|message| (message.id(), message.frame().clone()));
                host.disk = kept.collect();
            }
        }
        scene
    }

    /// Tells the joining node where the servers are.
    fn introduce(&mut self) {
        let servers = self.hosts.iter().enumerate().skip(1);
        let known =
            servers.map(|(place, host)| Candidate { peer: host.id, address: address(place) });
        let known = known.collect();
        self.tell(0, Input::Known(known));
    }

    fn tell(&mut self, place: usize, input: Input) {
        if let Some(host) = self.hosts.get_mut(place) {
            host.inbox.push_back(input);
        }
    }

    /// Everybody does what there is to do, and a little time passes.
    fn step(&mut self) {
        for place in 0..self.hosts.len() {
            let ordered = self.react(place);
            ordered.into_iter().for_each(|(to, input)| self.tell(to, input));
        }
        self.now = self.now + STEP;
        for place in 0..self.hosts.len() {
            let host = self.hosts.get(place);
            if host.and_then(|host| host.core.deadline()).is_some_and(|at| at <= self.now) {
                self.tell(place, Input::Tick);
            }
        }
    }

    /// One node deals with all that it was told. What others are told for it.
    fn react(&mut self, place: usize) -> Vec<(usize, Input)> {
        let ids: Vec<NodeId> = self.hosts.iter().map(|host| host.id).collect();
        let Self { now, hosts, rng, accepted, received, sent, .. } = self;
        let Some(host) = hosts.get_mut(place) else { return Vec::new() };
        let begun = ThreadTime::now();
        let (mut out, mut checks, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let mut batches = 0_usize;
        loop {
            let Some(input) = host.inbox.pop_front() else {
                // Nothing else is to be done: what has gathered is checked.
                if !kept.is_empty() {
                    let requests = std::mem::take(&mut kept);
                    host.inbox.push_back(Input::Kept { requests });
                } else if checks.is_empty() {
                    break;
                } else {
                    batches += 1;
                    let verdicts: Vec<Verdict> = check_all(std::mem::take(&mut checks), rng);
                    host.inbox.push_back(Input::Verdicts(verdicts));
                }
                continue;
            };
            if let Input::Received { frame, .. } = &input
                && place == 0
            {
                *received += frame.len() as u64;
            }
            for effect in host.core.handle(*now, input) {
                match effect {
                    Effect::Send { to, class, frame } => {
                        *sent += if place == 0 { frame.len() as u64 } else { 0 };
                        let to = ids.iter().position(|id| *id == to);
                        let (from, lane) = (host.id, class.lane());
                        out.extend(to.map(|to| (to, Input::Received { from, lane, frame })));
                    }
                    Effect::Dial { peer, .. } => {
                        let Some(to) = ids.iter().position(|id| *id == peer) else { continue };
                        out.push((place, connected(peer, to, Direction::Outbound)));
                        out.push((to, connected(host.id, place, Direction::Inbound)));
                    }
                    Effect::Verify { ticket, check } => {
                        checks.push((ticket, check));
                        if checks.len() >= BATCH {
                            batches += 1;
                            let verdicts = check_all(std::mem::take(&mut checks), rng);
                            host.inbox.push_front(Input::Verdicts(verdicts));
                        }
                    }
                    Effect::Keep { request, message, .. } => {
                        host.disk.insert(message.id(), message.frame().clone());
                        kept.push(request);
                    }
                    Effect::Load { request, ids, .. } => {
                        let frames = read(&host.disk, ids);
                        host.inbox.push_back(Input::Read { request, frames });
                    }
                    Effect::Deliver(_) => *accepted += 1,
                    Effect::Disconnect { .. }
                    | Effect::Validate { .. }
                    | Effect::Published { .. }
                    | Effect::Store(_)
                    | Effect::Event(_) => {}
                }
            }
        }
        host.spent += begun.elapsed();
        if place == 0 {
            (0..batches).for_each(|_| _ = self.raw.turn());
        }
        out
    }
}

/// As many as fit into one answer.
fn read(disk: &HashMap<MessageId, Bytes>, ids: Vec<MessageId>) -> Vec<(MessageId, Option<Bytes>)> {
    let mut bytes = 0;
    let mut frame = |id: MessageId| {
        let frame = disk.get(&id).filter(|frame| {
            bytes += frame.len();
            bytes <= READ_BYTES_MAX || bytes == frame.len()
        });
        (id, frame.cloned())
    };
    ids.into_iter().map(&mut frame).collect()
}

fn ip(place: usize) -> Ipv4Addr {
    Ipv4Addr::new(20, u8::try_from(place).unwrap_or(u8::MAX), 0, 1)
}

fn address(place: usize) -> Address {
    Address::new(&format!("/ip4/{}/tcp/8650", ip(place))).expect("an IP address is short")
}

fn connected(peer: NodeId, place: usize, direction: Direction) -> Input {
    let connection = Connection { direction, remote: Some(ip(place).into()) };
    Input::Connected { peer, connection }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_joins_late_gets_all_that_is_kept_once() {
        let setting = Setting { messages: 3000, payload_bytes: 64, servers: 4, seed: 1 };
        let report = run(&setting).unwrap();
        assert_eq!(report.accepted, 3000);
        assert!(report.virtual_s < 30.0, "{report}");
        assert!(report.bytes_per_message < 500.0, "{report}");
    }
}
