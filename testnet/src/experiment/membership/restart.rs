//! All nodes restart at about the same time, each in a life of a higher generation.

use std::time::Duration;

use forsooth_protocol::Time;
use rand::RngExt as _;

use super::scene::{GENERATION, LOOK_EVERY, Scene};
use crate::plan::{Purpose, stream};

/// All restart within this time.
const WITHIN: Duration = Duration::from_secs(5);

/// Who restarts when, and whether all know all again.
pub(super) struct Restarts {
    /// Those that have yet to restart.
    due: Vec<(Time, usize)>,
    look_at: Option<Time>,
}

impl Restarts {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let Some(after) = scene.setting.restart_all else {
            return Self { due: Vec::new(), look_at: None };
        };
        let mut rng = stream(scene.setting.seed, Purpose::Faults, 1);
        let began = scene.begun + after;
        let mut at = || began + WITHIN.mul_f64(rng.random::<f64>());
        let due = (0..scene.setting.nodes).map(|node| (at(), node)).collect();
        Self { due, look_at: Some(began + WITHIN) }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> Option<Time> {
        self.due.iter().map(|(at, _)| *at).chain(self.look_at).min()
    }

    pub(super) fn act(&mut self, scene: &mut Scene<'_>) {
        let now = scene.world.now();
        for (_, node) in self.due.extract_if(.., |(at, _)| *at <= now) {
            let network = scene.network.clone();
            let (_, participant) = scene.participant(node, &network, now.as_duration());
            if let Some(index) = scene.nodes.get(node).copied() {
                scene.world.restart(index, participant);
                scene.introduce(node);
            }
        }
        if self.look_at.is_some_and(|at| at <= now) {
            let done = scene.know_all() && know_new_lives(scene);
            scene.regathered = done.then_some(now);
            self.look_at = (!done).then(|| now + LOOK_EVERY);
        }
    }
}

/// Whether nobody is known by its former life.
fn know_new_lives(scene: &Scene<'_>) -> bool {
    let is_new = |index| {
        let members = scene.world.members(index);
        members.iter().all(|state| state.record.content().epoch.generation > GENERATION)
    };
    scene.nodes.iter().all(|index| is_new(*index))
}
