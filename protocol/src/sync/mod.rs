//! What did I miss? Sets that are compared with others', and what follows.
//!
//! [`Index`] is what a node holds of one set, in order. [`reconcile`] finds out in what two of them differ.

pub mod reconcile;

mod decoder;
mod estimate;
mod exchange;
mod index;
mod item;
mod prefix;
mod sketch;
mod symbol;

pub(crate) use self::exchange::{Event, Sync, item};
pub use self::{
    exchange::CHECKS,
    index::{Index, View},
    item::{Bounds, ITEM_BYTES, Item, STEM_BYTES, Stem, TAIL_BYTES, Tail},
    prefix::Prefix,
    symbol::{SKETCH_KEY_BYTES, SketchKey, Symbol},
};
