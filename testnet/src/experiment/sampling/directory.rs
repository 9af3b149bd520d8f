//! Who there is, and where: the ids and addresses of all nodes of an experiment.

use std::net::{IpAddr, Ipv4Addr};

use forsooth_crypto::NodeId;
use forsooth_protocol::overlay::place::Place;
use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha8Rng;

use super::setting::{Ground, Setting};

/// A node by its number; the Byzantine ones come first.
pub(super) type Number = u32;

/// The first block of public unicast IPv4 addresses, and the one after the last.
const BLOCKS: (u8, u8) = (1, 224);
/// Blocks within those that are no public addresses.
const PRIVATE: [u8; 5] = [10, 100, 127, 169, 192];

/// The ids and places of all nodes.
pub(super) struct Directory {
    nodes: Vec<(NodeId, Place)>,
    byzantine: Number,
}

impl Directory {
    pub(super) fn new(setting: &Setting, rng: &mut ChaCha8Rng) -> Self {
        let mut blocks: Vec<u8> =
            (BLOCKS.0..BLOCKS.1).filter(|block| !PRIVATE.contains(block)).collect();
        let scattered = blocks.clone();
        shuffle(&mut blocks, rng);
        blocks.truncate(setting.blocks.max(1));
        let byzantine = number(setting.byzantine);
        let home: u32 = rng.random();
        let nodes = (0..number(setting.nodes)).map(|node| {
            let of = if node < byzantine { &scattered } else { &blocks };
            let mut bytes: [u8; 4] = rng.random();
            bytes[0] = *pick(of, rng).unwrap_or(&1);
            let ip = u32::from_be_bytes(bytes);
            // Attackers in one network are where honest nodes are too, as those in a data centre.
            let home = u32::from(*blocks.first().unwrap_or(&1)) << 24 | home >> 8;
            let ip = match (setting.ground, node < byzantine) {
                (Ground::Flat, _) => None,
                (Ground::Scattered, _) | (Ground::Slash24 | Ground::Slash16, false) => Some(ip),
                (Ground::Slash24, true) => Some(home & !0xff | node & 0xff),
                (Ground::Slash16, true) => Some(home & !0xffff | node & 0xffff),
            };
            let place = Place::of(ip.map(|ip| IpAddr::V4(Ipv4Addr::from_bits(ip))), None);
            (id(node, rng), place)
        });
        Self { nodes: nodes.collect(), byzantine }
    }

    pub(super) fn len(&self) -> Number {
        number(self.nodes.len())
    }

    pub(super) fn id(&self, node: Number) -> NodeId {
        self.entry(node).0
    }

    pub(super) const fn byzantine(&self) -> Number {
        self.byzantine
    }

    pub(super) const fn lies(&self, node: Number) -> bool {
        node < self.byzantine
    }

    /// Who and where a node is.
    pub(super) fn entry(&self, node: Number) -> (NodeId, Place) {
        let at = usize::try_from(node).unwrap_or(usize::MAX);
        *self.nodes.get(at).expect("numbers come from this directory")
    }
}

/// A random id that has its node's number at the start, so that it need not be looked up.
fn id(node: Number, rng: &mut ChaCha8Rng) -> NodeId {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    let tail = bytes.into_iter().skip(4);
    let all = node.to_le_bytes().into_iter().chain(tail);
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    NodeId::from_bytes(bytes)
}

/// The number of a node by its id.
pub(super) fn number_of(id: &NodeId) -> Number {
    let [a, b, c, d, ..] = *id.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// How many, as a number of nodes.
pub(super) fn number(count: usize) -> Number {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// One of several.
pub(super) fn pick<'a, T>(of: &'a [T], rng: &mut ChaCha8Rng) -> Option<&'a T> {
    if of.is_empty() { None } else { of.get(rng.random_range(0..of.len())) }
}

/// So many of several, each at most once, or all there are.
pub(super) fn pick_many<T: Copy>(of: &[T], count: usize, rng: &mut ChaCha8Rng) -> Vec<T> {
    let mut all = of.to_vec();
    shuffle_some(&mut all, count, rng);
    all.truncate(count);
    all
}

/// Brings all into a random order.
pub(super) fn shuffle<T>(all: &mut [T], rng: &mut ChaCha8Rng) {
    shuffle_some(all, all.len(), rng);
}

/// Brings so many into the first places, by chance (Fisher and Yates).
fn shuffle_some<T>(all: &mut [T], count: usize, rng: &mut ChaCha8Rng) {
    for at in 0..count.min(all.len()) {
        let other = rng.random_range(at..all.len());
        all.swap(at, other);
    }
}
