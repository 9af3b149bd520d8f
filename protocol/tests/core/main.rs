//! The core as its neighbours see it: frames in, effects out, in virtual time.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic, and picks the effects that it is about"
)]

mod acceptance;
mod asking;
mod attested;
mod bans;
mod checking;
mod codec;
mod defences;
mod equivocation;
mod faults;
mod frames;
mod gossip;
mod harm;
mod keeping;
mod large;
mod links;
mod membership;
mod memory;
mod naming;
mod overlay;
mod policies;
mod rig;
mod service;
mod siege;
mod solitude;
mod sync;
mod thrift;
mod twins;
