//! What is counted, of each message and at each node.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{Class, MessageId, Network, Time, wire::Frame};

/// Frames with payloads that are known by their place in memory; when there are more, all are forgotten.
const PLACES_MAX: usize = 4096;
/// What has not come.
const NEVER: u32 = u32::MAX;

/// All that is counted.
#[derive(Debug)]
pub(super) struct Sheet {
    network: Arc<Network>,
    /// The first so many nodes are honest.
    honest: usize,
    /// Messages before the measured ones.
    warm_up: usize,
    nodes: HashMap<NodeId, usize>,
    messages: Vec<Message>,
    numbers: HashMap<MessageId, usize>,
    /// Whom each node has said hello with.
    links: Vec<BTreeSet<usize>>,
    /// By address and length, which message is in a frame. The frame is held, so that nothing takes its place.
    places: HashMap<(usize, usize), (Bytes, Option<usize>)>,
    /// Bytes that honest nodes sent while they are counted, by class.
    sent: BTreeMap<Class, u64>,
    is_counting: bool,
    pub(super) vouches: Vouches,
}

/// Vouches of honest nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vouches {
    /// Bytes of vouches, of questions what they mean, and of the answers.
    pub(super) bytes: u64,
    /// Names in vouches: one for each receiver.
    pub(super) count: u64,
}

/// What became of a message.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// By whom and when; `None` until it is.
    pub(super) published: Option<(usize, Time)>,
    /// At each node, adversaries last.
    arrivals: Vec<Arrival>,
    /// Payloads that reached honest nodes.
    pub(super) copies: u64,
    /// Signature checks that honest nodes ordered.
    pub(super) checks: u64,
    /// Honest nodes that have the payload, the author left out.
    pub(super) arrived: usize,
    /// Honest nodes whose application has it.
    pub(super) accepted: usize,
}

/// When and how a message came to a node: microseconds after it was published.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    arrived: u32,
    accepted: u32,
    hops: u32,
}

impl Arrival {
    const NONE: Self = Self { arrived: NEVER, accepted: NEVER, hops: NEVER };
}

impl Sheet {
    pub(super) fn new(
        network: Arc<Network>,
        ids: &[NodeId],
        honest: usize,
        [warm_up, measured]: [usize; 2],
    ) -> Self {
        Self {
            network,
            honest,
            warm_up,
            nodes: ids.iter().copied().zip(0..).collect(),
            messages: (0..warm_up + measured).map(|_| Message::default()).collect(),
            numbers: HashMap::new(),
            links: vec![BTreeSet::new(); ids.len()],
            places: HashMap::new(),
            sent: BTreeMap::new(),
            is_counting: false,
            vouches: Vouches::default(),
        }
    }

    /// Bytes are counted from now on.
    pub(super) const fn begin(&mut self) {
        self.is_counting = true;
    }

    /// Bytes are counted no longer.
    pub(super) const fn end(&mut self) {
        self.is_counting = false;
    }

    /// Whether a node is honest.
    pub(super) const fn is_honest(&self, node: usize) -> bool {
        node < self.honest
    }

    /// Honest nodes to which each message is due.
    pub(super) const fn due(&self) -> usize {
        self.honest.saturating_sub(1)
    }

    /// Messages before the measured ones, in their order.
    pub(super) fn warm_up(&self) -> &[Message] {
        self.messages.get(..self.warm_up).unwrap_or_default()
    }

    /// Measured messages in their order.
    pub(super) fn measured(&self) -> &[Message] {
        self.messages.get(self.warm_up..).unwrap_or_default()
    }

    /// Whether every honest node has accepted what was published of these.
    pub(super) fn is_complete(&self, messages: &[Message]) -> bool {
        let mut published = messages.iter().filter(|message| message.published.is_some());
        published.all(|message| message.accepted >= self.due())
    }

