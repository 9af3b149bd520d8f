//! What is measured.

use std::time::Duration;

use forsooth_protocol::network::Policy;

use crate::{
    plan::Impossible,
    scenario::{Gang, Group, Link, Links, NetworkRules, Scenario},
    strategy::{FLASH_DROP, FLASH_VOUCHING_DROP, Kind, SILENT_DROP, VOUCHING_DROP},
    world::Latency,
};

/// Time between two messages, whoever publishes them.
pub const INTERVAL: Duration = Duration::from_millis(200);
/// Nodes times messages of which arrivals are kept in memory, 12 bytes each.
const ARRIVALS_MAX: usize = 100_000_000;
/// How long messages are published after a flash, at least: a minute, and some to see what it is like then.
pub(super) const AFTER_FLASH: Duration = Duration::from_secs(64);

/// What is measured.
#[derive(Clone, Debug)]
pub struct Setting {
    /// All nodes.
    pub nodes: usize,
    /// Honest nodes that publish, in turn.
    pub authors: usize,
    /// Measured messages of each author; after a flash there are more if they would not last a minute.
    pub messages: usize,
    /// Messages of each author before those.
    pub warm_up: usize,
    /// Bytes of a payload.
    pub payload_bytes: u32,
    /// Those who withhold, if any.
    pub withholders: Option<Withholders>,
    /// How far two nodes are from each other, drawn once for each two.
    pub latency: Latency,
    /// Links that a node chooses; a majority of them must vouch.
    pub outbound: u16,
    /// From which everything random comes.
    pub seed: u64,
}

/// Nodes that pass nothing on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Withholders {
    /// Their share of all nodes, below a half.
    pub share: f64,
    /// Whether they vouch for what they withhold.
    pub manner: Manner,
    /// When they begin.
    pub since: Since,
}

/// What those who withhold say of what they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Nothing.
    Silent,
    /// They vouch for it.
    Vouching,
}

/// When nodes begin to withhold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// In the warm-up, after a few messages that earn them places in the trees.
    WarmUp,
    /// All at once with the first measured message: until then they behave.
    Flash,
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody could choose so many.
    #[error(
        "{nodes} nodes cannot choose {outbound} links each: there must be more nodes than links"
    )]
    TooFewNodes {
        /// All nodes.
        nodes: usize,
        /// Links that each is to choose.
        outbound: u16,
    },
    /// A majority of liars can do anything.
    #[error("a share of {0} does not leave an honest majority: it must be below 0.5")]
    TooManyLiars(f64),
    /// Only honest nodes publish.
    #[error("{authors} authors, but only {honest} honest nodes")]
    TooManyAuthors {
        /// Authors asked for.
        authors: usize,
        /// Honest nodes.
        honest: usize,
    },
    /// Nothing would be measured.
    #[error("there must be at least one author and one message to measure")]
    Nothing,
    /// A flash is compared with what came before it.
    #[error("a flash is compared with the warm-up before it: at least one message is needed there")]
    NoWarmUp,
    /// Silent nodes pass on a few messages first.
    #[error(
        "silent nodes pass on {needed} messages before they begin, and the warm-up has {warm_up}: \
         ask for more of --warmup, or for --covert-flash, which begins at once"
    )]
    ShortWarmUp {
        /// Messages that they pass on first.
        needed: usize,
        /// Messages before the measured ones.
        warm_up: usize,
    },
    /// More arrivals than are kept.
    #[error(
        "{messages} messages at {nodes} nodes are too many to keep: {ARRIVALS_MAX} arrivals at most"
    )]
    TooMuch {
        /// Messages, those of the warm-up included.
        messages: usize,
        /// All nodes.
        nodes: usize,
    },
    /// There is no such network.
    #[error(transparent)]
    Impossible(#[from] Impossible),
    /// Nobody could measure anything.
    #[error(
        "after {seconds} s, {lacking} of {honest} honest nodes still lacked some of their links: \
         ask for more --nodes, or fewer links with --outbound"
    )]
    NotLinked {
        /// Virtual seconds.
        seconds: u64,
        /// Honest nodes that lack links.
        lacking: usize,
        /// Honest nodes.
        honest: usize,
    },
}

