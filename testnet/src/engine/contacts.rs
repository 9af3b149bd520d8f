//! Whom each node is told of when it starts, the same in both engines.
//!
//! An honest node is told what its operator would tell it: what its group says, or, where that says nothing,
//! what the engine thinks best. An adversary also knows whom it is after, and its accomplices if they collude.

use std::collections::BTreeSet;

use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::{plan::Plan, scenario::Contacts};

/// The contacts of a node's group, drawn for a life of the node; `None` if the group says nothing.
pub(super) fn of_group(
    plan: &Plan,
    node: usize,
    life: u64,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<usize>> {
    let Contacts { nodes, hostile, .. } = {
        let contacts = plan.group(node)?.1.of.contacts?;
        Contacts { hostile: contacts.hostile_in(life), ..contacts }
    };
    #[expect(clippy::cast_possible_truncation, reason = "a share of what there is")]
    #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
    let liars = (nodes as f64 * hostile).round() as usize;
    let mut draw = |pool: Vec<usize>, count: usize| -> Vec<usize> {
        let drawn = index::sample(rng, pool.len(), count.min(pool.len()));
        drawn.into_iter().filter_map(|at| pool.get(at).copied()).collect()
    };
    let mut drawn = draw((plan.honest..plan.nodes()).collect(), liars);
    drawn.extend(draw((0..plan.honest).filter(|other| *other != node).collect(), nodes - liars));
    Some(drawn)
}

/// Whom an adversary knows besides; nobody, if the node is honest.
pub(super) fn of_gang(plan: &Plan, node: usize) -> BTreeSet<usize> {
    let Some((number, gang)) = plan.gang(node) else { return BTreeSet::new() };
    let mut known: BTreeSet<usize> = plan.targets(number).into_iter().collect();
    if gang.of.collude {
        known.extend(gang.places.clone());
    }
    known.remove(&node);
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{plan::Purpose, scenario::Scenario};

    #[test]
    fn a_node_is_told_of_as_many_liars_as_its_group_says_and_a_liar_of_its_own() {
        let text = "format = 1\nname = \"x\"\nabout = \"x\"\n[[groups]]\nnodes = 20\n\
                    contacts = { nodes = 10, hostile = 0.8, hostile_later = 1.0 }\n\
                    [[adversaries]]\nkind = \"forge\"\nnodes = 12\ntargets = [3]\ncollude = true\n";
        let plan = Plan::of(&Scenario::parse(text, "x.toml", &[]).unwrap()).unwrap();
        let liars = |life| {
            let mut rng = plan.stream(Purpose::Graph, 0);
            let told = of_group(&plan, 0, life, &mut rng).unwrap();
            assert!(!told.contains(&0));
            (told.iter().filter(|other| **other >= 20).count(), told.len())
        };
        assert_eq!([liars(1), liars(2)], [(8, 10), (10, 10)]);
        assert_eq!(of_group(&plan, 20, 1, &mut plan.stream(Purpose::Graph, 20)), None);
        let known = of_gang(&plan, 20);
        assert!(known.contains(&3) && known.contains(&31) && known.len() == 12);
    }
}
