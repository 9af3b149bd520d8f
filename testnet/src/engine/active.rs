//! Faults that are on, and what they come to for each node. Both engines bring nodes from the condition before
//! a change to the one after it, so faults that overlap on a node do not undo each other.
//!
//! It also knows which faults of a scenario have made a difference: one that only ever befell nodes that were
//! down already has not.

use std::collections::BTreeSet;

use super::timeline::Blow;
use crate::scenario::FaultKind;

/// Faults that are on.
#[derive(Debug, Default)]
pub(crate) struct Active {
    blows: Vec<Blow>,
    /// The numbers of those that have made a difference, also if they are over.
    felt: BTreeSet<usize>,
}

/// What all faults that are on come to for one node. Of a node that is down nothing else can be said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// It does not run.
    pub(crate) down: bool,
    /// It does nothing.
    pub(crate) paused: bool,
    /// How far its clock is ahead.
    pub(crate) ahead_ms: i64,
    /// What it stores is lost.
    pub(crate) disk_full: bool,
}

impl Active {
    /// A fault befalls its nodes.
    pub(crate) fn strike(&mut self, blow: &Blow) {
        self.blows.push(blow.clone());
        self.review();
    }

    /// It is over.
    pub(crate) fn heal(&mut self, blow: &Blow) {
        if let Some(place) = self.blows.iter().position(|active| active == blow) {
            self.blows.remove(place);
        }
        // What another one has hidden so far may come to light.
        self.review();
    }

    /// Those that are on, in the order in which they began.
    pub(crate) fn blows(&self) -> &[Blow] {
        &self.blows
    }

    /// Faults that have made a difference, by their places in the scenario.
    pub(crate) fn felt(&self) -> impl Iterator<Item = usize> {
        self.felt.iter().copied()
    }

    /// What all of them come to for a node.
    pub(crate) fn condition(&self, node: usize) -> Condition {
        Condition::of(self.blows.iter(), node)
    }

    fn review(&mut self) {
        let news = (0..self.blows.len()).filter_map(|place| self.news(place));
        let news: Vec<usize> = news.collect();
        self.felt.extend(news);
    }

    /// The number of a fault that makes a difference now and has made none before.
    fn news(&self, place: usize) -> Option<usize> {
        let blow = self.blows.get(place).filter(|blow| !self.felt.contains(&blow.number))?;
        let others = || {
            let before = self.blows.iter().take(place);
            before.chain(self.blows.iter().skip(place + 1))
        };
        let matters = match blow.kind {
            FaultKind::Kill
            | FaultKind::Restart
            | FaultKind::Churn { .. }
            | FaultKind::Pause
            | FaultKind::Skew(_)
            | FaultKind::DiskFull => {
                let differs = |node: &usize| {
                    Condition::of(others(), *node) != Condition::of(self.blows.iter(), *node)
                };
                blow.nodes.iter().any(differs)
            }
            FaultKind::Partition | FaultKind::OneWay(_) | FaultKind::Loss(_) => {
                !others().any(|other| other.kind == blow.kind && other.nodes == blow.nodes)
            }
        };
        matters.then_some(blow.number)
    }
}

impl Condition {
    fn of<'a>(blows: impl Iterator<Item = &'a Blow>, node: usize) -> Self {
        let mut condition = Self::default();
        for blow in blows.filter(|blow| blow.nodes.contains(&node)) {
            match blow.kind {
                FaultKind::Kill | FaultKind::Restart | FaultKind::Churn { .. } => {
                    return Self { down: true, ..Self::default() };
                }
                FaultKind::Pause => condition.paused = true,
                // A clock shows one time: the one that it was set to last.
                FaultKind::Skew(ahead_ms) => condition.ahead_ms = ahead_ms,
                FaultKind::DiskFull => condition.disk_full = true,
                FaultKind::Partition | FaultKind::OneWay(_) | FaultKind::Loss(_) => {}
            }
        }
        condition
    }

    /// Whether the node neither runs nor answers.
    pub(crate) const fn is_away(self) -> bool {
        self.down || self.paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blow(number: usize, kind: FaultKind, nodes: &[usize]) -> Blow {
        Blow { kind, nodes: nodes.to_vec(), number }
    }

    const DOWN: Condition = Condition { down: true, paused: false, ahead_ms: 0, disk_full: false };

    #[test]
    fn a_node_that_is_killed_for_good_stays_down_when_a_restart_is_over() {
        let mut active = Active::default();
        let restart = blow(1, FaultKind::Restart, &[0]);
        active.strike(&blow(0, FaultKind::Kill, &[0]));
        active.strike(&restart);
        active.heal(&restart);
        assert_eq!(active.condition(0), DOWN);
        assert!(active.felt().eq([0]), "the restart did nothing");
    }

    #[test]
    fn of_two_pauses_the_longer_counts_and_both_are_felt_if_each_is_the_only_one_for_a_while() {
        let (first, second) = (blow(0, FaultKind::Pause, &[3]), blow(1, FaultKind::Pause, &[3]));
        let mut active = Active::default();
        active.strike(&first);
        active.strike(&second);
        assert!(active.felt().eq([0]));
        active.heal(&first);
        assert!(active.condition(3).paused);
        assert!(active.felt().eq([0, 1]));
        active.heal(&second);
        assert_eq!(active.condition(3), Condition::default());
    }

    #[test]
    fn a_clock_goes_back_to_the_skew_that_is_still_on_and_a_disk_stays_full() {
        let (hour, day) = (
            blow(0, FaultKind::Skew(3_600_000), &[1]),
            blow(1, FaultKind::Skew(-86_400_000), &[1]),
        );
        let (full, again) =
            (blow(2, FaultKind::DiskFull, &[1, 2]), blow(3, FaultKind::DiskFull, &[1]));
        let mut active = Active::default();
        [&hour, &day, &full, &again].into_iter().for_each(|blow| active.strike(blow));
        assert_eq!(active.condition(1).ahead_ms, -86_400_000);
        active.heal(&day);
        active.heal(&again);
        let expected = Condition { ahead_ms: 3_600_000, disk_full: true, ..Condition::default() };
        assert_eq!(active.condition(1), expected);
        assert!(active.felt().eq([0, 1, 2]));
    }

    #[test]
    fn what_a_dead_node_is_spared_comes_to_light_in_its_next_life() {
        let kill = blow(0, FaultKind::Kill, &[0]);
        let mut active = Active::default();
        active.strike(&kill);
        active.strike(&blow(1, FaultKind::Pause, &[0]));
        assert_eq!(active.condition(0), DOWN);
        active.heal(&kill);
        assert!(active.condition(0).paused && active.condition(0).is_away());
        assert!(active.felt().eq([0, 1]));
    }

    #[test]
    fn the_same_cut_twice_is_felt_once() {
        let mut active = Active::default();
        active.strike(&blow(0, FaultKind::Partition, &[0, 1]));
        active.strike(&blow(1, FaultKind::Partition, &[0, 1]));
        active.strike(&blow(2, FaultKind::Partition, &[2]));
        assert!(active.felt().eq([0, 2]));
    }
}
