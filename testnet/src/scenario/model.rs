//! What a scenario says, once it is read and makes sense.

use std::{ops::Range, time::Duration};

use forsooth_protocol::{
    Safeguard,
    membership::Preset,
    network::{Grouping, Kind as NetworkKind, Policy},
};

use super::{
    identity::{Contacts, Ids, Subnet},
    metric::Metric,
};
use crate::{
    strategy::{Intensity, Kind},
    verdict::Verdict,
    world::Latency,
};

/// The one topic of a network, if a scenario names none.
pub const TOPIC: &str = "news";

/// An experiment: who takes part, what happens to them, and what must hold.
///
/// Times count from the beginning of the load, after the warm-up.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A short name.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// From which everything random comes.
    pub seed: u64,
    /// The verdict that it should have.
    pub expect: Verdict,
    /// What all nodes agree on.
    pub network: NetworkRules,
    /// How long it takes.
    pub run: Phases,
    /// Honest nodes.
    pub groups: Vec<Group>,
    /// What links are like.
    pub links: Links,
    /// Those who attack.
    pub adversaries: Vec<Gang>,
    /// What goes wrong by itself.
    pub faults: Vec<Fault>,
    /// What must hold beyond what always must.
    pub asserts: Vec<Assertion>,
    /// Defences to switch off, one at a time, for a comparison.
    pub compare: Vec<Safeguard>,
}

/// What a scenario may say of its network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkRules {
    /// What it is for; real nodes attack only a `local` one.
    pub kind: NetworkKind,
    /// When a message is accepted; a majority of 24 witnesses, or of all if there are fewer, if not said.
    pub policy: Option<Policy>,
    /// How long a message lives.
    pub lifetime: Duration,
    /// For how long messages are kept for those who come later; they are not, if not said.
    pub retention: Option<Duration>,
    /// How many messages are kept at most; a million, if not said.
    pub retention_messages: Option<u32>,
    /// Messages of one author in a minute; twice the load, if not said.
    pub rate_per_minute: Option<u32>,
    /// Messages of one author at once on top of that.
    pub burst: Option<u32>,
    /// Which peers count as one voter; as recommended for the kind, if not said.
    pub grouping: Option<Grouping>,
    /// What one peer may send.
    pub quota: Quota,
    /// Whether all know who is a member, and how quickly; they do not, if not said.
    pub membership: Option<Preset>,
}

/// What one peer may send another; as recommended for the kind of network, where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Frames a second on `control`.
    pub control_frames_per_second: Option<u32>,
    /// Bytes a second on `control`.
    pub control_bytes_per_second: Option<u32>,
    /// Frames a second on `data`.
    pub data_frames_per_second: Option<u32>,
    /// Bytes a second on `data`.
    pub data_bytes_per_second: Option<u32>,
    /// How many seconds of quota may be spent at once.
    pub burst_seconds: Option<u32>,
}

impl Quota {
    /// Each key with what is said for it.
    #[must_use]
    pub const fn keys(&self) -> [(&'static str, Option<u32>); 5] {
        [
            ("control_frames_per_second", self.control_frames_per_second),
            ("control_bytes_per_second", self.control_bytes_per_second),
            ("data_frames_per_second", self.data_frames_per_second),
            ("data_bytes_per_second", self.data_bytes_per_second),
            ("burst_seconds", self.burst_seconds),
        ]
    }
}

/// How long a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phases {
    /// The longest time in which nodes link up; it ends when all honest nodes have their witnesses.
    pub warm_up: Duration,
    /// For how long honest nodes publish.
    pub duration: Duration,
    /// The longest time for what is on its way to arrive; it ends when all is there.
    pub cool_down: Duration,
}

/// Honest nodes that are alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How others refer to it.
    pub name: String,
    /// How many.
    pub nodes: usize,
    /// Messages that each publishes in a second, on average.
    pub rate: f64,
    /// Bytes of a payload.
    pub payload_bytes: u32,
    /// Messages that the group publishes in all, by authors drawn at random; without end, if not said.
    pub messages: Option<usize>,
    /// When nobody of the group publishes.
    pub quiet: Option<Range<Duration>>,
    /// Topics on which it publishes, in turn.
    pub topics: Vec<String>,
    /// Links that each chooses; what the policy needs, and at least 8, if not said.
    pub outbound: Option<usize>,
    /// The addresses that its nodes have in the simulator; each is in a /24 of its own, if not said.
    pub subnet: Option<Subnet>,
    /// Whom they are told of when they start; some of all nodes in the simulator, and everybody in real nodes, if
    /// not said.
    pub contacts: Option<Contacts>,
}

