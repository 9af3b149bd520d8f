//! Where an adversary is, and where it was told that others are.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Address, Candidate, Input};

/// What an adversary knows of addresses, whether it attacks or not.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    own: Vec<Address>,
    others: BTreeMap<NodeId, Address>,
}

impl Whereabouts {
    /// Learns from what a core is told.
    pub(super) fn observe(&mut self, input: &Input) {
        if let Input::Listening(addresses) = input {
            self.own.clone_from(addresses);
        } else if let Input::Known(others) | Input::Keep(others) = input {
            let known = others.iter().map(|Candidate { peer, address }| (*peer, address.clone()));
            self.others.extend(known);
        }
    }

    /// Its own addresses.
    pub(super) fn own(&self) -> &[Address] {
        &self.own
    }

    /// Where somebody may be reached.
    pub(super) fn of(&self, node: &NodeId) -> Option<Candidate> {
        let address = self.others.get(node)?.clone();
        Some(Candidate { peer: *node, address })
    }

    /// Everybody whose address is known, in a defined order.
    pub(super) fn known(&self) -> impl Iterator<Item = &NodeId> {
        self.others.keys()
    }
}
