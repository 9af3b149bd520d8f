//! What a recorder found, as plain numbers.

use std::{collections::BTreeMap, time::Duration};

use forsooth_protocol::Fault;

use super::{CaughtUp, Invariant, Members, Recorder, Recovery, State, Tied, Violation};

/// All that a verdict and a report are made from.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Honest nodes.
    pub honest: usize,
    /// Those of them that are down, and hold nothing.
    pub away: usize,
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
    /// Signatures that honest nodes had checked.
    pub signature_checks: u64,
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
    /// Messages that nobody else had when their authors were killed; they are owed to nobody.
    pub orphaned: u64,
    /// How often each promise was broken.
    pub invariants: Vec<(Invariant, u64)>,
    /// The first time that one was.
    pub first_violation: Option<Violation>,
    /// Slots for which honest nodes accepted different messages. No policy promises that there are none.
    pub slots_split: usize,
    /// Latency of messages published while neither attack nor fault was on.
    pub calm: Latency,
    /// Latency of messages published while one was.
    pub disturbed: Latency,
    /// How long the network took to find its feet after the last attack or fault.
    pub recovery: Recovery,
    /// Adversaries that at least one honest node banned.
    pub banned_adversaries: usize,
    /// Pairs of an adversary and an honest node that its hostile frames reached; and those in which the one blamed the other for a fault.
    pub known_to_victims: (usize, usize),
    /// The collection that came closest to its bound, and which share of it that was.
    pub fullest: Option<(&'static str, f64)>,
    /// How often a node was looked at from inside.
    pub samples: u64,
    /// Whom honest nodes were tied to under attack: those that it was aimed at, or all.
    pub tied: Option<Tied>,
    /// Honest nodes that had liars alone for witnesses at any time under attack.
    pub eclipsed: usize,
    /// Honest nodes that are there and have no honest witness in the end.
    pub isolated: usize,
    /// What honest nodes hold of each other as members; nothing on a network without membership.
    pub members: Option<Members>,
    /// How nodes that came back caught up, where messages are kept.
    pub caught_up: Option<CaughtUp>,
    /// Messages that were looked for on the disks of nodes that had been killed, since these had promised them.
    pub promises: u64,
    /// Attacks that began, as the engine marked them.
    pub attacks_begun: u64,
    /// Faults of the scenario that made a difference to some node, each counted once.
    pub faults_applied: u64,
}

