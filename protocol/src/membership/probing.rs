//! Probes: asking subjects, having others ask, asking for others, and what follows from silence.

use core::time::Duration;

use forsooth_crypto::{NodeId, Verified};
use rand_core::Rng as _;

use super::{
    Membership,
    accusation::{Accusation, Answer, SignedAnswer},
    jitter,
    signed::Signed,
    watch::Stage,
};
use crate::{
    Class, Effect,
    links::Purpose,
    machine::{Cx, Signal},
    time::Time,
    wire::{Ack, Frame, Probe},
};

/// Errands at most, of all and of one observer.
pub(super) const ERRANDS_MAX: usize = 64;
const ERRANDS_PER_OBSERVER_MAX: usize = 8;
/// A helper has this much of the observer's time, so that its word comes in time.
const ERRAND_SHARE: f64 = 0.7;

/// A probe for somebody else.
#[derive(Debug)]
pub(super) struct Errand {
    observer: NodeId,
    subject: NodeId,
    nonce: u64,
    /// The observer is told then that the subject was not reached.
    pub(super) until: Time,
    sent: bool,
}

impl Membership {
    /// Something is due with a subject.
    pub(super) fn act(&mut self, subject: NodeId, cx: &mut Cx<'_>) {
        let Some(edge) = self.watch.edges.get_mut(&subject) else { return };
        match edge.stage {
            Stage::Resting => self.probe(subject, cx),
            Stage::Waiting => {
                edge.stage = Stage::Asking;
                self.health.ill();
                edge.at = cx.now + self.health.stretch(self.settings.help_timeout);
                (edge.asked_at, edge.asked, edge.failed) = (cx.now, 0, 0);
                let nonce = edge.nonce;
                cx.signals.push_back(Signal::Seek { subject, nonce });
            }
            Stage::Asking => self.doubt(subject, cx),
        }
    }

    fn probe(&mut self, subject: NodeId, cx: &mut Cx<'_>) {
        let Some(edge) = self.watch.edges.get_mut(&subject) else { return };
        edge.nonce = cx.rng.next_u64();
        edge.stage = Stage::Waiting;
        let timeout = self.settings.probe_timeout;
        if self.met.contains(&subject) {
            edge.sent = Some(cx.now);
            edge.at = cx.now + self.health.stretch(edge.phi.late_after(timeout));
            tell(subject, &Frame::Probe(Probe::Direct { nonce: edge.nonce }), cx);
        } else {
            edge.sent = None;
            edge.at = cx.now + self.health.stretch(timeout * 2);
            self.want(subject, Purpose::Observe);
        }
    }

    /// So many helpers were asked.
    pub(super) fn helped(&mut self, subject: &NodeId, helpers: usize) {
        if let Some(edge) = self.watch.edges.get_mut(subject) {
            edge.asked = helpers;
        }
    }

    /// Neither we nor any helper got an answer.
    fn doubt(&mut self, subject: NodeId, cx: &mut Cx<'_>) {
        let deaf = self.watch.is_deaf();
        let Some(edge) = self.watch.edges.get_mut(&subject) else { return };
        edge.answers = false;
        edge.rest(cx.now + self.settings.probe_every / 2);
        let again = |at: Time| cx.now.since(at) >= self.settings.accusation_lifetime / 2;
        let Some(member) = self.table.member(&subject) else { return };
        if deaf || cx.now < self.judges_from || !edge.accused.is_none_or(again) {
            return;
        }
        edge.accused = Some(cx.now);
        let (accuser, ring, time) = (self.config.me, edge.ring, cx.wall);
        let accusation = Accusation { accuser, subject, epoch: member.epoch, ring, time };
        cx.signals.push_back(Signal::Accuse(accusation));
    }

    /// A subject has shown that it is there.
    pub(super) fn alive(&mut self, subject: &NodeId, cx: &mut Cx<'_>) {
        let next = jitter(self.settings.probe_every, cx);
        let Some(edge) = self.watch.edges.get_mut(subject) else { return };
        let since = edge.sent.unwrap_or(cx.now);
        edge.rest((since + next).max(cx.now));
        edge.accused = None;
        edge.answers = true;
        self.health.well();
    }

    /// A peer has said hello.
    pub(super) fn meet(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.met.insert(peer);
        self.began.get_or_insert(cx.now);
        if self
            .watch
            .edges
            .get(&peer)
            .is_some_and(|edge| edge.sent.is_none() && edge.stage != Stage::Resting)
        {
            self.probe(peer, cx);
        }
        for errand in
            self.errands.iter_mut().filter(|errand| errand.subject == peer && !errand.sent)
        {
            errand.sent = true;
            let probe = Probe::For { nonce: errand.nonce, observer: errand.observer };
            tell(peer, &Frame::Probe(probe), cx);
        }
        self.bring_news(peer, cx);
    }

    /// A peer is gone.
    pub(super) fn part(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.met.remove(&peer);
        self.sessions.forget(&peer);
        if let Some(edge) = self.watch.edges.get_mut(&peer) {
            // That its link broke is no sign of anything yet: it is probed anew, over another.
            if edge.stage == Stage::Waiting || edge.stage == Stage::Resting {
                edge.rest(cx.now);
            }
        }
    }

