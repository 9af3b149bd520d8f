//! What happens in a round: whom to ask and to tell, whom to look for, and what to let go of.

use core::time::Duration;
use std::collections::BTreeSet;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use super::{
    CALM_ROUND, Cx, DOUBT, Errand, FEELER_EVERY, Kind, Overlay, Place, ROUND, Round, Safeguard,
    Time, VISITS_MAX, millis,
};

/// Dials in a round that only see whether a record tells the truth.
const TRIALS_PER_ROUND: usize = 4;
/// The same while others are looked for without pause: until the view has settled, whoever came first is whom links are drawn from.
const EARLY_TRIALS_PER_ROUND: usize = 8;
/// Members in a round that are asked again because they did not answer.
const DOUBTS_PER_ROUND: usize = 4;
/// Samples that wait to be made links. The oldest goes first.
const SAMPLES_MAX: usize = 64;

impl Overlay {
    pub(super) fn round(&mut self, cx: &mut Cx<'_>) {
        self.rounds = self.rounds.saturating_add(1);
        // Not in step with others who started at the same time.
        let interval = millis(self.interval);
        let jitter = cx.rng.next_u64() % (interval / 2).max(1);
        self.round_at = cx.now + Duration::from_millis(interval * 3 / 4 + jitter);
        let is_alone = self.met.is_empty();
        let is_calm = !self.is_searching() && !is_alone;
        let longest = if is_calm { CALM_ROUND } else { ROUND };
        self.interval = (self.interval * 2).min(longest);
        let Round { pull, push, samples } = self.sampler.round(cx.rng);
        if !self.sampler.joining() && self.settled_at.is_none() && !self.met.is_empty() {
            self.settled_at = Some(cx.now);
            self.rotate_at = cx.now;
        }
        self.samples.extend(samples);
        let excess = self.samples.len().saturating_sub(SAMPLES_MAX);
        self.samples.drain(..excess);
        let (pulls, pushes) =
            (Errand { pull: true, push: false }, Errand { pull: false, push: true });
        pull.into_iter().for_each(|peer| self.send_on(peer, pulls, cx));
        push.into_iter().for_each(|peer| self.send_on(peer, pushes, cx));
        if is_alone && self.fresh.is_empty() {
            // Found before or not: whom the manifest or the operator named is there for that.
            self.fresh.extend(self.directory.contacts());
        }
        self.try_some(cx);
        self.prune();
    }

    /// Has a few dialled to see whether they are there.
    fn try_some(&mut self, cx: &mut Cx<'_>) {
        let is_alone = self.met.is_empty();
        let trials = if self.is_searching() { EARLY_TRIALS_PER_ROUND } else { TRIALS_PER_ROUND };
        for _ in 0..trials {
            let Some(record) = self.trials.next(cx.rng) else { break };
            let (peer, place) = (record.record().id, self.place_said(&record));
            if self.directory.member(&peer).is_some() || !self.would_win(&peer, place) {
                continue;
            }
            let is_room = self.visits.len() < VISITS_MAX && !self.met.contains_key(&peer);
            // On a private network, hosts and subnets tell nothing.
            let is_local = matches!(self.config.network.kind(), Kind::Local);
            if is_room && (is_local || self.trials.may_dial(place, cx.now)) {
                self.tried.insert(peer, record);
                self.visits.push_back(peer);
            }
        }
        let is_due = |(_, since): &(&NodeId, &Time)| cx.now.since(**since) >= DOUBT;
        let due = self.doubtful.iter().filter(is_due).map(|(peer, _)| *peer);
        let due: Vec<_> = due.filter(|peer| !self.visits.contains(peer)).collect();
        for peer in due.into_iter().take(DOUBTS_PER_ROUND) {
            self.send_on(peer, Errand { pull: true, push: false }, cx);
        }
        if let Some(contact) = self.fresh.pop() {
            self.send_on(contact, Errand { pull: true, push: false }, cx);
        }
        if cx.now >= self.feeler_at || (is_alone && self.visits.is_empty()) {
            self.feeler_at = cx.now + FEELER_EVERY;
            let feeler = self.book.pick_feeler(cx.wall, cx.rng);
            match feeler {
                Some(peer) if self.met.contains_key(&peer) => {
                    // It is there: that was the question.
                    if let Some(place) = self.directory.member(&peer).map(|member| member.place) {
                        self.book.tried(&peer, place.ip(), cx.wall);
                    }
                }
                Some(peer) => self.visits.push_back(peer),
                None => {}
            }
        }
    }

    /// Lets go of what nobody needs.
    fn prune(&mut self) {
        let mut used: BTreeSet<NodeId> = self.sampler.view().map(|(peer, _)| peer).collect();
        used.extend(self.samples.iter().chain(self.met.keys()).chain(self.kept.keys()));
        self.directory.prune(&used);
        self.doubtful.retain(|peer, _| self.directory.member(peer).is_some());
    }

    /// Whether a peer at a place would enter the view.
    pub(super) fn would_win(&self, peer: &NodeId, place: Place) -> bool {
        self.sampler.would_win(peer, self.ranked(place))
    }

    /// Has the sampler draw lots for a peer.
    pub(super) fn offer(&mut self, peer: NodeId, place: Place) {
        self.sampler.offer(peer, self.ranked(place));
    }

    /// The place by which a peer is drawn.
    const fn ranked(&self, place: Place) -> Place {
        if self.config.defences.has(Safeguard::Networks) { place } else { Place::UNKNOWN }
    }
}
