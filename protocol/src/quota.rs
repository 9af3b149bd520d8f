//! What one peer, all of one group, and all together may cost: frames and bytes a second on each lane, charged before decoding.
//!
//! GCRA by `governor`, on the core's clock. A peer that reconnects finds its quota as it left it. Nothing
//! here knows what is in a frame.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use forsooth_crypto::NodeId;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};

use crate::{group::Group, lane::Lane, network::Defence, peer_map::PeerMap, time::Time};

/// Proofs a second that one peer may bring against authors of whom this node has never heard, and at once.
/// Throwaway keys cost nothing; authors whom we hear are always worth a proof.
const STRANGE_PROOFS_PER_SECOND: u32 = 10;
const STRANGE_PROOFS_BURST: u32 = 256;
/// Quotas of peers that are gone are kept until they are full again, for at most this many peers; those of groups as well.
const ABSENT_MAX: usize = 1024;
/// A group may spend as much as so many peers: a household, but not a machine with as many keys as it finds places.
const GROUP_SHARES: u32 = 4;
/// All peers together may spend as much as so many; and each of them, however much others do, so small a part of its own quota. With 72
/// links that is as much as 17 peers may, and of data about what one processor verifies.
const ALL_SHARES: u32 = 8;
const OWN_DIVISOR: u32 = 8;
/// Of what a lane allows, so much is there besides for comparing what is kept, and for what was missed: its frames are few and large.
const SYNC_FRAMES_DIVISOR: u32 = 64;

type Limiter = RateLimiter<NotKeyed, InMemoryState, CoreClock, NoOpMiddleware<Nanos>>;

/// `governor`'s view of the core's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct CoreClock(Arc<AtomicU64>);

impl CoreClock {
    /// Moves the clock to `now`.
    pub(crate) fn set(&self, now: Time) {
        let nanos = u64::try_from(now.as_duration().as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for CoreClock {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// A rate with a burst, on the core's clock.
#[derive(Debug)]
pub(crate) struct Rate {
    limiter: Limiter,
    clock: CoreClock,
}

impl Rate {
    /// `per_period` units in each `period`, and up to `burst` at once. Zeros count as one.
    pub(crate) fn new(per_period: u32, period: Duration, burst: u32, clock: &CoreClock) -> Self {
        let interval = period / per_period.max(1);
        let quota = Quota::with_period(interval.max(Duration::from_nanos(1)))
            .expect("the interval is at least a nanosecond")
            .allow_burst(NonZeroU32::new(burst.max(1)).expect("at least one"));
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock: clock.clone() }
    }

    /// Takes `units` if there are so many, else says when there will be.
    ///
    /// # Errors
    /// How long to wait; `Duration::MAX` if `units` is more than the burst.
    pub(crate) fn take(&self, units: u32) -> Result<(), Duration> {
        let Some(units) = NonZeroU32::new(units) else {
            return Ok(());
        };
        match self.limiter.check_n(units) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wait)) => Err(wait.wait_time_from(self.clock.now())),
            Err(_over_burst) => Err(Duration::MAX),
        }
    }
}

/// The quotas of all peers.
#[derive(Debug)]
pub(crate) struct Quotas {
    clock: CoreClock,
    defence: Defence,
    largest: Largest,
    linked: PeerMap<(Allowance, Option<Group>)>,
    /// Peers that left, with when their quotas are full again.
    absent: BTreeMap<NodeId, (Time, Allowance)>,
    groups: BTreeMap<Group, Company>,
    /// What all peers together may spend beyond the part of each.
    all: Lanes,
}

/// What a group may spend, with its peers that are linked, and when it is full again once they have left.
#[derive(Debug)]
struct Company {
    lanes: Lanes,
    linked: usize,
    full: Time,
}

#[derive(Debug)]
struct Allowance {
    /// What it may spend at most.
    lanes: Lanes,
    /// What it may spend however much others do: its own, and one frame of any size at least.
    own: Lanes,
    strange_proofs: Rate,
}

/// Bytes of the largest frame on each lane. A burst is never less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Largest {
    pub(crate) control: usize,
    pub(crate) data: usize,
}

/// What may be spent on each lane, for gossip and for what was missed.
#[derive(Debug)]
struct Lanes {
    gossip: [LaneAllowance; 2],
    sync: [LaneAllowance; 2],
}

#[derive(Debug)]
struct LaneAllowance {
    frames: Rate,
    bytes: Rate,
}

/// Whether there is room for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    /// There is.
    Paid,
    /// Its sender, or all of its group together, have sent too much.
    OverQuota,
    /// All peers together have, and its sender more than its part: nobody in particular is to blame.
    Crowded,
}

