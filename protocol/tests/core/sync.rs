//! What was missed: comparisons, what is pulled and how it is believed, and what is served.

mod disk;
mod liars;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Config, Connection, Defences, Direction, Effect, Event, Fault, Held, Input, Judgement,
    MessageId, Network, Publication, Slot, Standing, TopicId,
    sync::{
        Bounds, Index, Item,
        reconcile::{Limits, NONCE_BYTES, Opener, answer},
    },
    wire::{Frame, Intent},
};

use crate::{
    keeping::{network, network_of},
    overlay::{dialled, witnesses},
    rig::{
        GENERATION, Rig, asks_the_application, candidate, delivered, greeting, hello, key,
        pushed_to, sent, vouched_to,
    },
};

/// A core with a disk, among peers that keep messages.
struct Shore {
    rig: Rig,
    disk: BTreeMap<MessageId, (Bytes, bool)>,
    peers: BTreeMap<NodeId, Store>,
    log: Vec<Effect>,
    /// What the disk has written and not said, if it is slow.
    unsaid: Option<Vec<u64>>,
    /// Witnesses that are linked when something first happens, with what they keep by then.
    coming: Vec<u8>,
}

/// What a peer keeps.
#[derive(Default)]
struct Store {
    index: BTreeMap<TopicId, Index>,
    messages: BTreeMap<MessageId, Publication>,
    /// What it was asked.
    asked: Vec<Frame>,
    /// It serves nothing of what it says to keep.
    reneges: bool,
    /// It serves something else.
    garbles: bool,
    /// It does not answer requests.
    dawdles: bool,
    /// It answers comparisons when it is told to.
    mumbles: bool,
    unsaid: Vec<Frame>,
}

fn item(message: &Publication) -> Item {
    Item::new(message.header().timestamp.as_millis(), *message.id().as_bytes())
}

impl Store {
    fn keep(&mut self, message: &Publication) {
        self.index.entry(message.header().slot.topic).or_default().insert(item(message));
        self.messages.insert(message.id(), message.clone());
    }

    fn reply(&mut self, frame: Frame) -> Vec<Frame> {
        let replies = match &frame {
            Frame::Compare { topic, question } => {
                let reply = answer(self.index.entry(*topic).or_default(), Bounds::ALL, question);
                let reply = Frame::Compared { topic: *topic, reply, is_behind: false };
                if self.mumbles {
                    self.unsaid.push(reply);
                    return Vec::new();
                }
                vec![reply]
            }
            Frame::Fetch { .. } if self.dawdles => Vec::new(),
            Frame::Fetch { topic, number, items } => {
                let id = |item: &Item| MessageId::from_bytes(*item.id());
                let found = items.iter().filter_map(|item| self.messages.get(&id(item)));
                let frames = found.map(|message| self.served(message)).collect();
                let frames = if self.reneges { Vec::new() } else { frames };
                vec![Frame::Haul { topic: *topic, number: *number, frames, is_last: true }]
            }
            _ => Vec::new(),
        };
        self.asked.push(frame);
        replies
    }

    fn served(&self, message: &Publication) -> Bytes {
        let payload = Bytes::from_static(b"ha");
        let spoilt = || Publication::from_parts(message.signed().clone(), payload.clone());
        if self.garbles { spoilt().frame().clone() } else { message.frame().clone() }
    }
}

impl Shore {
    fn new(witnesses: u8) -> Self {
        Self::with(witnesses, |_| {})
    }

    fn with(witnesses: u8, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::of(network(), witnesses, adjust)
    }

    fn of(network: Network, witnesses: u8, adjust: impl FnOnce(&mut Config)) -> Self {
        let rig = Rig::with(network, adjust);
        let (disk, peers, log) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let coming = (1..=witnesses).collect();
        Self { rig, disk, peers, log, unsaid: None, coming }
    }

