//! What an honest node's disk gives back in another life, for both engines.
//!
//! A core that finds a proof on its disk reports nothing, since it is no news to it. So the recorder is told by
//! a [`Recall`] around the node, which changes nothing.

use std::sync::Arc;

use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{Drain, Input, Participant, Record, Snapshot, Time};

use crate::record::{Recorder, Seat};

/// A participant whose disk is looked at when it begins.
pub(crate) struct Recall {
    inner: Box<dyn Participant>,
    seat: Seat,
    recorder: Arc<Recorder>,
}

impl Recall {
    pub(crate) fn new(inner: Box<dyn Participant>, seat: Seat, recorder: Arc<Recorder>) -> Self {
        Self { inner, seat, recorder }
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
