//! Who did wrong, how often, and who is banned for it.
//!
//! A fault takes points; points come back with time. A peer without points left is banned for an hour, then
//! for a day, then for good; an equivocator is banned for good at once. Only keys that have proven
//! themselves get a record: a linked peer has shown its key to the transport, a blamed author has signed.

use std::{collections::BTreeMap, time::Duration};

use forsooth_crypto::NodeId;

use crate::{
    Fault,
    snapshot::Ban,
    time::{Time, Timestamp},
};

/// Points of a ban.
const BAN_POINTS: f64 = 100.0;
/// Points that soft faults add up to at most: overload and a slow network make honest nodes commit them, so
/// by themselves they never ban.
const SOFT_POINTS_MAX: f64 = 60.0;
/// Time in which half of the points come back. A guess: an honest peer with a bad minute is forgiven
/// within the hour, a slow drip of faults still adds up.
const HALF_LIFE: Duration = Duration::from_secs(600);
/// Records of points. The one with the fewest goes first.
const SCORES_MAX: usize = 4096;
/// Bans kept. Those that end soonest go first, those for good last.
const BANS_MAX: usize = 65_536;
/// Length of the first and the second ban; the third is for good.
const BAN_LENGTHS: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(86_400)];

/// Scores and bans.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    scores: BTreeMap<NodeId, Score>,
    bans: BTreeMap<NodeId, Sentence>,
}

#[derive(Clone, Copy, Debug)]
struct Score {
    points: f64,
    at: Time,
}

#[derive(Clone, Copy, Debug)]
struct Sentence {
    fault: Fault,
    until: Option<Timestamp>,
    /// How many bans before this one.
    earlier: usize,
}

/// What follows from a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// It is remembered.
    Tolerate,
    /// The link is closed.
    Disconnect,
    /// The link is closed and stays closed.
    Ban {
        /// Until when; for good if `None`.
        until: Option<Timestamp>,
    },
}

/// What a fault costs, in points of [`BAN_POINTS`].
const fn points(fault: Fault) -> f64 {
    match fault {
        // No honest node does these, whatever it was sent.
        Fault::Malformed
        | Fault::Oversized
        | Fault::UnknownTopic
        | Fault::BadPayload
        | Fault::Forged
        | Fault::FalseProof
        | Fault::LongLifetime
        | Fault::Equivocation
        | Fault::BadRecord => BAN_POINTS,
        // A dying or overloaded honest node may do these once in a while.
        Fault::Stalled | Fault::Silent | Fault::BadHello => 20.0,
        // Nor these; but what makes sense may be told differently by another version one day.
        Fault::AbsurdRecord | Fault::Unsolicited => 20.0,
        // Two honest applications of different versions may disagree.
        Fault::Invalid => 10.0,
        // The link is closed for it; its network, not its will, may have kept it silent.
        Fault::Withheld => 5.0,
        Fault::BrokenPromise => 2.0,
        // Single frames at the edge of a quota are tolerated, a flood of hundreds is not.
        Fault::OverRate => 1.0,
        Fault::OverQuota | Fault::Greedy | Fault::Pushy => 0.5,
        Fault::Expired | Fault::FromFuture | Fault::AbsurdGeneration => 0.0,
    }
}

/// Whether an honest node may commit it because it, its network or its neighbours are overloaded.
const fn soft(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::OverQuota | Fault::BrokenPromise | Fault::Withheld | Fault::Greedy | Fault::Pushy
    )
}

/// Whether a link is closed at once even if it is not a ban: there is nothing left to read from it.
const fn closes(fault: Fault) -> bool {
    matches!(fault, Fault::Stalled | Fault::Silent | Fault::BadHello)
}

impl Peers {
    /// Takes points for a fault and says what follows.
    pub(crate) fn blame(
        &mut self,
        peer: NodeId,
        fault: Fault,
        now: Time,
        wall: Timestamp,
    ) -> Consequence {
        let before = self.points(&peer, now);
        let mut total = before + points(fault);
        if soft(fault) {
            total = total.min(SOFT_POINTS_MAX.max(before));
        }
        if total >= BAN_POINTS {
            return Consequence::Ban { until: self.ban(peer, fault, wall) };
        }
        if total > 0.0 {
            self.record(peer, Score { points: total, at: now });
        }
        if closes(fault) { Consequence::Disconnect } else { Consequence::Tolerate }
    }

