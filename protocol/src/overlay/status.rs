//! What the overlay looks like from outside: for status pages, metrics and the testnet's checks of bounds.

use std::collections::BTreeSet;

use forsooth_crypto::NodeId;

use super::{Bound, CAPACITY_MIN, Overlay, VISITS_MAX, snapshot};

impl Overlay {
    /// How it stands, for status pages and metrics.
    pub(crate) fn snapshot(&self) -> snapshot::Overlay {
        let held: Vec<NodeId> = self.sampler.view().map(|(peer, _)| peer).collect();
        let known = held.iter().collect::<BTreeSet<_>>().len();
        let capacity = self.sampler.capacity();
        snapshot::Overlay {
            slots: self.sampler.slots(),
            view: known,
            peers: self.sampler.peers(),
            rate: self.sampler.rate().per_round(),
            capacity,
            is_overrun: !held.is_empty() && capacity < f64::from(CAPACITY_MIN),
            is_joining: self.sampler.joining(),
            rounds: self.rounds,
            samples: self.samples.len(),
            contacts: self.directory.usage().0,
            book: self.book.len(),
            record: self.own.as_ref().map(|own| own.record().number),
        }
    }

    /// Peers that could be reached.
    pub(crate) fn candidates(&self) -> usize {
        let contacts = self.directory.contacts().filter(|peer| self.book.contact(peer).is_none());
        contacts.count() + self.book.len()
    }

    /// How full it is.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = Bound> {
        let pair = |name, (used, max)| Bound { name, used, max };
        let rest = [
            pair("overlay.contacts", self.directory.usage()),
            pair("overlay.trials", self.trials.usage()),
            pair("overlay.budgets", self.exchange.usage()),
            pair("overlay.visits", (self.visits.len(), VISITS_MAX + 1)),
        ];
        self.book.bounds().into_iter().chain(rest)
    }
}
