//! How news spreads, and how tables are compared.
//!
//! News travels at once, a bounded number of times, in a share of bandwidth of its own. Whoever is left out finds out when it
//! compares its table with a peer's ([`reconcile`](crate::sync::reconcile)), and sends and asks for the records that one of the two lacks.

use core::time::Duration;
use std::collections::BTreeSet;

use forsooth_crypto::{NodeId, Verified};
use rand_core::Rng as _;

use super::{
    Membership,
    accusation::SignedAccusation,
    jitter,
    probing::tell,
    record::SignedMember,
    rumours::{Rumour, tellings},
    table::Why,
};
use crate::{
    Class, Effect,
    machine::{Cx, below},
    sync::{
        Item,
        reconcile::{Question, Reply},
    },
    time::Time,
    wire::{Frame, WANTED_MAX},
};

/// Comparisons, obituaries and the like that one peer is answered at once, and how soon one more.
pub(super) const REQUESTS_BURST: u32 = 32;
pub(super) const REQUESTS_EVERY: Duration = Duration::from_secs(1);
/// Records that one peer is sent at once because it asked, and how soon one more.
pub(super) const SERVED_BURST: u32 = 20_000;
pub(super) const SERVED_EVERY: Duration = Duration::from_millis(20);
/// Questions of comparisons that one peer is answered at once, and how soon one more.
pub(super) const QUESTIONS_BURST: u32 = 64;
pub(super) const QUESTIONS_EVERY: Duration = Duration::from_secs(1);
/// Records that are asked for, or sent, after one comparison: about as many as wait for a link.
const AT_ONCE: usize = 1_024;
/// Bytes of a frame of records that were asked for.
const FRAME_BYTES: usize = 32 << 10;
/// How soon tables are compared again while there is much to learn.
const SYNC_AT_FIRST: Duration = Duration::from_secs(1);
/// New members that are few.
const FEW: usize = 4;
/// Names of records that were asked for and have not come.
pub(super) const ASKED_MAX: usize = 16_384;
/// Peers that are asked about somebody who is accused.
const ASKED_AROUND: usize = 3;
/// Peers that are told at once that this node leaves.
const FAREWELLS: usize = 8;

/// When tables are compared.
#[derive(Debug, Default)]
pub(super) struct Pace {
    at: Option<Time>,
    interval: Duration,
    /// Members that came since the last comparison, by whatever way.
    strangers: usize,
    /// Somebody has answered since the last comparison: nothing new means that there is nothing new.
    answered: bool,
    /// Records that are old.
    old: BTreeSet<u64>,
}

impl Pace {
    pub(super) const fn at(&self) -> Option<Time> {
        self.at
    }

    /// This record was asked for.
    pub(super) fn note(&mut self, name: u64) {
        if self.old.len() >= ASKED_MAX {
            self.old.clear();
        }
        self.old.insert(name);
    }

    /// Whether this record was asked for. Asked once.
    pub(super) fn take(&mut self, name: u64) -> bool {
        self.old.remove(&name)
    }

    /// Somebody is a member who was not: many at a time are more than news alone brings to everybody.
    pub(super) const fn meet_stranger(&mut self) {
        self.strangers = self.strangers.saturating_add(1);
    }

    pub(super) fn len(&self) -> usize {
        self.old.len()
    }
}

impl Membership {
    /// Has news told to all, but to whom it came from.
    pub(super) fn spread(&mut self, rumour: Rumour, from: Option<NodeId>, cx: &mut Cx<'_>) {
        self.rumours.add(rumour, from);
        if self.gossip_at.is_none() {
            let soon = self
                .settings
                .gossip_every
                .mul_f64(f64::from(cx.rng.next_u32()) / f64::from(u32::MAX));
            self.gossip_at = Some(cx.now + soon);
        }
    }