impl Setting {
    /// Nodes that withhold.
    #[must_use]
    pub fn hostile(&self) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a number of nodes")]
        #[expect(clippy::cast_sign_loss, reason = "a share that was checked, or nothing")]
        self.withholders.map_or(0, |who| (self.nodes as f64 * who.share).round() as usize)
    }

    /// Nodes that do not.
    #[must_use]
    pub fn honest(&self) -> usize {
        self.nodes.saturating_sub(self.hostile())
    }

    /// Messages before the measured ones, of all authors.
    #[must_use]
    pub const fn warm_up_messages(&self) -> usize {
        self.authors.saturating_mul(self.warm_up)
    }

    /// Measured messages of all authors.
    #[must_use]
    pub fn measured_messages(&self) -> usize {
        let asked = self.authors.saturating_mul(self.messages);
        let minute = AFTER_FLASH.as_millis().div_ceil(INTERVAL.as_millis());
        let needed = if self.flashes() { usize::try_from(minute).unwrap_or(usize::MAX) } else { 0 };
        asked.max(needed)
    }

    /// Whether there is a flash.
    #[must_use]
    pub fn flashes(&self) -> bool {
        self.withholders.is_some_and(|who| who.since == Since::Flash)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn check(&self) -> Result<(), Error> {
        let Self { nodes, authors, outbound, .. } = *self;
        if let Some(share) = self.withholders.map(|who| who.share)
            && !(0.0..0.5).contains(&share)
        {
            return Err(Error::TooManyLiars(share));
        }
        if nodes <= usize::from(outbound) {
            return Err(Error::TooFewNodes { nodes, outbound });
        }
        if authors > self.honest() {
            return Err(Error::TooManyAuthors { authors, honest: self.honest() });
        }
        if authors == 0 || self.messages == 0 {
            return Err(Error::Nothing);
        }
        let warm_up = self.warm_up_messages();
        if self.flashes() && warm_up == 0 {
            return Err(Error::NoWarmUp);
        }
        let needed = usize::try_from(crate::strategy::TAKES_PLACE).unwrap_or(usize::MAX);
        if self.hostile() > 0 && !self.flashes() && warm_up < needed {
            return Err(Error::ShortWarmUp { needed, warm_up });
        }
        let messages = warm_up.saturating_add(self.measured_messages());
        if messages.saturating_mul(nodes) > ARRIVALS_MAX {
            return Err(Error::TooMuch { messages, nodes });
        }
        Ok(())
    }

    /// The same as a scenario, for the plan that follows from it. Who publishes when is not in it.
    pub(super) fn scenario(&self) -> Scenario {
        let group = Group {
            rate: 0.0,
            payload_bytes: self.payload_bytes,
            outbound: Some(usize::from(self.outbound)),
            ..Group::of(crate::plan::HONEST, self.honest())
        };
        let gang = |who: Withholders| Gang::of(who.kind(), self.hostile());
        let adversaries = self.withholders.map(gang).into_iter().filter(|gang| gang.nodes > 0);
        // One author alone keeps to it with room to spare.
        #[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
        let rate_per_minute = (120_000 / INTERVAL.as_millis()) as u32;
        let links = Link { latency: self.latency, ..Link::default() };
        Scenario {
            seed: self.seed,
            network: NetworkRules {
                policy: Some(Policy::Vouched { k: self.outbound / 2 + 1, n: self.outbound }),
                rate_per_minute: Some(rate_per_minute),
                ..NetworkRules::default()
            },
            adversaries: adversaries.collect(),
            links: Links { default: links, by_group: Vec::new() },
            ..Scenario::of("broadcast", vec![group])
        }
    }
}

impl Withholders {
    const fn kind(self) -> &'static Kind {
        match (self.since, self.manner) {
            (Since::WarmUp, Manner::Silent) => &SILENT_DROP,
            (Since::WarmUp, Manner::Vouching) => &VOUCHING_DROP,
            (Since::Flash, Manner::Silent) => &FLASH_DROP,
            (Since::Flash, Manner::Vouching) => &FLASH_VOUCHING_DROP,
        }
    }
}
