//! Accepted messages on their way to the application.
//!
//! Each subscription has a queue that is bounded in messages and bytes. When a reader is too slow, the
//! newest message is dropped, and the next one that finds room says how many were: the node never waits. What is told beside the
//! messages has a short queue of its own, so that it takes no room from them.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Accepted, MessageId, Network, Shortfall, Slot, Timestamp, TopicId, network::Policy,
};
use futures::{
    FutureExt as _, Stream, StreamExt as _,
    future::BoxFuture,
    stream::{self, FuturesUnordered, PollNext},
};
use tokio::sync::mpsc;

use crate::status::Delivery;

/// Messages that wait for one reader, unless the builder says otherwise.
pub(crate) const MESSAGES_DEFAULT: usize = 4096;
/// Bytes of payloads that wait for one reader. A single message always has room.
const BYTES_MAX: usize = 32 << 20;
/// Notices that wait for one reader; newer ones are lost.
const NOTICES_MAX: usize = 256;

/// A message that this node stands behind.
#[derive(Clone, Debug)]
pub struct Message {
    /// Name of the topic.
    pub topic: String,
    /// The author's bytes.
    pub payload: Bytes,
    /// Who signed.
    pub author: NodeId,
    /// The message's id.
    pub id: MessageId,
    /// The witnesses whose vouches made this node accept it; none on a topic with the policy `verified` or `attested`.
    pub vouchers: Vec<NodeId>,
    /// On a topic with the policy `attested`, the authors who signed this payload; `author` is the last of them.
    pub attestors: Vec<NodeId>,
    /// When the author says that it was made.
    pub published: Timestamp,
    /// When this node accepted it, by its own clock.
    pub accepted: Timestamp,
    /// How many messages this subscription lost just before this one, because it was read too slowly.
    pub missed: u64,
    /// In which life of the author's node it was signed.
    pub generation: u64,
    /// Which message of that life on this topic it is.
    pub seq: u64,
}

impl Message {
    /// What the core accepted, in the application's terms.
    pub(crate) fn new(accepted: &Accepted, at: Timestamp, network: &Network) -> Self {
        let header = accepted.message().header();
        Self {
            topic: network.topic(header.slot.topic).name.clone(),
            payload: accepted.message().payload().clone(),
            author: header.slot.author,
            id: accepted.message().id(),
            vouchers: accepted.vouchers().to_vec(),
            attestors: accepted.attestors().to_vec(),
            published: header.timestamp,
            accepted: at,
            missed: 0,
            generation: header.slot.generation,
            seq: header.slot.seq,
        }
    }
}

/// What happened to a message that the application did not get, or should not have got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It was dropped, since the subscription's policy was not met.
    Unaccepted {
        /// Which.
        id: MessageId,
        /// Independent witnesses that had vouched.
        vouched: usize,
        /// Witnesses that would have had to.
        threshold: usize,
        /// Why.
        why: Shortfall,
    },
    /// This node had accepted it, and its author has said another thing in its place. Said once; also to subscriptions that ask for more than
    /// their topic's policy and have not got it.
    Contested {
        /// Which.
        id: MessageId,
        /// Its place: author, generation and number.
        slot: Slot,
    },
}

/// What a subscription has to tell.
#[derive(Clone, Debug)]
pub enum News {
    /// A message that this node stands behind.
    Message(Message),
    /// Of another message.
    Notice(Notice),
}

/// A topic's accepted messages, as a stream. Ends when the node shuts down; dropping it unsubscribes.
#[derive(Debug)]
pub struct Subscription {
    queue: mpsc::Receiver<Message>,
    queued_bytes: Arc<AtomicUsize>,
    notices: mpsc::Receiver<Notice>,
}

impl Subscription {
    /// The messages and, when none waits, notices of messages that were dropped or are contested. Of the notices the newest are lost
    /// if they are not read: at most 256 wait.
    pub fn news(mut self) -> impl Stream<Item = News> + use<> {
        let (_, closed) = mpsc::channel(1);
        let mut notices = std::mem::replace(&mut self.notices, closed);
        let notices = stream::poll_fn(move |cx| notices.poll_recv(cx)).map(News::Notice);
        let first = |_: &mut ()| PollNext::Left;
        stream::select_with_strategy(self.map(News::Message), notices, first)
    }

