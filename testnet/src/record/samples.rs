//! What nodes look like from inside, now and then: how full they are, whom they are linked to and what they
//! think of them, and whether they could accept a message.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use forsooth_protocol::{
    Role, Snapshot, Time,
    snapshot::{Bound, Link},
};

use super::{
    Roster, Seat,
    buckets::{Buckets, Merge},
    history,
};

/// Nodes whose links are followed; the first that are sampled.
const WATCHED_MAX: usize = 256;
/// The first width of buckets over time: nodes are sampled about once a second.
const WIDTH: Duration = Duration::from_secs(1);
/// Points of score that fall into one bin.
const BIN: f64 = 2.0;
/// Bins from -100, a ban, to 0, spotless.
const BINS: usize = 51;

/// All samples of a run.
#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) taken: u64,
    /// The fullest that each collection was.
    pub(crate) peaks: BTreeMap<&'static str, Peak>,
    pub(crate) fill: Buckets<Fill>,
    pub(crate) scores: Buckets<Scores>,
    pub(crate) links: BTreeMap<Seat, Buckets<Linked>>,
    /// Nodes that lack witnesses.
    unready: BTreeSet<Seat>,
    /// When the last of them had enough.
    ready_since: Time,
}

/// The fullest that a collection was anywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peak {
    pub(crate) used: usize,
    pub(crate) max: usize,
    pub(crate) at: Time,
    pub(crate) seat: Seat,
}

/// How full collections were in a stretch of time, as the largest share of their bound.
#[derive(Debug, Default)]
pub(crate) struct Fill(pub(crate) BTreeMap<&'static str, f64>);

/// How honest nodes scored their peers in a stretch of time.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    pub(crate) honest: Band,
    pub(crate) hostile: Band,
}

/// How often each score was given.
#[derive(Debug)]
pub(crate) struct Band([u32; BINS]);

/// Links of a node, by who is at the other end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Linked {
    pub(crate) sampled: bool,
    pub(crate) honest_witnesses: u32,
    pub(crate) hostile_witnesses: u32,
    pub(crate) honest_inbound: u32,
    pub(crate) hostile_inbound: u32,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            taken: 0,
            peaks: BTreeMap::new(),
            fill: Buckets::new(WIDTH),
            scores: Buckets::new(WIDTH),
            links: BTreeMap::new(),
            unready: BTreeSet::new(),
            ready_since: Time::ZERO,
        }
    }
}

impl Samples {
    /// Takes in what a node looks like; returns the bounds that it does not keep.
    pub(crate) fn take(
        &mut self,
        at: Time,
        seat: Seat,
        snapshot: &Snapshot,
        roster: &Roster,
    ) -> Vec<Bound> {
        self.taken += 1;
        self.look_at_links(at, seat, &snapshot.links, roster);
        let lacking = snapshot.topics.values().any(|topic| topic.subscribed && !topic.acceptable);
        if lacking {
            self.unready.insert(seat);
        } else {
            self.forget(at, seat);
        }
        snapshot.bounds.iter().for_each(|bound| self.look_at_bound(at, seat, bound));
        snapshot.bounds.iter().filter(|bound| bound.used > bound.max).copied().collect()
    }

    /// A node has what it needs, or is gone.
    pub(crate) fn forget(&mut self, at: Time, seat: Seat) {
        if self.unready.remove(&seat) {
            self.ready_since = at;
        }
    }

    /// Since when every node that is sampled could accept a message; `None` if one cannot.
    pub(crate) fn ready_since(&self) -> Option<Time> {
        self.unready.is_empty().then_some(self.ready_since)
    }

