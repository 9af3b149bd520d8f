//! Trust is a type: [`Untrusted`] came from somebody, [`Verified`] had its signatures checked here.
//!
//! The only ways from one to the other are [`verify`] and [`verify_all`]. What takes a `Verified`
//! need not remember to check.

use std::ops::Deref;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng};

use crate::{Claim, batch};

/// What must hold for a value to be believed.
pub trait Verifiable {
    /// The signatures that the value rests on: one for a message, two for a proof of equivocation.
    /// All must hold. A value without any is rejected, since nothing was proven.
    fn claims(&self) -> impl Iterator<Item = Claim>;

    /// Whether the value is what its signed part commits to, such as the payload that the header
    /// names. Costly checks belong here: this runs where signatures are checked, not in the core.
    fn intact(&self) -> bool;
}

/// A value as it came from somebody. Reading it says so: [`unverified`](Self::unverified).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted<T>(T);

impl<T> Untrusted<T> {
    /// Marks a value as not checked.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Reads the value, at one's own risk.
    pub const fn unverified(&self) -> &T {
        &self.0
    }
}

/// A value that is intact and whose signatures, at least one, all hold.
///
/// ```
/// use forsooth_crypto::{Claim, Digest, Domain, Keypair, Preimage, Purpose, Verifiable, Verified};
/// use forsooth_crypto::{Untrusted, verify};
///
/// #[derive(Debug)]
/// struct Note(Claim);
///
/// impl Verifiable for Note {
///     fn claims(&self) -> impl Iterator<Item = Claim> {
///         std::iter::once(self.0)
///     }
///     fn intact(&self) -> bool {
///         true
///     }
/// }
///
/// fn relay(note: Verified<Note>) {}
///
/// let author = Keypair::from_seed([7; 32]);
/// let network = Digest::of(Domain::Network, b"docs");
/// let preimage = Preimage::new(Purpose::Message, &network, &Digest::of(Domain::Header, b"hi"));
/// let note = Note(Claim { signer: author.id(), signature: author.sign(&preimage), preimage });
/// relay(verify(Untrusted::new(note)).unwrap());
/// ```
///
/// An unchecked value is not a checked one:
///
/// ```compile_fail,E0308
/// # use forsooth_crypto::{Untrusted, Verified};
/// fn relay(note: Verified<String>) {}
/// relay(Untrusted::new("hi".to_owned()));
/// ```
///
/// and a checked one cannot be made by hand:
///
/// ```compile_fail,E0423
/// let note = forsooth_crypto::Verified("hi".to_owned());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A value that is not to be believed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<T> {
    /// The value, given back.
    pub item: Untrusted<T>,
    /// What was wrong with it.
    pub reason: Rejection,
}

/// Why a value is not to be believed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// A signature does not hold, or there is none.
    #[error("a signature does not hold")]
    Signature,
    /// The value is not what its signed part commits to. Its signatures were not looked at.
    #[error("the content is not what was signed")]
    Content,
}

/// Checks one value.
///
/// # Errors
///
/// The value is given back when it is not intact, carries no signature, or one does not hold.
pub fn verify<T: Verifiable>(item: Untrusted<T>) -> Result<Verified<T>, Rejected<T>> {
    let mut signed = false;
    let reason = if !item.0.intact() {
        Some(Rejection::Content)
    } else if item.0.claims().all(|claim| {
        signed = true;
        batch::holds(batch::item(&claim))
    }) && signed
    {
        None
    } else {
        Some(Rejection::Signature)
    };
    conclude(item, reason)
}

/// Checks many values, in order, as [`verify`] would check each, but in batches: for 64 values from
/// different authors in about half of the time.
///
/// Bad values cost their finder and not their neighbours: the good ones pass. A signature is looked
/// at once when its batch holds, and at most three times when not.
///
/// Takes 32 bytes from `rng`, whatever the values are, so that nobody's bytes steer a seeded stream.
pub fn verify_all<T: Verifiable>(
    items: Vec<Untrusted<T>>,
    rng: &mut impl CryptoRng,
) -> Vec<Result<Verified<T>, Rejected<T>>> {
    let mut rng = ChaCha20Rng::from_rng(rng);
    let mut claims = Vec::with_capacity(items.len());
    // For each item: how many of the claims are its own, or `None` if it is not even intact.
    let counts: Vec<Option<usize>> = items
        .iter()
        .map(|Untrusted(item)| {
            let before = claims.len();
            item.intact().then(|| {
                claims.extend(item.claims().map(|claim| batch::item(&claim)));
                claims.len() - before
            })
        })
        .collect();

    let mut good = vec![false; claims.len()];
    batch::check(&claims, &mut good, &mut rng);

    let mut good = good.into_iter();
    let mut verdict = |count: Option<usize>| match count {
        None => Some(Rejection::Content),
        Some(0) => Some(Rejection::Signature),
        Some(count) => {
            // Counted rather than short-circuited: each item must take exactly its own.
            let held = good.by_ref().take(count).filter(|held| *held).count();
            (held != count).then_some(Rejection::Signature)
        }
    };
    items.into_iter().zip(counts).map(|(item, count)| conclude(item, verdict(count))).collect()
}

