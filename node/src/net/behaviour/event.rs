//! What the behaviour and its swarm's owner tell each other.

use bytes::Bytes;
use forsooth_protocol::{Fault, Lane};
use libp2p::{Multiaddr, PeerId};

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// We dialled.
    Dialed,
    /// The peer did.
    Accepted,
}

/// What the behaviour tells the swarm's owner.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Frames can be sent to the peer, and may arrive from it.
    Up {
        /// Authenticated by the handshake.
        peer: PeerId,
        /// Who opened the connection.
        direction: Direction,
        /// The address at the other end.
        remote: Multiaddr,
    },
    /// The peer is gone, and what waited for it is dropped. Its connections are being closed: dial
    /// it again only after libp2p has reported the last of them closed.
    Down {
        /// Who.
        peer: PeerId,
        /// Why.
        reason: DownReason,
    },
    /// Frames of one lane in their order; at most about 64 KiB, or one larger frame.
    Received {
        /// From whom.
        peer: PeerId,
        /// By which substream.
        lane: Lane,
        /// At least one. See [`crate::net::framing`] for the memory that they keep alive.
        frames: Vec<Bytes>,
    },
    /// The peer broke the rules of the wire. If it was up, [`Event::Down`] follows.
    Misbehaved {
        /// Who.
        peer: PeerId,
        /// The wrong.
        fault: Fault,
    },
}

/// Why a peer is no longer up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownReason {
    /// [`super::Behaviour::disconnect`] was called.
    Disconnected,
    /// The connection was closed or lost.
    Closed,
    /// The peer connected anew, so it must have lost the old connection.
    Replaced,
    /// The peer took nothing for [`super::Config::write_stall`].
    Wedged,
    /// The peer broke the rules of the wire.
    Misbehaved(Fault),
}

/// What became of a frame.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendOutcome {
    /// It waits to be written; less urgent frames may have been dropped for it.
    Queued,
    /// The lane is full of frames that are at least as urgent.
    Dropped,
    /// The peer is not up.
    NotConnected,
    /// It is empty or above [`super::Config::frame_bytes_max`]: the peer would take it for a fault.
    Unsendable,
}

/// A peer has more connections open or closing than it can have a reason for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many connections with this peer; wait until the old ones are closed")]
pub struct TooManyConnections;
