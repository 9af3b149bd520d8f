//! What peers are asked for at a time, and who was asked in vain.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use super::wanted::Asked;

/// What one peer is asked for and has not served, in messages: a few frames of the largest size.
const ASKED_MAX: usize = 128;
/// A payload counts as one message more for so many bytes: together they fit into the queue of a link.
const BYTES_PER_UNIT: u32 = 32 << 10;

/// What peers owe us.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// How much each peer is asked for.
    asked: BTreeMap<NodeId, usize>,
    /// How often each linked peer was asked in vain since it last served.
    in_vain: BTreeMap<NodeId, u8>,
}

impl Load {
    /// What a message of this size weighs.
    pub(super) fn weight(bytes: Option<u32>) -> usize {
        let units = bytes.unwrap_or(0) / BYTES_PER_UNIT;
        usize::try_from(units).unwrap_or(ASKED_MAX).saturating_add(1)
    }

    /// Whether a peer may be asked for a message of this size now; for one of any size if it is asked for nothing.
    pub(super) fn has_room(&self, peer: &NodeId, bytes: Option<u32>) -> bool {
        let held = self.asked.get(peer).copied().unwrap_or(0);
        held == 0 || held.saturating_add(Self::weight(bytes)) <= ASKED_MAX
    }

    /// Somebody owes us a message.
    pub(super) fn charge(&mut self, asked: Option<&Asked>) {
        let Some(Asked { peer, weight, .. }) = asked else { return };
        let held = self.asked.entry(*peer).or_default();
        *held = held.saturating_add(*weight);
    }

    /// Somebody no longer does.
    pub(super) fn release(&mut self, Asked { peer, weight, .. }: &Asked) {
        if let Some(held) = self.asked.get_mut(peer) {
            *held = held.saturating_sub(*weight);
            if *held == 0 {
                self.asked.remove(peer);
            }
        }
    }

    /// How often a peer was asked in vain since it last served.
    pub(super) fn in_vain(&self, peer: &NodeId) -> u8 {
        self.in_vain.get(peer).copied().unwrap_or(0)
    }

    /// Somebody was asked in vain.
    pub(super) fn fail(&mut self, peer: NodeId) {
        let times = self.in_vain.entry(peer).or_default();
        *times = times.saturating_add(1);
    }

    /// Somebody served.
    pub(super) fn forgive(&mut self, peer: &NodeId) {
        self.in_vain.remove(peer);
    }

    /// Somebody is gone.
    pub(super) fn forget(&mut self, peer: &NodeId) {
        self.asked.remove(peer);
        self.in_vain.remove(peer);
    }
}
