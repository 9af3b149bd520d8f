//! Anti-entropy: what this node missed, from those who have it.
//!
//! Demers et al., "Epidemic Algorithms for Replicated Database Maintenance" (PODC 1987): push-pull with random peers. A
//! comparison with a witness, or with a peer that is [visited](visits), tells what each side lacks. What is lacking here is fetched, a batch at a time; what the other lacks
//! is offered to it, and it fetches it in turn. Nobody is believed alone: see [`rounds`] for who is asked after a server, and
//! [`doubts`] for what follows if it hid something. What is in the index is vouched for, so a comparison is also the
//! vouches of the other side.
//!
//! It promises that whatever others say, each comparison and each fetch ends, and costs no more than the bounds in
//! `docs/protocol.md`. It does not verify, accept, relay or store: the core has that done with what was pulled.

mod comparing;
mod disk;
mod doubts;
mod event;
mod pulling;
mod rounds;
mod serving;
mod shelf;
mod topic;
mod visits;
mod wants;

use core::time::Duration;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use forsooth_crypto::NodeId;

use self::{
    doubts::Doubts,
    rounds::{Finding, Rounds},
    serving::{For, Serving},
    topic::Topic,
    wants::Wants,
};
use super::{Item, SketchKey};
use crate::{
    Class, Effect,
    bounded::FairMap,
    budget::{BUDGETS_MAX, Budgets},
    defences::Defences,
    group::Group,
    held::Held,
    machine::{Cx, Machine},
    message::{MessageId, SignedHeader, Slot},
    network::{Network, TopicId},
    snapshot::{Bound, SyncState},
    time::Time,
    wire::Frame,
};

pub(crate) use self::event::Event;
pub use self::rounds::CHECKS;
pub(crate) use self::shelf::item;

/// Messages asked for at a time.
const FETCH: usize = 512;
/// KiB that one peer may fetch at once, and how soon one more. It is served while it has as much left as one read may bring.
const SERVED_BURST: u32 = 64 << 10;
const SERVED_EVERY: Duration = Duration::from_millis(1);
const READ_KIB: u32 = 1 << 10;
/// Bytes that one request brings at most, and one message more: what others read at once.
const REQUEST_BYTES: usize = 1 << 20;
/// Comparisons that this node has opened, on all topics.
const OPEN_MAX: usize = 16;
/// Whoever hid something is not asked for so long.
const MISTRUST: Duration = Duration::from_secs(3600);
/// Peers that are mistrusted; more than there are links.
const MISTRUSTED_MAX: usize = 1024;
/// What was refused is not fetched again for so long.
const REFUSAL: Duration = Duration::from_secs(600);
/// Messages that were refused, each charged to who had it.
const REFUSED_MAX: usize = 65_536;
/// Whoever was late may still send what it was asked for, so long after it is not waited for any more.
const FORGIVEN: Duration = Duration::from_secs(60);
/// Ids remembered of what is on disk and may still come by gossip.
const REMEMBERED_MAX: usize = 262_144;
/// Conflicts that wait for the disk.
const CONFLICTS_MAX: usize = 64;

/// Synchronisation of all topics that keep their messages.
#[derive(Debug)]
pub(crate) struct Sync {
    network: Arc<Network>,
    defences: Defences,
    topics: BTreeMap<TopicId, Topic>,
    /// Whom this node chose and trusts, and which of them count as one.
    witnesses: BTreeMap<NodeId, Group>,
    /// Peers that are compared with in passing.
    visiting: BTreeSet<NodeId>,
    serving: Serving,
    /// KiB that each peer may still fetch.
    served: Budgets<NodeId>,
    reads: BTreeMap<u64, Read>,
    next_read: u64,
    mistrusted: BTreeMap<NodeId, Time>,
    refused: FairMap<Item, NodeId, Time>,
    /// On disk since an earlier life, and so fresh that others may still tell of it.
    remembered: BTreeSet<MessageId>,
    /// On disk since an earlier life, and not accepted in it.
    open: VecDeque<(TopicId, MessageId)>,
    restoring: BTreeSet<MessageId>,
    /// When it is next due.
    due: Option<Time>,
}

