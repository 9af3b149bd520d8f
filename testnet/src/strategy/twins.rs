//! One key on two machines, each of them honest.
//!
//! Both machines are here behind one participant: each has half of the links, its own core, and says what
//! it likes in the slots that it believes to be its own, before it hears of the other.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::{NodeId, verify};
use forsooth_protocol::{
    Address, Candidate, Check, Config, Connection, Core, Direction, Effect, Input, Lane, Outcome,
    Participant as _, SignedRecord, Subject, Time, Verdict, member_outcome, record_outcome,
    wire::Frame,
};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Usual time between two messages of each twin.
const PACE: Duration = Duration::from_secs(1);
/// How often the second machine looks at its clock.
const GLANCE: Duration = Duration::from_millis(20);
/// What the twins number their publishing orders from, apart from those of an application.
const REQUESTS: u64 = 1 << 63;

/// The strategy's entry.
pub const TWINS: Kind = Kind {
    name: "twins",
    row: 5,
    sentence: "Runs one key on two machines that started in the same second, each of them honest and with \
               half of the links, and publishes from both.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        Box::new(Twins { intensity: brief.intensity, published: 0, due: None, other: None })
    },
};

struct Twins {
    intensity: Intensity,
    published: u64,
    /// When both publish next.
    due: Option<Time>,
    other: Option<Other>,
}

/// The second machine.
struct Other {
    core: Core,
    /// Whom it is linked to.
    peers: BTreeSet<NodeId>,
}

impl Other {
    /// A machine in the same generation as the first, which takes over half of its links.
    fn start(cx: &mut Cx<'_>) -> Self {
        let config = Config::new(Arc::new(cx.network.clone()), cx.generation);
        let core = Core::new(config, cx.keypair.clone(), cx.rng.random());
        let peers: BTreeSet<_> = cx.peers.iter().step_by(2).copied().collect();
        let mut other = Self { core, peers: peers.clone() };
        other.feed(Input::WallClock(cx.wall), cx);
        for peer in peers {
            cx.tell(Input::Disconnected { peer });
            // It has dialled the peer itself, as one that its operator named; the peer has greeted this key
            // already, and answers.
            let address = Address::new("/ip4/20.0.0.1/tcp/8650").expect("an address is short");
            other.feed(Input::Keep(vec![Candidate { peer, address }]), cx);
            let connection = Connection { direction: Direction::Outbound, remote: None };
            other.feed(Input::Connected { peer, connection }, cx);
        }
        other
    }

    /// Lets its core react; what it orders leaves as if the first machine had ordered it.
    fn feed(&mut self, input: Input, cx: &mut Cx<'_>) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let effects: Vec<_> = self.core.handle(cx.now, input).collect();
            for effect in effects {
                match effect {
                    Effect::Send { to, class, frame } => {
                        mark_own(&frame, cx);
                        cx.order(Effect::Send { to, class, frame });
                    }
                    Effect::Disconnect { .. } => cx.order(effect),
                    Effect::Verify { ticket, check } => {
                        let outcome = check_one(check);
                        inputs.push_back(Input::Verdicts(vec![Verdict { ticket, outcome }]));
                    }
                    Effect::Keep { request, .. } => {
                        inputs.push_back(Input::Unkept { requests: vec![request] });
                    }
                    // It knows nobody to dial, keeps nothing, and nobody reads on it.
                    Effect::Dial { .. }
                    | Effect::Validate { .. }
                    | Effect::Deliver(_)
                    | Effect::Published { .. }
                    | Effect::Load { .. }
                    | Effect::Store(_)
                    | Effect::Event(_) => {}
                }
            }
        }
    }

    /// Whether an input is for this machine. Both have a clock.
    fn hears(&mut self, input: &Input) -> bool {
        match input {
            Input::Received { from: peer, .. } | Input::Misbehaved { peer, .. } => {
                self.peers.contains(peer)
            }
            Input::Disconnected { peer } => self.peers.remove(peer),
            Input::WallClock(_)
            | Input::Known(_)
            | Input::Keep(_)
            | Input::Listening(_)
            | Input::Connected { .. }
            | Input::DialFailed { .. }
            | Input::Verdicts(_)
            | Input::Validated { .. }
            | Input::Publish { .. }
            | Input::Subscribe { .. }
            | Input::Unsubscribe { .. }
            | Input::Ban { .. }
            | Input::Pardon { .. }
            | Input::Loaded(_)
            | Input::Holds(_)
            | Input::Kept { .. }
            | Input::Unkept { .. }
            | Input::Read { .. }
            | Input::Forgotten(_)
            | Input::Stopping
            | Input::Tagged(_)
            | Input::Tick => false,
        }
    }
}

