//! What all nodes of one network must agree on: its name, its topics and its defence parameters.
//!
//! The digest of all this names the libp2p protocol and is under every signature, so two networks that
//! differ in anything that matters can neither talk to each other nor replay each other's messages.
//! Bootnodes are not part of it. This module does not know TOML; `node` reads the manifest.

mod identity;
mod policy;

use core::{fmt, time::Duration};

use forsooth_crypto::{Digest, Domain};
use prost::Message as _;

pub use self::{
    identity::{ADMITTED_MAX, Identity},
    policy::{BadPolicy, Policy, TooWeak},
};
use crate::{membership, wire};

/// Version of the rules that the digest covers.
const FORMAT: u32 = 1;
/// Topics of one network. A guess at what an application needs; all nodes carry all topics.
pub const TOPICS_MAX: usize = 256;
/// Bytes of a network's or topic's name.
pub const NAME_BYTES_MAX: usize = 64;
/// A payload may never be larger than this, whatever a manifest says.
pub const PAYLOAD_BYTES_MAX: u32 = 1 << 20;
/// A lifetime may never be longer than this, because slots are remembered for as long.
pub const LIFETIME_MAX: Duration = Duration::from_secs(3600);
/// Longest time for which messages may be kept.
pub const RETENTION_MAX: Duration = Duration::from_secs(90 * 86_400);
/// Witnesses of one node that a policy may ask for.
pub const WITNESSES_MAX: u16 = 256;
/// Authors that a policy may ask for.
pub const ATTESTORS_MAX: u16 = 256;
/// Window in which a topic's rate per author is counted, on the author's own timestamps.
pub const RATE_WINDOW: Duration = Duration::from_secs(10);

/// A network: what its nodes must agree on to talk to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    name: String,
    kind: Kind,
    topics: Vec<Topic>,
    defence: Defence,
    identity: Identity,
    membership: Option<membership::Settings>,
    digest: Digest,
}

/// What a network is for. `Local` alone tolerates adversaries of the testnet's and private addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One machine, or one bench of machines.
    Local,
    /// An open network for experiments.
    Testnet,
    /// An open network that people rely on.
    Production,
}

impl Kind {
    /// `local`, `testnet` or `production`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Testnet => "testnet",
            Self::Production => "production",
        }
    }
}

/// Index of a topic in its network, whose topics are sorted by name. Means nothing in another network;
/// the network digest under each signature sees to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(u16);

impl TopicId {
    /// The lowest index.
    pub(crate) const FIRST: Self = Self(0);

    /// The index in the network's list.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}

/// A topic and the rules for its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// 1 to [`NAME_BYTES_MAX`] of `a-z`, `0-9`, `-`, `_`, `.` and `/`.
    pub name: String,
    /// When a message is handed to the application.
    pub policy: Policy,
    /// Messages that one author may publish in a minute, on average; at least 1.
    pub rate_per_minute: u32,
    /// Messages that one author may publish at once on top of the rate; at least 1.
    pub burst: u32,
    /// Bytes of a payload; 1 to [`PAYLOAD_BYTES_MAX`].
    pub payload_bytes_max: u32,
    /// Longest lifetime of a message; 1 s to [`LIFETIME_MAX`].
    pub lifetime_max: Duration,
    /// How long accepted messages are kept for those who come later; they are not, if not said.
    pub retention: Option<Retention>,
}

/// How long accepted messages are kept: until one of these is reached, the oldest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Since they were published; from the topic's longest lifetime to [`RETENTION_MAX`].
    pub time: Duration,
    /// Bytes of all that are kept; 1 MiB to 1 TiB.
    pub bytes: u64,
    /// Messages; 1 to 100 million.
    pub messages: u64,
}

impl Retention {
    /// For so long, and at most 256 MiB or a million messages.
    #[must_use]
    pub const fn of(time: Duration) -> Self {
        Self { time, bytes: 256 << 20, messages: 1_000_000 }
    }
}

