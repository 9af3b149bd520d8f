//! What the book knows of one peer, and when that is worth nothing.

use core::time::Duration;

use arrayvec::ArrayVec;
use bytes::Bytes;
use forsooth_crypto::NodeId;

use super::{
    SPOTS_MAX,
    bucket::{Group, Spot},
};
use crate::{input::Address, time::Timestamp};

/// A record older than this is of somebody who has long been silent. As in Bitcoin Core.
pub const HORIZON: Duration = Duration::from_secs(30 * 24 * 3600);
/// Who was never reached is given up after so many failures.
pub(super) const RETRIES: u32 = 3;
/// Who was reached once is given up after so many failures, over at least [`FAILING`].
pub(super) const FAILURES_MAX: u32 = 10;
/// See [`FAILURES_MAX`].
pub(super) const FAILING: Duration = Duration::from_secs(7 * 24 * 3600);
/// Who was dialled within this may be about to answer.
const JUST_TRIED: Duration = Duration::from_secs(60);
/// Who was dialled within this is rarely picked again.
const TRIED_LATELY: Duration = Duration::from_secs(600);

/// What a peer's verified record says, and the bytes in which it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose record it is.
    pub peer: NodeId,
    /// The record's number; a higher one replaces it.
    pub number: u64,
    /// When the peer says that it made the record.
    pub time: Timestamp,
    /// Where the peer says that it listens.
    pub addresses: Vec<Address>,
    /// The signed record.
    pub record: Bytes,
}

/// One peer of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) contact: Contact,
    /// Who told us first.
    pub(super) source: Group,
    pub(super) standing: Standing,
    /// `None` if it was never dialled, as most are in a large network.
    dials: Option<Box<Dials>>,
    /// Whether the shell was told to store it.
    pub(super) stored: bool,
}

/// What became of dials to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dials {
    /// When it was last dialled, with whatever outcome.
    pub(super) last: Option<Timestamp>,
    /// When it was last reached.
    pub(super) last_reached: Option<Timestamp>,
    /// When a failure was last held against it.
    pub(super) last_failure: Option<Timestamp>,
    /// Failures held against it since it was last reached.
    pub(super) failures: u32,
}

/// On which shelf a peer stands, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Heard of; in one bucket for each of a few groups of sources.
    New(Spots),
    /// Reached.
    Tried(Box<Reached>),
}

/// Slots of the new table.
pub(super) type Spots = ArrayVec<Spot, SPOTS_MAX>;

/// Where a peer was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reached {
    /// Its slot of the tried table.
    pub(super) spot: Spot,
    /// The group that it was reached in.
    pub(super) group: Group,
}

impl Entry {
    pub(super) const fn new(contact: Contact, source: Group, standing: Standing) -> Self {
        Self { contact, source, standing, dials: None, stored: false }
    }

    /// What became of dials to it.
    pub(super) fn dials(&self) -> Dials {
        self.dials.as_deref().copied().unwrap_or_default()
    }

    /// The same, to be changed.
    pub(super) fn dials_mut(&mut self) -> &mut Dials {
        self.dials.get_or_insert_default()
    }

    pub(super) const fn is_tried(&self) -> bool {
        matches!(self.standing, Standing::Tried(_))
    }

    /// Whether it may go for anybody else: Bitcoin Core's rules for terrible addresses.
    pub(super) fn is_terrible(&self, now: Timestamp) -> bool {
        if self.dialled_within(JUST_TRIED, now) {
            return false;
        }
        let outdated = now.since(self.contact.time) > HORIZON;
        let Dials { last_reached, failures, .. } = self.dials();
        let never = last_reached.is_none() && failures >= RETRIES;
        let no_more =
            last_reached.is_some_and(|last| now.since(last) > FAILING) && failures >= FAILURES_MAX;
        outdated || never || no_more
    }

    /// Whether it has more than one place.
    pub(super) fn stands_elsewhere(&self) -> bool {
        match &self.standing {
            Standing::New(spots) => spots.len() > 1,
            Standing::Tried(_) => false,
        }
    }

    /// How likely it is to be taken when it is drawn: less after each failure, and hardly at all when it was
    /// dialled a moment ago.
    pub(super) fn chance(&self, now: Timestamp) -> f64 {
        let lately = if self.dialled_within(TRIED_LATELY, now) { 0.01 } else { 1.0 };
        (0..self.dials().failures.min(8)).fold(lately, |chance, _| chance * 0.66)
    }

    /// Whether it was dialled so short a time ago. A clock that was set back must not make that last.
    fn dialled_within(&self, span: Duration, now: Timestamp) -> bool {
        self.dials().last.is_some_and(|last| last <= now && now.since(last) < span)
    }
}
