//! Eyes around each node: what it says of members, and what that costs.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Effect, Event, Participant, Time,
    membership::{Epoch, News},
};

use crate::eyes::{Eyes, Watched};

/// What nodes say.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    /// Who certified whom as dead, when.
    pub(super) died: Vec<(Time, usize, NodeId, Epoch)>,
    /// Who suspected whom.
    pub(super) suspected: Vec<(Time, usize, NodeId, Epoch)>,
    /// Who saw whom come back.
    pub(super) recovered: Vec<(Time, usize, NodeId)>,
    /// Bytes of frames of members, and of all, since it was last emptied.
    pub(super) member_bytes: u64,
    pub(super) all_bytes: u64,
    /// Faults by name.
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) banned: u64,
}

#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Sheet>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Sheet> {
        // A panic elsewhere leaves counters that are good enough to report it with.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self, node: usize, inner: Box<dyn Participant>) -> Box<dyn Participant> {
        Box::new(Watched::new(inner, Watch { node, sheet: self.clone() }))
    }
}

/// What one node does.
struct Watch {
    node: usize,
    sheet: Shared,
}

impl Eyes for Watch {
    fn see_effects(&mut self, now: Time, effects: &VecDeque<Effect>) {
        let mut sheet = self.sheet.lock();
        for effect in effects {
            if let Effect::Send { class, frame, .. } = effect {
                sheet.all_bytes += frame.len() as u64;
                sheet.member_bytes += u64::from(*class == Class::Members) * frame.len() as u64;
            } else if let Effect::Event(Event::Membership(news)) = effect {
                sheet.note(now, self.node, news);
            } else if let Effect::Event(Event::Fault { fault, .. }) = effect {
                *sheet.faults.entry(fault.name()).or_default() += 1;
            } else if let Effect::Event(Event::Banned { .. }) = effect {
                sheet.banned += 1;
            }
        }
    }
}

impl Sheet {
    fn note(&mut self, now: Time, node: usize, news: &News) {
        match news {
            News::Died { certificate } => {
                self.died.push((now, node, certificate.subject, certificate.epoch));
            }
            News::Suspected { peer, epoch } => self.suspected.push((now, node, *peer, *epoch)),
            News::Recovered { peer, .. } => self.recovered.push((now, node, *peer)),
            News::Joined { .. } | News::Left { .. } | News::Evicted { .. } => {}
        }
    }
}
