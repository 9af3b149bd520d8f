//! What a run was like over time, as it is written down: the part of `run.json` that the recorder knows.
//!
//! Times are seconds from the beginning of the run, nodes are numbers in the run, messages the first 16
//! hexadecimal digits of their ids.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A run over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The last moment at which something was seen.
    pub end_s: f64,
    /// Phases, attacks and faults, in the order in which they began.
    pub timeline: Vec<Span>,
    /// What happened in each stretch of time.
    pub moments: Vec<Moment>,
    /// What became of messages, by the time of their publishing.
    pub delivery: Vec<Delivery>,
    /// How long acceptance took.
    pub latency: Distributions,
    /// How honest nodes scored their peers.
    pub scores: Vec<Scores>,
    /// The links of the node that was surrounded most.
    pub victim: Option<Victim>,
    /// The way of one message.
    pub tree: Option<Tree>,
    /// The fullest that each bounded collection was.
    pub bounds: Vec<Peak>,
    /// How full the fullest node's collections were over time, as shares of their bounds.
    pub fill: BTreeMap<String, Vec<(f64, f64)>>,
    /// Each adversary.
    pub adversaries: Vec<Adversary>,
    /// Event by event; written beside `run.json`, not into it.
    #[serde(skip)]
    pub events: Vec<Event>,
    /// Events that were too many to keep.
    pub events_left_out: u64,
}

/// A phase, an attack or a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// A phase of the run.
    Phase,
    /// An attack.
    Attack,
    /// A fault.
    Fault,
}

/// A stretch of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// What it is.
    pub sort: Sort,
    /// Its name.
    pub name: String,
    /// A few words more.
    pub text: String,
    /// Nodes that it concerns; all if empty.
    pub nodes: Vec<u32>,
    /// When it began.
    pub from_s: f64,
    /// When it ended; never if `None`.
    pub to_s: Option<f64>,
}

/// What happened in a stretch of time at all honest nodes together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When it begins; it ends where the next one begins.
    pub from_s: f64,
    /// Messages published.
    pub published: u64,
    /// Messages accepted.
    pub accepted: u64,
    /// Hostile frames that arrived.
    pub hostile: u64,
    /// Faults noticed.
    pub faults: u64,
    /// Adversaries banned.
    pub bans: u64,
    /// Honest nodes banned.
    pub false_bans: u64,
    /// Bytes sent in frames, by class.
    pub bytes: BTreeMap<String, u64>,
}

/// What became of the messages of honest authors that were published in a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it begins.
    pub from_s: f64,
    /// Messages.
    pub published: u64,
    /// Acceptances that were due.
    pub wanted: u64,
    /// Those that came.
    pub accepted: u64,
    /// The median latency.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
}

/// Distributions of latency, as pairs of milliseconds and the share of acceptances that took no longer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distributions {
    /// Of the whole run.
    pub all: Vec<(f64, f64)>,
    /// Of messages published while neither attack nor fault was on.
    pub calm: Vec<(f64, f64)>,
    /// Of messages published while one was.
    pub disturbed: Vec<(f64, f64)>,
}

/// Scores that honest nodes gave in a stretch of time: 0 is spotless, -100 a ban.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// When it begins.
    pub from_s: f64,
    /// To honest peers.
    pub honest: Option<Band>,
    /// To adversaries.
    pub hostile: Option<Band>,
}

/// Most scores lie between these.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// One in 20 is below.
    pub p05: f64,
    /// Half are below.
    pub p50: f64,
    /// One in 20 is above.
    pub p95: f64,
}

/// The links of a node over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Victim {
    /// Which node.
    pub node: u32,
    /// Whether an attack named it as its target.
    pub targeted: bool,
    /// Its links.
    pub links: Vec<Linked>,
}

/// Links of a node at a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    /// When.
    pub at_s: f64,
    /// Honest nodes that it chose.
    pub honest_witnesses: u32,
    /// Adversaries that it chose.
    pub hostile_witnesses: u32,
    /// Honest nodes that came to it.
    pub honest_inbound: u32,
    /// Adversaries that came to it.
    pub hostile_inbound: u32,
}

/// The way of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    /// The message.
    pub message: String,
    /// Who published it.
    pub author: u32,
    /// When.
    pub published_s: f64,
    /// Whether an attack or a fault was on.
    pub disturbed: bool,
    /// How it came to each honest node.
    pub hops: Vec<Hop>,
}

/// How a message came to a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// The node.
    pub node: u32,
    /// Who brought it first.
    pub from: Option<u32>,
    /// Milliseconds after publishing when the node passed it on.
    pub relayed_ms: Option<f64>,
    /// Milliseconds after publishing when the node accepted it.
    pub accepted_ms: Option<f64>,
}

/// The fullest that a bounded collection was at any honest node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// The collection.
    pub name: String,
    /// What it held.
    pub used: u64,
    /// What it may hold.
    pub max: u64,
    /// The share of its bound.
    pub share: f64,
    /// At which node.
    pub node: u32,
    /// When.
    pub at_s: f64,
}

/// An adversary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adversary {
    /// Its number.
    pub node: u32,
    /// Its strategy.
    pub kind: String,
    /// Honest nodes that banned it.
    pub banned_by: u64,
}

/// A line of `events.ndjson`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub t: f64,
    /// What, by a stable name.
    pub what: String,
    /// At which honest node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// Which other node has to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<u32>,
    /// Which message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}