    /// Bytes that honest nodes sent while they were counted, by the names of classes.
    pub(super) fn sent(&self) -> BTreeMap<&'static str, u64> {
        self.sent.iter().map(|(class, bytes)| (class.name(), *bytes)).collect()
    }

    /// Whom a node is linked with, as both ends see it.
    pub(super) fn linked(&self, node: usize) -> impl Iterator<Item = usize> {
        let peers = self.links.get(node).into_iter().flatten().copied();
        peers.filter(move |peer| self.links.get(*peer).is_some_and(|back| back.contains(&node)))
    }

    /// A node has said hello with another.
    pub(super) fn link_up(&mut self, node: usize, peer: &NodeId) {
        if let (Some(peer), Some(links)) = (self.nodes.get(peer), self.links.get_mut(node)) {
            links.insert(*peer);
        }
    }

    /// It is gone.
    pub(super) fn link_down(&mut self, node: usize, peer: &NodeId) {
        if let (Some(peer), Some(links)) = (self.nodes.get(peer), self.links.get_mut(node)) {
            links.remove(peer);
        }
    }

    /// A message is published: the one that was asked for by this number.
    pub(super) fn published(&mut self, node: usize, request: u64, id: MessageId, now: Time) {
        let Ok(number) = usize::try_from(request) else { return };
        let Some(message) = self.messages.get_mut(number) else { return };
        message.published = Some((node, now));
        message.arrivals = vec![Arrival::NONE; self.nodes.len()];
        if let Some(arrival) = message.arrivals.get_mut(node) {
            arrival.hops = 0;
        }
        self.numbers.insert(id, number);
    }

    /// A node has verified a payload that came first from this peer.
    pub(super) fn relayed(&mut self, node: usize, id: &MessageId, from: &NodeId, now: Time) {
        let from = self.nodes.get(from).copied();
        let is_honest = self.is_honest(node);
        let Some(message) = self.message(id) else { return };
        let Some((author, published)) = message.published.filter(|(author, _)| *author != node)
        else {
            return;
        };
        debug_assert_ne!(author, node, "an author has what it said");
        let before = from.and_then(|from| message.arrivals.get(from)).map_or(NEVER, |it| it.hops);
        let Some(arrival) = message.arrivals.get_mut(node) else { return };
        if arrival.arrived == NEVER {
            arrival.arrived = micros(now, published);
            arrival.hops = before.saturating_add(1);
            message.arrived += usize::from(is_honest);
        }
    }

    /// An honest node's application gets a message.
    pub(super) fn accepted(&mut self, node: usize, id: &MessageId, now: Time) {
        let Some(message) = self.message(id) else { return };
        let Some((author, published)) = message.published else { return };
        if let Some(arrival) = message.arrivals.get_mut(node)
            && arrival.accepted == NEVER
            && author != node
        {
            arrival.accepted = micros(now, published);
            message.accepted += 1;
        }
    }

    /// A frame on the data lane reached an honest node.
    pub(super) fn received(&mut self, frame: &Bytes) {
        let place = (frame.as_ptr() as usize, frame.len());
        let number = if let Some((_, number)) = self.places.get(&place) {
            *number
        } else {
            let number = match Frame::decode(frame, &self.network) {
                Ok(Frame::Publication(message)) => self.numbers.get(&message.id()).copied(),
                Ok(_) | Err(_) => None,
            };
            if self.places.len() >= PLACES_MAX {
                self.places.clear();
            }
            self.places.insert(place, (frame.clone(), number));
            number
        };
        if let Some(message) = number.and_then(|number| self.messages.get_mut(number)) {
            message.copies += 1;
        }
    }

    /// An honest node has a publication's signature checked.
    pub(super) fn checked(&mut self, id: &MessageId) {
        if let Some(message) = self.message(id) {
            message.checks += 1;
        }
    }

    /// An honest node sends a frame.
    pub(super) fn sends(&mut self, class: Class, frame: &Bytes) {
        if !self.is_counting {
            return;
        }
        let bytes = frame.len() as u64;
        *self.sent.entry(class).or_default() += bytes;
        if !matches!(class, Class::Vouch | Class::Tree) {
            return;
        }
        match Frame::decode(frame, &self.network) {
            Ok(Frame::ShortVouch { names }) => {
                self.vouches.bytes += bytes;
                self.vouches.count += names.len() as u64;
            }
            Ok(
                Frame::Inquire { .. }
                | Frame::Vouch { .. }
                | Frame::Announce(_)
                | Frame::Ask { .. }
                | Frame::Unknown { .. },
            ) => self.vouches.bytes += bytes,
            Ok(_) | Err(_) => {}
        }
    }

    fn message(&mut self, id: &MessageId) -> Option<&mut Message> {
        self.messages.get_mut(*self.numbers.get(id)?)
    }
}

impl Message {
    /// Microseconds until honest nodes had its payload, in the order of nodes.
    pub(super) fn arrivals(&self, honest: usize) -> impl Iterator<Item = u32> {
        self.at(honest, |arrival| arrival.arrived)
    }

    /// Microseconds until honest nodes' applications had it, in the order of nodes.
    pub(super) fn acceptances(&self, honest: usize) -> impl Iterator<Item = u32> {
        self.at(honest, |arrival| arrival.accepted)
    }

    /// Links from the author to each honest node that has it, along those that brought it first.
    pub(super) fn hops(&self, honest: usize) -> impl Iterator<Item = u32> {
        let author = self.published.map(|(author, _)| author);
        let others = move |(node, _): &(usize, &Arrival)| Some(*node) != author;
        let honest = self.arrivals.iter().take(honest).enumerate().filter(others);
        honest.map(|(_, arrival)| arrival.hops).filter(|hops| *hops != NEVER)
    }

    fn at(&self, honest: usize, what: impl Fn(&Arrival) -> u32) -> impl Iterator<Item = u32> {
        self.arrivals.iter().take(honest).map(what).filter(|micros| *micros != NEVER)
    }
}

/// From publishing to now; a little over an hour at most.
fn micros(now: Time, published: Time) -> u32 {
    u32::try_from(now.since(published).as_micros()).unwrap_or(NEVER - 1).min(NEVER - 1)
}
