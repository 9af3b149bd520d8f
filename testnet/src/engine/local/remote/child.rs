//! The process of one node: it does what an application would, and says what it sees.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, BufRead as _, Write as _},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use anyhow::Context as _;
use forsooth::{Begin, Node, Verifier};
use forsooth_protocol::{Ban, Effect, Event, Input, Participant, Time, Whom};
use tokio::{sync::mpsc, time::interval};

use super::words::{Brief, OnDisk, Order, Read, Word};
use crate::{
    engine::{
        is_ready,
        local::{
            fleet::plain_builder,
            lag::{Distances, Lag},
        },
    },
    eyes::{Eyes, Watched},
    plan::Plan,
    scenario::Scenario,
};

/// How often it says how it stands.
const STANDS_EVERY: Duration = Duration::from_millis(200);
/// Orders that wait for the node.
const ORDERS_MAX: usize = 1024;

/// Says things, in order, without making anybody wait.
#[derive(Clone)]
struct Voice(Sender<Word>);

impl Voice {
    fn say(&self, word: Word) {
        // An error only says that nobody listens any more.
        let _ = self.0.send(word);
    }
}

/// Runs a node until there are no more orders, or until it is killed.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn main() -> anyhow::Result<()> {
    let mut brief = String::new();
    io::stdin().lock().read_line(&mut brief).context("reading the brief")?;
    let brief: Brief = serde_json::from_str(&brief).context("understanding the brief")?;
    let (tell, told) = channel();
    thread::Builder::new().name("voice".to_owned()).spawn(move || speak(&told))?;
    let (pass, orders) = mpsc::channel(ORDERS_MAX);
    thread::Builder::new().name("ears".to_owned()).spawn(move || listen(&pass))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(live(brief, Voice(tell), orders))
}

fn speak(told: &Receiver<Word>) {
    let mut out = io::stdout().lock();
    while let Ok(word) = told.recv() {
        let Ok(line) = serde_json::to_string(&word) else { continue };
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn listen(pass: &mpsc::Sender<Order>) {
    for line in io::stdin().lock().lines() {
        let Some(order) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else {
            return;
        };
        if pass.blocking_send(order).is_err() {
            return;
        }
    }
}

async fn live(brief: Brief, voice: Voice, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
    let scenario = Scenario::parse(&brief.scenario, "the brief", &[])?;
    let plan = Plan::of(&scenario)?;
    let (distances, me) = (Distances::new(&scenario, &plan), plan.keypair(brief.node).id());
    let verifier = Verifier::start(std::num::NonZeroUsize::MIN)?;
    let spied = voice.clone();
    let node = plain_builder(&plan, brief.node, brief.ip)?
        .verifier(verifier)
        .data_dir(&brief.folder)
        .participant(move |core| {
            let spy = Spy { voice: spied, has_told_all: false };
            let spy: Box<dyn Participant> = Box::new(Watched::new(Box::new(core), spy));
            match distances {
                Some(distances) => Box::new(Lag::new(spy, &me, distances)),
                None => spy,
            }
        })
        .start()
        .await?;
    let generation = node.snapshot().await?.core.generation;
    let addresses = node.addresses().iter().map(ToString::to_string).collect();
    voice.say(Word::Ready { addresses, generation });
    for (_, topic) in node.network().topics() {
        tokio::spawn(read(node.clone(), topic.name.clone(), brief.after.clone(), voice.clone()));
    }
    let mut stands = interval(STANDS_EVERY);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => obey(&node, order, &voice).await?,
                None => break,
            },
            _ = stands.tick() => {
                let core = node.snapshot().await?.core;
                voice.say(Word::Stands { witnesses: core.witnesses, is_ready: is_ready(&core) });
            }
        }
    }
    Ok(node.shutdown().await?)
}

async fn obey(node: &Node, order: Order, voice: &Voice) -> anyhow::Result<()> {
    match order {
        Order::Peers(peers) => {
            let peers: Result<Vec<_>, _> = peers.iter().map(|peer| peer.parse()).collect();
            node.add_peers(peers?).await?;
        }
        Order::Publish { request, topic, payload } => {
            let (node, voice) = (node.clone(), voice.clone());
            tokio::spawn(async move {
                // A node that has just started listens for others with its key, and refuses.
                if let Ok(receipt) = node.publish(&topic, payload.into_bytes()).await {
                    voice.say(Word::Published { request, id: receipt.id.to_string() });
                }
            });
        }
    }
    Ok(())
}

/// Reads a topic as an application does that stores the id of the last message that it has dealt with.
async fn read(node: Node, topic: String, after: BTreeMap<String, String>, voice: Voice) {
    let last = after.get(&topic).and_then(|id| id.parse().ok());
    let begin = last.map_or(Begin::Start, Begin::After);
    let mut history = match node.history(&topic, begin).await {
        Ok(history) => history,
        Err(error) => return tracing::error!(%error, "cannot read what is kept"),
    };
    while let Some(read) = history.recv().await {
        match read {
            Ok(message) => voice.say(Word::Read(Read {
                id: message.id.to_string(),
                topic: message.topic,
                author: message.author,
                generation: message.generation,
                seq: message.seq,
                bytes: message.payload.len(),
                vouchers: message.vouchers,
                missed: message.missed,
            })),
            Err(error) => return tracing::error!(%error, "cannot read what is kept"),
        }
    }
}

/// Says what of a node's inputs and effects concerns the run.
struct Spy {
    voice: Voice,
    has_told_all: bool,
}

impl Eyes for Spy {
    fn see_input(&mut self, _now: Time, input: &Input) {
        if let Input::Holds(held) = input {
            self.voice.say(Word::Holds(held.iter().map(OnDisk::from).collect()));
        } else if let Input::Connected { .. } = input
            && !self.has_told_all
        {
            self.has_told_all = true;
            self.voice.say(Word::ToldAll);
        }
    }

    fn see_effects(&mut self, _now: Time, effects: &VecDeque<Effect>) {
        for effect in effects {
            if let Effect::Event(Event::Banned(Ban { whom: Whom::Peer(peer), cause, .. })) = effect
            {
                self.voice.say(Word::Banned { peer: *peer, cause: cause.name().to_owned() });
            } else if let Effect::Event(Event::Exposed { proof }) = effect {
                self.voice.say(Word::Exposed { author: proof.author() });
            }
        }
    }
}
