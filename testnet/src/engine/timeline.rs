//! What happens in a run besides load, and when: attacks that begin and end, faults that befall nodes drawn
//! from the seed and are healed again. Both engines carry out the same timeline.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt as _, seq::index};
use rand_chacha::ChaCha8Rng;

use crate::{
    plan::{Plan, Purpose},
    record::{Mark, What},
    scenario::{Fault, FaultKind, Scenario, Who, values::written},
};

/// What happens at one moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A gang's attack begins.
    Attack(usize),
    /// It is over.
    Relent(usize),
    /// A fault befalls nodes.
    Strike(Blow),
    /// It is healed.
    Heal(Blow),
}

/// A fault and the nodes that it befalls.
#[derive(Clone, Debug, PartialEq)]
pub struct Blow {
    /// Which.
    pub kind: FaultKind,
    /// To whom.
    pub nodes: Vec<usize>,
    /// Its place among the faults of the scenario.
    pub number: usize,
}

/// All acts of a run by the time since the load began, in order.
#[derive(Clone, Debug)]
pub struct Timeline {
    acts: Vec<(Duration, Act)>,
    next: usize,
}

impl Timeline {
    /// The acts of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, plan: &Plan) -> Self {
        let end = scenario.run.duration;
        let mut acts = Vec::new();
        for (gang, band) in plan.gangs.iter().enumerate() {
            acts.push((band.of.start, Act::Attack(gang)));
            acts.push((band.of.stop.unwrap_or(end), Act::Relent(gang)));
        }
        for (number, fault) in scenario.faults.iter().enumerate() {
            let mut rng = plan.stream(Purpose::Faults, number);
            let mut nodes = places(&fault.who, plan, &mut rng);
            nodes.sort_unstable();
            nodes.dedup();
            if is_idle(fault.kind, &nodes, plan) {
                continue;
            }
            match fault.kind {
                FaultKind::Churn { per_minute, away } => {
                    acts.extend(churn(fault, number, &nodes, per_minute, away, end, &mut rng));
                }
                kind @ (FaultKind::Kill
                | FaultKind::Restart
                | FaultKind::Pause
                | FaultKind::Partition
                | FaultKind::OneWay(_)
                | FaultKind::Loss(_)
                | FaultKind::Skew(_)
                | FaultKind::DiskFull) => {
                    let blow = Blow { kind, nodes, number };
                    let healed =
                        fault.lasts.map(|lasts| (fault.at + lasts, Act::Heal(blow.clone())));
                    acts.push((fault.at, Act::Strike(blow)));
                    acts.extend(healed);
                }
            }
        }
        // A stable sort: what happens at one moment happens in the order of the file.
        acts.sort_by_key(|(at, _)| *at);
        Self { acts, next: 0 }
    }

    /// The next act, if it is due by then.
    pub fn pop_until(&mut self, until: Duration) -> Option<(Duration, Act)> {
        let next = self.acts.get(self.next).filter(|(at, _)| *at <= until)?.clone();
        self.next += 1;
        Some(next)
    }

    /// Nothing begins any more; what has begun still ends in its time.
    pub fn call_off(&mut self) {
        let to_come = self.acts.split_off(self.next.min(self.acts.len()));
        let mut open: Vec<Act> = Vec::new();
        for (_, act) in &self.acts {
            match act {
                Act::Attack(_) | Act::Strike(_) => open.extend(act.end()),
                Act::Relent(_) | Act::Heal(_) => {
                    take(&mut open, act);
                }
            }
        }
        self.acts.extend(to_come.into_iter().filter(|(_, act)| take(&mut open, act)));
    }

    /// When the next act is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.acts.get(self.next).map(|(at, _)| *at)
    }

    /// When the last act is due.
    #[must_use]
    pub fn end(&self) -> Duration {
        self.acts.last().map_or(Duration::ZERO, |(at, _)| *at)
    }

    /// Honest nodes that are killed or paused at some time.
    #[must_use]
    pub fn stopped(&self) -> BTreeSet<usize> {
        self.struck_by(|kind| kind.is_deadly() || kind == FaultKind::Pause)
    }

    /// Honest nodes that are killed at some time.
    #[must_use]
    pub fn killed(&self) -> BTreeSet<usize> {
        self.struck_by(FaultKind::is_deadly)
    }

    /// Honest nodes that are paused at some time.
    #[must_use]
    pub fn paused(&self) -> BTreeSet<usize> {
        self.struck_by(|kind| kind == FaultKind::Pause)
    }

    fn struck_by(&self, stops: impl Fn(FaultKind) -> bool) -> BTreeSet<usize> {
        let struck = self.acts.iter().filter_map(|(_, act)| match act {
            Act::Strike(blow) if stops(blow.kind) => Some(&blow.nodes),
            Act::Attack(_) | Act::Relent(_) | Act::Strike(_) | Act::Heal(_) => None,
        });
        struck.flatten().copied().collect()
    }
}

