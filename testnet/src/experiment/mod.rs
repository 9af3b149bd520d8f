//! Experiments: numbers that the literature can be compared with.
//!
//! [`sampling`] drives the product's own sampler, or one of the algorithms it is compared with, in rounds of
//! exchanges among thousands of nodes, of which some lie. No frames, signatures or clocks: what is measured is
//! whom honest nodes end up knowing. [`broadcast`] drives whole cores in a simulated world, with no load but its
//! own, and measures how messages spread; [`membership`] does, and measures who is found dead and when;
//! [`catch_up`] links a few cores without a network, and measures what a late joiner costs. [`reconcile`] has two
//! indexes compared over frames, and no network at all. Experiments judge nothing; scenarios do.

pub mod broadcast;
pub mod catch_up;
pub mod membership;
pub mod reconcile;
pub mod sampling;
