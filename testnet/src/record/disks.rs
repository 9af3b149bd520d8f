//! What is on the disks of nodes that come back, against what they had promised.

use forsooth_protocol::{Held, Time};

use super::{Recorder, Seat, State, invariants::Invariant};

impl Recorder {
    /// These honest nodes will be killed: what they promise where messages are kept is remembered.
    pub fn follow(&self, seats: impl IntoIterator<Item = Seat>) {
        let mut state = self.state();
        if self.keeps() {
            seats.into_iter().for_each(|seat| state.promises.follow(seat));
        }
    }

    /// An honest node that was killed is about to be started again.
    pub(crate) fn returns(&self, seat: Seat) {
        self.state().promises.returns(seat);
    }

    /// This is on the disk of an honest node that comes back.
    pub(crate) fn lists(&self, seat: Seat, held: &[Held]) {
        let mut state = self.state();
        let State { spread, promises, .. } = &mut *state;
        let numbers = held.iter().filter_map(|held| spread.find(&held.id));
        numbers.for_each(|number| promises.found(seat, number));
    }

    /// As [`Self::lists`], of a node whose application reads nothing from there, but could.
    pub(crate) fn holds(&self, seat: Seat, held: &[Held], at: Time) {
        self.lists(seat, held);
        let mut state = self.state();
        let State { spread, catch_ups, .. } = &mut *state;
        for held in held {
            let Some(number) = spread.find(&held.id) else { continue };
            // Its application can read it, whether or not it was told before the node was killed.
            if !held.is_open && self.roster.seat(&held.slot.author) != Some(seat) {
                spread.accepted(seat, held.id, held.slot, 0, at);
                catch_ups.has(seat, number, at);
            }
        }
    }

    /// It has told all.
    pub(crate) fn has_told_all(&self, seat: Seat, at: Time) {
        let mut state = self.state();
        for number in state.promises.told(seat) {
            let id = state.spread.id(number);
            state.broken.note(Invariant::PromiseLost, at, seat, id, || {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                format!("had promised {id} before it was killed, and has it no more")
            });
        }
    }
}
