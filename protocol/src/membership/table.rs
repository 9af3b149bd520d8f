//! Who is a member, as far as this node knows, and who is no more.
//!
//! Each member is charged to the peer that first told of it: a peer that tells of a million loses these first. Who left or was
//! certified dead has a *grave*, so that nothing old brings it back; only its key does, with a higher epoch.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use forsooth_crypto::{NodeId, Verified};

use super::{
    accusation::Certificate,
    record::{Epoch, Member, SignedMember},
};
use crate::{
    bounded::FairMap,
    sync::{Index, Item, SketchKey},
    time::{Time, Timestamp},
};

/// Members at most.
pub(super) const MEMBERS_MAX: usize = 16_384;
/// Graves at most; the oldest goes.
pub(super) const GRAVES_MAX: usize = 4_096;
/// A grave is remembered for so long.
const GRAVE_LIFETIME: Duration = Duration::from_secs(86_400);
/// Who died comes back at once with a new life, and else not before this, doubled each time, up to an hour.
const HOLD: Duration = Duration::from_secs(300);
/// Deaths are together if no more than this lies between them; and if more than one in so many die together, the network was cut,
/// and all come back at once.
const TOGETHER: Duration = Duration::from_secs(60);
const CUT_SHARE: usize = 10;
/// Fewer are no cut, however small the network is.
const CUT_MIN: usize = 3;
const HOLD_MAX: Duration = Duration::from_secs(3600);

/// Members and graves.
#[derive(Debug)]
pub(super) struct Table {
    members: FairMap<NodeId, NodeId, Entry>,
    /// This node's own record: it is no member here, but is compared like one, since others may have missed it.
    own: Option<Verified<SignedMember>>,
    /// The first eight bytes of members' ids, by the names of their records.
    names: BTreeMap<u64, u64>,
    /// All records by their digests, to be compared with others' tables.
    index: Index,
    graves: BTreeMap<NodeId, Grave>,
    /// When members died, in order; as many as there may be graves.
    deaths: VecDeque<Time>,
}

/// A member.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) record: Verified<SignedMember>,
    /// Since when it is known, as others may know it too.
    pub(super) since: Timestamp,
    /// When it last changed here so that others may not know yet.
    pub(super) changed: Time,
}

/// Somebody who was a member.
#[derive(Debug)]
pub(super) struct Grave {
    pub(super) epoch: Epoch,
    pub(super) why: Why,
    at: Time,
    /// How often it has died without a new life in between.
    deaths: u32,
}

/// Why somebody is a member no more.
#[derive(Debug)]
pub(super) enum Why {
    /// It said so.
    Left(Verified<SignedMember>),
    /// Its observers said so.
    Died(Certificate),
    /// It signed two records for one version.
    Equivocated,
}

/// What a record is to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Of somebody unknown.
    Stranger,
    /// Newer than what is known.
    Newer,
    /// What is known.
    Known,
    /// Older than what is known.
    Older,
    /// As new as what is known, and something else: its member said two things.
    Conflict,
    /// Of somebody who is no more, and not newer than that.
    Buried,
    /// Of somebody who dies too often: it has to wait.
    Held,
}

impl Table {
    pub(super) fn new(key: SketchKey) -> Self {
        Self {
            members: FairMap::new(MEMBERS_MAX),
            own: None,
            names: BTreeMap::new(),
            index: Index::new().keyed(key),
            graves: BTreeMap::new(),
            deaths: VecDeque::new(),
        }
    }

    pub(super) fn get(&self, id: &NodeId) -> Option<&Entry> {
        self.members.get(id)
    }

