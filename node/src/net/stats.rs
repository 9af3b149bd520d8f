//! Values kept once per lane or per class, and the counters of a link.
//!
//! Two small tables with a field for every key, so that a lookup can neither miss nor panic, and a
//! new lane or class does not compile until it has a place here.

use forsooth_protocol::{Class, Lane};

/// One value for each [`Lane`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLane<T> {
    /// For [`Lane::Control`].
    pub control: T,
    /// For [`Lane::Data`].
    pub data: T,
}

impl<T> PerLane<T> {
    /// The value of one lane.
    pub const fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::Control => &self.control,
            Lane::Data => &self.data,
        }
    }

    /// The value of one lane, to change.
    pub const fn of_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Data => &mut self.data,
        }
    }
}

/// One value for each [`Class`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerClass<T> {
    /// For [`Class::Evidence`].
    pub evidence: T,
    /// For [`Class::Members`].
    pub members: T,
    /// For [`Class::Tree`].
    pub tree: T,
    /// For [`Class::Vouch`].
    pub vouch: T,
    /// For [`Class::Peers`].
    pub peers: T,
    /// For [`Class::Sync`].
    pub sync: T,
    /// For [`Class::Requested`].
    pub requested: T,
    /// For [`Class::Payload`].
    pub payload: T,
    /// For [`Class::Haul`].
    pub haul: T,
}

impl<T> PerClass<T> {
    /// The value of one class.
    pub const fn of(&self, class: Class) -> &T {
        match class {
            Class::Evidence => &self.evidence,
            Class::Members => &self.members,
            Class::Tree => &self.tree,
            Class::Vouch => &self.vouch,
            Class::Peers => &self.peers,
            Class::Sync => &self.sync,
            Class::Requested => &self.requested,
            Class::Payload => &self.payload,
            Class::Haul => &self.haul,
        }
    }

    /// The value of one class, to change.
    pub const fn of_mut(&mut self, class: Class) -> &mut T {
        match class {
            Class::Evidence => &mut self.evidence,
            Class::Members => &mut self.members,
            Class::Tree => &mut self.tree,
            Class::Vouch => &mut self.vouch,
            Class::Peers => &mut self.peers,
            Class::Sync => &mut self.sync,
            Class::Requested => &mut self.requested,
            Class::Payload => &mut self.payload,
            Class::Haul => &mut self.haul,
        }
    }
}

/// How much went one way on one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames.
    pub frames: u64,
    /// Bytes of frames, without their length prefixes.
    pub bytes: u64,
}

impl Traffic {
    /// Counts one frame.
    pub const fn count(&mut self, frame_bytes: usize) {
        self.frames = self.frames.saturating_add(1);
        self.bytes = self.bytes.saturating_add(frame_bytes as u64);
    }

    /// Adds another count to this one.
    pub const fn add(&mut self, other: Self) {
        self.frames = self.frames.saturating_add(other.frames);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// What passed over the connections to one peer that are open now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Taken from the queue to be written.
    pub sent: PerLane<Traffic>,
    /// Decoded and handed on.
    pub received: PerLane<Traffic>,
    /// Frames that a full queue refused or displaced.
    pub dropped: PerClass<u64>,
    /// What waits to be written; see [`super::queue::Queue::queued_bytes`].
    pub queued_bytes: usize,
}

impl Stats {
    /// Adds the counters of another connection to the same peer.
    pub(super) fn add(&mut self, other: &Self) {
        for lane in Lane::ALL {
            self.sent.of_mut(lane).add(*other.sent.of(lane));
            self.received.of_mut(lane).add(*other.received.of(lane));
        }
        for class in Class::ALL {
            let dropped = self.dropped.of_mut(class);
            *dropped = dropped.saturating_add(*other.dropped.of(class));
        }
        self.queued_bytes = self.queued_bytes.saturating_add(other.queued_bytes);
    }
}
