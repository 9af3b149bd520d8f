//! When a verified message becomes an accepted one, how policies are written, and which is stricter than which.

use core::{fmt, str::FromStr, time::Duration};

use super::{ATTESTORS_MAX, Error, WITNESSES_MAX, range};
use crate::time::millis;

/// When a verified message becomes an accepted one. The order is one for maps, and not by strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// At once: its signature is good and the application's validator has no objection.
    Verified,
    /// When `k` of the `n` witnesses that this node chose vouch for it. `1 <= k <= n`.
    Vouched {
        /// Witnesses, in distinct address groups, that must vouch.
        k: u16,
        /// Witnesses that a node keeps.
        n: u16,
    },
    /// When that is so, and for a settling time since this node has held it no other message for its slot, and no proof against its
    /// author, has come to light. If one does, none of them is accepted.
    Settled {
        /// Witnesses, in distinct address groups, that must vouch.
        k: u16,
        /// Witnesses that a node keeps.
        n: u16,
        /// The settling time, in whole milliseconds, at least 1, and less than the topic's longest lifetime. It promises that honest nodes
        /// accept no two messages for one slot if it is longer than a message and then a proof take through the network.
        settle: Duration,
    },
    /// When `k` authors have signed the same payload on the topic, by messages that have not expired. The application gets it once. Distinct
    /// keys are all that can be counted: on a network where keys are free, one attacker has as many as it likes.
    Attested {
        /// Authors that must sign; 1 to [`ATTESTORS_MAX`].
        k: u16,
    },
}

/// What is asked for is not at least as strict as the topic's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a subscription may be stricter than its topic's policy and never weaker: {asked} is not at least as strict as {policy}"
)]
pub struct TooWeak {
    /// The topic's policy.
    pub policy: Policy,
    /// What was asked for.
    pub asked: Policy,
}

/// A policy is not written like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a policy is `verified`, K/N such as 5/8, or K/N with a settling time such as 5/8,settle=2s, or \
     attested=K such as attested=3, not `{}`", .0.escape_debug()
)]
pub struct BadPolicy(String);

impl Policy {
    /// The first in the order of maps.
    pub(crate) const FIRST: Self = Self::Verified;

    /// Witnesses that must vouch; 0 if none need to.
    #[must_use]
    pub const fn threshold(self) -> u16 {
        match self {
            Self::Verified | Self::Attested { .. } => 0,
            Self::Vouched { k, .. } | Self::Settled { k, .. } => k,
        }
    }

    /// Witnesses that a node keeps for this policy; 0 if none need to vouch.
    #[must_use]
    pub const fn witnesses(self) -> u16 {
        match self {
            Self::Verified | Self::Attested { .. } => 0,
            Self::Vouched { n, .. } | Self::Settled { n, .. } => n,
        }
    }

    /// How long a message is held before it is accepted; zero if it is not.
    #[must_use]
    pub const fn settle(self) -> Duration {
        match self {
            Self::Verified | Self::Vouched { .. } | Self::Attested { .. } => Duration::ZERO,
            Self::Settled { settle, .. } => settle,
        }
    }

    /// Authors that must sign the same; 0 if one is enough.
    #[must_use]
    pub const fn attestors(self) -> u16 {
        match self {
            Self::Verified | Self::Vouched { .. } | Self::Settled { .. } => 0,
            Self::Attested { k } => k,
        }
    }

    /// Witnesses that must vouch at a node that has so many independent ones. Never fewer than `k`; and with more than `n` of them as large a
    /// share, since `k` of many more would be liars alone sooner or later.
    #[must_use]
    pub fn needed(self, witnesses: usize) -> usize {
        let (k, n) = (usize::from(self.threshold()), usize::from(self.witnesses()));
        k.max(k.saturating_mul(witnesses).div_ceil(n.max(1)))
    }

    /// What is asked for, if it is at least as strict as this: as many witnesses or more, as large a share of them or larger,
    /// as long a settling time or longer, and as many attestors or more.
    ///
    /// # Errors
    /// When it is weaker in any of these.
    pub fn tightened(self, asked: Self) -> Result<Self, TooWeak> {
        let share = |part: Self, of: Self| u32::from(part.threshold()) * u32::from(of.witnesses());
        let is_strict = asked.threshold() >= self.threshold()
            && share(asked, self) >= share(self, asked)
            && asked.settle() >= self.settle()
            && asked.attestors() >= self.attestors();
        if is_strict { Ok(asked) } else { Err(TooWeak { policy: self, asked }) }
    }

