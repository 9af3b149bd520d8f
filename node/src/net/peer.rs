//! The connections with one peer, and which of them carries the session.

use std::sync::Arc;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::behaviour::Direction;
use super::outbox::Outbox;
use super::stats::{PerLane, Stats, Traffic};

/// One connection in each direction, and as many that are closing or not up yet.
const LINKS_MAX: usize = 4;

/// One connection with a peer.
#[derive(Debug)]
pub(super) struct Link {
    id: ConnectionId,
    direction: Direction,
    remote: Multiaddr,
    since: Instant,
    state: State,
    pub(super) received: PerLane<Traffic>,
    pub(super) outbox: Arc<Outbox>,
    /// Has frames that its task was not woken for.
    pub(super) is_unwoken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Opening,
    Up,
    Closing,
}

impl Link {
    pub(super) fn new(
        id: ConnectionId,
        direction: Direction,
        remote: Multiaddr,
        outbox: Arc<Outbox>,
        since: Instant,
    ) -> Self {
        Self {
            id,
            direction,
            remote,
            since,
            state: State::Opening,
            received: PerLane::default(),
            outbox,
            is_unwoken: false,
        }
    }

    pub(super) const fn direction(&self) -> Direction {
        self.direction
    }

    fn is_open(&self) -> bool {
        self.state != State::Closing
    }
}

/// What it means that a connection came up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The peer is up.
    First { direction: Direction, remote: Multiaddr },
    /// It was already; both sides dialled at once.
    Second,
    /// It was already, by a connection that it must have lost. End the session and ask again.
    Replacement,
}

/// The connections with one peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// In the order of their establishment; at most [`LINKS_MAX`].
    links: Vec<Link>,
    /// The connection that we send on.
    primary: Option<ConnectionId>,
}

impl Peer {
    pub(super) const fn is_up(&self) -> bool {
        self.primary.is_some()
    }

    /// Whether the session uses this connection: we may send on it, or the peer may.
    pub(super) fn is_up_by(&self, id: ConnectionId) -> bool {
        self.links.iter().any(|link| link.id == id && link.state == State::Up)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Whether one more connection may be. We know of our own dials, so a second one has no reason;
    /// a remote's second one has: it lost the first.
    pub(super) fn admits(&self, direction: Direction) -> bool {
        let is_redundant = match direction {
            Direction::Dialed => {
                self.links.iter().any(|link| link.is_open() && link.direction == direction)
            }
            Direction::Accepted => false,
        };
        !is_redundant && self.links.len() < LINKS_MAX
    }

    pub(super) fn add(&mut self, link: Link) {
        self.links.push(link);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.links.retain(|link| link.id != id);
    }

    pub(super) fn primary_mut(&mut self) -> Option<&mut Link> {
        self.open_link_mut(self.primary?)
    }

    pub(super) fn open_link_mut(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id && link.is_open())
    }

    /// The connections that are not closing.
    pub(super) fn open(&self) -> impl Iterator<Item = ConnectionId> {
        self.links.iter().filter(|link| link.is_open()).map(|link| link.id)
    }

    /// Notes that a connection is up. Two in opposite directions that were established within
    /// `simultaneous` of each other are two sides dialling at once. Otherwise the peer has lost the
    /// older one, or its swarm would not have dialled. (Being established proves nothing: it may be
    /// the loser of two addresses that were dialled at once, and be dropped before it is up.)
    pub(super) fn came_up(&mut self, id: ConnectionId, simultaneous: Duration) -> Progress {
        let Some(link) = self.open_link_mut(id) else { return Progress::Second };
        link.state = State::Up;
        let (direction, remote, since) = (link.direction, link.remote.clone(), link.since);
        if self.primary.is_none() {
            self.primary = Some(id);
            return Progress::First { direction, remote };
        }
        let is_lost = |other: &Link| {
            let age = since.saturating_duration_since(other.since);
            other.direction == direction || age > simultaneous
        };
        let mut others = self.links.iter().filter(|link| link.id != id && link.state == State::Up);
        if others.any(is_lost) { Progress::Replacement } else { Progress::Second }
    }

    /// The peer is no longer up. False if it was not.
    pub(super) const fn end_session(&mut self) -> bool {
        self.primary.take().is_some()
    }

    /// Marks a connection as closing. False if it was not open.
    pub(super) fn close(&mut self, id: ConnectionId) -> bool {
        let link = self.open_link_mut(id);
        link.map(|link| link.state = State::Closing).is_some()
    }

    /// Tells the primary's task of its frames.
    pub(super) fn wake(&mut self) {
        for link in self.links.iter_mut().filter(|link| link.is_unwoken) {
            link.is_unwoken = false;
            link.outbox.wake();
        }
    }

    pub(super) fn stats(&self) -> Stats {
        let mut total = Stats::default();
        for link in self.links.iter().filter(|link| link.is_open()) {
            total.add(&Stats { received: link.received, ..link.outbox.stats() });
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMULTANEOUS: Duration = Duration::from_secs(10);

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    /// A peer whose connections were established in these directions and so many seconds apart.
    fn peer(links: &[(Direction, u64)]) -> Peer {
        let start = Instant::now();
        let mut peer = Peer::default();
        for (number, (direction, seconds)) in links.iter().enumerate() {
            assert!(peer.admits(*direction));
            let outbox = Arc::new(Outbox::new(PerLane::default()));
            let since = start + Duration::from_secs(*seconds);
            peer.add(Link::new(id(number), *direction, Multiaddr::empty(), outbox, since));
        }
        peer
    }

    #[test]
    fn a_second_connection_is_kept_or_replaces_the_first() {
        use Direction::{Accepted, Dialed};
        for (first, second, seconds, kept) in [
            (Dialed, Accepted, 0, true),
            (Accepted, Dialed, 10, true),
            (Accepted, Dialed, 11, false),
            (Accepted, Accepted, 0, false),
        ] {
            let mut peer = peer(&[(first, 0), (second, seconds)]);
            assert!(matches!(peer.came_up(id(0), SIMULTANEOUS), Progress::First { .. }));
            let expected = if kept { Progress::Second } else { Progress::Replacement };
            assert_eq!(
                peer.came_up(id(1), SIMULTANEOUS),
                expected,
                "{first:?} {second:?} {seconds}"
            );
        }
    }

    #[test]
    fn a_connection_that_is_not_up_replaces_nothing_and_is_not_replaced() {
        let mut peer = peer(&[(Direction::Accepted, 0), (Direction::Accepted, 99)]);
        assert!(matches!(peer.came_up(id(1), SIMULTANEOUS), Progress::First { .. }));
        assert!(peer.is_up_by(id(1)) && !peer.is_up_by(id(0)));
    }

    #[test]
    fn connections_are_bounded_and_a_second_dial_is_pointless() {
        let mut dialed = peer(&[(Direction::Dialed, 0)]);
        assert!(!dialed.admits(Direction::Dialed));
        assert!(dialed.close(id(0)) && !dialed.close(id(0)));
        assert!(dialed.admits(Direction::Dialed));

        let full = peer(&[(Direction::Accepted, 0); LINKS_MAX]);
        assert!(!full.admits(Direction::Accepted) && !full.admits(Direction::Dialed));
    }
}
