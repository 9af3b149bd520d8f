//! What came out.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    scene::Scene,
    setting::INTERVAL,
    sheet::{Message, Sheet},
    tail::{Tail, p99_of_due},
};
use crate::scenario::values::written_latency;

/// Messages of which [`Flash`] has numbers of their own.
const LISTED_MAX: usize = 1000;
/// When a network should have forgotten a flash.
const MINUTE: Duration = Duration::from_secs(60);

/// What a run gave, and what it took.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What the seed decides.
    #[serde(flatten)]
    pub measured: Measured,
    /// How long it took.
    pub elapsed_seconds: f64,
    /// Frames that arrived in each of those seconds.
    pub frames_per_second: f64,
    /// The most memory that this process ever held; unknown on some systems.
    pub peak_memory_bytes: Option<u64>,
}

/// What a run gave: the same for a seed. Ratios are null where there is nothing to divide by.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// What was asked for.
    pub setting: Described,
    /// Virtual seconds until every honest node had its links.
    pub linked_after_seconds: f64,
    /// Virtual seconds until the warm-up began: until nearly all views had settled, or that took too long to wait for.
    pub begun_after_seconds: f64,
    /// The share of honest nodes whose views had settled by then.
    pub settled_share: f64,
    /// Measured messages that were published.
    pub published: usize,
    /// The share of acceptances at honest nodes that came, of those that are due.
    pub delivery_ratio: Option<f64>,
    /// The same for payloads.
    pub arrival_ratio: Option<f64>,
    /// Payload copies at honest nodes beyond the first, for each first delivery.
    pub redundancy: Option<f64>,
    /// Links from the author to an honest node, along those that brought it first.
    pub hops: Option<Tail>,
    /// Milliseconds until the payload is at an honest node and verified, of those that came.
    pub latency_ms: Option<Tail>,
    /// Milliseconds until the application has it, of those that came.
    pub accept_latency_ms: Option<Tail>,
    /// Milliseconds that a flood over the same links would take.
    pub flood_latency_ms: Option<Tail>,
    /// 99th percentiles of delivery and flood.
    pub latency_over_flood: Option<f64>,
    /// 99th percentiles of acceptance and delivery.
    pub accept_over_delivery: Option<f64>,
    /// Bytes of vouch frames that an honest node sends for a measured message.
    pub vouch_bytes_per_message_per_node: Option<f64>,
    /// Ids in those.
    pub vouches_per_message_per_node: Option<f64>,
    /// Bytes of vouch frames for each id in them.
    pub bytes_per_vouch: Option<f64>,
    /// Bytes of all classes that honest nodes sent, for each payload byte that came first: from the first measured
    /// message until all is accepted, and not longer than 5 s after the last.
    pub bytes_per_delivered_byte: Option<f64>,
    /// Those bytes by class.
    pub bytes_sent: BTreeMap<&'static str, u64>,
    /// Signatures of measured messages that honest nodes checked, for each first delivery.
    pub verifications_per_delivery: Option<f64>,
    /// Promises of the protocol that were broken: forged or expired messages accepted, honest nodes banned, and so on.
    pub violations: u64,
    /// Messages after a flash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flash: Option<Flash>,
}

/// How a network came over nodes that behaved and then withheld all at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flash {
    /// 99th percentile in milliseconds of the second half of the warm-up.
    pub p99_before_ms: Option<f64>,
    /// Until the first message was at every honest node; null if it never was.
    pub first_message_everywhere_ms: Option<f64>,
    /// The share of honest nodes that it reached.
    pub first_message_arrival_ratio: f64,
    /// 99th percentile of each following message, a thousand at most; null if more than one of 100 honest nodes never
    /// had it.
    pub p99_ms: Vec<Option<f64>>,
    /// Payload copies beyond the first for each first delivery, of the same messages; null if it reached nobody.
    pub redundancy: Vec<Option<f64>>,
    /// Messages after the flash until all that follow had a 99th percentile below twice that of before; null if the
    /// last had not.
    pub recovered_after_messages: Option<usize>,
    /// Redundancy of all messages that were published a minute after the flash, and later.
    pub redundancy_after_60s: Option<f64>,
}

