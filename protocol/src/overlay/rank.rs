//! How a slot of the sampler ranks peers: by private, keyed hashes of where they are, then of who they are.
//!
//! The rank of a peer is one 64-bit number for each prefix of its [`Place`] and a last one for its key,
//! compared in this order. So a slot first draws one of all coarse networks, then one of the networks in it,
//! and so on: ten thousand keys in one /16 have the chance of that one /16 (Basalt, on hierarchical rankings).
//!
//! The hash is SipHash-1-3 under 128 secret bits for each slot. An attacker who could tell ranks without the
//! key would choose places and keys that win; SipHash is a pseudorandom function made for short inputs and such
//! attackers, who here do not even see its output, only that a peer was contacted. BLAKE3 takes ten times as
//! long on 16 bytes. A plain mix of multiplications would be faster still, but the sampler remembers what it has
//! ranked, so that hashing is no longer what it spends its time on.

use core::{cmp::Ordering, fmt};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;
use siphasher::sip::SipHasher13;

use super::place::{LEVELS, Place};

/// Which hash of a slot is of the peer, not of a prefix of its place.
const PEER: u64 = u64::MAX;

/// A secret under which things are hashed.
#[derive(Clone, Copy)]
pub(crate) struct Key([u64; 2]);

/// A secret under which peers have short names.
///
/// Names tell peers apart and do nothing else, and everything that anybody tells us is named, so this is the
/// universal hash NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and Secure Message Authentication",
/// section 4), folded: whoever does not know the secret finds no two ids of one name but by chance.
#[derive(Clone, Copy)]
pub(crate) struct Names([u64; 4]);

/// A peer as a sampler compares it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Who.
    pub(crate) peer: NodeId,
    /// Stands for the peer among all that one sampler knows.
    pub(crate) mark: u64,
    /// Where.
    pub(crate) place: Place,
}

/// A candidate's rank under one key; the last number is the peer's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank([u64; LEVELS + 1]);

impl Key {
    /// A secret that nobody else knows.
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self([rng.next_u64(), rng.next_u64()])
    }

    /// The rank of a candidate.
    pub(crate) fn rank(&self, candidate: &Candidate) -> Rank {
        Rank(core::array::from_fn(|level| self.number(candidate, level)))
    }

    /// Whether a candidate ranks below one that ranks so. Hashes once only: what both share decides nothing.
    pub(crate) fn prefers(&self, candidate: &Candidate, to: &Candidate, at: &Rank) -> bool {
        let level = candidate.place.shared(&to.place);
        let Some(beaten) = at.0.get(level) else { return false };
        match self.number(candidate, level).cmp(beaten) {
            Ordering::Less => true,
            Ordering::Greater => false,
            // One in 2^64; any rule will do that does not depend on who came first.
            Ordering::Equal => candidate.mark < to.mark,
        }
    }

    fn number(&self, candidate: &Candidate, level: usize) -> u64 {
        let token =
            if level < LEVELS { candidate.place.token(level) } else { [PEER, candidate.mark] };
        let [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]] = token.map(u64::to_le_bytes);
        self.hash(&[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        let Self([first, second]) = *self;
        SipHasher13::new_with_keys(first, second).hash(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl Names {
    /// A secret that nobody else knows.
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self(core::array::from_fn(|_| rng.next_u64()))
    }

    /// A peer's name.
    pub(crate) fn mark(&self, peer: &NodeId) -> u64 {
        let Self([a, b, c, d]) = *self;
        let (words, _) = peer.as_bytes().as_chunks::<8>();
        let word = |at: usize| words.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        let one = product(word(0).wrapping_add(a), word(1).wrapping_add(b));
        let two = product(word(2).wrapping_add(c), word(3).wrapping_add(d));
        fold(one.wrapping_add(two))
    }

    /// The name of a peer at a place, of the same kind; `mark` is the peer's.
    pub(crate) fn mark_at(&self, mark: u64, place: &Place) -> u64 {
        let Self([a, b, ..]) = *self;
        // It has to tell apart the few places of one peer, so one keyed product is enough.
        let [high, low] = place.words();
        fold(product(high ^ a, low ^ b).wrapping_add(u128::from(mark)))
    }
}

fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves are taken apart")]
const fn fold(product: u128) -> u64 {
    product as u64 ^ (product >> 64) as u64
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names(secret)")
    }
}

impl Rank {
    /// The numbers as shares of their range, coarsest first: what the size of a network is estimated from.
    pub(crate) fn shares(&self) -> [f64; LEVELS + 1] {
        self.0.map(|number| number as f64 / u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use rand_core::SeedableRng as _;

    use super::*;

    fn candidates(rng: &mut ChaCha8Rng) -> Vec<Candidate> {
        let addresses =
            ["1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1", "2.1.1.1", "2001:db8::1", "2001:db8::2"];
        let known = addresses.iter().map(|ip| Some(ip.parse::<IpAddr>().unwrap()));
        let places =
            known.chain([None]).flat_map(|ip| [None, Some(5)].map(|asn| Place::of(ip, asn)));
        let mut peer =
            || NodeId::from_bytes(core::array::from_fn(|_| rng.next_u32().to_le_bytes()[0]));
        let two = places.flat_map(|place| [(peer(), place), (peer(), place)]);
        let all: Vec<_> = two.collect();
        let names = Names::draw(rng);
        all.into_iter()
            .map(|(peer, place)| Candidate { peer, mark: names.mark(&peer), place })
            .collect()
    }

    #[test]
    fn one_hash_decides_as_all_of_the_rank_would() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let all = candidates(&mut rng);
        for _ in 0..20 {
            let key = Key::draw(&mut rng);
            for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other)))
            {
                let (rank, held) = (key.rank(one), key.rank(other));
                let less = rank.0 < held.0;
                assert_eq!(key.prefers(one, other, &held), less, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn names_tell_peers_and_their_places_apart_and_hang_on_the_secret() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let [names, others] = [(); 2].map(|()| Names::draw(&mut rng));
        let bits = (0..=u8::MAX).map(|bit| {
            let mut id = [0; 32];
            id[usize::from(bit) / 8] = 1 << (bit % 8);
            NodeId::from_bytes(id)
        });
        let marks: Vec<_> = bits.flat_map(|id| [names.mark(&id), others.mark(&id)]).collect();
        let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(distinct.len(), 512);
        let places = candidates(&mut rng);
        let at: std::collections::BTreeSet<_> =
            places.iter().map(|one| names.mark_at(7, &one.place)).collect();
        let distinct: std::collections::BTreeSet<_> =
            places.iter().map(|one| one.place.words()).collect();
        assert_eq!(at.len(), distinct.len());
    }

    #[test]
    fn a_key_is_never_printed() {
        let texts = [format!("{:?}", Key([1, 2])), format!("{:?}", Names([1, 2, 3, 4]))];
        assert_eq!(texts, ["Key(secret)", "Names(secret)"]);
    }
}
