//! Links and the overlay, wired: whom to dial and draw, who is met, and what becomes of records.
//!
//! The overlay draws, the links link; neither knows the other. Whom to choose is looked at after an input that
//! changed something for either.

use forsooth_crypto::{NodeId, Untrusted, Verified, verify};

use super::{Core, Lent, intake::Admission};
use crate::{
    Address, Candidate, Connection, Direction, Effect, Record, Time, Timestamp, acceptance,
    defences::Safeguard,
    group::Group,
    links::{self, Purpose},
    machine::{Cx, Machine as _},
    membership,
    message::MessageId,
    overlay::{
        self, Overlay, Target,
        record::{PeerRecord, SignedRecord},
    },
    sync,
    verify::{Check, Ticket},
    wire::Hello,
};

/// Numbers of records of one generation: more than an hour's, and there are few in a month.
const RECORDS_PER_LIFE: u64 = 1 << 20;
/// At most one witness in so many is kept because it is in doubt.
const DETAINED_SHARE: usize = 3;

impl Core {
    pub(super) fn known(&mut self, candidates: Vec<Candidate>) {
        let wall = self.wall();
        let welcome = |one: &Candidate| self.peers.banned_until(&one.peer, wall) != Some(None);
        let welcome = candidates.into_iter().filter(welcome).collect();
        self.tell_overlay(overlay::Event::Known(welcome));
    }

    pub(super) fn connected(&mut self, peer: NodeId, connection: Connection) {
        let is_admitted = self.network.identity().admits(&peer);
        let is_banned = self.peers.banned(&peer, self.wall()) || self.refuses(&peer, connection);
        if peer == self.me || !is_admitted || is_banned {
            self.effects.push_back(Effect::Disconnect {
                peer,
                fault: None,
                banned: peer != self.me,
            });
            // If we dialled it, that is over.
            self.tell_links(links::Event::DialFailed { peer });
            self.tell_membership(membership::Event::Unreached { peer });
            return;
        }
        let grouping = self.network.defence().grouping;
        self.quotas.join(peer, Group::of(peer, connection.remote, grouping));
        self.tell_links(links::Event::Connected { peer, connection });
    }

    /// A link is gone, or is as good as gone because it was ordered to be.
    pub(super) fn disconnected(&mut self, peer: NodeId) {
        self.quotas.leave(peer, self.now);
        if let Some(link) = self.links.get(&peer) {
            let (direction, remote) = (link.direction, link.remote);
            self.tell_overlay(overlay::Event::Gone { peer, direction, remote });
        }
        self.tell_links(links::Event::Disconnected { peer });
        self.tell_membership(membership::Event::Gone { peer });
        self.tell_sync(sync::Event::Left { peer });
        self.evidence.part(&peer);
    }

    /// A link is closed, and nobody is to blame.
    pub(super) fn part(&mut self, peer: NodeId) {
        self.effects.push_back(Effect::Disconnect { peer, fault: None, banned: false });
        self.disconnected(peer);
    }

    /// A peer has said hello.
    pub(super) fn met(&mut self, peer: NodeId) {
        let Some(link) = self.links.get(&peer) else { return };
        let (direction, remote) = (link.direction, link.remote);
        self.tell_overlay(overlay::Event::Met { peer, direction, remote });
        self.tell_membership(membership::Event::Met { peer });
        let link = self.links.get(&peer);
        if link.is_some_and(|link| link.is_visit() && link.direction == Direction::Outbound) {
            self.tell_sync(sync::Event::Visiting { peer });
        }
    }

    /// Somebody who was visited, or visits, has told what it was asked for.
    pub(super) fn visited(&mut self, peer: NodeId) {
        if self.sync.as_ref().is_none_or(|sync| !sync.is_visiting(&peer)) {
            self.tell_links(links::Event::Visited { peer });
        }
    }

    /// Somebody who is visited was compared with.
    pub(super) fn compared(&mut self, peer: NodeId) {
        if !self.overlay.waits_for(&peer) {
            self.tell_links(links::Event::Visited { peer });
        }
    }

    /// A peer says who it is and what it wants.
    pub(super) fn greeted(&mut self, from: NodeId, hello: Hello) {
        let known = self.links.crowd().filter(|peer| self.overlay.views(peer)).copied();
        let known = known.collect();
        let may_observe = self.membership.as_ref().is_some_and(|it| it.is_observer(&from));
        self.tell_links(links::Event::Greeted { from, hello, known, may_observe });
    }

    /// A peer asks whom we know.
    pub(super) fn asked_for_records(&mut self, from: NodeId) {
        let Some(link) = self.links.get(&from) else { return };
        let group = link.group;
        self.tell_overlay(overlay::Event::Pulled { from, group });
    }

