//! The world itself, driven by participants that know no protocol.

mod chaos;
mod faults;
mod traffic;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use forsooth_crypto::Keypair;
use forsooth_protocol::{Ban, BanCause, Class, Drain, Effect, Fault, Record};

use super::*;

const MS: Duration = Duration::from_millis(1);
const CONDITIONS: Conditions = Conditions::uniform(MS, Duration::from_millis(40));

/// What was noted, and when.
type Diary = Arc<Mutex<Vec<(Time, String)>>>;

/// Writes down what it is told and carries out prepared orders, one batch for each thing that it is told by
/// `Input::Known`.
struct Puppet {
    name: &'static str,
    diary: Diary,
    orders: VecDeque<Vec<Effect>>,
    effects: VecDeque<Effect>,
    deadline: Option<Time>,
}

impl Participant for Puppet {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        let entry = match input {
            Input::Known(_) => {
                self.effects.extend(self.orders.pop_front().into_iter().flatten());
                None
            }
            Input::Connected { connection, .. } => {
                Some(format!("connected {:?}", connection.direction))
            }
            Input::Disconnected { .. } => Some("disconnected".to_owned()),
            Input::DialFailed { .. } => Some("dial failed".to_owned()),
            Input::Received { frame, .. } => Some(String::from_utf8_lossy(&frame).into_owned()),
            Input::Tick => {
                self.deadline = None;
                Some(format!("tick {now}"))
            }
            Input::Misbehaved { fault, .. } => Some(fault.name().to_owned()),
            Input::Stopping => Some("stopping".to_owned()),
            Input::Loaded(records) => Some(format!("loaded {}", records.len())),
            // Only clocks that are wrong are worth a note.
            Input::WallClock(wall) => {
                let (right, wall) = (EPOCH.as_millis(), wall.as_millis());
                let right = i128::from(right) + now.as_duration().as_millis() as i128;
                let ahead = i128::from(wall) - right;
                (ahead != 0).then(|| format!("clock {ahead}"))
            }
            Input::Keep(_)
            | Input::Listening(_)
            | Input::Verdicts(_)
            | Input::Validated { .. }
            | Input::Publish { .. }
            | Input::Subscribe { .. }
            | Input::Unsubscribe { .. }
            | Input::Ban { .. }
            | Input::Tagged(_)
            | Input::Holds(_)
            | Input::Kept { .. }
            | Input::Unkept { .. }
            | Input::Read { .. }
            | Input::Forgotten(_)
            | Input::Pardon { .. } => None,
        };
        let entries = entry.map(|entry| (now, format!("{} {entry}", self.name)));
        self.diary.lock().unwrap().extend(entries);
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}

/// Some puppets; `a` and `b` are the first two.
struct Stage {
    world: World,
    diary: Diary,
    a: Index,
    b: Index,
}

fn id(tag: u8) -> NodeId {
    Keypair::from_seed([tag; 32]).id()
}

fn at(ms: u64) -> Time {
    Time::from_duration(Duration::from_millis(ms))
}

/// A dial to where a node is.
fn dial(peer: u8, node: u32) -> Effect {
    Effect::Dial { peer: id(peer), address: address(ip(Index(node)).into()) }
}

fn send(to: u8, class: Class, text: &'static str) -> Effect {
    Effect::Send { to: id(to), class, frame: Bytes::from_static(text.as_bytes()) }
}

fn puppet(name: &'static str, diary: &Diary, orders: Vec<Vec<Effect>>) -> Box<Puppet> {
    let (diary, effects) = (Arc::clone(diary), VecDeque::new());
    Box::new(Puppet { name, diary, orders: orders.into(), effects, deadline: None })
}

fn stage(seed: u64, a_orders: Vec<Vec<Effect>>, b_orders: Vec<Vec<Effect>>) -> Stage {
    stage_with(seed, CONDITIONS, a_orders, b_orders)
}

fn stage_with(
    seed: u64,
    links: impl Into<Links>,
    a_orders: Vec<Vec<Effect>>,
    b_orders: Vec<Vec<Effect>>,
) -> Stage {
    let (mut world, diary) = (World::new(seed, links), Diary::default());
    let a = world.add(id(1), puppet("a", &diary, a_orders));
    let b = world.add(id(2), puppet("b", &diary, b_orders));
    Stage { world, diary, a, b }
}

/// A stage on which `a` has a link to `b`, and the time is one second.
fn linked(
    links: impl Into<Links>,
    a_orders: Vec<Vec<Effect>>,
    b_orders: Vec<Vec<Effect>>,
) -> Stage {
    let mut all = vec![vec![dial(2, 1)]];
    all.extend(a_orders);
    let mut stage = stage_with(1, links, all, b_orders);
    stage.pull(0, stage.a);
    stage.world.run_until(at(1000));
    assert_eq!(stage.told(), ["b connected Inbound", "a connected Outbound"]);
    stage
}

