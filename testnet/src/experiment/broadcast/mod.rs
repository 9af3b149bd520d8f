//! How messages spread over whole nodes: how fast, over how many links, and at what cost.
//!
//! Product cores run in the simulator's [`World`](crate::world::World), with a latency that is drawn once for each
//! two nodes. Once all have their links and their views have settled, some honest nodes publish in turn, and
//! nothing else is asked of the network. Each measured message is compared with a flood over the links that there
//! are at that moment, which no protocol can beat. A share of the nodes may withhold what they get, or behave and
//! then withhold all at once.
//!
//! Checks of signatures take no virtual time, and bandwidth has no limit: what is measured is the protocol's own.

mod flood;
mod report;
mod scene;
mod setting;
mod sheet;
mod tail;
#[cfg(test)]
mod tests;
mod watch;

pub use self::{
    report::{Described, Flash, Measured, Report},
    setting::{Error, INTERVAL, Manner, Setting, Since, Withholders},
    tail::Tail,
};

use std::time::Instant;

use self::scene::Scene;
use crate::engine::memory;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nodes look for their links.
    Linking,
    /// They have them, and their views settle.
    Settling,
    /// Messages are published.
    Published {
        /// Messages so far, those of the warm-up included.
        done: usize,
        /// All.
        of: usize,
    },
}

/// Measures a setting; calls `progress` now and then.
///
/// # Errors
/// When the setting makes no sense, or the nodes do not find each other.
pub fn run(setting: &Setting, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let begun = Instant::now();
    setting.check()?;
    let mut scene = Scene::new(setting)?;
    scene.link_up(&mut progress)?;
    scene.publish(&mut progress);
    let measured = Measured::of(&scene);
    let elapsed_seconds = begun.elapsed().as_secs_f64();
    Ok(Report {
        measured,
        elapsed_seconds,
        frames_per_second: scene.world.frames() as f64 / elapsed_seconds.max(1e-9),
        peak_memory_bytes: memory::peak_bytes(),
    })
}