    /// The next message; `None` once the node has shut down and all were read.
    pub async fn recv(&mut self) -> Option<Message> {
        self.next().await
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        self.queue.poll_recv(cx).map(|message| {
            message.inspect(|message| {
                self.queued_bytes.fetch_sub(message.payload.len(), Ordering::Relaxed);
            })
        })
    }
}

/// A new subscription, on its way to the driver.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) topic: TopicId,
    /// The topic's policy, or a stricter one.
    pub(crate) policy: Policy,
    outlet: Outlet,
}

impl Registration {
    /// Both ends of a queue for at most so many messages.
    pub(crate) fn new(topic: TopicId, policy: Policy, messages_max: usize) -> (Self, Subscription) {
        let (tx, rx) = mpsc::channel(messages_max.max(1));
        let (notify, notices) = mpsc::channel(NOTICES_MAX);
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let outlet =
            Outlet { queue: tx, notify, queued_bytes: Arc::clone(&queued_bytes), missed: 0 };
        (Self { topic, policy, outlet }, Subscription { queue: rx, queued_bytes, notices })
    }
}

/// The driver's end of one subscription.
#[derive(Debug)]
struct Outlet {
    queue: mpsc::Sender<Message>,
    notify: mpsc::Sender<Notice>,
    queued_bytes: Arc<AtomicUsize>,
    missed: u64,
}

impl Outlet {
    /// Queues a message, or counts it as missed.
    fn offer(&mut self, message: &Message) -> Offered {
        let queued = self.queued_bytes.load(Ordering::Relaxed);
        let fits = queued == 0 || queued.saturating_add(message.payload.len()) <= BYTES_MAX;
        if let Some(permit) = fits.then(|| self.queue.try_reserve().ok()).flatten() {
            self.queued_bytes.fetch_add(message.payload.len(), Ordering::Relaxed);
            permit.send(Message { missed: std::mem::take(&mut self.missed), ..message.clone() });
            Offered::Queued
        } else {
            self.missed = self.missed.saturating_add(1);
            Offered::Missed
        }
    }
}

enum Offered {
    Queued,
    Missed,
}

/// A subscription's topic, policy and number.
type Key = (TopicId, Policy, u64);

/// All subscriptions of a node.
#[derive(Default)]
pub(crate) struct Subscribers {
    outlets: BTreeMap<Key, Outlet>,
    gone: FuturesUnordered<BoxFuture<'static, Key>>,
    next: u64,
    delivery: Delivery,
}

impl Subscribers {
    /// Adds a subscription; true if it is the first of its topic and policy.
    pub(crate) fn add(&mut self, registration: Registration) -> bool {
        let Registration { topic, policy, outlet } = registration;
        let is_first = self.of(topic, policy).next().is_none();
        let key = (topic, policy, self.next);
        self.next += 1;
        let queue = outlet.queue.clone();
        self.gone.push(
            async move {
                queue.closed().await;
                key
            }
            .boxed(),
        );
        self.outlets.insert(key, outlet);
        is_first
    }

    /// Completes when the last subscription of a topic and policy was dropped. May be dropped without loss.
    pub(crate) async fn abandoned(&mut self) -> (TopicId, Policy) {
        while let Some(key) = self.gone.next().await {
            self.outlets.remove(&key);
            let (topic, policy, _) = key;
            if self.of(topic, policy).next().is_none() {
                return (topic, policy);
            }
        }
        std::future::pending().await
    }

    /// Queues a message for each subscription of its topic by the policy that it meets.
    pub(crate) fn deliver(&mut self, topic: TopicId, policy: Policy, message: &Message) {
        for (_, outlet) in self.outlets.range_mut((topic, policy, 0)..=(topic, policy, u64::MAX)) {
            let count = match outlet.offer(message) {
                Offered::Queued => &mut self.delivery.delivered,
                Offered::Missed => &mut self.delivery.missed,
            };
            *count = count.saturating_add(1);
        }
    }

    /// Tells the subscriptions of a topic; those by one policy, if it is said.
    pub(crate) fn notify(&self, topic: TopicId, policy: Option<Policy>, notice: &Notice) {
        let is_meant =
            |(of, by, _): &Key| *of == topic && policy.is_none_or(|policy| policy == *by);
        for (_, outlet) in self.outlets.iter().filter(|(key, _)| is_meant(key)) {
            // Full, or its reader wants messages alone, or is gone.
            let _ = outlet.notify.try_send(notice.clone());
        }
    }

    pub(crate) const fn delivery(&self) -> Delivery {
        self.delivery
    }

