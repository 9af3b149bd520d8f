//! Who is found dead, when, and who is wrongly: whole cores in a simulated world.
//!
//! Nodes start together and know a few others, or one seed. When all know all, or that took too long to wait for, what is measured
//! begins: some crash, some have bad links, some are slow, some lie. Nothing is published. Checks of signatures take no virtual
//! time, and bandwidth has no limit.

mod report;
mod restart;
mod scene;
mod schemer;
#[cfg(test)]
mod tests;
mod watch;

use std::time::{Duration, Instant};

use forsooth_protocol::membership::Preset;

pub use self::report::Report;
use self::scene::Scene;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Setting {
    /// All nodes.
    pub nodes: usize,
    /// Nodes that each is told of at first; with 0, all are told of one seed and nobody else.
    pub contacts: usize,
    /// Nodes that crash when measuring begins, all at once.
    pub crash: usize,
    /// Their machines vanish, instead of closing their links.
    pub vanish: bool,
    /// Share of transmissions that are lost, on all links. What is lost is sent again, as TCP does.
    pub loss: f64,
    /// Share of the nodes that are paused again and again, for 0.5 to 2.5 s every 10 s.
    pub slow: f64,
    /// Share of the nodes whose links lose 80 % of all transmissions.
    pub lossy: f64,
    /// Share of the nodes that hear nobody for 20 s, then all for 20 s, and so on.
    pub one_way: f64,
    /// Share of the nodes that accuse all whom they observe, all the time.
    pub liars: f64,
    /// Share of the nodes that accuse nobody and pass no accusation on.
    pub silent: f64,
    /// When all nodes restart, within a few seconds, if they do.
    pub restart_all: Option<Duration>,
    /// How members are observed.
    pub preset: Preset,
    /// How long is measured.
    pub duration: Duration,
    /// From which everything random comes.
    pub seed: u64,
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has to be left to measure.
    #[error(
        "{nodes} nodes, of which {troubled} have trouble: at least half and two must have none"
    )]
    TooMuchTrouble {
        /// All nodes.
        nodes: usize,
        /// Those that crash, are slow, have bad links or lie.
        troubled: usize,
    },
    /// There is no such network.
    #[error(transparent)]
    Network(#[from] forsooth_protocol::network::Error),
}

/// How far a run is. Times are virtual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All are to know all, within this.
    Gathering {
        /// Time since the start.
        done: Duration,
        /// The longest that is waited.
        of: Duration,
    },
    /// All know all; what that brought with it comes to rest.
    Resting {
        /// Time since they knew.
        done: Duration,
        /// All of it.
        of: Duration,
    },
    /// What comes is measured.
    Measuring {
        /// Time since measuring began.
        done: Duration,
        /// All of it.
        of: Duration,
    },
}

/// Measures a setting; calls `progress` now and then.
///
/// # Errors
/// When the setting makes no sense.
pub fn run(setting: &Setting, mut progress: impl FnMut(Progress)) -> Result<Report, Error> {
    let mut scene = Scene::new(setting)?;
    scene.gather(&mut progress);
    let begun = Instant::now();
    scene.measure(&mut progress);
    Ok(Report::of(&scene, begun.elapsed()))
}
