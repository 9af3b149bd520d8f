//! What observers say of those who do not answer, and what these say through others.

use bytes::Bytes;
use forsooth_crypto::{Domain, NodeId, Purpose, Verified};
use prost::Message as _;

use super::{
    record::Epoch,
    signed::{Content, Signed},
};
use crate::{Fault, time::Timestamp, wire};

/// Bytes of an encoded accusation; more are malformed. An honest one has about 95.
pub const ACCUSATION_BYTES_MAX: usize = 160;

/// "I observe this member on this ring, and it does not answer." An opinion: that a member answers is proof, that it
/// does not may be the accuser's fault, or its lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accusation {
    /// Who says so.
    pub accuser: NodeId,
    /// Of whom.
    pub subject: NodeId,
    /// Of which epoch of the subject: a later one is not accused.
    pub epoch: Epoch,
    /// On which ring the accuser observes it.
    pub ring: u8,
    /// When, by the accuser's clock.
    pub time: Timestamp,
}

/// An accusation with its signature.
pub type SignedAccusation = Signed<Accusation>;

/// Why a member counts as dead: accusations of one epoch by enough of its observers, none of which it has rebutted in time.
/// Anybody who knows the members can check it alone.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Who is dead.
    pub subject: NodeId,
    /// In which epoch.
    pub epoch: Epoch,
    /// By whose word: one for each independent accuser.
    pub accusations: Vec<Verified<SignedAccusation>>,
}

impl Content for Accusation {
    const PURPOSE: Purpose = Purpose::Accusation;
    const DOMAIN: Domain = Domain::Accusation;

    fn signer(&self) -> NodeId {
        self.accuser
    }

    fn encode(&self) -> Bytes {
        let wire = wire::WireAccusation {
            accuser: Bytes::copy_from_slice(self.accuser.as_bytes()),
            subject: Bytes::copy_from_slice(self.subject.as_bytes()),
            generation: self.epoch.generation,
            incarnation: self.epoch.incarnation,
            ring: self.ring.into(),
            time_ms: self.time.as_millis(),
        };
        wire.encode_to_vec().into()
    }

    fn decode(encoded: &Bytes) -> Result<Self, Fault> {
        if encoded.len() > ACCUSATION_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let wire = wire::WireAccusation::decode(encoded.clone()).map_err(|_| Fault::Malformed)?;
        let accusation = Self {
            accuser: NodeId::try_from(&*wire.accuser).map_err(|_| Fault::Malformed)?,
            subject: NodeId::try_from(&*wire.subject).map_err(|_| Fault::Malformed)?,
            epoch: Epoch { generation: wire.generation, incarnation: wire.incarnation },
            ring: u8::try_from(wire.ring).map_err(|_| Fault::Malformed)?,
            time: Timestamp::from_millis(wire.time_ms),
        };
        if accusation.accuser == accusation.subject {
            Err(Fault::Malformed)
        } else {
            Ok(accusation)
        }
    }
}

/// "You asked, through somebody, whether I am here: I am." The nonce is the observer's and fresh, so nothing older, and
/// nothing that was said to somebody else, passes for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who is here.
    pub subject: NodeId,
    /// Who wants to know.
    pub observer: NodeId,
    /// What it drew for this question.
    pub nonce: u64,
}

/// An answer with its signature.
pub type SignedAnswer = Signed<Answer>;

impl Content for Answer {
    const PURPOSE: Purpose = Purpose::Answer;
    const DOMAIN: Domain = Domain::Probe;

    fn signer(&self) -> NodeId {
        self.subject
    }

    fn encode(&self) -> Bytes {
        let nonce = self.nonce.to_le_bytes();
        [&self.subject.as_bytes()[..], &self.observer.as_bytes()[..], &nonce[..]].concat().into()
    }

    fn decode(encoded: &Bytes) -> Result<Self, Fault> {
        let (subject, rest) = encoded.split_first_chunk::<32>().ok_or(Fault::Malformed)?;
        let (observer, nonce) = rest.split_first_chunk::<32>().ok_or(Fault::Malformed)?;
        let nonce = <[u8; 8]>::try_from(nonce).map_err(|_| Fault::Malformed)?;
        Ok(Self {
            subject: NodeId::from_bytes(*subject),
            observer: NodeId::from_bytes(*observer),
            nonce: u64::from_le_bytes(nonce),
        })
    }
}
