//! What a member says of itself.
//!
//! An [`Epoch`] orders what one member says: its generation grows with each life, its incarnation each time that it
//! has to say that it lives. Nobody but its key can raise it, so nothing old resurrects a member, and nobody else
//! says that it leaves. Within an epoch the version grows with what it says of itself.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use forsooth_crypto::{Domain, NodeId, Purpose};
use prost::Message as _;

use super::signed::{Content, Signed};
use crate::{
    Address, Fault,
    network::Network,
    overlay::{
        book::Endpoint,
        record::{ADDRESSES_MAX, WORK_BYTES_MAX},
    },
    time::Timestamp,
    wire,
};

/// Bytes of keys and values together.
pub const TAG_BYTES_MAX: usize = 1024;
/// Tags of one member.
pub const TAGS_MAX: usize = 64;
/// Bytes of an encoded record; more are malformed. An honest one without tags has about 90.
pub const MEMBER_BYTES_MAX: usize = 2048;
/// No member is suspected so often in one life: a higher incarnation is a lie about the future.
pub const INCARNATION_MAX: u64 = 1 << 32;
/// A generation is about the Unix time of its node's start; one this far ahead of the clock is absurd.
const GENERATION_AHEAD_MAX: Duration = Duration::from_secs(365 * 86_400);

/// Orders what one member says. A higher one outdates all that was said before, accusations included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch {
    /// Which of its lives.
    pub generation: u64,
    /// How often in that life it has said that it is alive.
    pub incarnation: u64,
}

/// The application's small key-values of a member, at most [`TAG_BYTES_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Tags, or `None` if they are too many or too long, or a key is empty.
    #[must_use]
    pub fn new(tags: BTreeMap<String, String>) -> Option<Self> {
        let bytes: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
        let fits = bytes <= TAG_BYTES_MAX && tags.len() <= TAGS_MAX;
        (fits && !tags.contains_key("")).then_some(Self(tags))
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// What a member says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub id: NodeId,
    /// Where it may be reached; 1 to [`ADDRESSES_MAX`].
    pub addresses: Vec<Address>,
    /// Which of its lives, and how often it has said in it that it is alive.
    pub epoch: Epoch,
    /// Grows with each record of one epoch.
    pub version: u64,
    /// When it was signed, by its member's clock.
    pub time: Timestamp,
    /// Drawn for each incarnation: where the member's observers stand follows from it.
    pub nonce: u64,
    /// It leaves of its own will.
    pub left: bool,
    /// The application's.
    pub tags: Tags,
    /// Its proof of work over its key; empty where the network asks for none.
    pub work: Bytes,
}

/// A member's record with its signature.
pub type SignedMember = Signed<Member>;

impl Member {
    /// What orders the records of one member.
    #[must_use]
    pub const fn order(&self) -> (Epoch, u64) {
        (self.epoch, self.version)
    }

    /// Whether an honest node could pass it on: what can be told without a signature.
    ///
    /// # Errors
    /// [`Fault::AbsurdMember`] for what no honest node passes on, whenever it looks; and what clocks can be to blame
    /// for, [`Fault::FromFuture`] or [`Fault::AbsurdGeneration`].
    pub fn sense(&self, network: &Network, wall: Timestamp) -> Result<(), Fault> {
        let usable = |address: &Address| {
            Endpoint::parse(address).is_ok_and(|endpoint| endpoint.check(network.kind()).is_ok())
        };
        if self.addresses.is_empty()
            || !self.addresses.iter().all(usable)
            || self.epoch.incarnation > INCARNATION_MAX
        {
            return Err(Fault::AbsurdMember);
        }
        if self.epoch.generation > wall.saturating_add(GENERATION_AHEAD_MAX).as_secs() {
            return Err(Fault::AbsurdGeneration);
        }
        if self.time > wall.saturating_add(network.defence().clock_skew_max) {
            return Err(Fault::FromFuture);
        }
        Ok(())
    }
}

impl Content for Member {
    const PURPOSE: Purpose = Purpose::Member;
    const DOMAIN: Domain = Domain::Member;

    fn signer(&self) -> NodeId {
        self.id
    }

    fn encode(&self) -> Bytes {
        let tag =
            |(key, value): (&str, &str)| wire::WireTag { key: key.into(), value: value.into() };
        let wire = wire::WireMember {
            peer: Bytes::copy_from_slice(self.id.as_bytes()),
            addresses: self.addresses.iter().map(|address| address.as_str().to_owned()).collect(),
            generation: self.epoch.generation,
            incarnation: self.epoch.incarnation,
            version: self.version,
            time_ms: self.time.as_millis(),
            nonce: self.nonce,
            left: self.left,
            tags: self.tags.iter().map(tag).collect(),
            work: self.work.clone(),
        };
        wire.encode_to_vec().into()
    }

    fn decode(encoded: &Bytes) -> Result<Self, Fault> {
        if encoded.len() > MEMBER_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let wire = wire::WireMember::decode(encoded.clone()).map_err(|_| Fault::Malformed)?;
        if wire.addresses.len() > ADDRESSES_MAX || wire.work.len() > WORK_BYTES_MAX {
            return Err(Fault::Malformed);
        }
        let address = |text: &String| Address::new(text).ok_or(Fault::Malformed);
        let count = wire.tags.len();
        let tags: BTreeMap<_, _> = wire.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
        if tags.len() != count {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            id: NodeId::try_from(&*wire.peer).map_err(|_| Fault::Malformed)?,
            addresses: wire.addresses.iter().map(address).collect::<Result<_, _>>()?,
            epoch: Epoch { generation: wire.generation, incarnation: wire.incarnation },
            version: wire.version,
            time: Timestamp::from_millis(wire.time_ms),
            nonce: wire.nonce,
            left: wire.left,
            tags: Tags::new(tags).ok_or(Fault::Malformed)?,
            work: Bytes::copy_from_slice(&wire.work),
        })
    }

    fn work(&self) -> Option<&Bytes> {
        Some(&self.work)
    }
}
