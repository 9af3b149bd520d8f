//! What peers are told of others, and what becomes of what they tell.

use core::net::IpAddr;
use std::collections::BTreeSet;

use forsooth_crypto::{NodeId, Verified};
use rand_chacha::ChaCha8Rng;

use super::{
    Address, Class, Cx, Effect, Errand, Fault, Frame, Group, Overlay, RECORDS_MAX, Signal,
    SignedRecord, below,
    book::{Contact, Shelf, Source},
    ip_of,
    place::Place,
    trials::Teller,
};

/// Records of one list that are checked for the book alone: it grows by what many tell, not by what one does.
const HEARD_PER_LIST: usize = 8;
/// Records of an unasked list that are checked because they would enter the view. An honest list of a settled
/// network has few of these; checking costs.
const WINS_PER_PUSH: usize = 32;

/// What a record would change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// The view, or what is known of somebody in it.
    Wins,
    /// The book alone.
    Unheard,
    /// Nothing.
    None,
}

impl Overlay {
    /// Does what a connected peer was to be met for.
    pub(super) fn run(&mut self, peer: NodeId, errand: Errand, cx: &mut Cx<'_>) {
        if errand.push {
            let records = self.list(cx.rng);
            tell(peer, &Frame::Push(records), cx);
        }
        if errand.pull && self.exchange.ask(peer, cx.now) {
            tell(peer, &Frame::Pull, cx);
        }
        if !self.exchange.waits_for(&peer) {
            cx.signals.push_back(Signal::Visited { peer });
        }
    }

    /// Tells a peer where we are, if it may be told.
    pub(super) fn introduce(&self, peer: NodeId, cx: &mut Cx<'_>) {
        if let Some(own) = &self.own {
            tell(peer, &Frame::Push(vec![(**own).clone()]), cx);
        }
    }

    /// Our own record, and those of the view: all, or as many as fit, by chance.
    fn list(&self, rng: &mut ChaCha8Rng) -> Vec<SignedRecord> {
        let view: BTreeSet<NodeId> = self.sampler.view().map(|(peer, _)| peer).collect();
        let record = |peer: &NodeId| self.directory.member(peer)?.record.as_ref();
        let mut records: Vec<_> = view.iter().filter_map(record).collect();
        let room = RECORDS_MAX - 1;
        while records.len() > room {
            let at = below(rng, records.len());
            records.swap_remove(at);
        }
        self.own.iter().chain(records).map(|record| (**record).clone()).collect()
    }

    /// A peer asks.
    pub(super) fn pulled(&mut self, from: NodeId, group: Group, cx: &mut Cx<'_>) {
        let admitted = self.exchange.may_pull(from, group, cx.now);
        if admitted.is_over {
            return cx.fault(from, Fault::Pushy);
        }
        if admitted.units == 0 {
            return;
        }
        let mut records = self.list(cx.rng);
        // So that it sees what else is signed with its key.
        let own = self.directory.member(&from).and_then(|member| member.record.as_ref());
        if let Some(own) = own.filter(|_| records.len() < RECORDS_MAX)
            && !records.iter().any(|record| record.record().id == from)
        {
            records.push((**own).clone());
        }
        tell(from, &Frame::Answer(records), cx);
        cx.signals.push_back(Signal::Visited { peer: from });
    }

    /// A peer answers.
    pub(super) fn answered(&mut self, from: NodeId, records: Vec<SignedRecord>, cx: &mut Cx<'_>) {
        if !self.exchange.answer(&from, cx.now) {
            return cx.fault(from, Fault::Unsolicited);
        }
        self.reached_at = Some(cx.now);
        self.consider(from, records, usize::MAX, cx);
        cx.signals.push_back(Signal::Visited { peer: from });
    }

    /// A peer tells unasked.
    pub(super) fn pushed(
        &mut self,
        from: NodeId,
        group: Group,
        mut records: Vec<SignedRecord>,
        cx: &mut Cx<'_>,
    ) {
        let admitted = self.exchange.admit(from, group, records.len(), cx.now);
        if admitted.is_over {
            cx.fault(from, Fault::Pushy);
        }
        records.truncate(admitted.units);
        self.consider(from, records, WINS_PER_PUSH, cx);
    }

