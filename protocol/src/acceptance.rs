//! When a message is handed to the application: k of n witnesses vouch for it, and its slot stays its own.
//!
//! Only a [`Witness`] can vouch here, which only `links` makes, for peers that this node chose. Vouches may
//! come before the message; a message may wait for vouches, or settle, until it expires. Each message is measured by its topic's
//! policy and by those of subscriptions that ask for more, and handed over once for each. Where a policy asks for several authors, what is
//! handed over is the claim that they signed alike. It does not relay, and does not
//! know how a vouch travels.

mod asking;
mod claims;
mod event;
mod lacking;
mod room;
mod status;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use forsooth_crypto::{NodeId, Verified};

pub(crate) use self::event::Event;
use self::{
    asking::Asking,
    claims::{Attestation, Claims},
    lacking::LATE_WAITS,
    room::{Room, Waiting},
};
use crate::{
    Effect, Shortfall,
    bounded::FairMap,
    defences::{Defences, Safeguard},
    group::Group,
    machine::{Cx, Machine, Signal},
    message::{Accepted, MessageId, Publication, Slot},
    network::{Network, Policy, TopicId},
    snapshot::TopicState,
    tally::Tally,
    time::Time,
};

/// Open vouches of one witness. More than what arrives ahead of its messages; its own oldest go first.
const VOUCHES_PER_WITNESS_MAX: usize = 16_384;
/// Accepted messages that are remembered, each charged to the link that brought it, to say so if they turn out contested.
const ACCEPTED_MAX: usize = 16_384;

/// Messages that wait for vouches, and vouches that wait for messages.
#[derive(Debug)]
pub(crate) struct Acceptance {
    network: Arc<Network>,
    defences: Defences,
    tally: Tally<MessageId, NodeId, Group>,
    room: Room,
    claims: Claims,
    /// What was handed to the application lately, by number first: it tells slots apart sooner than the author does.
    accepted: FairMap<(u64, Slot), NodeId, MessageId>,
    /// Policies that the application subscribes with: the topic's, or stricter ones.
    subscribed: BTreeSet<(TopicId, Policy)>,
    counts: BTreeMap<TopicId, TopicState>,
    /// When messages began to wait, in order; those that no longer do among them.
    since: VecDeque<(Time, MessageId)>,
    /// Messages about which witnesses are asked.
    asking: Asking,
    /// When it is next looked whether one has waited for too long.
    starved_at: Option<Time>,
    /// Independent witnesses that there are.
    witnesses: usize,
    /// Some policy asks for vouches.
    is_voted: bool,
}

impl Acceptance {
    pub(crate) fn new(network: Arc<Network>, defences: Defences) -> Self {
        let mut acceptance = Self {
            network,
            defences,
            tally: Tally::new(VOUCHES_PER_WITNESS_MAX),
            room: Room::new(),
            claims: Claims::new(),
            accepted: FairMap::new(ACCEPTED_MAX),
            subscribed: BTreeSet::new(),
            counts: BTreeMap::new(),
            since: VecDeque::new(),
            asking: Asking::new(),
            starved_at: None,
            witnesses: 0,
            is_voted: false,
        };
        acceptance.note_policies();
        acceptance
    }

    /// Whether a held message still waits for vouches.
    pub(crate) fn waits(&self, id: &MessageId) -> bool {
        self.room.contains(id)
    }

    /// Whether a peer has vouched for a message that waits.
    pub(crate) fn has_vouched(&self, id: &MessageId, peer: &NodeId) -> bool {
        self.tally.supports(id, peer)
    }

    /// Messages of a topic that wait for vouches.
    pub(crate) fn waiting(&self, topic: TopicId) -> impl Iterator<Item = &Verified<Publication>> {
        let messages = self.room.iter().map(|waiting| &waiting.message);
        messages.filter(move |message| message.header().slot.topic == topic)
    }

    /// Whether vouches decide anything. Of a vouch that comes before its message nobody knows the topic.
    pub(crate) const fn counts_vouches(&self) -> bool {
        self.is_voted
    }

