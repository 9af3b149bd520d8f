//! What the interface says, as JSON.
//!
//! The command line reads these types back, so that the two cannot drift apart. Times are milliseconds
//! since the Unix epoch unless a name says otherwise; payloads are base64.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Network,
    network::{Policy, Retention},
    snapshot::Overlay,
};
use serde::{Deserialize, Serialize};

pub use super::{
    failure::{ErrorView, FailureView},
    health::{ReadinessView, Reason},
};

/// `/v1/node`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeView {
    /// Who it is.
    pub id: NodeId,
    /// Who it is, as libp2p writes it.
    pub peer_id: String,
    /// The version of Forsooth.
    pub version: String,
    /// Which network it is in.
    pub network: NetworkView,
    /// The generation that it publishes with.
    pub generation: u64,
    /// When it was started.
    pub started: u64,
    /// Seconds that it has run.
    pub uptime_s: u64,
    /// Where it listens, each ending in `/p2p/…`.
    pub listen: Vec<String>,
    /// Where others reach it, as its operator says.
    pub external: Vec<String>,
    /// Peers that have said hello.
    pub links: usize,
    /// Witnesses among them.
    pub witnesses: usize,
    /// Links that it wants to have chosen itself.
    pub witnesses_wanted: usize,
    /// Peers whose addresses are known.
    pub candidates: usize,
    /// How the sampling of peers stands.
    pub overlay: OverlayView,
    /// Who is a member, in numbers; nothing on a network without membership.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<MembershipView>,
    /// Peers and authors that are banned.
    pub bans: usize,
    /// Authors whose equivocation is proven.
    pub exposed: usize,
    /// Faults seen so far, by name.
    pub faults: BTreeMap<String, u64>,
    /// Accepted messages that were not kept although their topics say so, because the disk refused or did not keep up.
    #[serde(default)]
    pub unkept: u64,
    /// Every collection that a peer can feed.
    pub bounds: Vec<BoundView>,
}

/// How the sampling of peers stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayView {
    /// Slots of the view.
    pub slots: usize,
    /// Peers in them.
    pub view: usize,
    /// Peers in the network, this node left out, as far as the view tells.
    pub peers: u32,
    /// How often a slot is offered every peer before it is drawn anew, rounded down.
    pub capacity: u64,
    /// The capacity is below 10: the network is too large for the view, and liars may fill it.
    pub overrun: bool,
    /// The view has yet to settle.
    pub joining: bool,
    /// Peers in the address book.
    pub book: usize,
    /// Rounds of asking and telling so far.
    pub rounds: u64,
    /// Peers that were drawn and wait to become links.
    pub samples: usize,
    /// The number of the record by which others are told of this node. None: it has no address that others could
    /// be told of, and nobody is.
    pub record: Option<u64>,
}

impl From<&Overlay> for OverlayView {
    fn from(overlay: &Overlay) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float becomes the nearest integer there is"
        )]
        let capacity = overlay.capacity as u64;
        Self {
            slots: overlay.slots,
            view: overlay.view,
            peers: overlay.peers,
            capacity,
            overrun: overlay.is_overrun,
            joining: overlay.is_joining,
            book: overlay.book,
            rounds: overlay.rounds,
            samples: overlay.samples,
            record: overlay.record,
        }
    }
}

/// Who is a member, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipView {
    /// Members, this node among them if it is one.
    pub members: usize,
    /// Those of them whom several of their observers accuse.
    pub suspected: usize,
    /// Members that left or died and are remembered.
    pub buried: usize,
    /// So many observers of one member may lie.
    pub tolerated: usize,
    /// Observers of each member.
    pub observers: usize,
    /// Independent accusers whose word is a certificate of death.
    pub needed: usize,
    /// Members that this node observes,
    pub subjects: usize,
    /// and those of them that do not answer it.
    pub doubtful: usize,
    /// By how much this node stretches its timeouts, since it may be slow itself: 0 is well, 8 the most.
    pub health: u32,
    /// This node has an address that others could be told of, and is a member.
    pub is_member: bool,
}

/// `/v1/members`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembersView {
    /// In numbers.
    #[serde(flatten)]
    pub membership: MembershipView,
    /// All of them: this node first, if it is one, then by id.
    #[serde(rename = "list")]
    pub members: Vec<MemberView>,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Who.
    pub id: NodeId,
    /// Who, as libp2p writes it.
    pub peer_id: String,
    /// It is the node that was asked.
    #[serde(rename = "this_node")]
    pub is_this_node: bool,
    /// Several of its observers accuse it.
    pub suspected: bool,
    /// In which of its lives.
    pub generation: u64,
    /// How often in that life it has had to say that it is alive.
    pub incarnation: u64,
    /// Which of its records of that epoch.
    pub version: u64,
    /// When it signed that.
    pub signed: u64,
    /// Where it says that it is reached.
    pub addresses: Vec<String>,
    /// What its application says of it.
    pub tags: BTreeMap<String, String>,
    /// This node is one of its observers, on this ring.
    pub observed_on: Option<u8>,
    /// `-log10` of the chance that an answer takes as long as this node waits for one now.
    pub phi: Option<f64>,
}

