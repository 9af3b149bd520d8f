//! What an honest node's disk gives back in another life, for both engines.
//!
//! What it holds of topics that are kept is compared with what it had promised. A core that finds a proof on its disk reports nothing, since it is no news to it. So the recorder is told by
//! a [`Recall`] around the node, which changes nothing.

use std::sync::Arc;

use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{Drain, Input, Participant, Record, Snapshot, Time};

use crate::{
    clock::RunClock,
    record::{Recorder, Seat},
};

/// A participant whose disk is looked at when it begins.
pub(crate) struct Recall {
    inner: Box<dyn Participant>,
    seat: Seat,
    recorder: Arc<Recorder>,
    clock: RunClock,
    /// All that is on the disk was told.
    has_told_all: bool,
}

impl Recall {
    pub(crate) fn new(
        inner: Box<dyn Participant>,
        seat: Seat,
        recorder: Arc<Recorder>,
        clock: RunClock,
    ) -> Self {
        Self { inner, seat, recorder, clock, has_told_all: false }
    }
}

impl Participant for Recall {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        if let Input::Loaded(records) = &input {
            for record in records {
                match record {
                    Record::Proof { author, .. } => self.recorder.recalled(self.seat, *author),
                    Record::Ban(_)
                    | Record::Pardon { .. }
                    | Record::Peer { .. }
                    | Record::PeerGone { .. }
                    | Record::BookKey { .. }
                    | Record::Anchors { .. } => {}
                }
            }
        }
        if let Input::Holds(held) = &input {
            self.recorder.holds(self.seat, held, self.clock.read(now));
        } else if let Input::Connected { .. } = &input
            && !self.has_told_all
        {
            self.has_told_all = true;
            self.recorder.has_told_all(self.seat, self.clock.read(now));
        }
        self.inner.handle(now, input)
    }

    fn deadline(&self) -> Option<Time> {
        self.inner.deadline()
    }

    fn snapshot(&self) -> Snapshot {
        self.inner.snapshot()
    }

    fn members(&self) -> Vec<MemberState> {
        self.inner.members()
    }
}
