//! Who takes part in a run and by which rules; the same for both engines.
//!
//! Everything random comes from the run's seed, in a stream of its own for each purpose, so that drawing
//! more for one leaves the others as they were.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    str::FromStr,
    sync::Arc,
};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Defences, Network, TopicId,
    membership::Settings,
    network::{self, Defence, Policy, Retention, Topic},
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    engine::timeline::places,
    record::Roster,
    scenario::{Gang, Group, Ids, Scenario},
    strategy::{self, Kind},
};

/// The name of the honest nodes where there is only one group.
pub const HONEST: &str = "honest";
/// Witnesses that a node keeps where there are enough peers.
const WITNESSES: usize = 24;
/// Links that a node chooses at least.
const LINKS_MIN: usize = 8;
/// Keys that an adversary tries in search of its id: nine bits of it are as it wants them.
const KEYS_TRIED: usize = 512;
/// The most honest nodes and adversaries that a run may have: the ids of ports and addresses end there.
pub const NODES_MAX: usize = 60_000;

/// What randomness is for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Nodes' keys.
    Key,
    /// The cores' own randomness.
    Core,
    /// Who knows whom.
    Graph,
    /// How long frames take.
    Links,
    /// Who publishes what, when.
    Load,
    /// The adversaries' own randomness.
    Strategy,
    /// Whom faults befall.
    Faults,
}

/// A run's stream of randomness for a purpose of one node.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, node: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(((purpose as u64) << 32) | node as u64);
    rng
}

/// So many adversaries of a kind: `forge=3`.
#[derive(Clone, Copy, Debug)]
pub struct Adversaries {
    /// Their strategy.
    pub kind: &'static Kind,
    /// How many.
    pub count: usize,
}

impl fmt::Display for Adversaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind, self.count)
    }
}

impl FromStr for Adversaries {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) =
            text.split_once('=').ok_or("write it as KIND=COUNT, for example forge=3")?;
        let kind = strategy::find(name).map_err(|unknown| unknown.to_string())?;
        let count =
            count.parse().map_err(|_| format!("{count:?} is not a number of adversaries"))?;
        Ok(Self { kind, count })
    }
}

/// A run's nodes, honest ones first, and their network.
#[derive(Clone, Debug)]
pub struct Plan {
    /// From which everything random comes.
    pub seed: u64,
    /// Honest nodes.
    pub honest: usize,
    /// The strategy of each adversary.
    pub adversaries: Vec<&'static Kind>,
    /// What all agree on.
    pub network: Arc<Network>,
    /// The topic that is attacked: the first that honest nodes publish on.
    pub topic: TopicId,
    /// Honest nodes that are alike.
    pub groups: Vec<Band<Group>>,
    /// Adversaries that do the same together.
    pub gangs: Vec<Band<Gang>>,
    /// Which safeguards the honest nodes have.
    pub defences: Defences,
    /// Keys that adversaries have searched for.
    keys: BTreeMap<usize, [u8; 32]>,
}

/// Nodes in a row that have something in common.
#[derive(Clone, Debug)]
pub struct Band<T> {
    /// Their places among all nodes.
    pub places: Range<usize>,
    /// What it is.
    pub of: T,
}

/// What is asked of a network.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages that one honest node publishes in a second, on average.
    pub rate: f64,
    /// Bytes of a payload.
    pub payload_bytes: u32,
}

/// Why there can be no such run.
#[derive(Debug, thiserror::Error)]
pub enum Impossible {
    /// Nobody would be there to be told anything.
    #[error("a network needs at least 2 honest nodes, not {0}")]
    TooFew(usize),
    /// See [`NODES_MAX`].
    #[error("at most {NODES_MAX} nodes, not {0}")]
    TooMany(usize),
    /// The network's own rules.
    #[error("no network can be like this: {0}")]
    Network(#[from] network::Error),
}

impl Plan {
    /// Plans a run of one group and adversaries of the usual intensity.
    ///
    /// # Errors
    /// Says why there can be no such run.
    pub fn new(
        seed: u64,
        honest: usize,
        adversaries: &[Adversaries],
        load: Load,
    ) -> Result<Self, Impossible> {
        let group = Group {
            rate: load.rate,
            payload_bytes: load.payload_bytes,
            ..Group::of(HONEST, honest)
        };
        let gang = |each: &Adversaries| Gang::of(each.kind, each.count.min(NODES_MAX + 1));
        let adversaries = adversaries.iter().map(gang).collect();
        Self::of(&Scenario { seed, adversaries, ..Scenario::of("plan", vec![group]) })
    }

