//! A pair of eyes around each node, adversaries included: what reaches it, and what it orders.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use forsooth_protocol::snapshot::MemberState;
use forsooth_protocol::{Check, Drain, Effect, Event, Input, Lane, Participant, Snapshot, Time};

use super::sheet::Sheet;

/// Shared by all nodes of a run.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Sheet>>);

/// A participant that is watched; changes nothing.
pub(super) struct Watch {
    inner: Box<dyn Participant>,
    node: usize,
    sheet: Shared,
    effects: VecDeque<Effect>,
}

impl Shared {
    pub(super) fn new(sheet: Sheet) -> Self {
        Self(Arc::new(Mutex::new(sheet)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Sheet> {
        // A panic elsewhere leaves counters that are good enough to report it with.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the node in this place of the run.
    pub(super) fn watch(&self, node: usize, inner: Box<dyn Participant>) -> Box<dyn Participant> {
        Box::new(Watch { inner, node, sheet: self.clone(), effects: VecDeque::new() })
    }
}

impl Watch {
    fn look(&self, now: Time, effects: &VecDeque<Effect>) {
        let node = self.node;
        let mut sheet = self.sheet.lock();
        // What is sent of a message that was just published is to be known as its.
        for effect in effects {
            if let Effect::Published { request, outcome: Ok(receipt) } = effect {
                sheet.published(node, *request, receipt.id, now);
            }
        }
        let is_honest = sheet.is_honest(node);
        for effect in effects {
            match effect {
                Effect::Event(Event::Relayed { id, from: Some(from), .. }) => {
                    sheet.relayed(node, id, from, now);
                }
                Effect::Event(Event::LinkUp { peer, .. }) => sheet.link_up(node, peer),
                Effect::Event(Event::LinkDown { peer }) => sheet.link_down(node, peer),
                Effect::Deliver(accepted) if is_honest => {
                    sheet.accepted(node, &accepted.message().id(), now);
                }
                Effect::Send { class, frame, .. } if is_honest => sheet.sends(*class, frame),
                Effect::Verify { check: Check::Publication(message), .. } if is_honest => {
                    sheet.checked(&message.unverified().id());
                }
                Effect::Event(_)
                | Effect::Deliver(_)
                | Effect::Send { .. }
                | Effect::Verify { .. }
                | Effect::Published { .. }
                | Effect::Dial { .. }
                | Effect::Disconnect { .. }
                | Effect::Validate { .. }
                | Effect::Keep { .. }
                | Effect::Load { .. }
                | Effect::Store(_) => {}
            }
        }
    }
}

impl Participant for Watch {
    fn handle(&mut self, now: Time, input: Input) -> Drain<'_> {
        if let Input::Received { lane: Lane::Data, frame, .. } = &input {
            let mut sheet = self.sheet.lock();
            if sheet.is_honest(self.node) {
                sheet.received(frame);
            }
        }
        let mut effects = std::mem::take(&mut self.effects);
        effects.extend(self.inner.handle(now, input));
        if !effects.is_empty() {
            self.look(now, &effects);
        }
        self.effects = effects;
        Drain::new(&mut self.effects)
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
