//! One node of a world: its participant, its links, whom it refuses, and when it wants to be woken.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Address, Class, Effect, Input, Judgement, Participant, Record, Time, Timestamp, Verdict,
};
use rand_chacha::ChaCha8Rng;

use super::{
    Conditions, Index,
    judge::Judge,
    place,
    queue::{Occurrence, Queue},
};

/// When a deadline is over that a tick has not moved. Without it, time would stand still.
const OVERDUE: Duration = Duration::from_millis(1);

/// A node.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) participant: Box<dyn Participant>,
    links: BTreeMap<Index, Link>,
    /// Until when a banned peer's dials are refused; for good if `None`.
    refused: BTreeMap<NodeId, Option<Timestamp>>,
    /// The one tick that is scheduled and meant; others are out of date.
    tick: Option<Time>,
}

/// This node's end of a link.
#[derive(Debug)]
struct Link {
    id: u64,
    /// When the last frame of each lane arrives at the other end; later ones do not overtake it.
    arrivals: [Time; 2],
}

/// What a node needs of its world to do something.
pub(crate) struct Hands<'a> {
    pub(crate) now: Time,
    pub(crate) index: Index,
    pub(crate) queue: &'a mut Queue,
    pub(crate) indices: &'a HashMap<NodeId, Index>,
    pub(crate) conditions: &'a Conditions,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) judge: &'a mut Judge,
}

impl Node {
    pub(crate) fn new(id: NodeId, participant: Box<dyn Participant>) -> Self {
        Self { id, participant, links: BTreeMap::new(), refused: BTreeMap::new(), tick: None }
    }

    /// Whether this link to `peer` is up at this end.
    pub(crate) fn linked(&self, peer: Index, link: u64) -> bool {
        self.links.get(&peer).is_some_and(|up| up.id == link)
    }

    /// Whether any link to `peer` is up at this end.
    pub(crate) fn is_linked(&self, peer: Index) -> bool {
        self.links.contains_key(&peer)
    }

    /// A link is up at this end; nothing arrives at the other end before `not_before`.
    pub(crate) fn link(&mut self, peer: Index, id: u64, not_before: Time) {
        self.links.insert(peer, Link { id, arrivals: [not_before; 2] });
    }

    /// The link is gone, if it was still up.
    pub(crate) fn unlink(&mut self, peer: Index, link: u64) -> bool {
        let up = self.linked(peer, link);
        if up {
            self.links.remove(&peer);
        }
        up
    }

    /// Whether `peer` is banned here.
    pub(crate) fn refuses(&self, peer: &NodeId, wall: Timestamp) -> bool {
        self.refused.get(peer).is_some_and(|until| until.is_none_or(|until| until > wall))
    }

    /// Whether a tick that is due now is still meant.
    pub(crate) fn take_tick(&mut self, now: Time) -> bool {
        let meant = self.tick == Some(now);
        if meant {
            self.tick = None;
        }
        meant
    }

    /// Sees to it that the node is woken at its deadline.
    pub(crate) fn schedule_tick(&mut self, hands: &mut Hands<'_>) {
        let Some(deadline) = self.participant.deadline() else { return };
        let at = if deadline > hands.now { deadline } else { hands.now + OVERDUE };
        // An earlier tick that has become too early only finds out the deadline again.
        if self.tick.is_none_or(|tick| tick > at) {
            self.tick = Some(at);
            hands.queue.push(at, Occurrence::Tick { node: hands.index });
        }
    }

    /// Lets the participant react and does what it orders. What it is told in answer goes to `inputs`.
    pub(crate) fn handle(
        &mut self,
        input: Input,
        hands: &mut Hands<'_>,
        inputs: &mut VecDeque<Input>,
    ) {
        let Self { participant, links, refused, .. } = self;
        let mut verdicts = Vec::new();
        for effect in participant.handle(hands.now, input) {
            match effect {
                Effect::Send { to, class, frame } => hands.send(links, to, class, frame),
                Effect::Dial { peer, address } => hands.dial(peer, &address, inputs),
                Effect::Disconnect { peer, fault: _, banned } => {
                    hands.disconnect(links, peer, inputs);
                    if banned {
                        refused.entry(peer).or_insert(None);
                    }
                }
                Effect::Verify { ticket, check } => {
                    verdicts.push(Verdict { ticket, outcome: hands.judge.judge(check) });
                }
                // No application here has an opinion.
                Effect::Validate { ticket, message: _ } => {
                    inputs.push_back(Input::Validated { ticket, judgement: Judgement::Accept });
                }
                Effect::Store(Record::Ban { peer, fault: _, until }) => {
                    refused.insert(peer, until);
                }
                Effect::Store(Record::Pardon { peer }) => {
                    refused.remove(&peer);
                }
                Effect::Store(Record::Proof { .. })
                | Effect::Deliver(_)
                | Effect::Published { .. }
                | Effect::Event(_) => {}
            }
        }
        if !verdicts.is_empty() {
            inputs.push_back(Input::Verdicts(verdicts));
        }
    }
}

impl Hands<'_> {
    fn send(&mut self, links: &mut BTreeMap<Index, Link>, to: NodeId, class: Class, frame: Bytes) {
        // A frame for a peer that has just gone is lost, as it would be in a queue.
        let Some(to) = self.indices.get(&to).copied() else { return };
        let Some(link) = links.get_mut(&to) else { return };
        let at = self.now + self.conditions.latency(self.rng);
        let lane = class.lane();
        let Some(last) = link.arrivals.get_mut(place(lane)) else { return };
        *last = at.max(*last);
        let arrived = Occurrence::Arrived { to, from: self.index, link: link.id, lane, frame };
        self.queue.push(*last, arrived);
    }

    fn dial(&mut self, peer: NodeId, address: &Address, inputs: &mut VecDeque<Input>) {
        let place =
            address.as_str().strip_prefix("world/").and_then(|place| place.parse().ok()).map(Index);
        match place {
            // The transport proves who is there, so a wrong address is a failed dial.
            Some(to) if self.indices.get(&peer) == Some(&to) && to != self.index => {
                let at = self.now + self.conditions.latency(self.rng);
                self.queue.push(at, Occurrence::Dialled { from: self.index, to });
            }
            Some(_) | None => inputs.push_back(Input::DialFailed { peer }),
        }
    }

    fn disconnect(
        &mut self,
        links: &mut BTreeMap<Index, Link>,
        peer: NodeId,
        inputs: &mut VecDeque<Input>,
    ) {
        let Some(to) = self.indices.get(&peer).copied() else { return };
        let Some(link) = links.remove(&to) else { return };
        // The other end hears of it after what is on its way.
        let at = self.now + self.conditions.latency(self.rng);
        let at = link.arrivals.into_iter().fold(at, Time::max);
        self.queue.push(at, Occurrence::Closed { node: to, peer: self.index, link: link.id });
        inputs.push_back(Input::Disconnected { peer });
    }
}