    /// Bans a peer; longer each time, and for good for an equivocation.
    fn ban(&mut self, peer: NodeId, fault: Fault, wall: Timestamp) -> Option<Timestamp> {
        self.scores.remove(&peer);
        let earlier = self.bans.get(&peer).map_or(0, |sentence| sentence.earlier + 1);
        let length = if fault == Fault::Equivocation { None } else { BAN_LENGTHS.get(earlier) };
        let until = length.map(|length| wall.saturating_add(*length));
        self.sentence(peer, Sentence { fault, until, earlier });
        until
    }

    /// Takes a ban from an earlier life.
    pub(crate) fn restore(&mut self, peer: NodeId, fault: Fault, until: Option<Timestamp>) {
        // How many there were is not stored: one if it ends, all if it does not.
        let earlier = if until.is_some() { 0 } else { BAN_LENGTHS.len() };
        self.sentence(peer, Sentence { fault, until, earlier });
    }

    /// Forgets a ban and the points that led to it.
    pub(crate) fn pardon(&mut self, peer: &NodeId) -> bool {
        self.scores.remove(peer);
        self.bans.remove(peer).is_some()
    }

    /// Whether a peer is banned now.
    pub(crate) fn banned(&self, peer: &NodeId, wall: Timestamp) -> bool {
        self.bans.get(peer).is_some_and(|sentence| sentence.until.is_none_or(|until| until > wall))
    }

    /// When a ban is over: `None` if there is none, `Some(None)` if never.
    pub(crate) fn banned_until(&self, peer: &NodeId, wall: Timestamp) -> Option<Option<Timestamp>> {
        self.bans.get(peer).filter(|_| self.banned(peer, wall)).map(|sentence| sentence.until)
    }

    /// Whether a peer is banned for having said two things.
    pub(crate) fn disgraced(&self, peer: &NodeId) -> bool {
        self.bans.get(peer).is_some_and(|sentence| sentence.fault == Fault::Equivocation)
    }

    /// All bans that are not over.
    pub(crate) fn bans(&self, wall: Timestamp) -> Vec<Ban> {
        let serving = self
            .bans
            .iter()
            .filter(|(_, sentence)| sentence.until.is_none_or(|until| until > wall));
        serving
            .map(|(peer, Sentence { fault, until, .. })| Ban {
                peer: *peer,
                fault: *fault,
                until: *until,
            })
            .collect()
    }

    /// A peer's score: 0 is spotless, -100 a ban.
    pub(crate) fn score(&self, peer: &NodeId, now: Time) -> f64 {
        0.0 - self.points(peer, now)
    }

    /// Points taken and not yet come back.
    fn points(&self, peer: &NodeId, now: Time) -> f64 {
        self.scores.get(peer).map_or(0.0, |score| {
            let half_lives = now.since(score.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
            score.points * (-half_lives).exp2()
        })
    }

    fn record(&mut self, peer: NodeId, score: Score) {
        self.scores.insert(peer, score);
        if self.scores.len() > SCORES_MAX {
            let least = self.scores.iter().min_by(|(_, a), (_, b)| a.points.total_cmp(&b.points));
            least.map(|(peer, _)| *peer).and_then(|peer| self.scores.remove(&peer));
        }
    }

    fn sentence(&mut self, peer: NodeId, sentence: Sentence) {
        self.bans.insert(peer, sentence);
        if self.bans.len() > BANS_MAX {
            let end =
                |sentence: &Sentence| sentence.until.unwrap_or(Timestamp::from_millis(u64::MAX));
            let soonest =
                self.bans.iter().min_by_key(|(_, sentence)| end(sentence)).map(|(peer, _)| *peer);
            soonest.and_then(|peer| self.bans.remove(&peer));
        }
    }

    /// Records held, and the most there may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.scores.len() + self.bans.len(), SCORES_MAX + BANS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Timestamp = Timestamp::from_millis(1_000_000);

    fn peer(tag: u64) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&tag.to_be_bytes());
        NodeId::from_bytes(id)
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn clocks_and_delays_are_nobodys_fault() {
        let mut peers = Peers::default();
        for fault in Fault::ALL.into_iter().filter(|fault| fault.blame() == crate::Blame::Nobody) {
            for _ in 0..10_000 {
                assert_eq!(peers.blame(peer(1), fault, at(0), WALL), Consequence::Tolerate);
            }
        }
        assert_eq!(peers.usage().0, 0);
    }