    /// Plans a scenario's run.
    ///
    /// # Errors
    /// Says why there can be no such run.
    pub fn of(scenario: &Scenario) -> Result<Self, Impossible> {
        let honest = scenario.honest();
        let nodes = honest.saturating_add(scenario.hostile());
        if honest < 2 {
            return Err(Impossible::TooFew(honest));
        }
        if nodes > NODES_MAX {
            return Err(Impossible::TooMany(nodes));
        }
        let network = network(scenario)?;
        let attacked = scenario.groups.iter().find_map(|group| group.topics.first());
        let topic = attacked
            .and_then(|name| network.topic_id(name))
            .expect("the network was made with the topics of all groups");
        let gangs = bands(honest, &scenario.adversaries, |gang| gang.nodes);
        let kinds =
            gangs.iter().flat_map(|gang| std::iter::repeat_n(gang.of.kind, gang.places.len()));
        let mut plan = Self {
            seed: scenario.seed,
            honest,
            adversaries: kinds.collect(),
            network: Arc::new(network),
            topic,
            groups: bands(0, &scenario.groups, |group| group.nodes),
            gangs,
            defences: Defences::ALL,
            keys: BTreeMap::new(),
        };
        plan.keys = plan.ground_keys();
        Ok(plan)
    }

    /// Honest nodes and adversaries.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.honest + self.adversaries.len()
    }

    /// An adversary's strategy; `None` for an honest node.
    #[must_use]
    pub fn kind(&self, node: usize) -> Option<&'static Kind> {
        self.adversaries.get(node.checked_sub(self.honest)?).copied()
    }

    /// The gang that an adversary belongs to, and its number; `None` for an honest node.
    #[must_use]
    pub fn gang(&self, node: usize) -> Option<(usize, &Band<Gang>)> {
        self.gangs.iter().enumerate().find(|(_, gang)| gang.places.contains(&node))
    }

    /// The group that an honest node belongs to, and its number; `None` for an adversary.
    #[must_use]
    pub fn group(&self, node: usize) -> Option<(usize, &Band<Group>)> {
        self.groups.iter().enumerate().find(|(_, group)| group.places.contains(&node))
    }

    /// A node's key.
    #[must_use]
    pub fn keypair(&self, node: usize) -> Keypair {
        let found = self.keys.get(&node).copied();
        Keypair::from_seed(found.unwrap_or_else(|| self.seed32(Purpose::Key, node)))
    }

    /// The places of those whom a gang is after; nobody if it is after all.
    #[must_use]
    pub fn targets(&self, gang: usize) -> Vec<usize> {
        let who = self.gangs.get(gang).and_then(|gang| gang.of.targets.as_ref());
        let mut rng = self.stream(Purpose::Faults, usize::MAX >> 32);
        who.map_or_else(Vec::new, |who| places(who, self, &mut rng))
    }

    /// The keys of gangs that have searched for their ids.
    fn ground_keys(&self) -> BTreeMap<usize, [u8; 32]> {
        let mut keys = BTreeMap::new();
        for (number, gang) in self.gangs.iter().enumerate() {
            let Some(ids) = gang.of.ids else { continue };
            let beside = match ids {
                Ids::Near => self.keypair(self.targets(number).first().copied().unwrap_or(0)).id(),
                Ids::Low => NodeId::from_bytes([0; 32]),
            };
            keys.extend(gang.places.clone().map(|node| (node, self.grind(node, &beside))));
        }
        keys
    }

    /// The seed of the key whose id is nearest to another, of those that an adversary tries.
    fn grind(&self, node: usize, beside: &NodeId) -> [u8; 32] {
        let mut rng = self.stream(Purpose::Key, node);
        let mut draw = || {
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            let id = Keypair::from_seed(seed).id();
            let bits = id.as_bytes().iter().zip(beside.as_bytes());
            (bits.map(|(one, other)| one ^ other).collect::<Vec<u8>>(), seed)
        };
        (0..KEYS_TRIED)
            .map(|_| draw())
            .min()
            .map_or_else(|| self.seed32(Purpose::Key, node), |it| it.1)
    }

    /// The seed of a node's core.
    #[must_use]
    pub fn core_seed(&self, node: usize) -> [u8; 32] {
        self.seed32(Purpose::Core, node)
    }

    /// This run's stream for a purpose of one node.
    #[must_use]
    pub fn stream(&self, purpose: Purpose, node: usize) -> ChaCha8Rng {
        stream(self.seed, purpose, node)
    }

    /// Everybody by id.
    #[must_use]
    pub fn roster(&self, ids: &[NodeId]) -> Roster {
        let (honest, hostile) = ids.split_at(self.honest.min(ids.len()));
        Roster::new(
            honest.iter().copied(),
            hostile.iter().copied().zip(self.adversaries.iter().copied()),
        )
    }

    /// Links that a node chooses: what its group says, or the witnesses that the policy asks for; a few where it
    /// asks for none.
    #[must_use]
    pub fn outbound_target(&self, node: usize) -> usize {
        let witnesses = usize::from(self.network.witnesses_max());
        let wanted = self.group(node).and_then(|(_, group)| group.of.outbound);
        wanted.unwrap_or(LINKS_MIN).max(witnesses).min(self.nodes() - 1)
    }

    fn seed32(&self, purpose: Purpose, node: usize) -> [u8; 32] {
        let mut seed = [0; 32];
        self.stream(purpose, node).fill_bytes(&mut seed);
        seed
    }
}

