//! Membership, wired: what is signed, whom helpers are, whom to dial, and what becomes of checks.

use bytes::Bytes;
use forsooth_crypto::{NodeId, Untrusted, Verified, verify};

use super::{Core, Lent, intake::Admission};
use crate::{
    Class, Effect,
    links::{self, Purpose},
    machine::{Cx, Machine as _, below},
    membership::{
        self, Accusation, Answer, Draft, Member, Membership, Statement,
        signed::{Content, Signed},
    },
    message::MessageId,
    overlay::Target,
    verify::{Check, Ticket},
    wire::{Frame, Probe},
};

impl Core {
    pub(super) fn tell_membership(&mut self, event: membership::Event) {
        self.with_membership(|membership, cx| membership.handle(event, cx));
    }

    pub(super) fn tick_membership(&mut self) {
        let now = self.now;
        self.with_membership(|membership, cx| {
            if membership.deadline().is_some_and(|deadline| deadline <= now) {
                membership.tick(cx);
            }
        });
    }

    fn with_membership(&mut self, act: impl FnOnce(&mut Membership, &mut Cx<'_>)) {
        let Lent { mut cx, membership, .. } = self.lend();
        if let Some(membership) = membership {
            act(membership, &mut cx);
        }
    }

    /// Signs what this node says of itself.
    pub(super) fn declare(&mut self, draft: Draft) {
        let Draft { epoch, version, nonce, left, tags } = draft;
        let addresses = self.overlay.listening().to_vec();
        let (id, time, work) = (self.me, self.wall(), self.work.clone());
        let member = Member { id, addresses, epoch, version, time, nonce, left, tags, work };
        let record = self.signed(member);
        self.tell_membership(membership::Event::Own(record));
    }

    pub(super) fn sign_accusation(&mut self, accusation: Accusation) {
        let accusation = self.signed(accusation);
        self.tell_membership(membership::Event::Accused(accusation));
    }

    pub(super) fn testify(&mut self, to: NodeId, answer: Answer) {
        let answer = Signed::sign(answer, &self.keypair, &self.network);
        let frame = Frame::Ack(crate::wire::Ack::Through(answer)).encode();
        self.effects.push_back(Effect::Send { to, class: Class::Members, frame });
    }

    fn signed<T: Content>(&self, content: T) -> Verified<Signed<T>> {
        let signed = Signed::sign(content, &self.keypair, &self.network);
        verify(Untrusted::new(signed)).ok().expect("a key verifies what it signed")
    }

    /// Has a few witnesses ask whether a subject is there: peers drawn by lot, which its friends cannot have arranged.
    pub(super) fn seek_help(&mut self, subject: NodeId, nonce: u64) {
        let wanted = self.network.membership().map_or(0, |settings| usize::from(settings.helpers));
        let joined = self.links.witnesses().filter(|(peer, link)| link.joined && *peer != subject);
        let mut peers: Vec<NodeId> = joined.map(|(peer, _)| peer).collect();
        let mut helpers = 0;
        while helpers < wanted && !peers.is_empty() {
            let at = below(&mut self.rng, peers.len());
            let to = peers.swap_remove(at);
            let frame = Frame::Probe(Probe::Through { nonce, subject }).encode();
            self.effects.push_back(Effect::Send { to, class: Class::Members, frame });
            helpers += 1;
        }
        self.tell_membership(membership::Event::Helped { subject, helpers });
    }

    /// Has a signature checked.
    pub(super) fn inspect(&mut self, from: NodeId, statement: Statement) {
        let (name, bytes, check) = match statement {
            Statement::Member(record) => {
                let id = record.content().id;
                if self.peers.banned(&id, self.wall()) || !self.network.identity().admits(&id) {
                    return;
                }
                (*record.digest(), whole(&record), Check::Member(Untrusted::new(record)))
            }
            Statement::Accusation(accusation) => {
                if self.peers.banned(&accusation.content().accuser, self.wall()) {
                    return;
                }
                let check = |it| Check::Accusation(Untrusted::new(it));
                (*accusation.digest(), whole(&accusation), check(accusation))
            }
            Statement::Answer(answer) => {
                (*answer.digest(), whole(&answer), Check::Answer(Untrusted::new(answer)))
            }
        };
        let name = MessageId::from_bytes(*name.as_bytes());
        if let Admission::Check(ticket) = self.intake.admit(from, name, &bytes) {
            self.effects.push_back(Effect::Verify { ticket, check });
        }
    }

    /// A signature holds.
    pub(super) fn inspected(
        &mut self,
        ticket: Ticket,
        event: impl FnOnce(NodeId) -> membership::Event,
    ) {
        if let Some(pending) = self.intake.finish(ticket) {
            self.tell_membership(event(pending.from));
        }
    }

    /// Has those dialled whom membership needs.
    pub(super) fn arrange_members(&mut self) {
        let wall = self.wall();
        loop {
            let has_room =
                self.links.has_room(Purpose::Observe) && self.links.has_room(Purpose::Visit);
            let Some(membership) = self.membership.as_mut().filter(|_| has_room) else { return };
            let Some((peer, purpose)) = membership.next_wanted() else { return };
            if self.peers.banned(&peer, wall) {
                continue;
            }
            let Some(member) = membership.member(&peer) else { continue };
            let target = self.overlay.endpoint(peer, &member.addresses, &mut self.rng);
            let Some(Target { address, group, .. }) = target else { continue };
            if self.links.get(&peer).is_some() && purpose == Purpose::Visit {
                continue;
            }
            self.tell_links(links::Event::Chosen { peer, address, group, purpose });
        }
    }
}

/// What was signed and its signature, to know the very same again.
fn whole<T: Content>(signed: &Signed<T>) -> Bytes {
    [&signed.encoded()[..], &signed.signature().as_bytes()[..]].concat().into()
}
