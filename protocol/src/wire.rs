//! Frames to bytes and back.
//!
//! Decoding checks every length before anything is kept, copies no payload, and never panics. It checks
//! form only; whether what it says is true is for others. An unknown field is ignored, an unknown body is
//! malformed: a newer protocol has a newer name.

use bytes::Bytes;
use forsooth_crypto::{Digest, NodeId, Signature};
use prost::{Message as _, encoding::encoded_len_varint};

use crate::{
    Fault,
    membership::{
        SignedAccusation, SignedAnswer, SignedMember,
        accusation::Answer,
        signed::{Content, Signed},
    },
    message::{HEADER_BYTES_MAX, Header, MessageId, Proof, Publication, SignedHeader, Slot},
    network::{Network, TopicId},
    overlay::record::SignedRecord,
    short_id::{SHORT_ID_BYTES, ShortId, VouchKey},
    sync::reconcile::{Question, Reply},
    time::Timestamp,
};

pub(crate) mod schema {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        reason = "generated from proto/forsooth.proto"
    )]
    include!(concat!(env!("OUT_DIR"), "/forsooth.v1.rs"));
}

pub(crate) use schema::{
    Accusation as WireAccusation, DefenceDescriptor, Header as WireHeader, IdentityDescriptor,
    Member as WireMember, MembershipDescriptor, NetworkDescriptor, PeerRecord as WireRecord,
    RetentionDescriptor, Tag as WireTag, TopicDescriptor,
};

/// The version of the protocol that [`Hello`] announces.
pub const VERSION: u32 = 1;
/// Bytes of a frame on `control`.
pub const CONTROL_FRAME_BYTES_MAX: usize = 64 << 10;
/// Bytes of a frame on `data` beyond the payload it carries.
pub const DATA_FRAME_OVERHEAD_MAX: usize = 512;
/// Ids, or names, in one vouch, question or graft.
pub const IDS_MAX: usize = 1024;
/// Records in one answer or push.
pub const RECORDS_MAX: usize = 100;
/// Names of members' records in one summary or request.
pub const NAMES_MAX: usize = 4096;
/// Members that are asked for by their ids in one frame.
pub const WANTED_MAX: usize = 64;
/// Members' records, and accusations, in one frame.
pub const RUMOURS_MAX: usize = 1024;
/// Bytes of an agent string in a hello.
pub const AGENT_BYTES_MAX: usize = 64;
/// Ranges in which tables of members are compared.
const SUMS: usize = 64;
/// Bytes of a signature on the wire.
const SIGNATURE_BYTES: usize = 64;
/// Frames below this are copied out of the buffer that they were read into; the buffers of larger ones are
/// their own.
const COPIED_BELOW_BYTES: usize = 64 << 10;