/// Gives each of these so many places in a row, from the first.
fn bands<T: Clone>(first: usize, of: &[T], nodes: impl Fn(&T) -> usize) -> Vec<Band<T>> {
    let mut first = first;
    let band = |of: &T| {
        let places = first..first + nodes(of);
        first = places.end;
        Band { places, of: of.clone() }
    };
    of.iter().map(band).collect()
}

/// The network of a scenario: each topic that a group publishes on, with one policy.
fn network(scenario: &Scenario) -> Result<Network, network::Error> {
    let rules = &scenario.network;
    let policy = rules.policy.unwrap_or_else(|| policy(scenario.honest(), scenario.hostile()));
    let names: BTreeSet<&String> = scenario.groups.iter().flat_map(|group| &group.topics).collect();
    let topics = names.into_iter().map(|name| topic(name, policy, scenario)).collect();
    let mut defence = Defence::recommended(rules.kind);
    let quota = rules.quota;
    let said = |said: Option<u32>, usual: u32| said.unwrap_or(usual);
    defence = Defence {
        clock_skew_max: defence.clock_skew_max,
        grouping: rules.grouping.unwrap_or(defence.grouping),
        control_frames_per_second: said(
            quota.control_frames_per_second,
            defence.control_frames_per_second,
        ),
        control_bytes_per_second: said(
            quota.control_bytes_per_second,
            defence.control_bytes_per_second,
        ),
        data_frames_per_second: said(quota.data_frames_per_second, defence.data_frames_per_second),
        data_bytes_per_second: said(quota.data_bytes_per_second, defence.data_bytes_per_second),
        burst_seconds: said(quota.burst_seconds, defence.burst_seconds),
    };
    Network::new("testnet", rules.kind, topics, defence)?
        .with_membership(rules.membership.map(Settings::preset))
}

