//! What one side says about its items in one range.

use core::hash::Hasher as _;

use forsooth_crypto::Digest;
use siphasher::{sip::SipHasher24, sip128};

use super::{Nonce, Root};
use crate::sync::{
    index::{Summary, View},
    item::{ITEM_BITS, ITEM_BYTES, Item},
    prefix::{Prefix, SPLIT_BITS},
};

/// Parts of a range.
const PARTS: u8 = 1 << SPLIT_BITS;
/// Names in one claim.
pub(super) const NAMES_MAX: usize = crate::sync::index::LEAF_MAX;
/// Items in one claim.
pub(super) const ITEMS_MAX: usize = 64;
/// Bytes of a claim without items, at most: its form, its range, and 16 names or digests of parts.
pub(super) const CLAIM_BYTES_MAX: usize = 70 + 16 * 8;

/// The digest of an item or a part, shortened under the nonce.
pub type Named = u64;

/// What one side says about its items in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// More than a few: the digests of its parts.
    Split {
        /// The range.
        range: Prefix,
        /// All its items begin so; there is none elsewhere in the range.
        within: Prefix,
        /// The parts of that which are not empty, in order.
        parts: Vec<Part>,
    },
    /// A few: their names.
    Few {
        /// The range.
        range: Prefix,
        /// Of all items in it, in order.
        names: Vec<Named>,
    },
    /// What was not named in the question. Only in replies.
    Items {
        /// The range.
        range: Prefix,
        /// All others in it, in order.
        items: Vec<Item>,
        /// Which of those named it does not have, the lowest bit first.
        lacking: u16,
    },
}

/// A part of a range that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which of the 16.
    pub number: u8,
    /// Its digest.
    pub print: Named,
}

impl Claim {
    /// What this side has in a range.
    pub(super) fn about(view: &View<'_>, range: Prefix, nonce: &Nonce) -> Self {
        match view.summary(range) {
            Summary::Few(items) => Self::Few { range, names: names(&items, nonce) },
            Summary::Many { prefix: within, .. } => {
                let part = |number| {
                    let summary = view.summary(within.part(number));
                    (summary.count() > 0)
                        .then(|| Part { number, print: shortened(&summary.print(), nonce) })
                };
                Self::Split { range, within, parts: (0..PARTS).filter_map(part).collect() }
            }
        }
    }

    /// The range.
    pub(super) const fn range(&self) -> Prefix {
        match self {
            Self::Split { range, .. } | Self::Few { range, .. } | Self::Items { range, .. } => {
                *range
            }
        }
    }

    /// Bytes on the wire, at most.
    pub(super) fn weight(&self) -> usize {
        let items = match self {
            Self::Items { items, .. } => items.len(),
            Self::Split { .. } | Self::Few { .. } => 0,
        };
        let words = match self {
            Self::Split { parts, .. } => parts.len(),
            Self::Few { names, .. } => names.len(),
            Self::Items { .. } => 0,
        };
        let range = usize::from(self.range().len().div_ceil(8));
        24 + range + items.saturating_mul(ITEM_BYTES) + words.saturating_mul(8)
    }

    /// Whether it is of a form that an honest side sends.
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Split { range, within, parts } => {
                let places = || parts.iter().map(|part| part.number);
                range.covers(within)
                    && within.len() + SPLIT_BITS <= ITEM_BITS
                    && !parts.is_empty()
                    && places().all(|place| place < PARTS)
                    && places().is_sorted_by(|one, next| one < next)
            }
            Self::Few { names, .. } => names.len() <= NAMES_MAX,
            Self::Items { range, items, .. } => {
                items.len() <= ITEMS_MAX
                    && items.is_sorted_by(|one, next| one < next)
                    && items.iter().all(|item| range.contains(item))
            }
        }
    }
}

/// Whether claims are about disjoint ranges, in order.
pub(super) fn are_in_order(claims: &[Claim]) -> bool {
    claims.is_sorted_by(|one, next| one.range().last() < *next.range().first())
}

/// The digest of all items of a view.
pub(super) fn root(view: &View<'_>, nonce: &Nonce) -> Root {
    shortened_root(&view.fingerprint(), nonce)
}

/// What the digest of all items is called.
pub(super) fn shortened_root(print: &Digest, nonce: &Nonce) -> Root {
    let mut hasher = sip128::SipHasher24::new_with_key(nonce);
    hasher.write(print.as_bytes());
    sip128::Hasher128::finish128(&hasher).as_bytes()
}

/// What the parts of a range are called, of which a claim says which are not empty.
pub(super) fn each_part(within: Prefix, parts: &[Part]) -> Vec<(Prefix, Option<Named>)> {
    let print = |number| parts.iter().find(|part| part.number == number).map(|part| part.print);
    (0..PARTS).map(|number| (within.part(number), print(number))).collect()
}

/// What a digest is called.
pub(super) fn shortened(print: &Digest, nonce: &Nonce) -> Named {
    keyed(nonce, print.as_bytes())
}

/// What an item is called.
pub(super) fn name(item: &Item, nonce: &Nonce) -> Named {
    keyed(nonce, &item.to_bytes())
}

/// What items are called.
pub(super) fn names(items: &[Item], nonce: &Nonce) -> Vec<Named> {
    items.iter().map(|item| name(item, nonce)).collect()
}

fn keyed(nonce: &Nonce, bytes: &[u8]) -> Named {
    let mut hasher = SipHasher24::new_with_key(nonce);
    hasher.write(bytes);
    hasher.finish()
}