    fn join(&mut self, tag: u8) {
        self.peer(tag);
        let before = self.rig.log.len();
        self.rig.witness(tag);
        let ordered = self.rig.log.split_off(before);
        self.rig.log.extend(ordered.iter().cloned());
        self.play(ordered);
    }

    fn begin(&mut self) {
        std::mem::take(&mut self.coming).into_iter().for_each(|tag| self.join(tag));
    }

    fn peer(&mut self, tag: u8) -> &mut Store {
        self.peers.entry(key(tag).id()).or_default()
    }

    fn keep(&mut self, tags: impl IntoIterator<Item = u8>, message: &Publication) {
        tags.into_iter().for_each(|tag| self.peer(tag).keep(message));
    }

    /// Does what the core ordered, and what follows from it.
    fn play(&mut self, effects: Vec<Effect>) {
        let mut todo = std::collections::VecDeque::from(effects);
        while let Some(effect) = todo.pop_front() {
            let inputs = self.carry_out(&effect);
            self.log.push(effect);
            for input in inputs {
                todo.extend(self.rig.input(input));
            }
        }
    }

    fn carry_out(&mut self, effect: &Effect) -> Vec<Input> {
        match effect {
            Effect::Keep { request, message, standing } => {
                let is_open = Held::new(message, standing).is_open;
                self.disk.insert(message.id(), (message.frame().clone(), is_open));
                if let Some(unsaid) = &mut self.unsaid {
                    unsaid.push(*request);
                    return Vec::new();
                }
                vec![Input::Kept { requests: vec![*request] }]
            }
            Effect::Load { request, ids, .. } => {
                let read =
                    |id: &MessageId| (*id, self.disk.get(id).map(|(frame, _)| frame.clone()));
                vec![Input::Read { request: *request, frames: ids.iter().map(read).collect() }]
            }
            Effect::Send { to, frame, .. } => {
                let frame = Frame::decode(frame, &self.rig.network).unwrap();
                let replies = self.peers.get_mut(to).map(|peer| peer.reply(frame));
                let received = |frame: Frame| Input::Received {
                    from: *to,
                    lane: frame.class().lane(),
                    frame: frame.encode(),
                };
                replies.into_iter().flatten().map(received).collect()
            }
            _ => Vec::new(),
        }
    }

    fn input(&mut self, input: Input) {
        self.begin();
        let effects = self.rig.input(input);
        self.play(effects);
    }

    /// A peer sends a frame.
    fn send(&mut self, from: NodeId, frame: &Frame) {
        self.begin();
        let effects = self.rig.send(from, frame);
        self.play(effects);
    }

    /// Lets time pass.
    fn wait(&mut self, seconds: u64) {
        self.begin();
        for _ in 0..seconds * 4 {
            let effects = self.rig.wait(Duration::from_millis(250));
            self.play(effects);
        }
    }

    /// Whether it tells a newcomer that compares with it that it lacks something.
    fn is_behind_to(&mut self, tag: u8) -> bool {
        let guest = self.rig.inbound(tag);
        let (_, question) =
            Opener::open(&Index::new(), Bounds::ALL, Limits::default(), [tag; NONCE_BYTES]);
        self.log.clear();
        self.send(guest, &Frame::Compare { topic: self.rig.open(), question });
        let replies = sent(&self.rig, &self.log, guest);
        let reply = replies.iter().find_map(|frame| match frame {
            Frame::Compared { is_behind, .. } => Some(*is_behind),
            _ => None,
        });
        reply.unwrap()
    }

    /// A peer says what it has not said, and speaks up from now on.
    fn speak(&mut self, tag: u8) {
        let peer = self.peer(tag);
        peer.mumbles = false;
        let unsaid = std::mem::take(&mut peer.unsaid);
        unsaid.iter().for_each(|frame| self.send(key(tag).id(), frame));
    }

    fn delivered(&self) -> Vec<MessageId> {
        delivered(&self.log).iter().map(|accepted| accepted.message().id()).collect()
    }