impl Timeline {
    /// The nodes that each loss befalls, by the number of the fault.
    #[must_use]
    pub fn losses(&self) -> BTreeMap<usize, Vec<usize>> {
        let loss = self.acts.iter().filter_map(|(_, act)| match act {
            Act::Strike(blow) if matches!(blow.kind, FaultKind::Loss(_)) => {
                Some((blow.number, blow.nodes.clone()))
            }
            Act::Attack(_) | Act::Relent(_) | Act::Strike(_) | Act::Heal(_) => None,
        });
        loss.collect()
    }
}

/// Removes one that is equal; `false` if there is none.
fn take(acts: &mut Vec<Act>, act: &Act) -> bool {
    let place = acts.iter().position(|open| open == act);
    place.map(|place| acts.remove(place)).is_some()
}

/// Whether a fault changes nothing, whenever it comes: it befalls nobody, parts everybody from nobody, or is
/// none at all.
fn is_idle(kind: FaultKind, nodes: &[usize], plan: &Plan) -> bool {
    match kind {
        FaultKind::Partition | FaultKind::OneWay(_) => {
            nodes.is_empty() || nodes.len() >= plan.nodes()
        }
        FaultKind::Loss(loss) => nodes.is_empty() || loss <= 0.0,
        FaultKind::Skew(ahead_ms) => nodes.is_empty() || ahead_ms == 0,
        FaultKind::Kill
        | FaultKind::Restart
        | FaultKind::Pause
        | FaultKind::Churn { .. }
        | FaultKind::DiskFull => nodes.is_empty(),
    }
}

/// Nodes that leave, each at a moment of its own, and come back.
fn churn(
    fault: &Fault,
    number: usize,
    nodes: &[usize],
    per_minute: f64,
    away: Duration,
    end: Duration,
    rng: &mut ChaCha8Rng,
) -> Vec<(Duration, Act)> {
    let mut acts = Vec::new();
    let until = fault.lasts.map_or(end, |lasts| (fault.at + lasts).min(end));
    let leavings = nodes.len() as f64 * per_minute / 60.0;
    if leavings <= 0.0 {
        return acts;
    }
    let gap = Duration::from_secs_f64(1.0 / leavings);
    let mut back_at = vec![Duration::ZERO; nodes.len()];
    let mut at = fault.at + gap.mul_f64(rng.random());
    while at < until {
        let place = rng.random_range(0..nodes.len());
        // Who is away cannot leave: its turn is skipped, which is rare unless nearly all are away.
        if let (Some(back), Some(node)) = (back_at.get_mut(place), nodes.get(place))
            && *back <= at
        {
            *back = at + away;
            let blow = Blow { kind: fault.kind, nodes: vec![*node], number };
            acts.push((at, Act::Strike(blow.clone())));
            acts.push((at + away, Act::Heal(blow)));
        }
        at += gap.mul_f64(rng.random_range(0.5..1.5));
    }
    acts
}