impl Topic {
    /// A topic with the recommended limits: 600 messages per author and minute, a burst of 60, payloads
    /// of up to 64 KiB that live for at most 2 minutes and are not kept.
    #[must_use]
    pub fn new(name: impl Into<String>, policy: Policy) -> Self {
        Self {
            name: name.into(),
            policy,
            rate_per_minute: 600,
            burst: 60,
            payload_bytes_max: 64 << 10,
            lifetime_max: Duration::from_secs(120),
            retention: None,
        }
    }

    /// Messages of one author with timestamps in one [`RATE_WINDOW`] that are relayed.
    ///
    /// An author who keeps to the rate and the burst never has more, however late or bunched its messages
    /// arrive, because the window is on the author's timestamps; and twice as many, because a node that
    /// restarts does not know what it has published in this window before.
    #[must_use]
    pub fn window_max(&self) -> u64 {
        let per_window = u64::from(self.rate_per_minute) * RATE_WINDOW.as_secs();
        2 * (per_window.div_ceil(60) + u64::from(self.burst))
    }
}

/// Which peers count as one voter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Each key is a voter of its own. For one machine only: keys cost nothing.
    Peer,
    /// Each address is one voter.
    Host,
    /// Each IPv4 /24 or IPv6 /48 is one voter.
    Subnet,
}

impl Grouping {
    /// `peer`, `host` or `subnet`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Host => "host",
            Self::Subnet => "subnet",
        }
    }
}

/// What one peer may cost another, and how far clocks may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defence {
    /// How far two honest clocks may be apart; a message dated further ahead is refused. Recommended: 15 s.
    pub clock_skew_max: Duration,
    /// Which peers count as one voter.
    pub grouping: Grouping,
    /// Frames a second that one peer may send on `control`; about one per message of the whole network.
    pub control_frames_per_second: u32,
    /// Bytes a second that one peer may send on `control`.
    pub control_bytes_per_second: u32,
    /// Frames a second that one peer may send on `data`.
    pub data_frames_per_second: u32,
    /// Bytes a second that one peer may send on `data`.
    pub data_bytes_per_second: u32,
    /// How many seconds of quota may be spent at once. Recommended: 8.
    pub burst_seconds: u32,
}

impl Defence {
    /// The recommended parameters for a kind of network.
    #[must_use]
    pub const fn recommended(kind: Kind) -> Self {
        Self {
            clock_skew_max: Duration::from_secs(15),
            grouping: match kind {
                Kind::Local => Grouping::Peer,
                Kind::Testnet | Kind::Production => Grouping::Subnet,
            },
            control_frames_per_second: 4_000,
            control_bytes_per_second: 1 << 20,
            data_frames_per_second: 2_000,
            data_bytes_per_second: 8 << 20,
            burst_seconds: 8,
        }
    }
}

/// Why a description of a network makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name is empty, too long or has other characters than allowed.
    #[error(
        "the name {0:?} must have 1 to {NAME_BYTES_MAX} characters, each of a-z, 0-9, '-', '_', '.' or '/'"
    )]
    Name(String),
    /// There must be 1 to [`TOPICS_MAX`] topics.
    #[error("a network has 1 to {TOPICS_MAX} topics, this one has {0}")]
    TopicCount(usize),
    /// Two topics have one name.
    #[error("the topic {0:?} is there twice")]
    TopicTwice(String),
    /// A topic's threshold cannot be met.
    #[error(
        "topic {topic:?}: the policy needs 1 <= k <= n <= {WITNESSES_MAX}, not k = {k}, n = {n}"
    )]
    Threshold {
        /// The topic.
        topic: String,
        /// Witnesses that must vouch.
        k: u16,
        /// Witnesses kept.
        n: u16,
    },
    /// A number is out of its range.
    #[error("{what} must be {range}, not {value}")]
    Range {
        /// The field.
        what: String,
        /// The values allowed.
        range: String,
        /// The value found.
        value: String,
    },
}

