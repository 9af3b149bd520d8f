//! Those who tell of each other alone: records of accomplices, wherever records are due.

use std::sync::{Arc, Mutex};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Address, Class, Effect,
    overlay::record::{PeerRecord, SignedRecord},
    wire::{Frame, RECORDS_MAX},
};
use rand::{RngExt as _, seq::index};

use super::{Brain, Brief, Cx, Intensity};

/// Higher than the number of any record that the core of an adversary signs in one life.
const NUMBER: u64 = 1 << 19;

/// A member of a pack, and what all of it know.
pub(super) struct Pack {
    intensity: Intensity,
    mind: Arc<Mutex<Brain>>,
    /// The addresses that its record in the mind says.
    enlisted: Vec<Address>,
}

impl Pack {
    /// A member that has not told the others where it is.
    pub(super) fn of(brief: &Brief) -> Self {
        Self { intensity: brief.intensity, mind: brief.mind(), enlisted: Vec::new() }
    }

    /// Signs where it is, for all to tell, if that has changed.
    pub(super) fn enlist(&mut self, cx: &Cx<'_>) {
        let addresses = cx.own_addresses();
        if addresses.is_empty() || addresses == self.enlisted {
            return;
        }
        self.enlisted = addresses.to_vec();
        let record = PeerRecord {
            id: cx.keypair.id(),
            addresses: addresses.to_vec(),
            number: cx.generation.saturating_mul(1 << 20).saturating_add(NUMBER),
            time: cx.wall,
            work: bytes::Bytes::new(),
        };
        let record = SignedRecord::sign(record, cx.keypair, cx.network);
        Brain::of(&self.mind).records.insert(cx.keypair.id(), record);
    }

    /// Tells a peer unasked of accomplices.
    pub(super) fn push(&self, to: NodeId, cx: &mut Cx<'_>) {
        let records = self.records(cx);
        if !records.is_empty() {
            cx.attack(to, Class::Peers, Frame::Push(records).encode());
        }
    }

    /// Victims are told of accomplices, and of nobody else.
    pub(super) fn lie(&self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class: Class::Peers, frame } = &effect else { return Some(effect) };
        if !self.intensity.is_some()
            || !cx.is_victim(to)
            || !cx.rng.random_bool(self.intensity.share())
        {
            return Some(effect);
        }
        let records = self.records(cx);
        let lie = match Frame::decode(frame, cx.network) {
            Ok(Frame::Push(_)) => Frame::Push(records).encode(),
            Ok(Frame::Answer(_)) => Frame::Answer(records).encode(),
            Ok(_) | Err(_) => return Some(effect),
        };
        cx.attack(*to, Class::Peers, lie);
        None
    }

    /// Records of accomplices: all, or as many as a list holds, by chance.
    fn records(&self, cx: &mut Cx<'_>) -> Vec<SignedRecord> {
        let mind = Brain::of(&self.mind);
        let all: Vec<&SignedRecord> = mind.records.values().collect();
        let drawn = index::sample(cx.rng, all.len(), all.len().min(RECORDS_MAX));
        drawn.into_iter().filter_map(|at| all.get(at).map(|record| (*record).clone())).collect()
    }
}