/// What the links of a network are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    /// All that are not named.
    pub default: Link,
    /// Links of which at least one end is in the group, or an adversary, of this name.
    pub by_group: Vec<(String, Link)>,
}

/// What one link is like, in the simulator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How long a frame takes.
    pub latency: Latency,
    /// Added at random to each frame.
    pub jitter: Duration,
    /// Probability that a transmission is lost, and sent again.
    pub loss: f64,
    /// Probability that a frame arrives twice.
    pub duplicate: f64,
    /// Bytes a second that a node can send.
    pub bandwidth: Option<u64>,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            latency: Latency::Uniform {
                min: Duration::from_millis(10),
                max: Duration::from_millis(50),
            },
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            bandwidth: None,
        }
    }
}

/// Adversaries that do the same together.
#[derive(Clone, Debug)]
pub struct Gang {
    /// What they do.
    pub kind: &'static Kind,
    /// How many.
    pub nodes: usize,
    /// When they begin. Some kinds begin with their node whatever this says; see
    /// [`Onset`](crate::strategy::Onset).
    pub start: Duration,
    /// When they end; when the load does, if not said.
    pub stop: Option<Duration>,
    /// How hard they try.
    pub intensity: Intensity,
    /// Whom they attack; everybody, if not said.
    pub targets: Option<Who>,
    /// Whether they share what they know.
    pub collude: bool,
    /// As [`Group::subnet`].
    pub subnet: Option<Subnet>,
    /// Which ids they have; random ones, if not said.
    pub ids: Option<Ids>,
}

/// Some honest nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// All of them.
    All,
    /// Those in these places, from 0.
    Nodes(Vec<usize>),
    /// All of a group.
    Group(String),
    /// A share of a group, or of all, drawn at random.
    Share(Option<String>, f64),
    /// So many of a group, or of all, drawn at random.
    Count(Option<String>, usize),
}

/// Something goes wrong without anybody's ill will.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// When.
    pub at: Duration,
    /// For how long; to the end, if not said.
    pub lasts: Option<Duration>,
    /// To whom.
    pub who: Who,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// They end at once, as by `kill -9`, and come back, with what is on their disk, when the fault is over.
    Kill,
    /// As [`Self::Kill`], for a second if no time is said.
    Restart,
    /// They do nothing, and go on where they were.
    Pause,
    /// They cannot reach the others, nor the others them.
    Partition,
    /// Frames pass one way only, between them and the others.
    OneWay(Blocked),
    /// Transmissions on their links are lost with this probability.
    Loss(f64),
    /// Their clocks are wrong by so many milliseconds; ahead, if positive.
    Skew(i64),
    /// They come and go.
    Churn {
        /// The share of them that leaves in a minute.
        per_minute: f64,
        /// How long each is away.
        away: Duration,
    },
    /// Their disks keep nothing.
    DiskFull,
}

/// Which way is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// What they send.
    Outward,
    /// What is sent to them.
    Inward,
}

/// A bar that a measure must keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assertion {
    /// What is measured.
    pub metric: &'static Metric,
    /// The least that it may be.
    pub min: Option<f64>,
    /// The most that it may be.
    pub max: Option<f64>,
}

/// A name and a sentence, for tables and completions.
pub type Described = (&'static str, &'static str);

impl FaultKind {
    /// Every fault by name, with what it does.
    pub const NAMES: [Described; 9] = [
        (
            "kill",
            "Nodes end at once, as by `kill -9`; with `for` they come back after that time with what was on their disk.",
        ),
        (
            "restart",
            "Nodes end at once and are back after `for` (1 s if not said) with what was on their disk.",
        ),
        (
            "pause",
            "Nodes do nothing for a while and go on where they were; what was sent to them waits.",
        ),
        ("partition", "Nodes cannot reach the others, nor the others them."),
        (
            "one-way",
            "Frames pass one way only between nodes and the others: `blocked` is \"outward\" or \"inward\".",
        ),
        ("loss", "Transmissions on the nodes' links are lost with the probability `loss`."),
        ("skew", "The nodes' clocks are wrong by `by`, such as \"1h\" or \"-30s\"."),
        (
            "churn",
            "A share of the nodes, `per_minute`, leaves in each minute, and is back after `away`.",
        ),
        ("disk-full", "The nodes' disks keep nothing more."),
    ];

