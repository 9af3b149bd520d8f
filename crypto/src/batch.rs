//! Checking signatures, one or many, by the one rule of ZIP-215.
//!
//! The rule is: A and R are any encodings of curve points, S is below the group's order, and the
//! cofactored equation holds. It is the only published rule under which a batch accepts exactly what
//! single checks accept (Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020).
//!
//! A batch says only "all hold" or "some do not". A failed batch is cut into groups that are asked
//! again, and a failed group is asked one by one. So no signature is looked at more than three
//! times, wherever the bad ones sit: at worst a batch costs about twice what single checks would.
//! Halving looks at a signature up to log2(n) times, and by the measured costs of each size saves
//! nothing even with a single bad one: what a question costs grows with the number it asks about.

use ed25519_zebra::{Signature, VerificationKeyBytes, batch};
use rand_chacha::ChaCha20Rng;

use crate::Claim;

/// Largest batch. Larger ones gain little more, and this bounds what one bad signature spoils.
const BATCH_MAX: usize = 256;
/// Size of the groups into which a failed batch is cut.
const GROUP: usize = 16;

/// One signature to check, with its hash of R, A and the signed bytes already done.
pub(crate) type Item = batch::Item;

/// Prepares a claim.
pub(crate) fn item(claim: &Claim) -> Item {
    item_of_bytes(claim.signer.as_bytes(), claim.signature.as_bytes(), claim.preimage.as_bytes())
}

/// Prepares a signature over any bytes.
pub(crate) fn item_of_bytes(signer: &[u8; 32], signature: &[u8; 64], signed: &[u8]) -> Item {
    Item::from((VerificationKeyBytes::from(*signer), Signature::from_bytes(signature), signed))
}

/// Checks one signature.
pub(crate) fn holds(item: Item) -> bool {
    item.verify_single().is_ok()
}

/// Checks many: `good` gets, for each item, whether it holds. Both have one length.
///
/// `rng` must be unpredictable to the signers, or they could make bad signatures that cancel out.
pub(crate) fn check(items: &[Item], good: &mut [bool], rng: &mut ChaCha20Rng) {
    for (items, good) in items.chunks(BATCH_MAX).zip(good.chunks_mut(BATCH_MAX)) {
        if let [item] = items {
            // Two are already cheaper together than alone.
            good.fill(holds(item.clone()));
        } else if all_hold(items, rng) {
            good.fill(true);
        } else {
            find_bad(items, good, rng);
        }
    }
}

/// Finds the bad ones among items that do not all hold.
fn find_bad(items: &[Item], good: &mut [bool], rng: &mut ChaCha20Rng) {
    let mut groups = items.chunks(GROUP).zip(good.chunks_mut(GROUP)).peekable();
    let mut found = false;
    while let Some((items, good)) = groups.next() {
        // When all the others hold, the bad one is in the last group: no need to ask it as a whole.
        let is_culprit = !found && groups.peek().is_none();
        if !is_culprit && all_hold(items, rng) {
            good.fill(true);
        } else {
            found = true;
            for (item, good) in items.iter().zip(good) {
                *good = holds(item.clone());
            }
        }
    }
}

fn all_hold(items: &[Item], rng: &mut ChaCha20Rng) -> bool {
    let mut batch = batch::Verifier::new();
    for item in items {
        batch.queue(item.clone());
    }
    batch.verify(rng).is_ok()
}
