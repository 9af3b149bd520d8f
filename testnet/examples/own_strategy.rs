//! A strategy of one's own, in a scenario of the project's: `cargo run --release -p forsooth-testnet --example own_strategy`.
//!
//! To keep it, move it to a file in `testnet/src/strategy/` and add its [`Kind`] to `KINDS`: then scenario files
//! and `--adversary` know it by its name.

use std::path::Path;

use forsooth_protocol::{Class, Effect};
use forsooth_testnet::{
    engine::{self, Engine, Options},
    scenario::{Gang, Scenario},
    strategy::{Cx, Intensity, Kind, Onset, Strategy, Wire},
};
use rand::RngExt as _;

/// Takes its place in the trees, and passes only every other payload on.
struct HalfHearted {
    intensity: Intensity,
}

static HALF_HEARTED: Kind = Kind {
    name: "half-hearted",
    row: 8,
    sentence: "Passes every other payload on, and vouches for all.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(HalfHearted { intensity: brief.intensity }),
};

impl Strategy for HalfHearted {
    // An honest core works inside: this sees what it orders, and may change it or leave it out.
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        if let Effect::Send { to, class: Class::Payload, .. } = &effect
            && cx.is_victim(to)
            && cx.rng.random_bool(self.intensity.share() / 2.0)
        {
            // Nothing arrives that could be counted, so it counts here: else the run proves nothing.
            cx.withheld(*to);
            return None;
        }
        Some(effect)
    }
}

fn main() -> anyhow::Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/baseline.toml");
    let mut scenario = Scenario::load(&file, &[])?;
    scenario.adversaries = vec![Gang::of(&HALF_HEARTED, 6)];
    let repeat = "cargo run --release -p forsooth-testnet --example own_strategy".to_owned();
    println!("{}", engine::simulate(&scenario, Options::of(Engine::Sim), repeat)?);
    Ok(())
}
