//! Whom honest nodes hold for members, by what they report, and whether that is so.
//!
//! Only honest nodes are on it: what an adversary is, is a matter of opinion.

use std::{collections::BTreeMap, time::Duration};

use forsooth_protocol::{
    Time,
    membership::{Epoch, News},
};

use super::{
    Latency, Roster, Seat,
    latencies::{Times, latency},
    seats::Seats,
};

/// Runs with more honest nodes are not followed: what each holds of each takes a bit.
const HONEST_MAX: usize = 4096;

/// What each honest node holds of each other.
#[derive(Debug)]
pub(crate) struct Roll {
    /// Whom each holds for a member. Empty until the first news.
    listed: Vec<Seats>,
    /// Whether honest nodes tell news of members at all.
    is_told: bool,
    /// Nodes that are not there, and since when.
    away: BTreeMap<Seat, Time>,
    /// The last generation in which each was known before it went.
    former: BTreeMap<Seat, u64>,
    /// The highest generation in which each was known.
    generations: BTreeMap<Seat, u64>,
    /// Pairs of a node that is there and another that it holds for a member although it is gone, or the other way
    /// round.
    wrong: usize,
    /// Since when there are none.
    right_since: Time,
    /// From a node's end until another had a certificate of it.
    certified: Times,
    pub(crate) false_deaths: u64,
    pub(crate) false_suspicions: u64,
}

/// How membership stood, seen from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Members {
    /// Certificates of death of honest nodes that were there, and evictions of honest nodes, at each that had one.
    pub false_deaths: u64,
    /// Suspicions of honest nodes that were there, at each that had one.
    pub false_suspicions: u64,
    /// Pairs of a node that is there and another one.
    pub pairs: usize,
    /// Those in which the first is right whether the other is there.
    pub right: usize,
    /// From the end of a node until another one had a certificate of it.
    pub certified: Latency,
}

impl Roll {
    pub(crate) fn new(honest: usize) -> Self {
        let followed = if honest > HONEST_MAX { 0 } else { honest };
        let mut roll = Self {
            listed: vec![Seats::default(); followed],
            is_told: false,
            away: BTreeMap::new(),
            former: BTreeMap::new(),
            generations: BTreeMap::new(),
            wrong: 0,
            right_since: Time::ZERO,
            certified: Times::default(),
            false_deaths: 0,
            false_suspicions: 0,
        };
        roll.wrong = roll.count_wrong();
        roll
    }

    /// An honest node tells what became of another.
    pub(crate) fn told(&mut self, seat: Seat, news: &News, roster: &Roster, at: Time) {
        self.is_told = true;
        match news {
            News::Joined { peer, epoch } | News::Recovered { peer, epoch } => {
                if let Some(other) = roster.seat(peer) {
                    self.list(seat, other, *epoch, at);
                }
            }
            News::Suspected { peer, epoch } => {
                let other = roster.seat(peer);
                let is_false = other.is_some_and(|other| self.is_there_in(other, *epoch));
                self.false_suspicions += u64::from(is_false);
            }
            News::Died { certificate } => {
                let Some(other) = roster.seat(&certificate.subject) else { return };
                if let Some(gone) = self.away.get(&other) {
                    self.certified.record(at.since(*gone));
                } else if self.is_there_in(other, certificate.epoch) {
                    self.false_deaths += 1;
                }
                self.strike(seat, other, at);
            }
            News::Left { peer } => {
                if let Some(other) = roster.seat(peer) {
                    self.strike(seat, other, at);
                }
            }
            News::Evicted { peer } => {
                if let Some(other) = roster.seat(peer) {
                    self.false_deaths += 1;
                    self.strike(seat, other, at);
                }
            }
        }
    }

    /// An honest node is gone, with all that it knew.
    pub(crate) fn left(&mut self, seat: Seat, at: Time) {
        self.away.insert(seat, at);
        if let Some(generation) = self.generations.get(&seat) {
            self.former.insert(seat, *generation);
        }
        if let Some(listed) = self.listed.get_mut(seat.0 as usize) {
            *listed = Seats::default();
        }
        self.review(at);
    }

    /// An honest node is there, or again.
    pub(crate) fn joined(&mut self, seat: Seat, at: Time) {
        self.away.remove(&seat);
        self.review(at);
    }

    /// Since when all are right about all; nothing if they are not.
    pub(crate) fn right_since(&self) -> Option<Time> {
        (self.wrong == 0 || !self.is_followed()).then_some(self.right_since)
    }

    /// Nothing on a network whose nodes tell no news.
    pub(crate) fn members(&self) -> Option<Members> {
        let there = self.listed.len().saturating_sub(self.away.len());
        let pairs = there * self.listed.len().saturating_sub(1);
        self.is_followed().then(|| Members {
            false_deaths: self.false_deaths,
            false_suspicions: self.false_suspicions,
            pairs,
            right: pairs.saturating_sub(self.wrong),
            certified: latency(&self.certified.0),
        })
    }

    fn is_followed(&self) -> bool {
        self.is_told && !self.listed.is_empty()
    }

    /// Whether a node is there, in the life that is spoken of.
    fn is_there_in(&self, seat: Seat, epoch: Epoch) -> bool {
        let is_former = self.former.get(&seat).is_some_and(|former| epoch.generation <= *former);
        !self.away.contains_key(&seat) && !is_former
    }

    fn list(&mut self, by: Seat, other: Seat, epoch: Epoch, at: Time) {
        let generation = self.generations.entry(other).or_default();
        *generation = (*generation).max(epoch.generation);
        let is_new = self.listed.get_mut(by.0 as usize).is_some_and(|listed| listed.insert(other));
        if is_new {
            self.changed(by, other, at, self.away.contains_key(&other));
        }
    }

