//! What links are like, by the groups of the nodes at both ends.

use std::{collections::BTreeMap, time::Duration};

/// Latency, loss, duplication and bandwidth of a link.
///
/// Links are reliable and keep the order of a lane, as TCP and QUIC do. So loss costs time: what is lost is
/// sent again after a timeout, and what was sent after it waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// How long a frame takes.
    pub latency: Latency,
    /// The most that it may take beyond that; each value up to it is as likely.
    pub jitter: Duration,
    /// Probability that a transmission is lost, and made again after a timeout.
    pub loss: f64,
    /// Probability that a frame arrives twice.
    pub duplicate: f64,
    /// Bytes a second that a node sends over such links, all its links together; `None` for no limit.
    pub bandwidth: Option<u64>,
}

/// How long frames take, before jitter and losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// Any time in a range is as likely.
    Uniform {
        /// The least.
        min: Duration,
        /// The most.
        max: Duration,
    },
    /// Normally distributed around a mean; never below zero.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation.
        dev: Duration,
    },
    /// Log-normally distributed, which is what is measured on the Internet: a long tail of slow frames.
    LogNormal {
        /// Half of the frames take less.
        median: Duration,
        /// The standard deviation of the logarithm; 0.3 to 0.6 is usual.
        sigma: f64,
    },
}

impl Latency {
    /// A time that few frames exceed.
    pub(crate) fn long(&self) -> Duration {
        match *self {
            Self::Uniform { min, max } => max.max(min),
            Self::Normal { mean, dev } => mean + dev * 2,
            Self::LogNormal { median, sigma } => median.mul_f64((2.0 * sigma).exp().min(100.0)),
        }
    }
}

impl Default for Conditions {
    fn default() -> Self {
        Self::uniform(Duration::from_millis(10), Duration::from_millis(50))
    }
}

impl Conditions {
    /// Links that only take time.
    #[must_use]
    pub const fn uniform(min: Duration, max: Duration) -> Self {
        let latency = Latency::Uniform { min, max };
        Self { latency, jitter: Duration::ZERO, loss: 0.0, duplicate: 0.0, bandwidth: None }
    }

    /// The worse of both in each respect.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let slower = self.latency.long() >= other.latency.long();
        Self {
            latency: if slower { self.latency } else { other.latency },
            jitter: self.jitter.max(other.jitter),
            loss: self.loss.max(other.loss),
            duplicate: self.duplicate.max(other.duplicate),
            bandwidth: self.bandwidth.into_iter().chain(other.bandwidth).min(),
        }
    }
}

/// Nodes whose links are alike. Which nodes are in which group is said when they are added to a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group(pub u16);

/// How often latency is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawn {
    /// For each frame.
    #[default]
    EachFrame,
    /// Once for each two nodes, the same in both directions: how far they are from each other.
    OncePerPair,
}

/// What the links between all groups are like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    /// How often the latency of a link is drawn; jitter and losses are each frame's own.
    pub drawn: Drawn,
    /// Where nothing else is said.
    pub default: Conditions,
    /// Links with one end in this group. Between two such groups the worse holds in each respect.
    pub by_group: BTreeMap<Group, Conditions>,
    /// Links from one group to another, in that direction; goes before all else.
    pub by_pair: BTreeMap<(Group, Group), Conditions>,
}

impl Links {
    /// The conditions from one group to another.
    #[must_use]
    pub fn between(&self, from: Group, to: Group) -> Conditions {
        if let Some(conditions) = self.by_pair.get(&(from, to)) {
            return *conditions;
        }
        match (self.by_group.get(&from), self.by_group.get(&to)) {
            (None, None) => self.default,
            (Some(one), None) | (None, Some(one)) => *one,
            (Some(one), Some(other)) => one.worse(*other),
        }
    }

    /// The highest group that is named.
    pub(crate) fn highest(&self) -> Group {
        let pairs = self.by_pair.keys().flat_map(|(from, to)| [*from, *to]);
        self.by_group.keys().copied().chain(pairs).max().unwrap_or_default()
    }
}

impl From<Conditions> for Links {
    fn from(default: Conditions) -> Self {
        Self { default, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn links_that_touch_a_group_are_like_that_group_and_between_two_the_worse_holds() {
        let far = Conditions { loss: 0.1, bandwidth: Some(9), ..Conditions::uniform(MS, 80 * MS) };
        let thin = Conditions { bandwidth: Some(5), ..Conditions::uniform(MS, 2 * MS) };
        let (a, b, c) = (Group(0), Group(1), Group(2));
        let by_group = BTreeMap::from([(b, far), (c, thin)]);
        let lost = Conditions { loss: 1.0, ..far };
        let by_pair = BTreeMap::from([((c, a), lost)]);
        let links = Links { by_group, by_pair, ..Links::default() };
        assert_eq!(links.between(a, a), Conditions::default());
        assert_eq!((links.between(a, b), links.between(b, a)), (far, far));
        assert_eq!(links.between(b, c), Conditions { bandwidth: Some(5), ..far });
        assert_eq!((links.between(a, c), links.between(c, a)), (thin, lost));
        assert_eq!(links.highest(), c);
    }
}
