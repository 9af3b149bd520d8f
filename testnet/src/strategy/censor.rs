//! Keeps one author quiet.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Effect, Input, Lane, MessageId, Publication, wire::Frame};
use rand::RngExt as _;

use super::{Brain, Cx, Intensity, Kind, Onset, Strategy, Wire, craft};

/// Ids of the censored that are remembered; more than live at a time in any test.
const IDS_MAX: usize = 1 << 16;

/// The strategy's entry.
pub const CENSOR: Kind = Kind {
    name: "censor",
    row: 9,
    sentence: "Passes on and vouches for everything but the messages of one author: a target, or the first \
               honest author that is heard of.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        Box::new(Censor { intensity: brief.intensity, mind: brief.mind(), ids: BTreeSet::new() })
    },
};

struct Censor {
    intensity: Intensity,
    mind: Arc<Mutex<Brain>>,
    /// Messages that nobody is to hear of.
    ids: BTreeSet<MessageId>,
}

impl Censor {
    fn is_censored(&self, author: &NodeId, cx: &Cx<'_>) -> bool {
        if !cx.targets.is_empty() {
            return cx.targets.contains(author);
        }
        if !cx.is_honest(author) {
            return false;
        }
        Brain::of(&self.mind).censored.get_or_insert(*author) == author
    }

    fn note(&mut self, message: &Publication, cx: &Cx<'_>) {
        if self.is_censored(&message.header().slot.author, cx) {
            if self.ids.len() >= IDS_MAX {
                self.ids.pop_first();
            }
            self.ids.insert(message.id());
        }
    }

    /// What is left to send of a frame that the core would send.
    fn redact(&self, frame: Bytes, cx: &Cx<'_>) -> Option<Bytes> {
        match Frame::decode(&frame, cx.network) {
            Ok(Frame::Publication(message)) => {
                (!self.is_censored(&message.header().slot.author, cx)).then_some(frame)
            }
            Ok(Frame::Vouch { topic, ids }) if ids.iter().any(|id| self.ids.contains(id)) => {
                let rest: Vec<_> = ids.into_iter().filter(|id| !self.ids.contains(id)).collect();
                (!rest.is_empty()).then(|| craft::vouch(topic, rest))
            }
            Ok(
                Frame::Vouch { .. }
                | Frame::Hello(_)
                | Frame::Graft { .. }
                | Frame::Adopt { .. }
                | Frame::Prune { .. }
                | Frame::Proof(_)
                | Frame::Pull
                | Frame::Answer(_)
                | Frame::Push(_),
            )
            | Err(_) => Some(frame),
        }
    }
}

impl Strategy for Censor {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Data, frame, .. } = &input
            && self.intensity.is_some()
            && let Ok(Frame::Publication(message)) = Frame::decode(frame, cx.network)
        {
            self.note(&message, cx);
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class, frame } = effect else { return Some(effect) };
        if self.ids.is_empty() || !cx.is_honest(&to) || !cx.rng.random_bool(self.intensity.share())
        {
            return Some(Effect::Send { to, class, frame });
        }
        let left = self.redact(frame.clone(), cx);
        if left.as_ref() != Some(&frame) {
            cx.withheld(to);
        }
        left.map(|frame| Effect::Send { to, class, frame })
    }
}