/// A frame, decoded but not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The greeting.
    Hello(Hello),
    /// A message with its payload.
    Publication(Publication),
    /// Ids that the sender stands behind.
    Vouch {
        /// The topic that the sender says they are on.
        topic: TopicId,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// The same, by names under the key in the receiver's hello.
    ShortVouch {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// A large message, before it is sent.
    Announce(Announce),
    /// A question whether the receiver vouches for these, by the names that it has for them.
    Ask {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// The answer for those that the sender does not vouch for.
    Unknown {
        /// The messages.
        names: Vec<ShortId>,
    },
    /// A request for what the receiver named.
    Inquire {
        /// The names.
        names: Vec<ShortId>,
        /// As a graft of it; else for full ids.
        payloads: bool,
    },
    /// A request for payloads, and to be the sender's parent in the trees of their authors.
    Graft {
        /// The topic that they are on.
        topic: TopicId,
        /// The payloads asked for.
        ids: Vec<MessageId>,
    },
    /// A request to be the sender's parent in one author's tree.
    Adopt {
        /// Whose messages are to be sent at once.
        author: NodeId,
    },
    /// A request to send no payloads unasked.
    Prune {
        /// The topic that they would be on.
        topic: TopicId,
        /// Whose payloads; those of all who have no tree of their own if `None`.
        author: Option<NodeId>,
    },
    /// Evidence against an author.
    Proof(Proof),
    /// A request for records.
    Pull,
    /// The records that were asked for.
    Answer(Vec<SignedRecord>),
    /// Records that nobody asked for.
    Push(Vec<SignedRecord>),
    /// A question whether somebody is there.
    Probe(Probe),
    /// Word on whether somebody is there.
    Ack(Ack),
    /// What the sender knows of members.
    Rumours {
        /// Their records.
        members: Vec<SignedMember>,
        /// Accusations of them.
        accusations: Vec<SignedAccusation>,
        /// The receiver asked for it.
        asked: bool,
    },
    /// What the sender knows of members, in short.
    Sync {
        /// For each of 64 ranges, the names of all records, added up bit by bit.
        sums: Vec<u64>,
    },
    /// The names of the records that the sender knows, where it differs from the receiver.
    Summary {
        /// Which ranges, the lowest bit first.
        ranges: u64,
        /// Their names.
        names: Vec<u64>,
    },
    /// A request for members' records.
    Want {
        /// Their names.
        names: Vec<u64>,
        /// Or the members' own.
        members: Vec<NodeId>,
    },
    /// A question where two sets of messages differ.
    Compare {
        /// The topic that they are on.
        topic: TopicId,
        /// The question.
        question: Question,
    },
    /// A reply to it.
    Compared {
        /// From the question.
        topic: TopicId,
        /// The reply.
        reply: Reply,
    },
}

/// A question whether somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Are you?
    Direct {
        /// Comes back in the answer.
        nonce: u64,
    },
    /// Are you? Somebody else wants to know.
    For {
        /// The observer drew it.
        nonce: u64,
        /// Who wants to know.
        observer: NodeId,
    },
    /// Is somebody else? Ask it.
    Through {
        /// The sender drew it.
        nonce: u64,
        /// Whom to ask.
        subject: NodeId,
    },
}

/// Word on whether somebody is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// The sender is; its channel proves that.
    Direct {
        /// From the question.
        nonce: u64,
    },
    /// The signer is.
    Through(SignedAnswer),
    /// The sender has not reached it, which proves nothing.
    Unreached {
        /// From the question.
        nonce: u64,
        /// Whom it asked.
        subject: NodeId,
    },
}

/// Word of a large message: a vouch that says how large, and whether the payload follows unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The topic that the sender says it is on.
    pub topic: TopicId,
    /// Which.
    pub id: MessageId,
    /// Bytes of its frame.
    pub bytes: u32,
    /// The sender is sending it; else it waits to be asked.
    pub sent: bool,
}

/// The first frame on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol.
    pub version: u32,
    /// The generation of the sender's node.
    pub generation: u64,
    /// Software and version, for people.
    pub agent: String,
    /// What the sender wants of the link.
    pub intent: Intent,
    /// The key under which the receiver is to name messages to the sender.
    pub vouch_key: VouchKey,
}

/// What a peer wants of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intent {
    /// To take part in gossip.
    #[default]
    Gossip,
    /// To exchange records, and then to leave.
    Visit,
    /// To take part in gossip and to be vouched to: the sender chose this peer.
    Witness,
    /// To see whether the receiver is alive, for as long as the sender is its observer.
    Observe,
}

impl Intent {
    /// Whether it is to take part in gossip.
    #[must_use]
    pub const fn is_gossip(self) -> bool {
        matches!(self, Self::Gossip | Self::Witness)
    }
}

