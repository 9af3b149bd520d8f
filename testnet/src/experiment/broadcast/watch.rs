//! Eyes around each node, adversaries included: what reaches it, and what it orders.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use forsooth_protocol::{Check, Effect, Event, Input, Lane, Participant, Time};

use super::sheet::Sheet;
use crate::eyes::{Eyes, Watched};

/// Shared by all nodes of a run.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Sheet>>);

/// What one node does.
struct Watch {
    node: usize,
    sheet: Shared,
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
        Box::new(Watched::new(inner, Watch { node, sheet: self.clone() }))
    }
}

impl Eyes for Watch {
    fn see_input(&mut self, _now: Time, input: &Input) {
        if let Input::Received { lane: Lane::Data, frame, .. } = input {
            let mut sheet = self.sheet.lock();
            if sheet.is_honest(self.node) {
                sheet.received(frame);
            }
        }
    }

    fn see_effects(&mut self, now: Time, effects: &VecDeque<Effect>) {
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