/// What is read from disk, and why.
#[derive(Debug)]
enum Read {
    /// A peer asked for it.
    Serve(For),
    /// It has the slot of another message.
    Conflict(Box<SignedHeader>),
    /// It was not accepted in an earlier life.
    Restore { topic: TopicId },
}

impl Sync {
    /// For a network, if any of its topics keeps messages.
    pub(crate) fn new(network: Arc<Network>, defences: Defences) -> Option<Self> {
        let key = SketchKey::of(&network);
        let topic = |(id, topic): (TopicId, &crate::network::Topic)| {
            let retention = topic.retention?.time;
            Some((id, Topic::new(retention, key)))
        };
        let topics: BTreeMap<_, _> = network.topics().filter_map(topic).collect();
        (!topics.is_empty()).then(|| Self {
            network,
            defences,
            topics,
            witnesses: BTreeMap::new(),
            visiting: BTreeSet::new(),
            serving: Serving::default(),
            served: Budgets::new(SERVED_BURST, SERVED_EVERY),
            reads: BTreeMap::new(),
            next_read: 0,
            mistrusted: BTreeMap::new(),
            refused: FairMap::new(REFUSED_MAX),
            remembered: BTreeSet::new(),
            open: VecDeque::new(),
            restoring: BTreeSet::new(),
            due: None,
        })
    }

    /// Whether a message was on disk when this life began, so that it is no news.
    pub(crate) fn remembers(&self, id: &MessageId) -> bool {
        self.remembered.contains(id)
    }

    /// Whether a message is here, accepted or not.
    pub(crate) fn holds(&self, topic: TopicId, item: &Item) -> bool {
        self.topics.get(&topic).is_some_and(|topic| topic.shelf.contains(item))
    }

    /// Whether a message that is being checked was pulled.
    pub(crate) fn is_pulling(&self, topic: TopicId, item: &Item) -> bool {
        self.topics.get(&topic).is_some_and(|topic| topic.wants.is_checking(item))
    }

    /// Whether a message that is being checked comes from our own disk. Said once.
    pub(crate) fn is_restored(&mut self, id: &MessageId) -> bool {
        self.restoring.remove(id)
    }

    /// Who says that it has a message that was pulled.
    pub(crate) fn holders(&self, topic: TopicId, item: &Item) -> Vec<NodeId> {
        self.topics.get(&topic).map(|topic| topic.wants.holders(item)).unwrap_or_default()
    }

    /// Whether a message may have been dealt with here, and let go since: its topic keeps later ones.
    pub(crate) fn has_let_go(&self, topic: TopicId, item: &Item) -> bool {
        self.topics.get(&topic).is_some_and(|topic| topic.shelf.has_let_go(item))
    }

    /// Whether a message is among those that are compared with others'.
    pub(crate) fn compares(&self, topic: TopicId, item: &Item) -> bool {
        self.topics.get(&topic).is_some_and(|topic| topic.shelf.view().contains(item))
    }

    /// The message that has a slot, if it is another than this.
    pub(crate) fn conflict(&self, slot: &Slot, item: &Item) -> Option<Item> {
        let taken = self.topics.get(&slot.topic)?.shelf.taken(slot)?;
        (taken.id() != item.id()).then_some(taken)
    }

    /// Whether it has yet to turn out if a witness hides something, so that it is not to be replaced.
    pub(crate) fn detains(&self, peer: &NodeId, now: Time) -> bool {
        self.topics.values().any(|topic| topic.doubts.detains(peer, now))
    }

    /// How each topic stands.
    pub(crate) fn topics(&self, now: Time) -> BTreeMap<TopicId, SyncState> {
        let state = |(id, topic): (&TopicId, &Topic)| (*id, topic.state(&self.witnesses, now));
        self.topics.iter().map(state).collect()
    }

