//! Messages: the header that an author signs, the publication that carries it, and the proof that an
//! author signed two.
//!
//! A header keeps the bytes it came in. Its id is their digest, so two encodings of one content are two
//! messages, and no relay can make one from the other. Nothing here is believed: see
//! [`Untrusted`](forsooth_crypto::Untrusted) and [`Verified`](forsooth_crypto::Verified).

use core::{fmt, time::Duration};
use std::sync::Arc;

use bytes::Bytes;
use forsooth_crypto::{
    Claim, Digest, Domain, Keypair, NodeId, ParseHexError, Preimage, Purpose, Signature,
    Verifiable, Verified,
};
use prost::Message as _;

use crate::{
    network::{Network, Policy, TopicId},
    time::{Time, Timestamp, millis},
    wire,
};

/// Bytes of an encoded header; more are malformed. An honest one has about 110.
pub(crate) const HEADER_BYTES_MAX: usize = 160;

/// Identifies a message: the digest of its encoded header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Digest);

impl MessageId {
    /// Bytes of an id.
    pub const LEN: usize = 32;

    /// The id that somebody claims.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Digest::from_bytes(bytes))
    }

    /// The id's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }
}

/// As it is printed: 64 hexadecimal digits.
impl core::str::FromStr for MessageId {
    type Err = ParseHexError;

    fn from_str(text: &str) -> Result<Self, ParseHexError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.0.to_string();
        write!(f, "MessageId({}…)", hex.get(..8).unwrap_or(&hex))
    }
}

/// The one place that a message may take: an honest author signs one message for it, ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Who signed.
    pub author: NodeId,
    /// On which topic.
    pub topic: TopicId,
    /// In which life of the author's node; grows at every start.
    pub generation: u64,
    /// Which message of that life on that topic.
    pub seq: u64,
}

/// What an author signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The slot that the message takes.
    pub slot: Slot,
    /// When the author says that it was made.
    pub timestamp: Timestamp,
    /// How long after that it is worth relaying.
    pub lifetime: Duration,
    /// Bytes of the payload.
    pub payload_len: u32,
    /// Digest of the payload.
    pub payload_digest: Digest,
}

impl Header {
    /// When the message is no longer worth relaying.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.timestamp.saturating_add(self.lifetime)
    }

    fn encode(&self) -> Bytes {
        let wire = wire::WireHeader {
            topic: self.slot.topic.index().into(),
            author: Bytes::copy_from_slice(self.slot.author.as_bytes()),
            generation: self.slot.generation,
            seq: self.slot.seq,
            timestamp_ms: self.timestamp.as_millis(),
            lifetime_ms: u32::try_from(millis(self.lifetime)).unwrap_or(u32::MAX),
            payload_len: self.payload_len,
            payload_digest: Bytes::copy_from_slice(self.payload_digest.as_bytes()),
        };
        wire.encode_to_vec().into()
    }
}

/// A header with its signature and the bytes that were signed. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHeader {
    header: Header,
    id: MessageId,
    encoded: Bytes,
    signature: Signature,
    network: Digest,
}

impl SignedHeader {
    /// Signs a header for a network.
    #[must_use]
    pub fn sign(header: Header, keypair: &Keypair, network: &Network) -> Self {
        let encoded = header.encode();
        let digest = Digest::of(Domain::Header, &encoded);
        let preimage = Preimage::new(Purpose::Message, network.digest(), &digest);
        let signature = keypair.sign(&preimage);
        Self { header, id: MessageId(digest), encoded, signature, network: *network.digest() }
    }

    /// Puts together what came over the wire. `encoded` is what `header` was decoded from.
    pub(crate) fn from_parts(
        header: Header,
        encoded: Bytes,
        signature: Signature,
        network: &Network,
    ) -> Self {
        let id = MessageId(Digest::of(Domain::Header, &encoded));
        Self { header, id, encoded, signature, network: *network.digest() }
    }

    /// What the author says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The digest of the header's bytes.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// The bytes that were signed.
    #[must_use]
    pub const fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The author's signature, good or bad.
    #[must_use]
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// A copy that does not keep alive the frame which the header came in.
    pub(crate) fn detached(&self) -> Self {
        Self { encoded: Bytes::copy_from_slice(&self.encoded), ..self.clone() }
    }

    fn claim(&self) -> Claim {
        Claim {
            signer: self.header.slot.author,
            preimage: Preimage::new(Purpose::Message, &self.network, &self.id.0),
            signature: self.signature,
        }
    }
}

/// A message as it travels: signed header and payload. Cheap to clone; its `Debug` leaves the payload out.
#[derive(Clone, PartialEq, Eq)]
pub struct Publication {
    inner: Arc<Inner>,
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Publication");
        debug.field("id", &self.id()).field("slot", &self.header().slot);
        debug.field("payload_bytes", &self.payload().len()).finish_non_exhaustive()
    }
}

#[derive(PartialEq, Eq)]
struct Inner {
    signed: SignedHeader,
    payload: Bytes,
    frame: Bytes,
}

