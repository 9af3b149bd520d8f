//! Links over which nothing is told while others tell much.
//!
//! A peer that takes a place and passes nothing on is of no use, whoever it is: it makes a witness that never
//! vouches, or holds a place that somebody else needs. It is not enough that it is silent, since there may be
//! nothing to tell: what most of the witnesses told in the meantime is what it kept back. So a crowd that says
//! what nobody else says makes no honest peer look silent, unless it has most of the witnesses already. Only
//! messages that this node holds count, whether they were brought or vouched for, first or last.

use core::time::Duration;
use std::collections::VecDeque;

use forsooth_crypto::NodeId;

use super::{Cx, Fault, Link, Links, Role, Safeguard, Signal};
use crate::time::Time;

/// How often links are looked at.
pub(super) const REVIEW_EVERY: Duration = Duration::from_secs(10);
/// Time in which a peer has to tell of something, at least.
const SILENCE_MIN: Duration = Duration::from_secs(60);
/// Messages that most of the witnesses must have told of in the meantime. An honest peer tells those who chose it of
/// all that it holds, and the others of a message every 15 s.
const TOLD_MIN: u64 = 24;
/// Witnesses that there must be for their majority to mean anything.
const JUDGES_MIN: usize = 5;
/// What a link had told is remembered at so many points, so many messages apart. Longer silences are judged by as much.
const MARKS_MAX: usize = 8;
const MARK_EVERY: u64 = 8;
/// For so long a peer that was let go for its silence is not chosen again.
pub(super) const AVOIDED_FOR: Duration = Duration::from_secs(1800);
/// Silent links that one group may have had before its newcomers are turned away, and how soon it may have one
/// more. An honest node that had a bad minute finds others; who comes back to be silent is away 19 minutes of 20.
pub(super) const SILENT_BURST: u32 = 1;
pub(super) const SILENT_EVERY: Duration = Duration::from_secs(1800);

/// A witness that told of none of so many messages in a row is quiet.
const QUIET_AFTER: u64 = 8;
/// Witnesses that are drawn at once beyond those that are wanted, if too many are quiet.
const EXTRA_STEP: usize = 8;
/// The most there are of them. With 13 of 24 and three of ten silent, one node in thirty lacks vouches; with 72 more, four
/// in ten thousand, with 144 more five in a million.
pub(crate) const EXTRA_MAX: usize = 144;
/// How long they stay after the last message that lacked vouches.
const EXTRA_FOR: Duration = Duration::from_secs(120);

/// What a link has told of.
#[derive(Clone, Debug, Default)]
pub(super) struct Service {
    /// When it last told of something, or joined, and how many messages were held here then.
    since: (Time, u64),
    /// Messages that it has told of since it joined.
    told: u64,
    /// How many it had told of when so many were held here, the oldest first.
    marks: VecDeque<(u64, u64)>,
}

impl Service {
    /// So many messages of those that we hold were brought or vouched for.
    fn note(&mut self, messages: u64, now: Time, held: u64) {
        if messages == 0 {
            return;
        }
        if self.marks.back().is_none_or(|(at, _)| held >= at + MARK_EVERY) {
            self.marks.drain(..self.marks.len().saturating_sub(MARKS_MAX - 1));
            self.marks.push_back((held, self.told));
        }
        self.told = self.told.saturating_add(messages);
        self.since = (now, held);
    }

    /// Messages that it has told of since so many were held here, or a few less.
    fn told_since(&self, held: u64) -> u64 {
        let mark = self.marks.iter().find(|(at, _)| *at >= held);
        mark.map_or(0, |(_, told)| self.told.saturating_sub(*told))
    }
}

/// When links are looked at.
#[derive(Debug)]
pub(super) struct Review {
    at: Time,
    /// Messages that were held here since the start.
    held: u64,
}

impl Review {
    pub(super) fn new() -> Self {
        Self { at: Time::ZERO + REVIEW_EVERY, held: 0 }
    }

    /// Another message is held here.
    pub(super) const fn note_held(&mut self) {
        self.held = self.held.saturating_add(1);
    }

    /// What is known of a link that has just joined.
    pub(super) fn newcomer(&self, now: Time) -> Service {
        Service { since: (now, self.held), ..Service::default() }
    }
}

impl Links {
    /// When links are looked at next; never if there is none.
    pub(super) fn next_review(&self) -> Option<Time> {
        (self.links.len() > 0 && self.config.defences.has(Safeguard::Service))
            .then_some(self.review.at)
    }

    /// A peer told of so many messages of those that are held here.
    pub(super) fn note_told(&mut self, peer: &NodeId, messages: usize, now: Time) {
        let held = self.review.held;
        if let Some(link) = self.links.get_mut(peer) {
            link.service.note(u64::try_from(messages).unwrap_or(u64::MAX), now, held);
        }
    }

    /// Lets those go that told nothing while most witnesses told much.
    pub(super) fn review(&mut self, cx: &mut Cx<'_>) {
        self.review.at = cx.now + REVIEW_EVERY;
        let is_silent = |link: &Link| {
            let (since, held) = link.service.since;
            !link.kept && cx.now.since(since) >= SILENCE_MIN && self.most_told_since(held)
        };
        let silent = self.joined().filter(|(_, link)| is_silent(link));
        let silent: Vec<_> = silent.map(|(peer, link)| (peer, link.group)).collect();
        for (peer, group) in silent {
            self.silent.take(group, 1, cx.now);
            self.dials.avoid(peer, cx.now + AVOIDED_FOR);
            cx.fault(peer, Fault::Withheld);
            cx.signals.push_back(Signal::Close { peer });
        }
    }

    /// Whether more than half of the witnesses have told of much since so many messages were held here.
    fn most_told_since(&self, held: u64) -> bool {
        let witnesses = self.joined().filter(|(_, link)| link.role == Some(Role::Witness));
        let (mut judges, mut talkers) = (0, 0);
        for (_, link) in witnesses {
            judges += 1;
            talkers += usize::from(link.service.told_since(held) >= TOLD_MIN);
        }
        judges >= JUDGES_MIN && 2 * talkers > judges
    }

    /// A message lacks vouches. If fewer witnesses than it `needs` have told of anything lately, more are drawn for a
    /// while: whoever drew too many that are silent asks further samples instead of waiting. None is let go for it, or
    /// those who lie could have honest ones that know nothing of their lies replaced until enough liars are drawn; and
    /// with more witnesses, more have to vouch.
    pub(super) fn relieve(&mut self, needs: usize, now: Time) {
        let talks = |link: &Link| {
            // A newcomer that was asked for vouches and has none is as silent as who has fallen silent.
            let Service { since: (_, last_told), told, .. } = link.service;
            told > 0 && self.review.held - last_told < QUIET_AFTER
        };
        let witnesses = || self.joined().filter(|(_, link)| link.role == Some(Role::Witness));
        let talkers = witnesses().filter(|(_, link)| talks(link)).count();
        if talkers >= needs || !self.config.defences.has(Safeguard::Service) {
            return;
        }
        // As long as those who were drawn last have yet to come, more would not come sooner.
        if !self.wants_witness(0) {
            self.extra = (self.extra + EXTRA_STEP).min(EXTRA_MAX);
        }
        self.extra_until = now + EXTRA_FOR;
    }
}