    /// A peer tells unasked of others.
    pub(super) fn pushed(&mut self, from: NodeId, records: Vec<SignedRecord>) {
        let Some(link) = self.links.get(&from) else { return };
        let group = link.group;
        self.tell_overlay(overlay::Event::Pushed { from, group, records });
    }

    /// A record is worth a check.
    pub(super) fn check_record(&mut self, from: NodeId, record: SignedRecord) {
        let peer = record.record().id;
        if self.peers.banned(&peer, self.wall()) || !self.network.identity().admits(&peer) {
            return;
        }
        let name = MessageId::from_bytes(*record.digest().as_bytes());
        if let Admission::Check(ticket) = self.intake.admit(from, name, &record.to_bytes()) {
            let check = Check::Record(Untrusted::new(record));
            self.effects.push_back(Effect::Verify { ticket, check });
        }
    }

    pub(super) fn record_verified(&mut self, ticket: Ticket, record: Verified<SignedRecord>) {
        let Some(pending) = self.intake.finish(ticket) else { return };
        let from = pending.from;
        let &PeerRecord { id, number, time, .. } = record.record();
        if id == self.me {
            return self.recognise_own(number / RECORDS_PER_LIFE, time);
        }
        // Who is gone meanwhile has nobody to answer for it: that is a group of its own.
        let link = self.links.get(&from);
        let (group, remote) = link.map_or((Group::Unknown, None), |link| (link.group, link.remote));
        self.tell_overlay(overlay::Event::Verified { record, from, group, remote });
    }

    /// Signs where this node may be reached.
    pub(super) fn announce(&mut self) {
        let addresses = self.overlay.listening().to_vec();
        // Without a clock, nobody would take the record for a fresh one.
        if addresses.is_empty() || self.wall() == Timestamp::default() {
            return;
        }
        self.announced = self.announced.saturating_add(1);
        let record = PeerRecord {
            id: self.me,
            addresses,
            // Grows over restarts, as generations do.
            number: self.generation.saturating_mul(RECORDS_PER_LIFE).saturating_add(self.announced),
            time: self.wall(),
            work: self.work.clone(),
        };
        let record = SignedRecord::sign(record, &self.keypair, &self.network);
        let record = verify(Untrusted::new(record)).expect("a key verifies what it signed");
        self.tell_overlay(overlay::Event::Own(record));
        self.tell_membership(membership::Event::Announced);
    }

    /// Takes back what was stored in an earlier life. A proof is believed no more than if a peer had sent it.
    /// Records of the book were verified before they were stored. The book only dials by them, and whoever
    /// answers has to show its key and to send its record anew, so they are not verified again.
    pub(super) fn load(&mut self, records: Vec<Record>) {
        let wall = self.wall();
        for record in records {
            match record {
                // First of all: it says where the others stand.
                Record::BookKey { .. } | Record::Anchors { .. } | Record::Peer { .. }
                    if !self.defences.has(Safeguard::Memory) => {}
                Record::BookKey { key } => self.tell_overlay(overlay::Event::BookKey(key)),
                Record::Anchors { peers } => self.tell_overlay(overlay::Event::Anchors(peers)),
                Record::Peer { peer, entry } if !self.peers.banned(&peer, wall) => {
                    self.tell_overlay(overlay::Event::Stored { peer, entry });
                }
                Record::Peer { .. } | Record::PeerGone { .. } => {}
                Record::Ban(_) | Record::Pardon { .. } | Record::Proof { .. } => {
                    self.loaded(record);
                }
            }
        }
        self.with_overlay(Overlay::recall);
    }

    /// Has what was learned since the last time stored, some of it at a time.
    pub(super) fn stop(&mut self) {
        self.tell_membership(membership::Event::Leaving);
        self.set_anchors();
        self.with_overlay(Overlay::store);
    }

    fn set_anchors(&mut self) {
        let mut drawn: Vec<_> =
            self.links.witnesses().map(|(peer, link)| (link.since, peer)).collect();
        drawn.sort();
        self.overlay.anchor(drawn.into_iter().map(|(_, peer)| peer));
    }

    pub(super) fn tick_overlay(&mut self) {
        self.set_anchors();
        self.with_overlay(|overlay, cx| overlay.tick(cx));
    }

    /// Has peers dialled, chosen and let go, until all is as it should be.
    pub(super) fn arrange(&mut self) {
        let members = self.membership.as_mut().is_some_and(|it| it.take_restless());
        let changed = [self.links.take_restless(), self.overlay.take_restless(), members];
        if !changed.contains(&true) {
            return;
        }
        let wall = self.wall();
        self.keep();
        let relief = self.links.relief();
        self.with_overlay(|overlay, cx| overlay.relieve(relief, cx));
        while self.links.wants_witness(0) && self.choose(wall) {}
        self.rotate(wall);
        while self.links.may_visit() {
            let (links, peers, now) = (&self.links, &self.peers, self.now);
            let is_free = |peer: &NodeId| links.may_dial(peer, now) && !peers.banned(peer, wall);
            let is_lacking = links.is_lacking();
            let target = self.overlay.next_visit(&is_free, is_lacking, wall, &mut self.rng);
            let Some(Target { peer, address, group }) = target else { break };
            self.tell_links(links::Event::Chosen { peer, address, group, purpose: Purpose::Visit });
        }
        self.arrange_members();
        // Nothing of that asks to be looked at again.
        self.links.take_restless();
        self.settle();
        let count = self.links.independent_witnesses();
        self.tell_acceptance(acceptance::Event::Witnesses { count });
        self.introduce_witnesses();
    }

