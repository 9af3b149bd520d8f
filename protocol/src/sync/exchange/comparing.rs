//! Comparisons: begun, answered, and what follows when one has ended.

use std::collections::BTreeSet;

use forsooth_crypto::NodeId;
use rand_core::Rng as _;

use super::{
    MISTRUST, MISTRUSTED_MAX, OPEN_MAX, Sync, Topic,
    doubts::Showing,
    rounds::{CHECKS, Finding, Haste, Later},
};
use crate::{
    Fault,
    defences::Safeguard,
    group::Group,
    machine::{Cx, Signal},
    network::TopicId,
    sync::{
        Bounds, Item,
        reconcile::{Difference, Ending, Question, Reply, Step, answer},
    },
    wire::{Frame, ITEMS_MAX},
};

impl Sync {
    /// Begins comparisons that are due.
    pub(super) fn begin(&mut self, id: TopicId, cx: &mut Cx<'_>) {
        let is_checked = self.defences.has(Safeguard::CrossVerification);
        let others: usize = self.topics.values().map(|topic| topic.rounds.len()).sum();
        let Self { topics, witnesses, .. } = self;
        let Some(topic) = topics.get_mut(&id) else { return };
        topic.ask_again(cx.now, cx.wall);
        let haste = if is_checked { topic.haste(witnesses, cx.now) } else { Haste::None };
        let room = topic.rounds.room(haste).min(OPEN_MAX.saturating_sub(others));
        let bounds = topic.bounds(cx.wall);
        let pending = topic.is_pending();
        for _ in 0..room {
            if bounds.is_empty() {
                break;
            }
            let mut first = topic.doubted(cx.now);
            let Topic { rounds, pending_since, .. } = topic;
            if pending {
                // In a random order: ids can be ground.
                let unheard =
                    witnesses.keys().filter(|peer| !rounds.was_asked(peer, *pending_since));
                let mut unheard: Vec<_> = unheard.map(|peer| (cx.rng.next_u64(), *peer)).collect();
                unheard.sort_unstable();
                first.extend(unheard.into_iter().map(|(_, peer)| peer));
            }
            let chosen = if is_checked {
                rounds.choose(witnesses, first.into_iter(), cx.now, cx.rng)
            } else {
                // One server, for good: what it says is all there is.
                let server = witnesses.iter().next().map(|(peer, group)| (*peer, *group));
                let server = server.into_iter().collect();
                rounds.choose(&server, core::iter::empty(), cx.now, cx.rng)
            };
            let Some(peer) = chosen else { break };
            topic.compare(peer, id, bounds, cx);
        }
        topic.rounds.plan(haste, cx.now, cx.rng);
    }

    /// Begins a comparison with a peer that is no witness.
    pub(super) fn compare(&mut self, peer: NodeId, id: TopicId, cx: &mut Cx<'_>) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        let bounds = topic.bounds(cx.wall);
        if !bounds.is_empty() {
            topic.compare(peer, id, bounds, cx);
        }
    }

    pub(super) fn reply(
        &mut self,
        from: NodeId,
        id: TopicId,
        question: &Question,
        cx: &mut Cx<'_>,
    ) {
        let Self { topics, witnesses, .. } = self;
        let Some(topic) = topics.get(&id) else {
            return cx.fault(from, Fault::Contradicted);
        };
        let reply = answer(topic.shelf.index(), topic.answered(question, cx.wall), question);
        // Who refused something lacks it for good reasons.
        let is_behind = topic.is_behind(witnesses) || topic.refuses_until > cx.now;
        Self::send(from, &Frame::Compared { topic: id, reply, is_behind }, cx);
    }