impl Twins {
    fn publish(&self, machine: &str, cx: &Cx<'_>) -> Input {
        let payload = format!("{machine} says {}", self.published);
        Input::Publish {
            request: REQUESTS + self.published,
            topic: cx.topic,
            payload: Bytes::from(payload),
            lifetime: None,
        }
    }
}

impl Strategy for Twins {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        let Some(other) = &mut self.other else { return Some(input) };
        if let Input::WallClock(_) = &input {
            other.feed(input.clone(), cx);
        } else if other.hears(&input) {
            other.feed(without_own_record(input, cx), cx);
            return None;
        }
        Some(without_own_record(input, cx))
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Some(other) = &self.other else { return Some(effect) };
        if let Effect::Send { to, frame, .. } = &effect {
            mark_own(frame, cx);
            // The link went over to the other machine just now.
            if other.peers.contains(to) {
                return None;
            }
        } else if let Effect::Dial { peer, .. } = &effect
            && other.peers.contains(peer)
        {
            cx.tell(Input::DialFailed { peer: *peer });
            return None;
        }
        Some(effect)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        // The second machine needs a moment to be greeted.
        let due = *self.due.get_or_insert(cx.now + pace);
        let mut other = self.other.take().unwrap_or_else(|| Other::start(cx));
        if due <= cx.now {
            self.due = Some(cx.now + pace);
            self.published += 1;
            cx.tell(self.publish("the first machine", cx));
            other.feed(self.publish("the second machine", cx), cx);
        } else {
            other.feed(Input::Tick, cx);
        }
        self.other = Some(other);
        Some(cx.now + GLANCE)
    }
}

/// What a machine hears of peers, without itself: one that learned of the other by its record would publish no more, and
/// nothing would be left to expose.
fn without_own_record(input: Input, cx: &Cx<'_>) -> Input {
    let Input::Received { from, lane: Lane::Control, frame } = &input else { return input };
    let me = cx.keypair.id();
    let others = |mut records: Vec<SignedRecord>| {
        records.retain(|record| record.record().id != me);
        records
    };
    let frame = match Frame::decode(frame, cx.network) {
        Ok(Frame::Answer(records)) => Frame::Answer(others(records)),
        Ok(Frame::Push(records)) => Frame::Push(others(records)),
        _ => return input,
    };
    Input::Received { from: *from, lane: Lane::Control, frame: frame.encode() }
}

/// Notes a message of the common key: honest of each machine, but not of both.
fn mark_own(frame: &Bytes, cx: &mut Cx<'_>) {
    if let Ok(Frame::Publication(message)) = Frame::decode(frame, cx.network)
        && message.header().slot.author == cx.keypair.id()
    {
        cx.mark(frame);
    }
}

fn check_one(check: Check) -> Outcome {
    match check {
        Check::Publication(message) => verify(message).map_or_else(
            |rejected| Outcome::Rejected(Subject::Publication, rejected.reason),
            Outcome::Publication,
        ),
        Check::Proof(proof) => verify(proof).map_or_else(
            |rejected| Outcome::Rejected(Subject::Proof, rejected.reason),
            Outcome::Proof,
        ),
        Check::Record(record) => record_outcome(verify(record)),
        Check::Member(record) => member_outcome(verify(record)),
        Check::Accusation(accusation) => verify(accusation).map_or_else(
            |rejected| Outcome::Rejected(Subject::Accusation, rejected.reason),
            Outcome::Accusation,
        ),
        Check::Answer(answer) => verify(answer).map_or_else(
            |rejected| Outcome::Rejected(Subject::Answer, rejected.reason),
            Outcome::Answer,
        ),
    }
}
