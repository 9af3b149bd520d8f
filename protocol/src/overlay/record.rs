//! A peer's signed word of where it may be reached.
//!
//! A record travels as the bytes that its peer signed, and is passed on by anybody: its id is theirs, so no
//! relay can change it, and a higher number replaces a lower one. It proves who wrote it and not that
//! somebody answers there; only a dial does. Form is checked when it is decoded, sense by [`SignedRecord::sense`],
//! the signature (and the work, where the network asks for it) through [`Effect::Verify`](crate::Effect::Verify).

use core::time::Duration;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use forsooth_crypto::{
    Claim, Digest, Domain, Keypair, NodeId, Preimage, Purpose, Signature, Verifiable, Verified,
};
use prost::Message as _;

use crate::{
    Address, Fault,
    network::Network,
    overlay::{
        book::{Contact, Endpoint},
        work::{Puzzle, Work},
    },
    time::Timestamp,
    wire,
};

/// Bytes of an encoded record; more are malformed. An honest one has about 100.
pub const RECORD_BYTES_MAX: usize = 512;
/// Addresses in a record: TCP and QUIC, IPv4 and IPv6.
pub const ADDRESSES_MAX: usize = 4;
/// Bytes of a proof of work.
pub(crate) const WORK_BYTES_MAX: usize = 64;
/// A record this old says nothing any more. Its peer signs a new one long before.
pub const LIFETIME: Duration = Duration::from_secs(86_400);

/// What a peer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Who.
    pub id: NodeId,
    /// Where it may be reached; 1 to [`ADDRESSES_MAX`].
    pub addresses: Vec<Address>,
    /// Grows with each record that the peer signs.
    pub number: u64,
    /// When it was signed, by its peer's clock.
    pub time: Timestamp,
    /// Its proof of work over its key; empty where the network asks for none.
    pub work: Bytes,
}

impl PeerRecord {
    fn encode(&self) -> Bytes {
        let wire = wire::WireRecord {
            peer: Bytes::copy_from_slice(self.id.as_bytes()),
            addresses: self.addresses.iter().map(|address| address.as_str().to_owned()).collect(),
            number: self.number,
            time_ms: self.time.as_millis(),
            work: self.work.clone(),
        };
        wire.encode_to_vec().into()
    }

    /// Checks form: lengths and counts.
    fn decode(encoded: &Bytes) -> Result<Self, Fault> {
        if encoded.len() > RECORD_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let wire = wire::WireRecord::decode(encoded.clone()).map_err(|_| Fault::Malformed)?;
        if wire.addresses.len() > ADDRESSES_MAX || wire.work.len() > WORK_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let address = |text: &String| Address::new(text).ok_or(Fault::Malformed);
        Ok(Self {
            id: NodeId::try_from(&*wire.peer).map_err(|_| Fault::Malformed)?,
            addresses: wire.addresses.iter().map(address).collect::<Result<_, _>>()?,
            number: wire.number,
            time: Timestamp::from_millis(wire.time_ms),
            // A copy: a record is kept long after the frame that it came in.
            work: Bytes::copy_from_slice(&wire.work),
        })
    }
}

/// A record with its signature and the bytes that were signed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SignedRecord {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    record: PeerRecord,
    encoded: Bytes,
    signature: Signature,
    digest: Digest,
    network: Digest,
    /// Bits of work that the network asks for.
    effort: u8,
    /// Record and signature in one, once somebody has asked for it: the intake and the book share it.
    whole: OnceLock<Bytes>,
}

impl PartialEq for SignedRecord {
    fn eq(&self, other: &Self) -> bool {
        let key = |record: &Self| (record.inner.signature, record.inner.network);
        key(self) == key(other) && self.inner.encoded == other.inner.encoded
    }
}

impl Eq for SignedRecord {}

impl SignedRecord {
    /// Signs a record for a network. The addresses after those that fit in [`RECORD_BYTES_MAX`] are left out.
    #[must_use]
    pub fn sign(mut record: PeerRecord, keypair: &Keypair, network: &Network) -> Self {
        record.addresses.truncate(ADDRESSES_MAX);
        let mut encoded = record.encode();
        while encoded.len() > RECORD_BYTES_MAX && record.addresses.pop().is_some() {
            encoded = record.encode();
        }
        let digest = Digest::of(Domain::Record, &encoded);
        let signature = keypair.sign(&Preimage::new(Purpose::Record, network.digest(), &digest));
        let effort = network.identity().effort();
        let network = *network.digest();
        Self {
            inner: Arc::new(Inner {
                record,
                encoded,
                signature,
                digest,
                network,
                effort,
                whole: OnceLock::new(),
            }),
        }
    }

