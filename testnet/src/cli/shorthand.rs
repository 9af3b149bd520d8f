//! `up` and `sim`: scenarios that are short enough for a command line.

use std::time::Duration;

use super::args::{SimArgs, UpArgs};
use crate::{
    engine::load::Load,
    plan::{Adversaries, HONEST, Impossible, Plan},
    scenario::{Gang, Group, Link, Links, Phases, Scenario},
    world::Latency,
};

/// The longest time in which real nodes link up.
const UP_WARM_UP_MAX: Duration = Duration::from_secs(60);
/// The longest time for what is on its way to arrive.
const UP_COOL_DOWN_MAX: Duration = Duration::from_secs(30);
/// The attack goes on for a moment after the last message, so that it meets that one too.
const AFTERMATH: Duration = Duration::from_millis(500);

/// Links that take no time beyond what real ones take anyway.
const AT_ONCE: Link = Link {
    latency: Latency::Uniform { min: Duration::ZERO, max: Duration::ZERO },
    jitter: Duration::ZERO,
    loss: 0.0,
    duplicate: 0.0,
    bandwidth: None,
};

impl UpArgs {
    /// The scenario that the arguments stand for.
    pub(crate) fn scenario(&self) -> Scenario {
        let group = Group {
            rate: self.rate,
            payload_bytes: self.payload,
            ..Group::of(HONEST, self.honest)
        };
        Scenario {
            about: "Real nodes on this machine, attackers among them.".to_owned(),
            seed: self.seed,
            run: Phases {
                warm_up: UP_WARM_UP_MAX,
                duration: self.duration,
                cool_down: UP_COOL_DOWN_MAX,
            },
            // As fast as this machine makes them.
            links: Links { default: AT_ONCE, by_group: Vec::new() },
            adversaries: gangs(&self.adversaries()),
            ..Scenario::of("up", vec![group])
        }
    }
}

impl SimArgs {
    /// The scenario that the arguments stand for.
    pub(crate) fn scenario(&self) -> Result<Scenario, Impossible> {
        let count = |group: &Adversaries| group.count;
        let hostile = self.adversary.iter().map(count).fold(0, usize::saturating_add);
        let honest = self.nodes.saturating_sub(hostile);
        let group = Group {
            rate: self.rate / honest.max(1) as f64,
            payload_bytes: self.payload,
            messages: Some(self.messages),
            ..Group::of(HONEST, honest)
        };
        let link = Link {
            latency: Latency::Uniform { min: self.latency.min, max: self.latency.max },
            loss: self.loss,
            ..Link::default()
        };
        let mut scenario = Scenario {
            about: "A simulated network.".to_owned(),
            seed: self.seed,
            links: Links { default: link, by_group: Vec::new() },
            adversaries: gangs(&self.adversary),
            ..Scenario::of("sim", vec![group])
        };
        let mut load = Load::new(&scenario, &Plan::of(&scenario)?);
        let all = std::iter::from_fn(|| load.pop_until(Duration::MAX));
        let last = all.last().map_or(Duration::ZERO, |last| last.at);
        // To the millisecond, as a file would have it.
        let end = last + AFTERMATH;
        scenario.run.duration = Duration::from_millis(u64::try_from(end.as_millis()).unwrap_or(1));
        Ok(scenario)
    }
}

fn gangs(adversaries: &[Adversaries]) -> Vec<Gang> {
    let some = adversaries.iter().filter(|group| group.count > 0);
    some.map(|group| Gang::of(group.kind, group.count)).collect()
}
