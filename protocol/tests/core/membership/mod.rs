//! Membership: who joins, who leaves, who dies, and who cannot be made to.

mod detection;
mod liars;
mod refused;
mod town;
