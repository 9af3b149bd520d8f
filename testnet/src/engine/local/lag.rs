//! The links of a scenario, for real nodes: what arrives on loopback waits as long as it would have taken.
//!
//! [`Lag`] goes around a participant and holds back frames, each for the latency, jitter and losses of its link,
//! as the simulator draws them. Frames of one lane stay in their order, and the end of a link comes after what
//! was sent on it. Loopback's own time comes on top. Bandwidth is not imitated.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use forsooth_crypto::NodeId;
use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{Drain, Effect, Input, Lane, Participant, Snapshot, Time};

use crate::{
    engine::classes::Classes,
    plan::Plan,
    scenario::Scenario,
    world::{
        Group, Latency,
        road::{Dice, Roads},
    },
};

/// Bytes that may be on their way to one node; what comes beyond arrives at once, so that nobody can fill
/// this machine's memory by sending fast.
const ON_THE_WAY_BYTES_MAX: usize = 64 << 20;

/// What the links between all nodes of a run are like.
#[derive(Debug)]
pub(super) struct Distances {
    roads: Roads,
    groups: BTreeMap<NodeId, Group>,
    seed: u64,
}

impl Distances {
    /// `None` if links are to be as fast as this machine makes them.
    pub(super) fn new(scenario: &Scenario, plan: &Plan) -> Option<Arc<Self>> {
        let links = &scenario.links;
        let mut all = links.by_group.iter().map(|(_, link)| link).chain([&links.default]);
        let none = Latency::Uniform { min: Duration::ZERO, max: Duration::ZERO };
        let at_once = all.all(|link| {
            let (whole, sure) = (link.jitter.is_zero(), link.loss <= 0.0 && link.duplicate <= 0.0);
            link.latency == none && whole && sure
        });
        if at_once {
            return None;
        }
        let classes = Classes::new(scenario, plan, &BTreeMap::new());
        let roads = Roads::new(classes.links(&BTreeMap::new()));
        let group = |node: usize| (plan.keypair(node).id(), classes.of(node));
        Some(Arc::new(Self {
            roads,
            groups: (0..plan.nodes()).map(group).collect(),
            seed: plan.seed,
        }))
    }

    fn group(&self, node: &NodeId) -> Group {
        self.groups.get(node).copied().unwrap_or_default()
    }
}

/// A participant at the end of long links.
pub(super) struct Lag {
    inner: Box<dyn Participant>,
    group: Group,
    distances: Arc<Distances>,
    dice: Dice,
    /// What is on its way, by when it arrives and in which order it came.
    coming: BTreeMap<(Time, u64), Input>,
    coming_bytes: usize,
    next: u64,
    /// When the last of what each peer sent on each lane arrives.
    last: BTreeMap<NodeId, [Time; 2]>,
    effects: VecDeque<Effect>,
}

