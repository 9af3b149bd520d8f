//! What is between the nodes: frames leave, queue where they must, and are scheduled to arrive.
//!
//! A frame leaves at once if its sender's network card keeps up and its receiver takes it. Otherwise it
//! waits in the queue that a real node has for each peer: bounded in bytes, the most urgent first, and when
//! it is full the least urgent are dropped. Each node's network card takes from its links in turn.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use forsooth::net::{
    queue::{Pushed, Queue as Waiting},
    stats::PerLane,
};
use forsooth_protocol::{Class, Lane};

use super::{
    Group, Index, Links as LinkConditions,
    links::{LinkId, Links, Side, Strain},
    moment::Nanos,
    place,
    queue::{Occurrence, Queue},
    road::{Dice, Road, Roads, over},
    troubles::{Reading, Troubles, WINDOW_BYTES, window},
};

/// Bytes that may wait for one peer, as in a real node.
const WAITING_BYTES_MAX: PerLane<usize> =
    PerLane { control: 256 * 1024, data: 4 * (1024 * 1024 + 8192) };
/// A peer that takes nothing for so long while something waits for it has stalled, as in a real node.
pub(crate) const STALL: Nanos = 30_000_000_000;
/// A link is given up when nothing came through for so long. QUIC's idle timeout; TCP alone would take
/// minutes.
pub(crate) const DEAD_AFTER: Nanos = 30_000_000_000;

/// Links, what they are like, and what is wrong with them.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) links: Links,
    pub(crate) troubles: Troubles,
    roads: Roads,
    dice: Dice,
    groups: Vec<Group>,
    /// When each node's network card has sent what it was given.
    free_at: Vec<Nanos>,
    lines: BTreeMap<Index, Line>,
    dropped: u64,
}

/// The links whose frames wait for a node's network card, in turn.
#[derive(Debug, Default)]
struct Line {
    links: VecDeque<(LinkId, Side)>,
    is_pumped: bool,
}

/// Whether a frame may leave.
enum Gate {
    Open,
    /// Until something changes.
    Shut,
    /// Until then.
    Until(Nanos),
}

impl Net {
    pub(crate) fn new(seed: u64, conditions: LinkConditions) -> Self {
        Self {
            links: Links::default(),
            troubles: Troubles::default(),
            roads: Roads::new(conditions),
            dice: Dice::new(seed),
            groups: Vec::new(),
            free_at: Vec::new(),
            lines: BTreeMap::new(),
            dropped: 0,
        }
    }

    pub(crate) fn add(&mut self, group: Group) {
        self.groups.push(group);
        self.free_at.push(0);
    }

    pub(crate) const fn conditions(&self) -> &LinkConditions {
        self.roads.links()
    }

    pub(crate) fn set_conditions(&mut self, conditions: LinkConditions) {
        self.roads = Roads::new(conditions);
    }

    /// Frames for which there was no room.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How long something small takes from one node to another.
    pub(crate) fn takes(&mut self, from: Index, to: Index) -> Nanos {
        road(&self.roads, &self.groups, from, to).takes_between((from, to), &mut self.dice)
    }

    /// How long every frame between two nodes takes, if it is the same for all.
    pub(crate) fn constant(&self, one: Index, other: Index) -> Option<Nanos> {
        road(&self.roads, &self.groups, one, other).constant((one, other), &self.dice)
    }

    /// A node sends a frame over a link that is up at its end.
    pub(crate) fn send(
        &mut self,
        now: Nanos,
        (link, side): (LinkId, Side),
        class: Class,
        frame: Bytes,
        queue: &mut Queue,
    ) {
        let (Some(end), Some(to)) = (self.links.end(link, side), self.links.peer(link, side))
        else {
            return;
        };
        let from = end.node;
        let is_first = end.strain.as_ref().is_none_or(|s| s.waiting.queued_bytes_total() == 0);
        let keeps_up = self.keeps_up(now, from, to);
        if is_first && keeps_up && matches!(self.gate(now, link, side), Gate::Open) {
            self.transmit(now, (link, side), class.lane(), frame, queue);
        } else {
            self.wait(now, (link, side), class, frame, queue);
        }
    }

    /// Whether a node's network card takes more for this peer.
    fn keeps_up(&self, now: Nanos, from: Index, to: Index) -> bool {
        let free_at = self.free_at.get(from.place()).copied().unwrap_or(0);
        free_at <= now.saturating_add(road(&self.roads, &self.groups, from, to).slack())
    }

