//! What the book knows of a peer, as it is kept over a restart.
//!
//! Peers come back to exactly the places that they had, because the key comes back too: a restart is no
//! chance for those who stand elsewhere. The signed record inside was verified before it was stored.

use bytes::Bytes;
use forsooth_crypto::NodeId;
use prost::Message;

use super::{
    Book, Contact, Group, Learned, NEW_BUCKETS, Refused, SPOTS_MAX, Shelf,
    bucket::Key,
    entries::Handle,
    entry::{Dials, Entry, Reached, Spots, Standing},
};
use crate::time::Timestamp;

/// A peer of the book as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The signed record, which was verified in an earlier life.
    pub record: Bytes,
    source: Group,
    place: Place,
    dials: Dials,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    New(Vec<u16>),
    Tried(Group),
}

/// The bytes of a [`Stored`].
#[derive(Message)]
struct Row {
    #[prost(bytes = "bytes", tag = "1")]
    record: Bytes,
    #[prost(bytes = "vec", tag = "2")]
    source: Vec<u8>,
    /// Of a new peer.
    #[prost(uint32, repeated, tag = "3")]
    buckets: Vec<u32>,
    /// Of a tried peer.
    #[prost(bytes = "vec", optional, tag = "4")]
    reached: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "5")]
    last_dial_ms: Option<u64>,
    #[prost(uint64, optional, tag = "6")]
    last_reached_ms: Option<u64>,
    #[prost(uint64, optional, tag = "7")]
    last_failure_ms: Option<u64>,
    #[prost(uint32, tag = "8")]
    failures: u32,
}

impl Stored {
    pub(super) fn encode(entry: &Entry) -> Bytes {
        let (buckets, reached) = match &entry.standing {
            Standing::New(spots) => (spots.iter().map(|spot| spot.bucket.into()).collect(), None),
            Standing::Tried(reached) => (Vec::new(), Some(reached.group.encode())),
        };
        let Dials { last, last_reached, last_failure, failures } = entry.dials();
        let row = Row {
            record: entry.contact.record.clone(),
            source: entry.source.encode(),
            buckets,
            reached,
            last_dial_ms: last.map(Timestamp::as_millis),
            last_reached_ms: last_reached.map(Timestamp::as_millis),
            last_failure_ms: last_failure.map(Timestamp::as_millis),
            failures,
        };
        row.encode_to_vec().into()
    }

    /// Reads what [`Book::changes`] had stored; `None` if it is damaged.
    #[must_use]
    pub fn decode(entry: Bytes) -> Option<Self> {
        let row = Row::decode(entry).ok()?;
        let place = match &row.reached {
            Some(group) => Place::Tried(Group::decode(group)?),
            None => {
                let bucket = |number: u32| u16::try_from(number).ok().filter(|b| *b < NEW_BUCKETS);
                let buckets: Option<Vec<u16>> = row.buckets.into_iter().map(bucket).collect();
                Place::New(buckets?)
            }
        };
        let dials = Dials {
            last: row.last_dial_ms.map(Timestamp::from_millis),
            last_reached: row.last_reached_ms.map(Timestamp::from_millis),
            last_failure: row.last_failure_ms.map(Timestamp::from_millis),
            failures: row.failures,
        };
        Some(Self { record: row.record, source: Group::decode(&row.source)?, place, dials })
    }
}

impl Book {
    /// Takes back the key of an earlier life, before anything is learned or restored. Ignored after that,
    /// since everybody would stand in the wrong place.
    pub fn restore_key(&mut self, key: u64) {
        if self.is_empty() {
            self.key = Key(key);
            self.unsaved.keep_key();
        }
    }

    /// Takes back the anchors of an earlier life.
    pub fn restore_anchors(&mut self, mut anchors: Vec<NodeId>) {
        anchors.truncate(super::ANCHORS_MAX);
        self.anchors = anchors;
    }

    /// Takes back a peer of an earlier life, with what its record says. It stands where it
    /// stood, unless somebody else has come there in this life.
    ///
    /// # Errors
    /// When the addresses that it had are now our own, or may not be dialled any more; it is then forgotten.
    pub fn restore(&mut self, stored: Stored, contact: Contact) -> Result<Learned, Refused> {
        let peer = contact.peer;
        let contact =
            self.check_content(contact).inspect_err(|_| self.unsaved.forget(peer, true))?;
        let contact = match self.entries.get(&peer) {
            Some(known) if known.contact.number > contact.number => known.contact.clone(),
            Some(_) | None => contact,
        };
        self.remove(&peer);
        let Stored { source, place, dials, .. } = stored;
        let standing = self.place(&peer, place);
        let entry = standing.map(|standing| {
            let mut entry = Entry::new(contact, source, standing);
            entry.stored = true;
            if dials != Dials::default() {
                *entry.dials_mut() = dials;
            }
            entry
        });
        let Some(handle) = entry.and_then(|entry| self.entries.insert(entry)) else {
            self.unsaved.forget(peer, true);
            return Ok(Learned::Full);
        };
        self.stand(handle);
        self.last_reached = self.last_reached.max(dials.last_reached);
        self.unsaved.keep(peer);
        Ok(Learned::Added)
    }

    /// Where it stood, as far as nobody is there now.
    fn place(&self, peer: &NodeId, place: Place) -> Option<Standing> {
        match place {
            Place::New(mut buckets) => {
                buckets.truncate(SPOTS_MAX);
                let mut spots = Spots::new();
                for bucket in buckets {
                    let spot = self.key.spot(Shelf::New, bucket, peer);
                    if self.new.get(spot).is_none() && !spots.contains(&spot) {
                        spots.push(spot);
                    }
                }
                (!spots.is_empty()).then_some(Standing::New(spots))
            }
            Place::Tried(group) => {
                let spot = self.key.reached(peer, &group);
                let is_free = self.tried.get(spot).is_none();
                is_free.then(|| Standing::Tried(Box::new(Reached { spot, group })))
            }
        }
    }

    /// Takes the slots of a peer, all of them free.
    fn stand(&mut self, handle: Handle) {
        match self.entries.at(handle).map(|entry| &entry.standing) {
            Some(Standing::New(spots)) => {
                for spot in spots {
                    self.new.put(*spot, handle);
                }
            }
            Some(Standing::Tried(reached)) => drop(self.tried.put(reached.spot, handle)),
            None => {}
        }
    }
}
