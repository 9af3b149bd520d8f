//! What follows from faults, and from the operator's word: points, bans, closed links, exposed authors.

use core::time::Duration;

use forsooth_crypto::{NodeId, Untrusted, Verified, verify};

use super::Core;
use crate::{
    Class, Effect, Event, Fault, Record, acceptance,
    ban::{Ban, BanCause, Whom},
    defences::Safeguard,
    fault::Blame,
    input::{Connection, Direction},
    links,
    message::Proof,
    overlay,
    peers::Consequence,
    sync,
    time::{Time, Timestamp},
    wire::Frame,
};

impl Core {
    /// A peer did wrong itself.
    pub(super) fn accuse(&mut self, from: NodeId, fault: Fault) {
        if fault == Fault::BrokenPromise && self.links.excuses(&from, self.now) {
            return;
        }
        let blamed = match fault.blame() {
            Blame::Forwarder | Blame::Author => Some(from),
            Blame::Nobody => None,
        };
        self.blame(Some(from), blamed, fault);
    }

    /// Records a fault and draws the consequences for whoever is to blame.
    pub(super) fn blame(&mut self, from: Option<NodeId>, blamed: Option<NodeId>, fault: Fault) {
        let seen = self.faults.entry(fault).or_default();
        *seen = seen.saturating_add(1);
        let event = Event::Fault { from, blamed, blame: fault.blame(), fault };
        self.effects.push_back(Effect::Event(event));
        let Some(blamed) = blamed.filter(|blamed| *blamed != self.me) else {
            return;
        };
        if !self.defences.has(Safeguard::Bans)
            || (self.peers.banned(&blamed, self.wall()) && fault != Fault::Equivocation)
        {
            return;
        }
        match self.peers.blame(blamed, fault, self.now, self.wall()) {
            Consequence::Tolerate => {}
            Consequence::Disconnect => self.close(blamed, fault, false),
            Consequence::Ban { until } => {
                let ban = Ban { whom: blamed.into(), cause: BanCause::Fault(fault), until };
                self.announce_ban(ban);
                let group = self.links.get(&blamed).map(|link| link.group);
                let net = group.and_then(|group| group.net(self.network.defence().grouping));
                let company = net.and_then(|net| self.peers.locate(blamed, net, self.wall()));
                company.into_iter().for_each(|ban| self.announce_ban(ban));
                self.shun(blamed, until);
                self.close(blamed, fault, true);
            }
        }
    }

    fn close(&mut self, peer: NodeId, fault: Fault, banned: bool) {
        self.effects.push_back(Effect::Disconnect { peer, fault: Some(fault), banned });
        self.disconnected(peer);
    }

    /// An author is exposed: it is banned for good, and everybody is told, ahead of all else.
    pub(super) fn expose(&mut self, proof: &Verified<Proof>, from: Option<NodeId>) {
        if !self.defences.has(Safeguard::Proofs) {
            return;
        }
        // Kept all the same if its author is banned for it already: newcomers have to be told.
        if !self.ledger.expose(proof.clone(), from) || self.peers.disgraced(&proof.author()) {
            return;
        }
        let author = proof.author();
        let frame = Frame::Proof((**proof).clone()).encode();
        let others = self
            .links
            .joined()
            .map(|(peer, _)| peer)
            .filter(|peer| Some(*peer) != from && *peer != author);
        let send = |to| Effect::Send { to, class: Class::Evidence, frame: frame.clone() };
        self.effects.extend(others.map(send));
        self.effects.push_back(Effect::Store(Record::Proof { author, frame: frame.clone() }));
        self.effects.push_back(Effect::Event(Event::Exposed { proof: proof.clone() }));
        self.tell_acceptance(acceptance::Event::Exposed { slot: proof.slot() });
        self.tell_sync(sync::Event::Exposed { author });
        self.blame(from, Some(author), Fault::Equivocation);
    }

    /// The operator bans somebody.
    pub(super) fn ban(&mut self, whom: Whom, length: Option<Duration>) {
        if whom == Whom::Peer(self.me) {
            return;
        }
        let ban = self.peers.order(whom, length, self.wall());
        self.announce_ban(ban);
        let closed = match whom {
            Whom::Peer(peer) => {
                self.shun(peer, ban.until);
                vec![peer]
            }
            Whom::Net(net) => {
                let from_there =
                    |link: &links::Link| link.remote.is_some_and(|ip| net.contains(ip));
                let links = self.links.all().filter(|(_, link)| from_there(link));
                links.map(|(peer, _)| peer).collect()
            }
        };
        for peer in closed {
            self.effects.push_back(Effect::Disconnect { peer, fault: None, banned: true });
            self.disconnected(peer);
        }
    }

    /// The operator lifts a ban.
    pub(super) fn pardon(&mut self, whom: Whom) {
        if !self.peers.pardon(&whom) {
            return;
        }
        self.effects.push_back(Effect::Store(Record::Pardon { whom }));
        if let Whom::Peer(peer) = whom {
            self.tell_links(links::Event::Pardoned { peer });
        }
        self.tell_overlay(overlay::Event::Pardoned);
    }

    /// Whether nobody comes in from there: by the operator's word nobody at all, and where several are banned,
    /// nobody whom this node does not know from elsewhere.
    pub(super) fn refuses(&self, peer: &NodeId, connection: Connection) -> bool {
        let cause = connection.remote.and_then(|ip| self.peers.shunned(ip, self.wall()));
        match cause {
            None => false,
            Some(BanCause::Company) => {
                connection.direction == Direction::Inbound
                    && !self.overlay.views(peer)
                    && !self.overlay.kept().any(|kept| kept.peer == *peer)
            }
            Some(BanCause::Operator | BanCause::Fault(_)) => true,
        }
    }

    fn announce_ban(&mut self, ban: Ban) {
        self.effects.push_back(Effect::Store(Record::Ban(ban)));
        self.effects.push_back(Effect::Event(Event::Banned(ban)));
    }

    /// Nobody looks for a banned peer.
    fn shun(&mut self, peer: NodeId, until: Option<Timestamp>) {
        let until = self.on_our_clock(until);
        self.tell_links(links::Event::Banned { peer, until });
        self.tell_overlay(overlay::Event::Banned { peer, for_good: until.is_none() });
    }

    /// A moment of the wall clock on our own; none for the end of time.
    fn on_our_clock(&self, at: Option<Timestamp>) -> Option<Time> {
        at.map(|at| self.now + at.since(self.wall()))
    }

    pub(super) fn loaded(&mut self, record: Record) {
        match record {
            Record::Ban(ban) => self.peers.restore(ban),
            Record::Pardon { whom } => drop(self.peers.pardon(&whom)),
            // Believed no more than if a peer had sent it; a disk is not a witness.
            Record::Proof { frame, .. } => {
                if let Ok(Frame::Proof(proof)) = Frame::decode(&frame, &self.network)
                    && let Ok(proof) = verify(Untrusted::new(proof))
                {
                    self.expose(&proof, None);
                }
            }
            // These are restored together.
            Record::Peer { .. }
            | Record::PeerGone { .. }
            | Record::BookKey { .. }
            | Record::Anchors { .. } => {}
        }
    }
}
