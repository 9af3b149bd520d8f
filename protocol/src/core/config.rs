//! What a core is told when it is made.

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;

use crate::{defences::Defences, links::EXTRA_MAX, network::Network, overlay::asn::AsnMap};

/// What a core is told when it is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network it takes part in.
    pub network: Arc<Network>,
    /// The generation that it publishes with; must be higher than in any earlier life, and on disk by now.
    pub generation: u64,
    /// The generation of the life before, as far as is known: what was signed in between, another machine signed.
    pub former_generation: Option<u64>,
    /// For how long nothing is published at the start, so that another machine with the same key is noticed before.
    /// Recommended: 3 s for a key that outlives its process, else 0.
    pub listen: Duration,
    /// Links to choose and keep, at least as many as the network's policies ask witnesses for.
    /// Recommended: 8 to 24.
    pub outbound_target: usize,
    /// Links that others may have chosen; at least twice as many as this node chooses are as good as no limit
    /// where nobody lies. Recommended: 48.
    pub inbound_max: usize,
    /// Whether an application's validator is asked about each message.
    pub validator: Validator,
    /// Which safeguards are on: all, but for experiments.
    pub defences: Defences,
    /// What the hello says that this node is; at most [`AGENT_BYTES_MAX`](crate::wire::AGENT_BYTES_MAX)
    /// printable ASCII characters, longer ones are cut.
    pub agent: String,
    /// The proof of work over this node's key, if the network asks for one; empty otherwise.
    pub work: Bytes,
    /// Who runs which network, as far as the operator has a table. Empty where there is none.
    pub asns: Arc<AsnMap>,
}

/// What a core may be linked with at a time at most. A transport that allows fewer connections refuses newcomers for
/// whom the core would make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinksMax {
    /// Peers that dialled us, whatever they are to us since.
    pub inbound: usize,
    /// Peers that we dialled, dials under way included.
    pub outbound: usize,
}

/// Who judges messages beyond their signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// Nobody: each verified message is valid.
    None,
    /// The application, through [`Effect::Validate`](crate::Effect::Validate).
    Application,
}

/// Visitors, of the bounds in `docs/protocol.md`.
const VISITORS: usize = 32;
/// Peers that the operator wants.
const KEPT: usize = 64;
/// Dials under way, for links and for visits.
const DIALS: usize = 16;
/// Members that this node observes, or that observe it: more than twice as many as rings are as good as never.
const OBSERVED: usize = 48;

impl Config {
    /// Links that this core draws: never fewer than a policy needs.
    #[must_use]
    pub fn outbound_links(&self) -> usize {
        self.outbound_target.max(usize::from(self.network.witnesses_max()))
    }

    /// Links that others may have chosen: never fewer than twice as many.
    #[must_use]
    pub fn inbound_links(&self) -> usize {
        self.inbound_max.max(self.outbound_links().saturating_mul(2))
    }

    /// What the core may be linked with at most.
    #[must_use]
    pub fn links_max(&self) -> LinksMax {
        // One more while a witness is replaced, and more while too many are silent. Witnesses, kept peers and those we are dialling may come to us.
        let chosen = self.outbound_links().saturating_add(1 + EXTRA_MAX + KEPT + DIALS);
        let observed = if self.network.membership().is_some() { OBSERVED } else { 0 };
        let inbound = self.inbound_links().saturating_add(VISITORS).saturating_add(chosen);
        LinksMax {
            inbound: inbound.saturating_add(observed),
            outbound: chosen.saturating_add(observed),
        }
    }

    /// The recommended configuration.
    #[must_use]
    pub fn new(network: Arc<Network>, generation: u64) -> Self {
        let outbound_target = usize::from(network.witnesses_max()).max(8);
        Self {
            network,
            generation,
            former_generation: None,
            listen: Duration::ZERO,
            outbound_target,
            inbound_max: 48,
            validator: Validator::None,
            defences: Defences::ALL,
            agent: concat!("forsooth/", env!("CARGO_PKG_VERSION")).to_owned(),
            work: Bytes::new(),
            asns: Arc::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;

    use super::*;
    use crate::{
        Core, Participant as _,
        network::{Defence, Kind, Policy, Topic},
    };

    #[test]
    fn no_more_is_linked_than_the_configuration_says() {
        for (target, policy, outbound, inbound) in [
            (8, Policy::Verified, 233, 313),
            (1, Policy::Verified, 226, 306),
            (1, Policy::Vouched { k: 20, n: 40 }, 265, 377),
            (256, Policy::Verified, 481, 1025),
        ] {
            let topics = vec![Topic::new("t", policy)];
            let network = Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local));
            let network = Arc::new(network.unwrap());
            let config = Config { outbound_target: target, ..Config::new(network, 1) };
            assert_eq!(config.links_max(), LinksMax { inbound, outbound });

            let (links, drawn) = (config.inbound_links(), config.outbound_links());
            let snapshot = Core::new(config, Keypair::from_seed([1; 32]), [0; 32]).snapshot();
            let max = |name| snapshot.bounds.iter().find(|bound| bound.name == name).unwrap().max;
            assert_eq!((max("links.inbound"), max("links.visitors")), (links, VISITORS));
            assert_eq!(snapshot.witnesses_wanted, drawn);
        }
    }
}