    fn news(&self, seq: u64, age: u64) -> Publication {
        self.message("news", seq, age, "hi")
    }

    fn open(&self, seq: u64, age: u64) -> Publication {
        self.message("open", seq, age, "hi")
    }

    /// A message that was made so many seconds ago, and lived for a minute.
    fn message(&self, topic: &str, seq: u64, age: u64, payload: &str) -> Publication {
        let topic = self.rig.network.topic_id(topic).unwrap();
        let slot = Slot { author: key(9).id(), topic, generation: GENERATION, seq };
        let at = self.rig.wall().saturating_sub(Duration::from_secs(age));
        self.rig.sign(9, slot, at, Duration::from_secs(60), payload)
    }

    fn faults(&self) -> Vec<Fault> {
        self.rig.faults()
    }

    fn state(&self, topic: &str) -> forsooth_protocol::snapshot::SyncState {
        let topic = self.rig.network.topic_id(topic).unwrap();
        *self.rig.snapshot().sync.get(&topic).unwrap()
    }
}

#[test]
fn equal_states_cost_one_question_and_one_reply() {
    let mut shore = Shore::new(1);
    let messages: Vec<_> = (0..50).map(|seq| shore.open(seq, 30)).collect();
    let peer = key(1).id();
    for message in &messages {
        shore.peer(1).keep(message);
        shore.send(peer, &Frame::Publication(message.clone()));
    }
    shore.wait(60);
    shore.log.clear();
    shore.peer(1).asked.clear();
    shore.wait(40);
    let is_question = |frame: &&Frame| matches!(frame, Frame::Compare { .. });
    let questions = shore.peers[&peer].asked.iter().filter(is_question);
    let bytes: Vec<usize> = questions.map(|frame| frame.encode().len()).collect();
    assert!((2..=4).contains(&bytes.len()), "two topics, seldom, with one question: {bytes:?}");
    // The reply takes a dozen.
    assert!(bytes.iter().all(|bytes| *bytes < 180), "{bytes:?}");
    assert!(shore.state("open").equal_for.is_some() && !shore.state("open").is_behind);
}

#[test]
fn a_node_that_was_away_gets_what_it_missed_alive_or_not() {
    let mut shore = Shore::new(3);
    let messages: Vec<_> = (0..40).map(|seq| shore.open(seq, 20 + 20 * seq)).collect();
    messages.iter().for_each(|message| shore.keep([1, 2, 3], message));
    shore.wait(10);
    let mut got = shore.delivered();
    got.sort_unstable();
    let mut due: Vec<_> = messages.iter().map(Publication::id).collect();
    due.sort_unstable();
    assert_eq!(got, due, "each once");
    assert!(shore.faults().is_empty(), "{:?}", shore.faults());
    assert!(shore.state("open").is_settled);
    let fetched = shore.peers.values().flat_map(|peer| &peer.asked).map(|frame| match frame {
        Frame::Fetch { items, .. } => items.len(),
        _ => 0,
    });
    assert_eq!(fetched.sum::<usize>(), 40, "no two are asked for one message");
}

#[test]
fn what_is_over_is_neither_relayed_nor_vouched_for() {
    let mut shore = Shore::new(3);
    let message = shore.open(0, 300);
    shore.keep([1], &message);
    shore.wait(5);
    assert_eq!(shore.delivered(), [message.id()]);
    for tag in [1, 2, 3] {
        assert!(pushed_to(&shore.rig, &shore.log, key(tag).id()).is_empty());
        assert!(vouched_to(&shore.rig, &shore.log, key(tag).id()).is_empty());
    }
}

#[test]
fn what_is_over_waits_for_k_witnesses_that_keep_it() {
    let mut shore = Shore::new(3);
    let message = shore.news(0, 300);
    shore.keep([1], &message);
    shore.wait(20);
    assert!(shore.delivered().is_empty(), "one of three is not two");
    assert_eq!((shore.state("news").pending, shore.state("news").held), (1, 0));
    shore.keep([2], &message);
    shore.wait(300);
    assert_eq!(shore.delivered(), [message.id()]);
    assert_eq!((shore.state("news").pending, shore.state("news").held), (0, 1));
}

