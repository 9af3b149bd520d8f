//! Links over which nothing is told while others tell much.
//!
//! A peer that takes a place and passes nothing on is of no use, whoever it is: it makes a witness that never
//! vouches, or holds a place that somebody else needs. It is not enough that it is silent, since there may be
//! nothing to tell: what most of the witnesses told in the meantime is what it kept back. So a crowd that says
//! what nobody else says makes no honest peer look silent, unless it has most of the witnesses already. Only
//! messages that this node holds count, whether they were brought or vouched for, first or last.

use core::time::Duration;

use super::{Cx, Fault, Link, Links, Role, Safeguard, Signal};
use crate::time::Time;

/// Time in which a peer has to tell of something, at least.
pub(super) const REVIEW_EVERY: Duration = Duration::from_secs(60);
/// Messages that most of the witnesses must have told of before others are judged by it. An honest peer tells
/// those who chose it of all that it holds, and the others of one message in eight.
const TOLD_MIN: u32 = 24;
/// Witnesses that must have been there all the time for their majority to mean anything.
const JUDGES_MIN: usize = 5;
/// For so long a peer that was let go for its silence is not chosen again.
pub(super) const AVOIDED_FOR: Duration = Duration::from_secs(1800);
/// Silent links that one group may have had before its newcomers are turned away, and how soon it may have one
/// more. An honest node that had a bad minute finds others; who comes back to be silent is away 19 minutes of 20.
pub(super) const SILENT_BURST: u32 = 1;
pub(super) const SILENT_EVERY: Duration = Duration::from_secs(1800);

/// A witness that told of none of so many messages in a row is quiet.
const QUIET_AFTER: u32 = 8;
/// Witnesses that are drawn at once beyond those that are wanted, if too many are quiet.
const EXTRA_STEP: usize = 8;
/// The most there are of them. With 13 of 24 and three of ten silent, one node in thirty lacks vouches; with 24 more, one
/// in two hundred, with 72 more one in a hundred thousand.
pub(crate) const EXTRA_MAX: usize = 72;
/// How long they stay after the last message that lacked vouches.
const EXTRA_FOR: Duration = Duration::from_secs(120);

/// What a link has told since the last review.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Service {
    /// It was there at the last review.
    watched: bool,
    told: u32,
    /// Messages that were held here when it last told of one, or joined.
    last_told: u32,
    /// It has told of something since it joined.
    has_told: bool,
}

impl Service {
    /// So many messages of those that we hold were brought or vouched for.
    pub(super) const fn told(&mut self, messages: u32, held: u32) {
        self.told = self.told.saturating_add(messages);
        if messages > 0 {
            (self.last_told, self.has_told) = (held, true);
        }
    }
}

/// When links are looked at.
#[derive(Debug)]
pub(super) struct Review {
    at: Time,
    /// Messages that were held here since the start; wraps around.
    held: u32,
}

impl Review {
    pub(super) fn new() -> Self {
        Self { at: Time::ZERO + REVIEW_EVERY, held: 0 }
    }

    /// Another message is held here.
    pub(super) const fn note_held(&mut self) {
        self.held = self.held.wrapping_add(1);
    }

    /// Messages held here so far.
    pub(super) const fn held(&self) -> u32 {
        self.held
    }

    /// What is known of a link that has just joined.
    pub(super) const fn newcomer(&self) -> Service {
        Service { watched: false, told: 0, last_told: self.held, has_told: false }
    }
}

impl Links {
    /// When links are looked at next; never if there is none.
    pub(super) fn next_review(&self) -> Option<Time> {
        (self.links.len() > 0 && self.config.defences.has(Safeguard::Service))
            .then_some(self.review.at)
    }

    /// Lets those go that told nothing while most witnesses told much.
    pub(super) fn review(&mut self, cx: &mut Cx<'_>) {
        self.review.at = cx.now + REVIEW_EVERY;
        let mut judges: Vec<_> = self
            .joined()
            .filter(|(_, link)| link.role == Some(Role::Witness) && link.service.watched)
            .map(|(_, link)| link.service.told)
            .collect();
        judges.sort_unstable();
        let most = judges.get(judges.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        if judges.len() >= JUDGES_MIN && most < TOLD_MIN {
            // Not enough to judge by, yet.
            return;
        }
        if judges.len() >= JUDGES_MIN {
            let silent: Vec<_> = self
                .joined()
                .filter(|(_, link)| link.service.watched && link.service.told == 0 && !link.kept)
                .map(|(peer, link)| (peer, link.group))
                .collect();
            for (peer, group) in silent {
                self.silent.take(group, 1, cx.now);
                self.dials.avoid(peer, cx.now + AVOIDED_FOR);
                cx.fault(peer, Fault::Withheld);
                cx.signals.push_back(Signal::Close { peer });
            }
        }
        for link in self.links.values_mut() {
            link.service = Service { watched: link.joined, told: 0, ..link.service };
        }
    }

    /// A message lacks vouches. If fewer witnesses than it `needs` have told of anything lately, more are drawn for a
    /// while: whoever drew too many that are silent asks further samples instead of waiting. None is let go for it, or
    /// those who lie could have honest ones that know nothing of their lies replaced until enough liars are drawn; and
    /// with more witnesses, more have to vouch.
    pub(super) fn relieve(&mut self, needs: usize, now: Time) {
        let talks = |link: &Link| {
            // A newcomer that was asked for vouches and has none is as silent as who has fallen silent.
            let Service { last_told, has_told, .. } = link.service;
            has_told && self.review.held.wrapping_sub(last_told) < QUIET_AFTER
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
