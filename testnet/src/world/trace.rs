//! A digest of all that happened, to compare two runs.

use bytes::Bytes;
use forsooth_crypto::{Digest, Domain, Hasher};
use forsooth_protocol::{Input, Time};

use super::{Index, place};

/// Takes in every input of every node.
#[derive(Debug)]
pub(crate) struct Trace(Hasher);

impl Default for Trace {
    fn default() -> Self {
        Self(Hasher::new(Domain::Trace))
    }
}

impl Trace {
    /// A node is given an input.
    pub(crate) fn note(&mut self, now: Time, Index(node): Index, input: &Input) {
        let mut head = [0; 24];
        let (kind, bytes) = content(input);
        let nanos = u64::try_from(now.as_duration().as_nanos()).unwrap_or(u64::MAX);
        let len = bytes.map_or(0, Bytes::len) as u64;
        let numbers = [nanos, (u64::from(node) << 8) | u64::from(kind), len];
        for (place, number) in head.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        self.0.update(&head);
        if let Some(bytes) = bytes {
            self.0.update(bytes);
        }
        if let Some(peer) = peer(input) {
            self.0.update(peer);
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.0.finish()
    }
}

/// What kind of input it is, and its bytes if it has some.
fn content(input: &Input) -> (u8, Option<&Bytes>) {
    match input {
        Input::WallClock(_) => (0, None),
        Input::Known(_) => (1, None),
        Input::Connected { .. } => (2, None),
        Input::Disconnected { .. } => (3, None),
        Input::DialFailed { .. } => (4, None),
        Input::Received { lane, frame, .. } => {
            ([5, 6].get(place(*lane)).copied().unwrap_or(5), Some(frame))
        }
        Input::Misbehaved { .. } => (7, None),
        Input::Verdicts(_) => (8, None),
        Input::Validated { .. } => (9, None),
        Input::Publish { payload, .. } => (10, Some(payload)),
        Input::Subscribe { .. } => (11, None),
        Input::Unsubscribe { .. } => (12, None),
        Input::Pardon { .. } => (13, None),
        Input::Loaded(_) => (14, None),
        Input::Tick => (15, None),
    }
}

/// The other end, where there is one.
fn peer(input: &Input) -> Option<&[u8; 32]> {
    match input {
        Input::Connected { peer, .. }
        | Input::Disconnected { peer }
        | Input::DialFailed { peer }
        | Input::Received { from: peer, .. }
        | Input::Misbehaved { peer, .. }
        | Input::Pardon { peer } => Some(peer.as_bytes()),
        Input::WallClock(_)
        | Input::Known(_)
        | Input::Verdicts(_)
        | Input::Validated { .. }
        | Input::Publish { .. }
        | Input::Subscribe { .. }
        | Input::Unsubscribe { .. }
        | Input::Loaded(_)
        | Input::Tick => None,
    }
}
