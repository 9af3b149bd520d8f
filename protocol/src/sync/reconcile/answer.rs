//! The side that is asked. It keeps nothing between two questions.

use super::{
    Ask, Nonce, Question, Reply, Root, STEMS_MAX, TAILS_MAX, Tell,
    claim::{CLAIM_BYTES_MAX, Claim, ITEMS_MAX, each_part, name, names, root, shortened},
    opener::SYMBOLS_PER_REPLY,
};
use crate::sync::{
    estimate::{TALLIED, from_tallies, symbols_at_first, symbols_for},
    index::{Index, Summary, View},
    item::{Bounds, Item, Stem},
    prefix::Prefix,
    sketch::SYMBOLS_MAX,
    symbol::Symbol,
};

/// Bytes of a reply after which no more ranges are looked at. What one range adds is less than what is left to the
/// largest frame of `control`.
const REPLY_BYTES_MAX: usize = 40 << 10;

/// Of what is guessed from tallies, so much is taken for certain: the guess is a fifth too high or too low, and ranges
/// cost four times what symbols do.
const DOUBTED: f64 = 0.7;

/// Answers a question from what this side holds within its own bounds.
#[must_use]
pub fn answer(index: &Index, own: Bounds, question: &Question) -> Reply {
    let Question { number, nonce, bounds, ask } = question;
    let bounds_common = bounds.and(own);
    let tell = if bounds_common != *bounds || bounds.is_empty() {
        Tell::Narrow(bounds_common)
    } else {
        let view = index.within(*bounds);
        match ask {
            Ask::Open { root: theirs, .. } if *theirs == root(&view, nonce) => Tell::Equal,
            Ask::Open { count, tallies, .. } => tallies
                .as_ref()
                .and_then(|tallies| first_symbols(&view, nonce, *count, tallies))
                .unwrap_or_else(|| everything(&view, nonce)),
            Ask::Symbols { first, len, root } => symbols(&view, nonce, (*first, *len), root),
            Ask::Stems(stems) => tails(&view, stems),
            Ask::Ranges(claims) => Answer::new(view, nonce).to(claims),
        }
    };
    Reply { number: *number, tell }
}

/// A claim about everything.
fn everything(view: &View<'_>, nonce: &Nonce) -> Tell {
    Tell::Ranges { claims: vec![Claim::about(view, Prefix::ALL, nonce)], unanswered: 0 }
}

/// As many symbols as the difference seems to need, if that is less than comparing ranges would cost.
fn first_symbols(view: &View<'_>, nonce: &Nonce, theirs: u64, tallies: &[u8]) -> Option<Tell> {
    let ours = u64::try_from(view.count()).ok()?;
    let fewer = i64::try_from(ours).ok()?.checked_sub_unsigned(theirs)?;
    let len = SYMBOLS_PER_REPLY.max(TALLIED.end);
    let sketch = view.sketch(len)?;
    let differences = from_tallies(sketch.symbols(), tallies, fewer);
    // Unless that is far too many, symbols tell better how many there are.
    if symbols_for(DOUBTED * differences) > SYMBOLS_MAX {
        return None;
    }
    let len = symbols_at_first(differences).min(SYMBOLS_PER_REPLY);
    let symbols = sketch.symbols().get(..len)?.to_vec();
    Some(Tell::Symbols { count: ours, root: root(view, nonce), first: 0, symbols })
}

/// The symbols at some places, if the set is still the one that the opener knows of.
fn symbols(view: &View<'_>, nonce: &Nonce, (first, len): (u32, u32), known: &Root) -> Tell {
    let count = u64::try_from(view.count()).unwrap_or(u64::MAX);
    let root = root(view, nonce);
    let places = || {
        let start = usize::try_from(first).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?.min(SYMBOLS_PER_REPLY))?;
        let sketch = (root == *known && end <= SYMBOLS_MAX).then(|| view.sketch(end))??;
        sketch.symbols().get(start..end).map(<[Symbol]>::to_vec)
    };
    Tell::Symbols { count, root, first, symbols: places().unwrap_or_default() }
}

