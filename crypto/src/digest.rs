//! Digests: BLAKE3 in its key-derivation mode, with a context for each use.
//!
//! Bytes hashed for one [`Domain`] never have the digest of bytes hashed for another, so a payload
//! cannot be passed off as a header. The contexts are hashed once per process: a digest of at most
//! 64 bytes then costs one compression instead of two.

use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};

/// The name of some bytes in one [`Domain`]: 32 bytes of BLAKE3.
///
/// Text and serde use the 64 lower-case hexadecimal digits.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

crate::hex::thirty_two_bytes!(Digest);

impl Digest {
    /// The digest of `bytes` for one use.
    ///
    /// ```
    /// use forsooth_crypto::{Digest, Domain};
    ///
    /// assert_ne!(Digest::of(Domain::Header, b"oui"), Digest::of(Domain::Payload, b"oui"));
    /// ```
    pub fn of(domain: Domain, bytes: &[u8]) -> Self {
        Hasher::new(domain).update(bytes).finish()
    }
}

/// A digest of bytes that come in pieces. The borders of the pieces leave no trace: whoever hashes
/// several fields must write their lengths too.
#[derive(Clone)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts a digest for one use.
    pub fn new(domain: Domain) -> Self {
        Self(blake3::Hasher::new_from_context_key(domain.key()))
    }

    /// Adds bytes at the end.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// The digest of everything added so far; more can be added after.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").finish_non_exhaustive()
    }
}

/// What a digest is of. Each use has its own context string, `forsooth/1 <name>`, which is part of
/// the protocol: another string is another network.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// A network's name and parameters; the first 8 bytes also name its libp2p protocol.
    Network,
    /// The name of what a signature is for, see [`Purpose`](crate::Purpose).
    Purpose,
    /// A message's header; the digest is the message's id.
    Header,
    /// A message's payload, as its header names it.
    Payload,
    /// A frame as received, to know it again before decoding.
    Received,
    /// What several authors attest independently.
    Claim,
    /// A signed record of an address.
    Record,
    /// A signed record of a member.
    Member,
    /// A probe that came through somebody else, as its subject answers it.
    Probe,
    /// An observer's accusation.
    Accusation,
    /// A node of a Merkle tree over stored messages.
    Range,
    /// A peer's rank under a sampler's private seed.
    Rank,
    /// A member's place on an observers' ring.
    Ring,
    /// An address's place in a keyed bucket.
    Bucket,
    /// A run's inputs and effects, to compare two runs.
    Trace,
    /// The key of a network's sketches of sets.
    Sketch,
}

impl Domain {
    /// Every domain, in the order of declaration.
    const ALL: [Self; 16] = [
        Self::Network,
        Self::Purpose,
        Self::Header,
        Self::Payload,
        Self::Received,
        Self::Claim,
        Self::Record,
        Self::Member,
        Self::Probe,
        Self::Accusation,
        Self::Range,
        Self::Rank,
        Self::Ring,
        Self::Bucket,
        Self::Trace,
        Self::Sketch,
    ];

    const fn context(self) -> &'static str {
        match self {
            Self::Network => "forsooth/1 network",
            Self::Purpose => "forsooth/1 purpose",
            Self::Header => "forsooth/1 header",
            Self::Payload => "forsooth/1 payload",
            Self::Received => "forsooth/1 received",
            Self::Claim => "forsooth/1 claim",
            Self::Record => "forsooth/1 record",
            Self::Member => "forsooth/1 member",
            Self::Probe => "forsooth/1 probe",
            Self::Accusation => "forsooth/1 accusation",
            Self::Range => "forsooth/1 range",
            Self::Rank => "forsooth/1 rank",
            Self::Ring => "forsooth/1 ring",
            Self::Bucket => "forsooth/1 bucket",
            Self::Trace => "forsooth/1 trace",
            Self::Sketch => "forsooth/1 sketch",
        }
    }

    fn key(self) -> &'static ContextKey {
        static KEYS: LazyLock<[ContextKey; Domain::ALL.len()]> =
            LazyLock::new(|| Domain::ALL.map(|domain| hash_derive_key_context(domain.context())));
        KEYS.get(self as usize).expect("ALL lists every domain at its own place")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_blake3_key_derivation_under_the_domains_context() {
        for domain in Domain::ALL {
            for length in [0, 1, 64, 65, 5000] {
                let bytes = vec![7; length];
                let expected = blake3::derive_key(domain.context(), &bytes);
                assert_eq!(Digest::of(domain, &bytes).as_bytes(), &expected, "{domain:?}");
            }
        }
    }

    #[test]
    fn every_domain_has_a_place_and_a_context_of_its_own() {
        for (place, domain) in Domain::ALL.into_iter().enumerate() {
            assert_eq!(domain as usize, place);
            let name = format!("{domain:?}").to_lowercase();
            assert_eq!(domain.context(), format!("forsooth/1 {name}"));
        }
    }

    #[test]
    fn digests_are_ordered_as_their_bytes_are() {
        let mut all: Vec<[u8; 32]> = (0..=255).map(|byte| [byte; 32]).collect();
        all.extend((0..32).map(|place| core::array::from_fn(|n| if n == place { 1 } else { 128 })));
        for one in &all {
            for other in &all {
                let digests = Digest(*one).cmp(&Digest(*other));
                assert_eq!(digests, one.cmp(other), "{one:?} {other:?}");
            }
        }
    }

    /// The context strings are part of the protocol: changing one must be noticed.
    #[test]
    fn a_known_digest_stays_what_it_was() {
        let digest = Digest::of(Domain::Header, b"forsooth");
        assert_eq!(
            digest.to_string(),
            "61db147b5567e81ab76d125e72d1bf8391ca0b3c0fdc2567af035904dcb0e94b"
        );
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let mut hasher = Hasher::new(Domain::Payload);
        let first = hasher.update(b"for").finish();
        assert_eq!(first, Digest::of(Domain::Payload, b"for"));
        assert_eq!(hasher.update(b"sooth").finish(), Digest::of(Domain::Payload, b"forsooth"));
    }

    #[test]
    fn a_digest_is_printed_and_read_back_as_hex() {
        let digest = Digest::of(Domain::Trace, b"");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(format!("{digest:?}"), format!("Digest({}…)", digest.short()));
    }
}
