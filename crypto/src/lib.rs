//! Keys, signatures and digests of Forsooth.
//!
//! What it is: the few cryptographic nouns that every other crate speaks in. A [`NodeId`] names a
//! key, a [`Digest`] names bytes for one [`Domain`], a [`Keypair`] signs a [`Preimage`], and
//! [`verify`] or [`verify_all`] turn an [`Untrusted`] value into a [`Verified`] one. [`key_file`]
//! keeps a keypair on disk.
//!
//! What it promises:
//!
//! - One signature check and a batch of them agree on every input (ZIP-215), so no attacker can
//!   make a signature that half of the network accepts.
//! - A [`Verified`] value exists only where all of its signatures were checked. Nobody outside this
//!   crate can make one, and nothing that carries no signature becomes one.
//! - A digest or a signature made for one purpose or network is worthless for another.
//! - Secrets are erased when dropped and never printed. Nothing here panics on foreign bytes.
//!
//! What it deliberately does not know: the network, the protocol, what a message is, who is allowed
//! to sign what, and the time.

mod batch;
#[cfg(test)]
mod conformance;
mod digest;
mod hex;
mod id;
pub mod key_file;
mod keypair;
mod signature;
mod trust;

pub use digest::{Digest, Domain, Hasher};
pub use hex::{InvalidLength, ParseHexError};
pub use id::NodeId;
pub use keypair::Keypair;
pub use signature::{Claim, Preimage, Purpose, Signature};
pub use trust::{Rejected, Rejection, Untrusted, Verifiable, Verified, verify, verify_all};
