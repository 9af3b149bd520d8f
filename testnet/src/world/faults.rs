//! What can go wrong in a world, beyond what its links are like. Each is called between two steps of
//! [`World::run_until`], and holds from then on.

use forsooth_protocol::{Input, Participant};

use super::{
    Index, Links, World,
    links::{LinkId, Side},
    moment::{Nanos, nanos},
    queue::Occurrence,
};

impl World {
    /// What links are like now.
    #[must_use]
    pub fn conditions(&self) -> &Links {
        self.net.conditions()
    }

    /// Changes what links are like, for what leaves from now on.
    pub fn set_conditions(&mut self, links: impl Into<Links>) {
        self.net.set_conditions(links.into());
    }

    /// Cuts the network into sides that do not hear each other. Who is on none is on the first. Takes the
    /// place of an earlier partition. What is on its way still arrives; what is sent waits, and links across
    /// the cut are given up after 30 seconds.
    pub fn partition(&mut self, sides: &[Vec<Index>]) {
        self.net.troubles.partition(sides);
        self.net.review(nanos(self.now), &mut self.queue);
    }

    /// Blocks one direction between two nodes, or unblocks it. The other still works, but like a partition
    /// the cut ends the link after 30 seconds, since nothing is acknowledged.
    pub fn one_way(&mut self, from: Index, to: Index, blocked: bool) {
        self.net.troubles.block(from, to, blocked);
        self.net.review(nanos(self.now), &mut self.queue);
    }

    /// Ends the partition and unblocks all directions: what waited on links that are still up, leaves.
    pub fn heal(&mut self) {
        self.net.troubles.heal();
        self.net.review(nanos(self.now), &mut self.queue);
    }

    /// Stops a node's process. Nothing is lost, but nobody gets an answer: peers give up their links after 30
    /// seconds, and what they send beyond 256 KiB waits with them.
    pub fn pause(&mut self, node: Index) {
        if self.net.troubles.pause(node, true) {
            self.net.review(nanos(self.now), &mut self.queue);
        }
    }

    /// Lets a node go on, which first of all is told everything that happened, at once.
    pub fn resume(&mut self, node: Index) {
        if self.net.troubles.is_paused(node) {
            self.queue.push(self.now, Occurrence::Resumed { node });
        }
    }

    /// Sets how far a node's clock is ahead of the others, or behind if negative. It notices at once.
    pub fn skew(&mut self, node: Index, ahead_ms: i64) {
        self.node_mut(node).ahead_ms = ahead_ms;
        let input = Input::WallClock(self.wall(node));
        self.tell(self.now, node, input);
    }

    /// Kills a node's process: what was not stored is lost. Its system closes its links, which peers notice
    /// when word reaches them.
    pub fn crash(&mut self, node: Index) {
        let links = self.node_mut(node).die();
        for (_, link) in links {
            let side = self.net.links.side(link, node);
            if let Some(side) = side {
                self.hands(node).close(link, side);
            }
        }
        if self.net.troubles.pause(node, false) {
            self.net.review(nanos(self.now), &mut self.queue);
        }
    }

    /// Whether a node runs, paused or not.
    #[must_use]
    pub fn is_up(&self, node: Index) -> bool {
        self.node(node).participant.is_some()
    }

    /// Starts a node that crashed. Before all else it is told the time and what it stored; of peers and topics
    /// it must be told anew. One that still runs is killed first.
    pub fn restart(&mut self, node: Index, participant: Box<dyn Participant>) {
        if self.is_up(node) {
            self.crash(node);
        }
        self.node_mut(node).live(participant);
        self.queue.push(self.now, Occurrence::Begins { node });
    }

    /// Whether what a node stores from now on is lost.
    pub fn disk_full(&mut self, node: Index, full: bool) {
        self.node_mut(node).disk.is_full = full;
    }

    /// Lets a node read no more than this from each of its links; `None` to read as fast as it is sent. What it
    /// does not read, beyond 256 KiB, waits with the senders, who find it stalled if it takes nothing for 30
    /// seconds.
    pub fn reads_slowly(&mut self, node: Index, bytes_per_second: Option<u64>) {
        self.net.troubles.read(node, bytes_per_second);
        self.net.review(nanos(self.now), &mut self.queue);
    }

    /// Nothing came through a link for too long: this end gives it up.
    pub(super) fn dead(&mut self, link: LinkId, at: Side, since: Nanos) {
        let Some(end) = self.net.links.end(link, at) else { return };
        let node = end.node;
        if end.strain.as_ref().and_then(|strain| strain.dead_since) != Some(since) {
            return;
        }
        let Some(peer) = self.net.links.peer(link, at) else { return };
        self.hands(node).close(link, at);
        self.node_mut(node).unlink(peer);
        let peer = self.ids.id(peer);
        self.handle(node, Input::Disconnected { peer });
    }

    /// Keeps what happens to a paused node until it goes on.
    pub(super) fn put_off(&mut self, occurrence: Occurrence) -> Option<Occurrence> {
        if self.net.troubles.is_none() {
            return Some(occurrence);
        }
        let whose = |link, side| self.net.links.end(link, side).map(|end| end.node);
        let node = match &occurrence {
            Occurrence::WallClock { node }
            | Occurrence::Begins { node }
            | Occurrence::Told { node, .. }
            | Occurrence::Tick { node } => Some(*node),
            Occurrence::Arrived { link, to: side, .. }
            | Occurrence::Closed { link, at: side }
            | Occurrence::Stalled { link, from: side }
            | Occurrence::Dead { link, at: side, .. } => whose(*link, *side),
            Occurrence::Dialled { to, .. } => Some(*to),
            Occurrence::Answered { from, .. } | Occurrence::DialFailed { from, .. } => {
                Some(from.node)
            }
            Occurrence::Written { node, .. } => Some(node.node),
            // The network card and the operating system go on.
            Occurrence::Pump { .. } | Occurrence::Readable { .. } => None,
            Occurrence::Resumed { .. } => None,
        };
        match node.filter(|node| self.net.troubles.is_paused(*node)) {
            None => Some(occurrence),
            Some(node) => {
                self.node_mut(node).inbox.push_back(occurrence);
                None
            }
        }
    }

    pub(super) fn resumed(&mut self, node: Index) {
        if !self.net.troubles.pause(node, false) {
            return;
        }
        let inbox = std::mem::take(&mut self.node_mut(node).inbox);
        inbox.into_iter().for_each(|occurrence| self.occur(occurrence));
        // Its deadlines are over: of the ticks that were put off, none is meant any more.
        self.node_mut(node).forget_tick();
        self.handle(node, Input::Tick);
        self.net.review(nanos(self.now), &mut self.queue);
    }
}
