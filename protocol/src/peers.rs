//! Who did wrong, how often, and who is banned for it.
//!
//! A fault takes points; points come back with time. A peer without points left is banned for an hour, then
//! for a day, then for good; an equivocator is banned for good at once. Only keys that have proven
//! themselves get a record: a linked peer has shown its key to the transport, a blamed author has signed.
//!
//! Keys cost little, addresses more. Where several peers of one network are banned, so are newcomers from there: for a time,
//! since others live there too, and only those who come to us, since otherwise a liar could have its neighbours
//! banned from everybody's samples.

use core::net::IpAddr;
use std::{collections::BTreeMap, time::Duration};

use forsooth_crypto::NodeId;

use crate::{
    Fault,
    ban::{Ban, BanCause, Net, Whom},
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
/// Banned peers of one network with which newcomers from there are refused. One is as many as a household with one
/// bad machine has; this many are somebody who comes again under another key.
const COMPANY: usize = 4;

/// Scores and bans.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    scores: BTreeMap<NodeId, Score>,
    bans: BTreeMap<Whom, Sentence>,
}

#[derive(Clone, Copy, Debug)]
struct Score {
    points: f64,
    at: Time,
}

#[derive(Clone, Copy, Debug)]
struct Sentence {
    cause: BanCause,
    until: Option<Timestamp>,
    /// How many bans before this one.
    earlier: usize,
    /// Where the peer came from when it was banned, in this life.
    net: Option<Net>,
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
        | Fault::BadRecord
        | Fault::BadStatement => BAN_POINTS,
        // A dying or overloaded honest node may do these once in a while.
        Fault::Stalled | Fault::Silent | Fault::BadHello => 20.0,
        // Nor these; but what makes sense may be told differently by another version one day.
        Fault::AbsurdRecord | Fault::AbsurdMember | Fault::Unsolicited | Fault::Contradicted => {
            20.0
        }
        // Two honest applications of different versions may disagree.
        Fault::Invalid => 10.0,
        // The link is closed for it; its network, not its will, may have kept it silent.
        Fault::Withheld => 5.0,
        // Its operator, or its application, may refuse what others took.
        Fault::Hid => 10.0,
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
        // A lossy network delays a hello and stops a frame half-way: the link goes, and nobody is banned for it.
        Fault::Stalled
            | Fault::Silent
            | Fault::OverQuota
            | Fault::BrokenPromise
            | Fault::Withheld
            | Fault::Hid
            | Fault::Greedy
            | Fault::Pushy
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
        let whom = Whom::Peer(peer);
        let earlier = self.bans.get(&whom).map_or(0, Sentence::next);
        let length = if fault == Fault::Equivocation { None } else { BAN_LENGTHS.get(earlier) };
        let until = length.map(|length| wall.saturating_add(*length));
        let cause = BanCause::Fault(fault);
        self.sentence(whom, Sentence { cause, until, earlier, net: None });
        until
    }

    /// A banned peer came from this network. The ban of that network, if it is one peer too many.
    pub(crate) fn locate(&mut self, peer: NodeId, net: Net, wall: Timestamp) -> Option<Ban> {
        self.bans.get_mut(&Whom::Peer(peer))?.net = Some(net);
        let company = self.bans.values().filter(|one| one.net == Some(net) && one.holds(wall));
        if company.count() < COMPANY {
            return None;
        }
        let whom = Whom::Net(net);
        let before = self.bans.get(&whom);
        if before.is_some_and(|before| before.holds(wall)) {
            return None;
        }
        let earlier = before.map_or(0, Sentence::next);
        // Never for good: addresses get other owners.
        let [first, longest] = BAN_LENGTHS;
        let until = Some(wall.saturating_add(if earlier == 0 { first } else { longest }));
        let cause = BanCause::Company;
        self.sentence(whom, Sentence { cause, until, earlier, net: None });
        Some(Ban { whom, cause, until })
    }

    /// Bans whom the operator wants banned.
    pub(crate) fn order(&mut self, whom: Whom, length: Option<Duration>, wall: Timestamp) -> Ban {
        let (cause, until) = (BanCause::Operator, length.map(|length| wall.saturating_add(length)));
        let earlier = self.bans.get(&whom).map_or(0, |before| before.earlier);
        self.sentence(whom, Sentence { cause, until, earlier, net: None });
        Ban { whom, cause, until }
    }

    /// Takes a ban from an earlier life.
    pub(crate) fn restore(&mut self, Ban { whom, cause, until }: Ban) {
        // How many there were is not stored: one if it ends, all if it does not.
        let earlier = if until.is_some() { 0 } else { BAN_LENGTHS.len() };
        self.sentence(whom, Sentence { cause, until, earlier, net: None });
    }

    /// Forgets a ban and the points that led to it.
    pub(crate) fn pardon(&mut self, whom: &Whom) -> bool {
        if let Whom::Peer(peer) = whom {
            self.scores.remove(peer);
        }
        self.bans.remove(whom).is_some()
    }

    /// Whether a peer is banned now.
    pub(crate) fn banned(&self, peer: &NodeId, wall: Timestamp) -> bool {
        self.bans.get(&Whom::Peer(*peer)).is_some_and(|sentence| sentence.holds(wall))
    }

    /// Why nobody, or no newcomer, is wanted from an address; the operator's reason before others.
    pub(crate) fn shunned(&self, ip: IpAddr, wall: Timestamp) -> Option<BanCause> {
        let is_any = self.bans.keys().next_back().is_some_and(|last| matches!(last, Whom::Net(_)));
        let nets = is_any.then(|| Net::all_of(ip)).into_iter().flatten();
        let bans = nets.filter_map(|net| self.bans.get(&Whom::Net(net)));
        let causes = bans.filter(|ban| ban.holds(wall)).map(|ban| ban.cause);
        causes.max_by_key(|cause| *cause == BanCause::Operator)
    }

    /// When a ban is over: `None` if there is none, `Some(None)` if never.
    pub(crate) fn banned_until(&self, peer: &NodeId, wall: Timestamp) -> Option<Option<Timestamp>> {
        let sentence = self.bans.get(&Whom::Peer(*peer));
        sentence.filter(|sentence| sentence.holds(wall)).map(|sentence| sentence.until)
    }

    /// Whether a peer is banned for having said two things.
    pub(crate) fn disgraced(&self, peer: &NodeId) -> bool {
        let sentence = self.bans.get(&Whom::Peer(*peer));
        sentence.is_some_and(|sentence| sentence.cause == BanCause::Fault(Fault::Equivocation))
    }

    /// All bans that are not over.
    pub(crate) fn bans(&self, wall: Timestamp) -> Vec<Ban> {
        let serving = self.bans.iter().filter(|(_, sentence)| sentence.holds(wall));
        serving
            .map(|(whom, Sentence { cause, until, .. })| Ban {
                whom: *whom,
                cause: *cause,
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

    fn sentence(&mut self, whom: Whom, sentence: Sentence) {
        self.bans.insert(whom, sentence);
        if self.bans.len() > BANS_MAX {
            let end =
                |sentence: &Sentence| sentence.until.unwrap_or(Timestamp::from_millis(u64::MAX));
            // Keys cost nothing: what the operator said is not for them to drive out.
            let rank = |sentence: &Sentence| (sentence.cause == BanCause::Operator, end(sentence));
            let soonest =
                self.bans.iter().min_by_key(|(_, sentence)| rank(sentence)).map(|(whom, _)| *whom);
            soonest.and_then(|whom| self.bans.remove(&whom));
        }
    }

    /// Records held, and the most there may be.
    pub(crate) fn usage(&self) -> (usize, usize) {
        (self.scores.len() + self.bans.len(), SCORES_MAX + BANS_MAX)
    }
}

impl Sentence {
    fn holds(&self, wall: Timestamp) -> bool {
        self.until.is_none_or(|until| until > wall)
    }

    /// How many there were when the next comes.
    const fn next(&self) -> usize {
        self.earlier.saturating_add(1)
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
        let forged = |tag, until| Ban {
            whom: peer(tag).into(),
            cause: BanCause::Fault(Fault::Forged),
            until,
        };
        peers.restore(forged(1, None));
        assert_eq!(
            peers.blame(peer(1), Fault::Forged, at(0), WALL),
            Consequence::Ban { until: None }
        );
        peers.restore(forged(2, Some(WALL)));
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
        assert!(peers.pardon(&peer(1).into()));
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

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    fn convict(peers: &mut Peers, tag: u64, net: Net, wall: Timestamp) -> Option<Ban> {
        peers.blame(peer(tag), Fault::Forged, at(0), wall);
        peers.locate(peer(tag), net, wall)
    }

    #[test]
    fn where_many_are_banned_newcomers_are_refused_for_a_time_and_never_for_good() {
        let mut peers = Peers::default();
        let (bad, good) = (net("192.0.2.0/24"), net("198.51.100.0/24"));
        let ip = "192.0.2.77".parse().unwrap();
        assert_eq!(peers.shunned(ip, WALL), None);
        for tag in 1..COMPANY as u64 {
            assert_eq!(convict(&mut peers, tag, bad, WALL), None);
            assert_eq!(convict(&mut peers, 100 + tag, good, WALL), None);
        }
        let mut wall = WALL;
        for (round, length) in [(1, BAN_LENGTHS[0]), (2, BAN_LENGTHS[1]), (3, BAN_LENGTHS[1])] {
            // The earlier ones may be free again: it takes as many anew.
            let bans = (0..COMPANY as u64)
                .filter_map(|n| convict(&mut peers, round * 1000 + n, bad, wall));
            let bans: Vec<_> = bans.collect();
            let until = wall.saturating_add(length);
            let ban = Ban { whom: bad.into(), cause: BanCause::Company, until: Some(until) };
            assert_eq!(bans, [ban], "once, while it holds");
            assert_eq!(peers.shunned(ip, wall), Some(BanCause::Company));
            assert_eq!(peers.shunned("198.51.100.1".parse().unwrap(), wall), None);
            assert_eq!(peers.shunned(ip, until), None);
            wall = until;
        }
    }

    #[test]
    fn the_operator_has_the_last_word() {
        let mut peers = Peers::default();
        let hour = Duration::from_secs(3600);
        let ip = "2001:db8::7".parse().unwrap();
        for tag in 0..COMPANY as u64 {
            convict(&mut peers, tag, Net::host(ip), WALL);
        }
        assert_eq!(peers.shunned(ip, WALL), Some(BanCause::Company));
        peers.order(net("2001:db8::/32").into(), Some(hour), WALL);
        assert_eq!(peers.shunned(ip, WALL), Some(BanCause::Operator));
        peers.order(peer(9).into(), None, WALL);
        assert!(peers.banned(&peer(9), WALL));
        peers.order(peer(9).into(), Some(hour), WALL);
        assert_eq!(peers.banned_until(&peer(9), WALL), Some(Some(WALL.saturating_add(hour))));
        assert!(peers.pardon(&peer(9).into()) && !peers.banned(&peer(9), WALL));
        assert!(!peers.pardon(&peer(9).into()));
    }

    #[test]
    fn no_flood_of_banned_keys_drives_out_what_the_operator_said() {
        let mut peers = Peers::default();
        peers.order(peer(0).into(), Some(Duration::from_secs(1)), WALL);
        for tag in 1..=BANS_MAX as u64 {
            peers.blame(peer(tag), Fault::Equivocation, at(0), WALL);
        }
        assert_eq!(peers.bans.len(), BANS_MAX);
        assert!(peers.banned(&peer(0), WALL));
    }
}
