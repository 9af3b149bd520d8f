//! Attack a Forsooth network and see whether the truth gets through.
//!
//! Two engines run the same participants. [`up`] starts real nodes on loopback through the node library,
//! [`sim`] runs the same cores in a [`World`](world::World) of virtual time, from a seed. In both, an
//! [`Adversary`](strategy::Adversary) is a [`Strategy`](strategy::Strategy) around an honest core, and a
//! [`Tap`](tap::Tap) around each honest core reports to one [`Recorder`](record::Recorder) what came, what
//! left and what was believed. What the recorder found becomes a [`Report`](report::Report) with a
//! [verdict]: pass, fail, or inconclusive when the attack never happened.
//!
//! All malicious behaviour of the workspace lives here. This crate deliberately knows no protocol rule: it
//! checks what the core promises with its own eyes, signatures included.

pub mod cast;
pub mod cli;
pub mod clock;
pub mod gate;
pub mod plan;
pub mod record;
pub mod report;
pub mod sim;
pub mod strategy;
pub mod tap;
pub mod up;
pub mod verdict;
pub mod world;
