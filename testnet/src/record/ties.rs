//! Whom honest nodes are tied to while they are attacked, and who is left with liars alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Seat, samples::Linked, seats::Seats};

/// The links of all honest nodes, as they were last seen.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    /// When each was last looked at under attack.
    attacked: BTreeMap<Seat, Linked>,
    /// When each was last looked at.
    last: BTreeMap<Seat, Linked>,
    /// Those who had a liar for a witness under attack, and nobody else, however briefly.
    eclipsed: Seats,
}

/// What all ties come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tied {
    /// The largest share of adversaries among a node's links.
    pub links_worst: f64,
    /// The share of adversaries among a node's witnesses, on average.
    pub witnesses_mean: f64,
}

impl Ties {
    /// Takes in the links of a node; `attacked` while an attack is on.
    pub(crate) fn look(&mut self, seat: Seat, linked: Linked, attacked: bool) {
        self.last.insert(seat, linked);
        if attacked {
            self.attacked.insert(seat, linked);
            if linked.honest_witnesses == 0 && linked.hostile_witnesses > 0 {
                self.eclipsed.insert(seat);
            }
        }
    }

    /// A node is gone, and has no links.
    pub(crate) fn forget(&mut self, seat: Seat) {
        self.attacked.remove(&seat);
        self.last.remove(&seat);
    }

    /// What it came to under attack for these nodes, or for all if there are none; `None` if none was
    /// looked at.
    pub(crate) fn tied(&self, targets: &BTreeSet<Seat>) -> Option<Tied> {
        let is_meant = |seat: &Seat| targets.is_empty() || targets.contains(seat);
        let meant = self.attacked.iter().filter(|(seat, _)| is_meant(seat));
        let meant: Vec<&Linked> = meant.map(|(_, linked)| linked).collect();
        let links = meant.iter().map(|linked| share(linked.hostile(), linked.total()));
        let chosen = |linked: &&Linked| linked.hostile_witnesses + linked.honest_witnesses;
        let witnesses = meant.iter().map(|linked| share(linked.hostile_witnesses, chosen(linked)));
        (!meant.is_empty()).then(|| Tied {
            links_worst: links.fold(0.0, f64::max),
            witnesses_mean: witnesses.sum::<f64>() / meant.len() as f64,
        })
    }

    /// Nodes that had liars alone for witnesses at any time under attack.
    pub(crate) const fn eclipsed(&self) -> usize {
        self.eclipsed.len()
    }

    /// Nodes that are there and had no honest witness when they were last looked at.
    pub(crate) fn isolated(&self) -> usize {
        self.last.values().filter(|linked| linked.honest_witnesses == 0).count()
    }
}

fn share(part: u32, whole: u32) -> f64 {
    f64::from(part) / f64::from(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn linked(honest_witnesses: u32, hostile_witnesses: u32, hostile_inbound: u32) -> Linked {
        Linked {
            sampled: true,
            honest_witnesses,
            hostile_witnesses,
            honest_inbound: 0,
            hostile_inbound,
        }
    }

    #[test]
    fn the_worst_share_of_links_and_the_mean_share_of_witnesses_are_those_of_the_targets() {
        let mut ties = Ties::default();
        assert_eq!(ties.tied(&BTreeSet::new()), None);
        ties.look(Seat(0), linked(3, 1, 4), true);
        ties.look(Seat(1), linked(4, 0, 0), true);
        let all = Tied { links_worst: 0.625, witnesses_mean: 0.125 };
        assert_eq!(ties.tied(&BTreeSet::new()), Some(all));
        ties.look(Seat(0), linked(4, 0, 0), false);
        assert_eq!(ties.tied(&BTreeSet::new()), Some(all), "the attack is over");
        let calm = Tied { links_worst: 0.0, witnesses_mean: 0.0 };
        assert_eq!(ties.tied(&[Seat(1)].into()), Some(calm));
    }

    #[test]
    fn whoever_had_liars_alone_was_eclipsed_and_whoever_has_nobody_honest_is_isolated() {
        let mut ties = Ties::default();
        ties.look(Seat(0), linked(0, 2, 0), true);
        ties.look(Seat(1), linked(0, 0, 0), true);
        assert_eq!((ties.eclipsed(), ties.isolated()), (1, 2));
        ties.look(Seat(0), linked(1, 2, 0), true);
        ties.forget(Seat(1));
        assert_eq!((ties.eclipsed(), ties.isolated()), (1, 0));
    }
}
