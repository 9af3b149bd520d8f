//! What the handles of a node can see without asking its driver.

use forsooth_protocol::{Event, membership};
use libp2p::Multiaddr;
use tokio::sync::{broadcast, watch};

use crate::events::{BUFFER, MEMBERS_BUFFER};

/// The driver's side.
pub(crate) struct View {
    pub(super) events: broadcast::Sender<Event>,
    /// Apart from the rest, so that busy topics displace none of it.
    pub(super) members: broadcast::Sender<membership::News>,
    /// How many peers have said hello.
    pub(super) joined: watch::Sender<usize>,
    /// Where the node listens.
    pub(super) addresses: watch::Sender<Vec<Multiaddr>>,
}

/// The handles' side.
#[derive(Debug)]
pub(crate) struct Window {
    /// Weak, so that the streams of observers end when the driver does.
    pub(crate) events: broadcast::WeakSender<Event>,
    pub(crate) members: broadcast::WeakSender<membership::News>,
    pub(crate) joined: watch::Receiver<usize>,
    pub(crate) addresses: watch::Receiver<Vec<Multiaddr>>,
}

impl View {
    /// Both sides.
    pub(crate) fn new() -> (Self, Window) {
        let (events, _) = broadcast::channel(BUFFER);
        let (members, _) = broadcast::channel(MEMBERS_BUFFER);
        let (joined, joined_now) = watch::channel(0);
        let (addresses, addresses_now) = watch::channel(Vec::new());
        let window = Window {
            events: events.downgrade(),
            members: members.downgrade(),
            joined: joined_now,
            addresses: addresses_now,
        };
        (Self { events, members, joined, addresses }, window)
    }
}