    /// Notes whether a policy asks for vouches.
    fn note_policies(&mut self) {
        let policies = self.network.topics().flat_map(|(topic, _)| self.policies(topic));
        let is_voted = policies.into_iter().any(|policy| policy.threshold() > 0);
        self.is_voted = is_voted;
    }

    /// What messages of a topic are measured by: its own policy, whoever subscribes, and stricter ones.
    fn policies(&self, topic: TopicId) -> impl Iterator<Item = Policy> {
        let own = self.network.topic(topic).policy;
        let all = self.subscribed.range((topic, Policy::FIRST)..);
        let all = all.take_while(move |(of, _)| *of == topic).map(|(_, policy)| *policy);
        core::iter::once(own).chain(all.filter(move |policy| *policy != own))
    }

    /// What a subscription is measured by: what it asks for, and never anything weaker than the topic's policy, whatever the shell says.
    fn policy(&self, topic: TopicId, asked: Option<Policy>) -> Policy {
        let own = self.network.topic(topic).policy;
        asked.and_then(|asked| own.tightened(asked).ok()).unwrap_or(own)
    }

    fn count(&mut self, topic: TopicId) -> &mut TopicState {
        self.counts.entry(topic).or_default()
    }

    fn hold(
        &mut self,
        message: Verified<Publication>,
        from: NodeId,
        is_late: bool,
        cx: &mut Cx<'_>,
    ) {
        let (id, topic) = (message.id(), message.header().slot.topic);
        // It may have been pulled again, where the disk has refused it.
        if self.room.contains(&id) {
            return;
        }
        let verified = &mut self.count(topic).verified;
        *verified = verified.saturating_add(1);
        let left = message.header().expires().since(cx.wall);
        let expires = cx.now + if is_late { LATE_WAITS } else { left };
        let (attested, open): (Vec<_>, Vec<_>) =
            self.policies(topic).partition(|policy| policy.attestors() > 0);
        for policy in attested {
            let one = Attestation::new(id, message.header(), policy, from, expires);
            self.attest(&message, one, cx);
        }
        let mut waiting = Waiting::new(message, from, (cx.now, expires), open);
        waiting.is_late = is_late;
        waiting.open = self.decide(&waiting, cx);
        if waiting.open.is_empty() {
            return self.tally.close(&id);
        }
        // Nobody sends vouches for what is over: who has it is asked.
        if !is_late {
            self.watch(id, cx.now);
        }
        for evicted in self.room.insert(waiting, cx.now) {
            self.give_up(&evicted, Some(Shortfall::Crowded), cx);
        }
    }

    /// Accepts a message by each policy that is met now. Returns the others.
    fn decide(&mut self, waiting: &Waiting, cx: &mut Cx<'_>) -> Vec<Policy> {
        let meets = |policy: &Policy| self.meets(*policy, waiting, cx.now);
        let (met, open): (Vec<_>, Vec<_>) = waiting.open.iter().copied().partition(meets);
        met.into_iter().for_each(|policy| self.accept(waiting, policy, cx));
        open
    }

    /// Whether enough witnesses vouch, and the slot has been this message's alone for long enough.
    fn meets(&self, policy: Policy, waiting: &Waiting, now: Time) -> bool {
        let enough = !self.defences.has(Safeguard::Threshold)
            || self.tally.count(&waiting.message.id()) >= policy.needed(self.witnesses);
        enough && now >= waiting.held + policy.settle()
    }

    fn accept(&mut self, waiting: &Waiting, policy: Policy, cx: &mut Cx<'_>) {
        let Waiting { message, from, .. } = waiting;
        let (id, slot) = (message.id(), message.header().slot);
        if policy == self.network.topic(slot.topic).policy {
            let accepted = &mut self.count(slot.topic).accepted;
            *accepted = accepted.saturating_add(1);
        }
        let is_wanted = self.subscribed.contains(&(slot.topic, policy));
        if is_wanted {
            self.accepted.insert((slot.seq, slot), *from, 1, id);
        }
        let vouchers = match policy.threshold() {
            0 => Vec::new(),
            _ => self.tally.independent(&id),
        };
        let accepted = Accepted::new(message.clone(), vouchers, policy, cx.now);
        self.hand_over(accepted, is_wanted, cx);
    }