/// The places of some honest nodes; drawn, where the scenario leaves it open.
#[must_use]
pub fn places(who: &Who, plan: &Plan, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let pool = |name: Option<&str>| -> Vec<usize> {
        let of = name.and_then(|name| plan.groups.iter().find(|group| group.of.name == name));
        of.map_or(0..plan.honest, |group| group.places.clone()).collect()
    };
    let mut draw = |pool: Vec<usize>, count: usize| -> Vec<usize> {
        let drawn = index::sample(rng, pool.len(), count.min(pool.len()));
        let mut drawn: Vec<usize> =
            drawn.into_iter().filter_map(|at| pool.get(at).copied()).collect();
        drawn.sort_unstable();
        drawn
    };
    match who {
        Who::All => pool(None),
        Who::Nodes(places) => places.clone(),
        Who::Group(name) => pool(Some(name)),
        Who::Share(name, share) => {
            let pool = pool(name.as_deref());
            #[expect(clippy::cast_possible_truncation, reason = "a share of what there is")]
            #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
            let count = (pool.len() as f64 * share).round() as usize;
            draw(pool, count)
        }
        Who::Count(name, count) => draw(pool(name.as_deref()), *count),
    }
}

impl Act {
    /// What ends it, if it begins something.
    fn end(&self) -> Option<Self> {
        match self {
            Self::Attack(gang) => Some(Self::Relent(*gang)),
            Self::Strike(blow) => Some(Self::Heal(blow.clone())),
            Self::Relent(_) | Self::Heal(_) => None,
        }
    }

    /// How it appears on the timeline of a report.
    #[must_use]
    pub fn mark(&self, plan: &Plan) -> Mark {
        let gang = |number: usize| plan.gangs.get(number);
        let attack = |what, number| {
            let (name, nodes) =
                gang(number).map_or(("attack", 0), |gang| (gang.of.kind.name, gang.of.nodes));
            let targets = plan.targets(number);
            Mark::new(what, name).text(format!("{nodes} adversaries")).nodes(targets)
        };
        let fault = |what, blow: &Blow| {
            Mark::new(what, blow.kind.name())
                .text(blow.kind.detail())
                .nodes(blow.nodes.iter().copied())
        };
        match self {
            Self::Attack(number) => attack(What::AttackBegins, *number),
            Self::Relent(number) => attack(What::AttackEnds, *number),
            Self::Strike(blow) => fault(What::FaultBegins, blow),
            Self::Heal(blow) => fault(What::FaultEnds, blow),
        }
    }
}

