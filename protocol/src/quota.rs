//! What one peer, all of one group, and all together may cost: frames and bytes a second on each lane, charged before decoding.
//!
//! A peer that reconnects finds its quota as it left it. Nothing
//! here knows what is in a frame.

mod lanes;
mod rate;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use forsooth_crypto::NodeId;

use self::lanes::Lanes;
pub(crate) use self::{
    lanes::Largest,
    rate::{CoreClock, Rate},
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
        let takes = |lanes: &Lanes| lanes.take(lane, is_sync, bytes);
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