/// How long it took from publishing to acceptance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many acceptances were measured.
    pub count: u64,
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

    /// Proofs that are due: each equivocator's at each honest node that is there.
    #[must_use]
    pub fn proofs_wanted(&self) -> usize {
        self.equivocators * self.honest.saturating_sub(self.away)
    }

    /// The share of proofs that are held; 1 if none were due.
    #[must_use]
    pub fn proof_coverage(&self) -> f64 {
        ratio(self.proofs_held as u64, self.proofs_wanted() as u64).unwrap_or(1.0)
    }

    /// How often this promise was broken.
    #[must_use]
    pub fn count(&self, invariant: Invariant) -> u64 {
        let counts = self.invariants.iter().filter(|(broken, _)| *broken == invariant);
        counts.map(|(_, count)| *count).sum()
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

    /// The share of promises of killed nodes that their disks bore out; 1 if there were none.
    #[must_use]
    pub fn promises_kept(&self) -> f64 {
        let lost = self.count(Invariant::PromiseLost).min(self.promises);
        ratio(self.promises - lost, self.promises).unwrap_or(1.0)
    }

    /// How often a promise was broken.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.invariants.iter().map(|(_, count)| count).sum()
    }

    /// Every number that an assertion may be about, by name. What does not apply to a run is not there.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<&'static str, f64> {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let mut metrics = BTreeMap::from([
            ("published", self.published as f64),
            ("accepted", self.accepted as f64),
            ("delivery_ratio", self.delivery_ratio()),
            ("latency_p50_ms", ms(self.latency.p50)),
            ("latency_p99_ms", ms(self.latency.p99)),
            ("latency_max_ms", ms(self.latency.max)),
            ("forged_relayed", self.forged_relayed as f64),
            ("violations", self.broken() as f64),
            ("equivocations", self.equivocations as f64),
            ("slots_split", self.slots_split as f64),
            ("proof_coverage", self.proof_coverage()),
            ("bans", self.bans as f64),
            ("false_bans", self.false_bans as f64),
            ("hostile_actions", self.hostile_actions() as f64),
            ("faults_applied", self.faults_applied as f64),
            ("redundancy", self.redundancy()),
            ("bytes_per_delivered_byte", self.bytes_per_delivered_byte()),
            ("upload_bytes", self.bytes_sent.values().sum::<u64>() as f64),
            ("frames_sent", self.frames_sent as f64),
        ]);
        let hostile = self.adversaries.values().sum::<usize>();
        let banned = ratio(self.banned_adversaries as u64, hostile as u64);
        metrics.extend(banned.map(|share| ("banned_adversaries", share)));
        if let Some(tied) = self.tied.filter(|_| hostile > 0) {
            metrics.extend([
                ("adversary_link_share", tied.links_worst),
                ("adversary_witness_share", tied.witnesses_mean),
                ("eclipsed", self.eclipsed as f64),
            ]);
        }
        if self.samples > 0 {
            metrics.insert("isolated", self.isolated as f64);
        }
        if let Some(members) = self.members {
            metrics.insert("false_deaths", members.false_deaths as f64);
            metrics.insert("false_suspicions", members.false_suspicions as f64);
            metrics.extend(members.right_share().map(|share| ("membership_right", share)));
            metrics.extend(members.certified_p99().map(|taken| ("certified_p99_ms", ms(taken))));
        }
        if let Some(caught_up) = self.caught_up {
            metrics.extend([
                ("returns", caught_up.returns as f64),
                ("catch_up_s", caught_up.seconds()),
                ("promises_kept", self.promises_kept()),
            ]);
        }
        metrics.extend(self.fullest.map(|(_, share)| ("memory_bound_share", share)));
        for (latency, p50, p99) in [
            (self.calm, "latency_calm_p50_ms", "latency_calm_p99_ms"),
            (self.disturbed, "latency_disturbed_p50_ms", "latency_disturbed_p99_ms"),
        ] {
            if latency.count > 0 {
                metrics.extend([(p50, ms(latency.p50)), (p99, ms(latency.p99))]);
            }
        }
        match self.recovery {
            Recovery::NotNeeded => {}
            Recovery::Within(taken) => drop(metrics.insert("recovery_s", taken.as_secs_f64())),
            Recovery::Never => drop(metrics.insert("recovery_s", f64::INFINITY)),
        }
        metrics
    }

    /// Whether nothing is on its way any more: all is delivered and proven, and all know who is a member.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let knows = self.members.is_none_or(|members| members.right == members.pairs);
        self.accepted >= self.wanted && self.proofs_held >= self.proofs_wanted() && knows
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
        let state = self.state();
        let State { spread, traffic, evidence, roll, broken, samples, ties, timeline, .. } =
            &*state;
        let State { promises, catch_ups, .. } = &*state;
        let owed = spread.wanted.saturating_sub(spread.accepted);
        let ready_since = samples.ready_since();
        let ready_since = roll.right_since().and_then(|since| Some(ready_since?.max(since)));
        Findings {
            honest: self.roster().honest_count(),
            away: evidence.away(),
            adversaries: self.roster().hostile_counts(),
            published: spread.published,
            wanted: spread.wanted,
            accepted: spread.accepted,
            accepted_bytes: spread.accepted_bytes,
            latency: spread.latencies.all(),
            equivocations: evidence.equivocations(),
            equivocators: evidence.equivocators(),
            proofs_held: evidence.proofs_held(),
            bans: evidence.bans,
            false_bans: broken.count(Invariant::FalseBan),
            false_proofs: broken.count(Invariant::FalseProof),
            hostile: traffic.hostile.clone(),
            copies: traffic.copies,
            signature_checks: self.sent.checks(),
            frames_sent: self.sent.frames(),
            bytes_sent: self.sent.bytes(),
            faults: by_name(&traffic.faults),
            false_blame: by_name(&traffic.false_blame),
            untracked: spread.untracked,
            orphaned: spread.orphaned,
            forged_relayed: broken.count(Invariant::UnverifiedRelayed),
            forged_delivered: broken.count(Invariant::ForgedAccepted),
            expired_delivered: broken.count(Invariant::ExpiredAccepted),
            delivered_twice: broken.count(Invariant::DeliveredTwice),
            violations: broken.in_words(),
            invariants: Invariant::ALL.map(|it| (it, broken.count(it))).to_vec(),
            first_violation: broken.first().cloned(),
            slots_split: spread.slots_split(),
            calm: spread.latencies.calm(),
            disturbed: spread.latencies.disturbed(),
            recovery: timeline.recovery(ready_since, owed),
            banned_adversaries: evidence.adversaries_banned(),
            known_to_victims: evidence.known_to_victims(),
            fullest: samples.fullest(),
            samples: samples.taken,
            tied: ties.tied(&timeline.targets(self.roster())),
            eclipsed: ties.eclipsed(),
            isolated: ties.isolated(),
            members: roll.members(),
            caught_up: catch_ups.so_far(),
            promises: promises.looked_for,
            attacks_begun: timeline.attacks,
            faults_applied: timeline.faults(),
        }
    }
}
