//! The HTTP interface of real nodes, over real sockets, through a client that can also be rude.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be as expected ends the test, in its helpers too"
)]

mod bans;
mod client;
mod guards;
mod history;
mod members;
mod notices;
mod pages;
mod publishing;
mod stage;
mod streaming;
