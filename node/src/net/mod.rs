//! The node's links: libp2p underneath, frames on top.
//!
//! [`behaviour`] is the part that others can use in a swarm of their own; [`swarm`] builds the
//! node's whole swarm around it. Nothing here knows what a frame means.
//!
//! **Invariant.** Whatever a peer sends or leaves unread, the memory that it costs is bounded:
//! [`framing`] grows with what arrived, [`queue`] is bounded in bytes, events pass through a
//! bounded channel, and connections are counted in [`limits`] and, before they are links, in
//! [`strangers`]. The loosest bound is Yamux's: it
//! widens a substream's window with the bandwidth and delay that it sees, up to 1 GiB for a
//! connection, and libp2p-yamux has no setting for that.

pub mod behaviour;
pub mod boxed;
mod closing;
pub mod framing;
mod handler;
pub mod identity;
pub mod limits;
pub mod origin;
mod outbox;
pub mod outgoing;
mod peer;
mod protocols;
pub mod queue;
mod reader;
mod stall;
pub mod stats;
pub mod strangers;
pub mod swarm;
mod tcp;
mod writer;
