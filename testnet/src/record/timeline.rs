//! What was done to the network when, and how long it took to recover.

use std::{collections::BTreeSet, time::Duration};

use forsooth_protocol::Time;

use super::{Mark, Recorder, Roster, Seat, What, spread::Published};

/// Marks that are kept; a run with more is long or restless.
const MARKS_MAX: usize = 4096;

/// The marks of a run.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) marks: Vec<(Time, Mark)>,
    /// Marks that were too many.
    pub(crate) left_out: u64,
    /// Attacks that have begun.
    pub(crate) attacks: u64,
    /// Faults of the scenario that have made a difference to some node.
    felt: BTreeSet<usize>,
    /// Attacks and faults that are on and will end.
    active: Vec<Mark>,
    /// When the last of them ended.
    calm_since: Option<Time>,
    /// The last acceptance after that of what was published before.
    caught_up: Time,
}

/// Whether the network found its feet after the last attack or fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// No attack and no fault has ended.
    #[default]
    NotNeeded,
    /// It took this long until every honest node had witnesses enough and the last late message.
    Within(Duration),
    /// Some honest node lacks witnesses, or a message that it is owed.
    Never,
}

impl Timeline {
    pub(crate) fn mark(&mut self, at: Time, mark: Mark) {
        match mark.what {
            What::Phase => {}
            What::AttackBegins => {
                self.attacks += 1;
                self.active.push(mark.clone());
            }
            What::FaultBegins => {
                self.active.push(mark.clone());
            }
            What::AttackEnds | What::FaultEnds => {
                let active = || self.active.iter();
                let same = active()
                    .position(|begun| begun.is_ended_by(&mark) && begun.nodes == mark.nodes);
                let place = same.or_else(|| active().rposition(|begun| begun.is_ended_by(&mark)));
                if let Some(place) = place {
                    self.active.remove(place);
                }
                self.calm_since = Some(at);
                self.caught_up = at;
            }
        }
        if self.marks.len() < MARKS_MAX {
            self.marks.push((at, mark));
        } else {
            self.left_out += 1;
        }
    }

    /// Whether an attack or a fault is on.
    pub(crate) fn is_disturbed(&self) -> bool {
        !self.active.is_empty()
    }

    /// Whether an attack is on.
    pub(crate) fn is_under_attack(&self) -> bool {
        self.active.iter().any(|mark| mark.what == What::AttackBegins)
    }

    /// Honest nodes that attacks were aimed at; nobody if one of them was aimed at all.
    pub(crate) fn targets(&self, roster: &Roster) -> BTreeSet<Seat> {
        let attacks = self.marks.iter().filter(|(_, mark)| mark.what == What::AttackBegins);
        let attacks: Vec<&Mark> = attacks.map(|(_, mark)| mark).collect();
        if attacks.iter().any(|mark| mark.nodes.is_empty()) {
            return BTreeSet::new();
        }
        let is_honest =
            |node: &&u32| usize::try_from(**node).is_ok_and(|node| node < roster.honest_count());
        let nodes = attacks.iter().flat_map(|mark| &mark.nodes);
        nodes.filter(is_honest).map(|node| Seat(*node)).collect()
    }

    /// A message was accepted that is due.
    pub(crate) fn accepted(&mut self, published: Published, at: Time) {
        if self.calm_since.is_some_and(|calm| published.at <= calm) {
            self.caught_up = at;
        }
    }

    /// How many faults have made a difference, however often each of them struck.
    pub(crate) fn faults(&self) -> u64 {
        self.felt.len() as u64
    }

    /// How long the network took; `ready_since` is when every honest node had witnesses enough, and `owed` how
    /// many acceptances are still due.
    pub(crate) fn recovery(&self, ready_since: Option<Time>, owed: u64) -> Recovery {
        let Some(calm) = self.calm_since else { return Recovery::NotNeeded };
        ready_since.filter(|_| owed == 0).map_or(Recovery::Never, |ready| {
            Recovery::Within(self.caught_up.max(ready).since(calm))
        })
    }
}

impl Recorder {
    /// A fault, by its place in the scenario, has made a difference to some node. Said once or often.
    pub fn felt(&self, fault: usize) {
        self.state().timeline.felt.insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_strikes_often_does_not_hide_one_that_never_does() {
        let mut timeline = Timeline::default();
        for _ in 0..9 {
            timeline.mark(Time::ZERO, Mark::new(What::FaultBegins, "churn").nodes([1]));
            timeline.felt.insert(0);
        }
        assert_eq!((timeline.faults(), timeline.marks.len()), (1, 9));
    }

    #[test]
    fn what_is_owed_and_has_not_come_is_no_recovery() {
        let second = Time::from_duration(Duration::from_secs(1));
        let mut timeline = Timeline::default();
        assert_eq!(timeline.recovery(Some(second), 1), Recovery::NotNeeded);
        timeline.mark(Time::ZERO, Mark::new(What::FaultBegins, "pause"));
        timeline.mark(Time::ZERO, Mark::new(What::FaultEnds, "pause"));
        assert_eq!(timeline.recovery(Some(second), 1), Recovery::Never);
        assert_eq!(timeline.recovery(None, 0), Recovery::Never);
        let within = Recovery::Within(Duration::from_secs(1));
        assert_eq!(timeline.recovery(Some(second), 0), within);
    }
}