impl Network {
    /// Checks a description and computes its digest. The topics may come in any order.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn new(
        name: impl Into<String>,
        kind: Kind,
        mut topics: Vec<Topic>,
        defence: Defence,
    ) -> Result<Self, Error> {
        let name = name.into();
        check_name(&name)?;
        if topics.is_empty() || topics.len() > TOPICS_MAX {
            return Err(Error::TopicCount(topics.len()));
        }
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        for (topic, next) in topics.iter().zip(topics.iter().skip(1)) {
            if topic.name == next.name {
                return Err(Error::TopicTwice(topic.name.clone()));
            }
        }
        topics.iter().try_for_each(check_topic)?;
        check_defence(&defence)?;
        let network = Self {
            name,
            kind,
            topics,
            defence,
            identity: Identity::Open,
            membership: None,
            digest: Digest::of(Domain::Network, &[]),
        };
        Ok(network.named())
    }

    /// With the digest that its other fields have.
    fn named(self) -> Self {
        let digest = digest(&self);
        Self { digest, ..self }
    }

    /// The same network, but for what a key has to have, and so another one.
    ///
    /// # Errors
    /// Names the rule that is broken.
    pub fn with_identity(self, identity: Identity) -> Result<Self, Error> {
        identity.check()?;
        Ok(Self { identity, ..self }.named())
    }

    /// The same network, but with members who observe each other like this, or not at all; and so another one.
    ///
    /// # Errors
    /// Names the number that is out of its range.
    pub fn with_membership(self, membership: Option<membership::Settings>) -> Result<Self, Error> {
        membership.iter().try_for_each(membership::Settings::check)?;
        Ok(Self { membership, ..self }.named())
    }

    /// The network's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the network is for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of the largest frame on `data`: one message, or, where messages are kept, what was missed of small ones.
    #[must_use]
    pub fn data_frame_bytes_max(&self) -> usize {
        let payload = usize::try_from(self.payload_bytes_max()).unwrap_or(usize::MAX);
        let is_kept = self.topics.iter().any(|topic| topic.retention.is_some());
        let least = if is_kept { wire::HAUL_FRAME_BYTES_MIN } else { 0 };
        payload.saturating_add(wire::DATA_FRAME_OVERHEAD_MAX).max(least)
    }

    /// The defence parameters.
    #[must_use]
    pub const fn defence(&self) -> &Defence {
        &self.defence
    }

    /// What a key has to have to take part.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How members observe each other, if they do.
    #[must_use]
    pub const fn membership(&self) -> Option<&membership::Settings> {
        self.membership.as_ref()
    }

    /// Covers everything in this struct.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The name of the libp2p protocol: `/forsooth/1/` and the first 8 bytes of the digest in hex.
    #[must_use]
    pub fn protocol_name(&self) -> String {
        let hex = self.digest.to_string();
        format!("/forsooth/{FORMAT}/{}", hex.get(..16).unwrap_or(&hex))
    }

    /// The topics with their ids, sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &Topic)> {
        self.topics.iter().zip(0u16..).map(|(topic, index)| (TopicId(index), topic))
    }

    /// The id of the topic of this name.
    #[must_use]
    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        let index = self.topics.binary_search_by(|topic| topic.name.as_str().cmp(name)).ok()?;
        u16::try_from(index).ok().map(TopicId)
    }

    /// The topic of an id that this network gave out.
    ///
    /// # Panics
    /// When the id is another network's: ids are made by [`Self::topics`], [`Self::topic_id`] and
    /// [`Self::topic_at`] alone, so that is a bug of the caller's.
    #[must_use]
    pub fn topic(&self, id: TopicId) -> &Topic {
        self.topics.get(usize::from(id.0)).expect("a topic id is made by its own network")
    }

    /// The id for an index that somebody claims.
    #[must_use]
    pub fn topic_at(&self, index: u32) -> Option<TopicId> {
        let index = u16::try_from(index).ok()?;
        (usize::from(index) < self.topics.len()).then_some(TopicId(index))
    }

    /// The most witnesses that any topic's policy asks for.
    #[must_use]
    pub fn witnesses_max(&self) -> u16 {
        self.topics.iter().map(|topic| topic.policy.witnesses()).max().unwrap_or(0)
    }

    /// The largest payload that any topic allows, in bytes.
    #[must_use]
    pub fn payload_bytes_max(&self) -> u32 {
        self.topics.iter().map(|topic| topic.payload_bytes_max).max().unwrap_or(0)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(allowed) {
        return Err(Error::Name(name.to_owned()));
    }
    Ok(())
}