    pub(super) fn hear(
        &mut self,
        from: NodeId,
        id: TopicId,
        (mut reply, is_behind): (Reply, bool),
        cx: &mut Cx<'_>,
    ) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        // It may have been too late.
        let Some(comparison) = topic.rounds.get_mut(&from) else { return };
        let Some(number) = comparison.numbering.inner(reply.number) else { return };
        reply.number = number;
        comparison.asked = cx.now;
        let numbering = comparison.numbering;
        match comparison.opener.hear(&reply, topic.shelf.view()) {
            Step::Ask(questions) => {
                for mut question in questions {
                    question.number = numbering.outer(question.number);
                    Self::send(from, &Frame::Compare { topic: id, question }, cx);
                }
            }
            Step::Done(difference) => self.compared(from, id, &difference, is_behind, cx),
            Step::Failed(failure) => {
                topic.rounds.end(&from, None, Finding::Nothing, cx.now);
                failure.fault().into_iter().for_each(|fault| cx.fault(from, fault));
            }
        }
    }

    /// A comparison has come to an end.
    pub(super) fn compared(
        &mut self,
        peer: NodeId,
        id: TopicId,
        difference: &Difference,
        is_behind: bool,
        cx: &mut Cx<'_>,
    ) {
        let Difference { bounds, theirs, ours, ending, .. } = difference;
        let is_complete = *ending == Ending::Complete && !bounds.is_empty();
        let group = self.witnesses.get(&peer).copied();
        let Self { topics, refused, .. } = self;
        let Some(topic) = topics.get_mut(&id) else { return };
        let is_new = |item: &&Item| {
            let is_refused = refused.get(item).is_some_and(|until| *until > cx.now);
            !is_refused && !topic.shelf.contains(item) && !topic.shelf.has_let_go(item)
        };
        let lacking: Vec<Item> = theirs.iter().filter(is_new).copied().collect();
        for item in &lacking {
            topic.wants.add(*item, peer);
        }
        let lacks: Vec<Item> =
            ours.iter().filter(|item| topic.shelf.stands(item)).copied().collect();
        let found = match (is_complete, lacking.is_empty()) {
            (_, false) => Finding::Lacking,
            // What was refused here is no reason to hurry.
            (true, true) if lacks.is_empty() => Finding::Equal,
            (true, true) => Finding::Ahead,
            (false, true) => Finding::Nothing,
        };
        let later = topic.rounds.end(&peer, group, found, cx.now);
        topic.rounds.is_settled |= topic.rounds.is_sure(&self.witnesses);
        let offer: Vec<Item> = lacks.iter().take(ITEMS_MAX).copied().collect();
        // Who is visited is not kept waiting until it has fetched; others are compared with by it.
        if !offer.is_empty() && !is_behind && group.is_some() {
            Self::send(peer, &Frame::Offer { topic: id, items: offer }, cx);
        }
        if is_complete {
            if let Some(lacking) = later.and(ours) {
                cx.signals.push_back(Signal::Agreed { peer, topic: id, bounds: *bounds, lacking });
            }
            self.judge(peer, id, (*bounds, &lacks, &later), is_behind, cx);
        }
        self.pursue(id, cx);
    }

    /// What does it follow that a peer lacks these?
    pub(super) fn judge(
        &mut self,
        peer: NodeId,
        id: TopicId,
        (bounds, lacks, later): (Bounds, &[Item], &Later),
        is_behind: bool,
        cx: &mut Cx<'_>,
    ) {
        let Self { topics, witnesses, mistrusted, defences, .. } = self;
        let (Some(topic), Some(group)) = (topics.get_mut(&id), witnesses.get(&peer).copied())
        else {
            return;
        };
        if !defences.has(Safeguard::CrossVerification) {
            return;
        }
        let others: BTreeSet<&Group> = witnesses.values().filter(|it| **it != group).collect();
        let needed = others.len().clamp(2, CHECKS);
        let showing = Showing { peer, group, bounds, lacks, later, is_behind };
        let hidden = topic.doubts.hear(&showing, needed, cx.now);
        if hidden == 0 {
            return;
        }
        topic.counts.hidden = topic.counts.hidden.saturating_add(hidden as u64);
        topics.values_mut().for_each(|topic| topic.doubts.leave(&peer));
        mistrusted.retain(|_, until| *until > cx.now);
        if mistrusted.len() < MISTRUSTED_MAX {
            mistrusted.insert(peer, cx.now + MISTRUST);
        }
        witnesses.remove(&peer);
        cx.fault(peer, Fault::Hid);
    }
}
