//! Membership: who joins, who leaves, who dies, and who cannot be made to.

#![expect(clippy::indexing_slicing, reason = "a node that is not there is a mistake of the test")]

mod detection;
mod liars;
mod recovery;
mod refused;
mod town;