/// How the items with these stems go on. If there are more of one than are told, none is.
fn tails(view: &View<'_>, stems: &[Stem]) -> Tell {
    let of = |stem: &Stem| {
        let items = view.items(Prefix::of(*stem), TAILS_MAX).unwrap_or_default();
        items.iter().map(Item::tail).collect()
    };
    Tell::Tails(stems.iter().take(STEMS_MAX).map(of).collect())
}

struct Answer<'a> {
    view: View<'a>,
    nonce: &'a Nonce,
    claims: Vec<Claim>,
    bytes: usize,
}

impl<'a> Answer<'a> {
    const fn new(view: View<'a>, nonce: &'a Nonce) -> Self {
        Self { view, nonce, claims: Vec::new(), bytes: 0 }
    }

    fn to(mut self, claims: &[Claim]) -> Tell {
        let mut unanswered = claims.len();
        for claim in claims {
            if self.bytes > REPLY_BYTES_MAX {
                break;
            }
            self.compare(claim);
            unanswered = unanswered.saturating_sub(1);
        }
        self.claims.sort_unstable_by_key(Claim::range);
        let unanswered = u32::try_from(unanswered).unwrap_or(u32::MAX);
        Tell::Ranges { claims: self.claims, unanswered }
    }

    fn compare(&mut self, claim: &Claim) {
        match claim {
            Claim::Split { range, within, parts } => {
                for (beside, summary) in self.view.around(*range, *within) {
                    self.list(beside, &summary);
                }
                for (part, theirs) in each_part(*within, parts) {
                    self.compare_part(part, theirs);
                }
            }
            Claim::Few { range, names } => self.compare_few(*range, names),
            // Questions do not list items, which decoding has seen to.
            Claim::Items { .. } => {}
        }
    }

    fn compare_part(&mut self, part: Prefix, theirs: Option<u64>) {
        let summary = self.view.summary(part);
        let ours = (summary.count() > 0).then(|| shortened(&summary.print(), self.nonce));
        match (theirs, ours) {
            (None, None) => {}
            (Some(theirs), Some(ours)) if theirs == ours => {}
            (None, Some(_)) => self.list(part, &summary),
            (Some(_), _) => self.push(Claim::about(&self.view, part, self.nonce)),
        }
    }

    fn compare_few(&mut self, range: Prefix, theirs: &[u64]) {
        let Some(mut items) = self.view.items(range, ITEMS_MAX) else {
            return self.push(Claim::about(&self.view, range, self.nonce));
        };
        let ours = names(&items, self.nonce);
        let lacking = (0..)
            .zip(theirs)
            .filter(|(_, name)| !ours.contains(name))
            .fold(0, |bits, (place, _)| bits | 1_u16.checked_shl(place).unwrap_or(0));
        items.retain(|item| !theirs.contains(&name(item, self.nonce)));
        if !items.is_empty() || lacking != 0 {
            self.push(Claim::Items { range, items, lacking });
        }
    }

    /// Says what is in a range in which the other side has nothing.
    fn list(&mut self, range: Prefix, summary: &Summary) {
        let fits = summary.count() <= ITEMS_MAX && self.bytes <= REPLY_BYTES_MAX;
        match self.view.items(range, ITEMS_MAX).filter(|_| fits) {
            Some(items) => self.push(Claim::Items { range, items, lacking: 0 }),
            None => self.push(Claim::about(&self.view, range, self.nonce)),
        }
    }

    fn push(&mut self, claim: Claim) {
        self.bytes = self.bytes.saturating_add(claim.weight());
        self.claims.push(claim);
    }
}

const _: () = assert!(
    REPLY_BYTES_MAX + ITEMS_MAX * 40 + 100 * CLAIM_BYTES_MAX < crate::wire::CONTROL_FRAME_BYTES_MAX,
    "a reply fits into a frame"
);
