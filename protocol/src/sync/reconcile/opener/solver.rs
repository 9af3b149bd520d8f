//! What an opener does with symbols.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};

use super::super::{Fallback, Nonce, Root, claim::shortened_root};
use crate::sync::{
    decoder::Decoder,
    estimate::{Estimate, symbols_at_last, symbols_for, symbols_more},
    index::View,
    item::{Item, Stem, Tail},
    prefix::Prefix,
    sketch::{SYMBOLS_MAX, Sketch},
    symbol::Symbol,
};

/// Symbols in one reply.
pub(in crate::sync::reconcile) const SYMBOLS_PER_REPLY: usize = 1_536;
/// How often more symbols are asked for.
const TOP_UPS_MAX: u32 = 6;

/// The other side's set, as it says with its symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync::reconcile) struct Whole {
    pub(in crate::sync::reconcile) count: u64,
    pub(in crate::sync::reconcile) root: Root,
}

/// A difference that is being solved.
#[derive(Clone, Debug)]
pub(super) struct Solver {
    /// Our side, as it was when this began: the set may change, the symbols must not.
    ours: Sketch,
    theirs: Whole,
    net: i64,
    decoder: Decoder,
    estimate: Estimate,
    /// Came before others that were asked for earlier.
    early: BTreeMap<usize, Vec<Symbol>>,
    /// Symbols that the other side began with.
    begun_with: usize,
    top_ups: u32,
    /// What the other side says the solved stems are of, once it was asked.
    named: Option<BTreeSet<Item>>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing: all is solved.
    Solved {
        /// In order.
        theirs: Vec<Item>,
        /// In order.
        ours: Vec<Item>,
    },
    /// Ask for the symbols at these places.
    Lacks(Range<usize>),
    /// Ask for the items with these stems. In order.
    Unnamed(Vec<Stem>),
    /// Compare ranges.
    Hopeless(Fallback),
}

impl Solver {
    /// Begins, if this side's symbols can be had for little work.
    pub(super) fn new(view: &View<'_>, theirs: Whole) -> Option<Self> {
        let own = view.count();
        let both = usize::try_from(theirs.count).unwrap_or(usize::MAX).saturating_add(own);
        let ours = view.sketch(both.saturating_mul(2).saturating_add(64).min(SYMBOLS_MAX))?;
        let decoder = Decoder::new(*ours.key());
        let net =
            i64::try_from(theirs.count).ok()?.checked_sub_unsigned(u64::try_from(own).ok()?)?;
        Some(Self {
            ours,
            theirs,
            net,
            decoder,
            estimate: Estimate::default(),
            early: BTreeMap::new(),
            begun_with: 0,
            top_ups: 0,
            named: None,
        })
    }

    /// Hears symbols from a place on. They are put in order, if they come out of it.
    pub(super) fn hear(
        &mut self,
        first: usize,
        symbols: &[Symbol],
        of: Whole,
        view: &View<'_>,
    ) -> Result<(), Fallback> {
        if of != self.theirs {
            return Err(Fallback::Moved);
        }
        if symbols.is_empty() {
            return Err(Fallback::Unsolved);
        }
        if first == 0 {
            self.begun_with = symbols.len();
        }
        self.early.insert(first, symbols.to_vec());
        while let Some(symbols) = self.early.remove(&self.decoder.symbols().len()) {
            let from = self.decoder.symbols().len();
            let ours = self.ours.symbols().get(from..).unwrap_or_default();
            for (place, (one, other)) in (from..).zip(symbols.iter().zip(ours)) {
                self.estimate.add(place, one.count.wrapping_sub(other.count), self.net);
            }
            let solved = self.decoder.extend(&symbols, ours, |stem| view.has(stem));
            solved.map_err(|_| Fallback::Garbage)?;
        }
        Ok(())
    }

    /// The digest of the other side's set, as it says.
    pub(super) const fn root(&self) -> Root {
        self.theirs.root
    }

    /// What follows from all symbols that were asked for.
    pub(super) fn progress(&mut self, view: &View<'_>, nonce: &Nonce) -> Progress {
        if self.decoder.is_done() {
            return self.solved(view, nonce);
        }
        let first = self.decoder.symbols().len();
        let kept = self.ours.symbols().len();
        let guess = match self.begun_with {
            SYMBOLS_PER_REPLY.. => self.estimate.mean(),
            len => self.estimate.mean_with_first(len),
        };
        let differences = guess.max(self.net.unsigned_abs() as f64);
        // A guess that was too low again and again is not trusted.
        let wanted = symbols_at_last(differences).max(first + symbols_more(first, self.top_ups));
        let places = first..wanted.min(kept);
        self.top_ups += 1;
        let absurd = symbols_for(differences) > kept + kept / 8;
        if absurd || places.is_empty() || self.top_ups > TOP_UPS_MAX {
            return Progress::Hopeless(Fallback::Unsolved);
        }
        Progress::Lacks(places)
    }

    /// Hears how items go on that begin with some stems.
    pub(super) fn name(&mut self, stems: &[Stem], tails: &[Vec<Tail>]) {
        let items = stems.iter().zip(tails);
        let items = items.flat_map(|(stem, tails)| tails.iter().map(|tail| stem.with(tail)));
        self.named.get_or_insert_default().extend(items);
    }

    /// Symbols are believed only if what they say gives the other side's digest.
    fn solved(&mut self, view: &View<'_>, nonce: &Nonce) -> Progress {
        let (theirs, ours) = self.decoder.stems();
        let Some(named) = &self.named else {
            if theirs.iter().any(|stem| !view.bounds().contains(stem.at())) {
                return Progress::Hopeless(Fallback::Garbage);
            }
            self.named = Some(BTreeSet::new());
            if theirs.is_empty() {
                return self.solved(view, nonce);
            }
            return Progress::Unnamed(theirs);
        };
        // What has come or gone since is no difference any more. If two of ours have one stem, it is ranges that tell
        // which of them they lack.
        let theirs: Vec<Item> = named.iter().filter(|item| !view.contains(item)).copied().collect();
        let ours = ours.into_iter().filter_map(|stem| view.items(Prefix::of(stem), 1));
        let ours: Vec<Item> = ours.flatten().collect();
        let root = shortened_root(&view.fingerprint_with(&theirs, &ours), nonce);
        if root != self.theirs.root {
            return Progress::Hopeless(Fallback::Mismatch);
        }
        Progress::Solved { theirs, ours }
    }
}
