//! Passes nothing on.

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Effect, Event, wire::Frame};
use rand::RngExt as _;

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, craft};

/// Messages that it passes on first, so that trees grow through it.
pub(crate) const TAKES_PLACE: u64 = 8;

/// The entry of those who say nothing of what they have.
pub const SILENT_DROP: Kind = Kind {
    name: "silent-drop",
    row: 8,
    sentence: "Takes its place in the trees with a few messages and then passes nothing on: neither payloads \
               nor vouches nor proofs.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(SilentDrop::new(brief, Manner::Silent, TAKES_PLACE)),
};

/// The entry of those who say that they have it.
pub const VOUCHING_DROP: Kind = Kind {
    name: "vouching-drop",
    row: 8,
    sentence: "Takes its place in the trees with a few messages and then vouches for everything and passes \
               nothing on, not even to those who ask.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(SilentDrop::new(brief, Manner::Vouching, TAKES_PLACE)),
};

/// As [`SILENT_DROP`], from the moment when the attack begins. For experiments, which choose that moment; so it is
/// not among [`KINDS`](super::KINDS).
pub const FLASH_DROP: Kind = Kind {
    name: "flash-drop",
    sentence: "Behaves until the attack begins, and then passes nothing on: neither payloads nor vouches nor proofs.",
    build: |brief| Box::new(SilentDrop::at_once(brief)),
    ..SILENT_DROP
};

/// As [`VOUCHING_DROP`], from the moment when the attack begins; see [`FLASH_DROP`].
pub const FLASH_VOUCHING_DROP: Kind = Kind {
    name: "flash-vouching-drop",
    sentence: "Behaves until the attack begins, and then vouches for everything and passes nothing on.",
    build: |brief| Box::new(SilentDrop::new(brief, Manner::Vouching, 0)),
    ..VOUCHING_DROP
};

pub(super) struct SilentDrop {
    intensity: Intensity,
    manner: Manner,
    /// Messages that are still passed on.
    credit: u64,
}

/// What victims still hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// That it lives.
    Silent,
    /// What it has.
    Vouching,
}

impl SilentDrop {
    /// A silent one that has its place already.
    pub(super) fn at_once(brief: &Brief) -> Self {
        Self::new(brief, Manner::Silent, 0)
    }

    const fn new(brief: &Brief, manner: Manner, credit: u64) -> Self {
        Self { intensity: brief.intensity, manner, credit }
    }

    /// A payload that is pushed is as good as a vouch; one that is not needs a vouch.
    fn excuse(&self, to: NodeId, class: Class, frame: &Bytes, cx: &mut Cx<'_>) {
        if self.manner == Manner::Vouching
            && class == Class::Payload
            && let Ok(Frame::Publication(message)) = Frame::decode(frame, cx.network)
        {
            let vouch = craft::vouch(message.header().slot.topic, [message.id()]);
            cx.attack(to, Class::Vouch, vouch);
        }
    }

    /// Whether a frame of this class is one that it keeps to itself.
    fn keeps(&self, class: Class, frame: &Bytes, cx: &Cx<'_>) -> bool {
        match class {
            Class::Payload | Class::Requested | Class::Haul => true,
            Class::Vouch => self.manner == Manner::Silent,
            Class::Evidence => matches!(Frame::decode(frame, cx.network), Ok(Frame::Proof(_))),
            Class::Tree | Class::Peers | Class::Members | Class::Sync => false,
        }
    }
}

impl Strategy for SilentDrop {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if !self.intensity.is_some() {
            return Some(effect);
        }
        if let Effect::Event(Event::Relayed { .. }) = &effect {
            self.credit = self.credit.saturating_sub(1);
        } else if let Effect::Send { to, class, frame } = &effect
            && self.credit == 0
            && cx.is_victim(to)
            && self.keeps(*class, frame, cx)
            && cx.rng.random_bool(self.intensity.share())
        {
            cx.withheld(*to);
            self.excuse(*to, *class, frame, cx);
            return None;
        }
        Some(effect)
    }
}
