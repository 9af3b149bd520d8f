//! A node's secret.

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{NodeId, Preimage, Signature};

/// An Ed25519 secret with its [`NodeId`].
///
/// The secret is erased from memory when dropped and shown by no formatting. It leaves only through
/// [`seed`](Self::seed) and [`key_file::create`](crate::key_file::create).
#[derive(Clone)]
pub struct Keypair(SigningKey);

impl Keypair {
    /// A new secret out of `rng`.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self(SigningKey::from_bytes(&seed))
    }

    /// The keypair of a known seed (RFC 8032's private key). For tests, simulations and key stores.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// The seed: whoever has it is this node. Erased when dropped.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public name of this keypair.
    pub fn id(&self) -> NodeId {
        NodeId::from_bytes(self.0.verifying_key().to_bytes())
    }

    /// Signs. The same preimage always gives the same signature (RFC 8032).
    pub fn sign(&self, preimage: &Preimage) -> Signature {
        self.sign_bytes(preimage.as_bytes())
    }

    /// Signs any bytes. Not public: outside of this crate nothing but a [`Preimage`] is signed.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(self.0.sign(bytes).to_bytes())
    }
}

impl From<SigningKey> for Keypair {
    fn from(key: SigningKey) -> Self {
        Self(key)
    }
}

/// The id only.
impl std::fmt::Debug for Keypair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keypair({}…)", self.id().short())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn debug_shows_the_id_and_not_the_secret() {
        let keypair = Keypair::generate(&mut ChaCha8Rng::seed_from_u64(1));
        let shown = format!("{keypair:?} {keypair:#?}");
        assert!(shown.contains(&keypair.id().short().to_string()));
        let secret = data_encoding::HEXLOWER.encode(&keypair.seed()[..]);
        let decimal = format!("{:?}", &keypair.seed()[..4]);
        assert!(!shown.contains(&secret[..8]) && !shown.contains(decimal.trim_matches(['[', ']'])));
    }

    #[test]
    fn a_seed_gives_its_keypair_back() {
        let keypair = Keypair::generate(&mut ChaCha8Rng::seed_from_u64(2));
        assert_eq!(Keypair::from_seed(*keypair.seed()).id(), keypair.id());
    }
}
