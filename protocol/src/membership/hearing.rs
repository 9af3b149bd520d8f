//! What peers tell of members: records and accusations, and what follows from them.

use forsooth_crypto::{NodeId, Verified};

use super::{
    Declare, Membership, News as Said, Statement, UNSETTLED,
    accusation::SignedAccusation,
    record::{Epoch, SignedMember},
    rings::Standing,
    rumours::Rumour,
    table::{Entry, News, Why},
};
use crate::{
    Event, Fault,
    group::Group,
    machine::{Cx, Signal},
    overlay::book::Endpoint,
    time::Timestamp,
};

/// Accusations beyond those needed that are passed on: they shorten the time to rebut.
const RELAYED_BEYOND: usize = 3;

impl Membership {
    /// A peer tells of members.
    pub(super) fn told(
        &mut self,
        from: NodeId,
        members: Vec<SignedMember>,
        asked: bool,
        cx: &mut Cx<'_>,
    ) {
        let (mut absurd, mut pushy) = (false, false);
        for record in members {
            let id = record.content().id;
            match record.content().sense(&self.config.network, cx.wall) {
                Ok(()) => {}
                Err(fault) => {
                    absurd |= fault == Fault::AbsurdMember;
                    continue;
                }
            }
            if id == self.config.me {
                self.hear_of_self(record, from, cx);
                continue;
            }
            match self.table.news(&record, cx.now) {
                News::Stranger if self.strangers.take(from, 1, cx.now) == 0 => pushy = true,
                News::Stranger | News::Newer | News::Conflict => {
                    if asked {
                        self.pace.note(record.name());
                    }
                    cx.signals
                        .push_back(Signal::Inspect { statement: Statement::Member(record), from });
                }
                News::Known => self.rumours.knows_member(&id, from),
                News::Buried => self.tell_of_grave(&id, from, cx),
                News::Older | News::Held => {}
            }
        }
        if absurd {
            cx.fault(from, Fault::AbsurdMember);
        }
        if pushy {
            cx.fault(from, Fault::Pushy);
        }
    }

    /// Somebody tells what this node has said. If it is more than it remembers, another machine has its key, or it has
    /// forgotten: it says more than that.
    fn hear_of_self(&mut self, record: SignedMember, from: NodeId, cx: &mut Cx<'_>) {
        let said = record.content();
        let is_own = self.table.own().is_some_and(|own| own.digest() == record.digest());
        if self.said.is_some_and(|(epoch, version, _)| said.order() >= (epoch, version)) && !is_own
        {
            cx.signals.push_back(Signal::Inspect { statement: Statement::Member(record), from });
        }
    }

    /// A record is its member's.
    pub(super) fn learn(&mut self, record: Verified<SignedMember>, from: NodeId, cx: &mut Cx<'_>) {
        let (id, epoch, left) = {
            let said = record.content();
            (said.id, said.epoch, said.left)
        };
        if id == self.config.me {
            return self.outdo(epoch, cx);
        }
        let news = self.table.news(&record, cx.now);
        match news {
            News::Stranger | News::Newer => {}
            News::Conflict => return self.evict(&record, from, cx),
            News::Known | News::Older | News::Buried | News::Held => return,
        }
        let returns = news == News::Stranger && self.table.grave(&id).is_some();
        let is_endangered = self.court.count(&id) >= self.court.rules().needed();
        if left {
            self.rumours.drop_accusations(id);
            self.end(id, epoch, Why::Left(record.clone()), cx);
            if news == News::Newer {
                cx.report(Event::Membership(Said::Left { peer: id }));
            }
        } else {
            self.take_in(record.clone(), from, cx);
        }
        // What was asked for is old: others have told it to all; but of whom they held for dead, they told nothing.
        if !self.pace.take(record.name()) || returns {
            let rumour = if is_endangered { Rumour::Rebuttal } else { Rumour::Member };
            self.spread(rumour(record), Some(from), cx);
        }
    }

    fn take_in(&mut self, record: Verified<SignedMember>, from: NodeId, cx: &mut Cx<'_>) {
        let (id, epoch) = (record.content().id, record.content().epoch);
        let before = self
            .table
            .get(&id)
            .map(|known| (known.record.content().epoch, known.since, known.changed));
        let returns = before.is_none() && self.table.grave(&id).is_some();
        let is_new_life = before.is_none_or(|(known, ..)| known.generation < epoch.generation);
        let claimed = Timestamp::from_millis(epoch.generation.saturating_mul(1000));
        let settled = self.began.is_some_and(|began| cx.now.since(began) >= super::NEWCOMER);
        let (since, changed) = match before {
            Some((_, since, changed)) if !is_new_life => (since, changed),
            _ if settled => (claimed.max(cx.wall), cx.now),
            _ => (claimed, cx.now),
        };
        if before.is_none() {
            self.rings.enter(&id);
            self.rings_before.enter(&id);
        }
        for gone in self.table.insert(Entry { record, since, changed }, from) {
            self.leave_rings(&gone);
            self.forget(&gone, cx);
        }
        let raised = before.is_some_and(|(known, ..)| known < epoch);
        if raised {
            self.rumours.drop_accusations(id);
            let suspected = self.court.acquit(&id);
            if let Some(edge) = self.watch.edges.get_mut(&id) {
                edge.rest(cx.now + self.settings.probe_every);
                edge.accused = None;
            }
            if suspected && !is_new_life {
                cx.report(Event::Membership(Said::Recovered { peer: id, epoch }));
            }
        }
        if is_new_life && !returns {
            cx.report(Event::Membership(Said::Joined { peer: id, epoch }));
        } else if returns {
            cx.report(Event::Membership(Said::Recovered { peer: id, epoch }));
        }
        if before.is_none() {
            self.pace.meet_stranger();
        }
        if raised || before.is_none() {
            self.unsettle(cx);
        }
    }

