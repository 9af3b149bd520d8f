//! Frames that stop in the middle, on the wire of a real node: what [`Wire::Stalls`](crate::strategy::Wire) asks for.
//!
//! While a gang's attack is on, the first frame that one of its nodes begins on each lane of each link with a
//! victim ends after half of its bytes, and is flushed. What comes behind it waits in the adversary's own queue:
//! so its strategy, which holds that back in the simulator, is not needed, and the node lives by its honest core.
//! A frame that was begun before goes on to its end, and one that stands goes on when the attack is over.
//!
//! An act is counted when the half has left this node, once for each frame that stops; a link that is gone
//! takes no half, and counts for nothing.

use std::{
    collections::BTreeSet,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use forsooth::net::{
    identity::node_id,
    outgoing::{BoxOutgoing, Wrap},
};
use forsooth_crypto::NodeId;
use futures::{AsyncWrite, task::AtomicWaker};

use crate::{
    cast::Cast, engine::timeline::places, gate::Gate, plan::Purpose, record::Recorder,
    strategy::Wire,
};

/// What stops the frames of a gang.
#[derive(Debug)]
pub(super) struct Brake {
    gate: Gate,
    victims: BTreeSet<NodeId>,
    recorder: Arc<Recorder>,
    /// The lanes of its nodes, to be woken when the attack is over.
    lanes: Mutex<Vec<Weak<AtomicWaker>>>,
}

impl Brake {
    /// That of a gang, if it stalls at all.
    pub(super) fn of(cast: &Cast, gang: usize) -> Option<Arc<Self>> {
        let plan = &cast.plan;
        let band = &plan.gangs.get(gang)?.of;
        if band.kind.wire != Wire::Stalls || !band.intensity.is_some() {
            return None;
        }
        // From the stream that the cast draws the targets of its strategies from.
        let mut rng = plan.stream(Purpose::Faults, usize::MAX >> 32);
        let targets = band.targets.as_ref().map(|who| places(who, plan, &mut rng));
        let is_target = |place: &usize| targets.as_ref().is_none_or(|some| some.contains(place));
        let victims = (0..plan.honest).filter(is_target).map(|place| plan.keypair(place).id());
        Some(Arc::new(Self {
            gate: cast.gate(gang)?.clone(),
            victims: victims.collect(),
            recorder: Arc::clone(&cast.recorder),
            lanes: Mutex::default(),
        }))
    }

    /// Puts it on the lanes of one of the gang's nodes.
    pub(super) fn put_on(self: &Arc<Self>, adversary: NodeId) -> Wrap {
        let brake = Arc::clone(self);
        Wrap::new(move |peer, _, stream| {
            if node_id(peer).is_some_and(|peer| brake.victims.contains(&peer)) {
                Box::new(Stalling::new(stream, adversary, Arc::clone(&brake)))
            } else {
                stream
            }
        })
    }

    /// Lets go on what stands, once the gate is closed.
    pub(super) fn release(&self) {
        self.lanes().iter().filter_map(Weak::upgrade).for_each(|lane| lane.wake());
    }

    fn add(&self, lane: &Arc<AtomicWaker>) {
        let mut lanes = self.lanes();
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(Arc::downgrade(lane));
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Weak<AtomicWaker>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane to a victim.
#[derive(Debug)]
struct Stalling<S = BoxOutgoing> {
    stream: S,
    place: Place,
    /// What becomes of the frame that is under way.
    fate: Fate,
    adversary: NodeId,
    brake: Arc<Brake>,
    waker: Arc<AtomicWaker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on to its end.
    Whole,
    /// It ends in the middle.
    Halved,
    /// It has, and this is counted.
    Counted,
}

impl<S: AsyncWrite + Unpin> Stalling<S> {
    fn new(stream: S, adversary: NodeId, brake: Arc<Brake>) -> Self {
        let waker = Arc::default();
        brake.add(&waker);
        Self { stream, place: Place::BETWEEN, fate: Fate::Whole, adversary, brake, waker }
    }

    fn write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.place.pass(bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    /// Half of a frame is written: sees to it that it arrives, and writes no more.
    fn stand(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        if self.fate != Fate::Counted {
            self.fate = Fate::Counted;
            self.brake.recorder.withheld(&self.adversary);
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Before the gate is looked at, so that its closing is not missed.
        self.waker.register(cx.waker());
        if !self.brake.gate.is_open() {
            self.fate = Fate::Whole;
            return self.write(cx, bytes);
        }
        if self.place.is_between() {
            self.fate = Fate::Halved;
        }
        let piece = match self.fate {
            Fate::Whole => self.place.to_the_end(bytes),
            Fate::Halved | Fate::Counted => self.place.to_the_middle(bytes),
        };
        match bytes.get(..piece).filter(|piece| !piece.is_empty()) {
            Some(piece) => self.write(cx, piece),
            None => self.stand(cx),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Where in its frames a lane is. Each is a varint with its length, and so many bytes.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the length of a frame: what is known of it, and how many bits that is.
    Length { known: usize, bits: u32 },
    /// In the frame itself.
    Frame { bytes: usize, left: usize },
}

impl Place {
    const BETWEEN: Self = Self::Length { known: 0, bits: 0 };

    const fn is_between(self) -> bool {
        matches!(self, Self::Length { bits: 0, .. })
    }

    /// How many of these bytes there are up to the end of the frame, or of its length.
    fn to_the_end(self, bytes: &[u8]) -> usize {
        match self {
            Self::Length { .. } => {
                let last = bytes.iter().position(|byte| byte & 0x80 == 0);
                last.map_or(bytes.len(), |last| last + 1)
            }
            Self::Frame { left, .. } => left.min(bytes.len()),
        }
    }

    /// How many there are up to the middle of the frame, or the end of its length; none from the middle on.
    fn to_the_middle(self, bytes: &[u8]) -> usize {
        match self {
            Self::Length { .. } => self.to_the_end(bytes),
            // Of one byte, none comes.
            Self::Frame { bytes: whole, left } => {
                left.saturating_sub(whole.div_ceil(2)).min(bytes.len())
            }
        }
    }

    /// These bytes are written.
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match *self {
                Self::Length { known, bits } => {
                    let more = usize::from(first & 0x7f).checked_shl(bits).unwrap_or(0);
                    let known = known | more;
                    let is_last = first & 0x80 == 0;
                    *self = if is_last && known > 0 {
                        Self::Frame { bytes: known, left: known }
                    } else if is_last {
                        Self::BETWEEN
                    } else {
                        Self::Length { known, bits: bits.saturating_add(7) }
                    };
                    bytes = rest;
                }
                Self::Frame { bytes: whole, left } => {
                    let passed = left.min(bytes.len());
                    bytes = bytes.get(passed..).unwrap_or_default();
                    *self = match left - passed {
                        0 => Self::BETWEEN,
                        left => Self::Frame { bytes: whole, left },
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use forsooth::net::framing::put_prefix;
    use futures::{AsyncWriteExt as _, task::noop_waker};

    use super::*;
    use crate::{
        clock::RunClock,
        plan::Plan,
        scenario::{Gang, Group, Scenario, Who},
        strategy::{self, Intensity},
    };

    fn cast(change: impl FnOnce(&mut Gang)) -> Cast {
        let mut gang = Gang::of(strategy::find("slow-loris").unwrap(), 1);
        change(&mut gang);
        let honest = vec![Group::of("honest", 5)];
        let scenario = Scenario { adversaries: vec![gang], ..Scenario::of("test", honest) };
        Cast::new(&Plan::of(&scenario).unwrap(), RunClock::Shared)
    }

    fn lane(cast: &Cast) -> Stalling<Vec<u8>> {
        let brake = Brake::of(cast, 0).unwrap();
        Stalling::new(Vec::new(), cast.plan.keypair(5).id(), brake)
    }

    fn frame(bytes: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        put_prefix(bytes, &mut frame);
        frame.resize(frame.len() + bytes, 7);
        frame
    }

    /// Writes as the node does, until the lane takes no more; returns how much is left.
    fn write(lane: &mut Stalling<Vec<u8>>, mut bytes: &[u8]) -> usize {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        while !bytes.is_empty()
            && let Poll::Ready(written) = Pin::new(&mut *lane).poll_write(&mut cx, bytes)
        {
            bytes = &bytes[written.unwrap()..];
        }
        bytes.len()
    }

    fn acts(cast: &Cast) -> u64 {
        cast.recorder.findings().hostile_actions()
    }

    #[test]
    fn a_frame_that_begins_under_attack_stops_in_the_middle_and_counts_once() {
        for (bytes, through) in [(300, 2 + 150), (1, 1), (2, 1 + 1), (3, 1 + 1)] {
            let cast = cast(|_| ());
            let mut lane = lane(&cast);
            cast.gate(0).unwrap().open();
            let sent = [frame(bytes), frame(9)].concat();
            let left = write(&mut lane, &sent);
            assert_eq!((lane.stream.len(), left), (through, sent.len() - through), "{bytes}");
            assert_eq!(write(&mut lane, &sent[through..]), left);
            assert_eq!(acts(&cast), 1, "{bytes}");
        }
    }

    #[test]
    fn what_was_begun_before_is_finished_and_what_stands_goes_on_after() {
        let cast = cast(|_| ());
        let mut lane = lane(&cast);
        let sent = [frame(10), frame(1000), frame(40), frame(1)].concat();
        assert_eq!(write(&mut lane, &sent[..50]), 0);
        cast.gate(0).unwrap().open();
        assert_eq!(acts(&cast), 0);
        let through = 11 + 1002 + 1 + 20;
        assert_eq!(write(&mut lane, &sent[50..]), sent.len() - through);
        assert_eq!(acts(&cast), 1);
        cast.gate(0).unwrap().close();
        assert_eq!(write(&mut lane, &sent[through..]), 0);
        assert_eq!(lane.stream, sent);
        cast.gate(0).unwrap().open();
        assert_eq!(write(&mut lane, &frame(2)), 1);
        assert_eq!(acts(&cast), 2);
    }

    #[tokio::test]
    async fn a_lane_that_stands_is_woken_when_the_attack_is_over() {
        let cast = cast(|_| ());
        let mut lane = lane(&cast);
        let brake = Arc::clone(&lane.brake);
        cast.gate(0).unwrap().open();
        let sent = frame(40);
        assert_eq!(write(&mut lane, &sent), 20);
        let mut rest = std::pin::pin!(lane.write_all(&sent[21..]));
        assert!(futures::poll!(&mut rest).is_pending());
        cast.gate(0).unwrap().close();
        brake.release();
        // Only what was woken is polled here.
        rest.await.unwrap();
    }

    #[test]
    fn without_intensity_there_is_no_brake_and_only_targets_are_victims() {
        assert!(Brake::of(&cast(|gang| gang.intensity = Intensity::NONE), 0).is_none());
        let cast = cast(|gang| gang.targets = Some(Who::Nodes(vec![1, 3])));
        let victims = Brake::of(&cast, 0).unwrap().victims.clone();
        assert_eq!(victims, [1, 3].map(|place| cast.plan.keypair(place).id()).into());
    }
}
