//! What is signed, and the signature.
//!
//! Signatures cover 96 bytes: what the signature is for, which network it is for, and the digest of
//! the object. So a signature cannot be carried to another network or pass for a signature of another kind.

use std::sync::LazyLock;

use crate::hex::{self, InvalidLength, Short};
use crate::{Digest, Domain, NodeId};

/// An Ed25519 signature as received: 64 bytes, unchecked.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes: R, then S.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Signature {
    type Error = InvalidLength;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        hex::array(bytes).map(Self)
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Signature({}…)", Short([a, b, c, d]))
    }
}

/// What a signature is for. A signature made for one purpose does not hold for another.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An author's message; the object is the digest of its header.
    Message,
    /// A peer's record of where it may be reached; the object is the digest of the record.
    Record,
    /// A member's record of itself; the object is the digest of the record.
    Member,
    /// An observer's accusation; the object is the digest of the accusation.
    Accusation,
    /// A member's answer to a probe that came through somebody else; the object is the digest of the question.
    Answer,
}

impl Purpose {
    /// The digest of the purpose's name, which is part of the protocol.
    fn digest(self) -> &'static Digest {
        static MESSAGE: LazyLock<Digest> =
            LazyLock::new(|| Digest::of(Domain::Purpose, b"message"));
        static RECORD: LazyLock<Digest> = LazyLock::new(|| Digest::of(Domain::Purpose, b"record"));
        static MEMBER: LazyLock<Digest> = LazyLock::new(|| Digest::of(Domain::Purpose, b"member"));
        static ACCUSATION: LazyLock<Digest> =
            LazyLock::new(|| Digest::of(Domain::Purpose, b"accusation"));
        static ANSWER: LazyLock<Digest> = LazyLock::new(|| Digest::of(Domain::Purpose, b"answer"));
        match self {
            Self::Message => &MESSAGE,
            Self::Record => &RECORD,
            Self::Member => &MEMBER,
            Self::Accusation => &ACCUSATION,
            Self::Answer => &ANSWER,
        }
    }
}

/// The bytes that a signature covers: `purpose digest || network digest || object digest`.
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Preimage([u8; 96]);

impl Preimage {
    /// What to sign, or what should have been signed, for `object` on one network.
    pub fn new(purpose: Purpose, network: &Digest, object: &Digest) -> Self {
        let mut bytes = [0; 96];
        let parts = [purpose.digest(), network, object];
        for (place, part) in bytes.chunks_exact_mut(32).zip(parts) {
            place.copy_from_slice(part.as_bytes());
        }
        Self(bytes)
    }

    /// The 96 bytes.
    pub const fn as_bytes(&self) -> &[u8; 96] {
        &self.0
    }
}

impl std::fmt::Debug for Preimage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (_, object) = self.0.split_at(64);
        let object = Digest::try_from(object).expect("32 of 96 bytes are left");
        write!(f, "Preimage(of {}…)", object.short())
    }
}

/// Somebody's word, to be checked: that `signer` signed `preimage`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key.
    pub signer: NodeId,
    /// What it should have signed.
    pub preimage: Preimage,
    /// The signature.
    pub signature: Signature,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preimage_is_purpose_then_network_then_object() {
        let network = Digest::of(Domain::Network, b"n");
        let object = Digest::of(Domain::Header, b"o");
        let preimage = Preimage::new(Purpose::Message, &network, &object);
        let purpose = blake3::derive_key("forsooth/1 purpose", b"message");
        let expected = [purpose, *network.as_bytes(), *object.as_bytes()].concat();
        assert_eq!(preimage.as_bytes()[..], expected);
        assert_eq!(format!("{preimage:?}"), format!("Preimage(of {}…)", object.short()));
    }

    #[test]
    fn bytes_of_another_length_are_not_a_signature() {
        for found in [0, 63, 65] {
            let bytes = vec![0; found];
            assert_eq!(Signature::try_from(&bytes[..]), Err(InvalidLength { expected: 64, found }));
        }
        assert_eq!(Signature::try_from(&[9; 64][..]), Ok(Signature::from_bytes([9; 64])));
    }
}
