//! A map by peer, in the order of their ids, for the few dozen that are linked.
//!
//! The core looks up the sender of each frame in several of these. The first eight bytes of all ids lie side
//! by side, so a look-up needs two or three lines of memory where a tree of 32-byte keys needs ten. Inserting
//! moves what comes after, so this is not for what a peer can fill.

use forsooth_crypto::NodeId;

/// A map from linked peers.
#[derive(Debug)]
pub(crate) struct PeerMap<V> {
    prefixes: Vec<u64>,
    entries: Vec<(NodeId, V)>,
}

impl<V> Default for PeerMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> PeerMap<V> {
    pub(crate) const fn new() -> Self {
        Self { prefixes: Vec::new(), entries: Vec::new() }
    }

    pub(crate) fn get(&self, peer: &NodeId) -> Option<&V> {
        let place = self.place(peer).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, peer: &NodeId) -> Option<&mut V> {
        let place = self.place(peer).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    pub(crate) fn contains_key(&self, peer: &NodeId) -> bool {
        self.place(peer).is_ok()
    }

    /// Puts a value in the place of what was there.
    pub(crate) fn insert(&mut self, peer: NodeId, value: V) -> Option<V> {
        match self.place(&peer) {
            Ok(place) => self.entries.get_mut(place).map(|(_, old)| std::mem::replace(old, value)),
            Err(place) => {
                if self.entries.len() == self.entries.capacity() {
                    // By a quarter: some of what is kept of a link is over a kilobyte, and peers are few.
                    self.entries.reserve_exact(self.entries.len() / 4 + 4);
                }
                self.prefixes.insert(place, prefix(&peer));
                self.entries.insert(place, (peer, value));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, peer: &NodeId) -> Option<V> {
        let place = self.place(peer).ok()?;
        self.prefixes.remove(place);
        Some(self.entries.remove(place).1)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&NodeId, &V)> {
        self.entries.iter().map(|(peer, value)| (peer, value))
    }

    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&NodeId, &mut V)> {
        self.entries.iter_mut().map(|(peer, value)| (&*peer, value))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where a peer is, or where it would be.
    fn place(&self, peer: &NodeId) -> Result<usize, usize> {
        let prefix = prefix(peer);
        let mut place = self.prefixes.partition_point(|other| *other < prefix);
        // Ids with one beginning are next to each other, in their order.
        while self.prefixes.get(place) == Some(&prefix)
            && let Some((other, _)) = self.entries.get(place)
            && other <= peer
        {
            if other == peer {
                return Ok(place);
            }
            place += 1;
        }
        Err(place)
    }
}

fn prefix(peer: &NodeId) -> u64 {
    peer.as_bytes().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Ids of which many have one beginning.
    fn peer((first, last): (u8, u8)) -> NodeId {
        let mut id = [0; 32];
        (id[0], id[31]) = (first, last);
        NodeId::from_bytes(id)
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map(steps in prop::collection::vec(((0u8..3, 0u8..5), 0u8..3), 1..80)) {
            let (mut map, mut model) = (PeerMap::new(), BTreeMap::new());
            for (value, (id, step)) in steps.into_iter().enumerate() {
                let id = peer(id);
                match step {
                    0 => prop_assert_eq!(map.remove(&id), model.remove(&id)),
                    1 => prop_assert_eq!(map.insert(id, value), model.insert(id, value)),
                    _ => prop_assert_eq!(map.get_mut(&id), model.get_mut(&id)),
                }
                prop_assert_eq!(map.get(&id), model.get(&id));
                prop_assert_eq!(map.contains_key(&id), model.contains_key(&id));
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.values().eq(model.values()));
                prop_assert_eq!(map.len(), model.len());
            }
        }
    }
}
