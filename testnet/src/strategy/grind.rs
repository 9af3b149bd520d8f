//! Chooses who it is.

use super::{Kind, Onset, Wire, sybil_subnet::Crowd};

/// The strategy's entry.
pub const GRIND: Kind = Kind {
    name: "grind",
    row: 26,
    sentence: "Has searched for an id next to its victim's, or for a low one, as a scenario's `ids` says; then \
               joins its victims and tells them of accomplices alone.",
    onset: Onset::Birth,
    wire: Wire::Sound,
    build: |brief| Box::new(Crowd::new(brief)),
};