    /// The collection that came closest to its bound, and which share of it that was.
    pub(crate) fn fullest(&self) -> Option<(&'static str, f64)> {
        let shares = self.peaks.iter().map(|(name, peak)| (*name, peak.share()));
        shares.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    fn look_at_bound(&mut self, at: Time, seat: Seat, bound: &Bound) {
        let share = share(bound.used, bound.max);
        let fullest = self.fill.at(at).0.entry(bound.name).or_default();
        *fullest = share.max(*fullest);
        let peak = Peak { used: bound.used, max: bound.max, at, seat };
        let best = self.peaks.entry(bound.name).or_insert(peak);
        if share > best.share() {
            *best = peak;
        }
    }

    fn look_at_links(&mut self, at: Time, seat: Seat, links: &[Link], roster: &Roster) {
        let scores = self.scores.at(at);
        for link in links {
            let honest = roster.is_honest(&link.peer);
            let band = if honest { &mut scores.honest } else { &mut scores.hostile };
            band.note(link.score);
        }
        if self.links.len() < WATCHED_MAX || self.links.contains_key(&seat) {
            *self.links.entry(seat).or_insert_with(|| Buckets::new(WIDTH)).at(at) =
                Linked::of(links, roster);
        }
    }
}

impl Peak {
    pub(crate) fn share(&self) -> f64 {
        share(self.used, self.max)
    }
}

impl Linked {
    /// The links that a node has.
    pub(crate) fn of(links: &[Link], roster: &Roster) -> Self {
        let mut linked = Self { sampled: true, ..Self::default() };
        for link in links {
            let count = match (link.role, roster.is_honest(&link.peer)) {
                (Role::Witness, true) => &mut linked.honest_witnesses,
                (Role::Witness, false) => &mut linked.hostile_witnesses,
                (Role::Kept | Role::Inbound, true) => &mut linked.honest_inbound,
                (Role::Kept | Role::Inbound, false) => &mut linked.hostile_inbound,
            };
            *count += 1;
        }
        linked
    }

    pub(crate) fn total(&self) -> u32 {
        self.honest() + self.hostile()
    }

    pub(crate) fn hostile(&self) -> u32 {
        self.hostile_witnesses + self.hostile_inbound
    }

    fn honest(&self) -> u32 {
        self.honest_witnesses + self.honest_inbound
    }
}

impl Default for Band {
    fn default() -> Self {
        Self([0; BINS])
    }
}

impl Band {
    fn note(&mut self, score: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and the bin is clamped"
        )]
        let bin = ((score.clamp(-100.0, 0.0) + 100.0) / BIN).round() as usize;
        if let Some(count) = self.0.get_mut(bin.min(BINS - 1)) {
            *count = count.saturating_add(1);
        }
    }

    /// Between which scores most lie; `None` if none was given.
    pub(crate) fn summary(&self) -> Option<history::Band> {
        let (p05, p50, p95) = (self.quantile(0.05)?, self.quantile(0.5)?, self.quantile(0.95)?);
        Some(history::Band { p05, p50, p95 })
    }

    /// The score below which this share of all lies; `None` if none was given.
    fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        let mut left = (total as f64 * share).max(1.0);
        for (bin, count) in self.0.iter().enumerate() {
            left -= f64::from(*count);
            if total > 0 && left <= 0.0 {
                return Some(bin as f64 * BIN - 100.0);
            }
        }
        None
    }
}

impl Merge for Fill {
    fn merge(&mut self, later: Self) {
        for (name, share) in later.0 {
            let fullest = self.0.entry(name).or_default();
            *fullest = share.max(*fullest);
        }
    }
}

impl Merge for Scores {
    fn merge(&mut self, later: Self) {
        for (band, later) in [(&mut self.honest, later.honest), (&mut self.hostile, later.hostile)]
        {
            for (count, later) in band.0.iter_mut().zip(later.0) {
                *count = count.saturating_add(later);
            }
        }
    }
}

impl Merge for Linked {
    fn merge(&mut self, later: Self) {
        if later.sampled {
            *self = later;
        }
    }
}

fn share(used: usize, max: usize) -> f64 {
    if used == 0 { 0.0 } else { used as f64 / max.max(1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_knows_its_quantiles() {
        let mut band = Band::default();
        assert_eq!(band.quantile(0.5), None);
        (0..90).for_each(|_| band.note(0.0));
        (0..10).for_each(|_| band.note(-140.0));
        assert_eq!(band.quantile(0.05), Some(-100.0));
        assert_eq!(band.quantile(0.5), Some(0.0));
    }

    #[test]
    fn a_collection_over_its_bound_is_returned() {
        let mut samples = Samples::default();
        let bound = |used| Bound { name: "store", used, max: 10 };
        let snapshot = |used| Snapshot { bounds: vec![bound(used)], ..Snapshot::default() };
        let mut take =
            |used| samples.take(Time::ZERO, Seat(0), &snapshot(used), &Roster::default());
        assert!(take(10).is_empty());
        assert_eq!(take(11), vec![bound(11)]);
        assert!(take(3).is_empty());
        assert!(samples.peaks["store"].share() > 1.0);
    }
}
