//! Keeps one author quiet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Effect, Input, MessageId, Publication, VouchKey, wire::Frame};
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
        let (ids, keys) = (BTreeSet::new(), BTreeMap::new());
        Box::new(Censor { intensity: brief.intensity, mind: brief.mind(), ids, keys })
    },
};

struct Censor {
    intensity: Intensity,
    mind: Arc<Mutex<Brain>>,
    /// Messages that nobody is to hear of.
    ids: BTreeSet<MessageId>,
    /// Under which it names messages to each peer.
    keys: BTreeMap<NodeId, VouchKey>,
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
    fn redact(&self, to: &NodeId, frame: Bytes, cx: &Cx<'_>) -> Option<Bytes> {
        match Frame::decode(&frame, cx.network) {
            Ok(Frame::Publication(message)) => {
                (!self.is_censored(&message.header().slot.author, cx)).then_some(frame)
            }
            Ok(Frame::Vouch { topic, ids }) if ids.iter().any(|id| self.ids.contains(id)) => {
                let rest: Vec<_> = ids.into_iter().filter(|id| !self.ids.contains(id)).collect();
                (!rest.is_empty()).then(|| craft::vouch(topic, rest))
            }
            Ok(Frame::ShortVouch { names }) => {
                let key = self.keys.get(to);
                let censored: BTreeSet<_> = key
                    .into_iter()
                    .flat_map(|key| self.ids.iter().map(|id| key.name(id)))
                    .collect();
                let rest: Vec<_> =
                    names.iter().filter(|name| !censored.contains(name)).copied().collect();
                if rest.len() == names.len() {
                    return Some(frame);
                }
                (!rest.is_empty()).then(|| Frame::ShortVouch { names: rest }.encode())
            }
            Ok(Frame::Announce(announce)) => (!self.ids.contains(&announce.id)).then_some(frame),
            Ok(_) | Err(_) => Some(frame),
        }
    }
}

impl Strategy for Censor {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { from, frame, .. } = &input {
            match Frame::decode(frame, cx.network) {
                Ok(Frame::Publication(message)) if self.intensity.is_some() => {
                    self.note(&message, cx);
                }
                Ok(Frame::Hello(hello)) => drop(self.keys.insert(*from, hello.vouch_key)),
                Ok(_) | Err(_) => {}
            }
        }
        Some(input)
    }

    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        let Effect::Send { to, class, frame } = effect else { return Some(effect) };
        if self.ids.is_empty() || !cx.is_honest(&to) || !cx.rng.random_bool(self.intensity.share())
        {
            return Some(Effect::Send { to, class, frame });
        }
        let left = self.redact(&to, frame.clone(), cx);
        if left.as_ref() != Some(&frame) {
            cx.withheld(to);
        }
        left.map(|frame| Effect::Send { to, class, frame })
    }
}
