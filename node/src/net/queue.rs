//! What waits to be written to one peer: a priority queue that is bounded in bytes.
//!
//! Each lane has its own bound, so payloads cannot crowd out vouches. Within a lane the most urgent
//! class leaves first, and within a class the oldest frame. When a lane is full, a frame may
//! displace frames of a *less* urgent class, newest first: the newest is the one whose loss the
//! protocol repairs most cheaply, since the receiver has waited for it the shortest time. Otherwise
//! the frame is refused. Nothing is dropped silently: what did not stay is handed back and counted.
//!
//! A pure data structure: it knows no clock, no stream and no lock.

use std::collections::VecDeque;

use bytes::Bytes;
use forsooth_protocol::{Class, Lane};

use super::stats::{PerClass, PerLane};

/// What a waiting frame costs beyond its own bytes. Without it, a million one-byte frames would
/// weigh a megabyte and take forty. A guess that is above `size_of::<Bytes>()` with the deque's
/// slack.
pub const FRAME_OVERHEAD_BYTES: usize = 64;

/// What became of a pushed frame, and of those that had to make room for it.
#[must_use = "frames that were dropped are only reported here"]
#[derive(Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The frame waits. The listed frames of less urgent classes, newest first, no longer do.
    Queued {
        /// What made room; usually nothing.
        displaced: Vec<(Class, Bytes)>,
    },
    /// The lane is full of frames that are at least as urgent. Here is the frame back.
    Refused(Bytes),
}

/// A priority queue for the outgoing frames of one link, bounded in bytes per lane.
#[derive(Debug)]
pub struct Queue {
    frames: PerClass<VecDeque<Bytes>>,
    dropped: PerClass<u64>,
    queued_bytes: PerLane<usize>,
    queued_bytes_max: PerLane<usize>,
}

impl Queue {
    /// An empty queue whose lanes never hold more than the given bytes, overhead included.
    #[must_use]
    pub fn new(queued_bytes_max: PerLane<usize>) -> Self {
        Self {
            frames: PerClass::default(),
            dropped: PerClass::default(),
            queued_bytes: PerLane::default(),
            queued_bytes_max,
        }
    }

    /// Adds a frame behind those of its class, if there is room or room can be made.
    pub fn push(&mut self, class: Class, frame: Bytes) -> Pushed {
        let cost = cost(&frame);
        let lane = class.lane();
        let max = *self.queued_bytes_max.of(lane);
        let over = self.queued_bytes.of(lane).saturating_add(cost).saturating_sub(max);
        // Asked before anything is displaced: a frame that will be refused must not cost others
        // their place.
        if over > 0 && self.displaceable(class, over) < over {
            self.count_drop(class);
            return Pushed::Refused(frame);
        }
        let displaced = self.displace(class, over);
        *self.queued_bytes.of_mut(lane) += cost;
        self.frames.of_mut(class).push_back(frame);
        Pushed::Queued { displaced }
    }

    /// Takes the next frame of a lane: the oldest of its most urgent class.
    pub fn pop(&mut self, lane: Lane) -> Option<Bytes> {
        let frame = classes(lane).find_map(|class| self.frames.of_mut(class).pop_front())?;
        *self.queued_bytes.of_mut(lane) -= cost(&frame);
        Some(frame)
    }

    /// Whether nothing waits on a lane.
    #[must_use]
    pub fn is_empty(&self, lane: Lane) -> bool {
        *self.queued_bytes.of(lane) == 0
    }

    /// The bytes that wait on a lane, [`FRAME_OVERHEAD_BYTES`] for each frame included.
    #[must_use]
    pub const fn queued_bytes(&self, lane: Lane) -> usize {
        *self.queued_bytes.of(lane)
    }

    /// The bytes that wait on both lanes together.
    #[must_use]
    pub fn queued_bytes_total(&self) -> usize {
        Lane::ALL.into_iter().map(|lane| self.queued_bytes(lane)).sum()
    }

    /// How many frames of each class were refused or displaced so far.
    #[must_use]
    pub const fn dropped(&self) -> &PerClass<u64> {
        &self.dropped
    }

    /// The bytes that a frame of this class could displace; stops counting once there are enough.
    fn displaceable(&self, class: Class, enough: usize) -> usize {
        let mut bytes = 0;
        for frame in less_urgent(class).flat_map(|other| self.frames.of(other).iter().rev()) {
            if bytes >= enough {
                break;
            }
            bytes += cost(frame);
        }
        bytes
    }

    /// Drops less urgent frames, least urgent class and newest frame first, until `over` bytes are
    /// free.
    fn displace(&mut self, class: Class, over: usize) -> Vec<(Class, Bytes)> {
        let mut displaced = Vec::new();
        let mut freed = 0;
        for other in less_urgent(class) {
            while freed < over
                && let Some(frame) = self.frames.of_mut(other).pop_back()
            {
                freed += cost(&frame);
                self.count_drop(other);
                displaced.push((other, frame));
            }
        }
        *self.queued_bytes.of_mut(class.lane()) -= freed;
        displaced
    }

    const fn count_drop(&mut self, class: Class) {
        let dropped = self.dropped.of_mut(class);
        *dropped = dropped.saturating_add(1);
    }
}

/// What a frame counts towards the bound of its lane.
const fn cost(frame: &Bytes) -> usize {
    frame.len().saturating_add(FRAME_OVERHEAD_BYTES)
}

/// The classes of a lane, most urgent first.
fn classes(lane: Lane) -> impl DoubleEndedIterator<Item = Class> {
    Class::ALL.into_iter().filter(move |class| class.lane() == lane)
}