/// The rule for k and n: as many witnesses as a node chooses by default, or all others if there are fewer; a
/// majority of them must vouch, or all other honest nodes if those are fewer. So the default of 12 honest nodes
/// and 3 adversaries gives 8 of 14. With 5 of 8, a fifth of silent nodes leaves one node in twenty with four
/// silent witnesses, which accepts nothing; with 13 of 24 it is one in a thousand. Adversaries that are caught are replaced by honest witnesses, and those that are not caught vouch.
fn policy(honest: usize, adversaries: usize) -> Policy {
    let n = WITNESSES.min(honest + adversaries - 1);
    let k = (n / 2 + 1).min(honest - 1);
    match (u16::try_from(k), u16::try_from(n)) {
        (Ok(k), Ok(n)) => Policy::Vouched { k, n },
        (Err(_), _) | (_, Err(_)) => Policy::Verified,
    }
}

/// A topic whose rate for one author is twice what is asked of it, unless the scenario says another.
fn topic(name: &str, policy: Policy, scenario: &Scenario) -> Topic {
    let rules = &scenario.network;
    let rate = scenario.groups.iter().map(|group| group.rate).fold(0.0, f64::max);
    let payload = scenario.groups.iter().map(|group| group.payload_bytes).max().unwrap_or(0);
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and rates are checked")]
    let twice = (rate * 120.0).ceil().max(60.0) as u32;
    let rate_per_minute = rules.rate_per_minute.unwrap_or(twice);
    Topic {
        rate_per_minute,
        burst: rules.burst.unwrap_or((rate_per_minute / 30).max(10)),
        payload_bytes_max: payload.max(1024),
        lifetime_max: rules.lifetime,
        retention: rules.retention.map(|time| {
            let all = Retention::of(time);
            let messages = rules.retention_messages.map_or(all.messages, u64::from);
            Retention { messages, ..all }
        }),
        ..Topic::new(name, policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { rate: 2.0, payload_bytes: 256 };

    #[test]
    fn the_threshold_is_a_majority_that_honest_nodes_can_reach() {
        assert_eq!(policy(12, 3), Policy::Vouched { k: 8, n: 14 });
        assert_eq!(policy(30, 8), Policy::Vouched { k: 13, n: 24 });
        assert_eq!(policy(6, 1), Policy::Vouched { k: 4, n: 6 });
        assert_eq!(policy(3, 9), Policy::Vouched { k: 2, n: 11 });
        assert_eq!(policy(2, 0), Policy::Vouched { k: 1, n: 1 });
    }

    #[test]
    fn adversaries_are_written_as_kind_and_count() {
        let forge: Adversaries = "forge=3".parse().unwrap();
        assert_eq!(
            (forge.kind.name, forge.count, forge.to_string().as_str()),
            ("forge", 3, "forge=3")
        );
        assert!("forge".parse::<Adversaries>().unwrap_err().contains("KIND=COUNT"));
        assert!("forge=many".parse::<Adversaries>().unwrap_err().contains("many"));
        assert!("frge=1".parse::<Adversaries>().unwrap_err().contains("did you mean \"forge\""));
    }

    #[test]
    fn a_seed_gives_the_same_nodes_and_another_seed_others() {
        let plan = |seed| Plan::new(seed, 4, &["spam=1".parse().unwrap()], LOAD).unwrap();
        let ids =
            |plan: &Plan| (0..plan.nodes()).map(|node| plan.keypair(node).id()).collect::<Vec<_>>();
        assert_eq!(ids(&plan(1)), ids(&plan(1)));
        assert_ne!(ids(&plan(1)), ids(&plan(2)));
        let distinct: std::collections::BTreeSet<_> = ids(&plan(1)).into_iter().collect();
        assert_eq!(distinct.len(), 5);
        assert!(plan(1).kind(3).is_none());
        assert_eq!(plan(1).kind(4).unwrap().name, "spam");
    }

    #[test]
    fn an_impossible_network_is_refused() {
        assert!(matches!(Plan::new(1, 1, &[], LOAD), Err(Impossible::TooFew(1))));
        let many = "spam=99999999999".parse().unwrap();
        assert!(matches!(Plan::new(1, 2, &[many], LOAD), Err(Impossible::TooMany(_))));
        let huge = Load { rate: 2.0, payload_bytes: u32::MAX };
        assert!(matches!(Plan::new(1, 2, &[], huge), Err(Impossible::Network(_))));
    }
}