    fn gate(&self, now: Nanos, link: LinkId, side: Side) -> Gate {
        if self.troubles.is_none() {
            return Gate::Open;
        }
        let (Some(end), Some(to)) = (self.links.end(link, side), self.links.peer(link, side))
        else {
            return Gate::Shut;
        };
        if self.troubles.cuts(end.node, to) {
            return Gate::Shut;
        }
        let strain = end.strain.as_ref();
        match self.troubles.reading(to) {
            Reading::Freely => Gate::Open,
            Reading::Never | Reading::Later => {
                let unread = strain.map_or(0, |strain| strain.unread_bytes);
                if unread < WINDOW_BYTES { Gate::Open } else { Gate::Shut }
            }
            Reading::Slowly(pace) => {
                let (read_at, window) = (strain.map_or(0, |strain| strain.read_at), window(pace));
                if read_at <= now.saturating_add(window) {
                    Gate::Open
                } else {
                    Gate::Until(read_at.saturating_sub(window / 2))
                }
            }
        }
    }

    /// Puts a frame on the wire.
    fn transmit(
        &mut self,
        now: Nanos,
        (link, side): (LinkId, Side),
        lane: Lane,
        frame: Bytes,
        queue: &mut Queue,
    ) {
        let Some(to) = self.links.peer(link, side) else { return };
        let Some(end) = self.links.end_mut(link, side) else { return };
        let pair = (end.node, to);
        let road = road(&self.roads, &self.groups, end.node, to);
        let mut at = now;
        if let Some(free_at) = self.free_at.get_mut(end.node.place()) {
            let occupies = road.occupies(frame.len());
            if occupies > 0 {
                *free_at = (*free_at).max(now).saturating_add(occupies);
                at = *free_at;
            }
        }
        at = at.saturating_add(road.takes_between(pair, &mut self.dice));
        if !self.troubles.is_none() {
            let bytes = frame.len() as u64;
            match self.troubles.reading(to) {
                Reading::Freely => {}
                Reading::Slowly(pace) => {
                    let strain = strain(&mut end.strain, now);
                    strain.read_at = strain.read_at.max(at).saturating_add(over(pace, bytes));
                    at = strain.read_at;
                }
                Reading::Later => strain(&mut end.strain, now).unread_bytes += bytes,
                // It stays where it is for good.
                Reading::Never => {
                    strain(&mut end.strain, now).unread_bytes += bytes;
                    return;
                }
            }
        }
        let Some(last) = end.arrivals.get_mut(place(lane)) else { return };
        *last = at.max(*last);
        let (at, to) = (*last, side.other());
        if road.doubles(&mut self.dice) {
            let again = at.saturating_add(road.takes_between(pair, &mut self.dice));
            let frame = frame.clone();
            queue.push_at(again, Occurrence::Arrived { link, to, lane, frame });
        }
        queue.push_at(at, Occurrence::Arrived { link, to, lane, frame });
    }

    /// Queues a frame.
    fn wait(
        &mut self,
        now: Nanos,
        (link, side): (LinkId, Side),
        class: Class,
        frame: Bytes,
        queue: &mut Queue,
    ) {
        let Some(end) = self.links.end_mut(link, side) else { return };
        let strain = strain(&mut end.strain, now);
        if strain.waiting.queued_bytes_total() == 0 {
            strain.moved_at = now;
        }
        self.dropped += match strain.waiting.push(class, frame) {
            Pushed::Queued { displaced } => displaced.len() as u64,
            Pushed::Refused(_) => 1,
        };
        if !strain.is_watched {
            strain.is_watched = true;
            queue.push_at(now.saturating_add(STALL), Occurrence::Stalled { link, from: side });
        }
        self.line_up(now, link, side, queue);
    }

    /// Puts an end with waiting frames into its node's line, unless it is there.
    pub(crate) fn line_up(&mut self, now: Nanos, link: LinkId, side: Side, queue: &mut Queue) {
        let (Some(to), Some(end)) = (self.links.peer(link, side), self.links.end_mut(link, side))
        else {
            return;
        };
        let Some(strain) = &mut end.strain else { return };
        if strain.is_in_line || strain.waiting.queued_bytes_total() == 0 {
            return;
        }
        strain.is_in_line = true;
        let node = end.node;
        let line = self.lines.entry(node).or_default();
        line.links.push_back((link, side));
        if !line.is_pumped {
            line.is_pumped = true;
            let slack = road(&self.roads, &self.groups, node, to).slack();
            let free_at = self.free_at.get(node.place()).copied().unwrap_or(0);
            let at = free_at.saturating_sub(slack / 2).max(now);
            queue.push_at(at, Occurrence::Pump { node });
        }
    }

