//! What did I miss? Sets that are compared with others', and what follows.
//!
//! [`Index`] is what a node holds of one set, in order. [`reconcile`] finds out in what two of them differ. Three kinds of sets are
//! compared so: the messages of a topic that keeps them, members' records, and proofs ([`Set`]).

pub mod reconcile;

mod decoder;
mod estimate;
mod exchange;
mod index;
mod item;
mod numbering;
mod prefix;
mod sessions;
mod sketch;
mod symbol;

pub use self::{
    exchange::CHECKS,
    index::{Index, View},
    item::{Bounds, ITEM_BYTES, Item, STEM_BYTES, Stem, TAIL_BYTES, Tail},
    prefix::Prefix,
    sessions::Set,
    symbol::{SKETCH_KEY_BYTES, SketchKey, Symbol},
};
pub(crate) use self::{
    exchange::{Event, Sync, item},
    sessions::{OPEN_MAX, Sessions},
};