    /// Whether a record that is said to be ours may be another machine's: it is above ours, or signed later. One of an
    /// earlier life is neither.
    fn is_strange(&self, record: &SignedRecord) -> bool {
        let (number, time) = (record.record().number, record.record().time);
        self.own.as_ref().is_none_or(|own| number > own.record().number || time > own.record().time)
    }

    /// Has those records checked that could change something.
    fn consider(
        &mut self,
        from: NodeId,
        records: Vec<SignedRecord>,
        wins_max: usize,
        cx: &mut Cx<'_>,
    ) {
        let mut absurd = false;
        let (mut wins, mut heard) = (0, 0);
        let me = self.config.me;
        let (mine, records): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record.record().id == me);
        let strange = mine.into_iter().find(|record| self.is_strange(record));
        cx.signals.extend(strange.map(|record| Signal::Check { record, from }));
        for record in records {
            match record.sense(&self.config.network, cx.wall) {
                Err(fault) => absurd |= fault == Fault::AbsurdRecord,
                Ok(()) => match self.news(&record) {
                    News::Wins if wins < wins_max => {
                        wins += 1;
                        cx.signals.push_back(Signal::Check { record, from });
                    }
                    News::Unheard if heard < HEARD_PER_LIST => {
                        heard += 1;
                        cx.signals.push_back(Signal::Check { record, from });
                    }
                    News::Wins | News::Unheard | News::None => {}
                },
            }
        }
        if absurd {
            cx.fault(from, Fault::AbsurdRecord);
        }
    }

    fn news(&mut self, record: &SignedRecord) -> News {
        let said = record.record();
        if let Some(member) = self.directory.member(&said.id) {
            // To be told of again counts: whoever is told of most is asked last.
            let place = member.place;
            let known = member.record.as_ref().map(|known| known.record().number);
            self.offer(said.id, place);
            return if known < Some(said.number) { News::Wins } else { News::None };
        }
        let waits = || self.tried.contains_key(&said.id) || self.trials.holds(&said.id);
        if self.would_win(&said.id, self.place_said(record)) && !waits() {
            return News::Wins;
        }
        let known = self.book.contact(&said.id).map(|contact| contact.number);
        if known < Some(said.number) { News::Unheard } else { News::None }
    }

    /// A record is its peer's.
    pub(super) fn verified(
        &mut self,
        record: Verified<SignedRecord>,
        from: NodeId,
        group: Group,
        remote: Option<IpAddr>,
        cx: &mut Cx<'_>,
    ) {
        let peer = record.record().id;
        let source = Source { peer: from, ip: remote };
        if self.book.learn(Contact::from(&record), &source, cx.wall, cx.rng).is_err() {
            // Nowhere that we may dial.
            return;
        }
        if let Some(member) = self.directory.member(&peer) {
            let place = member.place;
            let is_there = |address: &Address| ip_of(address) == place.ip();
            // Where the operator said that it is may be another of its addresses.
            let is_named =
                self.directory.contact(&peer).is_some_and(|all| all.iter().any(is_there));
            if is_named || says(&record, place) {
                self.directory.sign(&record);
                // To sign records is not to be reached again: it moves there once, and is not kept fresh by it.
                if self.book.shelf(&peer) != Some(Shelf::Tried) {
                    self.book.tried(&peer, place.ip(), cx.wall);
                }
                return;
            }
            self.drop(&peer, cx.rng);
        }
        let seen = self.met.get(&peer).map(|remote| self.place(*remote));
        if let Some(place) = seen {
            // It is connected, so it cannot be dialled; but it is where it says. That somebody listens there is for
            // a later dial to show, so the book does not count it.
            if says(&record, place) {
                self.tried.insert(peer, record);
                self.found(peer, place);
            }
        } else if self.would_win(&peer, self.place_said(&record)) {
            let is_asked = self.exchange.has_answered(&from, cx.now);
            self.trials.add(Teller { group, is_asked }, record, cx.rng);
        }
    }
}

/// Whether a record names an address at a place.
fn says(record: &SignedRecord, place: Place) -> bool {
    let addresses = &record.record().addresses;
    place == Place::UNKNOWN || addresses.iter().any(|address| ip_of(address) == place.ip())
}

fn tell(to: NodeId, frame: &Frame, cx: &mut Cx<'_>) {
    cx.order(Effect::Send { to, class: Class::Peers, frame: frame.encode() });
}
