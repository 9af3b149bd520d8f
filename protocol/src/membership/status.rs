//! What membership looks like from outside: for status pages, metrics and the testnet's checks of bounds.

use super::{
    Membership, court, probing,
    rumours::RUMOURS_MAX,
    table::{GRAVES_MAX, MEMBERS_MAX},
};
use crate::{
    budget::BUDGETS_MAX,
    snapshot::{self, Bound},
    sync::OPEN_MAX,
    time::Time,
};

impl Membership {
    /// How it stands.
    pub(crate) fn snapshot(&self) -> snapshot::Membership {
        let doubtful = self.watch.edges.values().filter(|edge| !edge.answers).count();
        snapshot::Membership {
            members: self.table.len() + usize::from(self.table.own().is_some()),
            suspected: self.court.suspected(),
            graves: self.table.graves(),
            tolerated: self.court.rules().t.into(),
            observers: self.rings.count(),
            needed: self.court.rules().needed(),
            subjects: self.watch.edges.len(),
            doubtful,
            health: self.health.score(),
            epoch: self.said.map(|(epoch, ..)| epoch),
            own: self.table.own().map(|own| (**own).clone()),
            rumours: self.rumours.len(),
        }
    }

    /// Every member but this node, by id.
    pub(crate) fn members(&self, now: Time) -> Vec<snapshot::MemberState> {
        let of = |(id, entry): (&_, &super::table::Entry)| snapshot::MemberState {
            record: (*entry.record).clone(),
            is_suspected: self.court.suspects(id),
            observed_on: self.watch.edges.get(id).map(|edge| edge.ring),
            phi: self.phi(id, now),
        };
        self.table.iter().map(of).collect()
    }

    /// How full it is.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = Bound> {
        let bound = |name, used, max| Bound { name, used, max };
        let budgets =
            [&self.strangers, &self.requests, &self.questions, &self.served].map(|it| it.len());
        [
            bound("membership.members", self.table.len(), MEMBERS_MAX),
            bound("membership.graves", self.table.graves(), GRAVES_MAX),
            bound("membership.cases", self.court.len(), court::CASES_MAX),
            bound("membership.rebutted", self.court.rebutted_len(), court::REBUTTED_MAX),
            bound("membership.voices", self.court.voices_len(), court::VOICES_MAX),
            bound("membership.rumours", self.rumours.len(), 2 * RUMOURS_MAX),
            bound("membership.errands", self.errands.len(), probing::ERRANDS_MAX),
            bound("membership.sessions", self.sessions.len(), OPEN_MAX),
            bound("membership.asked", self.pace.len(), super::telling::ASKED_MAX),
            bound("membership.budgets", budgets.into_iter().max().unwrap_or(0), BUDGETS_MAX),
        ]
        .into_iter()
    }
}