#[test]
fn what_waits_is_served_to_nobody() {
    let mut shore = Shore::new(3);
    let (message, held) = (shore.news(0, 300), shore.news(1, 300));
    shore.keep([1], &message);
    shore.keep([1, 2, 3], &held);
    shore.wait(20);
    assert_eq!(shore.delivered(), [held.id()]);
    let topic = message.header().slot.topic;
    let items = vec![item(&message), item(&held)];
    shore.log.clear();
    shore.send(key(2).id(), &Frame::Fetch { topic, number: 1, items });
    let hauls = shore.log.iter().filter_map(|effect| match effect {
        Effect::Send { frame, .. } => Frame::decode(frame, &shore.rig.network).ok(),
        _ => None,
    });
    let served: usize = hauls
        .map(|frame| match frame {
            Frame::Haul { frames, .. } => frames.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(served, 1);
}

#[test]
fn what_is_offered_is_fetched() {
    let mut shore = Shore::new(1);
    shore.wait(10);
    let message = shore.open(0, 300);
    shore.keep([1], &message);
    let (topic, items) = (message.header().slot.topic, vec![item(&message)]);
    shore.send(key(1).id(), &Frame::Offer { topic, items });
    assert_eq!(shore.delivered(), [message.id()]);
    assert!(shore.faults().is_empty());
}

/// The witness that is asked first keeps nothing, and three others keep ten messages. Whether the node misses them.
pub(crate) fn one_server_hides_what_others_keep(defences: Defences) -> bool {
    let mut shore = Shore::with(4, |config| config.defences = defences);
    let messages: Vec<_> = (0..10).map(|seq| shore.open(seq, 300)).collect();
    // The first witness by key is the one that is believed alone.
    shore.coming.sort_by_key(|tag| key(*tag).id());
    let server = *shore.coming.first().unwrap();
    let others = (1..=4).filter(|tag| *tag != server);
    messages.iter().for_each(|message| shore.keep(others.clone(), message));
    shore.wait(60);
    shore.delivered().is_empty()
}

#[test]
fn who_is_visited_is_compared_with_and_serves_what_is_lacking() {
    let mut shore = Shore::new(8);
    let lacking = shore.open(0, 30);
    shore.keep([20], &lacking);
    shore.wait(60);
    assert!(shore.delivered().is_empty(), "no witness has it");
    let visited = key(20).id();
    shore.input(Input::Known(vec![candidate(20)]));
    let remote = Some([127, 0, 0, 20].into());
    let connection = Connection { direction: Direction::Outbound, remote };
    shore.input(Input::Connected { peer: visited, connection });
    shore.send(visited, &greeting(Intent::Visit));
    shore.wait(1);
    assert_eq!(shore.delivered(), [lacking.id()]);
    // Whoever has come to us for a visit is answered as well.
    let guest = key(21).id();
    let connection = Connection { direction: Direction::Inbound, remote };
    shore.input(Input::Connected { peer: guest, connection });
    shore.send(guest, &greeting(Intent::Visit));
    let number = 7;
    let topic = shore.rig.open();
    let items = vec![item(&lacking)];
    shore.log.clear();
    shore.send(guest, &Frame::Fetch { topic, number, items });
    let to_guest = sent(&shore.rig, &shore.log, guest);
    assert!(
        to_guest.iter().any(
            |frame| matches!(frame, Frame::Haul { number: 7, frames, .. } if frames.len() == 1)
        )
    );
    shore.wait(30);
    let is_left = |effect: &Effect| matches!(effect, Effect::Disconnect { peer, fault: None, banned: false } if *peer == visited);
    assert!(shore.log.iter().any(is_left), "a visit ends");
    assert!(shore.faults().is_empty(), "{:?}", shore.faults());
}
