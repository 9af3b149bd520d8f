//! What can be asserted: named measures of a run.
//!
//! A measure that has nothing to measure is `None`, not a flattering number: an assertion on it makes the
//! run inconclusive.

use std::{fmt, time::Duration};

use crate::record::{Findings, Recovery, Tied};

/// A named measure of a run.
pub struct Metric {
    /// As in `[[assert]]`.
    pub name: &'static str,
    /// What it measures, in a sentence.
    pub sentence: &'static str,
    /// Whether it compares with the same scenario and seed without the attack.
    pub baseline: Baseline,
    measure: fn(&Seen<'_>) -> Option<f64>,
}

/// What a measure needs besides the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Nothing.
    Unneeded,
    /// The same scenario and seed without the attack.
    Needed,
}

/// What there is to measure.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The run.
    pub run: &'a Findings,
    /// The same without the attack, if somebody needs it.
    pub baseline: Option<&'a Findings>,
}

/// Every measure, sorted by name.
pub static METRICS: &[&Metric] = &[
    &ACCEPTED,
    &ADVERSARY_LINK_SHARE,
    &ADVERSARY_WITNESS_SHARE,
    &BANNED_ADVERSARIES,
    &BANS,
    &BYTES_PER_DELIVERED_BYTE,
    &CATCH_UP_S,
    &CERTIFIED_P99_MS,
    &CERTIFIED_P99_RATIO,
    &DELIVERED_TWICE,
    &DELIVERY_RATIO,
    &ECLIPSED,
    &EQUIVOCATIONS,
    &EXPIRED_DELIVERED,
    &FALSE_BANS,
    &FALSE_BLAME,
    &FALSE_DEATHS,
    &FALSE_SUSPICIONS,
    &FAULTS_NOTICED,
    &FORGED_RELAYED,
    &HOSTILE_ACTIONS,
    &ISOLATED,
    &KNOWN_TO_VICTIMS,
    &LATENCY_CALM_P99_MS,
    &LATENCY_DISTURBED_P99_MS,
    &LATENCY_MAX_MS,
    &LATENCY_P50_MS,
    &LATENCY_P99_MS,
    &LATENCY_P99_RATIO,
    &MEMBERSHIP_RIGHT,
    &MEMORY_BOUND_SHARE,
    &ORPHANED,
    &PROMISES_KEPT,
    &PROOF_COVERAGE,
    &PUBLISHED,
    &RECOVERY_S,
    &REDUNDANCY,
    &RETURNS,
    &SIGNATURE_CHECKS_RATIO,
    &SLOTS_SPLIT,
    &UPLOAD_RATIO,
    &VIOLATIONS,
];

impl Metric {
    /// What it comes to; `None` if there is nothing to measure.
    #[must_use]
    pub fn measure(&self, seen: &Seen<'_>) -> Option<f64> {
        (self.measure)(seen)
    }

