//! The handle of a running node.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Network, Receipt, Refusal, Whom,
    membership::{self, Tags},
    network::{Policy, TooWeak},
    snapshot::MemberState,
};
use libp2p::Multiaddr;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot, watch,
};

use crate::{
    Begin, Builder, Events, History, HistoryError, NodeSnapshot, StoreError, Subscription,
    archive::Readers,
    driver::{Command, Window},
    peer_address::{BadPeerAddress, candidate},
    subscription::Registration,
};

/// A running node. Cheap to clone; the node shuts down with [`Node::shutdown`], or when the last clone is
/// dropped.
#[derive(Clone, Debug)]
pub struct Node {
    inner: Arc<Inner>,
}

/// What a handle holds.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) id: NodeId,
    pub(crate) network: Arc<Network>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) registrations: mpsc::Sender<Registration>,
    pub(crate) window: Window,
    pub(crate) ended: watch::Receiver<Option<Result<(), Arc<StoreError>>>>,
    /// Of one subscription.
    pub(crate) messages_max: usize,
    /// None if the network keeps no messages.
    pub(crate) readers: Option<Readers>,
}

/// The node has shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has shut down; start a new one")]
pub struct Closed;

/// Why a message was not published. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The network has no such topic.
    #[error("the network has no topic {topic:?}; its topics are: {}", known.join(", "))]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
        /// The network's topics.
        known: Vec<String>,
    },
    /// The core refused it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The node has shut down.
    #[error("{Closed}")]
    Closed,
}

/// Why there is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The network has no such topic.
    #[error("the network has no topic {topic:?}; its topics are: {}", known.join(", "))]
    UnknownTopic {
        /// The topic asked for.
        topic: String,
        /// The network's topics.
        known: Vec<String>,
    },
    /// It asks for less than the topic's policy.
    #[error(transparent)]
    TooWeak(#[from] TooWeak),
    /// More new subscriptions at once than the driver could take.
    #[error("too many new subscriptions at once; let the runtime work in between and try again")]
    Busy,
    /// The node has shut down.
    #[error("{Closed}")]
    Closed,
}