    /// Tells a few peers what is new, if it is time.
    pub(super) fn gossip(&mut self, cx: &mut Cx<'_>) {
        if self.gossip_at.is_none_or(|at| cx.now < at) {
            return;
        }
        let tellings = tellings(self.table.len() + 1);
        for peer in self.some_peers(usize::from(self.settings.gossip_fanout), cx) {
            let bytes = usize::try_from(self.settings.gossip_bytes).unwrap_or(usize::MAX);
            let (members, accusations) = self.rumours.take(&peer, bytes, tellings, cx.now);
            if members.is_empty() && accusations.is_empty() {
                continue;
            }
            let members = members.into_iter().map(|record| (*record).clone()).collect();
            let accusations = accusations.into_iter().map(|one| (*one).clone()).collect();
            tell(peer, &Frame::Rumours { members, accusations, asked: false }, cx);
        }
        // While nobody is connected, what is new waits.
        let waits = self.rumours.is_empty();
        self.gossip_at = (!waits).then(|| cx.now + self.settings.gossip_every);
    }

    /// Some connected peers, by chance.
    pub(super) fn some_peers(&self, count: usize, cx: &mut Cx<'_>) -> Vec<NodeId> {
        let mut peers: Vec<NodeId> = self.met.iter().copied().collect();
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count && !peers.is_empty() {
            let at = below(cx.rng, peers.len());
            chosen.push(peers.swap_remove(at));
        }
        chosen
    }

    /// This node leaves.
    pub(super) fn tell_all(&self, record: &Verified<SignedMember>, cx: &mut Cx<'_>) {
        for peer in self.some_peers(FAREWELLS, cx) {
            self.send_records(peer, core::slice::from_ref(record), cx);
        }
    }

    pub(super) fn send_records(
        &self,
        to: NodeId,
        records: &[Verified<SignedMember>],
        cx: &mut Cx<'_>,
    ) {
        let members = records.iter().map(|record| (**record).clone()).collect();
        tell(to, &Frame::Rumours { members, accusations: Vec::new(), asked: false }, cx);
    }

    pub(super) fn send_accusations(
        &self,
        to: NodeId,
        accusations: &[Verified<SignedAccusation>],
        cx: &mut Cx<'_>,
    ) {
        let accusations = accusations.iter().map(|one| (**one).clone()).collect();
        tell(to, &Frame::Rumours { members: Vec::new(), accusations, asked: false }, cx);
    }

    /// A peer is here: it is told if it counts as dead, and if it is the first, tables are compared.
    pub(super) fn bring_news(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.tell_of_grave(&peer, peer, cx);
        if self.pace.at.is_none() {
            self.pace.interval = SYNC_AT_FIRST;
            self.pace.at = Some(cx.now + SYNC_AT_FIRST);
            self.ask_for_table(peer, cx);
        }
    }

    /// A peer holds somebody for alive who is not, or is so itself.
    pub(super) fn tell_of_grave(&mut self, id: &NodeId, to: NodeId, cx: &mut Cx<'_>) {
        let Some(grave) = self.table.grave(id).filter(|_| self.table.get(id).is_none()) else {
            return;
        };
        if self.requests.take(to, 1, cx.now) == 0 {
            return;
        }
        match &grave.why {
            Why::Left(record) => self.send_records(to, core::slice::from_ref(record), cx),
            Why::Died(certificate) => self.send_accusations(to, &certificate.accusations, cx),
            Why::Equivocated => {}
        }
    }

    /// Compares tables with somebody, if it is time.
    pub(super) fn compare(&mut self, cx: &mut Cx<'_>) {
        if self.pace.at.is_none_or(|at| cx.now < at) {
            return;
        }
        let Some(peer) = self.some_peers(1, cx).first().copied() else {
            // Whoever is met next, is asked at once.
            self.pace.at = None;
            return;
        };
        self.ask_for_table(peer, cx);
        if core::mem::take(&mut self.pace.strangers) > FEW {
            self.pace.interval = SYNC_AT_FIRST;
        } else if core::mem::take(&mut self.pace.answered) {
            let doubled = self.pace.interval.saturating_mul(2);
            self.pace.interval = doubled.min(self.settings.sync_every);
        }
        self.pace.at = Some(cx.now + jitter(self.pace.interval, cx));
    }

