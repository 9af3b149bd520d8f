//! One node of a world: its participant, its links, its disk, its clock, and when it wants to be woken.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    time::Duration,
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Address, Ban, Class, Effect, Input, Judgement, Participant, Record, Time, Timestamp, Verdict,
    Whom,
};

use super::{
    Index,
    disk::Disk,
    index::Ids,
    judge::Judge,
    links::{LinkId, Side},
    moment::{nanos, time},
    net::Net,
    queue::{Caller, Occurrence, Queue, Writing},
};

/// When a deadline is over that a tick has not moved. Without it, time would stand still.
const OVERDUE: Duration = Duration::from_millis(1);
/// How long a disk takes to write what it was told at one moment: a flush of an ordinary SSD.
const FLUSH: Duration = Duration::from_millis(2);

/// A node.
pub(crate) struct Node {
    /// `None` while it is down.
    pub(crate) participant: Option<Box<dyn Participant>>,
    /// The one tick that is scheduled and meant; others are out of date.
    tick: Option<Time>,
    /// Its links by the peers at their other ends, in the order of those.
    links: Vec<(Index, LinkId)>,
    /// Its lives so far.
    pub(crate) life: u32,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead_ms: i64,
    /// Until when a banned peer's dials are refused; for good if `None`.
    refused: BTreeMap<NodeId, Option<Timestamp>>,
    pub(crate) disk: Disk,
    pub(crate) ip: IpAddr,
    /// What happens to it while it is paused.
    pub(crate) inbox: VecDeque<Occurrence>,
}

/// What a node needs of its world to do something.
pub(crate) struct Hands<'a> {
    pub(crate) now: Time,
    pub(crate) caller: Caller,
    pub(crate) queue: &'a mut Queue,
    pub(crate) ids: &'a Ids,
    pub(crate) net: &'a mut Net,
    pub(crate) judge: &'a mut Judge,
}

impl Node {
    pub(crate) fn new(participant: Box<dyn Participant>, ip: IpAddr) -> Self {
        Self {
            participant: Some(participant),
            tick: None,
            links: Vec::new(),
            life: 0,
            ahead_ms: 0,
            refused: BTreeMap::new(),
            disk: Disk::default(),
            ip,
            inbox: VecDeque::new(),
        }
    }

    /// The link to `peer`, if it is up at this end.
    pub(crate) fn linked(&self, peer: Index) -> Option<LinkId> {
        let place = self.links.binary_search_by_key(&peer, |(peer, _)| *peer).ok()?;
        self.links.get(place).map(|(_, link)| *link)
    }

    /// A link is up at this end.
    pub(crate) fn link(&mut self, peer: Index, link: LinkId) {
        match self.links.binary_search_by_key(&peer, |(peer, _)| *peer) {
            Ok(_) => {}
            Err(place) => self.links.insert(place, (peer, link)),
        }
    }

    /// A link is gone.
    pub(crate) fn unlink(&mut self, peer: Index) {
        self.links.retain(|(other, _)| *other != peer);
    }

    /// Whether `peer` is banned here.
    pub(crate) fn refuses(&self, peer: &NodeId, wall: Timestamp) -> bool {
        self.refused.get(peer).is_some_and(|until| until.is_none_or(|until| until > wall))
    }

    /// The process is gone, with all that it had not stored. Returns its links.
    pub(crate) fn die(&mut self) -> Vec<(Index, LinkId)> {
        self.participant = None;
        self.life = self.life.wrapping_add(1);
        self.tick = None;
        self.inbox = VecDeque::new();
        self.refused.clear();
        std::mem::take(&mut self.links)
    }

    /// Another process takes its place, with the same disk.
    pub(crate) fn live(&mut self, participant: Box<dyn Participant>) {
        self.participant = Some(participant);
        self.refused = self.disk.bans().collect();
    }

    /// Whether a tick that is due now is still meant.
    pub(crate) fn take_tick(&mut self, now: Time) -> bool {
        let meant = self.tick == Some(now);
        if meant {
            self.tick = None;
        }
        meant
    }

    /// Whatever tick is scheduled is not meant any more.
    pub(crate) const fn forget_tick(&mut self) {
        self.tick = None;
    }

