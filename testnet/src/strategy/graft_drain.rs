//! Lets others upload.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Input, MessageId, Time, wire::Frame};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire, craft};

/// Usual time between two rounds of asking.
const PACE: Duration = Duration::from_millis(50);
/// Messages that it keeps asking for.
const MESSAGES_MAX: usize = 256;
/// How often a [`Manner::Frugal`] one asks one peer for one message: what no peer objects to.
const ASKS: u8 = 1;

/// The strategy's entry.
pub const GRAFT_DRAIN: Kind = Kind {
    name: "graft-drain",
    row: 11,
    sentence: "Asks all its peers for every payload that it hears of: without end, or, every other one of \
               them, just as often as each peer puts up with.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let manner = if brief.seat.is_multiple_of(2) { Manner::Greedy } else { Manner::Frugal };
        let (ids, asked) = (VecDeque::new(), BTreeMap::new());
        Box::new(GraftDrain {
            intensity: brief.intensity,
            manner,
            ids,
            known: BTreeSet::new(),
            asked,
        })
    },
};

struct GraftDrain {
    intensity: Intensity,
    manner: Manner,
    /// What it asks for, the oldest first.
    ids: VecDeque<MessageId>,
    known: BTreeSet<MessageId>,
    asked: BTreeMap<(MessageId, NodeId), u8>,
}

/// How much it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Everything, each time.
    Greedy,
    /// Everything, as often as is allowed.
    Frugal,
}

impl GraftDrain {
    fn learn(&mut self, id: MessageId) {
        if !self.known.insert(id) {
            return;
        }
        self.ids.push_back(id);
        if self.ids.len() > MESSAGES_MAX
            && let Some(oldest) = self.ids.pop_front()
        {
            self.known.remove(&oldest);
            self.asked.retain(|(id, _), _| *id != oldest);
        }
    }

    /// What a peer is asked for this time.
    fn wishes(&mut self, of: NodeId) -> Vec<MessageId> {
        let Self { manner, ids, asked, .. } = self;
        let mut allowed = |id: &MessageId| match manner {
            Manner::Greedy => true,
            Manner::Frugal => {
                let asked = asked.entry((*id, of)).or_default();
                *asked = asked.saturating_add(1);
                *asked <= ASKS
            }
        };
        ids.iter().filter(|id| allowed(id)).copied().collect()
    }
}

impl Strategy for GraftDrain {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { from, frame, .. } = &input
            && self.intensity.is_some()
        {
            match Frame::decode(frame, cx.network) {
                Ok(Frame::Publication(message)) => self.learn(message.id()),
                Ok(Frame::Vouch { ids, .. }) => ids.into_iter().for_each(|id| self.learn(id)),
                Ok(Frame::Announce(announce)) => self.learn(announce.id),
                Ok(named @ Frame::ShortVouch { .. }) => craft::inquire(*from, &named, cx),
                Ok(_) | Err(_) => {}
            }
        }
        Some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            let wishes = self.wishes(to);
            if !wishes.is_empty() {
                cx.attack(to, Class::Tree, craft::graft(cx.topic, wishes));
            }
        }
        Some(cx.now + pace)
    }
}