impl Stage {
    /// Lets a puppet carry out its next batch of orders.
    fn pull(&mut self, ms: u64, node: Index) {
        self.world.tell(at(ms), node, Input::Known(Vec::new()));
    }

    /// What was noted since this was asked last.
    fn told(&mut self) -> Vec<String> {
        self.diary.lock().unwrap().drain(..).map(|(_, entry)| entry).collect()
    }

    /// The same with the milliseconds.
    fn told_when(&mut self) -> Vec<(u128, String)> {
        let mut diary = self.diary.lock().unwrap();
        diary.drain(..).map(|(when, entry)| (when.as_duration().as_millis(), entry)).collect()
    }

    /// What is noted up to a moment.
    fn until(&mut self, ms: u64) -> Vec<String> {
        self.world.run_until(at(ms));
        self.told()
    }

    fn end(mut self) -> Vec<String> {
        self.until(10_000)
    }
}

#[test]
fn a_dial_becomes_a_link_at_both_ends_and_lanes_keep_their_order() {
    let words = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let talk = words.map(|word| send(2, Class::Payload, word)).into();
    let mut stage = stage(1, vec![vec![dial(2, 1)], talk], vec![]);
    stage.pull(0, stage.a);
    stage.pull(100, stage.a);
    let mut expected = vec!["b connected Inbound".to_owned(), "a connected Outbound".to_owned()];
    expected.extend(words.map(|word| format!("b {word}")));
    assert_eq!(stage.end(), expected);
}

#[test]
fn dials_at_once_from_both_ends_make_one_link() {
    for seed in 0..20 {
        let mut stage = stage(seed, vec![vec![dial(2, 1)]], vec![vec![dial(1, 0)]]);
        stage.pull(0, stage.a);
        stage.pull(0, stage.b);
        let diary = stage.end();
        assert_eq!(diary.len(), 2, "{diary:?}");
        assert!(diary.iter().any(|entry| entry.starts_with("a connected")), "{diary:?}");
        assert!(diary.iter().any(|entry| entry.starts_with("b connected")), "{diary:?}");
    }
}

#[test]
fn a_dial_to_a_wrong_address_fails() {
    let elsewhere = [address(ip(Index(7)).into()), address(ip(Index(0)).into())];
    for address in elsewhere.into_iter().chain(Address::new("nowhere")) {
        let order = Effect::Dial { peer: id(2), address: address.clone() };
        let mut stage = stage(1, vec![vec![order]], vec![]);
        stage.pull(0, stage.a);
        assert_eq!(stage.end(), ["a dial failed"], "{address:?}");
    }
}

#[test]
fn a_closed_link_loses_what_is_on_its_way_and_a_banned_peer_is_refused() {
    let until = EPOCH.saturating_add(Duration::from_secs(5));
    let cause = BanCause::Fault(Fault::Forged);
    let ban = |until| Effect::Store(Record::Ban(Ban { whom: id(2).into(), cause, until }));
    let close = Effect::Disconnect { peer: id(2), fault: Some(Fault::Forged), banned: true };
    let redial = vec![dial(1, 0)];
    let mut stage = stage(
        3,
        vec![vec![dial(2, 1)], vec![ban(Some(until)), close]],
        vec![vec![send(1, Class::Vouch, "too late")], redial.clone(), redial],
    );
    stage.pull(0, stage.a);
    stage.pull(200, stage.b);
    stage.pull(200, stage.a);
    stage.pull(1000, stage.b);
    // The ban is over.
    stage.pull(6000, stage.b);
    let expected = [
        "b connected Inbound",
        "a connected Outbound",
        "a disconnected",
        "b disconnected",
        "b dial failed",
        "a connected Inbound",
        "b connected Outbound",
    ];
    assert_eq!(stage.end(), expected);
}

#[test]
fn a_deadline_becomes_one_tick() {
    let (mut world, diary) = (World::new(1, CONDITIONS), Diary::default());
    let waiting = Puppet { deadline: Some(at(123)), ..*puppet("a", &diary, Vec::new()) };
    world.add(id(1), Box::new(waiting));
    world.run_until(at(1000));
    assert_eq!(*diary.lock().unwrap(), [(at(123), "a tick 0.123s".to_owned())]);
}

#[test]
fn the_digest_covers_what_was_said_and_when() {
    let digest = |seed, word| {
        let talk = vec![send(2, Class::Payload, word)];
        let mut stage = stage(seed, vec![vec![dial(2, 1)], talk], vec![]);
        stage.pull(0, stage.a);
        stage.pull(100, stage.a);
        stage.world.run_until(at(1000));
        stage.world.trace_digest()
    };
    assert_eq!(digest(1, "yes"), digest(1, "yes"));
    assert_ne!(digest(1, "yes"), digest(1, "no!"));
    assert_ne!(digest(1, "yes"), digest(2, "yes"));
}