    /// How full the collections are.
    pub(crate) fn bounds(&self, links: usize) -> Vec<Bound> {
        let topics = self.topics.len();
        // Witnesses come and go; what they have brought stays.
        let pending_max = Topic::pending_max(links);
        let bound = |name, used: usize, max: usize| Bound { name, used, max };
        let sum = |of: fn(&Topic) -> usize| self.topics.values().map(of).sum::<usize>();
        vec![
            bound("sync.comparisons", sum(|topic| topic.rounds.len()), Rounds::max() * topics),
            bound("sync.wanted", sum(|topic| topic.wants.len()), Wants::max() * topics),
            bound("sync.pending", sum(|topic| topic.shelf.pending().0), pending_max * topics),
            bound("sync.again", sum(|topic| topic.again.len()), Topic::again_max() * topics),
            bound(
                "sync.doubts",
                sum(|topic| topic.doubts.len()),
                Doubts::max(links.max(1)) * topics,
            ),
            bound("sync.serving", self.serving.len(), links * topics),
            bound("sync.served", self.served.len(), BUDGETS_MAX),
            bound("sync.refused", self.refused.weight(), self.refused.weight_max()),
            bound("sync.remembered", self.remembered.len(), REMEMBERED_MAX),
            bound("sync.mistrusted", self.mistrusted.len(), MISTRUSTED_MAX),
        ]
    }

    fn send(to: NodeId, frame: &Frame, cx: &mut Cx<'_>) {
        cx.order(Effect::Send { to, class: Class::Sync, frame: frame.encode() });
    }

    fn leave(&mut self, peer: NodeId) {
        self.visiting.remove(&peer);
        self.serving.leave(&peer);
        for topic in self.topics.values_mut() {
            topic.rounds.leave(&peer);
            topic.wants.leave(&peer);
            topic.doubts.leave(&peer);
            topic.late.remove(&peer);
        }
    }

    /// What could not be kept is not fetched again for a while. It would be handed over a second time.
    fn unkept(&mut self, held: &Held, now: Time) {
        let Some(topic) = self.topics.get_mut(&held.slot.topic) else { return };
        topic.shelf.give_up(held);
        topic.refusing = Some(now);
        self.refuse(item(held.timestamp, &held.id), now);
    }

    /// A good message that is not kept is charged to nobody in particular.
    fn refuse(&mut self, item: Item, now: Time) {
        self.refused.insert(item, NodeId::from_bytes([0; 32]), 1, now + REFUSAL);
    }

    /// Finds out when something is due next.
    fn look_ahead(&mut self) {
        let due = self.topics.values().filter_map(|topic| {
            let has_witness = !self.witnesses.is_empty();
            let next = has_witness.then_some(topic.rounds.due);
            [next, topic.rounds.deadline(), topic.wants.deadline()].into_iter().flatten().min()
        });
        let served = |peer: &NodeId| self.served.ready_at(peer, READ_KIB);
        self.due = due.chain(self.serving.waiting().map(served)).min();
    }
}

impl Machine for Sync {
    type Event = Event;