    /// What a member says of itself.
    pub(super) fn member(&self, id: &NodeId) -> Option<&Member> {
        self.members.get(id).map(|entry| entry.record.content())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Entry)> + Clone {
        self.members.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn grave(&self, id: &NodeId) -> Option<&Grave> {
        self.graves.get(id)
    }

    pub(super) fn graves(&self) -> usize {
        self.graves.len()
    }

    /// What a record would change.
    pub(super) fn news(&self, record: &SignedMember, now: Time) -> News {
        let said = record.content();
        if let Some(grave) = self.graves.get(&said.id) {
            if said.epoch <= grave.epoch || matches!(grave.why, Why::Equivocated) {
                return News::Buried;
            }
            if said.epoch.generation == grave.epoch.generation
                && now < grave.at + grave.hold()
                && !self.was_cut(grave.at)
            {
                return News::Held;
            }
        }
        let Some(known) = self.members.get(&said.id) else { return News::Stranger };
        match said.order().cmp(&known.record.content().order()) {
            core::cmp::Ordering::Less => News::Older,
            core::cmp::Ordering::Greater => News::Newer,
            core::cmp::Ordering::Equal if known.record.digest() == record.digest() => News::Known,
            core::cmp::Ordering::Equal => News::Conflict,
        }
    }

    /// Takes a record over, at the cost of who told of it if its member is new. Returns the members that had to go, if there
    /// are too many.
    pub(super) fn insert(&mut self, entry: Entry, from: NodeId) -> Vec<NodeId> {
        let id = entry.record.content().id;
        if let Some(old) = self.members.get_mut(&id) {
            let (record, before) = (entry.record.clone(), core::mem::replace(old, entry));
            self.count_out(&before.record);
            self.count_in(&record);
            return Vec::new();
        }
        self.count_in(&entry.record);
        let evicted = self.members.insert(id, from, 1, entry);
        for (_, gone) in &evicted {
            self.count_out(&gone.record);
        }
        evicted.into_iter().map(|(id, _)| id).collect()
    }

    /// Somebody is a member no more.
    pub(super) fn bury(&mut self, id: NodeId, epoch: Epoch, why: Why, now: Time) {
        if let Some(entry) = self.members.remove(&id) {
            self.count_out(&entry.record);
        }
        let before =
            self.graves.get(&id).filter(|grave| grave.epoch.generation == epoch.generation);
        let deaths = before.map_or(0, |grave| grave.deaths);
        let deaths = deaths.saturating_add(u32::from(matches!(why, Why::Died(_))));
        if matches!(why, Why::Died(_)) {
            if self.deaths.len() >= GRAVES_MAX {
                self.deaths.pop_front();
            }
            self.deaths.push_back(now);
        }
        self.graves.insert(id, Grave { epoch, why, at: now, deaths });
        if self.graves.len() > GRAVES_MAX {
            let oldest = self.graves.iter().min_by_key(|(_, grave)| grave.at).map(|(id, _)| *id);
            oldest.into_iter().for_each(|id| drop(self.graves.remove(&id)));
        }
    }

    /// Whether so many died about then that it was rather the network than they.
    fn was_cut(&self, at: Time) -> bool {
        let before = self.deaths.partition_point(|death| *death + TOGETHER < at);
        let until = self.deaths.partition_point(|death| *death <= at + TOGETHER);
        let together = until.saturating_sub(before);
        together > CUT_MIN && together * CUT_SHARE > self.members.len() + together
    }

    /// Forgets graves that are old.
    pub(super) fn reap(&mut self, now: Time) {
        let over = self.deaths.partition_point(|death| *death + GRAVE_LIFETIME <= now);
        self.deaths.drain(..over);
        self.graves.retain(|_, grave| now < grave.at + GRAVE_LIFETIME);
    }

    /// All records, this node's own included, to be compared with others' tables.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// The record of a name, this node's own included.
    pub(super) fn named(&self, name: u64) -> Option<&Verified<SignedMember>> {
        if let Some(own) = self.own.as_ref().filter(|own| own.name() == name) {
            return Some(own);
        }
        let beginning = *self.names.get(&name)?;
        let mut first = [0; 32];
        first.iter_mut().zip(beginning.to_be_bytes()).for_each(|(byte, given)| *byte = given);
        let members = self.members.iter_from(NodeId::from_bytes(first));
        let mut records = members
            .take_while(|(id, _)| beginning_of(id) == beginning)
            .map(|(_, entry)| &entry.record);
        records.find(|record| record.name() == name)
    }

    /// What this node says of itself.
    pub(super) const fn own(&self) -> Option<&Verified<SignedMember>> {
        self.own.as_ref()
    }

    /// This node says something else of itself.
    pub(super) fn set_own(&mut self, record: Verified<SignedMember>) {
        if let Some(before) = self.own.take() {
            self.count_out(&before);
        }
        self.count_in(&record);
        self.own = Some(record);
    }

    fn count_in(&mut self, record: &SignedMember) {
        // Two records of one name hide each other; nobody finds two on purpose that are of use.
        self.names.insert(record.name(), beginning_of(&record.content().id));
        self.index.insert(item(record));
    }

    fn count_out(&mut self, record: &SignedMember) {
        self.names.remove(&record.name());
        self.index.remove(&item(record));
    }
}

impl Grave {
    /// How long it keeps a member that comes back without a new life.
    fn hold(&self) -> Duration {
        match self.deaths {
            0 => Duration::ZERO,
            deaths => HOLD.saturating_mul(1 << (deaths - 1).min(16)).min(HOLD_MAX),
        }
    }
}

/// The first eight bytes of an id.
fn beginning_of(id: &NodeId) -> u64 {
    id.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// A record, as what is compared.
fn item(record: &SignedMember) -> Item {
    Item::new(0, *record.digest().as_bytes())
}