    fn strike(&mut self, by: Seat, other: Seat, at: Time) {
        let was_listed =
            self.listed.get_mut(by.0 as usize).is_some_and(|listed| listed.remove(other));
        if was_listed {
            self.changed(by, other, at, !self.away.contains_key(&other));
        }
    }

    /// What one holds of another has changed, and is wrong now or no longer.
    fn changed(&mut self, by: Seat, other: Seat, at: Time, is_wrong: bool) {
        if by == other || self.away.contains_key(&by) {
            return;
        }
        if is_wrong {
            self.wrong += 1;
            return;
        }
        self.wrong = self.wrong.saturating_sub(1);
        if self.wrong == 0 {
            self.right_since = at;
        }
    }

    fn review(&mut self, at: Time) {
        let before = self.wrong;
        self.wrong = self.count_wrong();
        if before > 0 && self.wrong == 0 {
            self.right_since = at;
        }
    }

    fn count_wrong(&self) -> usize {
        let seats = || (0..self.listed.len()).filter_map(|seat| u32::try_from(seat).ok()).map(Seat);
        let there = |seat: Seat| !self.away.contains_key(&seat);
        let of = |(by, listed): (Seat, &Seats)| {
            let is_wrong = |other: &Seat| *other != by && listed.contains(*other) != there(*other);
            if there(by) { seats().filter(is_wrong).count() } else { 0 }
        };
        seats().zip(&self.listed).map(of).sum()
    }
}

impl Members {
    /// The share of pairs that are right; nothing if there are none.
    #[must_use]
    pub fn right_share(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.right as f64 / self.pairs as f64)
    }

    /// From the end of a node until 99 of 100 had a certificate of it; nothing if nobody had.
    #[must_use]
    pub fn certified_p99(&self) -> Option<Duration> {
        (self.certified.count > 0).then_some(self.certified.p99)
    }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;
    use forsooth_protocol::membership::Certificate;

    use super::*;

    struct Stage {
        roll: Roll,
        roster: Roster,
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    fn epoch(generation: u64) -> Epoch {
        Epoch { generation, incarnation: 0 }
    }

    impl Stage {
        /// Three honest nodes that know each other, in their first lives.
        fn new() -> Self {
            let ids = [0, 1, 2].map(|seed| Keypair::from_seed([seed; 32]).id());
            let mut stage = Self { roll: Roll::new(3), roster: Roster::new(ids, []) };
            assert_eq!(stage.roll.members(), None, "nobody has told anything");
            for by in 0..3 {
                (0..3).filter(|other| *other != by).for_each(|other| stage.join(by, other, 1, 1));
            }
            stage
        }

        fn id(&self, node: u8) -> forsooth_crypto::NodeId {
            Keypair::from_seed([node; 32]).id()
        }

        fn tell(&mut self, by: u8, news: &News, seconds: u64) {
            self.roll.told(Seat(by.into()), news, &self.roster, at(seconds));
        }

        fn join(&mut self, by: u8, other: u8, generation: u64, seconds: u64) {
            let news = News::Joined { peer: self.id(other), epoch: epoch(generation) };
            self.tell(by, &news, seconds);
        }

        fn die(&mut self, by: u8, other: u8, generation: u64, seconds: u64) {
            let (subject, epoch) = (self.id(other), epoch(generation));
            let certificate = Certificate { subject, epoch, accusations: Vec::new() };
            self.tell(by, &News::Died { certificate }, seconds);
        }

        fn seen(&self) -> Members {
            self.roll.members().unwrap()
        }
    }

    #[test]
    fn a_death_is_right_of_whoever_is_gone_and_false_of_whoever_is_there() {
        let mut stage = Stage::new();
        assert_eq!((stage.seen().right, stage.seen().pairs), (6, 6));
        assert_eq!(stage.roll.right_since(), Some(at(1)));
        stage.roll.left(Seat(2), at(10));
        assert_eq!((stage.seen().right, stage.seen().pairs), (2, 4));
        assert_eq!(stage.roll.right_since(), None);
        stage.die(0, 2, 1, 14);
        stage.die(1, 2, 1, 15);
        assert_eq!((stage.seen().right, stage.roll.right_since()), (4, Some(at(15))));
        assert_eq!((stage.seen().false_deaths, stage.seen().certified.count), (0, 2));
        assert!(stage.seen().certified_p99().unwrap() >= Duration::from_secs(4));
        stage.die(0, 1, 1, 20);
        assert_eq!((stage.seen().false_deaths, stage.seen().right), (1, 3));
    }

    #[test]
    fn a_certificate_of_an_earlier_life_says_nothing_of_the_next() {
        let mut stage = Stage::new();
        stage.roll.left(Seat(2), at(10));
        stage.roll.joined(Seat(2), at(12));
        assert_eq!(stage.seen().right, 4, "it knows nobody yet");
        stage.die(0, 2, 1, 14);
        assert_eq!(stage.seen().false_deaths, 0);
        stage.join(0, 2, 2, 15);
        stage.join(2, 0, 1, 15);
        stage.join(2, 1, 1, 16);
        assert_eq!((stage.seen().right, stage.roll.right_since()), (6, Some(at(16))));
        stage.die(0, 2, 2, 20);
        assert_eq!(stage.seen().false_deaths, 1);
    }

    #[test]
    fn only_of_whoever_is_there_is_suspicion_false() {
        let mut stage = Stage::new();
        let suspected = |stage: &Stage| News::Suspected { peer: stage.id(1), epoch: epoch(1) };
        let news = suspected(&stage);
        stage.tell(0, &news, 2);
        stage.roll.left(Seat(1), at(3));
        stage.tell(0, &news, 4);
        assert_eq!(stage.seen().false_suspicions, 1);
    }
}
