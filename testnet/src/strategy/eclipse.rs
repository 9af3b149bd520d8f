//! Surrounds a victim.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, Effect, Time, wire::Frame};

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, craft, pack::Pack, siege::Siege};

/// Usual time between two attempts to join, and between two lists of a flooder.
const PACE: Duration = Duration::from_secs(1);
/// Of so many attempts, one comes with a list from those who do not flood: as often as an honest node's rounds.
const TURNS_PER_LIST: u64 = 10;
/// Ids of no message that a flooder vouches for each time.
const IDS: usize = 256;

/// The strategy's entry.
pub const ECLIPSE: Kind = Kind {
    name: "eclipse",
    row: 13,
    sentence: "Joins its victims unasked and comes back when sent away, tells them of accomplices alone, \
               passes nothing on to them, and floods them with lists and vouches if its seat is odd.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Eclipse::new(brief)),
};

pub(super) struct Eclipse {
    intensity: Intensity,
    pack: Pack,
    siege: Siege,
    floods: bool,
    turn: u64,
}

impl Eclipse {
    pub(super) fn new(brief: &Brief) -> Self {
        Self {
            intensity: brief.intensity,
            pack: Pack::of(brief),
            siege: Siege::default(),
            floods: brief.seat % 2 == 1,
            turn: 0,
        }
    }

    fn tell(&self, victim: NodeId, cx: &mut Cx<'_>) {
        if self.floods {
            let vouch = craft::vouch(cx.topic, craft::phantoms(IDS, cx));
            cx.attack(victim, Class::Vouch, vouch);
            self.pack.push(victim, cx);
        } else if self.turn.is_multiple_of(TURNS_PER_LIST) {
            self.pack.push(victim, cx);
        }
    }
}

impl Strategy for Eclipse {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if !self.intensity.is_some() {
            return Some(effect);
        }
        self.siege.note(&effect, cx);
        let effect = self.pack.lie(effect, cx)?;
        if let Effect::Send { to, class, frame } = &effect
            && cx.is_victim(to)
            && is_gossip(*class, frame, cx)
        {
            cx.withheld(*to);
            return None;
        }
        Some(effect)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        self.pack.enlist(cx);
        self.siege.press(cx.known_victims(), cx);
        cx.victims().into_iter().for_each(|victim| self.tell(victim, cx));
        self.turn = self.turn.wrapping_add(1);
        Some(cx.now + pace)
    }
}

/// Whether a frame would tell its receiver of a message.
fn is_gossip(class: Class, frame: &bytes::Bytes, cx: &Cx<'_>) -> bool {
    match class {
        Class::Payload | Class::Requested | Class::Vouch | Class::Haul => true,
        Class::Evidence => matches!(Frame::decode(frame, cx.network), Ok(Frame::Proof(_))),
        Class::Tree | Class::Peers | Class::Members | Class::Sync => false,
    }
}
