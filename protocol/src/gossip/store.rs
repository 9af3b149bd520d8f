//! Messages that a peer may still ask for, and ids that are not worth asking for.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;

use crate::{
    agenda::Agenda,
    bounded::FairMap,
    message::{MessageId, Publication},
    network::TopicId,
    snapshot::Bound,
    time::Time,
    wire::IDS_MAX,
};

/// Bytes of stored messages, each charged to the link that brought it. Recommended: what a minute brings.
const STORE_BYTES_MAX: usize = 64 << 20;
/// What a stored message weighs beyond its frame.
const OVERHEAD_BYTES: usize = 512;
/// A message can still be asked for so long after it expired, so that a promise to serve it, given while it
/// was alive, is not broken by the clock.
const GRACE: Duration = Duration::from_secs(10);
/// Times that one peer may ask for one message, whether it was pushed to it or not: what is pushed may be lost in a full queue.
const SERVES_MAX: u8 = 1;
/// What was pushed so lately is on its way, and is not sent again because a graft has crossed it.
const CROSSING: Duration = Duration::from_secs(2);
/// Ids of verified messages that were refused, each charged to the link that brought it.
const REFUSED_MAX: usize = 65_536;
/// Askers remembered for one message; more than there are links.
const ASKERS_MAX: usize = 256;
/// Messages looked at when a newcomer is told what is here.
const RECENT_MAX: usize = 8192;
/// Expired entries are swept this often.
const SWEEP: Duration = Duration::from_secs(1);

/// What may be asked for.
#[derive(Debug)]
pub(super) struct Store {
    messages: FairMap<MessageId, Option<NodeId>, Stored>,
    refused: FairMap<MessageId, NodeId, ()>,
    /// Stored messages by the end of their grace.
    expiry: Agenda<Time, MessageId>,
}

#[derive(Debug)]
struct Stored {
    frame: Bytes,
    topic: TopicId,
    author: NodeId,
    unsent: bool,
    /// When it came here, and was pushed to these.
    since: Time,
    pushed: Vec<NodeId>,
    /// It was announced to these, which may ask.
    offered: Vec<NodeId>,
    /// When it may be forgotten, after its grace.
    expires: Time,
    served: BTreeMap<NodeId, u8>,
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Serve {
    /// Here it is, since then.
    Frame(Bytes, Time),
    /// Here it is, and it was offered.
    Offered(Bytes),
    /// Here it is, but it was pushed a moment ago.
    Crossed(Bytes),
    /// Here it is, but it was sent often enough.
    Greedy(Bytes),
    /// It is not here, or not any more.
    Unknown,
}

/// Who got a message when it came, in which way.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Whole.
    pub(super) pushed: Vec<NodeId>,
    /// Its announcement.
    pub(super) offered: Vec<NodeId>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            messages: FairMap::new(STORE_BYTES_MAX),
            refused: FairMap::new(REFUSED_MAX),
            expiry: Agenda::new(),
        }
    }
}

impl Store {
    pub(super) fn insert(
        &mut self,
        message: &Publication,
        from: Option<NodeId>,
        [since, expires]: [Time; 2],
        Told { pushed, offered }: Told,
    ) {
        let expires = expires + GRACE;
        let unsent = from.is_none() && pushed.is_empty() && offered.is_empty();
        let (slot, frame) = (message.header().slot, message.frame().clone());
        let weight = frame.len().saturating_add(OVERHEAD_BYTES);
        self.expiry.insert((expires, message.id()));
        let (topic, author, served) = (slot.topic, slot.author, BTreeMap::new());
        let stored =
            Stored { frame, topic, author, unsent, since, pushed, offered, expires, served };
        for (id, stored) in self.messages.insert(message.id(), from, weight, stored) {
            self.expiry.remove(&(stored.expires, id));
        }
    }

    /// Who wrote a message that is here.
    pub(super) fn author(&self, id: &MessageId) -> Option<NodeId> {
        self.messages.get(id).map(|stored| stored.author)
    }

    /// What a peer gets that asks for a message.
    pub(super) fn ask(&self, id: &MessageId, to: &NodeId, now: Time) -> Serve {
        let Some(stored) = self.messages.get(id) else {
            return Serve::Unknown;
        };
        let frame = stored.frame.clone();
        if stored.served.get(to).is_some_and(|served| *served >= SERVES_MAX) {
            Serve::Greedy(frame)
        } else if stored.offered.contains(to) {
            Serve::Offered(frame)
        } else if stored.pushed.contains(to) && now.since(stored.since) < CROSSING {
            Serve::Crossed(frame)
        } else {
            Serve::Frame(frame, stored.since)
        }
    }