    fn of(&self, topic: TopicId, policy: Policy) -> impl Iterator<Item = &Outlet> {
        let all = (topic, policy, 0)..=(topic, policy, u64::MAX);
        self.outlets.range(all).map(|(_, outlet)| outlet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::network;

    const POLICY: Policy = Policy::Verified;
    const STRICT: Policy = Policy::Vouched { k: 2, n: 3 };

    fn topic() -> TopicId {
        network("n").topic_id("t").unwrap()
    }

    fn message(seq: u64, bytes: usize) -> Message {
        Message {
            topic: "t".to_owned(),
            payload: vec![0; bytes].into(),
            author: NodeId::from_bytes([1; 32]),
            id: MessageId::from_bytes([0; 32]),
            vouchers: Vec::new(),
            attestors: Vec::new(),
            published: Timestamp::default(),
            accepted: Timestamp::default(),
            missed: 0,
            generation: 1,
            seq,
        }
    }

    #[tokio::test]
    async fn a_queue_is_bounded_in_bytes_and_one_message_always_fits() {
        let (registration, mut inbox) = Registration::new(topic(), POLICY, 1000);
        let mut subscribers = Subscribers::default();
        subscribers.add(registration);
        for seq in 0..3 {
            subscribers.deliver(topic(), POLICY, &message(seq, BYTES_MAX / 2 + 1));
        }
        assert_eq!(inbox.recv().await.map(|message| message.seq), Some(0));
        // What was read makes room.
        subscribers.deliver(topic(), POLICY, &message(3, 2 * BYTES_MAX));
        assert_eq!(inbox.recv().await.map(|message| (message.seq, message.missed)), Some((3, 2)));
        assert_eq!(subscribers.delivery(), Delivery { delivered: 2, missed: 2 });
    }

    #[tokio::test]
    async fn a_topic_is_abandoned_with_its_last_subscription() {
        let mut subscribers = Subscribers::default();
        let (first, first_inbox) = Registration::new(topic(), POLICY, 1);
        let (second, second_inbox) = Registration::new(topic(), POLICY, 1);
        assert!(subscribers.add(first), "the first of its topic");
        assert!(!subscribers.add(second), "the second");
        drop(first_inbox);
        assert!(subscribers.abandoned().now_or_never().is_none());
        drop(second_inbox);
        assert_eq!(subscribers.abandoned().await, (topic(), POLICY));
        let (again, _inbox) = Registration::new(topic(), POLICY, 1);
        assert!(subscribers.add(again), "the first again");
    }

    #[tokio::test]
    async fn a_message_goes_to_those_whose_policy_it_meets() {
        let mut subscribers = Subscribers::default();
        let (plain, mut plain_inbox) = Registration::new(topic(), POLICY, 9);
        let (strict, mut strict_inbox) = Registration::new(topic(), STRICT, 9);
        assert!(subscribers.add(plain) && subscribers.add(strict), "each the first of its policy");
        subscribers.deliver(topic(), POLICY, &message(0, 1));
        assert!(strict_inbox.recv().now_or_never().is_none());
        subscribers.deliver(topic(), STRICT, &message(0, 1));
        assert!(strict_inbox.recv().await.is_some() && plain_inbox.recv().await.is_some());
        assert!(plain_inbox.recv().now_or_never().is_none(), "once");
    }

    #[tokio::test]
    async fn notices_come_after_the_messages_and_are_bounded() {
        let mut subscribers = Subscribers::default();
        let (plain, plain_inbox) = Registration::new(topic(), POLICY, 9);
        let (strict, strict_inbox) = Registration::new(topic(), STRICT, 9);
        subscribers.add(plain);
        subscribers.add(strict);
        let notice = Notice::Unaccepted {
            id: MessageId::from_bytes([0; 32]),
            vouched: 1,
            threshold: 2,
            why: Shortfall::TooFewVouches,
        };
        for _ in 0..=NOTICES_MAX {
            subscribers.notify(topic(), Some(STRICT), &notice);
        }
        subscribers.notify(topic(), None, &notice);
        subscribers.deliver(topic(), POLICY, &message(0, 1));
        drop(subscribers);
        let news: Vec<_> = plain_inbox.news().collect().await;
        assert!(matches!(news.as_slice(), [News::Message(_), News::Notice(_)]), "{news:?}");
        assert_eq!(strict_inbox.news().count().await, NOTICES_MAX);
    }
}