    /// The measure of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        METRICS.iter().find(|metric| metric.name == name).copied()
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const fn metric(
    name: &'static str,
    sentence: &'static str,
    measure: fn(&Seen<'_>) -> Option<f64>,
) -> Metric {
    Metric { name, sentence, baseline: Baseline::Unneeded, measure }
}

const fn ratio_to_baseline(
    name: &'static str,
    sentence: &'static str,
    measure: fn(&Seen<'_>) -> Option<f64>,
) -> Metric {
    Metric { name, sentence, baseline: Baseline::Needed, measure }
}

static ACCEPTED: Metric =
    metric("accepted", "Acceptances of honest authors' messages at other honest nodes.", |seen| {
        Some(seen.run.accepted as f64)
    });

static ADVERSARY_LINK_SHARE: Metric = metric(
    "adversary_link_share",
    "Adversaries among the links of the node that the attack is after, as last seen under attack; of several nodes, or of all if it is after nobody in particular, the worst.",
    |seen| tied(seen.run).map(|tied| tied.links_worst),
);

static ADVERSARY_WITNESS_SHARE: Metric = metric(
    "adversary_witness_share",
    "Adversaries among the witnesses of the nodes that the attack is after, or of all if it is after nobody in particular, as last seen under attack; the mean.",
    |seen| tied(seen.run).map(|tied| tied.witnesses_mean),
);

static BANNED_ADVERSARIES: Metric = metric(
    "banned_adversaries",
    "Share of adversaries that at least one honest node banned, if they attacked.",
    |seen| {
        let hostile: usize = seen.run.adversaries.values().sum();
        let attacked = hostile > 0 && seen.run.hostile_actions() > 0;
        attacked.then(|| seen.run.banned_adversaries as f64 / hostile as f64)
    },
);

static BANS: Metric =
    metric("bans", "Bans of anybody by honest nodes.", |seen| Some(seen.run.bans as f64));

static BYTES_PER_DELIVERED_BYTE: Metric = metric(
    "bytes_per_delivered_byte",
    "Bytes in frames that honest nodes sent, for each payload byte accepted.",
    |seen| (seen.run.accepted_bytes > 0).then(|| seen.run.bytes_per_delivered_byte()),
);

static CATCH_UP_S: Metric = metric(
    "catch_up_s",
    "Seconds that nodes which came back needed at most until they had all that was published before, where messages are kept and if they were not killed again; endless if one still lacks something.",
    |seen| Some(seen.run.caught_up?.seconds()),
);

static CERTIFIED_P99_MS: Metric = metric(
    "certified_p99_ms",
    "Milliseconds from a kill of an honest node until 99 of 100 others had the certificate of its death.",
    |seen| certified(seen.run),
);

static CERTIFIED_P99_RATIO: Metric = ratio_to_baseline(
    "certified_p99_ratio",
    "certified_p99_ms, divided by that of the same scenario and seed without the attack.",
    |seen| quotient(seen, certified),
);

static DELIVERED_TWICE: Metric =
    metric("delivered_twice", "Messages that one application was handed again.", |seen| {
        Some(seen.run.delivered_twice as f64)
    });

static DELIVERY_RATIO: Metric = metric(
    "delivery_ratio",
    "Share of acceptances that came, of those due: each message of an honest author at each other honest node.",
    |seen| (seen.run.wanted > 0).then(|| seen.run.delivery_ratio()),
);

static ECLIPSED: Metric = metric(
    "eclipsed",
    "Honest nodes that had adversaries alone for witnesses at any time under attack.",
    |seen| tied(seen.run).map(|_| seen.run.eclipsed as f64),
);

static EQUIVOCATIONS: Metric =
    metric("equivocations", "Slots for which two signed messages reached honest nodes.", |seen| {
        Some(seen.run.equivocations as f64)
    });

static EXPIRED_DELIVERED: Metric = metric(
    "expired_delivered",
    "Messages handed to an application after their lifetime.",
    |seen| Some(seen.run.expired_delivered as f64),
);

static FALSE_BANS: Metric = metric("false_bans", "Bans of honest nodes by honest nodes.", |seen| {
    Some(seen.run.false_bans as f64)
});

static FALSE_BLAME: Metric =
    metric("false_blame", "Faults that honest nodes blamed on honest nodes.", |seen| {
        Some(seen.run.false_blame.values().sum::<u64>() as f64)
    });

static FALSE_DEATHS: Metric = metric(
    "false_deaths",
    "Certificates of the death of honest nodes that were there, counted at each honest node that had one.",
    |seen| Some(seen.run.members?.false_deaths as f64),
);

static FALSE_SUSPICIONS: Metric = metric(
    "false_suspicions",
    "Suspicions of honest nodes that were there, counted at each honest node that had one.",
    |seen| Some(seen.run.members?.false_suspicions as f64),
);

static FAULTS_NOTICED: Metric = metric(
    "faults_noticed",
    "Faults of all names that honest nodes noticed, if somebody attacked.",
    |seen| {
        let noticed: u64 = seen.run.faults.values().sum();
        let attacked = seen.run.adversaries.is_empty() || seen.run.hostile_actions() > 0;
        attacked.then_some(noticed as f64)
    },
);

static FORGED_RELAYED: Metric =
    metric("forged_relayed", "Forged messages that honest nodes sent on.", |seen| {
        Some(seen.run.forged_relayed as f64)
    });

static HOSTILE_ACTIONS: Metric =
    metric("hostile_actions", "Hostile acts that reached honest nodes.", |seen| {
        Some(seen.run.hostile_actions() as f64)
    });

static ISOLATED: Metric = metric(
    "isolated",
    "Honest nodes that have no honest witness in the end, of those that are there.",
    |seen| (seen.run.samples > 0).then_some(seen.run.isolated as f64),
);

static LATENCY_CALM_P99_MS: Metric = metric(
    "latency_calm_p99_ms",
    "As latency_p99_ms, of messages published while neither attack nor fault was on.",
    |seen| (seen.run.calm.count > 0).then(|| millis(seen.run.calm.p99)),
);

static LATENCY_DISTURBED_P99_MS: Metric = metric(
    "latency_disturbed_p99_ms",
    "As latency_p99_ms, of messages published while an attack or a fault was on.",
    |seen| (seen.run.disturbed.count > 0).then(|| millis(seen.run.disturbed.p99)),
);

static KNOWN_TO_VICTIMS: Metric = metric(
    "known_to_victims",
    "Share of pairs of an adversary and an honest node that its hostile frames reached, in which the one blamed the other for something.",
    |seen| {
        let (struck, known) = seen.run.known_to_victims;
        (struck > 0).then(|| known as f64 / struck as f64)
    },
);

static LATENCY_MAX_MS: Metric = metric(
    "latency_max_ms",
    "The longest time from publishing to acceptance, in milliseconds.",
    |seen| latency(seen.run, seen.run.latency.max),
);

static LATENCY_P50_MS: Metric =
    metric("latency_p50_ms", "Half of the acceptances took no longer, in milliseconds.", |seen| {
        latency(seen.run, seen.run.latency.p50)
    });

static LATENCY_P99_MS: Metric =
    metric("latency_p99_ms", "99 of 100 acceptances took no longer, in milliseconds.", |seen| {
        latency(seen.run, seen.run.latency.p99)
    });

static LATENCY_P99_RATIO: Metric = ratio_to_baseline(
    "latency_p99_ratio",
    "latency_p99_ms, divided by that of the same scenario and seed without the attack.",
    |seen| quotient(seen, |run| latency(run, run.latency.p99)),
);

static MEMBERSHIP_RIGHT: Metric = metric(
    "membership_right",
    "Share of pairs of honest nodes in which the one is right whether the other is there, in the end.",
    |seen| seen.run.members?.right_share(),
);

static MEMORY_BOUND_SHARE: Metric = metric(
    "memory_bound_share",
    "How full the fullest bounded collection of any honest node was, of what it may hold.",
    |seen| seen.run.fullest.map(|(_, share)| share),
);

static ORPHANED: Metric = metric(
    "orphaned",
    "Messages that nobody else had when their authors were killed; they are owed to nobody.",
    |seen| Some(seen.run.orphaned as f64),
);

static PROMISES_KEPT: Metric = metric(
    "promises_kept",
    "Share of messages on the disks of nodes that were killed, of those that they had acknowledged, delivered or vouched for, where messages are kept.",
    |seen| (seen.run.promises > 0).then(|| seen.run.promises_kept()),
);

static PROOF_COVERAGE: Metric = metric(
    "proof_coverage",
    "Share of proofs that honest nodes hold, of each equivocator's at each of them that is there at the end.",
    |seen| (seen.run.proofs_wanted() > 0).then(|| seen.run.proof_coverage()),
);

static PUBLISHED: Metric = metric("published", "Messages that honest nodes published.", |seen| {
    Some(seen.run.published as f64)
});

static RECOVERY_S: Metric = metric(
    "recovery_s",
    "Seconds from the end of the last attack or fault until all nodes had their witnesses, what was published before had arrived and, where there is membership, all were right about all; endless if something is still missing.",
    |seen| match seen.run.recovery {
        Recovery::NotNeeded => None,
        Recovery::Within(taken) => Some(taken.as_secs_f64()),
        Recovery::Never => Some(f64::INFINITY),
    },
);

static REDUNDANCY: Metric = metric(
    "redundancy",
    "Payload copies that arrived for each payload accepted, less the one that is needed.",
    |seen| (seen.run.accepted > 0).then(|| seen.run.redundancy()),
);

static RETURNS: Metric = metric(
    "returns",
    "How often nodes came back after they were killed, where messages are kept.",
    |seen| Some(seen.run.caught_up?.returns as f64),
);

static SIGNATURE_CHECKS_RATIO: Metric = ratio_to_baseline(
    "signature_checks_ratio",
    "Signatures that honest nodes checked, divided by those of the same scenario and seed without the attack.",
    |seen| quotient(seen, |run| (run.signature_checks > 0).then_some(run.signature_checks as f64)),
);

static SLOTS_SPLIT: Metric =
    metric("slots_split", "Slots for which honest nodes accepted different messages.", |seen| {
        Some(seen.run.slots_split as f64)
    });

static UPLOAD_RATIO: Metric = ratio_to_baseline(
    "upload_ratio",
    "Bytes that honest nodes sent, divided by those of the same scenario and seed without the attack.",
    |seen| {
        quotient(seen, |run| {
            let bytes: u64 = run.bytes_sent.values().sum();
            (bytes > 0).then_some(bytes as f64)
        })
    },
);

static VIOLATIONS: Metric =
    metric("violations", "How often a promise of safety was broken.", |seen| {
        Some(seen.run.broken() as f64)
    });

const fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Whom honest nodes were tied to, if somebody attacked.
fn tied(run: &Findings) -> Option<Tied> {
    run.tied.filter(|_| run.hostile_actions() > 0)
}

fn latency(run: &Findings, latency: Duration) -> Option<f64> {
    (run.accepted > 0).then(|| millis(latency))
}

/// From a kill until the certificate was nearly everywhere, in milliseconds.
fn certified(run: &Findings) -> Option<f64> {
    run.members?.certified_p99().map(millis)
}

fn quotient(seen: &Seen<'_>, measure: impl Fn(&Findings) -> Option<f64>) -> Option<f64> {
    let baseline = measure(seen.baseline?)?;
    (baseline > 0.0).then_some(measure(seen.run)? / baseline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_by_its_name_and_explained() {
        assert!(METRICS.is_sorted_by_key(|metric| metric.name));
        for metric in METRICS {
            assert_eq!(Metric::find(metric.name), Some(*metric));
            assert!(metric.sentence.ends_with('.'), "{metric:?}");
        }
        assert_eq!(Metric::find("delivery"), None);
    }

    #[test]
    fn nothing_to_measure_is_no_number() {
        let nothing = Findings::default();
        let seen = Seen { run: &nothing, baseline: None };
        for name in [
            "delivery_ratio",
            "proof_coverage",
            "latency_p99_ms",
            "latency_p99_ratio",
            "upload_ratio",
            "membership_right",
            "certified_p99_ratio",
        ] {
            assert_eq!(Metric::find(name).unwrap().measure(&seen), None, "{name}");
        }
    }
}
