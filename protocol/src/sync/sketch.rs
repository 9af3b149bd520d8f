//! The beginning of a set's symbols, kept up to date as items come and go.
//!
//! A small set keeps none: its symbols are computed when they are asked for. That, and taking items out again that are
//! out of the bounds of a comparison, costs up to [`CODED_MAX`] items' worth of work: what a question may cost.

use super::{
    index::View,
    item::{Bounds, Item},
    symbol::{SketchKey, Symbol},
};

/// Symbols that are kept of a set: enough for 12,000 differences. 32 bytes each.
pub(super) const SYMBOLS_MAX: usize = 16_384;
/// Items that are put into symbols, or taken out, for one question: at most some 2 ms of work.
pub(super) const CODED_MAX: usize = 8_192;

/// The first symbols of a set.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    key: SketchKey,
    symbols: Vec<Symbol>,
}

impl Sketch {
    /// So many symbols of an empty set.
    pub(super) fn new(key: SketchKey, len: usize) -> Self {
        Self { key, symbols: vec![Symbol::default(); len.min(SYMBOLS_MAX)] }
    }

    /// Puts an item in with a count of 1, or takes it out with -1.
    pub(super) fn apply(&mut self, item: &Item, count: i64) {
        let coded = self.key.code(item.stem());
        let symbols = &mut self.symbols;
        coded.places().each_below(symbols.len(), |place| {
            if let Some(symbol) = symbols.get_mut(place) {
                symbol.apply(&coded, count);
            }
        });
    }

    /// The symbols.
    pub(super) fn symbols(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The key.
    pub(super) const fn key(&self) -> &SketchKey {
        &self.key
    }

    /// The first so many of its symbols.
    fn beginning(&self, len: usize) -> Self {
        Self { key: self.key, symbols: self.symbols.iter().take(len).copied().collect() }
    }
}

impl View<'_> {
    /// The first so many symbols of the items within the bounds, if they can be had for little work.
    pub(super) fn sketch(&self, len: usize) -> Option<Sketch> {
        let (index, bounds) = (self.index(), self.bounds());
        let inside = self.count();
        let outside = index.len().saturating_sub(inside);
        let Kept { key, sketch: kept } = index.kept();
        if let Some(kept) = kept.as_ref().filter(|_| outside <= CODED_MAX) {
            let mut sketch = kept.beginning(len);
            let before = Bounds { from: 0, until: bounds.from };
            let after = Bounds { from: bounds.until, ..Bounds::ALL };
            for rest in [before, after] {
                index.within(rest).for_each(|item| sketch.apply(item, -1));
            }
            return Some(sketch);
        }
        if inside > CODED_MAX {
            return None;
        }
        let mut sketch = Sketch::new((*key)?, len);
        self.for_each(|item| sketch.apply(item, 1));
        Some(sketch)
    }
}

/// The sketch of an index, while the index is large.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    key: Option<SketchKey>,
    sketch: Option<Sketch>,
}

impl Kept {
    /// None is wanted.
    pub(super) const fn none() -> Self {
        Self { key: None, sketch: None }
    }

    /// One is wanted under this key.
    pub(super) const fn under(key: SketchKey) -> Self {
        Self { key: Some(key), sketch: None }
    }

    /// An item came (1) or went (-1).
    pub(super) fn apply(&mut self, item: &Item, count: i64) {
        if let Some(sketch) = &mut self.sketch {
            sketch.apply(item, count);
        }
    }

    /// The index has so many items now; `all` calls with each.
    pub(super) fn settle(&mut self, items: usize, all: impl FnOnce(&mut dyn FnMut(&Item))) {
        let Self { key: Some(key), sketch } = self else { return };
        if sketch.is_some() {
            // Not at once, so that a set about this large does not make and drop one all the time.
            sketch.take_if(|_| items < CODED_MAX / 2);
        } else if items > CODED_MAX {
            let mut made = Sketch::new(*key, SYMBOLS_MAX);
            all(&mut |item| made.apply(item, 1));
            *sketch = Some(made);
        }
    }
}
