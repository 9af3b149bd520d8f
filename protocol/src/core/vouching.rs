//! Vouches: what peers say that they hold, by full ids, by names and by announcements, and what witnesses are asked.

use forsooth_crypto::NodeId;

use super::Core;
use crate::{
    Fault, Time,
    acceptance::{self, Event::Vouched},
    gossip::{self, Heard, Named, Repeated},
    links::{self, Role},
    message::{MessageId, Slot},
    network::TopicId,
    short_id::ShortId,
    wire::{Announce, DATA_FRAME_OVERHEAD_MAX},
};

impl Core {
    /// A peer vouches by names that only the two of us know.
    pub(super) fn vouched_in_short(&mut self, from: NodeId, names: &[ShortId]) {
        let Some(role) = self.links.get(&from).map(|link| link.role()) else { return };
        let Heard { held, expected } = self.gossip.told(&from, role, names, self.now);
        if !held.is_empty() {
            self.tell_links(links::Event::Told { peer: from, messages: held.len() });
            self.count_vouches(from, held);
        }
        expected.into_iter().for_each(|(topic, id)| self.vouched(from, topic, vec![id], self.now));
    }

    /// Whether a payload is a vouch: who sends it stands behind it. Where messages are kept it is sent before it is on disk, and
    /// vouched for afterwards; but its author has it on disk first.
    pub(super) fn is_vouch(&self, slot: &Slot, from: &NodeId) -> bool {
        !self.is_kept(slot.topic) || slot.author == *from
    }

    /// A peer says that it is sending a large message, or would; which is a vouch, where messages are not kept.
    pub(super) fn announced(&mut self, from: NodeId, announce: Announce) {
        let Announce { topic, id, bytes, sent } = announce;
        let Some(role) = self.links.get(&from).map(|link| link.role()) else { return };
        let payload_max = self.network.topic(topic).payload_bytes_max as usize;
        if bytes as usize > payload_max.saturating_add(DATA_FRAME_OVERHEAD_MAX) {
            return self.accuse(from, Fault::BadPayload);
        }
        if self.knows(&id) || self.intake.holds(&id) {
            // What it offers is here: a link too many, which has cost no payload.
            if let Some(author) = self.gossip.author(&id).filter(|_| !sent) {
                let what = Repeated::Offered;
                self.tell_gossip(gossip::Event::Duplicate { topic, author, from, what });
            }
        } else {
            for named in self.gossip.expect(&from, topic, id) {
                self.understood(named, id, topic);
            }
            self.tell_gossip(gossip::Event::Announced { from, role, announce });
        }
        if self.is_kept(topic) {
            self.holds(from, topic, &[id], self.now);
        } else {
            self.vouched(from, topic, vec![id], self.now);
        }
    }

    /// A peer vouches by full ids, which may explain names that it and others have told us.
    pub(super) fn vouched_in_full(
        &mut self,
        from: NodeId,
        topic: TopicId,
        mut ids: Vec<MessageId>,
    ) {
        let mut named = Vec::new();
        ids.retain(|id| {
            let whose = self.gossip.answered(&from, id);
            let is_new = whose.is_empty();
            named.extend(whose.into_iter().map(|named| (named, *id)));
            is_new
        });
        if !ids.is_empty() {
            self.vouched(from, topic, ids, self.now);
        }
        named.into_iter().for_each(|(named, id)| self.understood(named, id, topic));
    }

    /// A message is here that some may have named before we knew what they meant.
    pub(super) fn recognise(&mut self, id: &MessageId, topic: TopicId) {
        for named in self.gossip.recognise(id) {
            self.understood(named, *id, topic);
        }
    }

    /// A vouch that came some time ago is understood.
    pub(super) fn understood(&mut self, named: Named, id: MessageId, topic: TopicId) {
        let Named { peer, since, grafted } = named;
        if grafted.is_some()
            && !self.knows(&id)
            && let Some(role) = self.links.get(&peer).map(|link| link.role())
        {
            self.tell_gossip(gossip::Event::Promised { id, topic, role, named });
        }
        self.vouched(peer, topic, vec![id], since);
    }

    /// A peer vouches for these, which it has had since then.
    pub(super) fn vouched(
        &mut self,
        from: NodeId,
        topic: TopicId,
        ids: Vec<MessageId>,
        since: Time,
    ) {
        self.holds(from, topic, &ids, since);
        self.count_vouches(from, ids);
    }

    /// A peer says that it has had these since then.
    fn holds(&mut self, from: NodeId, topic: TopicId, ids: &[MessageId], since: Time) {
        let Some(role) = self.links.get(&from).map(|link| link.role()) else { return };
        let lacking: Vec<_> = ids.iter().filter(|id| !self.knows(id)).copied().collect();
        let messages = ids.len() - lacking.len();
        self.tell_links(links::Event::Told { peer: from, messages });
        if !lacking.is_empty() {
            let checking: Vec<_> =
                lacking.iter().filter(|id| self.intake.holds(id)).copied().collect();
            let event = gossip::Event::Vouched { from, role, topic, ids: lacking, since };
            self.tell_gossip(event);
            checking.into_iter().for_each(|id| self.tell_gossip(gossip::Event::Checking { id }));
        }
    }

    /// Counts vouches for messages that are not decided, if they come from a witness.
    pub(super) fn count_vouches(&mut self, from: NodeId, mut ids: Vec<MessageId>) {
        if !self.acceptance.counts_vouches() {
            return;
        }
        let Some(witness) = self.links.witness(&from) else {
            return;
        };
        ids.retain(|id| self.acceptance.waits(id) || !(self.knows(id) || self.gossip.refused(id)));
        self.tell_acceptance(Vouched { witness, ids });
    }

    /// Asks each witness about those of these messages for which it has not vouched.
    pub(super) fn ask_witnesses(&mut self, ids: &[MessageId]) {
        let witnesses = self.links.joined().filter(|(_, link)| link.role() == Role::Witness);
        let witnesses: Vec<_> = witnesses.map(|(peer, _)| peer).collect();
        for to in witnesses {
            let silent = ids.iter().filter(|id| !self.acceptance.has_vouched(id, &to));
            let ids: Vec<_> = silent.copied().collect();
            if !ids.is_empty() {
                self.tell_gossip(gossip::Event::Ask { to, ids });
            }
        }
    }

    /// A peer that was asked does not vouch for these.
    pub(super) fn unknown(&mut self, from: NodeId, names: &[ShortId]) {
        let ids = self.gossip.unknown(&from, names);
        if self.links.witness(&from).is_some() && !ids.is_empty() {
            self.tell_acceptance(acceptance::Event::Unknown { ids });
        }
    }
}
