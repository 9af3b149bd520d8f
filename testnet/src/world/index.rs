//! Nodes by number, and numbers by id.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use forsooth_crypto::NodeId;
use forsooth_protocol::Address;

/// A node's place in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub(crate) u32);

impl Index {
    pub(crate) const fn place(self) -> usize {
        self.0 as usize
    }
}

/// A map by keys that are as good as random: public keys and digests. It needs no hash of its own, and is
/// the same in each run.
pub(crate) type ByRandom<K, V> = HashMap<K, V, BuildHasherDefault<First>>;

/// Takes the first eight bytes for a hash.
#[derive(Debug, Default)]
pub(crate) struct First(u64);

impl Hasher for First {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// A length that comes before the bytes says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All ids of a world.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    ids: Vec<(NodeId, Address)>,
    indices: ByRandom<NodeId, Index>,
}

impl Ids {
    pub(crate) fn add(&mut self, id: NodeId, address: impl FnOnce(Index) -> Address) -> Index {
        let index = u32::try_from(self.ids.len());
        let index = Index(index.expect("a world has far less than 2^32 nodes"));
        self.ids.push((id, address(index)));
        self.indices.insert(id, index);
        index
    }

    pub(crate) fn index(&self, id: &NodeId) -> Option<Index> {
        self.indices.get(id).copied()
    }

    pub(crate) fn id(&self, index: Index) -> NodeId {
        self.entry(index).0
    }

    /// Where it listens.
    pub(crate) fn address(&self, index: Index) -> &Address {
        &self.entry(index).1
    }

    fn entry(&self, index: Index) -> &(NodeId, Address) {
        self.ids.get(index.place()).expect("indices are given out by `add`")
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}