/// Why peers were not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddPeersError {
    /// An address cannot be used; none was added.
    #[error(transparent)]
    BadPeerAddress(#[from] BadPeerAddress),
    /// The node has shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why nothing can be said of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembersError {
    /// The network's nodes do not tell each other who is a member.
    #[error("the network has no membership: its manifest has no table [membership]")]
    NoMembership,
    /// The node has shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// What went wrong while a node shut down. It has, all the same.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ShutdownError {
    /// Bans or proofs were not saved. The generation always is.
    #[error("the last bans and proofs were not saved: {0}")]
    Store(#[source] Arc<StoreError>),
    /// The node's task ended early.
    #[error("the node's task has panicked; please report what the log says")]
    Panicked,
}

impl Node {
    /// Prepares a node for a network; see [`Builder`].
    #[must_use]
    pub fn builder(network: Network) -> Builder {
        Builder::new(network)
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Who this node is.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.inner.id
    }

    /// The network it takes part in.
    #[must_use]
    pub fn network(&self) -> &Arc<Network> {
        &self.inner.network
    }

    /// Where it listens, each address with `/p2p/` and its peer id: what others need to reach it.
    #[must_use]
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.inner.window.addresses.borrow().clone()
    }

    /// Signs a payload and sends it to the network, for the topic's longest lifetime. With a data folder it waits in the first
    /// three seconds, while the node listens whether another machine uses its key. Without a link the message is
    /// queued for the first peers that come within that time; the receipt says so.
    ///
    /// # Errors
    /// When the topic is unknown, the payload too large, the topic's rate exceeded, or the node closed.
    pub async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
    ) -> Result<Receipt, PublishError> {
        self.publish_inner(topic, payload.into(), None).await
    }

    /// As [`Self::publish`], for a shorter lifetime.
    ///
    /// # Errors
    /// As [`Self::publish`], and when the lifetime is zero or longer than the topic allows.
    pub async fn publish_for(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        lifetime: Duration,
    ) -> Result<Receipt, PublishError> {
        self.publish_inner(topic, payload.into(), Some(lifetime)).await
    }

    async fn publish_inner(
        &self,
        topic: &str,
        payload: Bytes,
        lifetime: Option<Duration>,
    ) -> Result<Receipt, PublishError> {
        let Some(topic) = self.inner.network.topic_id(topic) else {
            return Err(PublishError::UnknownTopic {
                topic: topic.to_owned(),
                known: self.topics(),
            });
        };
        loop {
            let payload = payload.clone();
            let outcome = self.ask(|reply| Command::Publish { topic, payload, lifetime, reply });
            match outcome.await.map_err(|Closed| PublishError::Closed)? {
                Err(Refusal::Listening { retry_after }) => tokio::time::sleep(retry_after).await,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Subscribes to the messages of a topic that are accepted from now on.
    ///
    /// # Errors
    /// When the topic is unknown or the node closed, or more than a thousand subscriptions come at once.
    pub fn subscribe(&self, topic: &str) -> Result<Subscription, SubscribeError> {
        self.subscribe_inner(topic, None)
    }

    /// As [`Self::subscribe`], for messages that meet a policy which is stricter than the topic's: more witnesses that vouch, a longer
    /// settling time. What is dropped by it is told by [`Subscription::news`].
    ///
    /// # Errors
    /// As [`Self::subscribe`], and when the policy is weaker than the topic's in anything.
    pub fn subscribe_with(
        &self,
        topic: &str,
        policy: Policy,
    ) -> Result<Subscription, SubscribeError> {
        self.subscribe_inner(topic, Some(policy))
    }

    fn subscribe_inner(
        &self,
        topic: &str,
        policy: Option<Policy>,
    ) -> Result<Subscription, SubscribeError> {
        let Some(topic) = self.inner.network.topic_id(topic) else {
            return Err(SubscribeError::UnknownTopic {
                topic: topic.to_owned(),
                known: self.topics(),
            });
        };
        let own = self.inner.network.topic(topic).policy;
        let policy = policy.map_or(Ok(own), |asked| own.tightened(asked))?;
        let (registration, subscription) =
            Registration::new(topic, policy, self.inner.messages_max);
        match self.inner.registrations.try_send(registration) {
            Ok(()) => Ok(subscription),
            Err(TrySendError::Full(_)) => Err(SubscribeError::Busy),
            Err(TrySendError::Closed(_)) => Err(SubscribeError::Closed),
        }
    }

    /// The messages of a topic that are kept, from the oldest or after one that the reader has, and then those that are accepted, each
    /// once, as soon as they are on disk. Of topics with a retention, by the topic's policy.
    ///
    /// # Errors
    /// When the topic is unknown or not kept, the message to begin after is not there, the file cannot be read, or the node
    /// has shut down.
    pub async fn history(&self, topic: &str, from: Begin) -> Result<History, HistoryError> {
        let Some(id) = self.inner.network.topic_id(topic) else {
            let (topic, known) = (topic.to_owned(), self.topics());
            return Err(HistoryError::UnknownTopic { topic, known });
        };
        let is_kept = self.inner.network.topic(id).retention.is_some();
        let Some(readers) = self.inner.readers.clone().filter(|_| is_kept) else {
            return Err(HistoryError::NotKept { topic: topic.to_owned() });
        };
        History::open(readers.archive, id, readers.heads, from).await
    }

    /// Waits until at least so many peers have said hello.
    ///
    /// # Errors
    /// When the node shuts down before.
    pub async fn ready(&self, min_peers: usize) -> Result<(), Closed> {
        let mut joined = self.inner.window.joined.clone();
        joined.wait_for(|joined| *joined >= min_peers).await.map_err(|_| Closed)?;
        if self.inner.commands.is_closed() { Err(Closed) } else { Ok(()) }
    }

    /// What the node looks like at this moment.
    ///
    /// # Errors
    /// When the node has shut down.
    pub async fn snapshot(&self) -> Result<NodeSnapshot, Closed> {
        self.ask(Command::Snapshot).await
    }

    /// What happens inside the node from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::of(&self.inner.window.events)
    }

    /// Every member of the network but this node, by id, as this node knows them. What it says of itself is in
    /// [`NodeSnapshot`].
    ///
    /// # Errors
    /// When the network has no membership, or the node has shut down.
    pub async fn members(&self) -> Result<Vec<MemberState>, MembersError> {
        self.expect_membership()?;
        Ok(self.ask(Command::Members).await?)
    }

    /// What becomes of members from now on: who joins, is suspected, recovers, dies, leaves. Nothing on a network without
    /// membership.
    #[must_use]
    pub fn member_news(&self) -> Events<membership::News> {
        Events::of(&self.inner.window.members)
    }

    /// Has all members know these of this node, instead of those before. They are gone with its next life.
    ///
    /// # Errors
    /// When the network has no membership, or the node has shut down.
    pub async fn set_tags(&self, tags: Tags) -> Result<(), MembersError> {
        self.expect_membership()?;
        Ok(self.tell(Command::Tag(tags)).await?)
    }

    fn expect_membership(&self) -> Result<(), MembersError> {
        self.inner.network.membership().map(drop).ok_or(MembersError::NoMembership)
    }

    /// Remembers where peers may be reached. Each address ends in `/p2p/` and a peer id.
    ///
    /// # Errors
    /// When an address cannot be used, or the node has shut down.
    pub async fn add_peers(
        &self,
        addresses: impl IntoIterator<Item = Multiaddr>,
    ) -> Result<(), AddPeersError> {
        let candidates =
            addresses.into_iter().map(|address| candidate(&address)).collect::<Result<_, _>>()?;
        Ok(self.tell(Command::Know(candidates)).await?)
    }

    /// Bans a peer or a network, for a time or for good; takes the place of an earlier ban. Links with those concerned
    /// are closed, and the ban is kept over a restart. [`NodeSnapshot`] lists the bans there are.
    ///
    /// # Errors
    /// When the node has shut down.
    pub async fn ban(&self, whom: impl Into<Whom>, length: Option<Duration>) -> Result<(), Closed> {
        self.tell(Command::Ban(whom.into(), length)).await
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// When the node has shut down.
    pub async fn pardon(&self, whom: impl Into<Whom>) -> Result<(), Closed> {
        self.tell(Command::Pardon(whom.into())).await
    }

    /// Shuts the node down, for all clones: sends what waits (for at most two seconds), closes links and
    /// ports, and saves its state. Returns when all that is done, also if somebody else has asked for it.
    ///
    /// # Errors
    /// When something could not be saved.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        // It may be about to end already.
        let _ = self.tell(Command::Shutdown).await;
        let mut ended = self.inner.ended.clone();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(ShutdownError::Store(Arc::clone(error))),
            Ok(Some(Ok(())) | None) => Ok(()),
            Err(_) => Err(ShutdownError::Panicked),
        }
    }

    fn topics(&self) -> Vec<String> {
        self.inner.network.topics().map(|(_, topic)| topic.name.clone()).collect()
    }

    async fn tell(&self, command: Command) -> Result<(), Closed> {
        self.inner.commands.send(command).await.map_err(|_| Closed)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Closed> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| Closed)
    }
}