    /// Who counts as one with a member: those at the address that it names first.
    fn group_of(&self, record: &SignedMember) -> Group {
        let said = record.content();
        let ip = said.addresses.first().and_then(|address| Endpoint::parse(address).ok());
        Group::of(said.id, ip.map(|endpoint| endpoint.ip), self.config.network.defence().grouping)
    }

    /// Somebody says more of this node than it said itself.
    fn outdo(&mut self, epoch: Epoch, cx: &mut Cx<'_>) {
        let Some((own, version, nonce)) = self.said else { return };
        if epoch.generation > own.generation {
            let generation = epoch.generation;
            return cx.signals.push_back(Signal::OwnKey { generation });
        }
        if epoch.generation == own.generation && epoch >= own {
            self.said = Some((epoch, version, nonce));
            self.declare(Declare::Alive, cx);
        }
    }

    /// A member signed two records for one version: it is none any more, and no quorum is asked.
    fn evict(&mut self, record: &Verified<SignedMember>, from: NodeId, cx: &mut Cx<'_>) {
        let peer = record.content().id;
        let Some(known) = self.table.get(&peer).map(|known| known.record.clone()) else { return };
        // Others need both to see it: the one that they lack is the one that they have not been told.
        let epoch = record.content().epoch;
        self.end(peer, epoch, Why::Equivocated, cx);
        for to in self.some_peers(usize::from(self.settings.gossip_fanout) * 3, cx) {
            if to != from {
                self.send_records(to, &[known.clone(), record.clone()], cx);
            }
        }
        cx.report(Event::Membership(Said::Evicted { peer }));
        cx.fault(peer, Fault::Equivocation);
    }

    /// Somebody is a member no more.
    fn end(&mut self, id: NodeId, epoch: Epoch, why: Why, cx: &mut Cx<'_>) {
        if self.table.get(&id).is_some() {
            self.leave_rings(&id);
        }
        self.table.bury(id, epoch, why, cx.now);
        self.forget(&id, cx);
        self.unsettle(cx);
    }

    fn leave_rings(&mut self, id: &NodeId) {
        self.rings.leave(id);
        self.rings_before.leave(id);
    }

    fn forget(&mut self, id: &NodeId, cx: &mut Cx<'_>) {
        self.court.drop_case(id);
        self.rumours.drop_member(id);
        if self.watch.edges.remove(id).is_some() {
            cx.signals.push_back(Signal::Unobserved { peer: *id });
        }
    }

    /// A peer tells of accusations.
    pub(super) fn accused(
        &mut self,
        from: NodeId,
        accusations: Vec<SignedAccusation>,
        cx: &mut Cx<'_>,
    ) {
        for rings in [&mut self.rings, &mut self.rings_before] {
            let shift = |said: &SignedAccusation| self.settings.shift_at(said.content().time).0;
            if accusations.iter().any(|said| shift(said) == rings.shift()) {
                rings.survey(self.table.iter().map(|(id, _)| id));
            }
        }
        for accusation in accusations {
            if self.is_news(&accusation, cx) {
                let statement = Statement::Accusation(accusation);
                cx.signals.push_back(Signal::Inspect { statement, from });
            } else {
                let said = accusation.content();
                self.rumours.knows_accusation(said.subject, said.accuser, from);
            }
        }
    }

    /// Whether an accusation would count here, cheapest question first. What does not is nobody's fault: views differ.
    fn is_news(&self, accusation: &SignedAccusation, cx: &Cx<'_>) -> bool {
        let said = accusation.content();
        let is_of_us = said.subject == self.config.me;
        let (epoch, nonce) = if is_of_us {
            let Some((epoch, _, nonce)) = self.said else { return false };
            (epoch, nonce)
        } else {
            let Some(member) = self.table.member(&said.subject) else { return false };
            (member.epoch, member.nonce)
        };
        if said.epoch != epoch
            || !self.court.hears(&said.accuser, &said.subject, said.epoch, cx.now)
        {
            return false;
        }
        let is_dead_to_us = is_of_us && self.table.grave(&said.accuser).is_some();
        let knows = said.accuser == self.config.me || self.table.get(&said.accuser).is_some();
        if !knows && !is_dead_to_us {
            return false;
        }
        let skew = self.config.network.defence().clock_skew_max;
        let lifetime = self.settings.accusation_lifetime.saturating_add(skew);
        let is_fresh = said.time <= cx.wall.saturating_add(skew)
            && cx.wall <= said.time.saturating_add(lifetime);
        // Of us, even what is old, and what those say whom we hold for dead ourselves: after a cut, both sides have to be told.
        if is_of_us && (!is_fresh || is_dead_to_us) {
            true
        } else {
            is_fresh && self.observes(accusation, nonce, cx)
        }
    }

