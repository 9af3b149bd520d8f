//! Proofs, replicated: whoever missed one when it was spread finds out when it compares with a neighbour whom both hold exposed.

use core::time::Duration;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use super::{Core, Lent};
use crate::{
    Class, Effect,
    budget::{BUDGETS_MAX, Budgets},
    defences::Safeguard,
    machine::{Cx, below},
    sync::{
        Item, OPEN_MAX, Sessions, Set,
        reconcile::{Question, Reply},
    },
    time::Time,
    wire::{Frame, PROOFS_MAX},
};

/// A neighbour is asked so often, and sooner again while something differs.
const EVERY: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(10);
/// Proofs that are asked for, or sent, after one comparison: about as many as whoever gets them checks until the next.
const AT_ONCE: usize = 128;
/// Questions that one peer is answered at once, and how soon one more.
const QUESTIONS_BURST: u32 = 32;
const QUESTIONS_EVERY: Duration = Duration::from_secs(1);
/// Proofs that one peer is shown at once, and how soon one more.
const SHOWN_BURST: u32 = 512;
const SHOWN_EVERY: Duration = Duration::from_millis(100);

/// When proofs are compared, and what that may cost.
#[derive(Debug)]
pub(super) struct Evidence {
    sessions: Sessions,
    due: Option<Time>,
    questions: Budgets<NodeId>,
    shown: Budgets<NodeId>,
}

impl Evidence {
    pub(super) const fn new() -> Self {
        Self {
            sessions: Sessions::new(Set::Proofs),
            due: None,
            questions: Budgets::new(QUESTIONS_BURST, QUESTIONS_EVERY),
            shown: Budgets::new(SHOWN_BURST, SHOWN_EVERY),
        }
    }

    pub(super) const fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// Somebody has joined.
    pub(super) fn meet(&mut self, now: Time) {
        self.due.get_or_insert(now + EVERY);
    }

    /// Somebody is gone.
    pub(super) fn part(&mut self, peer: &NodeId) {
        self.sessions.forget(peer);
    }

    /// Comparisons that are under way, and budgets that are remembered.
    pub(super) fn usage(&self) -> [(usize, usize); 2] {
        let budgets = self.questions.len().max(self.shown.len());
        [(self.sessions.len(), OPEN_MAX), (budgets, BUDGETS_MAX)]
    }
}

impl Core {
    /// Compares with some neighbour whom both hold exposed, if it is time.
    pub(super) fn compare_proofs(&mut self) {
        if self.evidence.due.is_none_or(|due| self.now < due) {
            return;
        }
        let peers: Vec<NodeId> = self.links.joined().map(|(peer, _)| peer).collect();
        if peers.is_empty() || !self.defences.has(Safeguard::Proofs) {
            self.evidence.due = None;
            return;
        }
        let late = EVERY.mul_f64(0.75 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 2.0);
        self.evidence.due = Some(self.now + late);
        self.with_evidence(|evidence, exposed, cx| {
            let chosen = peers.get(below(cx.rng, peers.len()));
            chosen.into_iter().for_each(|peer| evidence.sessions.open(*peer, exposed, cx));
        });
    }

    /// A peer asks whom we hold exposed.
    pub(super) fn asked_of_proofs(&mut self, from: NodeId, question: &Question) {
        self.with_evidence(|evidence, exposed, cx| {
            if evidence.questions.take(from, 1, cx.now) > 0 {
                evidence.sessions.answer(from, exposed, question, cx);
            }
        });
    }

    /// A peer says whom it holds exposed. When it is known where we differ, it is sent what it lacks, and asked for what we lack.
    pub(super) fn told_of_proofs(&mut self, from: NodeId, reply: Reply) {
        let heard = self.with_evidence(|evidence, exposed, cx| {
            evidence.sessions.hear(from, reply, exposed, cx)
        });
        let Some(difference) = heard else { return };
        let author = |item: &Item| NodeId::from_bytes(*item.id());
        // From a random one on: there may be more than go at once, and ids can be ground.
        let mut some = |items: &[Item]| -> Vec<NodeId> {
            let first = below(&mut self.rng, items.len());
            items.iter().cycle().skip(first).take(AT_ONCE.min(items.len())).map(author).collect()
        };
        let (mut wanted, lacking) = (some(&difference.theirs), some(&difference.ours));
        wanted.retain(|author| !self.ledger.exposed(author) && *author != from);
        if !wanted.is_empty() {
            let frame = Frame::WantProofs { authors: wanted }.encode();
            self.effects.push_back(Effect::Send { to: from, class: Class::Peers, frame });
            let soon = self.now + SOON;
            self.evidence.due = self.evidence.due.map(|due| due.min(soon));
        }
        self.show_proofs(from, &lacking);
    }

    /// A peer is shown what exposes these, as far as it may be.
    pub(super) fn show_proofs(&mut self, to: NodeId, authors: &[NodeId]) {
        let wanted = authors.len().min(PROOFS_MAX);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let granted = self.evidence.shown.take(to, wanted, self.now);
        let granted = usize::try_from(granted).unwrap_or(usize::MAX);
        let proofs = authors.iter().filter_map(|author| self.ledger.proof(author)).take(granted);
        let frames = proofs.map(|proof| Frame::Proof((**proof).clone()).encode());
        let send = |frame| Effect::Send { to, class: Class::Evidence, frame };
        self.effects.extend(frames.map(send));
    }

    fn with_evidence<T>(
        &mut self,
        act: impl FnOnce(&mut Evidence, &crate::sync::Index, &mut Cx<'_>) -> T,
    ) -> T {
        let Lent { mut cx, evidence, ledger, .. } = self.lend();
        act(evidence, ledger.exposures(), &mut cx)
    }
}