    /// Lets a node's network card take what it has room for.
    pub(crate) fn pump(&mut self, now: Nanos, node: Index, queue: &mut Queue) {
        let Some(Line { mut links, .. }) = self.lines.remove(&node) else { return };
        while let Some((link, side)) = links.pop_front() {
            let Some(to) = self.links.peer(link, side) else { continue };
            if !self.keeps_up(now, node, to) {
                links.push_front((link, side));
                let slack = road(&self.roads, &self.groups, node, to).slack();
                let free_at = self.free_at.get(node.place()).copied().unwrap_or(0);
                let at = free_at.saturating_sub(slack / 2).max(now + 1);
                queue.push_at(at, Occurrence::Pump { node });
                self.lines.insert(node, Line { links, is_pumped: true });
                return;
            }
            if self.pull(now, link, side, queue) {
                links.push_back((link, side));
            }
        }
    }

    /// Sends one frame of those that wait; whether more could leave.
    fn pull(&mut self, now: Nanos, link: LinkId, side: Side, queue: &mut Queue) -> bool {
        let gate = self.gate(now, link, side);
        let end = self.links.end_mut(link, side);
        let Some(strain) = end.and_then(|end| end.strain.as_mut()) else { return false };
        strain.is_in_line = false;
        match gate {
            Gate::Shut => return false,
            Gate::Until(at) => {
                queue.push_at(at.max(now + 1), Occurrence::Readable { link, from: side });
                return false;
            }
            Gate::Open => {}
        }
        let next = |lane| strain.waiting.pop(lane).map(|frame| (lane, frame));
        let Some((lane, frame)) = Lane::ALL.into_iter().find_map(next) else { return false };
        strain.moved_at = now;
        let more = strain.waiting.queued_bytes_total() > 0;
        strain.is_in_line = more;
        self.transmit(now, (link, side), lane, frame, queue);
        more
    }

    /// Whether the other end of a link has taken nothing for too long. Looks again later if not.
    pub(crate) fn has_stalled(
        &mut self,
        now: Nanos,
        link: LinkId,
        side: Side,
        queue: &mut Queue,
    ) -> bool {
        let Some(to) = self.links.peer(link, side) else { return false };
        let Some(end) = self.links.end_mut(link, side) else { return false };
        // Where nothing comes through, nobody stalls: the link is dead before.
        let is_cut = self.troubles.cuts(end.node, to);
        let Some(strain) = &mut end.strain else { return false };
        strain.is_watched = strain.waiting.queued_bytes_total() > 0;
        if !strain.is_watched {
            return false;
        }
        let over = strain.moved_at.saturating_add(STALL);
        if over <= now && !is_cut {
            return true;
        }
        let at = if is_cut { now.saturating_add(STALL) } else { over };
        queue.push_at(at, Occurrence::Stalled { link, from: side });
        false
    }

    /// After a change of what is wrong: links over which nothing comes are given up after a while, and what
    /// waits for others goes on.
    pub(crate) fn review(&mut self, now: Nanos, queue: &mut Queue) {
        let ends: Vec<_> = self.links.ends().collect();
        for (link, side) in ends {
            let Some(to) = self.links.peer(link, side) else { continue };
            let Some(end) = self.links.end_mut(link, side) else { continue };
            let is_dead = self.troubles.parts(end.node, to);
            if !is_dead && end.strain.is_none() {
                continue;
            }
            let takes = matches!(self.troubles.reading(to), Reading::Freely | Reading::Slowly(_));
            let strain = strain(&mut end.strain, now);
            if takes {
                strain.unread_bytes = 0;
            }
            if !is_dead {
                strain.dead_since = None;
            } else if strain.dead_since.is_none() {
                strain.dead_since = Some(now);
                let at = now.saturating_add(DEAD_AFTER);
                queue.push_at(at, Occurrence::Dead { link, at: side, since: now });
            }
            self.line_up(now, link, side, queue);
        }
    }
}

fn road<'a>(roads: &'a Roads, groups: &[Group], from: Index, to: Index) -> &'a Road {
    let group = |node: Index| groups.get(node.place()).copied().unwrap_or_default();
    roads.between(group(from), group(to))
}

fn strain(strain: &mut Option<Box<Strain>>, now: Nanos) -> &mut Strain {
    strain.get_or_insert_with(|| {
        Box::new(Strain {
            waiting: Waiting::new(WAITING_BYTES_MAX),
            is_in_line: false,
            unread_bytes: 0,
            read_at: 0,
            moved_at: now,
            is_watched: false,
            dead_since: None,
        })
    })
}
