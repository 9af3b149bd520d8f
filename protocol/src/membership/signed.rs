//! What members sign: their own records, accusations of others, and answers that come through others.
//!
//! Each is kept as the bytes that were signed, so no relay can change it, and is cheap to clone. Form is checked when it is
//! decoded, the signature through [`Effect::Verify`](crate::Effect::Verify).

use std::sync::Arc;

use bytes::Bytes;
use forsooth_crypto::{
    Claim, Digest, Domain, Keypair, NodeId, Preimage, Purpose, Signature, Verifiable,
};

use crate::{
    Fault,
    network::Network,
    overlay::work::{Puzzle, Work},
};

/// Something that a member signs.
pub trait Content: Sized {
    /// What the signature is for.
    const PURPOSE: Purpose;
    /// What its digest is of.
    const DOMAIN: Domain;

    /// Who signs it.
    fn signer(&self) -> NodeId;

    /// The bytes that are signed.
    fn encode(&self) -> Bytes;

    /// Checks form: lengths, counts and order.
    ///
    /// # Errors
    /// [`Fault::Malformed`] if it has not the form.
    fn decode(encoded: &Bytes) -> Result<Self, Fault>;

    /// The proof of work that it shows for its signer, if it has to show one.
    fn work(&self) -> Option<&Bytes> {
        None
    }
}

/// Content with its signature and the bytes that were signed.
#[derive(Debug)]
pub struct Signed<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    content: T,
    encoded: Bytes,
    signature: Signature,
    digest: Digest,
    network: Digest,
    /// Bits of work that the network asks for.
    effort: u8,
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.inner.digest, it.inner.signature, it.inner.network);
        key(self) == key(other)
    }
}

impl<T> Eq for Signed<T> {}

impl<T: Content> Signed<T> {
    /// Signs for a network.
    #[must_use]
    pub fn sign(content: T, keypair: &Keypair, network: &Network) -> Self {
        let encoded = content.encode();
        let digest = Digest::of(T::DOMAIN, &encoded);
        let signature = keypair.sign(&Preimage::new(T::PURPOSE, network.digest(), &digest));
        Self::new(content, encoded, signature, network)
    }

    /// Puts together what came over the wire.
    ///
    /// # Errors
    /// [`Fault::Malformed`] if it does not have the form.
    pub fn from_parts(encoded: &Bytes, signature: &[u8], network: &Network) -> Result<Self, Fault> {
        let signature = Signature::try_from(signature).map_err(|_| Fault::Malformed)?;
        let content = T::decode(encoded)?;
        // A copy: it is kept long after the frame that it came in.
        Ok(Self::new(content, Bytes::copy_from_slice(encoded), signature, network))
    }

    fn new(content: T, encoded: Bytes, signature: Signature, network: &Network) -> Self {
        let digest = Digest::of(T::DOMAIN, &encoded);
        let (network, effort) = (*network.digest(), network.identity().effort());
        Self { inner: Arc::new(Inner { content, encoded, signature, digest, network, effort }) }
    }

    /// What was signed, if the signature is good.
    #[must_use]
    pub fn content(&self) -> &T {
        &self.inner.content
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn encoded(&self) -> &Bytes {
        &self.inner.encoded
    }

    /// The signature, good or bad.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        &self.inner.signature
    }

    /// The digest of the bytes that were signed.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.inner.digest
    }

    /// The digest's first 8 bytes: what it is called when tables are compared.
    #[must_use]
    pub fn name(&self) -> u64 {
        let first = self.inner.digest.as_bytes().first_chunk();
        first.map_or(0, |first| u64::from_be_bytes(*first))
    }

    /// Whether its proof of work is as much as the network asks for. Costs far more than a signature.
    #[must_use]
    pub fn is_paid(&self) -> bool {
        let Inner { content, effort, network, .. } = &*self.inner;
        let Some(work) = content.work().filter(|_| *effort > 0) else { return true };
        let mut puzzle = Puzzle::new(&content.signer(), network, *effort);
        Work::from_bytes(work).is_some_and(|work| puzzle.check(&work))
    }

    /// What it weighs on the wire, in bytes: a little more than that.
    pub(super) fn wire_bytes(&self) -> usize {
        self.inner.encoded.len() + 64 + 8
    }
}

impl<T: Content> Verifiable for Signed<T> {
    fn claims(&self) -> impl Iterator<Item = Claim> {
        core::iter::once(Claim {
            signer: self.inner.content.signer(),
            preimage: Preimage::new(T::PURPOSE, &self.inner.network, &self.inner.digest),
            signature: self.inner.signature,
        })
    }

    fn intact(&self) -> bool {
        true
    }
}
