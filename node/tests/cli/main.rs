//! The program itself, as an operator has it.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be as expected ends the test, in its helpers too"
)]

#[cfg(target_os = "linux")]
mod disk;
mod mistakes;
mod support;
mod two_nodes;