fn check_topic(topic: &Topic) -> Result<(), Error> {
    check_name(&topic.name)?;
    let field = |name: &str| format!("{name} of topic {:?}", topic.name);
    range(field("rate_per_minute"), topic.rate_per_minute, 1, 6_000_000)?;
    range(field("burst"), topic.burst, 1, 1_000_000)?;
    range(field("payload_bytes_max"), topic.payload_bytes_max, 1, PAYLOAD_BYTES_MAX)?;
    let lifetime_s = topic.lifetime_max.as_secs();
    range(field("lifetime_max (s)"), lifetime_s, 1, LIFETIME_MAX.as_secs())?;
    if let Some(Retention { time, bytes, messages }) = topic.retention {
        let time_s = time.as_secs();
        range(field("retention.time (s)"), time_s, lifetime_s, RETENTION_MAX.as_secs())?;
        range(field("retention.bytes"), bytes, 1 << 20, 1 << 40)?;
        range(field("retention.messages"), messages, 1, 100_000_000)?;
    }
    topic.policy.check(&topic.name, topic.lifetime_max)
}

fn check_defence(defence: &Defence) -> Result<(), Error> {
    let field = |name: &str| format!("defence.{name}");
    range(field("clock_skew_max (s)"), defence.clock_skew_max.as_secs(), 1, 600)?;
    range(field("control_frames_per_second"), defence.control_frames_per_second, 10, 10_000_000)?;
    range(field("control_bytes_per_second"), defence.control_bytes_per_second, 4096, 1 << 27)?;
    range(field("data_frames_per_second"), defence.data_frames_per_second, 10, 10_000_000)?;
    range(field("data_bytes_per_second"), defence.data_bytes_per_second, 1 << 18, 1 << 27)?;
    range(field("burst_seconds"), defence.burst_seconds, 1, 30)?;
    Ok(())
}

pub(crate) fn range<T: PartialOrd + fmt::Display>(
    what: String,
    value: T,
    min: T,
    max: T,
) -> Result<(), Error> {
    if value < min || value > max {
        return Err(Error::Range {
            what,
            range: format!("{min} to {max}"),
            value: value.to_string(),
        });
    }
    Ok(())
}

fn digest(network: &Network) -> Digest {
    let Network { name, kind, topics, defence, identity, membership, digest: _ } = network;
    let topic = |topic: &Topic| wire::TopicDescriptor {
        name: topic.name.clone(),
        k: topic.policy.threshold().into(),
        n: topic.policy.witnesses().into(),
        rate_per_minute: topic.rate_per_minute,
        burst: topic.burst,
        payload_bytes_max: topic.payload_bytes_max,
        lifetime_ms_max: crate::time::millis(topic.lifetime_max),
        settle_ms: crate::time::millis(topic.policy.settle()),
        attestors: topic.policy.attestors().into(),
        retention: topic.retention.map(|retention| wire::RetentionDescriptor {
            time_ms: crate::time::millis(retention.time),
            bytes: retention.bytes,
            messages: retention.messages,
        }),
    };
    let descriptor = wire::NetworkDescriptor {
        format: FORMAT,
        name: name.clone(),
        kind: kind.name().to_owned(),
        topics: topics.iter().map(topic).collect(),
        defence: Some(wire::DefenceDescriptor {
            clock_skew_ms_max: crate::time::millis(defence.clock_skew_max),
            grouping: defence.grouping.name().to_owned(),
            control_frames_per_second: defence.control_frames_per_second,
            control_bytes_per_second: defence.control_bytes_per_second,
            data_frames_per_second: defence.data_frames_per_second,
            data_bytes_per_second: defence.data_bytes_per_second,
            burst_seconds: defence.burst_seconds,
        }),
        identity: identity.descriptor(),
        membership: membership.as_ref().map(membership::Settings::descriptor),
    };
    Digest::of(Domain::Network, &descriptor.encode_to_vec())
}
