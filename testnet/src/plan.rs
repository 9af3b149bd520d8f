//! Who takes part in a run and by which rules; the same for both engines.
//!
//! Everything random comes from the run's seed, in a stream of its own for each purpose, so that drawing
//! more for one leaves the others as they were.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Network, TopicId,
    network::{self, Defence, Policy, Topic},
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    record::Roster,
    strategy::{self, Kind},
};

/// The one topic of these networks.
pub const TOPIC: &str = "news";
/// Witnesses that a node keeps where there are enough peers.
const WITNESSES: usize = 8;
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
    /// The topic that honest nodes publish on.
    pub topic: TopicId,
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
    /// Plans a run.
    ///
    /// # Errors
    /// Says why there can be no such run.
    pub fn new(
        seed: u64,
        honest: usize,
        adversaries: &[Adversaries],
        load: Load,
    ) -> Result<Self, Impossible> {
        let each =
            |group: &Adversaries| std::iter::repeat_n(group.kind, group.count.min(NODES_MAX + 1));
        let adversaries: Vec<_> = adversaries.iter().flat_map(each).take(NODES_MAX + 1).collect();
        let nodes = honest.saturating_add(adversaries.len());
        if honest < 2 {
            return Err(Impossible::TooFew(honest));
        }
        if nodes > NODES_MAX {
            return Err(Impossible::TooMany(nodes));
        }
        let topic = topic(policy(honest, adversaries.len()), load);
        let kind = network::Kind::Local;
        let network = Network::new("testnet", kind, vec![topic], Defence::recommended(kind))?;
        let (topic, _) = network.topics().next().expect("the network was made with one topic");
        Ok(Self { seed, honest, adversaries, network: Arc::new(network), topic })
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

    /// A node's key.
    #[must_use]
    pub fn keypair(&self, node: usize) -> Keypair {
        Keypair::from_seed(self.seed32(Purpose::Key, node))
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

    /// Links that a node chooses: the witnesses that the policy asks for, and a few to spare.
    #[must_use]
    pub fn outbound_target(&self) -> usize {
        usize::from(self.network.witnesses_max()).max(WITNESSES).min(self.nodes() - 1)
    }

    fn seed32(&self, purpose: Purpose, node: usize) -> [u8; 32] {
        let mut seed = [0; 32];
        self.stream(purpose, node).fill_bytes(&mut seed);
        seed
    }
}

/// The rule for k and n: eight witnesses, or all others if there are fewer; a majority of them must vouch,
/// or all other honest nodes if those are fewer. So the default of 12 honest nodes and 3 adversaries gives
/// 5 of 8. Adversaries that are caught are replaced by honest witnesses, and those that are not caught vouch.
fn policy(honest: usize, adversaries: usize) -> Policy {
    let n = WITNESSES.min(honest + adversaries - 1);
    let k = (n / 2 + 1).min(honest - 1);
    match (u16::try_from(k), u16::try_from(n)) {
        (Ok(k), Ok(n)) => Policy::Vouched { k, n },
        (Err(_), _) | (_, Err(_)) => Policy::Verified,
    }
}

/// A topic whose rate for one author is twice what is asked of it.
fn topic(policy: Policy, load: Load) -> Topic {
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and rates are checked")]
    let rate_per_minute = (load.rate * 120.0).ceil().max(60.0) as u32;
    Topic {
        rate_per_minute,
        burst: (rate_per_minute / 30).max(10),
        payload_bytes_max: load.payload_bytes.max(1024),
        lifetime_max: Duration::from_secs(120),
        ..Topic::new(TOPIC, policy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load { rate: 2.0, payload_bytes: 256 };

    #[test]
    fn the_threshold_is_a_majority_that_honest_nodes_can_reach() {
        assert_eq!(policy(12, 3), Policy::Vouched { k: 5, n: 8 });
        assert_eq!(policy(30, 8), Policy::Vouched { k: 5, n: 8 });
        assert_eq!(policy(6, 1), Policy::Vouched { k: 4, n: 6 });
        assert_eq!(policy(3, 9), Policy::Vouched { k: 2, n: 8 });
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