    /// Puts together what came over the wire or from a disk.
    ///
    /// # Errors
    /// [`Fault::Malformed`] if it does not have the form of a record.
    pub fn from_parts(encoded: &Bytes, signature: &[u8], network: &Network) -> Result<Self, Fault> {
        let signature = Signature::try_from(signature).map_err(|_| Fault::Malformed)?;
        let record = PeerRecord::decode(encoded)?;
        // A copy: a record is kept long after the frame that it came in.
        let encoded = Bytes::copy_from_slice(encoded);
        let digest = Digest::of(Domain::Record, &encoded);
        let effort = network.identity().effort();
        let network = *network.digest();
        Ok(Self {
            inner: Arc::new(Inner {
                record,
                encoded,
                signature,
                digest,
                network,
                effort,
                whole: OnceLock::new(),
            }),
        })
    }

    /// What the peer says, if the signature is good.
    #[must_use]
    pub fn record(&self) -> &PeerRecord {
        &self.inner.record
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.inner.encoded
    }

    /// The peer's signature, good or bad.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.inner.signature
    }

    /// The digest of the bytes that were signed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// Whether its proof of work is as much as the network asks for. Costs far more than a signature.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        self.inner.effort == 0
            || Work::from_bytes(&self.inner.record.work).is_some_and(|work| {
                Puzzle::new(&self.inner.record.id, &self.inner.network, self.inner.effort)
                    .check(&work)
            })
    }

    /// Record and signature in one, as they are kept on disk.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.inner.whole.get_or_init(|| wire::record_bytes(self)).clone()
    }

    /// What [`Self::to_bytes`] made.
    ///
    /// # Errors
    /// [`Fault::Malformed`] if it is no record.
    pub fn from_bytes(bytes: &[u8], network: &Network) -> Result<Self, Fault> {
        wire::record_from_bytes(bytes, network)
    }

    /// Whether an honest node could pass it on: what can be told without a signature.
    ///
    /// # Errors
    /// [`Fault::AbsurdRecord`] for what no honest node passes on, whenever it looks; and what clocks can be
    /// to blame for, [`Fault::FromFuture`] or [`Fault::Expired`].
    pub fn sense(&self, network: &Network, wall: Timestamp) -> Result<(), Fault> {
        let usable = |address: &Address| {
            Endpoint::parse(address).is_ok_and(|endpoint| endpoint.check(network.kind()).is_ok())
        };
        let addresses = &self.inner.record.addresses;
        let twice = (1..addresses.len())
            .any(|end| addresses.iter().take(end).any(|one| Some(one) == addresses.get(end)));
        if addresses.is_empty() || twice || !addresses.iter().all(usable) {
            return Err(Fault::AbsurdRecord);
        }
        if self.inner.record.time > wall.saturating_add(network.defence().clock_skew_max) {
            return Err(Fault::FromFuture);
        }
        if self.inner.record.time.saturating_add(LIFETIME) <= wall {
            return Err(Fault::Expired);
        }
        Ok(())
    }
}

impl SignedRecord {
    /// What the book keeps of it. Of a record that nobody has verified only for the book's own memory.
    pub(super) fn to_contact(&self) -> Contact {
        let record = self.record();
        Contact {
            peer: record.id,
            number: record.number,
            time: record.time,
            addresses: record.addresses.clone(),
            record: self.to_bytes(),
        }
    }
}

impl Verifiable for SignedRecord {
    fn claims(&self) -> impl Iterator<Item = Claim> {
        core::iter::once(Claim {
            signer: self.inner.record.id,
            preimage: Preimage::new(Purpose::Record, &self.inner.network, &self.inner.digest),
            signature: self.inner.signature,
        })
    }

    fn intact(&self) -> bool {
        true
    }
}

impl From<&Verified<SignedRecord>> for Contact {
    fn from(signed: &Verified<SignedRecord>) -> Self {
        signed.to_contact()
    }
}
