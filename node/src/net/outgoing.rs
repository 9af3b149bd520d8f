//! What a lane is written to, and how an embedder puts something of its own around it.
//!
//! Of use to those who limit, measure or disturb what leaves, and want the rest of the node as it is. Nothing
//! is put around by default, and nothing is in this crate that could be.

use std::{fmt, sync::Arc};

use forsooth_protocol::Lane;
use futures::AsyncWrite;
use libp2p::{PeerId, swarm::Stream};

/// The substream that a lane is written to: each frame as its length and its bytes, see
/// [`framing`](super::framing).
pub trait Outgoing: AsyncWrite + fmt::Debug + Send + Unpin {}

impl<S: AsyncWrite + fmt::Debug + Send + Unpin> Outgoing for S {}

/// A boxed one.
pub type BoxOutgoing = Box<dyn Outgoing>;

type Around = dyn Fn(&PeerId, Lane, BoxOutgoing) -> BoxOutgoing + Send + Sync;

/// Puts something around each substream that this node writes to. By default, nothing.
#[derive(Clone, Default)]
pub struct Wrap(Option<Arc<Around>>);

impl Wrap {
    /// Writes to what `around` returns, given the peer, the lane, and the substream. It is called once for each
    /// lane of each connection, when the substream is open, and is polled by the connection's task.
    pub fn new(
        around: impl Fn(&PeerId, Lane, BoxOutgoing) -> BoxOutgoing + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(around)))
    }

    pub(super) fn put_around(&self, peer: &PeerId, lane: Lane, stream: Stream) -> BoxOutgoing {
        let stream = Box::new(stream);
        match &self.0 {
            Some(around) => around(peer, lane, stream),
            None => stream,
        }
    }
}

impl fmt::Debug for Wrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wrap").field(&self.0.is_some()).finish()
    }
}
