//! Which links of a run are alike, for both engines.

use std::collections::BTreeMap;

use crate::{
    plan::Plan,
    scenario::{Link, Scenario},
    world::{Conditions, Group, Links},
};

/// Which links are alike: those of nodes in one group, or of one gang, that the same losses befall.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    /// Of each node.
    of: Vec<Group>,
    /// What each is like, and the losses that befall it.
    kinds: Vec<(Option<Conditions>, Vec<usize>)>,
    default: Conditions,
}

impl Classes {
    /// Sorts the nodes of a run; `losses` are the nodes that each fault of this kind befalls.
    pub(crate) fn new(
        scenario: &Scenario,
        plan: &Plan,
        losses: &BTreeMap<usize, Vec<usize>>,
    ) -> Self {
        let mut known: BTreeMap<(Option<usize>, Vec<usize>), Group> = BTreeMap::new();
        let (mut of, mut kinds) = (Vec::new(), Vec::new());
        for node in 0..plan.nodes() {
            let name = match (plan.group(node), plan.gang(node)) {
                (Some((_, group)), _) => group.of.name.as_str(),
                (None, Some((_, gang))) => gang.of.kind.name,
                (None, None) => "",
            };
            let named = scenario.links.by_group.iter().position(|(group, _)| group == name);
            let struck = losses.iter().filter(|(_, nodes)| nodes.contains(&node));
            let key = (named, struck.map(|(number, _)| *number).collect::<Vec<_>>());
            let next = Group(u16::try_from(kinds.len()).unwrap_or(u16::MAX));
            let class = *known.entry(key.clone()).or_insert_with(|| {
                let own = key.0.and_then(|named| scenario.links.by_group.get(named));
                kinds.push((own.map(|(_, link)| conditions(link)), key.1));
                next
            });
            of.push(class);
        }
        Self { of, kinds, default: conditions(&scenario.links.default) }
    }

    /// What all links are like while these losses are on.
    pub(crate) fn links(&self, on: &BTreeMap<usize, f64>) -> Links {
        let mut links = Links::from(self.default);
        for (class, (own, losses)) in (0..).map(Group).zip(&self.kinds) {
            let loss = losses.iter().filter_map(|number| on.get(number)).copied().reduce(f64::max);
            if own.is_some() || loss.is_some() {
                let usual = own.unwrap_or(self.default);
                let loss = loss.map_or(usual.loss, |loss| loss.max(usual.loss));
                links.by_group.insert(class, Conditions { loss, ..usual });
            }
        }
        links
    }

    /// The class of a node.
    pub(crate) fn of(&self, node: usize) -> Group {
        self.of.get(node).copied().unwrap_or_default()
    }
}

const fn conditions(link: &Link) -> Conditions {
    let Link { latency, jitter, loss, duplicate, bandwidth } = *link;
    Conditions { latency, jitter, loss, duplicate, bandwidth }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_befalls_the_links_of_its_nodes_and_only_while_it_is_on() {
        let text = "format = 1\nname = \"x\"\nabout = \"x\"\n[[groups]]\nname = \"a\"\nnodes = 4\n\
                    [[groups]]\nname = \"b\"\nnodes = 2\n[links.b]\nlatency = \"100ms\"\nloss = 0.1\n";
        let scenario = Scenario::parse(text, "x.toml", &[]).unwrap();
        let plan = Plan::of(&scenario).unwrap();
        let classes = Classes::new(&scenario, &plan, &[(0, vec![0, 5])].into());
        let loss = |links: &Links, from: usize, to: usize| {
            links.between(classes.of(from), classes.of(to)).loss
        };
        let calm = classes.links(&BTreeMap::new());
        assert_eq!((loss(&calm, 0, 1), loss(&calm, 1, 5), loss(&calm, 4, 1)), (0.0, 0.1, 0.1));
        let stormy = classes.links(&[(0, 0.3)].into());
        assert_eq!(
            (loss(&stormy, 0, 1), loss(&stormy, 1, 5), loss(&stormy, 4, 1)),
            (0.3, 0.3, 0.1)
        );
        assert_eq!(loss(&stormy, 2, 3), 0.0);
    }
}