/// A setting in words and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "see Setting")]
pub struct Described {
    pub nodes: usize,
    pub hostile: usize,
    pub authors: usize,
    pub messages: usize,
    pub warm_up: usize,
    pub payload_bytes: u32,
    pub latency: String,
    pub outbound: u16,
    pub interval_ms: u64,
    pub seed: u64,
}

impl Measured {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let (setting, honest) = (scene.setting, scene.setting.honest());
        let sheet = scene.sheet.lock();
        let messages = || sheet.measured().iter().filter(|message| message.published.is_some());
        let published = messages().count();
        let total = |what: fn(&Message) -> usize| messages().map(what).sum::<usize>() as f64;
        let arrived = total(|message| message.arrived);
        let due = (published * sheet.due()) as f64;
        let hops = Tail::of(messages().flat_map(|message| message.hops(honest)));
        let latency = Tail::of_micros(messages().flat_map(|message| message.arrivals(honest)));
        let accept = Tail::of_micros(messages().flat_map(|message| message.acceptances(honest)));
        let flood = Tail::of_micros(scene.floods.iter().copied());
        let p99 = |tail: Option<Tail>| tail.map(|tail| tail.p99);
        let (bytes_sent, vouches) = (sheet.sent(), sheet.vouches);
        let seconds = |time: forsooth_protocol::Time| time.as_duration().as_secs_f64();
        let per_message = (published * honest) as f64;
        let all_bytes = bytes_sent.values().sum::<u64>() as f64;
        let findings = scene.cast.recorder.findings();
        Self {
            setting: Described::of(scene),
            linked_after_seconds: seconds(scene.linked_at),
            begun_after_seconds: seconds(scene.begun_at),
            settled_share: scene.settled as f64 / honest.max(1) as f64,
            published,
            delivery_ratio: ratio(total(|message| message.accepted), due),
            arrival_ratio: ratio(arrived, due),
            redundancy: redundancy(messages()),
            hops,
            latency_ms: latency,
            accept_latency_ms: accept,
            flood_latency_ms: flood,
            latency_over_flood: over(p99(latency), p99(flood)),
            accept_over_delivery: over(p99(accept), p99(latency)),
            vouch_bytes_per_message_per_node: ratio(vouches.bytes as f64, per_message),
            vouches_per_message_per_node: ratio(vouches.count as f64, per_message),
            bytes_per_vouch: ratio(vouches.bytes as f64, vouches.count as f64),
            bytes_per_delivered_byte: ratio(all_bytes, arrived * f64::from(setting.payload_bytes)),
            bytes_sent,
            verifications_per_delivery: ratio(
                messages().map(|message| message.checks).sum::<u64>() as f64,
                arrived,
            ),
            violations: findings.invariants.iter().map(|(_, count)| count).sum(),
            flash: setting.flashes().then(|| Flash::of(&sheet, honest)),
        }
    }
}

impl Flash {
    fn of(sheet: &Sheet, honest: usize) -> Self {
        let before = sheet.warm_up();
        let before = before.get(before.len() / 2..).unwrap_or_default();
        let arrivals = before.iter().flat_map(|message| message.arrivals(honest));
        let p99_before = p99_of_due(arrivals, before.len() * sheet.due());
        let of_message = |message: &Message| p99_of_due(message.arrivals(honest), sheet.due());
        let p99s: Vec<Option<f64>> = sheet.measured().iter().map(of_message).collect();
        let is_well =
            |p99: &Option<f64>| p99.zip(p99_before).is_some_and(|(p99, before)| p99 < before * 2.0);
        let last_bad = p99s.iter().rposition(|p99| !is_well(p99));
        let recovered = last_bad.map_or(0, |last| last + 1);
        let first = sheet.measured().first();
        let reached = first.map_or(0, |message| message.arrived);
        let everywhere = first.filter(|_| reached == sheet.due());
        let everywhere = everywhere.and_then(|message| message.arrivals(honest).max());
        let following = sheet.measured().iter().skip(1).take(LISTED_MAX);
        let minute = usize::try_from(MINUTE.as_millis() / INTERVAL.as_millis());
        let later = sheet.measured().iter().skip(minute.unwrap_or(usize::MAX));
        Self {
            p99_before_ms: p99_before,
            first_message_everywhere_ms: everywhere.map(|micros| f64::from(micros) / 1000.0),
            first_message_arrival_ratio: reached as f64 / sheet.due().max(1) as f64,
            redundancy: following.map(|message| redundancy([message].into_iter())).collect(),
            recovered_after_messages: (recovered < p99s.len()).then_some(recovered),
            redundancy_after_60s: redundancy(later),
            p99_ms: p99s.into_iter().skip(1).take(LISTED_MAX).collect(),
        }
    }
}