/// The data of an event of `/v1/members/events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberNewsView {
    /// `joined`, `suspected`, `recovered`, `died`, `left` or `evicted`; the event's name, too.
    pub event: String,
    /// Who.
    pub id: NodeId,
    /// When this node learned of it.
    pub at: u64,
    /// In which of its lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// How often in that life it has had to say that it is alive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incarnation: Option<u64>,
    /// With `died`: by whose word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate: Vec<AccusationView>,
}

/// A signed accusation, as part of a certificate: enough for anybody to check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccusationView {
    /// Who says so.
    pub accuser: NodeId,
    /// On which ring it observes the dead.
    pub ring: u8,
    /// When, by the accuser's clock.
    pub signed: u64,
    /// What was signed, in base64; see `docs/protocol.md`.
    pub statement: String,
    /// The signature, in base64.
    pub signature: String,
}

/// The body of `PUT /v1/tags`, and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsView(pub BTreeMap<String, String>);

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// Its name.
    pub name: String,
    /// `local`, `testnet` or `production`.
    pub kind: String,
    /// Covers all that its nodes must agree on.
    pub digest: String,
    /// The libp2p protocol.
    pub protocol: String,
}

impl From<&Network> for NetworkView {
    fn from(network: &Network) -> Self {
        Self {
            name: network.name().to_owned(),
            kind: network.kind().name().to_owned(),
            digest: network.digest().to_string(),
            protocol: network.protocol_name(),
        }
    }
}

/// One of `/v1/bans`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// A node id, an IP address, or a network such as `192.0.2.0/24`.
    pub whom: String,
    /// Short and stable: the name of the fault, `operator`, or `company` if several peers from there are banned.
    pub cause: String,
    /// The same for people.
    pub reason: String,
    /// Until when; for good if there is none.
    pub until: Option<u64>,
}

/// How full a bounded collection is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundView {
    /// The collection, as in `docs/protocol.md`.
    pub name: String,
    /// What it holds.
    pub used: usize,
    /// What it may hold.
    pub max: usize,
}

/// An item of `/v1/peers`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeerView {
    /// Who.
    pub id: NodeId,
    /// Who, as libp2p writes it.
    pub peer_id: String,
    /// `witness` if this node chose it, `inbound` if it came by itself.
    pub role: String,
    /// The address at the other end, if the connection is still open.
    pub address: Option<String>,
    /// Seconds that the link has been up.
    pub age_s: u64,
    /// What software it says it is.
    pub agent: String,
    /// The generation that it says it is in.
    pub generation: u64,
    /// 0 is spotless, -100 is a ban.
    pub score: f64,
    /// Topics on which it gets payloads from us at once.
    pub eager_topics: usize,
    /// What was sent to it.
    pub sent: LanesView,
    /// What came from it.
    pub received: LanesView,
    /// Bytes that wait to be sent.
    pub queued_bytes: usize,
    /// Frames that a full queue refused or displaced.
    pub dropped: u64,
}

/// Traffic one way, for each lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanesView {
    /// Vouches, requests and the like.
    pub control: TrafficView,
    /// Payloads.
    pub data: TrafficView,
}

/// Traffic one way on one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficView {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// An item of `/v1/topics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicView {
    /// Its name.
    pub name: String,
    /// When a message is handed to the application.
    pub policy: PolicyView,
    /// Messages that one author may publish in a minute.
    pub rate_per_minute: u32,
    /// Messages that one author may publish at once on top.
    pub burst: u32,
    /// Bytes of a payload.
    pub payload_bytes_max: u32,
    /// Seconds that a message may live.
    pub lifetime_s_max: u64,
    /// Whether somebody subscribes at this node.
    pub subscribed: bool,
    /// Whether there are enough witnesses for the policy, and for those of subscriptions that ask for more.
    pub acceptable: bool,
    /// Witnesses that must vouch, by the strictest of these.
    pub witnesses_needed: usize,
    /// Messages published here.
    pub published: u64,
    /// Messages verified and found valid.
    pub verified: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Messages that wait for vouches.
    pub waiting: u64,
    /// Messages dropped before the topic's policy accepted them.
    pub unaccepted: u64,
    /// The same by reason: `too_few_vouches`, `unanswered`, `contested`, `crowded`, `expired`.
    pub unaccepted_for: BTreeMap<String, u64>,
    /// Accepted messages whose authors turned out to have said two things.
    pub contested: u64,
    /// How long accepted messages are kept, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionView>,
    /// Messages that are kept.
    #[serde(default)]
    pub kept: u64,
    /// Bytes of those.
    #[serde(default)]
    pub kept_bytes: u64,
    /// How they stand to what others keep, if they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncView>,
}

