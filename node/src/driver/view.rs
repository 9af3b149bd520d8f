//! What the handles of a node can see without asking its driver.

use std::sync::{Arc, Weak};

use forsooth_protocol::{Event, membership};
use libp2p::Multiaddr;
use tokio::sync::watch;

use crate::events::{BUFFER, Feed, MEMBERS_BUFFER};

/// The driver's side.
pub(crate) struct View {
    pub(super) events: Arc<Feed<Event>>,
    /// Apart from the rest, so that busy topics displace none of it.
    pub(super) members: Arc<Feed<membership::News>>,
    /// How many peers have said hello.
    pub(super) joined: watch::Sender<usize>,
    /// Where the node listens.
    pub(super) addresses: watch::Sender<Vec<Multiaddr>>,
}

/// The handles' side.
#[derive(Debug)]
pub(crate) struct Window {
    /// Weak, so that the streams of observers end when the driver does.
    pub(crate) events: Weak<Feed<Event>>,
    pub(crate) members: Weak<Feed<membership::News>>,
    pub(crate) joined: watch::Receiver<usize>,
    pub(crate) addresses: watch::Receiver<Vec<Multiaddr>>,
}

impl View {
    /// Both sides.
    pub(crate) fn new() -> (Self, Window) {
        let events = Arc::new(Feed::new(BUFFER));
        let members = Arc::new(Feed::new(MEMBERS_BUFFER));
        let (joined, joined_now) = watch::channel(0);
        let (addresses, addresses_now) = watch::channel(Vec::new());
        let window = Window {
            events: Arc::downgrade(&events),
            members: Arc::downgrade(&members),
            joined: joined_now,
            addresses: addresses_now,
        };
        (Self { events, members, joined, addresses }, window)
    }
}
