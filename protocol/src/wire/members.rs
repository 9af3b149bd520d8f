//! Records of peers and members, and who is asked whether they are there.

use bytes::Bytes;
use forsooth_crypto::NodeId;
use prost::Message as _;

use super::{Ack, Probe, RECORDS_MAX, RUMOURS_MAX, messages::decode_author, schema};
use crate::{
    Fault,
    membership::{
        accusation::Answer,
        signed::{Content, Signed},
    },
    network::Network,
    overlay::record::SignedRecord,
};

pub(super) fn encode_records(records: &[SignedRecord]) -> schema::Records {
    let signed = |record: &SignedRecord| schema::SignedRecord {
        record: record.encoded().clone(),
        signature: Bytes::copy_from_slice(record.signature().as_bytes()),
    };
    schema::Records { records: records.iter().map(signed).collect() }
}

pub(super) fn decode_records(
    wire: &schema::Records,
    network: &Network,
) -> Result<Vec<SignedRecord>, Fault> {
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

pub(super) fn encode_probe(probe: &Probe) -> schema::Probe {
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

pub(super) fn decode_probe(wire: &schema::Probe) -> Result<Probe, Fault> {
    let nonce = wire.nonce;
    match (decode_author(&wire.subject)?, decode_author(&wire.observer)?) {
        (None, None) => Ok(Probe::Direct { nonce }),
        (None, Some(observer)) => Ok(Probe::For { nonce, observer }),
        (Some(subject), None) => Ok(Probe::Through { nonce, subject }),
        (Some(_), Some(_)) => Err(Fault::Malformed),
    }
}

pub(super) fn encode_ack(ack: &Ack) -> schema::Ack {
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

pub(super) fn decode_ack(wire: &schema::Ack, network: &Network) -> Result<Ack, Fault> {
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

pub(super) fn statement<T: Content>(signed: &Signed<T>) -> schema::SignedRecord {
    schema::SignedRecord {
        record: signed.encoded().clone(),
        signature: Bytes::copy_from_slice(signed.signature().as_bytes()),
    }
}

pub(super) fn decode_statements<T: Content>(
    wire: &[schema::SignedRecord],
    network: &Network,
) -> Result<Vec<Signed<T>>, Fault> {
    if wire.len() > RUMOURS_MAX {
        return Err(Fault::Malformed);
    }
    let decode = |it: &schema::SignedRecord| Signed::from_parts(&it.record, &it.signature, network);
    wire.iter().map(decode).collect()
}

pub(super) fn encode_words(words: &[u64]) -> Bytes {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub(super) fn decode_words(bytes: &[u8], max: usize) -> Result<Vec<u64>, Fault> {
    let (words, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() || words.len() > max {
        return Err(Fault::Malformed);
    }
    Ok(words.iter().map(|word| u64::from_be_bytes(*word)).collect())
}

pub(super) fn encode_keys(ids: &[NodeId]) -> Bytes {
    ids.iter().flat_map(|id| *id.as_bytes()).collect()
}

pub(super) fn decode_keys(bytes: &[u8], max: usize) -> Result<Vec<NodeId>, Fault> {
    let (ids, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || ids.len() > max {
        return Err(Fault::Malformed);
    }
    Ok(ids.iter().map(|id| NodeId::from_bytes(*id)).collect())
}
