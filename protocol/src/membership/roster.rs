//! Whom this node observes, and who observes it: drawn anew when the shift or the members change.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use super::{
    Membership,
    court::Rules,
    rings::{Rings, tolerance},
    watch::Edge,
};
use crate::{
    machine::{Cx, Signal},
    time::{Timestamp, millis},
};

impl Membership {
    /// Whether members that came before a shift are too few to observe in it. Then all do.
    fn is_young(&self, began: Timestamp) -> bool {
        let old = self.table.iter().filter(|(_, entry)| entry.since < began).count();
        old * 2 < self.table.len()
    }

    /// Finds out whom this node observes, and who observes it.
    pub(super) fn draw_roster(&mut self, cx: &mut Cx<'_>) {
        self.roster_at = None;
        let (shift, began) = self.settings.shift_at(cx.wall);
        let t = tolerance(self.table.len() + 1, self.settings.liars_percent);
        self.court.govern(Rules { t, ..self.court.rules() });
        let count = 2 * t + 1;
        if shift != self.rings.shift() {
            self.court.forgive();
        }
        if shift != self.rings.shift() || usize::from(count) != self.rings.count() {
            let network = self.config.network.digest();
            self.rings = Rings::new(network, shift, count);
            self.rings_before = Rings::new(network, shift.saturating_sub(1), count);
        }
        let young = self.is_young(began);
        let before =
            Timestamp::from_millis(began.as_millis().saturating_sub(millis(self.settings.shift)));
        self.rings_before.set_young(self.is_young(before));
        self.rings.set_young(young);
        let observes = |since: Timestamp| young || since < began;
        let all: Vec<_> = self
            .table
            .iter()
            .map(|(id, entry)| (*id, entry.record.content().nonce, observes(entry.since)))
            .collect();
        let nonce = self.table.own().map(|own| own.content().nonce);
        let may = !self.left && nonce.is_some() && self.since.is_some_and(observes);
        let roster = self.rings.roster((&self.config.me, nonce, may), &all);
        self.observers = roster.observers;
        self.observe(roster.subjects, cx);
    }

    /// Begins to observe these, and no others.
    fn observe(&mut self, subjects: BTreeMap<NodeId, u8>, cx: &mut Cx<'_>) {
        let gone = self.watch.edges.extract_if(.., |id, _| !subjects.contains_key(id));
        cx.signals.extend(gone.map(|(peer, _)| Signal::Unobserved { peer }));
        for (subject, ring) in subjects {
            let every = self.settings.probe_every;
            let edge = self.watch.edges.entry(subject).or_insert_with(|| {
                let share = f64::from(cx.rng.next_u32()) / f64::from(u32::MAX);
                Edge::new(ring, cx.now + every.mul_f64(share))
            });
            edge.ring = ring;
        }
    }
}
