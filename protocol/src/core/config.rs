//! What a core is told when it is made.

use std::sync::Arc;

use bytes::Bytes;

use crate::{defences::Defences, network::Network, overlay::asn::AsnMap};

/// What a core is told when it is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network it takes part in.
    pub network: Arc<Network>,
    /// The generation that it publishes with; must be higher than in any earlier life, and on disk by now.
    pub generation: u64,
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

/// Who judges messages beyond their signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// Nobody: each verified message is valid.
    None,
    /// The application, through [`Effect::Validate`](crate::Effect::Validate).
    Application,
}

impl Config {
    /// The recommended configuration.
    #[must_use]
    pub fn new(network: Arc<Network>, generation: u64) -> Self {
        let outbound_target = usize::from(network.witnesses_max()).max(8);
        Self {
            network,
            generation,
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
