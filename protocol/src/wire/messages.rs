//! Greetings, messages, their names and the evidence against their authors.

use bytes::Bytes;
use forsooth_crypto::{Digest, NodeId, Signature};
use prost::{Message as _, encoding::encoded_len_varint};

use super::{AGENT_BYTES_MAX, Announce, Frame, Hello, IDS_MAX, ITEMS_MAX, Intent, schema};
use crate::{
    Fault,
    message::{HEADER_BYTES_MAX, Header, MessageId, Proof, Publication, SignedHeader, Slot},
    network::Network,
    short_id::{SHORT_ID_BYTES, ShortId, VouchKey},
    sync::{ITEM_BYTES, Item},
    time::Timestamp,
};

/// Bytes of a signature on the wire.
const SIGNATURE_BYTES: usize = 64;

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

pub(super) fn signed(header: &SignedHeader) -> schema::SignedHeader {
    schema::SignedHeader {
        header: header.encoded().clone(),
        signature: Bytes::copy_from_slice(header.signature().as_bytes()),
    }
}

pub(super) fn decode_hello(hello: schema::Hello) -> Result<Frame, Fault> {
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

pub(super) fn decode_publication(
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

pub(super) fn decode_proof(proof: schema::Proof, network: &Network) -> Result<Frame, Fault> {
    let first = proof.first.ok_or(Fault::Malformed)?;
    let second = proof.second.ok_or(Fault::Malformed)?;
    let first = decode_signed(first.header, &first.signature, network)?;
    let second = decode_signed(second.header, &second.signature, network)?;
    // Proofs are kept for good, and must not keep a frame's junk alive.
    Ok(Frame::Proof(Proof::unchecked(first.detached(), second.detached())))
}

pub(super) fn decode_announce(
    wire: &schema::Announce,
    network: &Network,
) -> Result<Announce, Fault> {
    let topic = network.topic_at(wire.topic).ok_or(Fault::UnknownTopic)?;
    let id = wire.id.as_ref().try_into().map_err(|_| Fault::Malformed)?;
    Ok(Announce { topic, id: MessageId::from_bytes(id), bytes: wire.bytes, sent: wire.sent })
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
pub(super) fn decode_author(bytes: &[u8]) -> Result<Option<NodeId>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    NodeId::try_from(bytes).map(Some).map_err(|_| Fault::Malformed)
}

pub(super) fn encode_ids(ids: &[MessageId]) -> Bytes {
    let mut bytes = Vec::with_capacity(ids.len() * MessageId::LEN);
    ids.iter().for_each(|id| bytes.extend_from_slice(id.as_bytes()));
    bytes.into()
}

pub(super) fn encode_items(items: &[Item]) -> Bytes {
    items.iter().flat_map(Item::to_bytes).collect()
}

pub(super) fn decode_items(bytes: &[u8]) -> Result<Vec<Item>, Fault> {
    let (items, rest) = bytes.as_chunks::<ITEM_BYTES>();
    if !rest.is_empty() || items.is_empty() || items.len() > ITEMS_MAX {
        return Err(Fault::Malformed);
    }
    Ok(items.iter().map(Item::from_bytes).collect())
}

pub(super) fn encode_names(names: &[ShortId]) -> Bytes {
    let mut bytes = Vec::with_capacity(names.len() * SHORT_ID_BYTES);
    names.iter().for_each(|name| bytes.extend_from_slice(&name.to_bytes()));
    bytes.into()
}

pub(super) fn decode_names(bytes: &[u8]) -> Result<Vec<ShortId>, Fault> {
    let (names, rest) = bytes.as_chunks::<SHORT_ID_BYTES>();
    if !rest.is_empty() || names.is_empty() || names.len() > IDS_MAX {
        return Err(Fault::Malformed);
    }
    Ok(names.iter().copied().map(ShortId::from_bytes).collect())
}

pub(super) fn decode_ids(bytes: &[u8]) -> Result<Vec<MessageId>, Fault> {
    let (ids, rest) = bytes.as_chunks::<{ MessageId::LEN }>();
    if !rest.is_empty() || ids.is_empty() || ids.len() > IDS_MAX {
        return Err(Fault::Malformed);
    }
    Ok(ids.iter().copied().map(MessageId::from_bytes).collect())
}