    /// A peer is sent a message because it asked.
    pub(super) fn served(&mut self, id: &MessageId, to: NodeId) {
        let Some(stored) = self.messages.get_mut(id) else { return };
        if stored.served.len() >= ASKERS_MAX && !stored.served.contains_key(&to) {
            stored.served.pop_first();
        }
        let served = stored.served.entry(to).or_default();
        *served = served.saturating_add(1);
    }

    /// Our own messages that were published when nobody was linked.
    pub(super) fn take_unsent(&mut self) -> Vec<Bytes> {
        let unsent: Vec<_> =
            self.messages.iter().filter(|(_, stored)| stored.unsent).map(|(id, _)| *id).collect();
        let take = |id: MessageId| {
            let stored = self.messages.get_mut(&id)?;
            stored.unsent = false;
            Some(stored.frame.clone())
        };
        unsent.into_iter().filter_map(take).collect()
    }

    /// What is here and alive, by topic: the last to expire, at most one vouch frame for each topic.
    pub(super) fn recent(&self, now: Time) -> BTreeMap<TopicId, Vec<MessageId>> {
        let mut recent: BTreeMap<TopicId, Vec<MessageId>> = BTreeMap::new();
        let alive = self.expiry.iter().rev().take(RECENT_MAX);
        for (_, id) in alive.take_while(|(expires, _)| *expires > now + GRACE) {
            let Some(stored) = self.messages.get(id) else { continue };
            let ids = recent.entry(stored.topic).or_default();
            if ids.len() < IDS_MAX {
                ids.push(*id);
            }
        }
        recent
    }

    pub(super) fn refuse(&mut self, id: MessageId, from: NodeId) {
        self.refused.insert(id, from, 1, ());
    }

    pub(super) fn refused(&self, id: &MessageId) -> bool {
        self.refused.contains(id)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.expiry.first().map(|(expires, _)| *expires + SWEEP)
    }

    pub(super) fn expire(&mut self, now: Time) {
        while let Some((expires, id)) = self.expiry.first()
            && *expires <= now
        {
            self.messages.remove(id);
            self.expiry.pop_first();
        }
    }

    pub(super) fn bounds(&self) -> [Bound; 2] {
        let (messages, refused) = (&self.messages, &self.refused);
        [
            Bound {
                name: "gossip.store_bytes",
                used: messages.weight(),
                max: messages.weight_max(),
            },
            Bound { name: "gossip.refused", used: refused.weight(), max: refused.weight_max() },
        ]
    }
}

#[cfg(test)]
mod tests {
    use core::iter::successors;

    use forsooth_crypto::Keypair;

    use super::*;
    use crate::{
        message::Slot,
        network::{Defence, Kind, Network, Policy, Topic},
        time::Timestamp,
    };

    fn network() -> Network {
        let topics = ["a", "b"].map(|name| Topic::new(name, Policy::Verified)).to_vec();
        Network::new("store", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap()
    }

    fn message(network: &Network, topic: &str, seq: u64) -> Publication {
        let keypair = Keypair::from_seed([1; 32]);
        let topic = network.topic_id(topic).unwrap();
        let slot = Slot { author: keypair.id(), topic, generation: 1, seq };
        let (now, life) = (Timestamp::from_millis(1_000_000), Duration::from_secs(60));
        Publication::sign(slot, now, life, Bytes::from_static(b"x"), &keypair, network)
    }

    fn peer(tag: u16) -> NodeId {
        let [high, low] = tag.to_be_bytes();
        let mut id = [high; 32];
        id[1] = low;
        NodeId::from_bytes(id)
    }

    const fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    #[test]
    fn a_bounded_number_of_askers_is_remembered() {
        let mut store = Store::default();
        let message = message(&network(), "a", 0);
        store.insert(&message, None, [at(0), at(60)], Told::default());
        (0..1000).for_each(|tag| store.served(&message.id(), peer(tag)));
        let stored = store.messages.get_mut(&message.id()).unwrap();
        assert_eq!(stored.served.len(), ASKERS_MAX);
    }

    #[test]
    fn a_newcomer_costs_a_bounded_look_at_the_last_to_expire() {
        let (mut store, network) = (Store::default(), network());
        let forgotten = message(&network, "b", 0);
        store.insert(&forgotten, None, [at(0), at(50)], Told::default());
        let seqs = successors(Some(0), |seq| Some(seq + 1)).take(RECENT_MAX);
        let told = Told::default;
        seqs.for_each(|seq| {
            store.insert(&message(&network, "a", seq), None, [at(0), at(60)], told());
        });
        let recent = store.recent(at(0));
        assert_eq!(recent.values().map(Vec::len).collect::<Vec<_>>(), [IDS_MAX]);
    }
}