    /// Sees to it that the node is woken at its deadline.
    pub(crate) fn schedule_tick(&mut self, hands: &mut Hands<'_>) {
        let deadline = self.participant.as_ref().and_then(|participant| participant.deadline());
        let Some(deadline) = deadline else { return };
        let at = if deadline > hands.now { deadline } else { hands.now + OVERDUE };
        // In the calendar's unit, so that the tick is found to be meant when it comes.
        let at = time(nanos(at));
        // An earlier tick that has become too early only finds out the deadline again.
        if self.tick.is_none_or(|tick| tick > at) {
            self.tick = Some(at);
            hands.queue.push(at, Occurrence::Tick { node: hands.caller.node });
        }
    }

    /// Lets the participant react and does what it orders. What it is told in answer goes to `inputs`.
    pub(crate) fn handle(
        &mut self,
        input: Input,
        hands: &mut Hands<'_>,
        inputs: &mut VecDeque<Input>,
    ) {
        let Self { participant: Some(participant), links, refused, disk, .. } = self else {
            return;
        };
        let mut verdicts = Vec::new();
        let (mut writing, mut refused_writing) = (Vec::new(), Vec::new());
        for effect in participant.handle(hands.now, input) {
            match effect {
                Effect::Send { to, class, frame } => hands.send(links, &to, class, frame),
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
                Effect::Store(record) => {
                    if let Record::Ban(Ban { whom: Whom::Peer(peer), until, .. }) = &record {
                        refused.insert(*peer, *until);
                    } else if let Record::Pardon { whom: Whom::Peer(peer) } = &record {
                        refused.remove(peer);
                    }
                    disk.store(record);
                }
                Effect::Keep { request, .. } if disk.is_full => refused_writing.push(request),
                Effect::Keep { request, message, standing } => {
                    writing.push(Writing { request, message, standing });
                }
                Effect::Load { request, topic: _, ids } => {
                    inputs.push_back(Input::Read { request, frames: disk.read(ids) });
                }
                Effect::Deliver(_) | Effect::Published { .. } | Effect::Event(_) => {}
            }
        }
        if !verdicts.is_empty() {
            inputs.push_back(Input::Verdicts(verdicts));
        }
        if !refused_writing.is_empty() {
            inputs.push_back(Input::Unkept { requests: refused_writing });
        }
        if !writing.is_empty() {
            let written = Occurrence::Written { node: hands.caller, messages: writing };
            hands.queue.push(hands.now + FLUSH, written);
        }
    }
}

impl Hands<'_> {
    fn send(&mut self, links: &[(Index, LinkId)], to: &NodeId, class: Class, frame: Bytes) {
        // A frame for a peer that has just gone is lost, as it would be in a queue.
        let Some(to) = self.ids.index(to) else { return };
        let Ok(place) = links.binary_search_by_key(&to, |(peer, _)| *peer) else { return };
        let Some((_, link)) = links.get(place) else { return };
        if let Some(side) = self.side(*link) {
            self.net.send(nanos(self.now), (*link, side), class, frame, self.queue);
        }
    }

    fn side(&self, link: LinkId) -> Option<Side> {
        self.net.links.side(link, self.caller.node)
    }

    fn dial(&mut self, peer: NodeId, address: &Address, inputs: &mut VecDeque<Input>) {
        let from = self.caller;
        match self.ids.index(&peer) {
            // The transport proves who is there, so a wrong address is a failed dial.
            Some(to) if self.ids.address(to) == address && to != from.node => {
                let at = nanos(self.now).saturating_add(self.net.takes(from.node, to));
                self.queue.push_at(at, Occurrence::Dialled { from, to });
            }
            Some(_) | None => inputs.push_back(Input::DialFailed { peer }),
        }
    }

    fn disconnect(
        &mut self,
        links: &mut Vec<(Index, LinkId)>,
        peer: NodeId,
        inputs: &mut VecDeque<Input>,
    ) {
        let Some(to) = self.ids.index(&peer) else { return };
        let Ok(place) = links.binary_search_by_key(&to, |(peer, _)| *peer) else { return };
        let (_, link) = links.remove(place);
        if let Some(side) = self.side(link) {
            self.close(link, side);
        }
        inputs.push_back(Input::Disconnected { peer });
    }

    /// Closes this end of a link; the other hears of it after what is on its way.
    pub(crate) fn close(&mut self, link: LinkId, side: Side) {
        let Some((to, last)) = self.net.links.close(link, side) else { return };
        let at = nanos(self.now).saturating_add(self.net.takes(self.caller.node, to)).max(last);
        self.queue.push_at(at, Occurrence::Closed { link, at: side.other() });
    }
}