/// The classes that `class` may displace, least urgent first.
fn less_urgent(class: Class) -> impl Iterator<Item = Class> {
    classes(class.lane()).rev().filter(move |other| *other > class)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Room for `frames` frames of ten bytes on each lane.
    fn room_for(frames: usize) -> Queue {
        let bytes = frames * (10 + FRAME_OVERHEAD_BYTES);
        Queue::new(PerLane { control: bytes, data: bytes })
    }

    fn ten(byte: u8) -> Bytes {
        Bytes::from(vec![byte; 10])
    }

    fn queued() -> Pushed {
        Pushed::Queued { displaced: Vec::new() }
    }

    #[test]
    fn the_most_urgent_class_leaves_first_and_a_class_keeps_its_order() {
        let mut queue = room_for(9);
        for (class, byte) in [
            (Class::Vouch, 1),
            (Class::Tree, 2),
            (Class::Vouch, 3),
            (Class::Evidence, 4),
            (Class::Tree, 5),
        ] {
            assert_eq!(queue.push(class, ten(byte)), queued());
        }
        let order: Vec<u8> =
            std::iter::from_fn(|| queue.pop(Lane::Control)).map(|frame| frame[0]).collect();
        assert_eq!(order, [4, 2, 5, 1, 3]);
    }

    #[test]
    fn evidence_displaces_everything_else_on_control_newest_first() {
        let mut queue = room_for(3);
        for (class, byte) in [(Class::Tree, 1), (Class::Vouch, 2), (Class::Vouch, 3)] {
            assert_eq!(queue.push(class, ten(byte)), queued());
        }
        for victim in [(Class::Vouch, ten(3)), (Class::Vouch, ten(2)), (Class::Tree, ten(1))] {
            assert_eq!(
                queue.push(Class::Evidence, ten(9)),
                Pushed::Queued { displaced: vec![victim] }
            );
        }
        assert_eq!(queue.push(Class::Evidence, ten(8)), Pushed::Refused(ten(8)));
        assert_eq!(
            *queue.dropped(),
            PerClass { evidence: 1, tree: 1, vouch: 2, ..PerClass::default() }
        );
    }

    #[test]
    fn a_refused_frame_costs_nobody_its_place() {
        let mut queue = room_for(3);
        for (class, byte) in [(Class::Tree, 1), (Class::Tree, 2), (Class::Vouch, 3)] {
            assert_eq!(queue.push(class, ten(byte)), queued());
        }
        // It could displace the vouch, but that would not be enough.
        let large = Bytes::from(vec![0; 10 + FRAME_OVERHEAD_BYTES]);
        assert_eq!(queue.push(Class::Tree, large.clone()), Pushed::Refused(large));
        assert_eq!(queue.dropped().vouch, 0);
        assert_eq!(std::iter::from_fn(|| queue.pop(Lane::Control)).count(), 3);
    }

    #[test]
    fn a_full_data_lane_leaves_control_alone() {
        let mut queue = room_for(1);
        assert_eq!(queue.push(Class::Payload, ten(1)), queued());
        assert_eq!(queue.push(Class::Payload, ten(2)), Pushed::Refused(ten(2)));
        assert_eq!(queue.push(Class::Vouch, ten(3)), queued());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(Class, usize),
        Pop(Lane),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (select(&Class::ALL[..]), 0..300_usize)
                .prop_map(|(class, len)| Step::Push(class, len)),
            1 => select(&Lane::ALL[..]).prop_map(Step::Pop),
        ]
    }

    proptest! {
        /// A plain list of waiting frames is the model: every frame is in it, was popped, or was
        /// reported.
        #[test]
        fn bounds_hold_order_holds_and_no_frame_is_lost_or_doubled(
            steps in proptest::collection::vec(step(), 0..200),
        ) {
            let max = PerLane { control: 700, data: 900 };
            let mut queue = Queue::new(max);
            let mut waiting: Vec<(Class, u32)> = Vec::new();
            let mut dropped = PerClass::<u64>::default();
            let mut serial = 0_u32;
            for step in steps {
                match step {
                    Step::Push(class, len) => {
                        serial += 1;
                        let mut bytes = serial.to_be_bytes().to_vec();
                        bytes.resize(4 + len, 0);
                        match queue.push(class, bytes.into()) {
                            Pushed::Queued { displaced } => {
                                for (victim, frame) in displaced {
                                    prop_assert!(victim > class && victim.lane() == class.lane());
                                    *dropped.of_mut(victim) += 1;
                                    let newest =
                                        waiting.iter().rposition(|(other, _)| *other == victim);
                                    let (_, newest) = waiting.remove(newest.unwrap());
                                    prop_assert_eq!(newest, number(&frame));
                                }
                                waiting.push((class, serial));
                            }
                            Pushed::Refused(frame) => {
                                prop_assert_eq!(number(&frame), serial);
                                *dropped.of_mut(class) += 1;
                            }
                        }
                    }
                    Step::Pop(lane) => {
                        // The first of the lowest class: `min_by_key` returns the earliest of
                        // equals.
                        let on_lane = waiting.iter().filter(|(class, _)| class.lane() == lane);
                        let next = on_lane.min_by_key(|(class, _)| *class).copied();
                        let popped = queue.pop(lane).map(|frame| number(&frame));
                        prop_assert_eq!(popped, next.map(|(_, serial)| serial));
                        waiting.retain(|entry| Some(*entry) != next);
                    }
                }
                prop_assert_eq!(*queue.dropped(), dropped);
                for lane in Lane::ALL {
                    prop_assert!(queue.queued_bytes(lane) <= *max.of(lane));
                    let is_empty = waiting.iter().all(|(class, _)| class.lane() != lane);
                    prop_assert_eq!(queue.is_empty(lane), is_empty);
                }
            }
        }
    }

    fn number(frame: &Bytes) -> u32 {
        u32::from_be_bytes(frame[..4].try_into().unwrap())
    }
}