    /// As [`FromStr`] reads it: `verified`, `5/8`, `5/8,settle=2000ms`, `attested=3`.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::Verified => "verified".to_owned(),
            Self::Vouched { k, n } => format!("{k}/{n}"),
            Self::Settled { k, n, settle } => format!("{k}/{n},settle={}ms", millis(settle)),
            Self::Attested { k } => format!("attested={k}"),
        }
    }

    /// Whether the numbers make sense on a topic with this longest lifetime.
    pub(super) fn check(self, topic: &str, lifetime_max: Duration) -> Result<(), Error> {
        let (k, n) = (self.threshold(), self.witnesses());
        match self {
            Self::Verified => return Ok(()),
            Self::Vouched { .. } | Self::Settled { .. } if k == 0 || k > n || n > WITNESSES_MAX => {
                return Err(Error::Threshold { topic: topic.to_owned(), k, n });
            }
            Self::Vouched { .. } => return Ok(()),
            Self::Attested { k } => {
                return range(format!("attested.k of topic {topic:?}"), k, 1, ATTESTORS_MAX);
            }
            Self::Settled { .. } => {}
        }
        let what = format!("the settling time (ms) of topic {topic:?}");
        range(what, millis(self.settle()), 1, millis(lifetime_max).saturating_sub(1))
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::Vouched { k, n } => write!(f, "vouched {k} of {n}"),
            Self::Settled { k, n, settle } => {
                write!(f, "vouched {k} of {n}, settled for {settle:?}")
            }
            Self::Attested { k } => write!(f, "attested by {k} authors"),
        }
    }
}

/// As on a command line: `verified`, `5/8`, `5/8,settle=2s`, `attested=3`.
impl FromStr for Policy {
    type Err = BadPolicy;

    fn from_str(text: &str) -> Result<Self, BadPolicy> {
        let bad = || BadPolicy(text.chars().take(64).collect());
        if text == "verified" {
            return Ok(Self::Verified);
        }
        if let Some(k) = text.strip_prefix("attested=") {
            return k.parse().map(|k| Self::Attested { k }).map_err(|_| bad());
        }
        let (threshold, settle) = match text.split_once(",settle=") {
            Some((threshold, settle)) => (threshold, Some(parse_time(settle).ok_or_else(bad)?)),
            None => (text, None),
        };
        let (k, n) = threshold.split_once('/').ok_or_else(bad)?;
        let [k, n] = [k, n].map(|number| number.parse().map_err(|_| bad()));
        let (k, n) = (k?, n?);
        Ok(settle.map_or(Self::Vouched { k, n }, |settle| Self::Settled { k, n, settle }))
    }
}

/// A number of `ms` or `s`.
fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit_ms) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s')?, 1000),
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        text.parse().unwrap()
    }

    #[test]
    fn a_policy_is_read_or_refused_with_an_example() {
        let settle = Duration::from_millis(1500);
        assert_eq!(policy("verified"), Policy::Verified);
        assert_eq!(policy("5/8"), Policy::Vouched { k: 5, n: 8 });
        assert_eq!(policy("5/8,settle=1500ms"), Policy::Settled { k: 5, n: 8, settle });
        assert_eq!(policy("5/8,settle=2s").settle(), Duration::from_secs(2));
        for text in ["verified", "5/8", "5/8,settle=1500ms", "attested=3"] {
            assert_eq!(policy(text).to_text(), text);
        }
        for bad in [
            "",
            "5",
            "5/",
            "/8",
            "-1/8",
            "5/70000",
            "5/8,",
            "5/8,settle=",
            "5/8,settle=2",
            "5/8,settle=-2s",
        ] {
            let error = bad.parse::<Policy>().unwrap_err().to_string();
            assert!(error.contains("such as 5/8"), "{bad}: {error}");
        }
    }

    #[test]
    fn only_what_is_as_strict_in_all_is_as_strict() {
        let cases = [
            // The topic's, what is as strict, what is not.
            ("verified", &["verified", "1/1", "5/8,settle=1s", "attested=2"][..], &[][..]),
            ("attested=3", &["attested=3", "attested=4"], &["attested=2", "verified", "8/8"]),
            (
                "5/8",
                &["5/8", "6/8", "10/16", "5/7", "5/8,settle=1s"],
                &["verified", "4/8", "5/9", "4/4", "8/16", "attested=9"],
            ),
            (
                "5/8,settle=1s",
                &["5/8,settle=1s", "6/8,settle=2s"],
                &["5/8", "8/8", "8/8,settle=999ms", "4/8,settle=9s"],
            ),
        ];
        for (topic, strict, weak) in cases {
            for asked in strict {
                assert_eq!(policy(topic).tightened(policy(asked)), Ok(policy(asked)), "{topic}");
            }
            for asked in weak {
                let error = policy(topic).tightened(policy(asked)).unwrap_err();
                assert!(error.to_string().contains("never weaker"), "{topic} {asked}");
            }
        }
    }

    #[test]
    fn k_never_falls_and_follows_the_witnesses_there_are() {
        let needed = |witnesses| policy("5/8").needed(witnesses);
        let all = [0, 4, 8, 9, 10, 16, 24].map(needed);
        assert_eq!(all, [5, 5, 5, 6, 7, 10, 15]);
        assert_eq!(policy("verified").needed(24), 0);
    }
}