impl Publication {
    /// Signs `payload` into the slot. `lifetime` is rounded down to milliseconds, of which 32 bits fit.
    #[must_use]
    pub fn sign(
        slot: Slot,
        timestamp: Timestamp,
        lifetime: Duration,
        payload: Bytes,
        keypair: &Keypair,
        network: &Network,
    ) -> Self {
        let header = Header {
            slot,
            timestamp,
            lifetime: Duration::from_millis(millis(lifetime).min(u32::MAX.into())),
            payload_len: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            payload_digest: Digest::of(Domain::Payload, &payload),
        };
        let signed = SignedHeader::sign(header, keypair, network);
        Self::from_parts(signed, payload)
    }

    /// Puts a signed header and a payload together, fitting or not; encodes the frame that carries them.
    #[must_use]
    pub fn from_parts(signed: SignedHeader, payload: Bytes) -> Self {
        let frame = wire::publication_frame(&signed, &payload);
        Self { inner: Arc::new(Inner { signed, payload, frame }) }
    }

    /// As [`Self::from_parts`] for a frame that is known to be the canonical encoding.
    pub(crate) fn from_frame(signed: SignedHeader, payload: Bytes, frame: Bytes) -> Self {
        Self { inner: Arc::new(Inner { signed, payload, frame }) }
    }

    /// The signed header.
    #[must_use]
    pub fn signed(&self) -> &SignedHeader {
        &self.inner.signed
    }

    /// What the author says.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.inner.signed.header
    }

    /// The message's id.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.inner.signed.id
    }

    /// The application's bytes.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.inner.payload
    }

    /// The frame that carries this message, ready to send.
    #[must_use]
    pub fn frame(&self) -> &Bytes {
        &self.inner.frame
    }
}

impl Verifiable for Publication {
    fn claims(&self) -> impl Iterator<Item = Claim> {
        core::iter::once(self.inner.signed.claim())
    }

    fn intact(&self) -> bool {
        let Inner { signed, payload, .. } = &*self.inner;
        u32::try_from(payload.len()) == Ok(signed.header.payload_len)
            && Digest::of(Domain::Payload, payload) == signed.header.payload_digest
    }
}

/// Two signed headers for one slot: whoever signed both said two things. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pair: Arc<(SignedHeader, SignedHeader)>,
}

impl Proof {
    /// The proof that two headers make, if they make one: one slot, two ids.
    #[must_use]
    pub fn new(one: SignedHeader, other: SignedHeader) -> Option<Self> {
        let conflict = one.header.slot == other.header.slot && one.id != other.id;
        let (first, second) = if one.id < other.id { (one, other) } else { (other, one) };
        conflict.then(|| Self { pair: Arc::new((first, second)) })
    }

    /// Two headers that may prove nothing, for those who lie.
    #[must_use]
    pub fn unchecked(first: SignedHeader, second: SignedHeader) -> Self {
        Self { pair: Arc::new((first, second)) }
    }

    /// The slot with two messages.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.pair.0.header.slot
    }

    /// Who signed both, if the signatures are good.
    #[must_use]
    pub fn author(&self) -> NodeId {
        self.slot().author
    }

    /// Both headers, the one with the lower id first.
    #[must_use]
    pub fn headers(&self) -> (&SignedHeader, &SignedHeader) {
        (&self.pair.0, &self.pair.1)
    }
}

impl Verifiable for Proof {
    fn claims(&self) -> impl Iterator<Item = Claim> {
        [self.pair.0.claim(), self.pair.1.claim()].into_iter()
    }

    fn intact(&self) -> bool {
        let (first, second) = &*self.pair;
        first.header.slot == second.header.slot && first.id < second.id
    }
}

/// A message that this node stands behind: verified, valid, and vouched for as its topic's policy asks.
///
/// ```compile_fail,E0451
/// # fn accept(message: forsooth_crypto::Verified<forsooth_protocol::Publication>) {
/// // Only the acceptance machine makes one.
/// let policy = forsooth_protocol::network::Policy::Verified;
/// let (vouchers, attestors) = (Vec::new(), Vec::new());
/// forsooth_protocol::Accepted { message, vouchers, attestors, policy, at: forsooth_protocol::Time::ZERO };
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    message: Verified<Publication>,
    vouchers: Vec<NodeId>,
    attestors: Vec<NodeId>,
    policy: Policy,
    at: Time,
}

impl Accepted {
    pub(crate) const fn new(
        message: Verified<Publication>,
        vouchers: Vec<NodeId>,
        policy: Policy,
        at: Time,
    ) -> Self {
        Self { message, vouchers, attestors: Vec::new(), policy, at }
    }

    /// The last of the messages that attest a claim, with the authors of all.
    pub(crate) const fn attested(
        message: Verified<Publication>,
        attestors: Vec<NodeId>,
        policy: Policy,
        at: Time,
    ) -> Self {
        Self { message, vouchers: Vec::new(), attestors, policy, at }
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &Verified<Publication> {
        &self.message
    }

    /// The witnesses whose vouches reached the threshold, one of each address group.
    #[must_use]
    pub fn vouchers(&self) -> &[NodeId] {
        &self.vouchers
    }

    /// On a topic with the policy `attested`, the authors who signed this payload, the message's among them.
    #[must_use]
    pub fn attestors(&self) -> &[NodeId] {
        &self.attestors
    }

    /// The policy that it meets: the topic's, or a stricter one that a subscription asked for.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// When it met the policy.
    #[must_use]
    pub const fn at(&self) -> Time {
        self.at
    }
}
