//! Peers that the operator named, and how often their being unreachable is worth a warning.

use std::{collections::BTreeMap, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::Candidate;
use tokio::time::Instant;

use super::dials::Failure;

/// A peer that stays unreachable is warned of again after this, then after twice as long...
const QUIET: Duration = Duration::from_secs(60);
/// ...but at least this often.
const QUIET_MAX: Duration = Duration::from_secs(3600);

/// The named peers.
#[derive(Debug, Default)]
pub(crate) struct Bootnodes(BTreeMap<NodeId, Quiet>);

#[derive(Debug)]
struct Quiet {
    until: Option<Instant>,
    next: Duration,
}

impl Bootnodes {
    pub(crate) fn new(candidates: &[Candidate]) -> Self {
        let quiet = |candidate: &Candidate| (candidate.peer, Quiet { until: None, next: QUIET });
        Self(candidates.iter().map(quiet).collect())
    }

    /// Reports a failed dial: loudly, if the operator counts on the peer and has not just heard of it.
    pub(super) fn failed(&mut self, Failure { peer, address, cause }: &Failure) {
        let now = Instant::now();
        match self.0.get_mut(peer) {
            Some(quiet) if quiet.until.is_none_or(|until| until <= now) => {
                tracing::warn!(%peer, address = address.as_str(), %cause, "a configured peer cannot be reached; will keep trying");
                quiet.until = Some(now + quiet.next);
                quiet.next = quiet.next.saturating_mul(2).min(QUIET_MAX);
            }
            Some(_) | None => {
                tracing::debug!(%peer, address = address.as_str(), %cause, "dial failed")
            }
        }
    }

    /// The peer was reached: its next failure is news again.
    pub(super) fn reached(&mut self, peer: &NodeId) {
        if let Some(quiet) = self.0.get_mut(peer) {
            *quiet = Quiet { until: None, next: QUIET };
        }
    }
}
