//! Forsooth: gossip you can believe. A node, as a library.
//!
//! A [`Node`] takes part in one network: it links up with peers over libp2p, relays what they sign, and
//! hands the application the messages that it can stand behind. Everything that a peer can do wrong is
//! dealt with inside.
//!
//! ```
//! use forsooth::{Network, Node, network::{Defence, Kind, Policy, Topic}};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let topics = vec![Topic::new("news", Policy::Verified)];
//! let network = Network::new("example", Kind::Local, topics, Defence::recommended(Kind::Local))?;
//!
//! let alice = Node::builder(network.clone()).listen(["/ip4/127.0.0.1/tcp/0".parse()?]).start().await?;
//! let bob = Node::builder(network).peers(alice.addresses()).start().await?;
//! let mut news = bob.subscribe("news")?;
//! bob.ready(1).await?;
//!
//! alice.publish("news", "hello").await?;
//! let message = news.recv().await.ok_or("bob has shut down")?;
//! assert_eq!((message.author, &message.payload[..]), (alice.id(), &b"hello"[..]));
//!
//! alice.shutdown().await?;
//! bob.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What it promises: no lock is held across anything slow, every queue is bounded, and nobody can make it
//! panic over the network. A reader that is too slow misses messages and is told so; it never slows the
//! node down. What it deliberately does not know: how to lie. Adversaries live in `forsooth-testnet` and come in
//! through [`Builder::participant`].
//!
//! Those who have a libp2p swarm of their own can use the [`net::behaviour`] alone.

/// The examples of `docs/embedding.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
mod embedding {}

mod archive;
pub mod asn_map;
mod backlog;
mod builder;
mod clock;
pub mod config;
mod diagnosis;
mod driver;
mod events;
mod external;
#[cfg(test)]
mod fixtures;
pub mod http;
mod listening;
pub mod manifest;
pub mod metrics;
pub mod net;
mod node;
mod peer_address;
pub mod status;
mod store;
mod subscription;
mod validator;
mod verifier;
mod whom;
mod work;

pub use forsooth_crypto::{Keypair, NodeId, key_file};
pub use forsooth_protocol::{
    Ban, BanCause, Event, Judgement, MessageId, Net, Network, Receipt, Refusal, Shortfall, Slot,
    Timestamp, Whom, membership, network, params, snapshot::MemberState,
};
pub use libp2p::Multiaddr;

pub use crate::{
    archive::{Begin, Condition as Keeping, History, HistoryError, Holding},
    builder::{Builder, StartError},
    events::{Events, Lagged},
    external::BadExternal,
    node::{
        AddPeersError, Closed, MembersError, Node, PublishError, ShutdownError, SubscribeError,
    },
    peer_address::BadPeerAddress,
    status::NodeSnapshot,
    store::StoreError,
    subscription::{Message, News, Notice, Subscription},
    validator::{Submission, Validator},
    verifier::Verifier,
    whom::{BadWhom, parse_whom},
};
