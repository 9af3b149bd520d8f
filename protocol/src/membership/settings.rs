//! How members are observed: part of what a network agrees on, since whoever waits shorter than others accuses the living.

use core::time::Duration;

use crate::{
    network::{Error, Kind, range},
    time::{Timestamp, millis},
    wire,
};

/// A set of [`Settings`] that fits a kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// One machine: a dead member is certified after some 5 s.
    Local,
    /// One site, or some with round trips below 100 ms: after some 10 s.
    Lan,
    /// The Internet: after some 30 s.
    Wan,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Lan, Self::Wan];

    /// `local`, `lan` or `wan`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    /// What fits a kind of network: `local` for one machine, `wan` for all that strangers may join from anywhere.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Local => Self::Local,
            Kind::Testnet | Kind::Production => Self::Wan,
        }
    }
}

impl core::str::FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or(UnknownPreset)
    }
}

/// No preset has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the presets are: local, lan, wan")]
pub struct UnknownPreset;

/// How members are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Observers are drawn anew so often, at whole multiples of wall time. 60 s to a day; recommended: 600 s.
    pub shift: Duration,
    /// An observer probes each of its subjects so often. Detection takes longer by half of it.
    pub probe_every: Duration,
    /// A probe not answered by then has failed, if too few were answered yet to know better; never longer than that.
    pub probe_timeout: Duration,
    /// How many others are asked to try, then. 0 to 8; recommended: 3.
    pub helpers: u8,
    /// How long those have.
    pub help_timeout: Duration,
    /// How long an accused member has to rebut, if many more accuse it than are needed; and if just as many.
    pub rebut_min: Duration,
    /// See [`Self::rebut_min`].
    pub rebut_max: Duration,
    /// An accusation is worth nothing any more after this. It is renewed at half of it.
    pub accusation_lifetime: Duration,
    /// What is new is told so often,
    pub gossip_every: Duration,
    /// to so many peers,
    pub gossip_fanout: u8,
    /// in so many bytes for each. The product is a node's share of bandwidth for news of members.
    pub gossip_bytes: u32,
    /// What two nodes know is compared so often, once nothing is new.
    pub sync_every: Duration,
    /// The share of members that may lie, in percent. 1 to 33; recommended: 20.
    pub liars_percent: u8,
}

impl Settings {
    /// The recommended settings for a kind of network.
    #[must_use]
    pub const fn preset(preset: Preset) -> Self {
        let (probe, timeout, help, rebut, gossip) = match preset {
            Preset::Local => (1_000, 500, 1_000, (1_500, 3_000), 100),
            Preset::Lan => (2_000, 1_000, 2_000, (3_000, 5_000), 200),
            Preset::Wan => (5_000, 3_000, 6_000, (8_000, 16_000), 500),
        };
        Self {
            shift: Duration::from_secs(600),
            probe_every: Duration::from_millis(probe),
            probe_timeout: Duration::from_millis(timeout),
            helpers: 3,
            help_timeout: Duration::from_millis(help),
            rebut_min: Duration::from_millis(rebut.0),
            rebut_max: Duration::from_millis(rebut.1),
            accusation_lifetime: Duration::from_millis(rebut.1 * 6),
            gossip_every: Duration::from_millis(gossip),
            gossip_fanout: 3,
            gossip_bytes: 8 << 10,
            sync_every: Duration::from_secs(60),
            liars_percent: 20,
        }
    }

    /// Which shift it is, and when it began.
    pub(super) fn shift_at(&self, wall: Timestamp) -> (u64, Timestamp) {
        let length = millis(self.shift).max(1);
        let shift = wall.as_millis() / length;
        (shift, Timestamp::from_millis(shift.saturating_mul(length)))
    }

    /// # Errors
    /// Names the first number that is out of its range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let field = |name: &str| format!("membership.{name}");
        let time = |name: &str, time: Duration, min, max| {
            range(format!("{} (ms)", field(name)), millis(time), min, max)
        };
        time("shift", self.shift, 60_000, 86_400_000)?;
        time("probe_every", self.probe_every, 100, 60_000)?;
        time("probe_timeout", self.probe_timeout, 50, 60_000)?;
        range(field("helpers"), self.helpers, 0, 8)?;
        time("help_timeout", self.help_timeout, 50, 60_000)?;
        time("rebut_min", self.rebut_min, 100, millis(self.rebut_max))?;
        time("rebut_max", self.rebut_max, 100, 600_000)?;
        let rebut_twice = millis(self.rebut_max).saturating_mul(2);
        time("accusation_lifetime", self.accusation_lifetime, rebut_twice, 3_600_000)?;
        time("gossip_every", self.gossip_every, 20, 10_000)?;
        range(field("gossip_fanout"), self.gossip_fanout, 1, 16)?;
        range(field("gossip_bytes"), self.gossip_bytes, 4096, 32 << 10)?;
        time("sync_every", self.sync_every, 1_000, 3_600_000)?;
        range(field("liars_percent"), self.liars_percent, 1, 33)
    }

    /// What the network's digest covers.
    pub(crate) fn descriptor(&self) -> wire::MembershipDescriptor {
        wire::MembershipDescriptor {
            shift_ms: millis(self.shift),
            probe_every_ms: millis(self.probe_every),
            probe_timeout_ms: millis(self.probe_timeout),
            helpers: self.helpers.into(),
            help_timeout_ms: millis(self.help_timeout),
            rebut_ms_min: millis(self.rebut_min),
            rebut_ms_max: millis(self.rebut_max),
            accusation_lifetime_ms: millis(self.accusation_lifetime),
            gossip_every_ms: millis(self.gossip_every),
            gossip_fanout: self.gossip_fanout.into(),
            gossip_bytes: self.gossip_bytes,
            sync_every_ms: millis(self.sync_every),
            liars_percent: self.liars_percent.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_within_their_ranges() {
        for preset in Preset::ALL {
            assert_eq!(Settings::preset(preset).check(), Ok(()), "{}", preset.name());
        }
    }

    #[test]
    fn a_time_to_rebut_that_ends_before_it_begins_is_refused() {
        let lan = Settings::preset(Preset::Lan);
        let settings = Settings { rebut_min: lan.rebut_max * 2, ..lan };
        assert!(matches!(settings.check(), Err(Error::Range { .. })));
    }
}