    /// As in a scenario file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::OneWay(_) => "one-way",
            Self::Loss(_) => "loss",
            Self::Skew(_) => "skew",
            Self::Churn { .. } => "churn",
            Self::DiskFull => "disk-full",
        }
    }

    /// Whether it ends a node's process.
    #[must_use]
    pub const fn is_deadly(self) -> bool {
        match self {
            Self::Kill | Self::Restart | Self::Churn { .. } => true,
            Self::Pause
            | Self::Partition
            | Self::OneWay(_)
            | Self::Loss(_)
            | Self::Skew(_)
            | Self::DiskFull => false,
        }
    }
}

impl Scenario {
    /// A scenario with nodes alone, for those who build one in code.
    #[must_use]
    pub fn of(name: &str, groups: Vec<Group>) -> Self {
        Self {
            name: name.to_owned(),
            about: String::new(),
            seed: 1,
            expect: Verdict::Pass,
            network: NetworkRules::default(),
            run: Phases::default(),
            groups,
            links: Links::default(),
            adversaries: Vec::new(),
            faults: Vec::new(),
            asserts: Vec::new(),
            compare: Vec::new(),
        }
    }

    /// Honest nodes of all groups.
    #[must_use]
    pub fn honest(&self) -> usize {
        self.groups.iter().map(|group| group.nodes).fold(0, usize::saturating_add)
    }

    /// Adversaries of all kinds.
    #[must_use]
    pub fn hostile(&self) -> usize {
        self.adversaries.iter().map(|gang| gang.nodes).fold(0, usize::saturating_add)
    }

    /// The same without the attack: adversaries are there and behave.
    #[must_use]
    pub fn calm(&self) -> Self {
        let calm = |gang: &Gang| Gang { intensity: Intensity::NONE, ..gang.clone() };
        Self { adversaries: self.adversaries.iter().map(calm).collect(), ..self.clone() }
    }

    /// The same without the attack, to compare measures with: nothing is asserted.
    #[must_use]
    pub fn baseline(&self) -> Self {
        Self { asserts: Vec::new(), ..self.calm() }
    }

    /// The places of a group's nodes.
    #[must_use]
    pub fn places(&self, group: &str) -> Option<Range<usize>> {
        let mut first = 0;
        for each in &self.groups {
            if each.name == group {
                return Some(first..first + each.nodes);
            }
            first += each.nodes;
        }
        None
    }
}

impl Group {
    /// A group that publishes twice a second, 256 bytes each.
    #[must_use]
    pub fn of(name: &str, nodes: usize) -> Self {
        Self {
            name: name.to_owned(),
            nodes,
            rate: 2.0,
            payload_bytes: 256,
            messages: None,
            quiet: None,
            topics: vec![TOPIC.to_owned()],
            outbound: None,
            subnet: None,
            contacts: None,
        }
    }
}

impl Gang {
    /// Adversaries that attack everybody for as long as there is load.
    #[must_use]
    pub const fn of(kind: &'static Kind, nodes: usize) -> Self {
        Self {
            kind,
            nodes,
            start: Duration::ZERO,
            stop: None,
            intensity: Intensity::USUAL,
            targets: None,
            collude: false,
            subnet: None,
            ids: None,
        }
    }
}

impl Default for NetworkRules {
    fn default() -> Self {
        Self {
            kind: NetworkKind::Local,
            policy: None,
            lifetime: Duration::from_secs(120),
            retention: None,
            retention_messages: None,
            rate_per_minute: None,
            burst: None,
            grouping: None,
            quota: Quota::default(),
            membership: None,
        }
    }
}

impl Default for Phases {
    fn default() -> Self {
        Self {
            warm_up: Duration::from_secs(30),
            duration: Duration::from_secs(20),
            cool_down: Duration::from_secs(60),
        }
    }
}
