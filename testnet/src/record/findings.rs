//! What a recorder found, as plain numbers.

use std::{collections::BTreeMap, time::Duration};

use forsooth_protocol::Fault;

use super::{Recorder, State};

/// All that a verdict and a report are made from.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Honest nodes.
    pub honest: usize,
    /// Adversaries of each kind.
    pub adversaries: BTreeMap<&'static str, usize>,
    /// Messages that honest nodes published.
    pub published: u64,
    /// Acceptances that are due: each message at each honest node but its author's.
    pub wanted: u64,
    /// Acceptances that came.
    pub accepted: u64,
    /// Payload bytes of everything that honest nodes accepted.
    pub accepted_bytes: u64,
    /// From publishing to acceptance.
    pub latency: Latency,
    /// Frames with a signature that does not hold, sent by honest nodes.
    pub forged_relayed: u64,
    /// Messages with a signature that does not hold, handed to an application.
    pub forged_delivered: u64,
    /// Messages handed to an application after their lifetime.
    pub expired_delivered: u64,
    /// Messages handed to one application again.
    pub delivered_twice: u64,
    /// Slots for which two signed messages reached honest nodes.
    pub equivocations: usize,
    /// Authors who did that.
    pub equivocators: usize,
    /// Pairs of such an author and an honest node that holds the proof.
    pub proofs_held: usize,
    /// Bans by honest nodes.
    pub bans: u64,
    /// Bans of honest nodes by honest nodes.
    pub false_bans: u64,
    /// Proofs that honest nodes hold against honest nodes.
    pub false_proofs: u64,
    /// Hostile frames that arrived at honest nodes, by strategy.
    pub hostile: BTreeMap<&'static str, u64>,
    /// Payloads of honest authors that arrived at honest nodes.
    pub copies: u64,
    /// Frames that honest nodes sent.
    pub frames_sent: u64,
    /// Bytes of those, by class.
    pub bytes_sent: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes noticed, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Those among them that honest nodes blamed on honest nodes: too few for a ban, or counted there too.
    pub false_blame: BTreeMap<&'static str, u64>,
    /// The first violations of safety, in words.
    pub violations: Vec<String>,
    /// Messages beyond what the recorder follows.
    pub untracked: u64,
}

/// How long it took from publishing to acceptance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of the acceptances took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub max: Duration,
}

impl Findings {
    /// The share of acceptances that came; 1 if none were due.
    #[must_use]
    pub fn delivery_ratio(&self) -> f64 {
        ratio(self.accepted, self.wanted).unwrap_or(1.0)
    }

    /// Proofs that are due: each equivocator's at each honest node.
    #[must_use]
    pub fn proofs_wanted(&self) -> usize {
        self.equivocators * self.honest
    }

    /// The share of proofs that are held; 1 if none were due.
    #[must_use]
    pub fn proof_coverage(&self) -> f64 {
        ratio(self.proofs_held as u64, self.proofs_wanted() as u64).unwrap_or(1.0)
    }

    /// Hostile frames of all kinds.
    #[must_use]
    pub fn hostile_actions(&self) -> u64 {
        self.hostile.values().sum()
    }

    /// Payload copies that arrived for each payload accepted, less the one that is needed.
    #[must_use]
    pub fn redundancy(&self) -> f64 {
        ratio(self.copies, self.accepted).map_or(0.0, |copies| copies - 1.0)
    }

    /// Bytes that honest nodes sent for each payload byte accepted.
    #[must_use]
    pub fn bytes_per_delivered_byte(&self) -> f64 {
        ratio(self.bytes_sent.values().sum(), self.accepted_bytes).unwrap_or(0.0)
    }

    /// Whether nothing is on its way any more: all is delivered and proven.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.accepted >= self.wanted && self.proofs_held >= self.proofs_wanted()
    }
}

/// `part / whole`, unless the whole is nothing.
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn by_name(faults: &BTreeMap<Fault, u64>) -> BTreeMap<&'static str, u64> {
    faults.iter().map(|(fault, count)| (fault.name(), *count)).collect()
}

impl Recorder {
    /// What was found so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        let mut state = self.state();
        let State { spread, traffic, evidence, .. } = &mut *state;
        Findings {
            honest: self.roster().honest_count(),
            adversaries: self.roster().hostile_counts(),
            published: spread.published,
            wanted: spread.wanted(),
            accepted: spread.accepted,
            accepted_bytes: spread.accepted_bytes,
            latency: spread.latency(),
            equivocations: evidence.equivocations(),
            equivocators: evidence.equivocators().len(),
            proofs_held: evidence.proofs_held(),
            bans: evidence.bans,
            false_bans: evidence.false_bans,
            false_proofs: evidence.false_proofs,
            hostile: traffic.hostile.clone(),
            copies: traffic.copies,
            frames_sent: traffic.frames_sent,
            bytes_sent: traffic
                .bytes_sent
                .iter()
                .map(|(class, bytes)| (class.name(), *bytes))
                .collect(),
            faults: by_name(&traffic.faults),
            false_blame: by_name(&traffic.false_blame),
            untracked: spread.untracked,
            forged_relayed: state.forged_relayed,
            forged_delivered: state.forged_delivered,
            expired_delivered: state.expired_delivered,
            delivered_twice: state.delivered_twice,
            violations: state.violations.clone(),
        }
    }
}