    /// An accepted message goes to the application; where it is kept, only once it is on disk.
    fn hand_over(&self, accepted: Accepted, is_wanted: bool, cx: &mut Cx<'_>) {
        let topic = self.network.topic(accepted.message().header().slot.topic);
        if topic.retention.is_some() && accepted.policy() == topic.policy {
            cx.signals.push_back(Signal::Accepted { accepted, is_wanted });
        } else if is_wanted {
            cx.order(Effect::Deliver(accepted));
        }
    }

    /// An author has signed a claim. If it is the last who was lacking, the claim is accepted, as this message.
    fn attest(&mut self, message: &Verified<Publication>, one: Attestation, cx: &mut Cx<'_>) {
        let claims::Attested { enough, evicted } = self.claims.attest(one);
        for (evicted, others) in evicted {
            self.unattested(&evicted, others, Shortfall::Crowded, cx);
        }
        if enough.is_empty() {
            return;
        }
        let topic = one.slot.topic;
        if one.policy == self.network.topic(topic).policy {
            let accepted = &mut self.count(topic).accepted;
            *accepted = accepted.saturating_add(1);
        }
        let is_wanted = self.subscribed.contains(&(topic, one.policy));
        if is_wanted {
            for Attestation { slot, from, id, .. } in &enough {
                self.accepted.insert((slot.seq, *slot), *from, 1, *id);
            }
        }
        let attestors = enough.iter().map(|one| one.slot.author).collect();
        let accepted = Accepted::attested(message.clone(), attestors, one.policy, cx.now);
        self.hand_over(accepted, is_wanted, cx);
    }

    /// An attestation counts no more, and the claim was not accepted.
    fn unattested(&mut self, one: &Attestation, others: usize, why: Shortfall, cx: &mut Cx<'_>) {
        let Attestation { id, slot, policy, .. } = *one;
        let (topic, vouched) = (slot.topic, others.saturating_add(1));
        let threshold = usize::from(policy.attestors());
        if policy == self.network.topic(topic).policy {
            self.count(topic).unaccepted.count(why);
        } else if !self.subscribed.contains(&(topic, policy)) {
            return;
        }
        cx.report(crate::Event::Unaccepted { id, topic, policy, vouched, threshold, why });
    }

    /// Something has changed for a message that waits.
    fn review(&mut self, id: &MessageId, cx: &mut Cx<'_>) {
        let Some(waiting) = self.room.get(id) else { return };
        // The wall clock may have been set ahead while it waited.
        let is_over = !waiting.is_late && waiting.message.header().expires() <= cx.wall;
        if waiting.expires <= cx.now || (is_over && self.defences.has(Safeguard::Expiry)) {
            if !self.is_kept_by_others(waiting) {
                return self.drop_waiting(id, None, cx);
            }
            self.wait_on(id, cx);
        }
        let Some(waiting) = self.room.get(id) else { return };
        if !waiting.open.iter().any(|policy| self.meets(*policy, waiting, cx.now)) {
            return self.room.postpone(id, cx.now);
        }
        let waiting = waiting.clone();
        let open = self.decide(&waiting, cx);
        if open.is_empty() {
            self.asking.forget(id);
            self.room.remove(id);
            self.tally.close(id);
        } else {
            self.room.keep(id, open, cx.now);
        }
    }

    fn drop_waiting(&mut self, id: &MessageId, why: Option<Shortfall>, cx: &mut Cx<'_>) {
        if let Some(waiting) = self.room.remove(id) {
            self.give_up(&waiting, why, cx);
        }
    }