    fn handle(&mut self, event: Event, cx: &mut Cx<'_>) {
        match event {
            Event::Witnesses(mut witnesses) => {
                let trusted =
                    |peer: &NodeId| self.mistrusted.get(peer).is_none_or(|until| *until <= cx.now);
                witnesses.retain(|peer, _| trusted(peer));
                let gone = self.witnesses.keys().filter(|peer| !witnesses.contains_key(*peer));
                for topic in self.topics.values_mut() {
                    topic.rounds.meet(&self.witnesses, &witnesses, cx.now, cx.rng);
                    gone.clone().for_each(|peer| topic.doubts.leave(peer));
                }
                self.witnesses = witnesses;
            }
            Event::Visiting { peer } => self.visit(peer, cx),
            Event::Left { peer } => self.leave(peer),
            Event::Asked { from, topic, question } => self.reply(from, topic, &question, cx),
            Event::Replied { from, topic, reply, is_behind } => {
                self.hear(from, topic, (reply, is_behind), cx);
            }
            Event::Fetched { from, topic, number, items } => {
                self.fetched(For { peer: from, topic, number }, &items, cx);
            }
            Event::Hauled { from, topic, number, frames, is_last } => {
                self.hauled(For { peer: from, topic, number }, (frames, is_last), cx);
            }
            Event::Offered { from, topic, items } => self.offered(from, topic, &items, cx),
            Event::Read { request, frames } => self.has_read(request, frames, cx),
            Event::Holds(held) => self.take_stock(held, cx),
            Event::Keeping(held) => {
                for held in held {
                    let Some(topic) = self.topics.get_mut(&held.slot.topic) else { continue };
                    topic.shelf.expect(&held);
                    if !held.is_open {
                        topic.again.remove(&item(held.timestamp, &held.id));
                    }
                }
            }
            Event::Kept(held) => {
                let mut changed = BTreeSet::new();
                for held in held {
                    let Some(topic) = self.topics.get_mut(&held.slot.topic) else { continue };
                    topic.rounds.note(item(held.timestamp, &held.id));
                    topic.shelf.insert(&held);
                    topic.refusing = None;
                    changed.insert(held.slot.topic);
                }
                changed.into_iter().for_each(|topic| self.pursue(topic, cx));
            }
            Event::Unkept(held) => self.unkept(&held, cx.now),
            Event::Forgotten(held) => {
                for held in held {
                    if let Some(topic) = self.topics.get_mut(&held.slot.topic) {
                        topic.shelf.forget(&held);
                        topic.again.remove(&item(held.timestamp, &held.id));
                    }
                }
            }
            Event::Pending { message, from } => {
                if let Some(topic) = self.topics.get_mut(&message.header().slot.topic) {
                    topic.rounds.note(item(message.header().timestamp, &message.id()));
                    topic.shelf.hold(&message, from);
                    topic.pending_since = cx.now;
                }
            }
            Event::Again { topic, item } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.wait_again(item, cx.now, cx.wall);
                }
            }
            Event::Settled { topic, item, is_refused } => {
                self.settle(topic, &item, is_refused, cx);
            }
            Event::Spoiled { id, from } => {
                self.topics.values_mut().for_each(|topic| topic.wants.spoil(&id, &from));
            }
            Event::Unready { topic, item } => {
                if let Some(topic) = self.topics.get_mut(&topic) {
                    topic.wants.release(&item);
                }
            }
            Event::Unrestored { topic, id } => {
                if self.restoring.remove(&id) {
                    self.open.push_back((topic, id));
                }
            }
            Event::Dropped { topic, item } => {
                if let Some(it) = self.topics.get_mut(&topic) {
                    it.again.remove(&item);
                    if it.shelf.drop_pending(&item) {
                        self.refuse(item, cx.now);
                        self.pursue(topic, cx);
                    }
                }
            }
            Event::Conflict { taken, header } => self.conflicts(&taken, header, cx),
            Event::Exposed { author } => {
                for topic in self.topics.values_mut() {
                    topic.shelf.disown(&author);
                    topic.again.retain(|item| topic.shelf.stands(item));
                }
            }
        }
        self.restore(cx);
        self.end_visits(cx);
        self.look_ahead();
    }

    fn deadline(&self) -> Option<Time> {
        self.due
    }

    fn tick(&mut self, cx: &mut Cx<'_>) {
        let ids: Vec<TopicId> = self.topics.keys().copied().collect();
        for id in ids {
            let Some(topic) = self.topics.get_mut(&id) else { continue };
            for peer in topic.rounds.expired(cx.now) {
                topic.rounds.end(&peer, None, Finding::Nothing, cx.now);
            }
            for late in topic.wants.expire(cx.now) {
                topic.late.insert(late, cx.now);
            }
            topic.late.retain(|_, since| *since + FORGIVEN > cx.now);
            if topic.rounds.due <= cx.now && !self.witnesses.is_empty() {
                self.begin(id, cx);
            }
            self.pursue(id, cx);
        }
        self.serve(cx);
        self.restore(cx);
        self.end_visits(cx);
        self.look_ahead();
    }
}
