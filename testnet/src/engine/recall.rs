//! What an honest node's disk gives back in another life, for both engines.
//!
//! What it holds of topics that are kept is compared with what it had promised. A core that finds a proof on its disk reports nothing,
//! since it is no news to it. So the recorder is told by a [`Recall`] around the node.

use std::sync::Arc;

use forsooth_protocol::{Input, Participant, Record, Time};

use crate::{
    clock::RunClock,
    eyes::{Eyes, Watched},
    record::{Recorder, Seat},
};

/// What a participant is given from its disk when it begins, for the record.
pub(crate) struct Recall {
    seat: Seat,
    recorder: Arc<Recorder>,
    clock: RunClock,
    /// All that is on the disk was told.
    has_told_all: bool,
}

impl Recall {
    pub(crate) fn around(
        inner: Box<dyn Participant>,
        seat: Seat,
        recorder: Arc<Recorder>,
        clock: RunClock,
    ) -> Watched<Self> {
        Watched::new(inner, Self { seat, recorder, clock, has_told_all: false })
    }
}

impl Eyes for Recall {
    fn see_input(&mut self, now: Time, input: &Input) {
        if let Input::Loaded(records) = input {
            // What is heard of it from now on, it has promised in this life.
            self.recorder.returns(self.seat);
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
        if let Input::Holds(held) = input {
            self.recorder.holds(self.seat, held, self.clock.read(now));
        } else if let Input::Connected { .. } = input
            && !self.has_told_all
        {
            self.has_told_all = true;
            self.recorder.has_told_all(self.seat, self.clock.read(now));
        }
    }
}
