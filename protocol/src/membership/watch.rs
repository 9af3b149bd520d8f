//! Whom this node observes, and how each stands.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use super::phi::Phi;
use crate::time::Time;

/// How far the observation of one subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It answered; the next probe is due then.
    Resting,
    /// It was probed, or is being dialled for it; late then.
    Waiting,
    /// Others were asked to try; doubtful then.
    Asking,
}

/// One subject.
#[derive(Debug)]
pub(super) struct Edge {
    /// On which ring.
    pub(super) ring: u8,
    pub(super) stage: Stage,
    /// When something is due.
    pub(super) at: Time,
    /// The question that is open.
    pub(super) nonce: u64,
    /// When it was sent over a link of our own, if it was.
    pub(super) sent: Option<Time>,
    /// When helpers were asked.
    pub(super) asked_at: Time,
    /// Helpers that were asked, and that have not reached it.
    pub(super) asked: usize,
    pub(super) failed: usize,
    /// When this node accused it last, and it has not answered since.
    pub(super) accused: Option<Time>,
    /// Whether it has answered since it was last doubtful.
    pub(super) answers: bool,
    pub(super) phi: Phi,
}

impl Edge {
    pub(super) fn new(ring: u8, at: Time) -> Self {
        Self {
            ring,
            stage: Stage::Resting,
            at,
            nonce: 0,
            sent: None,
            asked_at: Time::ZERO,
            asked: 0,
            failed: 0,
            accused: None,
            answers: true,
            phi: Phi::default(),
        }
    }

    /// Nothing is open any more; the next probe is due then.
    pub(super) const fn rest(&mut self, until: Time) {
        self.stage = Stage::Resting;
        self.at = until;
        self.sent = None;
    }
}

/// All subjects.
#[derive(Debug, Default)]
pub(super) struct Watch {
    pub(super) edges: BTreeMap<NodeId, Edge>,
}

impl Watch {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.edges.values().map(|edge| edge.at).min()
    }

    pub(super) fn due(&self, now: Time) -> Vec<NodeId> {
        self.edges.iter().filter(|(_, edge)| edge.at <= now).map(|(id, _)| *id).collect()
    }

    /// Whether most of the silence could be our own: of several subjects, fewer than a quarter answer.
    pub(super) fn is_deaf(&self) -> bool {
        let answering = self.edges.values().filter(|edge| edge.answers).count();
        self.edges.len() >= 4 && answering * 4 < self.edges.len()
    }
}
