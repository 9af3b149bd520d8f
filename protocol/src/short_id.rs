//! Short ids: what a message is called on one link, in one direction.
//!
//! A vouch names a message by 8 bytes: SipHash-2-4 of its id under a key that the receiver of the vouches chose for
//! this sender and nobody else knows. Compact blocks name transactions so (BIP 152, "Short transaction IDs"), and
//! Erlay with a salt for each link (Naumenko, Maxwell, Wuille, Fedorova, Beschastnikh, section 5). Whoever does not
//! know the key finds no two messages of one name on that link but by chance, 2⁻⁶⁴ a pair; whoever does is the
//! link's other end, which can say what it likes of what it holds anyway.

use core::{fmt, hash::Hasher as _};

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;
use siphasher::{sip::SipHasher24, sip128};

use crate::message::MessageId;

/// Bytes of a [`ShortId`].
pub const SHORT_ID_BYTES: usize = 8;
/// Bytes of a [`VouchKey`].
pub const VOUCH_KEY_BYTES: usize = 16;

/// What a message is called on one link, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortId(u64);

/// The key under which messages are named to whoever chose it, by whoever was told it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VouchKey([u8; VOUCH_KEY_BYTES]);

/// A secret from which a node derives the key for each of its peers.
#[derive(Clone, Copy)]
pub(crate) struct VouchKeys([u8; VOUCH_KEY_BYTES]);

impl ShortId {
    /// The name that these bytes are, little-endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; SHORT_ID_BYTES]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// Its bytes, little-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; SHORT_ID_BYTES] {
        self.0.to_le_bytes()
    }
}

impl VouchKey {
    /// The key that these bytes are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; VOUCH_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; VOUCH_KEY_BYTES] {
        &self.0
    }

    /// What a message is called.
    #[must_use]
    pub fn name(&self, id: &MessageId) -> ShortId {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(id.as_bytes());
        ShortId(hasher.finish())
    }
}

impl fmt::Debug for VouchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VouchKey(..)")
    }
}

impl VouchKeys {
    /// A secret that nobody else knows.
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut secret = [0; VOUCH_KEY_BYTES];
        rng.fill_bytes(&mut secret);
        Self(secret)
    }

    /// The key under which this peer names messages to us. The same in each greeting.
    pub(crate) fn of(&self, peer: &NodeId) -> VouchKey {
        let mut hasher = sip128::SipHasher24::new_with_key(&self.0);
        hasher.write(peer.as_bytes());
        VouchKey(sip128::Hasher128::finish128(&hasher).as_bytes())
    }
}

impl fmt::Debug for VouchKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VouchKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn each_peer_has_a_key_of_its_own_and_each_key_other_names() {
        let keys = VouchKeys::draw(&mut ChaCha8Rng::from_seed([1; 32]));
        let [one, other] = [1, 2].map(|tag| keys.of(&NodeId::from_bytes([tag; 32])));
        assert_ne!(one, other);
        let id = MessageId::from_bytes([3; 32]);
        assert_ne!(one.name(&id), other.name(&id));
        assert_eq!(one.name(&id), VouchKey::from_bytes(*one.as_bytes()).name(&id));
        assert_eq!(format!("{one:?} {keys:?}"), "VouchKey(..) VouchKeys(..)");
    }

    #[test]
    fn a_name_is_siphash_2_4_of_the_id() {
        // Of the reference implementation's test vectors, the one for 32 bytes 0, 1, .. under the key 0, 1, ...
        let key = VouchKey::from_bytes(core::array::from_fn(|n| u8::try_from(n).unwrap()));
        let id = MessageId::from_bytes(core::array::from_fn(|n| u8::try_from(n).unwrap()));
        let name = key.name(&id);
        assert_eq!(ShortId::from_bytes(name.to_bytes()), name);
        assert_eq!(name.to_bytes(), 0x7127_512f_72f2_7cce_u64.to_le_bytes());
    }
}
