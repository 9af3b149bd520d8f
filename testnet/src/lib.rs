//! Attack a Forsooth network and see whether the truth gets through.
//!
//! A [`Scenario`](scenario::Scenario) says who takes part, what happens to them and what must hold. Two
//! [engines](engine) run it: the simulator runs cores in a [`World`](world::World) of virtual time, from a
//! seed; the other starts real nodes on loopback through the node library. In both, an
//! [`Adversary`](strategy::Adversary) is a [`Strategy`](strategy::Strategy) around an honest core, and a
//! [`Tap`](tap::Tap) around each honest core tells one [`Recorder`](record::Recorder) what came, what left
//! and what was believed. What the recorder found becomes an [`Outcome`](engine::Outcome) with a [verdict]:
//! pass, fail, or inconclusive when the attack never happened. [`output`] writes it for people and programs,
//! [`replay`] tells what one node or one message of it lived through.
//!
//! All malicious behaviour of the workspace lives here. This crate deliberately knows no protocol rule: it
//! checks what the core promises with its own eyes, signatures included.

pub mod cast;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod experiment;
pub mod eyes;
pub mod gate;
pub mod output;
pub mod plan;
pub mod record;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod strategy;
pub mod tap;
pub mod verdict;
pub mod world;
