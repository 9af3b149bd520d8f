//! What colluders share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use forsooth_crypto::NodeId;
use forsooth_protocol::{MessageId, overlay::record::SignedRecord};

/// One mind of several adversaries. They change it in the order in which they are asked, which a simulator
/// repeats.
#[derive(Debug, Default)]
pub struct Brain {
    /// Those who behaved do so no longer.
    pub(super) turned: bool,
    /// The author whom all keep quiet.
    pub(super) censored: Option<NodeId>,
    /// Ids of no message, which all vouch for.
    pub(super) phantoms: BTreeSet<MessageId>,
    /// Where they are, signed by each, for all to tell.
    pub(super) records: BTreeMap<NodeId, SignedRecord>,
}

impl Brain {
    /// Takes hold of a mind. A panic elsewhere leaves it usable.
    pub(super) fn of(mind: &Mutex<Self>) -> MutexGuard<'_, Self> {
        mind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