impl FaultKind {
    /// What a reader should know beyond the name.
    fn detail(self) -> String {
        match self {
            Self::Loss(loss) => format!("{} %", loss * 100.0),
            Self::Skew(millis) => format!("{} s", millis as f64 / 1000.0),
            Self::OneWay(crate::scenario::Blocked::Outward) => "outward blocked".to_owned(),
            Self::OneWay(crate::scenario::Blocked::Inward) => "inward blocked".to_owned(),
            Self::Churn { away, .. } => format!("away for {}", written(away)),
            Self::Kill | Self::Restart | Self::Pause | Self::Partition | Self::DiskFull => {
                String::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Group;

    fn scenario(text: &str) -> (Scenario, Plan) {
        let head = "format = 1\nname = \"x\"\nabout = \"x\"\n[run]\nduration = \"60s\"\n[[groups]]\nname = \"honest\"\nnodes = 20\n";
        let scenario = Scenario::parse(&format!("{head}{text}"), "x.toml", &[]).unwrap();
        let plan = Plan::of(&scenario).unwrap();
        (scenario, plan)
    }

    #[test]
    fn an_attack_lasts_as_long_as_the_load_if_no_end_is_said() {
        let (scenario, plan) =
            scenario("[[adversaries]]\nkind = \"forge\"\nnodes = 2\nstart = \"5s\"\n");
        let mut timeline = Timeline::new(&scenario, &plan);
        assert_eq!(timeline.pop_until(Duration::from_secs(4)), None);
        let begin = timeline.pop_until(Duration::from_secs(5)).unwrap();
        assert_eq!(begin, (Duration::from_secs(5), Act::Attack(0)));
        assert_eq!(timeline.next_at(), Some(Duration::from_secs(60)));
        assert_eq!(timeline.end(), Duration::from_secs(60));
    }

    #[test]
    fn a_churning_share_leaves_and_each_comes_back() {
        let (scenario, plan) =
            scenario("[[faults]]\nkind = \"churn\"\nper_minute = 0.5\naway = \"5s\"\n");
        let timeline = Timeline::new(&scenario, &plan);
        let strikes = timeline.acts.iter().filter(|(_, act)| matches!(act, Act::Strike(_))).count();
        let heals = timeline.acts.iter().filter(|(_, act)| matches!(act, Act::Heal(_))).count();
        assert!((8..=12).contains(&strikes), "{strikes}");
        assert_eq!(strikes, heals);
        assert!(timeline.stopped().len() <= strikes);
        assert!(timeline.acts.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn a_fault_that_changes_nothing_is_not_on_the_timeline() {
        for idle in [
            "kind = \"kill\"\nshare = 0.0",
            "kind = \"pause\"\nshare = 0.0",
            "kind = \"partition\"\nfor = \"4s\"",
            "kind = \"one-way\"\ngroup = \"honest\"",
            "kind = \"loss\"\nloss = 0.0",
            "kind = \"skew\"\nby = \"0s\"",
            "kind = \"churn\"\nper_minute = 0.0",
        ] {
            let (scenario, plan) = scenario(&format!("[[faults]]\n{idle}\n"));
            assert_eq!(Timeline::new(&scenario, &plan).next_at(), None, "{idle}");
        }
        let (scenario, plan) = scenario("[[faults]]\nkind = \"partition\"\nshare = 0.95\n");
        assert!(Timeline::new(&scenario, &plan).next_at().is_some());
    }

    #[test]
    fn a_run_that_is_called_off_ends_what_has_begun_and_begins_nothing() {
        let (scenario, plan) = scenario(
            "[[adversaries]]\nkind = \"forge\"\nnodes = 1\n[[adversaries]]\nkind = \"spam\"\nnodes = 1\n\
             start = \"9s\"\n[[faults]]\nkind = \"pause\"\nat = \"2s\"\nfor = \"8s\"\nnodes = [0]\n\
             [[faults]]\nkind = \"restart\"\nat = \"1s\"\nfor = \"1s\"\nnodes = [1]\n\
             [[faults]]\nkind = \"kill\"\nat = \"6s\"\nfor = \"1s\"\nnodes = [2]\n",
        );
        let mut timeline = Timeline::new(&scenario, &plan);
        let until = |timeline: &mut Timeline, seconds| {
            std::iter::from_fn(|| timeline.pop_until(Duration::from_secs(seconds))).count()
        };
        assert_eq!(until(&mut timeline, 5), 4, "an attack, a pause, a restart and its end");
        timeline.call_off();
        let (at, act) = timeline.pop_until(Duration::MAX).unwrap();
        assert!(at == Duration::from_secs(10) && matches!(act, Act::Heal(_)), "{act:?}");
        let last = timeline.pop_until(Duration::MAX);
        assert_eq!(last, Some((Duration::from_secs(60), Act::Relent(0))));
        assert_eq!(timeline.pop_until(Duration::MAX), None);
    }

    #[test]
    fn who_is_drawn_depends_on_the_seed_alone() {
        let plan = |seed| {
            Plan::of(&Scenario {
                seed,
                ..Scenario::of("x", vec![Group::of("a", 5), Group::of("b", 20)])
            })
            .unwrap()
        };
        let drawn = |seed| {
            let plan = plan(seed);
            places(
                &Who::Share(Some("b".to_owned()), 0.3),
                &plan,
                &mut plan.stream(Purpose::Faults, 0),
            )
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert_eq!(drawn(1).len(), 6);
        assert!(drawn(1).iter().all(|place| (5..25).contains(place)));
        let plan = plan(1);
        let mut rng = plan.stream(Purpose::Faults, 0);
        assert_eq!(places(&Who::Group("a".to_owned()), &plan, &mut rng), [0, 1, 2, 3, 4]);
        assert_eq!(places(&Who::Count(None, 99), &plan, &mut rng).len(), 25);
    }
}