impl Quotas {
    /// Quotas as the network's manifest says.
    pub(crate) fn new(defence: Defence, largest: Largest, clock: CoreClock) -> Self {
        Self {
            all: Lanes::new(&defence.times(ALL_SHARES), largest, &clock),
            largest,
            clock,
            defence,
            linked: PeerMap::new(),
            absent: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    /// A peer is linked. A group of addresses shares a quota; one of a single key has that key's.
    pub(crate) fn join(&mut self, peer: NodeId, group: Group) {
        let allowance = match self.absent.remove(&peer) {
            Some((_, allowance)) => allowance,
            None => Allowance::new(&self.defence, self.largest, &self.clock),
        };
        let group = matches!(group, Group::Net(_)).then_some(group);
        if let Some(group) = group {
            let Self { groups, defence, largest, clock, .. } = self;
            let new = || Company::new(defence, *largest, clock);
            let company = groups.entry(group).or_insert_with(new);
            company.linked = company.linked.saturating_add(1);
        }
        if let Some((_, before)) = self.linked.insert(peer, (allowance, group)) {
            self.release(before, Time::ZERO);
        }
    }

    /// A peer is gone. What it spent is remembered until its burst would be back.
    pub(crate) fn leave(&mut self, peer: NodeId, now: Time) {
        let Some((allowance, group)) = self.linked.remove(&peer) else {
            return;
        };
        self.absent.retain(|_, (full, _)| *full > now);
        if self.absent.len() >= ABSENT_MAX {
            let soonest =
                self.absent.iter().min_by_key(|(_, (full, _))| *full).map(|(peer, _)| *peer);
            soonest.and_then(|peer| self.absent.remove(&peer));
        }
        let full = now + Duration::from_secs(self.defence.burst_seconds.into());
        self.absent.insert(peer, (full, allowance));
        self.groups.retain(|_, company| company.linked > 0 || company.full > now);
        if self.groups.len() >= ABSENT_MAX {
            let empty = self.groups.iter().filter(|(_, company)| company.linked == 0);
            let soonest = empty.min_by_key(|(_, company)| company.full).map(|(group, _)| *group);
            soonest.and_then(|group| self.groups.remove(&group));
        }
        self.release(group, full);
    }

    fn release(&mut self, group: Option<Group>, full: Time) {
        if let Some(company) = group.and_then(|group| self.groups.get_mut(&group)) {
            company.linked = company.linked.saturating_sub(1);
            company.full = company.full.max(full);
        }
    }

    /// Charges a frame of `bytes` to a linked peer, its group, and all. What is for comparing what is kept and for what was missed
    /// takes nothing from gossip's quota, nor gossip anything from its.
    pub(crate) fn admit(&self, peer: &NodeId, lane: Lane, is_sync: bool, bytes: usize) -> Charge {
        let Some((allowance, group)) = self.linked.get(peer) else {
            return Charge::OverQuota;
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let takes = |lanes: &Lanes| lanes.of(lane, is_sync).take(bytes);
        let company = group.and_then(|group| self.groups.get(&group));
        if !takes(&allowance.lanes) || company.is_some_and(|company| !takes(&company.lanes)) {
            Charge::OverQuota
        } else if takes(&allowance.own) || takes(&self.all) {
            Charge::Paid
        } else {
            Charge::Crowded
        }
    }

    /// Whether a linked peer may bring another proof against an author that nobody here has heard.
    pub(crate) fn admit_strange_proof(&self, peer: &NodeId) -> bool {
        self.linked.get(peer).is_some_and(|(allowance, _)| allowance.strange_proofs.take(1).is_ok())
    }

    /// Peers and groups whose quotas are kept, and the most there may be: those linked, and as many absent.
    pub(crate) fn usage(&self) -> (usize, usize) {
        let used = self.linked.len() + self.absent.len() + self.groups.len();
        (used, 2 * (self.linked.len() + ABSENT_MAX))
    }
}

impl Defence {
    /// The quotas of so many peers together.
    fn times(&self, shares: u32) -> Self {
        self.each(|quota| quota.saturating_mul(shares))
    }

    /// That part of the quotas of one.
    fn over(&self, divisor: u32) -> Self {
        self.each(|quota| quota / divisor)
    }

    fn each(&self, change: impl Fn(u32) -> u32) -> Self {
        Self {
            control_frames_per_second: change(self.control_frames_per_second),
            control_bytes_per_second: change(self.control_bytes_per_second),
            data_frames_per_second: change(self.data_frames_per_second),
            data_bytes_per_second: change(self.data_bytes_per_second),
            ..*self
        }
    }
}

impl Lanes {
    fn new(defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        let control_frames_per_second = defence.control_frames_per_second / SYNC_FRAMES_DIVISOR;
        let few = Defence { control_frames_per_second, ..*defence };
        let both = |defence: &Defence| {
            [Lane::Control, Lane::Data]
                .map(|lane| LaneAllowance::new(lane, defence, largest, clock))
        };
        Self { gossip: both(defence), sync: both(&few) }
    }

    const fn of(&self, lane: Lane, is_sync: bool) -> &LaneAllowance {
        let [control, data] = if is_sync { &self.sync } else { &self.gossip };
        match lane {
            Lane::Control => control,
            Lane::Data => data,
        }
    }
}

impl LaneAllowance {
    fn new(lane: Lane, defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        let (frames, bytes, largest) = match lane {
            Lane::Control => (
                defence.control_frames_per_second,
                defence.control_bytes_per_second,
                largest.control,
            ),
            Lane::Data => {
                (defence.data_frames_per_second, defence.data_bytes_per_second, largest.data)
            }
        };
        let largest = u32::try_from(largest).unwrap_or(u32::MAX);
        let rate = |per_second: u32, least: u32| {
            let burst = per_second.saturating_mul(defence.burst_seconds).max(least);
            Rate::new(per_second, Duration::from_secs(1), burst, clock)
        };
        Self { frames: rate(frames, 1), bytes: rate(bytes, largest) }
    }

    fn take(&self, bytes: u32) -> bool {
        self.frames.take(1).is_ok() && self.bytes.take(bytes).is_ok()
    }
}

impl Company {
    fn new(defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        let lanes = Lanes::new(&defence.times(GROUP_SHARES), largest, clock);
        Self { lanes, linked: 0, full: Time::ZERO }
    }
}

impl Allowance {
    fn new(defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        Self {
            lanes: Lanes::new(defence, largest, clock),
            own: Lanes::new(&defence.over(OWN_DIVISOR), largest, clock),
            strange_proofs: Rate::new(
                STRANGE_PROOFS_PER_SECOND,
                Duration::from_secs(1),
                STRANGE_PROOFS_BURST,
                clock,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Kind;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    fn alone(tag: u8) -> Group {
        Group::Peer(peer(tag))
    }

    fn subnet(n: u8) -> Group {
        Group::Net([192, 0, n, 0].into())
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    fn quotas(frames_per_second: u32) -> (Quotas, CoreClock) {
        let clock = CoreClock::default();
        let defence = Defence {
            control_frames_per_second: frames_per_second,
            burst_seconds: 2,
            ..Defence::recommended(Kind::Local)
        };
        let largest = Largest { control: 16, data: 1 << 20 };
        (Quotas::new(defence, largest, clock.clone()), clock)
    }

    fn admits(quotas: &Quotas, tag: u8, lane: Lane, bytes: usize) -> bool {
        quotas.admit(&peer(tag), lane, false, bytes) == Charge::Paid
    }

    #[test]
    fn a_peer_spends_its_burst_and_then_its_rate() {
        let (mut quotas, clock) = quotas(10);
        quotas.join(peer(1), alone(1));
        let spend = |n: u32| (0..n).filter(|_| admits(&quotas, 1, Lane::Control, 10)).count();
        assert_eq!(spend(100), 20);
        clock.set(at(1));
        assert_eq!(spend(100), 10);
    }

    #[test]
    fn one_peers_flood_costs_no_other_peer_anything() {
        let (mut quotas, _) = quotas(10);
        quotas.join(peer(1), alone(1));
        quotas.join(peer(2), alone(2));
        let flood = (0..1000).filter(|_| admits(&quotas, 1, Lane::Control, 10)).count();
        assert_eq!(flood, 20);
        assert!(admits(&quotas, 2, Lane::Control, 10));
        assert!(admits(&quotas, 1, Lane::Data, 10), "the lanes have quotas of their own");
    }

    #[test]
    fn bytes_are_charged_as_well_as_frames() {
        let (mut quotas, _) = quotas(10);
        quotas.join(peer(1), alone(1));
        let megabyte = 1 << 20;
        let admitted = (0..100).filter(|_| admits(&quotas, 1, Lane::Data, megabyte)).count();
        assert_eq!(admitted, 16, "two seconds of 8 MiB");
        assert!(!admits(&quotas, 1, Lane::Data, usize::MAX), "more than the burst can ever hold");
    }

    #[test]
    fn reconnecting_does_not_refill_the_quota() {
        let (mut quotas, clock) = quotas(10);
        quotas.join(peer(1), alone(1));
        assert!((0..20).all(|_| admits(&quotas, 1, Lane::Control, 1)));
        quotas.leave(peer(1), at(0));
        quotas.join(peer(1), alone(1));
        assert!(!admits(&quotas, 1, Lane::Control, 1));
        quotas.leave(peer(1), at(0));
        clock.set(at(2));
        quotas.join(peer(1), alone(1));
        assert!(admits(&quotas, 1, Lane::Control, 1));
    }

    #[test]
    fn strangers_have_no_quota_and_absent_peers_are_forgotten() {
        let (mut quotas, _) = quotas(10);
        assert!(!admits(&quotas, 9, Lane::Control, 1));
        for tag in 0..=255 {
            for other in 0..10 {
                let mut id = [tag; 32];
                id[0] = other;
                quotas.join(NodeId::from_bytes(id), Group::Peer(NodeId::from_bytes(id)));
                quotas.leave(NodeId::from_bytes(id), at(0));
            }
        }
        assert_eq!(quotas.usage().0, ABSENT_MAX);
        quotas.join(peer(1), alone(1));
        quotas.leave(peer(1), at(10));
        assert_eq!(quotas.usage().0, 1, "the others' quotas are full again");
    }

    #[test]
    fn many_keys_of_one_group_may_spend_no_more_than_four() {
        let (mut quotas, clock) = quotas(10);
        let spend = |quotas: &Quotas, tag: u8| {
            (0..100).filter(|_| admits(quotas, tag, Lane::Control, 10)).count()
        };
        (1..=8).for_each(|tag| quotas.join(peer(tag), subnet(1)));
        quotas.join(peer(20), subnet(2));
        let spent: usize = (1..=8).map(|tag| spend(&quotas, tag)).sum();
        assert_eq!((spent, spend(&quotas, 20)), (80, 20));
        // Nor do new keys help.
        (1..=8).for_each(|tag| quotas.leave(peer(tag), at(0)));
        (11..=18).for_each(|tag| quotas.join(peer(tag), subnet(1)));
        assert_eq!((11..=18).map(|tag| spend(&quotas, tag)).sum::<usize>(), 0);
        clock.set(at(2));
        assert_eq!((11..=18).map(|tag| spend(&quotas, tag)).sum::<usize>(), 80);
    }

    #[test]
    fn however_many_flood_who_sends_little_is_heard_and_nobody_is_blamed_for_others() {
        let (mut quotas, clock) = quotas(80);
        (0..100).for_each(|tag| quotas.join(peer(tag), alone(tag)));
        let flood = |tag: u8| {
            let admit = |_| quotas.admit(&peer(tag), Lane::Control, false, 10);
            (0..160).map(admit).filter(|charge| *charge == Charge::Paid).count()
        };
        let spent: usize = (0..99).map(flood).sum();
        // Two seconds of eight peers, and an eighth of those of 99.
        assert_eq!(spent, 8 * 160 + 99 * 20);
        let more = quotas.admit(&peer(98), Lane::Control, false, 10);
        assert_eq!(more, Charge::OverQuota, "what is refused because of others counts as well");
        assert!((0..20).all(|_| admits(&quotas, 99, Lane::Control, 10)));
        let more = quotas.admit(&peer(99), Lane::Control, false, 10);
        assert_eq!(more, Charge::Crowded);
        let sync = quotas.admit(&peer(98), Lane::Control, true, 10);
        assert_eq!(sync, Charge::Paid, "what was missed has a quota of its own");
        clock.set(at(1));
        assert!(
            (0..80).all(|_| admits(&quotas, 99, Lane::Control, 10)),
            "what comes back is shared"
        );
    }

    #[test]
    fn a_frame_of_any_size_is_heard_however_much_others_send() {
        let clock = CoreClock::default();
        let largest = Largest { control: 64 << 10, data: 1 << 20 };
        let defence = Defence {
            control_bytes_per_second: 4096,
            data_bytes_per_second: 1 << 18,
            burst_seconds: 1,
            ..Defence::recommended(Kind::Local)
        };
        let mut quotas = Quotas::new(defence, largest, clock);
        (0..100).for_each(|tag| quotas.join(peer(tag), alone(tag)));
        for tag in 0..99 {
            for _ in 0..100 {
                quotas.admit(&peer(tag), Lane::Data, false, 1 << 18);
                quotas.admit(&peer(tag), Lane::Control, false, 1 << 14);
            }
        }
        assert!(admits(&quotas, 99, Lane::Data, 1 << 20));
        assert!(admits(&quotas, 99, Lane::Control, 64 << 10));
    }

    #[test]
    fn groups_are_forgotten_when_their_quotas_are_full_again() {
        let (mut quotas, _) = quotas(10);
        for n in 0..=255 {
            quotas.join(peer(n), subnet(n));
            quotas.leave(peer(n), at(0));
        }
        assert_eq!(quotas.groups.len(), 256);
        quotas.join(peer(1), subnet(1));
        quotas.leave(peer(1), at(10));
        assert_eq!(quotas.groups.len(), 1);
    }
}
