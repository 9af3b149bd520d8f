//! Experiments: one part of the product alone, in numbers that the literature can be compared with.
//!
//! [`sampling`] drives the product's own sampler, or one of the algorithms it is compared with, in rounds of
//! exchanges among thousands of nodes, of which some lie. No frames, signatures or clocks: what is measured is
//! whom honest nodes end up knowing. Experiments know nothing of scenarios; those run whole cores.

pub mod sampling;