    /// Whether an accuser observes its subject, as far as can be told from here.
    fn observes(&self, accusation: &SignedAccusation, nonce: u64, cx: &Cx<'_>) -> bool {
        let said = accusation.content();
        let (shift, began) = self.settings.shift_at(said.time);
        let rings = [&self.rings, &self.rings_before].into_iter().find(|it| it.shift() == shift);
        let Some(rings) = rings else { return false };
        let young = rings.is_young();
        let standing = |id: &NodeId| {
            // This node itself.
            let Some(entry) = self.table.get(id) else { return Standing::Unsettled };
            let is_near = entry.since.since(began).max(began.since(entry.since)) < UNSETTLED;
            if entry.since >= began && !is_near && !young {
                Standing::Absent
            } else if (is_near && !young)
                || cx.now.since(entry.changed) < UNSETTLED
                || self.court.is_accused(id)
            {
                Standing::Unsettled
            } else {
                Standing::Settled
            }
        };
        let own = self.table.own().map(|_| &self.config.me);
        let others = self.table.iter().map(|(id, _)| id).chain(own);
        let subject = (&said.subject, nonce);
        standing(&said.accuser) != Standing::Absent
            && rings.may_accuse(said.ring, subject, &said.accuser, others, standing)
    }

    /// An accusation of ours is signed.
    pub(super) fn accuse(&mut self, accusation: Verified<SignedAccusation>, cx: &mut Cx<'_>) {
        let subject = accusation.content().subject;
        // The suspect first (Lifeguard's buddy system): it may say at once that it is alive.
        if self.met.contains(&subject) {
            self.send_accusations(subject, core::slice::from_ref(&accusation), cx);
        }
        let me = self.config.me;
        let group = self.table.own().map_or(Group::Peer(me), |own| self.group_of(own));
        self.count(accusation, group, None, cx);
    }

    /// An accusation is its accuser's.
    pub(super) fn hear(
        &mut self,
        accusation: Verified<SignedAccusation>,
        from: NodeId,
        cx: &mut Cx<'_>,
    ) {
        if !self.is_news(&accusation, cx) {
            return;
        }
        let accuser = accusation.content().accuser;
        let group = self
            .table
            .get(&accuser)
            .map_or(Group::Peer(accuser), |known| self.group_of(&known.record));
        self.count(accusation, group, Some(from), cx);
    }

    fn count(
        &mut self,
        accusation: Verified<SignedAccusation>,
        group: Group,
        from: Option<NodeId>,
        cx: &mut Cx<'_>,
    ) {
        let (subject, epoch) = (accusation.content().subject, accusation.content().epoch);
        let rules = self.court.rules();
        self.court.hear(accusation.clone(), group, cx.now);
        if subject == self.config.me {
            if self.court.count(&subject) >= rules.suspects() {
                self.rebut(cx);
            }
            return;
        }
        let accusers = self.court.count(&subject);
        if accusers <= rules.needed() + RELAYED_BEYOND {
            let until = cx.now + rules.lifetime;
            self.spread(Rumour::Accusation { accusation, accusers, until }, from, cx);
        }
        if self.court.begins_to_suspect(&subject) {
            // Whoever lies about it does not tell it, and what others tell may take long.
            if self.met.contains(&subject) {
                self.send_accusations(subject, &self.court.reasons(&subject), cx);
            }
            cx.report(Event::Membership(Said::Suspected { peer: subject, epoch }));
        }
    }

    /// Others hold this node for dead, or nearly: it says that it is alive.
    fn rebut(&mut self, cx: &mut Cx<'_>) {
        let me = self.config.me;
        self.court.acquit(&me);
        self.health.ill();
        if !self.left {
            self.declare(Declare::Alive, cx);
        }
    }

    /// Certifies those who have not rebutted in time.
    pub(super) fn decide(&mut self, cx: &mut Cx<'_>) {
        // Who was asleep lets those speak first that have rebutted meanwhile.
        if cx.now < self.judges_from {
            return;
        }
        for certificate in self.court.decide(cx.now) {
            let (id, epoch) = (certificate.subject, certificate.epoch);
            if id == self.config.me
                || self.table.member(&id).is_none_or(|known| known.epoch != epoch)
            {
                continue;
            }
            // Its accusations are told on, as often as others may need it to reach the same conclusion.
            self.end(id, epoch, Why::Died(certificate.clone()), cx);
            cx.report(Event::Membership(Said::Died { certificate }));
        }
    }
}