    /// Has the operator's own peers dialled.
    fn keep(&mut self) {
        let (now, wall) = (self.now, self.wall());
        let missing = |target: &Target| {
            !self.links.is_kept(&target.peer, now) && !self.peers.banned(&target.peer, wall)
        };
        let missing: Vec<_> = self.overlay.kept().filter(missing).collect();
        for Target { peer, address, group } in missing {
            if !self.links.may_keep() {
                break;
            }
            self.tell_links(links::Event::Chosen { peer, address, group, purpose: Purpose::Kept });
        }
    }

    /// Draws a witness. Whether there was one to draw.
    fn choose(&mut self, wall: Timestamp) -> bool {
        if !self.defences.has(Safeguard::Sampling)
            && let Some((peer, group)) = self.links.latest_guest()
        {
            // Its address is of no use: it is here.
            let address = Address::new("").expect("nothing is short");
            let purpose = Purpose::Witness;
            self.tell_links(links::Event::Chosen { peer, address, group, purpose });
            return true;
        }
        let (links, peers, now) = (&self.links, &self.peers, self.now);
        let systems = links.witnesses().filter_map(|(_, link)| link.remote);
        let taken = self.overlay.taken(links.witness_groups(), systems);
        let is_free = |peer: &NodeId| links.is_free(peer, now) && !peers.banned(peer, wall);
        let drawn = self.overlay.draw(&is_free, &taken, &mut self.rng);
        let Some(Target { peer, address, group }) = drawn else { return false };
        self.tell_links(links::Event::Chosen { peer, address, group, purpose: Purpose::Witness });
        true
    }

    /// Draws one link anew if it is time, and lets an old one go when the new one is up.
    fn rotate(&mut self, wall: Timestamp) {
        let witnesses = |core: &Self| -> Vec<(NodeId, Time)> {
            let joined = core.links.witnesses().filter(|(_, link)| link.joined);
            joined.map(|(peer, link)| (peer, link.chosen_at)).collect()
        };
        let is_full = !self.links.wants_witness(0) && self.links.wants_witness(1);
        if self.overlay.rotates(self.now) && is_full {
            self.choose(wall);
            let now = self.now;
            let chosen = witnesses(self);
            self.overlay.rotated(&chosen, now, &mut self.rng);
        }
        let mut chosen = witnesses(self);
        while chosen.len() > self.links.drawn_target() {
            let is_in_doubt =
                |peer: &NodeId| self.sync.as_ref().is_some_and(|it| it.detains(peer, self.now));
            let from = replaceable(&chosen, is_in_doubt);
            let Some(peer) = self.overlay.oldest(&from, &mut self.rng) else { break };
            self.tell_links(links::Event::Released { peer });
            chosen.retain(|(other, _)| *other != peer);
        }
    }

    fn with_overlay(&mut self, act: impl FnOnce(&mut Overlay, &mut Cx<'_>)) {
        let Lent { mut cx, overlay, .. } = self.lend();
        act(overlay, &mut cx);
    }

    pub(super) fn tell_overlay(&mut self, event: overlay::Event) {
        self.with_overlay(|overlay, cx| overlay.handle(event, cx));
    }
}

/// Those who may make room for another. Whoever is in doubt would go on elsewhere; but if many are, those who are not must not make
/// room for them.
fn replaceable(
    chosen: &[(NodeId, Time)],
    is_in_doubt: impl Fn(&NodeId) -> bool,
) -> Vec<(NodeId, Time)> {
    let free: Vec<_> = chosen.iter().copied().filter(|(peer, _)| !is_in_doubt(peer)).collect();
    let detained = chosen.len() - free.len();
    if detained * DETAINED_SHARE <= chosen.len() { free } else { chosen.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_doubt_stays_unless_too_many_are() {
        let chosen = [0, 1, 2, 3, 4, 5].map(|tag| (NodeId::from_bytes([tag; 32]), Time::ZERO));
        let left = |doubted: u8| {
            let is_in_doubt = |peer: &NodeId| *peer < NodeId::from_bytes([doubted; 32]);
            replaceable(&chosen, is_in_doubt)
        };
        assert_eq!(left(0), chosen);
        assert_eq!(left(2), chosen[2..]);
        assert_eq!(left(3), chosen, "more than a third");
    }
}