    fn ask_for_table(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        self.sessions.open(peer, self.table.index(), cx);
    }

    /// A peer asks where tables differ.
    pub(super) fn asked(&mut self, from: NodeId, question: &Question, cx: &mut Cx<'_>) {
        // A link may outlive the cut in which its peer died to us.
        self.tell_of_grave(&from, from, cx);
        if self.questions.take(from, 1, cx.now) > 0 {
            self.sessions.answer(from, self.table.index(), question, cx);
        }
    }

    /// A peer replies. When it is known where tables differ, it is sent what it lacks, and asked for what we lack.
    pub(super) fn replied(&mut self, from: NodeId, reply: Reply, cx: &mut Cx<'_>) {
        let Some(difference) = self.sessions.hear(from, reply, self.table.index(), cx) else {
            return;
        };
        self.pace.answered = true;
        let lacks = some_names(&difference.ours, AT_ONCE, cx);
        self.send_table(from, &lacks, cx);
        let room = usize::try_from(self.strangers.left(&from, cx.now)).unwrap_or(usize::MAX);
        let mut names = some_names(&difference.theirs, AT_ONCE.min(room), cx);
        names.retain(|name| self.table.named(*name).is_none());
        if !names.is_empty() {
            tell(from, &Frame::Want { names, members: Vec::new() }, cx);
        }
    }

    /// A peer wants records.
    pub(super) fn serve(
        &mut self,
        from: NodeId,
        names: &[u64],
        members: &[NodeId],
        cx: &mut Cx<'_>,
    ) {
        self.send_table(from, names, cx);
        for id in members {
            let known = if *id == self.config.me {
                self.table.own().cloned()
            } else {
                self.table.get(id).map(|entry| entry.record.clone())
            };
            match known {
                Some(record) if self.served.take(from, 1, cx.now) > 0 => {
                    self.send_records(from, &[record], cx);
                }
                Some(_) => {}
                None => self.tell_of_grave(id, from, cx),
            }
        }
    }

    /// Asks a few peers what they know of those who are accused, before any is certified dead here: news may have missed us.
    pub(super) fn ask_around(&mut self, cx: &mut Cx<'_>) {
        let mut members = self.court.doubted(cx.now);
        members.truncate(WANTED_MAX);
        if members.is_empty() {
            return;
        }
        for peer in self.some_peers(ASKED_AROUND, cx) {
            tell(peer, &Frame::Want { names: Vec::new(), members: members.clone() }, cx);
        }
    }

    fn send_table(&mut self, to: NodeId, names: &[u64], cx: &mut Cx<'_>) {
        let wanted = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let granted = self.served.take(to, wanted, cx.now);
        let granted = usize::try_from(granted).unwrap_or(usize::MAX);
        let records = names.iter().filter_map(|name| self.table.named(*name)).take(granted);
        let mut members: Vec<SignedMember> = Vec::new();
        let mut bytes = 0;
        for record in records {
            bytes += record.wire_bytes();
            members.push((**record).clone());
            if bytes >= FRAME_BYTES {
                bytes = 0;
                send_asked(to, core::mem::take(&mut members), cx);
            }
        }
        if !members.is_empty() {
            send_asked(to, members, cx);
        }
    }
}

/// Behind all that is more urgent.
fn send_asked(to: NodeId, members: Vec<SignedMember>, cx: &mut Cx<'_>) {
    let frame = Frame::Rumours { members, accusations: Vec::new(), asked: true }.encode();
    cx.order(Effect::Send { to, class: Class::Peers, frame });
}

/// The names of so many of these, from a random one on: there may be more than is told at once.
fn some_names(items: &[Item], max: usize, cx: &mut Cx<'_>) -> Vec<u64> {
    let first = below(cx.rng, items.len());
    items.iter().cycle().skip(first).take(max.min(items.len())).map(name).collect()
}

/// What a record is called of which this is the digest.
fn name(item: &Item) -> u64 {
    u64::from_be_bytes(*item.id().first_chunk().expect("32 bytes begin with 8"))
}
