//! Whom honest nodes sample while others push lies.
//!
//! The model is that of Basalt's evaluation (Auvolat et al., Middleware 2023): in each round an honest node asks one
//! peer for its view and sends its own to another. Each Byzantine node pushes `force` times as often, to random
//! nodes, and pushes and answers with Byzantine peers only. The adversary knows all nodes and all rules, and no
//! secret. [`run`] measures one seed; [`Summary`] has the medians of several.

mod basalt;
mod baseline;
mod directory;
mod paper;
mod setting;
mod summary;
#[cfg(test)]
mod tests;
mod world;

pub use self::{
    setting::{Algorithm, Ground, Setting},
    summary::{Described, Measured, Summary},
};

use self::{
    basalt::Basalt,
    baseline::{Brahms, Shuffle},
    paper::Paper,
    world::World,
};

/// Runs a setting from one seed; calls `progress` after each round.
#[must_use]
pub fn run(setting: &Setting, seed: u64, progress: impl FnMut()) -> Measured {
    match setting.algorithm {
        Algorithm::Basalt => World::<Basalt>::new(setting, seed).run(progress),
        Algorithm::Paper => World::<Paper>::new(setting, seed).run(progress),
        Algorithm::Brahms => World::<Brahms>::new(setting, seed).run(progress),
        Algorithm::Shuffle => World::<Shuffle>::new(setting, seed).run(progress),
    }
}