impl Frame {
    /// Decodes what came over a link of this network.
    ///
    /// # Errors
    /// The fault of whoever sent it: [`Fault::Malformed`], or [`Fault::UnknownTopic`].
    pub fn decode(bytes: &Bytes, network: &Network) -> Result<Self, Fault> {
        use schema::frame::Body;
        let bytes = &owned(bytes);
        let frame = schema::Frame::decode(bytes.clone()).map_err(|_| Fault::Malformed)?;
        match frame.body.ok_or(Fault::Malformed)? {
            Body::Hello(hello) => decode_hello(hello),
            Body::Publication(publication) => decode_publication(publication, bytes, network),
            Body::Vouch(vouch) => {
                let topic = network.topic_at(vouch.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Vouch { topic, ids: decode_ids(&vouch.ids)? })
            }
            Body::ShortVouch(vouch) => Ok(Self::ShortVouch { names: decode_names(&vouch.names)? }),
            Body::Announce(announce) => decode_announce(&announce, network).map(Self::Announce),
            Body::Ask(ask) => Ok(Self::Ask { names: decode_names(&ask.names)? }),
            Body::Unknown(unknown) => Ok(Self::Unknown { names: decode_names(&unknown.names)? }),
            Body::Inquire(schema::Inquire { names, payloads }) => {
                Ok(Self::Inquire { names: decode_names(&names)?, payloads })
            }
            Body::Graft(graft) => {
                let topic = network.topic_at(graft.topic).ok_or(Fault::UnknownTopic)?;
                match decode_author(&graft.author)? {
                    None => Ok(Self::Graft { topic, ids: decode_ids(&graft.ids)? }),
                    Some(author) if graft.ids.is_empty() => Ok(Self::Adopt { author }),
                    Some(_) => Err(Fault::Malformed),
                }
            }
            Body::Prune(prune) => {
                let topic = network.topic_at(prune.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Prune { topic, author: decode_author(&prune.author)? })
            }
            Body::Proof(proof) => decode_proof(proof, network),
            Body::Pull(schema::Pull {}) => Ok(Self::Pull),
            Body::Answer(records) => decode_records(&records, network).map(Self::Answer),
            Body::Push(records) => decode_records(&records, network).map(Self::Push),
            Body::Probe(probe) => decode_probe(&probe).map(Self::Probe),
            Body::Ack(ack) => decode_ack(&ack, network).map(Self::Ack),
            Body::Rumours(schema::Rumours { members, accusations, asked }) => {
                let members = decode_statements(&members, network)?;
                let accusations = decode_statements(&accusations, network)?;
                Ok(Self::Rumours { members, accusations, asked })
            }
            Body::Sync(schema::Sync { sums }) => {
                let sums = decode_words(&sums, SUMS)?;
                if sums.len() == SUMS { Ok(Self::Sync { sums }) } else { Err(Fault::Malformed) }
            }
            Body::Summary(schema::Summary { ranges, names }) => {
                Ok(Self::Summary { ranges, names: decode_words(&names, NAMES_MAX)? })
            }
            Body::Want(schema::Want { names, members }) => {
                let (ids, rest) = members.as_chunks::<32>();
                if !rest.is_empty() || ids.len() > WANTED_MAX {
                    return Err(Fault::Malformed);
                }
                let members = ids.iter().map(|id| NodeId::from_bytes(*id)).collect();
                Ok(Self::Want { names: decode_words(&names, NAMES_MAX)?, members })
            }
            Body::Compare(compare) => {
                let topic = network.topic_at(compare.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Compare { topic, question: Question::from_wire(&compare)? })
            }
            Body::Compared(compared) => {
                let topic = network.topic_at(compared.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Compared { topic, reply: Reply::from_wire(&compared)? })
            }
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        use schema::frame::Body;
        let body = match self {
            Self::Publication(publication) => return publication.frame().clone(),
            Self::Hello(hello) => Body::Hello(schema::Hello {
                version: hello.version,
                generation: hello.generation,
                agent: hello.agent.clone(),
                intent: match hello.intent {
                    Intent::Gossip => 0,
                    Intent::Visit => 1,
                    Intent::Witness => 2,
                    Intent::Observe => 3,
                },
                vouch_key: Bytes::copy_from_slice(hello.vouch_key.as_bytes()),
            }),
            Self::Vouch { topic, ids } => {
                Body::Vouch(schema::Vouch { topic: topic.index().into(), ids: encode_ids(ids) })
            }
            Self::ShortVouch { names } => {
                Body::ShortVouch(schema::ShortVouch { names: encode_names(names) })
            }
            Self::Announce(Announce { topic, id, bytes, sent }) => {
                Body::Announce(schema::Announce {
                    topic: topic.index().into(),
                    id: Bytes::copy_from_slice(id.as_bytes()),
                    bytes: *bytes,
                    sent: *sent,
                })
            }
            Self::Ask { names } => Body::Ask(schema::Ask { names: encode_names(names) }),
            Self::Unknown { names } => {
                Body::Unknown(schema::Unknown { names: encode_names(names) })
            }
            Self::Inquire { names, payloads } => {
                Body::Inquire(schema::Inquire { names: encode_names(names), payloads: *payloads })
            }
            Self::Graft { topic, ids } => Body::Graft(schema::Graft {
                topic: topic.index().into(),
                ids: encode_ids(ids),
                author: Bytes::new(),
            }),
            Self::Adopt { author } => Body::Graft(schema::Graft {
                topic: 0,
                ids: Bytes::new(),
                author: Bytes::copy_from_slice(author.as_bytes()),
            }),
            Self::Prune { topic, author } => Body::Prune(schema::Prune {
                topic: topic.index().into(),
                author: author
                    .map_or_else(Bytes::new, |author| Bytes::copy_from_slice(author.as_bytes())),
            }),
            Self::Proof(proof) => {
                let (first, second) = proof.headers();
                Body::Proof(schema::Proof {
                    first: Some(signed(first)),
                    second: Some(signed(second)),
                })
            }
            Self::Pull => Body::Pull(schema::Pull {}),
            Self::Answer(records) => Body::Answer(encode_records(records)),
            Self::Push(records) => Body::Push(encode_records(records)),
            Self::Probe(probe) => Body::Probe(encode_probe(probe)),
            Self::Ack(ack) => Body::Ack(encode_ack(ack)),
            Self::Rumours { members, accusations, asked } => Body::Rumours(schema::Rumours {
                members: members.iter().map(statement).collect(),
                accusations: accusations.iter().map(statement).collect(),
                asked: *asked,
            }),
            Self::Sync { sums } => Body::Sync(schema::Sync { sums: encode_words(sums) }),
            Self::Summary { ranges, names } => {
                Body::Summary(schema::Summary { ranges: *ranges, names: encode_words(names) })
            }
            Self::Want { names, members } => {
                let members = members.iter().flat_map(|id| *id.as_bytes()).collect();
                Body::Want(schema::Want { names: encode_words(names), members })
            }
            Self::Compare { topic, question } => Body::Compare(question.to_wire(*topic)),
            Self::Compared { topic, reply } => Body::Compared(reply.to_wire(*topic)),
        };
        schema::Frame { body: Some(body) }.encode_to_vec().into()
    }
}

/// A small frame may be a slice of a large read buffer, which it would keep alive for as long as the message
/// is stored, at a weight that nobody charged. Copying it costs less than decoding it.
fn owned(frame: &Bytes) -> Bytes {
    if frame.len() < COPIED_BELOW_BYTES { Bytes::copy_from_slice(frame) } else { frame.clone() }
}

/// The canonical frame of a publication.
pub(crate) fn publication_frame(header: &SignedHeader, payload: &Bytes) -> Bytes {
    let publication = schema::Publication {
        header: header.encoded().clone(),
        signature: Bytes::copy_from_slice(header.signature().as_bytes()),
        payload: payload.clone(),
    };
    let body = schema::frame::Body::Publication(publication);
    schema::Frame { body: Some(body) }.encode_to_vec().into()
}

fn signed(header: &SignedHeader) -> schema::SignedHeader {
    schema::SignedHeader {
        header: header.encoded().clone(),
        signature: Bytes::copy_from_slice(header.signature().as_bytes()),
    }
}

fn decode_hello(hello: schema::Hello) -> Result<Frame, Fault> {
    let printable = |c: char| c.is_ascii_graphic() || c == ' ';
    if hello.agent.len() > AGENT_BYTES_MAX || !hello.agent.chars().all(printable) {
        return Err(Fault::Malformed);
    }
    let intent = match hello.intent {
        0 => Intent::Gossip,
        1 => Intent::Visit,
        2 => Intent::Witness,
        3 => Intent::Observe,
        _ => return Err(Fault::Malformed),
    };
    let vouch_key = hello.vouch_key.as_ref().try_into().map_err(|_| Fault::Malformed)?;
    Ok(Frame::Hello(Hello {
        version: hello.version,
        generation: hello.generation,
        agent: hello.agent,
        intent,
        vouch_key: VouchKey::from_bytes(vouch_key),
    }))
}

fn decode_publication(
    wire: schema::Publication,
    frame: &Bytes,
    network: &Network,
) -> Result<Frame, Fault> {
    let signed = decode_signed(wire.header, &wire.signature, network)?;
    // What is relayed is what was signed and nothing else: junk that a relay added to the frame would
    // otherwise travel on in our name. Junk makes the frame longer than its canonical encoding.
    let canonical = publication_len(signed.encoded().len(), wire.payload.len());
    if frame.len() != canonical {
        // Decoded again, so that header and payload are slices of the new frame and the junk is let go of.
        let canonical = Publication::from_parts(signed, wire.payload).frame().clone();
        return Frame::decode(&canonical, network);
    }
    Ok(Frame::Publication(Publication::from_frame(signed, wire.payload, frame.clone())))
}

/// Bytes of the canonical frame of a publication.
fn publication_len(header_bytes: usize, payload_bytes: usize) -> usize {
    let field = |bytes: usize| {
        if bytes == 0 { 0 } else { 1 + encoded_len_varint(bytes as u64) + bytes }
    };
    let inner = field(header_bytes) + field(SIGNATURE_BYTES) + field(payload_bytes);
    1 + encoded_len_varint(inner as u64) + inner
}

fn decode_proof(proof: schema::Proof, network: &Network) -> Result<Frame, Fault> {
    let first = proof.first.ok_or(Fault::Malformed)?;
    let second = proof.second.ok_or(Fault::Malformed)?;
    let first = decode_signed(first.header, &first.signature, network)?;
    let second = decode_signed(second.header, &second.signature, network)?;
    // Proofs are kept for good, and must not keep a frame's junk alive.
    Ok(Frame::Proof(Proof::unchecked(first.detached(), second.detached())))
}

fn encode_records(records: &[SignedRecord]) -> schema::Records {
    let signed = |record: &SignedRecord| schema::SignedRecord {
        record: record.encoded().clone(),
        signature: Bytes::copy_from_slice(record.signature().as_bytes()),
    };
    schema::Records { records: records.iter().map(signed).collect() }
}

fn decode_records(wire: &schema::Records, network: &Network) -> Result<Vec<SignedRecord>, Fault> {
    if wire.records.len() > RECORDS_MAX {
        return Err(Fault::Malformed);
    }
    let decode = |wire: &schema::SignedRecord| {
        SignedRecord::from_parts(&wire.record, &wire.signature, network)
    };
    wire.records.iter().map(decode).collect()
}

/// A record with its signature, as it is kept on disk.
pub(crate) fn record_bytes(record: &SignedRecord) -> Bytes {
    let signature = Bytes::copy_from_slice(record.signature().as_bytes());
    schema::SignedRecord { record: record.encoded().clone(), signature }.encode_to_vec().into()
}

/// The record that [`record_bytes`] encoded, if it is one.
pub(crate) fn record_from_bytes(bytes: &[u8], network: &Network) -> Result<SignedRecord, Fault> {
    let wire = schema::SignedRecord::decode(bytes).map_err(|_| Fault::Malformed)?;
    SignedRecord::from_parts(&wire.record, &wire.signature, network)
}

fn decode_announce(wire: &schema::Announce, network: &Network) -> Result<Announce, Fault> {
    let topic = network.topic_at(wire.topic).ok_or(Fault::UnknownTopic)?;
    let id = wire.id.as_ref().try_into().map_err(|_| Fault::Malformed)?;
    Ok(Announce { topic, id: MessageId::from_bytes(id), bytes: wire.bytes, sent: wire.sent })
}

fn encode_probe(probe: &Probe) -> schema::Probe {
    let bytes = |id: &NodeId| Bytes::copy_from_slice(id.as_bytes());
    let (subject, observer) = (Bytes::new(), Bytes::new());
    match probe {
        Probe::Direct { nonce } => schema::Probe { nonce: *nonce, subject, observer },
        Probe::For { nonce, observer } => {
            schema::Probe { nonce: *nonce, subject, observer: bytes(observer) }
        }
        Probe::Through { nonce, subject } => {
            schema::Probe { nonce: *nonce, subject: bytes(subject), observer }
        }
    }
}

fn decode_probe(wire: &schema::Probe) -> Result<Probe, Fault> {
    let nonce = wire.nonce;
    match (decode_author(&wire.subject)?, decode_author(&wire.observer)?) {
        (None, None) => Ok(Probe::Direct { nonce }),
        (None, Some(observer)) => Ok(Probe::For { nonce, observer }),
        (Some(subject), None) => Ok(Probe::Through { nonce, subject }),
        (Some(_), Some(_)) => Err(Fault::Malformed),
    }
}

fn encode_ack(ack: &Ack) -> schema::Ack {
    let bytes = |id: &NodeId| Bytes::copy_from_slice(id.as_bytes());
    let none = Bytes::new;
    match ack {
        Ack::Direct { nonce } => {
            schema::Ack { nonce: *nonce, subject: none(), observer: none(), signature: none() }
        }
        Ack::Through(answer) => {
            let Answer { subject, observer, nonce } = answer.content();
            schema::Ack {
                nonce: *nonce,
                subject: bytes(subject),
                observer: bytes(observer),
                signature: Bytes::copy_from_slice(answer.signature().as_bytes()),
            }
        }
        Ack::Unreached { nonce, subject } => schema::Ack {
            nonce: *nonce,
            subject: bytes(subject),
            observer: none(),
            signature: none(),
        },
    }
}

fn decode_ack(wire: &schema::Ack, network: &Network) -> Result<Ack, Fault> {
    let nonce = wire.nonce;
    match (decode_author(&wire.subject)?, decode_author(&wire.observer)?) {
        (None, None) if wire.signature.is_empty() => Ok(Ack::Direct { nonce }),
        (Some(subject), None) if wire.signature.is_empty() => Ok(Ack::Unreached { nonce, subject }),
        (Some(subject), Some(observer)) => {
            let content = Answer { subject, observer, nonce };
            Signed::from_parts(&content.encode(), &wire.signature, network).map(Ack::Through)
        }
        (None, Some(_)) | (Some(_) | None, None) => Err(Fault::Malformed),
    }
}

fn statement<T: Content>(signed: &Signed<T>) -> schema::SignedRecord {
    schema::SignedRecord {
        record: signed.encoded().clone(),
        signature: Bytes::copy_from_slice(signed.signature().as_bytes()),
    }
}

fn decode_statements<T: Content>(
    wire: &[schema::SignedRecord],
    network: &Network,
) -> Result<Vec<Signed<T>>, Fault> {
    if wire.len() > RUMOURS_MAX {
        return Err(Fault::Malformed);
    }
    let decode = |it: &schema::SignedRecord| Signed::from_parts(&it.record, &it.signature, network);
    wire.iter().map(decode).collect()
}

fn encode_words(words: &[u64]) -> Bytes {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn decode_words(bytes: &[u8], max: usize) -> Result<Vec<u64>, Fault> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() || words.len() > max {
        return Err(Fault::Malformed);
    }
    Ok(words.iter().map(|word| u64::from_be_bytes(*word)).collect())
}

fn decode_signed(
    encoded: Bytes,
    signature: &[u8],
    network: &Network,
) -> Result<SignedHeader, Fault> {
    if encoded.len() > HEADER_BYTES_MAX {
        return Err(Fault::Malformed);
    }
    let signature = Signature::try_from(signature).map_err(|_| Fault::Malformed)?;
    let header = decode_header(&encoded, network)?;
    Ok(SignedHeader::from_parts(header, encoded, signature, network))
}

fn decode_header(encoded: &Bytes, network: &Network) -> Result<Header, Fault> {
    let wire = schema::Header::decode(encoded.clone()).map_err(|_| Fault::Malformed)?;
    let author = NodeId::try_from(&*wire.author).map_err(|_| Fault::Malformed)?;
    let payload_digest = Digest::try_from(&*wire.payload_digest).map_err(|_| Fault::Malformed)?;
    let topic = network.topic_at(wire.topic).ok_or(Fault::UnknownTopic)?;
    Ok(Header {
        slot: Slot { author, topic, generation: wire.generation, seq: wire.seq },
        timestamp: Timestamp::from_millis(wire.timestamp_ms),
        lifetime: core::time::Duration::from_millis(wire.lifetime_ms.into()),
        payload_len: wire.payload_len,
        payload_digest,
    })
}

/// An author, if one is named.
fn decode_author(bytes: &[u8]) -> Result<Option<NodeId>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    NodeId::try_from(bytes).map(Some).map_err(|_| Fault::Malformed)
}

fn encode_ids(ids: &[MessageId]) -> Bytes {
    let mut bytes = Vec::with_capacity(ids.len() * MessageId::LEN);
    ids.iter().for_each(|id| bytes.extend_from_slice(id.as_bytes()));
    bytes.into()
}

fn encode_names(names: &[ShortId]) -> Bytes {
    let mut bytes = Vec::with_capacity(names.len() * SHORT_ID_BYTES);
    names.iter().for_each(|name| bytes.extend_from_slice(&name.to_bytes()));
    bytes.into()
}

fn decode_names(bytes: &[u8]) -> Result<Vec<ShortId>, Fault> {
    let (names, rest) = bytes.as_chunks::<SHORT_ID_BYTES>();
    if !rest.is_empty() || names.is_empty() || names.len() > IDS_MAX {
        return Err(Fault::Malformed);
    }
    Ok(names.iter().copied().map(ShortId::from_bytes).collect())
}

fn decode_ids(bytes: &[u8]) -> Result<Vec<MessageId>, Fault> {
    let (ids, rest) = bytes.as_chunks::<{ MessageId::LEN }>();
    if !rest.is_empty() || ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Fault::Malformed);
    }
    Ok(ids.iter().copied().map(MessageId::from_bytes).collect())
}
