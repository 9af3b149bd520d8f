//! A digest of all that happened, to compare two runs.

use forsooth_crypto::{Digest, Domain, Hasher};
use forsooth_protocol::{Direction, Input, Judgement, Outcome, Time, Whom};

use super::{Index, moment::nanos, place};

/// Records are gathered up to so many bytes: hashing many at once is far cheaper than one by one.
const GATHERED_BYTES: usize = 64 * 1024;

/// Takes in every input of every node.
#[derive(Debug)]
pub(crate) struct Trace {
    hasher: Hasher,
    gathered: Vec<u8>,
}

impl Default for Trace {
    fn default() -> Self {
        Self { hasher: Hasher::new(Domain::Trace), gathered: Vec::with_capacity(GATHERED_BYTES) }
    }
}

impl Trace {
    /// A node is given an input.
    pub(crate) fn note(&mut self, now: Time, Index(node): Index, input: &Input) {
        let Entry { kind, number, bytes, peer } = Entry::of(input);
        let mut head = [0; 64];
        let numbers = [nanos(now), (u64::from(node) << 8) | u64::from(kind), number];
        let words = numbers.into_iter().chain([bytes.len() as u64]).map(u64::to_le_bytes);
        let words = words.chain(peer.as_chunks::<8>().0.iter().copied());
        for (place, word) in head.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word);
        }
        self.gathered.extend_from_slice(&head);
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED_BYTES {
            self.hasher.update(&self.gathered);
            self.gathered.clear();
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.hasher.clone().update(&self.gathered).finish()
    }
}

/// An input, so far as it can differ between two runs whose inputs were equal until now.
struct Entry<'a> {
    kind: u8,
    number: u64,
    bytes: &'a [u8],
    /// The other end, where there is one.
    peer: &'a [u8; 32],
}

/// Numbers, in their order, as one.
fn fold(numbers: &[u64]) -> u64 {
    numbers.iter().fold(1, |sum: u64, number| sum.rotate_left(7) ^ number)
}

const NOBODY: &[u8; 32] = &[0; 32];

impl<'a> Entry<'a> {
    /// As one about a peer; networks are all alike.
    const fn of_whom(self, whom: &'a Whom) -> Self {
        match whom {
            Whom::Peer(peer) => Self { peer: peer.as_bytes(), ..self },
            Whom::Net(_) => self,
        }
    }

    fn of(input: &'a Input) -> Self {
        let new = |kind, number| Self { kind, number, bytes: &[], peer: NOBODY };
        match input {
            Input::WallClock(wall) => new(0, wall.as_millis()),
            Input::Known(known) => new(1, known.len() as u64),
            Input::Keep(known) => new(16, known.len() as u64),
            Input::Listening(addresses) => new(17, addresses.len() as u64),
            Input::Connected { peer, connection } => {
                let number = match connection.direction {
                    Direction::Outbound => 0,
                    Direction::Inbound => 1,
                };
                Self { peer: peer.as_bytes(), ..new(2, number) }
            }
            Input::Disconnected { peer } => Self { peer: peer.as_bytes(), ..new(3, 0) },
            Input::DialFailed { peer } => Self { peer: peer.as_bytes(), ..new(4, 0) },
            Input::Received { from, lane, frame } => {
                Self { bytes: frame, peer: from.as_bytes(), ..new(5, place(*lane) as u64) }
            }
            Input::Misbehaved { peer, fault } => {
                Self { bytes: fault.name().as_bytes(), peer: peer.as_bytes(), ..new(7, 0) }
            }
            // Good or bad, one after the other.
            Input::Verdicts(verdicts) => {
                let good = |outcome: &Outcome| match outcome {
                    Outcome::Publication(_)
                    | Outcome::Proof(_)
                    | Outcome::Record(_)
                    | Outcome::Member(_)
                    | Outcome::Accusation(_)
                    | Outcome::Answer(_) => 1,
                    Outcome::Rejected(..) => 0,
                };
                let number = verdicts
                    .iter()
                    .fold(1, |number: u64, verdict| number.rotate_left(1) ^ good(&verdict.outcome));
                new(8, number)
            }
            Input::Validated { judgement, .. } => {
                let number = match judgement {
                    Judgement::Accept => 0,
                    Judgement::Reject => 1,
                    Judgement::Ignore => 2,
                };
                new(9, number)
            }
            Input::Publish { request, payload, .. } => Self { bytes: payload, ..new(10, *request) },
            Input::Subscribe { topic, .. } => new(11, u64::from(topic.index())),
            Input::Unsubscribe { topic, .. } => new(12, u64::from(topic.index())),
            Input::Pardon { whom } => new(13, 0).of_whom(whom),
            Input::Ban { whom, .. } => new(18, 0).of_whom(whom),
            Input::Loaded(records) => new(14, records.len() as u64),
            Input::Tagged(tags) => new(18, tags.iter().count() as u64),
            Input::Holds(held) => new(19, held.len() as u64),
            Input::Kept { requests } => new(20, fold(requests)),
            Input::Unkept { requests } => new(21, fold(requests)),
            Input::Read { request, frames } => {
                let read = frames.iter().filter(|(_, frame)| frame.is_some());
                new(22, request.rotate_left(32) ^ read.count() as u64)
            }
            Input::Forgotten(held) => new(23, held.len() as u64),
            Input::Tick => new(15, 0),
            Input::Stopping => new(16, 0),
        }
    }
}