impl Lag {
    pub(super) fn new(inner: Box<dyn Participant>, me: &NodeId, distances: Arc<Distances>) -> Self {
        let seed = u64::from_le_bytes(*me.as_bytes().first_chunk().unwrap_or(&[0; 8]));
        Self {
            inner,
            group: distances.group(me),
            dice: Dice::new(distances.seed ^ seed),
            distances,
            coming: BTreeMap::new(),
            coming_bytes: 0,
            next: 0,
            last: BTreeMap::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes what the shell says, now or when it would have come over such a link.
    fn take(&mut self, now: Time, input: Input) {
        match input {
            Input::Received { from, lane, ref frame } => {
                let bytes = frame.len();
                if self.coming_bytes.saturating_add(bytes) > ON_THE_WAY_BYTES_MAX {
                    return self.pass_on(now, input);
                }
                let road = self.distances.roads.between(self.distances.group(&from), self.group);
                let takes = Duration::from_nanos(road.takes(&mut self.dice));
                let copies = if road.doubles(&mut self.dice) { 2 } else { 1 };
                let [control, data] = self.last.entry(from).or_insert([now; 2]);
                let last = match lane {
                    Lane::Control => control,
                    Lane::Data => data,
                };
                *last = (*last).max(now + takes);
                let at = *last;
                for _ in 0..copies {
                    self.coming_bytes = self.coming_bytes.saturating_add(bytes);
                    self.hold(at, input.clone());
                }
            }
            Input::Connected { peer, .. }
            | Input::Disconnected { peer }
            | Input::Misbehaved { peer, .. } => {
                let over = matches!(input, Input::Disconnected { .. });
                let last = self.last.get(&peer).into_iter().flatten().copied().max();
                match last.filter(|last| *last > now) {
                    Some(last) => self.hold(last, input),
                    None => self.pass_on(now, input),
                }
                if over {
                    // Whoever is linked again must not overtake its own farewell.
                    self.last.entry(peer).and_modify(|[control, data]| {
                        let last = (*control).max(*data);
                        (*control, *data) = (last, last);
                    });
                }
            }
            Input::WallClock(_)
            | Input::Known(_)
            | Input::Keep(_)
            | Input::Listening(_)
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
            | Input::Tick => self.pass_on(now, input),
        }
    }

    fn hold(&mut self, at: Time, input: Input) {
        self.next += 1;
        self.coming.insert((at, self.next), input);
    }

    fn pass_on(&mut self, now: Time, input: Input) {
        self.effects.extend(self.inner.handle(now, input));
    }
}

impl Participant for Lag {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        while let Some(first) = self.coming.first_entry().filter(|first| first.key().0 <= now) {
            let input = first.remove();
            if let Input::Received { frame, .. } = &input {
                self.coming_bytes = self.coming_bytes.saturating_sub(frame.len());
            }
            self.pass_on(now, input);
        }
        self.take(now, input);
        Drain::new(&mut self.effects)
    }

    fn deadline(&self) -> Option<Time> {
        let first = self.coming.first_key_value().map(|((at, _), _)| *at);
        first.into_iter().chain(self.inner.deadline()).min()
    }

    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn members(&self) -> Vec<MemberState> {
        self.inner.members()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use forsooth_protocol::{Config, Core};

    use super::*;

    /// Remembers what it is told.
    struct Ear {
        core: Core,
        heard: Arc<std::sync::Mutex<Vec<(Time, String)>>>,
        effects: VecDeque<Effect>,
    }

    impl Participant for Ear {
        fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
            if let Input::Received { frame, .. } = &input {
                let what = String::from_utf8_lossy(frame).into_owned();
                self.heard.lock().unwrap().push((now, what));
            } else if let Input::Disconnected { .. } = input {
                self.heard.lock().unwrap().push((now, "gone".to_owned()));
            }
            Drain::new(&mut self.effects)
        }

        fn deadline(&self) -> Option<Time> {
            None
        }

        fn snapshot(&self) -> Snapshot {
            self.core.snapshot()
        }
    }

    const fn ms(ms: u64) -> Time {
        Time::from_duration(Duration::from_millis(ms))
    }

    #[test]
    fn frames_come_late_and_in_order_and_the_end_of_a_link_after_them() {
        let text = "format = 1\nname = \"x\"\nabout = \"x\"\n[links.default]\nlatency = \"10ms..50ms\"\n\
                    [[groups]]\nname = \"a\"\nnodes = 3\n";
        let scenario = Scenario::parse(text, "x.toml", &[]).unwrap();
        let plan = Plan::of(&scenario).unwrap();
        let distances = Distances::new(&scenario, &plan).unwrap();
        let heard = Arc::default();
        let core = Core::new(
            Config::new(Arc::clone(&plan.network), 1),
            plan.keypair(0),
            plan.core_seed(0),
        );
        let ear = Ear { core, heard: Arc::clone(&heard), effects: VecDeque::new() };
        let mut lag = Lag::new(Box::new(ear), &plan.keypair(0).id(), distances);
        let from = plan.keypair(1).id();
        for number in 0..20 {
            let frame = Bytes::from(number.to_string());
            let sent = Input::Received { from, lane: Lane::Control, frame };
            drop(lag.handle(ms(number), sent));
        }
        drop(lag.handle(ms(20), Input::Disconnected { peer: from }));
        while let Some(at) = lag.deadline() {
            drop(lag.handle(at, Input::Tick));
        }
        let heard: Vec<_> = heard.lock().unwrap().clone();
        let order: Vec<_> =
            (0..20).map(|number| number.to_string()).chain(["gone".to_owned()]).collect();
        assert_eq!(heard.iter().map(|(_, what)| what.clone()).collect::<Vec<_>>(), order);
        assert!(heard.is_sorted_by_key(|(at, _)| *at));
        assert!(heard.iter().all(|(at, _)| *at >= ms(10) && *at <= ms(70)), "{heard:?}");
    }

    #[test]
    fn links_without_latency_are_left_alone() {
        let text = "format = 1\nname = \"x\"\nabout = \"x\"\n[links.default]\nlatency = \"0ms\"\n\
                    [[groups]]\nname = \"a\"\nnodes = 3\n";
        let scenario = Scenario::parse(text, "x.toml", &[]).unwrap();
        assert!(Distances::new(&scenario, &Plan::of(&scenario).unwrap()).is_none());
    }
}