impl Described {
    fn of(scene: &Scene<'_>) -> Self {
        let setting = scene.setting;
        Self {
            nodes: setting.nodes,
            hostile: setting.hostile(),
            authors: setting.authors,
            messages: setting.messages,
            warm_up: setting.warm_up,
            payload_bytes: setting.payload_bytes,
            latency: written_latency(setting.latency),
            outbound: setting.outbound,
            interval_ms: u64::try_from(INTERVAL.as_millis()).unwrap_or(u64::MAX),
            seed: setting.seed,
        }
    }
}

/// Copies beyond the first for each first delivery; `None` if there is none.
fn redundancy<'a>(messages: impl Iterator<Item = &'a Message>) -> Option<f64> {
    let add = |(copies, arrived), message: &Message| {
        (copies + message.copies, arrived + message.arrived as u64)
    };
    let (copies, arrived) = messages.fold((0, 0), add);
    ratio(copies as f64 - arrived as f64, arrived as f64)
}

fn ratio(of: f64, by: f64) -> Option<f64> {
    (by > 0.0).then(|| of / by)
}

fn over(of: Option<f64>, by: Option<f64>) -> Option<f64> {
    ratio(of?, by?)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.measured)?;
        write!(f, "{:.1} s, {:.0} frames a second", self.elapsed_seconds, self.frames_per_second)?;
        if let Some(bytes) = self.peak_memory_bytes {
            write!(f, ", {} MB", bytes / 1_000_000)?;
        }
        Ok(())
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described { nodes, hostile, authors, payload_bytes, latency, outbound, seed, .. } =
            &self.setting;
        writeln!(
            f,
            "{nodes} nodes, {hostile} of them withhold; {outbound} links each, {latency} apart; \
             {authors} in turn publish {} messages of {payload_bytes} bytes; seed {seed}",
            self.published
        )?;
        writeln!(
            f,
            "the views of {:.1} % had settled when it began, {:.0} s after the start",
            self.settled_share * 100.0,
            self.begun_after_seconds
        )?;
        writeln!(f, "{:<34}{:>12}{:>12}{:>12}", "", "p50", "p99", "max")?;
        for (name, tail) in [
            ("hops", self.hops),
            ("delivery ms", self.latency_ms),
            ("acceptance ms", self.accept_latency_ms),
            ("flood ms", self.flood_latency_ms),
        ] {
            match tail {
                Some(tail) => writeln!(f, "{name:<34}{tail}")?,
                None => writeln!(f, "{name:<34}{:>12}", "-")?,
            }
        }
        for (name, number) in [
            ("delivery ratio", self.delivery_ratio),
            ("arrival ratio", self.arrival_ratio),
            ("redundancy", self.redundancy),
            ("delivery over flood, p99", self.latency_over_flood),
            ("acceptance over delivery, p99", self.accept_over_delivery),
            ("vouch bytes per message and node", self.vouch_bytes_per_message_per_node),
            ("bytes per vouch", self.bytes_per_vouch),
            ("bytes per delivered byte", self.bytes_per_delivered_byte),
            ("verifications per delivery", self.verifications_per_delivery),
        ] {
            line(f, name, number)?;
        }
        if self.violations > 0 {
            writeln!(f, "{:<34}{:>12}", "BROKEN PROMISES", self.violations)?;
        }
        self.flash.iter().try_for_each(|flash| flash.fmt(f))
    }
}

impl fmt::Display for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "before the flash, p99 ms", self.p99_before_ms)?;
        line(f, "first message everywhere, ms", self.first_message_everywhere_ms)?;
        line(f, "first message's arrival ratio", Some(self.first_message_arrival_ratio))?;
        let recovered = self.recovered_after_messages.map(|messages| messages as f64);
        line(f, "messages until recovered", recovered)?;
        line(f, "redundancy after 60 s", self.redundancy_after_60s)
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, number: Option<f64>) -> fmt::Result {
    match number {
        Some(number) => writeln!(f, "{name:<34}{number:>12.4}"),
        None => writeln!(f, "{name:<34}{:>12}", "-"),
    }
}
