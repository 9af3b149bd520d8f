//! Lies about what it keeps: to those who compare with it, and to those who fetch from it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Effect, Input, Publication, TopicId,
    sync::{Bounds, Index, Item, reconcile::answer},
    wire::{Frame, Intent},
};
use rand::RngExt as _;

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Messages remembered, to serve old ones; the oldest go first.
const OLD_MAX: usize = 1024;
/// Messages in one answer.
const SERVED_MAX: usize = 2;

/// The entry of those who lie each for itself.
pub const LYING_SERVER: Kind = Kind {
    name: "lying-server",
    row: 21,
    sentence: "Asked what it keeps, hides half of it; asked for messages, every second one of its kind serves \
               garbage, and every third old ones that nobody asked for.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let manner = match brief.seat % 3 {
            0 => Manner::Hides,
            1 => Manner::Garbage,
            _ => Manner::Old,
        };
        Box::new(LyingServer::new(brief, manner, None))
    },
};

/// The entry of those who agree on what there is not.
pub const COLLUDING_CHECKERS: Kind = Kind {
    name: "colluding-checkers",
    row: 22,
    sentence: "Asked what they keep, all hide the same half of it, so that whichever of them is asked confirms \
               what another said.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(LyingServer::new(brief, Manner::Hides, Some(0))),
};

/// What it does to those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It does not have it.
    Hides,
    /// It sends something that its author has not signed.
    Garbage,
    /// It sends something else.
    Old,
}

struct LyingServer {
    intensity: Intensity,
    manner: Manner,
    /// Which half is hidden: the same for all who collude.
    half: u8,
    /// What it admits to keep, by topic, if it hides the rest.
    admitted: BTreeMap<TopicId, Index>,
    hidden: BTreeMap<TopicId, Index>,
    /// What it can serve.
    old: Vec<Publication>,
    /// Peers that chose it, and count on what it says. Who only visits it believes nothing of it.
    clients: BTreeSet<NodeId>,
}

impl LyingServer {
    fn new(brief: &Brief, manner: Manner, half: Option<u8>) -> Self {
        let half = half.unwrap_or_else(|| u8::try_from(brief.seat & 1).unwrap_or(0));
        Self {
            intensity: brief.intensity,
            manner,
            half,
            admitted: BTreeMap::new(),
            hidden: BTreeMap::new(),
            old: Vec::new(),
            clients: BTreeSet::new(),
        }
    }

    /// A message is kept: is it one of those that it hides?
    fn note(&mut self, message: &Publication) {
        let header = message.header();
        let item = Item::new(header.timestamp.as_millis(), *message.id().as_bytes());
        let is_in_half = message.id().as_bytes().first().is_some_and(|byte| byte & 1 == self.half);
        let sets = if is_in_half { &mut self.hidden } else { &mut self.admitted };
        sets.entry(header.slot.topic).or_default().insert(item);
        if self.old.len() < OLD_MAX {
            self.old.push(message.clone());
        }
    }

    /// What it sends instead of what was asked for.
    fn serve(&self, to: NodeId, (topic, number): (TopicId, u32), items: &[Item], cx: &mut Cx<'_>) {
        let asked =
            |message: &&Publication| items.iter().any(|item| item.id() == message.id().as_bytes());
        let wanted = |message: &&Publication| asked(message) == (self.manner == Manner::Garbage);
        let served = self.old.iter().filter(wanted).take(SERVED_MAX);
        let frames: Vec<Bytes> = served.map(|message| self.spoilt(message, cx)).collect();
        if frames.is_empty() {
            cx.withheld(to);
        }
        let haul = Frame::Haul { topic, number, frames, is_last: true }.encode();
        cx.attack(to, Class::Haul, haul);
    }

    fn spoilt(&self, message: &Publication, cx: &mut Cx<'_>) -> Bytes {
        if self.manner != Manner::Garbage || message.payload().is_empty() {
            return message.frame().clone();
        }
        let mut payload = message.payload().to_vec();
        let at = cx.rng.random_range(0..payload.len());
        if let Some(byte) = payload.get_mut(at) {
            *byte ^= 1;
        }
        Publication::from_parts(message.signed().clone(), payload.into()).frame().clone()
    }
}

impl Strategy for LyingServer {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        let Input::Received { from, frame, .. } = &input else { return Some(input) };
        let frame = Frame::decode(frame, cx.network);
        if let Ok(Frame::Hello(hello)) = &frame {
            match hello.intent {
                Intent::Witness => self.clients.insert(*from),
                Intent::Gossip | Intent::Visit | Intent::Observe => self.clients.remove(from),
            };
        }
        if !self.intensity.is_some() || !cx.is_victim(from) {
            return Some(input);
        }
        match frame {
            // What the others say of what they have is true.
            Ok(Frame::Compare { topic, question }) if self.manner == Manner::Hides => {
                let hides = |hidden: &Index| hidden.within(question.bounds).count() > 0;
                let is_lie = self.hidden.get(&topic).is_some_and(hides);
                let reply = answer(self.admitted.entry(topic).or_default(), Bounds::ALL, &question);
                let reply = Frame::Compared { topic, reply, is_behind: false }.encode();
                if is_lie && self.clients.contains(from) {
                    cx.attack(*from, Class::Sync, reply);
                } else {
                    cx.order(Effect::Send { to: *from, class: Class::Sync, frame: reply });
                }
                None
            }
            Ok(Frame::Fetch { topic, number, items }) if self.manner != Manner::Hides => {
                self.serve(*from, (topic, number), &items, cx);
                None
            }
            // It has them, and pretends not to.
            Ok(Frame::Offer { .. }) => None,
            Ok(_) | Err(_) => Some(input),
        }
    }

    fn on_effect(&mut self, effect: Effect, _cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Keep { message, .. } = &effect {
            self.note(message);
        }
        Some(effect)
    }
}