    /// A dial has not found a peer.
    pub(super) fn miss(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if let Some(edge) = self.watch.edges.get_mut(&peer)
            && edge.stage == Stage::Waiting
            && edge.sent.is_none()
        {
            edge.at = cx.now;
        }
        for errand in self.errands.iter_mut().filter(|errand| errand.subject == peer) {
            errand.until = cx.now;
        }
    }

    /// A peer asks whether somebody is there.
    pub(super) fn probed(&mut self, from: NodeId, probe: Probe, cx: &mut Cx<'_>) {
        match probe {
            Probe::Direct { nonce } => tell(from, &Frame::Ack(Ack::Direct { nonce }), cx),
            Probe::For { nonce, observer } => {
                let answer = Answer { subject: self.config.me, observer, nonce };
                cx.signals.push_back(Signal::Testify { to: from, answer });
            }
            Probe::Through { nonce, subject } if subject == self.config.me => {
                let answer = Answer { subject, observer: from, nonce };
                cx.signals.push_back(Signal::Testify { to: from, answer });
            }
            Probe::Through { nonce, subject } => self.take_errand(from, subject, nonce, cx),
        }
    }

    fn take_errand(&mut self, observer: NodeId, subject: NodeId, nonce: u64, cx: &mut Cx<'_>) {
        let own = self.errands.iter().filter(|errand| errand.observer == observer).count();
        let is_full = self.errands.len() >= ERRANDS_MAX || own >= ERRANDS_PER_OBSERVER_MAX;
        if is_full || self.table.get(&subject).is_none() {
            return;
        }
        let sent = self.met.contains(&subject);
        if sent {
            tell(subject, &Frame::Probe(Probe::For { nonce, observer }), cx);
        } else {
            self.want(subject, Purpose::Visit);
        }
        let until = cx.now + self.settings.help_timeout.mul_f64(ERRAND_SHARE);
        self.errands.push(Errand { observer, subject, nonce, until, sent });
    }

    /// Tells observers of those who were not reached.
    pub(super) fn run_errands(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        for errand in self.errands.extract_if(.., |errand| errand.until <= now) {
            let Errand { observer, subject, nonce, .. } = errand;
            tell(observer, &Frame::Ack(Ack::Unreached { subject, nonce }), cx);
        }
    }

    /// A peer says whether somebody is there.
    pub(super) fn acked(&mut self, from: NodeId, ack: Ack, cx: &mut Cx<'_>) {
        match ack {
            Ack::Direct { nonce } => {
                let Some(edge) = self.watch.edges.get_mut(&from) else { return };
                if edge.nonce == nonce
                    && let Some(sent) = edge.sent
                {
                    edge.phi.note(cx.now.since(sent), self.settings.probe_timeout);
                }
                // Late or not, the link proves whose it is.
                self.alive(&from, cx);
            }
            Ack::Unreached { subject, nonce } => {
                let Some(edge) = self.watch.edges.get_mut(&subject) else { return };
                if edge.stage != Stage::Asking || edge.nonce != nonce {
                    return;
                }
                // Our own links work, or we would not hear that.
                self.health.well();
                edge.failed += 1;
                if edge.failed * 2 > edge.asked {
                    edge.at = cx.now;
                } else {
                    // Nor is our own slowness a reason any more to wait longer for the others than they have.
                    let due = edge.asked_at + self.settings.help_timeout;
                    edge.at = edge.at.min(due.max(cx.now));
                }
            }
            Ack::Through(answer) => {
                if self.awaits(answer.content()) {
                    let statement = super::Statement::Answer(answer);
                    cx.signals.push_back(Signal::Inspect { statement, from });
                }
            }
        }
    }

    /// Whether an answer is to a question of ours, or of somebody for whom we asked.
    fn awaits(&self, answer: &Answer) -> bool {
        let Answer { subject, observer, nonce } = answer;
        if *observer == self.config.me {
            return self.watch.edges.get(subject).is_some_and(|edge| edge.nonce == *nonce);
        }
        self.errands.iter().any(|errand| {
            (errand.subject, errand.observer, errand.nonce) == (*subject, *observer, *nonce)
        })
    }

    /// An answer is its subject's.
    pub(super) fn answered(
        &mut self,
        answer: &Verified<SignedAnswer>,
        _from: NodeId,
        cx: &mut Cx<'_>,
    ) {
        let said = *answer.content();
        if !self.awaits(&said) {
            return;
        }
        if said.observer == self.config.me {
            return self.alive(&said.subject, cx);
        }
        self.errands.retain(|errand| {
            (errand.subject, errand.observer, errand.nonce)
                != (said.subject, said.observer, said.nonce)
        });
        let answer: Signed<Answer> = (**answer).clone();
        tell(said.observer, &Frame::Ack(Ack::Through(answer)), cx);
    }

    /// How suspicious the silence of those we observe is, by phi; nothing of those that were not probed lately.
    pub(super) fn phi(&self, subject: &NodeId, now: Time) -> Option<f64> {
        let edge = self.watch.edges.get(subject)?;
        let silence: Duration = now.since(edge.sent?);
        edge.phi.phi(silence)
    }
}

pub(super) fn tell(to: NodeId, frame: &Frame, cx: &mut Cx<'_>) {
    cx.order(Effect::Send { to, class: Class::Members, frame: frame.encode() });
}
