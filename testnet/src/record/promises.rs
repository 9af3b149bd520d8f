//! What nodes that are killed have promised before, and whether their disks bear it out.
//!
//! On a topic that is kept, a receipt, a delivery and a vouch each say that the message survives whatever happens to the node. So
//! what a killed node has promised must be on its disk when it comes back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Seat, spread::Number};

/// The promises of all nodes that are killed at some time.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    mortal: BTreeMap<Seat, Promised>,
    /// Messages that were looked for on the disks of nodes that came back.
    pub(crate) looked_for: u64,
}

#[derive(Debug, Default)]
struct Promised {
    made: BTreeSet<Number>,
    /// Since its death: what was not found yet.
    missing: Option<BTreeSet<Number>>,
    /// It is being started again, and may promise anew.
    is_back: bool,
}

impl Promises {
    /// A node will be killed: what it promises is remembered.
    pub(crate) fn follow(&mut self, seat: Seat) {
        self.mortal.entry(seat).or_default();
    }

    /// A node has promised a message, to its application or to others.
    pub(crate) fn made(&mut self, seat: Seat, number: Number) {
        let Some(promised) = self.mortal.get_mut(&seat) else { return };
        if promised.made.insert(number)
            && !promised.is_back
            && let Some(missing) = &mut promised.missing
        {
            // What it said before its death may be heard later.
            missing.insert(number);
        }
    }

    /// A node that died is being started again: what is heard from now on may be a promise of its new life, which is looked for after
    /// its next death.
    pub(crate) fn returns(&mut self, seat: Seat) {
        if let Some(promised) = self.mortal.get_mut(&seat) {
            promised.is_back = true;
        }
    }

    pub(crate) fn died(&mut self, seat: Seat) {
        if let Some(promised) = self.mortal.get_mut(&seat) {
            promised.missing = Some(promised.made.clone());
            promised.is_back = false;
        }
    }

    /// A message is on the disk of a node that comes back.
    pub(crate) fn found(&mut self, seat: Seat, number: Number) {
        if let Some(missing) = self.mortal.get_mut(&seat).and_then(|it| it.missing.as_mut()) {
            missing.remove(&number);
        }
    }

    /// A node that came back has told all that is on its disk. Returns what it had promised and has not.
    pub(crate) fn told(&mut self, seat: Seat) -> BTreeSet<Number> {
        let Some(promised) = self.mortal.get_mut(&seat) else { return BTreeSet::new() };
        let Some(missing) = promised.missing.take() else { return BTreeSet::new() };
        self.looked_for = self.looked_for.saturating_add(promised.made.len() as u64);
        // Each is a violation once.
        promised.made.retain(|number| !missing.contains(number));
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_promised_before_a_death_is_missed_once_if_it_is_not_there() {
        let mut promises = Promises::default();
        promises.follow(Seat(1));
        [1, 2, 3].into_iter().for_each(|number| promises.made(Seat(1), Number(number)));
        promises.made(Seat(2), Number(1));
        assert!(promises.told(Seat(1)).is_empty(), "it has not died");
        promises.died(Seat(1));
        promises.made(Seat(1), Number(4));
        promises.returns(Seat(1));
        promises.made(Seat(1), Number(5));
        promises.found(Seat(1), Number(1));
        promises.found(Seat(1), Number(3));
        assert_eq!(promises.told(Seat(1)), BTreeSet::from([Number(2), Number(4)]));
        assert_eq!(promises.looked_for, 5);
        promises.died(Seat(1));
        [1, 3, 5].into_iter().for_each(|number| promises.found(Seat(1), Number(number)));
        assert!(promises.told(Seat(1)).is_empty());
        promises.died(Seat(2));
        assert!(promises.told(Seat(2)).is_empty(), "it is not followed");
    }
}
