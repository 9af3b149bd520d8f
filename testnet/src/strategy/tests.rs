//! What an adversary lets a strategy do, with a core that only takes notes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forsooth_protocol::{
    Drain, Event, Lane, Participant, Publication, Role, Snapshot, wire::Frame,
};
use rand::SeedableRng as _;

use self::field::Field;
use super::*;
use crate::{
    clock::RunClock,
    gate::Gate,
    record::{Recorder, Roster, Seat},
    tap::Tap,
};

mod field;
mod fuzz;
mod rows;

/// Notes what it is told and answers each frame with one.
struct Notebook {
    told: Arc<Mutex<Vec<Input>>>,
    effects: VecDeque<Effect>,
    peer: NodeId,
}

impl Participant for Notebook {
    fn handle(&mut self, _now: Time, input: Input) -> Drain<'_> {
        let to = self.peer;
        if let Input::Received { .. } = input {
            self.effects.push_back(Effect::Send {
                to,
                class: Class::Vouch,
                frame: Bytes::from_static(b"honest"),
            });
        } else if let Input::Connected { .. } = input {
            self.effects.push_back(Effect::Event(Event::LinkUp { peer: to, role: Role::Witness }));
        }
        self.told.lock().unwrap().push(input);
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        None
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }
}

/// Hides what it hears, says something else than its core, and acts once.
struct Contrary;

impl Strategy for Contrary {
    fn on_input(&mut self, input: Input, _cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::WallClock(_) = input { None } else { Some(input) }
    }

    fn on_effect(&mut self, effect: Effect, _cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Send { to, class, .. } = effect {
            return Some(Effect::Send { to, class, frame: Bytes::from_static(b"contrary") });
        }
        None
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        cx.tell(Input::Subscribe { topic: cx.topic, policy: None });
        for victim in cx.victims() {
            cx.attack(victim, Class::Payload, Bytes::from_static(b"attack"));
        }
        Some(cx.now + Duration::from_secs(1))
    }
}

struct Stage {
    gate: Gate,
    recorder: Arc<Recorder>,
    told: Arc<Mutex<Vec<Input>>>,
    adversary: Adversary,
    liar: NodeId,
    victim: NodeId,
}

fn stage() -> Stage {
    let field = Field { honest: 2, hostile: 1, ..Field::of(&FORGE) };
    let (network, topic) = field.network();
    let (keypair, victim) = (field.keypair(2), field.keypair(0).id());
    let honest = [victim, field.keypair(1).id()];
    let roster = Roster::new(honest, [(keypair.id(), &FORGE)]);
    let recorder = Arc::new(Recorder::new(roster, Arc::clone(&network)));
    let (told, gate, liar) = (Arc::default(), Gate::default(), keypair.id());
    let core = Notebook { told: Arc::clone(&told), effects: VecDeque::new(), peer: victim };
    let standing = Standing {
        keypair,
        network,
        topic,
        rng: ChaCha8Rng::seed_from_u64(1),
        gate: gate.clone(),
        onset: Onset::Attack,
        targets: Arc::default(),
        recorder: Arc::clone(&recorder),
    };
    let adversary = Adversary::new(Box::new(core), Box::new(Contrary), standing);
    Stage { gate, recorder, told, adversary, liar, victim }
}

impl Stage {
    /// What the adversary sends when it is told something.
    fn tell(&mut self, seconds: u64, input: Input) -> Vec<Bytes> {
        let now = Time::from_duration(Duration::from_secs(seconds));
        let frame =
            |effect| if let Effect::Send { frame, .. } = effect { Some(frame) } else { None };
        self.adversary.handle(now, input).filter_map(frame).collect()
    }

    fn hear(&mut self, seconds: u64) -> Vec<Bytes> {
        let frame = Bytes::from_static(b"news");
        self.tell(seconds, Input::Received { from: self.victim, lane: Lane::Control, frame })
    }

    fn connect(&mut self) {
        let connection = forsooth_protocol::Connection {
            direction: forsooth_protocol::Direction::Inbound,
            remote: None,
        };
        assert!(self.tell(0, Input::Connected { peer: self.victim, connection }).is_empty());
    }
}

#[test]
fn before_the_attack_an_adversary_is_its_core() {
    let mut stage = stage();
    stage.connect();
    assert_eq!(stage.hear(1), ["honest"]);
    assert!(stage.tell(2, Input::WallClock(Timestamp::from_millis(7))).is_empty());
    assert_eq!(stage.told.lock().unwrap().len(), 3);
    // It looks again soon whether the attack has begun.
    assert!(stage.adversary.deadline().unwrap() < Time::from_duration(Duration::from_secs(3)));
}

#[test]
fn in_the_attack_a_strategy_may_hide_replace_and_add() {
    let mut stage = stage();
    stage.connect();
    stage.gate.open();
    assert_eq!(stage.hear(1), ["contrary", "attack"]);
    assert_eq!(stage.adversary.deadline(), Some(Time::from_duration(Duration::from_secs(2))));
    assert!(stage.tell(1, Input::WallClock(Timestamp::from_millis(7))).is_empty());
    assert_eq!(stage.tell(2, Input::Tick), ["attack"]);
    let told: Vec<_> =
        stage.told.lock().unwrap().iter().map(|input| format!("{input:?}")).collect();
    let of = |kind: &str| told.iter().filter(|input| input.starts_with(kind)).count();
    assert_eq!((of("Received"), of("WallClock"), of("Subscribe"), of("Tick")), (1, 0, 2, 1));
    stage.gate.close();
    assert_eq!(stage.hear(9), ["honest"]);
}

#[test]
fn an_attack_counts_when_it_arrives() {
    let Stage { recorder, told, liar, victim, .. } = stage();
    let honest = Notebook { told, effects: VecDeque::new(), peer: victim };
    let mut tap = Tap::around(Box::new(honest), Seat(0), Arc::clone(&recorder), RunClock::Shared);
    let attack = Bytes::from_static(b"attack");
    let mut arrive = || {
        let frame = attack.clone();
        let arrived = Input::Received { from: liar, lane: Lane::Data, frame };
        tap.handle(Time::ZERO, arrived).for_each(drop);
        recorder.findings().hostile_actions()
    };
    assert_eq!(arrive(), 0);
    recorder.mark_hostile(&victim, &attack);
    assert_eq!(arrive(), 0, "others may send the same bytes");
    recorder.mark_hostile(&liar, &attack);
    assert_eq!(arrive(), 1);
    recorder.withheld(&liar);
    assert_eq!(recorder.findings().hostile_actions(), 2);
}