    /// A message is accepted by none of the policies that are open yet. If it is not said why, its time is over.
    fn give_up(&mut self, waiting: &Waiting, why: Option<Shortfall>, cx: &mut Cx<'_>) {
        let (id, slot) = (waiting.message.id(), waiting.message.header().slot);
        let own = self.network.topic(slot.topic).policy;
        let vouched = self.tally.count(&id);
        self.tally.close(&id);
        let unknown = self.asking.forget(&id).or(waiting.unknown);
        let silent = unknown.map_or(0, |unknown| self.witnesses.saturating_sub(unknown + vouched));
        if self.network.topic(slot.topic).retention.is_some() && waiting.open.contains(&own) {
            let timestamp = waiting.message.header().timestamp;
            cx.signals.push_back(Signal::Unaccepted { topic: slot.topic, timestamp, id });
        }
        for policy in waiting.open.iter().copied() {
            let threshold = policy.needed(self.witnesses);
            let late = if vouched >= threshold {
                Shortfall::Expired
            } else if vouched + silent >= threshold {
                Shortfall::Unanswered
            } else {
                Shortfall::TooFewVouches
            };
            let why = why.unwrap_or(late);
            if policy == own {
                self.count(slot.topic).unaccepted.count(why);
            } else if !self.subscribed.contains(&(slot.topic, policy)) {
                continue;
            }
            let topic = slot.topic;
            cx.report(crate::Event::Unaccepted { id, topic, policy, vouched, threshold, why });
        }
    }

    /// An author has said two things. Whatever waits of it goes, in other slots too: since everybody refuses it from now on, nobody would
    /// notice that it has said two things there as well.
    fn expose(&mut self, slot: Slot, cx: &mut Cx<'_>) {
        for id in self.room.of(slot.author) {
            self.drop_waiting(&id, Some(Shortfall::Contested), cx);
        }
        for (one, others) in self.claims.withdraw(slot.author) {
            self.unattested(&one, others, Shortfall::Contested, cx);
        }
        if let Some(id) = self.accepted.remove(&(slot.seq, slot)) {
            let contested = &mut self.count(slot.topic).contested;
            *contested = contested.saturating_add(1);
            cx.report(crate::Event::Contested { id, slot });
        }
    }

    /// With fewer witnesses, fewer may be needed.
    fn adapt(&mut self, witnesses: usize, cx: &mut Cx<'_>) {
        let before = core::mem::replace(&mut self.witnesses, witnesses);
        if witnesses < before {
            let all: Vec<_> = self.room.iter().map(|waiting| waiting.message.id()).collect();
            all.iter().for_each(|id| self.review(id, cx));
        }
    }
}

impl Machine for Acceptance {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Held { message, from } => self.hold(message, from, false, cx),
            Event::Late { message, from } => self.hold(message, from, true, cx),
            Event::Vouched { witness, ids } => {
                for id in ids {
                    self.tally.support(id, witness.peer(), witness.group());
                    self.review(&id, cx);
                }
            }
            Event::Unknown { ids } => ids.iter().for_each(|id| self.asking.unknown(id)),
            Event::Withdrawn { peer } => self.tally.withdraw(&peer),
            Event::Refused { id } => self.tally.close(&id),
            Event::Published { topic } => {
                let published = &mut self.count(topic).published;
                *published = published.saturating_add(1);
            }
            Event::Subscribed { topic, policy } => {
                self.subscribed.insert((topic, self.policy(topic, policy)));
                self.note_policies();
            }
            Event::Unsubscribed { topic, policy } => {
                self.subscribed.remove(&(topic, self.policy(topic, policy)));
                self.note_policies();
            }
            Event::Witnesses { count } => self.adapt(count, cx),
            Event::Exposed { slot } => self.expose(slot, cx),
        }
    }

    fn deadline(&self) -> Option<Time> {
        let due = self.room.first_due().map(|(due, _)| due);
        due.into_iter()
            .chain(self.claims.first_due())
            .chain(self.starved_at)
            .chain(self.asking.deadline())
            .min()
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        if self.starved_at.is_some_and(|at| at <= cx.now) {
            self.look_for_starved(cx);
        }
        if self.asking.deadline().is_some_and(|at| at <= cx.now) {
            self.ask(cx);
        }
        while let Some((due, id)) = self.room.first_due()
            && due <= cx.now
        {
            self.review(&id, cx);
        }
        while let Some((one, others)) = self.claims.expire(cx.now) {
            self.unattested(&one, others, Shortfall::TooFewVouches, cx);
        }
    }
}