fn conclude<T>(item: Untrusted<T>, reason: Option<Rejection>) -> Result<Verified<T>, Rejected<T>> {
    match reason {
        None => Ok(Verified(item.0)),
        Some(reason) => Err(Rejected { item, reason }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_core::Rng;

    use super::*;
    use crate::{Digest, Domain, Keypair, Preimage, Purpose, Signature};

    /// A value that rests on some signatures, whole or not.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Note {
        claims: Vec<Claim>,
        intact: bool,
    }

    impl Verifiable for Note {
        fn claims(&self) -> impl Iterator<Item = Claim> {
            self.claims.iter().copied()
        }

        fn intact(&self) -> bool {
            self.intact
        }
    }

    fn claim(author: u8, is_good: bool) -> Claim {
        let keypair = Keypair::from_seed([author; 32]);
        let network = Digest::of(Domain::Network, b"test");
        let preimage =
            Preimage::new(Purpose::Message, &network, &Digest::of(Domain::Header, &[author]));
        let mut signature = *keypair.sign(&preimage).as_bytes();
        signature[40] ^= u8::from(!is_good);
        Claim { signer: keypair.id(), preimage, signature: Signature::from_bytes(signature) }
    }

    /// A note with one signature for each entry of `claims`, good or bad.
    fn note(claims: &[bool], intact: bool) -> Untrusted<Note> {
        let claims = (1..).zip(claims).map(|(author, good)| claim(author, *good)).collect();
        Untrusted::new(Note { claims, intact })
    }

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(7)
    }

    fn reason(item: Untrusted<Note>) -> Option<Rejection> {
        verify(item).err().map(|rejected| rejected.reason)
    }

    #[test]
    fn a_signed_and_intact_value_is_verified() {
        let item = note(&[true], true);
        let verified = verify(item.clone()).unwrap();
        assert_eq!(verified.claims, item.unverified().claims);
        assert_eq!(&verified.into_inner(), item.unverified());
    }

    #[test]
    fn a_rejected_value_is_given_back() {
        let item = note(&[false], true);
        assert_eq!(verify(item.clone()), Err(Rejected { item, reason: Rejection::Signature }));
    }

    #[test]
    fn a_value_without_a_signature_proves_nothing() {
        assert_eq!(reason(note(&[], true)), Some(Rejection::Signature));
        let verdicts = verify_all(vec![note(&[true], true), note(&[], true)], &mut rng());
        assert!(verdicts[0].is_ok() && verdicts[1].is_err());
    }

    #[test]
    fn a_value_with_another_content_is_rejected_however_well_signed() {
        assert_eq!(reason(note(&[true], false)), Some(Rejection::Content));
    }

    #[test]
    fn every_signature_of_a_value_must_hold() {
        assert_eq!(reason(note(&[true, true], true)), None);
        assert_eq!(reason(note(&[true, false], true)), Some(Rejection::Signature));
        assert_eq!(reason(note(&[false, true], true)), Some(Rejection::Signature));
    }

    #[test]
    fn a_signature_for_another_network_does_not_hold() {
        let mut claim = claim(1, true);
        let other = Digest::of(Domain::Network, b"other");
        claim.preimage = Preimage::new(Purpose::Message, &other, &Digest::of(Domain::Header, &[1]));
        let item = Untrusted::new(Note { claims: vec![claim], intact: true });
        assert_eq!(reason(item), Some(Rejection::Signature));
    }

    #[test]
    fn a_seeded_stream_goes_on_the_same_whatever_was_verified() {
        let next = |items: Vec<Untrusted<Note>>| {
            let mut rng = rng();
            verify_all(items, &mut rng);
            rng.next_u64()
        };
        let mut expected = rng();
        expected.fill_bytes(&mut [0; 32]);
        let expected = expected.next_u64();
        assert_eq!(next(vec![]), expected);
        assert_eq!(next(vec![note(&[true], true); 9]), expected);
        assert_eq!(next(vec![note(&[false, true], true); 40]), expected);
    }

    fn any_note() -> impl Strategy<Value = Untrusted<Note>> {
        let claims = prop::collection::vec(prop::bool::weighted(0.9), 0..4);
        (claims, prop::bool::weighted(0.9)).prop_map(|(claims, intact)| note(&claims, intact))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn many_are_judged_in_order_as_each_alone(items in prop::collection::vec(any_note(), 0..80)) {
            let alone: Vec<_> = items.iter().cloned().map(verify).collect();
            prop_assert_eq!(verify_all(items, &mut rng()), alone);
        }
    }
}
