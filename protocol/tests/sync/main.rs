//! What did I miss? Comparisons of sets, through the library's public interface.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and picks the frames that it is about"
)]

mod attacks;
mod codec;
mod exact;
mod fuzzed;
mod hostile;
mod pair;