    #[test]
    fn faults_add_up_and_are_forgiven_with_time() {
        let mut peers = Peers::default();
        for _ in 0..9 {
            assert_eq!(peers.blame(peer(1), Fault::Invalid, at(0), WALL), Consequence::Tolerate);
        }
        assert!((peers.score(&peer(1), at(600)) + 45.0).abs() < 0.01);
        for _ in 0..5 {
            peers.blame(peer(1), Fault::Invalid, at(600), WALL);
        }
        assert!(!peers.banned(&peer(1), WALL));
        let last = peers.blame(peer(1), Fault::Invalid, at(600), WALL);
        assert!(matches!(last, Consequence::Ban { .. }));
        assert!(peers.banned(&peer(1), WALL));
    }

    #[test]
    fn a_ban_for_ever_is_one_after_a_restart_too() {
        let mut peers = Peers::default();
        peers.restore(peer(1), Fault::Forged, None);
        assert_eq!(
            peers.blame(peer(1), Fault::Forged, at(0), WALL),
            Consequence::Ban { until: None }
        );
        peers.restore(peer(2), Fault::Forged, Some(WALL));
        let again = peers.blame(peer(2), Fault::Forged, at(0), WALL);
        assert!(matches!(again, Consequence::Ban { until: Some(_) }), "{again:?}");
    }

    #[test]
    fn what_overload_makes_honest_nodes_do_never_bans_by_itself() {
        let mut peers = Peers::default();
        for fault in [Fault::OverQuota, Fault::BrokenPromise, Fault::Withheld, Fault::Greedy] {
            for _ in 0..10_000 {
                let consequence = peers.blame(peer(1), fault, at(0), WALL);
                assert_eq!(consequence, Consequence::Tolerate);
            }
        }
        assert!((peers.score(&peer(1), at(0)) + SOFT_POINTS_MAX).abs() < 0.01);
        let hard = (0..4).map(|_| peers.blame(peer(1), Fault::Invalid, at(0), WALL)).last();
        assert!(matches!(hard, Some(Consequence::Ban { .. })), "but it adds to what does");
    }

    #[test]
    fn bans_grow_longer_and_the_third_is_for_good() {
        let mut peers = Peers::default();
        let mut wall = WALL;
        for length in BAN_LENGTHS {
            let until = wall.saturating_add(length);
            let consequence = peers.blame(peer(1), Fault::Forged, at(0), wall);
            assert_eq!(consequence, Consequence::Ban { until: Some(until) });
            assert!(peers.banned(&peer(1), until.saturating_sub(Duration::from_millis(1))));
            assert!(!peers.banned(&peer(1), until));
            wall = until;
        }
        assert_eq!(
            peers.blame(peer(1), Fault::Forged, at(0), wall),
            Consequence::Ban { until: None }
        );
        assert!(peers.pardon(&peer(1)));
        assert!(!peers.banned(&peer(1), wall));
    }

    #[test]
    fn an_equivocator_is_banned_for_good_at_once() {
        let mut peers = Peers::default();
        let consequence = peers.blame(peer(1), Fault::Equivocation, at(0), WALL);
        assert_eq!(consequence, Consequence::Ban { until: None });
    }

    #[test]
    fn records_are_bounded_and_the_worst_are_kept() {
        let mut peers = Peers::default();
        peers.blame(peer(0), Fault::Silent, at(0), WALL);
        for tag in 1..=SCORES_MAX as u64 {
            peers.blame(peer(tag), Fault::OverQuota, at(0), WALL);
        }
        assert_eq!(peers.scores.len(), SCORES_MAX);
        assert!(peers.score(&peer(0), at(0)) < -19.0);
    }
}
