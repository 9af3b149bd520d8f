//! Frames to bytes and back.
//!
//! Decoding checks every length before anything is kept, copies no payload, and never panics. It checks
//! form only; whether what it says is true is for others. An unknown field is ignored, an unknown body is
//! malformed: a newer protocol has a newer name.

mod frame;
mod members;
mod messages;

use bytes::Bytes;
use prost::Message as _;

pub use self::frame::{Ack, Announce, Frame, Hello, Intent, Probe};
use self::{
    members::{
        decode_ack, decode_keys, decode_probe, decode_records, decode_statements, decode_words,
        encode_ack, encode_keys, encode_probe, encode_records, encode_words, statement,
    },
    messages::{
        decode_announce, decode_author, decode_hello, decode_ids, decode_items, decode_names,
        decode_proof, decode_publication, encode_ids, encode_items, encode_names, signed,
    },
};
pub(crate) use self::{
    members::{record_bytes, record_from_bytes},
    messages::publication_frame,
};
use crate::{
    Fault,
    network::Network,
    sync::{
        Set,
        reconcile::{Question, Reply},
    },
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
/// Bytes of a frame on `data` that are allowed at least, where a topic keeps its messages.
pub const HAUL_FRAME_BYTES_MIN: usize = 128 << 10;
/// Ids, or names, in one vouch, question or graft.
pub const IDS_MAX: usize = 1024;
/// Messages that are asked for, or offered, in one frame.
pub const ITEMS_MAX: usize = 1024;
/// Records in one answer or push.
pub const RECORDS_MAX: usize = 100;
/// Names of members' records in one request.
pub const NAMES_MAX: usize = 4096;
/// Members that are asked for by their ids in one frame.
pub const WANTED_MAX: usize = 64;
/// Members' records, and accusations, in one frame.
pub const RUMOURS_MAX: usize = 1024;
/// Bytes of an agent string in a hello.
pub const AGENT_BYTES_MAX: usize = 64;
/// Proofs that are asked for in one frame.
pub const PROOFS_MAX: usize = 256;
/// Frames below this are copied out of the buffer that they were read into; the buffers of larger ones are
/// their own.
const COPIED_BELOW_BYTES: usize = 64 << 10;

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
            Body::Reconcile(compare) => {
                let set = Set::numbered(compare.topic).ok_or(Fault::Malformed)?;
                Ok(Self::Reconcile { set, question: Question::from_wire(&compare)? })
            }
            Body::Reconciled(compared) => {
                let set = Set::numbered(compared.topic).ok_or(Fault::Malformed)?;
                Ok(Self::Reconciled { set, reply: Reply::from_wire(&compared)? })
            }
            Body::Want(schema::Want { names, members }) => {
                let members = decode_keys(&members, WANTED_MAX)?;
                Ok(Self::Want { names: decode_words(&names, NAMES_MAX)?, members })
            }
            Body::WantProofs(schema::WantProofs { authors }) => {
                Ok(Self::WantProofs { authors: decode_keys(&authors, PROOFS_MAX)? })
            }
            Body::Compare(compare) => {
                let topic = network.topic_at(compare.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Compare { topic, question: Question::from_wire(&compare)? })
            }
            Body::Compared(compared) => {
                let topic = network.topic_at(compared.topic).ok_or(Fault::UnknownTopic)?;
                let is_behind = compared.is_behind;
                Ok(Self::Compared { topic, reply: Reply::from_wire(&compared)?, is_behind })
            }
            Body::Fetch(fetch) => {
                let topic = network.topic_at(fetch.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Fetch { topic, number: fetch.number, items: decode_items(&fetch.items)? })
            }
            Body::Offer(offer) => {
                let topic = network.topic_at(offer.topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Offer { topic, items: decode_items(&offer.items)? })
            }
            Body::Haul(schema::Haul { topic, number, frames, is_last }) => {
                let topic = network.topic_at(topic).ok_or(Fault::UnknownTopic)?;
                Ok(Self::Haul { topic, number, frames, is_last })
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
            Self::Reconcile { set, question } => Body::Reconcile(question.to_wire(set.number())),
            Self::Reconciled { set, reply } => Body::Reconciled(reply.to_wire(set.number())),
            Self::Want { names, members } => Body::Want(schema::Want {
                names: encode_words(names),
                members: encode_keys(members),
            }),
            Self::WantProofs { authors } => {
                Body::WantProofs(schema::WantProofs { authors: encode_keys(authors) })
            }
            Self::Compare { topic, question } => {
                Body::Compare(question.to_wire(topic.index().into()))
            }
            Self::Compared { topic, reply, is_behind } => {
                let compared = reply.to_wire(topic.index().into());
                Body::Compared(schema::Compared { is_behind: *is_behind, ..compared })
            }
            Self::Fetch { topic, number, items } => Body::Fetch(schema::Fetch {
                topic: topic.index().into(),
                number: *number,
                items: encode_items(items),
            }),
            Self::Offer { topic, items } => Body::Offer(schema::Offer {
                topic: topic.index().into(),
                items: encode_items(items),
            }),
            Self::Haul { topic, number, frames, is_last } => Body::Haul(schema::Haul {
                topic: topic.index().into(),
                number: *number,
                frames: frames.clone(),
                is_last: *is_last,
            }),
        };
        schema::Frame { body: Some(body) }.encode_to_vec().into()
    }
}

/// Whether a frame is about what was missed, by its first byte or two: it has a quota of its own, charged before decoding. What
/// says so and is something else is malformed.
pub(crate) fn claims_to_be_sync(frame: &[u8]) -> bool {
    let mut frame = frame;
    let Ok((tag, _)) = prost::encoding::decode_key(&mut frame) else { return false };
    (18..=22).contains(&tag)
}

/// A small frame may be a slice of a large read buffer, which it would keep alive for as long as the message
/// is stored, at a weight that nobody charged. Copying it costs less than decoding it.
fn owned(frame: &Bytes) -> Bytes {
    if frame.len() < COPIED_BELOW_BYTES { Bytes::copy_from_slice(frame) } else { frame.clone() }
}
