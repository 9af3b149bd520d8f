//! Who plays which part: puts a tap around each honest core and a strategy around each other, the same way
//! in both engines.

use std::sync::{Arc, Mutex};

use forsooth_crypto::NodeId;
use forsooth_protocol::Participant;

use crate::{
    clock::RunClock,
    gate::Gate,
    plan::{Band, Plan, Purpose},
    record::{Recorder, Seat},
    scenario::Gang,
    strategy::{Adversary, Brain, Brief, Standing},
    tap::Tap,
};

/// What all participants of a run share. Cheap to clone.
#[derive(Clone)]
pub struct Cast {
    /// Who takes part.
    pub plan: Arc<Plan>,
    /// What is seen of it.
    pub recorder: Arc<Recorder>,
    /// What the adversaries of each gang share.
    gangs: Arc<[Lair]>,
    pub(crate) clock: RunClock,
}

/// What the adversaries of a gang share.
struct Lair {
    gate: Gate,
    targets: Arc<[NodeId]>,
    mind: Option<Arc<Mutex<Brain>>>,
}

impl Cast {
    /// The cast of a run, with a recorder that has seen nothing.
    #[must_use]
    pub fn new(plan: &Plan, clock: RunClock) -> Self {
        let ids: Vec<NodeId> = (0..plan.nodes()).map(|node| plan.keypair(node).id()).collect();
        let recorder = Arc::new(Recorder::new(plan.roster(&ids), Arc::clone(&plan.network)));
        let gangs = plan.gangs.iter().enumerate();
        let gangs = gangs.map(|(number, gang)| Lair::new(&gang.of, &plan.targets(number), &ids));
        let gangs = gangs.collect();
        Self { plan: Arc::new(plan.clone()), recorder, gangs, clock }
    }

    /// When a gang's attack is on.
    #[must_use]
    pub fn gate(&self, gang: usize) -> Option<&Gate> {
        self.gangs.get(gang).map(|lair| &lair.gate)
    }

    /// A node of the run around its honest core.
    #[must_use]
    pub fn participant(&self, node: usize, core: Box<dyn Participant>) -> Box<dyn Participant> {
        let gang = self.plan.gang(node);
        let lair = gang.and_then(|(number, _)| self.gangs.get(number));
        match (gang, lair) {
            (Some((_, gang)), Some(lair)) => Box::new(self.adversary(node, gang, lair, core)),
            (Some(_) | None, _) => {
                let seat = Seat(u32::try_from(node).unwrap_or(u32::MAX));
                Box::new(Tap::around(core, seat, Arc::clone(&self.recorder), self.clock))
            }
        }
    }

    fn adversary(
        &self,
        node: usize,
        gang: &Band<Gang>,
        lair: &Lair,
        core: Box<dyn Participant>,
    ) -> Adversary {
        let plan = &self.plan;
        let standing = Standing {
            keypair: plan.keypair(node),
            network: Arc::clone(&plan.network),
            topic: plan.topic,
            rng: plan.stream(Purpose::Strategy, node),
            gate: lair.gate.clone(),
            onset: gang.of.kind.onset,
            targets: Arc::clone(&lair.targets),
            recorder: Arc::clone(&self.recorder),
        };
        let brief = Brief {
            intensity: gang.of.intensity,
            targets: Arc::clone(&lair.targets),
            brain: lair.mind.clone(),
            seat: node - gang.places.start,
        };
        Adversary::new(core, (gang.of.kind.build)(&brief), standing)
    }
}

impl Lair {
    fn new(gang: &Gang, targets: &[usize], ids: &[NodeId]) -> Self {
        Self {
            gate: Gate::default(),
            targets: targets.iter().filter_map(|place| ids.get(*place)).copied().collect(),
            mind: gang.collude.then(Arc::default),
        }
    }
}