/// How what a node keeps of a topic stands to what others keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncView {
    /// Something may be lacking that others have: it asks them without pause.
    pub catching_up: bool,
    /// It has once been sure to lack nothing, since it started.
    pub settled: bool,
    /// Seconds since something last differed, while nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equal_for_s: Option<u64>,
    /// Messages that it stands behind, and others may fetch.
    pub held: usize,
    /// Messages that others have and it lacks, as far as it knows.
    pub wanted: usize,
    /// Messages that it fetched, and that wait for vouches.
    pub pending: usize,
    /// Comparisons with others so far.
    pub comparisons: u64,
    /// Messages fetched so far.
    pub fetched: u64,
    /// Messages found so far that a peer hid.
    pub hidden: u64,
}

/// How long accepted messages are kept: until one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionView {
    /// Seconds since they were published.
    pub time_s: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
}

impl From<Retention> for RetentionView {
    fn from(Retention { time, bytes, messages }: Retention) -> Self {
        Self { time_s: time.as_secs(), bytes, messages }
    }
}

/// A topic's policy, as in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyView {
    /// At once.
    Verified,
    /// When `k` of `n` witnesses vouch.
    Vouched {
        /// Witnesses that must vouch.
        k: u16,
        /// Witnesses kept.
        n: u16,
        /// And no other message for the slot has come to light for so many milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settle_ms: Option<u64>,
    },
    /// When `k` authors have signed the same payload.
    Attested {
        /// Authors that must sign.
        k: u16,
    },
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Verified => Self::Verified,
            Policy::Vouched { k, n } => Self::Vouched { k, n, settle_ms: None },
            Policy::Attested { k } => Self::Attested { k },
            Policy::Settled { k, n, settle } => {
                let settle_ms = u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
                Self::Vouched { k, n, settle_ms: Some(settle_ms) }
            }
        }
    }
}

impl std::fmt::Display for PolicyView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::Attested { k } => write!(f, "{k} authors attest"),
            Self::Vouched { k, n, settle_ms: None } => write!(f, "{k} of {n} vouch"),
            Self::Vouched { k, n, settle_ms: Some(ms) } => {
                write!(f, "{k} of {n} vouch, settled for {ms} ms")
            }
        }
    }
}

/// The answer to a publication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptView {
    /// The message's id.
    pub id: String,
    /// Links to which the payload was sent at once.
    pub sent_to: usize,
    /// There was no link; it is kept for its lifetime and sent to the first peers that come.
    pub queued: bool,
    /// Independent witnesses that this node lacks to accept anything on the topic itself.
    pub witnesses_lacking: usize,
}

/// The data of an event `message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageView {
    /// The message's id.
    pub id: String,
    /// The topic.
    pub topic: String,
    /// Who signed.
    pub author: NodeId,
    /// In which life of the author's node.
    pub generation: u64,
    /// Which message of that life on that topic.
    pub seq: u64,
    /// When the author says that it was made.
    pub published: u64,
    /// When this node accepted it.
    pub accepted: u64,
    /// The witnesses whose vouches made this node accept it.
    pub vouchers: Vec<NodeId>,
    /// On a topic with the policy `attested`, the authors who signed this payload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestors: Vec<NodeId>,
    /// The author's bytes, in base64.
    pub payload: String,
    /// The author's bytes, if they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The data of an event `unaccepted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnacceptedView {
    /// The message's id.
    pub id: String,
    /// `too_few_vouches`, `unanswered`, `contested`, `crowded` or `expired`.
    pub reason: String,
    /// Independent witnesses that had vouched.
    pub vouched: usize,
    /// Witnesses that would have had to.
    pub threshold: usize,
}

/// The data of an event `contested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContestedView {
    /// The id of the message that was accepted.
    pub id: String,
    /// Who signed it, and another for the same place.
    pub author: NodeId,
    /// In which life of the author's node.
    pub generation: u64,
    /// Which message of that life on that topic.
    pub seq: u64,
}

/// The data of an event `error`, after which the stream ends or goes on with what can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// For people.
    pub message: String,
}

/// The data of an event `missed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedView {
    /// Messages that were lost just before the next event, because this reader was too slow.
    pub count: u64,
}
