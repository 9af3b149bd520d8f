//! Comparisons of a set that every node keeps, and keeps whole: members' records, and proofs.
//!
//! Who compares with whom, and what follows from a difference, is up to whose set it is. There are no bounds in time, and nobody is
//! blamed for what it lacks: what each lacks, it asks for, and the other is sent.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use super::{
    Bounds, Index,
    numbering::Numbering,
    reconcile::{Difference, Limits, NONCE_BYTES, Opener, Question, Reply, Step, answer},
};
use crate::{Class, Effect, machine::Cx, time::Time, wire::Frame};

/// Comparisons of one set at a time.
pub(crate) const OPEN_MAX: usize = 8;
/// A reply may take so long, and a comparison as a whole.
const REPLY_TIME: Duration = Duration::from_secs(30);
const COMPARISON_TIME: Duration = Duration::from_secs(60);

/// A set that every node keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Members' records, by their digests.
    Members,
    /// Proofs, by whom they expose.
    Proofs,
}

impl Set {
    /// What it is called on the wire.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Members => 0,
            Self::Proofs => 1,
        }
    }

    pub(crate) const fn numbered(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Members),
            1 => Some(Self::Proofs),
            _ => None,
        }
    }
}

/// Comparisons of one set, at most one at a time with each peer.
#[derive(Debug)]
pub(crate) struct Sessions {
    set: Set,
    open: BTreeMap<NodeId, Session>,
    count: u32,
}

#[derive(Debug)]
struct Session {
    opener: Opener,
    numbering: Numbering,
    since: Time,
    /// When something was asked last.
    asked: Time,
}

impl Sessions {
    pub(crate) const fn new(set: Set) -> Self {
        Self { set, open: BTreeMap::new(), count: 0 }
    }

    /// Begins a comparison with a peer, unless one is under way or there are too many.
    pub(crate) fn open(&mut self, peer: NodeId, index: &Index, cx: &mut Cx<'_>) {
        self.open.retain(|_, session| {
            session.asked + REPLY_TIME > cx.now && session.since + COMPARISON_TIME > cx.now
        });
        if self.open.contains_key(&peer) || self.open.len() >= OPEN_MAX {
            return;
        }
        let mut nonce = [0; NONCE_BYTES];
        cx.rng.fill_bytes(&mut nonce);
        let (opener, question) = Opener::open(index, Bounds::ALL, Limits::default(), nonce);
        self.count = self.count.wrapping_add(1);
        let numbering = Numbering::of(self.count);
        self.open.insert(peer, Session { opener, numbering, since: cx.now, asked: cx.now });
        self.ask(peer, numbering, [question], cx);
    }

    /// A peer replies. What differs, when all is known.
    pub(crate) fn hear(
        &mut self,
        from: NodeId,
        mut reply: Reply,
        index: &Index,
        cx: &mut Cx<'_>,
    ) -> Option<Difference> {
        // It may be about an earlier comparison, and too late.
        let session = self.open.get_mut(&from)?;
        reply.number = session.numbering.inner(reply.number)?;
        session.asked = cx.now;
        let numbering = session.numbering;
        match session.opener.hear(&reply, index) {
            Step::Ask(questions) => {
                self.ask(from, numbering, questions, cx);
                None
            }
            Step::Done(difference) => {
                self.open.remove(&from);
                Some(difference)
            }
            Step::Failed(failure) => {
                self.open.remove(&from);
                failure.fault().into_iter().for_each(|fault| cx.fault(from, fault));
                None
            }
        }
    }

    /// A peer asks.
    pub(crate) fn answer(&self, from: NodeId, index: &Index, question: &Question, cx: &mut Cx<'_>) {
        let reply = answer(index, Bounds::ALL, question);
        self.send(from, &Frame::Reconciled { set: self.set, reply }, cx);
    }

    /// A peer is gone.
    pub(crate) fn forget(&mut self, peer: &NodeId) {
        self.open.remove(peer);
    }

    /// Comparisons that are under way, or were and have not ended.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    fn ask(
        &self,
        peer: NodeId,
        numbering: Numbering,
        questions: impl IntoIterator<Item = Question>,
        cx: &mut Cx<'_>,
    ) {
        for mut question in questions {
            question.number = numbering.outer(question.number);
            self.send(peer, &Frame::Reconcile { set: self.set, question }, cx);
        }
    }

    fn send(&self, to: NodeId, frame: &Frame, cx: &mut Cx<'_>) {
        let class = match self.set {
            Set::Members => Class::Members,
            // Behind all that is more urgent.
            Set::Proofs => Class::Peers,
        };
        cx.order(Effect::Send { to, class, frame: frame.encode() });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::time::Timestamp;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    /// Whether a comparison with a peer begins.
    fn begins(sessions: &mut Sessions, peer: NodeId, seconds: u64) -> bool {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut effects, mut signals) = (VecDeque::new(), VecDeque::new());
        let mut cx = Cx {
            now: Time::from_duration(Duration::from_secs(seconds)),
            wall: Timestamp::default(),
            rng: &mut rng,
            effects: &mut effects,
            signals: &mut signals,
        };
        sessions.open(peer, &Index::new(), &mut cx);
        !effects.is_empty()
    }

    #[test]
    fn those_who_drip_are_waited_for_only_so_long() {
        let mut sessions = Sessions::new(Set::Proofs);
        assert!((0..8).all(|tag| begins(&mut sessions, peer(tag), 0)));
        for seconds in [20, 40, 59] {
            for session in sessions.open.values_mut() {
                session.asked = Time::from_duration(Duration::from_secs(seconds));
            }
            assert!(!begins(&mut sessions, peer(9), seconds), "there are too many");
        }
        assert!(begins(&mut sessions, peer(9), 60));
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn who_says_nothing_is_waited_for_half_as_long() {
        let mut sessions = Sessions::new(Set::Members);
        assert!(begins(&mut sessions, peer(1), 0));
        assert!(!begins(&mut sessions, peer(1), 29), "one at a time");
        assert!(begins(&mut sessions, peer(1), 30));
    }
}
