//! Who plays which part: puts a tap around each honest core and a strategy around each other, the same way
//! in both engines.

use std::sync::Arc;

use forsooth_crypto::NodeId;
use forsooth_protocol::Participant;

use crate::{
    clock::RunClock,
    gate::Gate,
    plan::{Plan, Purpose},
    record::{Recorder, Seat},
    strategy::{Adversary, Intensity, Standing},
    tap::Tap,
};

/// What all participants of a run share. Cheap to clone.
#[derive(Clone)]
pub struct Cast {
    /// Who takes part.
    pub plan: Arc<Plan>,
    /// What is seen of it.
    pub recorder: Arc<Recorder>,
    /// When the attack is on.
    pub gate: Gate,
    clock: RunClock,
}

impl Cast {
    /// The cast of a run, with a recorder that has seen nothing.
    #[must_use]
    pub fn new(plan: &Plan, clock: RunClock) -> Self {
        let ids: Vec<NodeId> = (0..plan.nodes()).map(|node| plan.keypair(node).id()).collect();
        let recorder = Arc::new(Recorder::new(plan.roster(&ids), Arc::clone(&plan.network)));
        Self { plan: Arc::new(plan.clone()), recorder, gate: Gate::default(), clock }
    }

    /// A node of the run around its honest core.
    #[must_use]
    pub fn participant(&self, node: usize, core: Box<dyn Participant>) -> Box<dyn Participant> {
        let (plan, recorder) = (&self.plan, Arc::clone(&self.recorder));
        let Some(kind) = plan.kind(node) else {
            let seat = Seat(u32::try_from(node).unwrap_or(u32::MAX));
            return Box::new(Tap::new(core, seat, recorder, self.clock));
        };
        let standing = Standing {
            keypair: plan.keypair(node),
            network: Arc::clone(&plan.network),
            topic: plan.topic,
            rng: plan.stream(Purpose::Strategy, node),
            gate: self.gate.clone(),
            recorder,
        };
        Box::new(Adversary::new(core, (kind.build)(Intensity::USUAL), standing))
    }
}
