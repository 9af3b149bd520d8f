//! How many witnesses are enough: the chances behind a policy, from exact tails.
//!
//! The model. `liars` of the network's `peers` act as one; nobody can tell them from the honest. Each honest node draws `n`
//! witnesses among the others at random, without replacement and on its own, so the liars among them follow the hypergeometric
//! distribution. A *lie* is what no honest node vouches for and all liars do: it is accepted if at least `k` of the `n` lie. A
//! *truth* is what all honest nodes vouch for, while the liars keep silent: it is missed if fewer than `k` are honest.
//!
//! What the model does not know: an attacker who steers the draw (docs/sampling.md measures how far that goes; take the share of liars
//! found there), honest nodes that are down (count them as liars), address groups, and time. Nothing here is used by the core;
//! it is for whoever chooses a policy, as `forsooth params` does.

mod error;
mod split;
mod tail;

pub use self::error::{Error, Nearest};
use crate::network::WITNESSES_MAX;
pub use crate::sync::CHECKS;

/// The largest network that is computed with.
pub const PEERS_MAX: u32 = 1_000_000;
/// Bytes of a vouch on the wire: 8 of a short id, and its part of what is around it.
pub const VOUCH_BYTES: u32 = 12;

/// A share of all peers, in millionths, so that what was typed as a decimal is what is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// Everybody.
    const WHOLE: u32 = 1_000_000;

    /// So many millionths, from 0 to 999,999: somebody has to be honest.
    #[must_use]
    pub fn millionths(millionths: u32) -> Option<Self> {
        (millionths < Self::WHOLE).then_some(Self(millionths))
    }

    /// A decimal from 0 to 1, such as `0.2`, of at most six places.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let is_plain = text.chars().all(|c| c.is_ascii_digit() || c == '.');
        let is_below_one = whole.chars().all(|c| c == '0');
        if !is_plain || !is_below_one || places.len() > 6 || ["", "."].contains(&text) {
            return None;
        }
        format!("{places:0<6}").parse().ok().and_then(Self::millionths)
    }

    /// So many of so many, rounded up: one liar more is on the safe side.
    fn of(self, peers: u32) -> u32 {
        let product = u64::from(self.0) * u64::from(peers);
        u32::try_from(product.div_ceil(Self::WHOLE.into())).unwrap_or(peers)
    }
}

/// A network, and how many of it lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    peers: u32,
    liars: u32,
}

impl Population {
    /// A network of 2 to [`PEERS_MAX`] peers, such a share of whom lie.
    ///
    /// # Errors
    /// When there are fewer or more peers, or all of them lie once the share is rounded up.
    pub fn new(peers: u32, liars: Share) -> Result<Self, Error> {
        let population = Self { peers, liars: liars.of(peers) };
        if !(2..=PEERS_MAX).contains(&peers) || population.liars >= peers {
            return Err(Error::Peers { peers });
        }
        Ok(population)
    }

    /// All peers.
    #[must_use]
    pub const fn peers(self) -> u32 {
        self.peers
    }

    /// Those who lie.
    #[must_use]
    pub const fn liars(self) -> u32 {
        self.liars
    }

    /// Those who do not.
    #[must_use]
    pub const fn honest(self) -> u32 {
        self.peers - self.liars
    }

    /// The chance that all who are asked after a lying server of kept messages lie along with it: `b^m` for a share `b` of liars among those
    /// whom an honest node draws, and `m` [checks](CHECKS). The liar that serves is one of them, so it is a little less.
    #[must_use]
    pub fn undetected_max(self) -> f64 {
        let share = f64::from(self.liars) / f64::from(self.others());
        (0..CHECKS).fold(1.0, |chance, _| chance * share)
    }

    /// Those among whom an honest node draws.
    const fn others(self) -> u32 {
        self.peers - 1
    }

    /// The most witnesses that a node can have.
    fn witnesses_max(self) -> u16 {
        u16::try_from(self.others()).unwrap_or(u16::MAX).min(WITNESSES_MAX)
    }
}

/// `k` of `n` witnesses, as far as a population has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Witnesses that must vouch.
    pub k: u16,
    /// Witnesses that a node draws.
    pub n: u16,
}

/// How likely `k` of `n` fail; each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chances {
    /// That a node accepts a lie.
    pub lie: f64,
    /// That any honest node does: nodes draw on their own, so `1 - (1 - lie)^honest`.
    pub lie_anywhere: f64,
    /// That a node misses a truth.
    pub miss: f64,
    /// That any honest node does.
    pub miss_anywhere: f64,
    /// That two honest nodes accept different messages for one slot, whose author shows each to half of the honest, before a proof has
    /// reached them. `k` of `n` promises nothing here.
    pub split: f64,
    /// At most the chance that any two honest nodes do, with a settling time that is longer than it takes a message to reach everybody and a
    /// proof to come back. Then the honest must have fallen apart first.
    pub split_settled: f64,
}

impl Threshold {
    /// How likely this fails.
    ///
    /// # Errors
    /// When `1 <= k <= n` does not hold, or a node cannot draw as many.
    pub fn chances(self, population: Population) -> Result<Chances, Error> {
        let Self { k, n } = self;
        if k == 0 || k > n {
            return Err(Error::Threshold { k, n });
        }
        let max = population.witnesses_max();
        if n > max {
            // The same majority of fewer.
            let nearest = u32::from(k) * u32::from(max) / u32::from(n) + 1;
            let k = u16::try_from(nearest).unwrap_or(max).min(max);
            return Err(Error::Witnesses {
                n,
                peers: population.peers,
                nearest: Self { k, n: max },
            });
        }
        let tails = tail::tails(population.others(), population.liars, n);
        let [lie, miss] = failures(&tails, k, n);
        Ok(Chances {
            lie,
            lie_anywhere: anywhere(lie, population.honest()),
            miss,
            miss_anywhere: anywhere(miss, population.honest()),
            split: split::without_settling(population, k, n),
            split_settled: split::with_settling(population, n),
        })
    }

    /// What a message costs beside its payload.
    #[must_use]
    pub fn cost(self, population: Population) -> Cost {
        Cost {
            vouches: self.n,
            vouch_bytes: u32::from(self.n) * VOUCH_BYTES,
            hops: hops(population.peers, self.n),
        }
    }
}

/// What a message costs each node beside its payload, and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Vouches that a node sends: one to each that drew it, who are as many on average as it draws itself.
    pub vouches: u16,
    /// Bytes of these, [`VOUCH_BYTES`] each.
    pub vouch_bytes: u32,
    /// Hops until the last node can have it: no graph in which nodes have `2 n` links is shallower. A hop is half a round trip.
    pub hops: u32,
}

impl Cost {
    /// Hops until the last node can have accepted: its witnesses' vouches come one hop later.
    #[must_use]
    pub const fn hops_to_accept(self) -> u32 {
        self.hops + 1
    }

    /// Hops that a settling time has to cover: a message's way to everybody, and a proof's way back.
    #[must_use]
    pub const fn hops_to_settle(self) -> u32 {
        2 * self.hops
    }
}

/// The fewest witnesses with which neither a lie is accepted nor a truth missed at a node more likely than `target`.
///
/// # Errors
/// When the target is not above 0 and below 1/2, or no number of witnesses up to 256 and to all others meets it. The error has
/// the nearest wishes that can be met.
pub fn fewest(population: Population, target: f64) -> Result<Threshold, Error> {
    if !(target > 0.0 && target < 0.5) {
        return Err(Error::Target { target });
    }
    let best = |n| best(population, n);
    let found = (1..=population.witnesses_max()).map(best).find(|(_, worst)| *worst <= target);
    found.map(|(threshold, _)| threshold).ok_or_else(|| out_of_reach(population, target))
}

/// The fewest authors who must sign one claim so that the liars alone are too few. No chance is left: whoever lies may sign.
///
/// # Errors
/// When there are fewer honest peers than that, who could then never attest anything by themselves.
pub fn fewest_attestors(population: Population) -> Result<u32, Error> {
    let k = population.liars + 1;
    if k > population.honest() {
        return Err(Error::Attestors {
            k,
            honest: population.honest(),
            liars_max: (population.peers - 1) / 2,
        });
    }
    Ok(k)
}

/// What can be had instead: a worse target, or fewer liars. All chances grow with the liars, so these can be halved in on.
fn out_of_reach(population: Population, target: f64) -> Error {
    let meets = |liars: u32| {
        let fewer = Population { liars, ..population };
        (1..=fewer.witnesses_max()).any(|n| best(fewer, n).1 <= target)
    };
    let (mut met, mut unmet) = (0, population.liars);
    while met + 1 < unmet {
        let middle = met + (unmet - met) / 2;
        if meets(middle) {
            met = middle;
        } else {
            unmet = middle;
        }
    }
    let all = (1..=population.witnesses_max()).map(|n| best(population, n));
    let nearest = all.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, worst)| *worst < 0.5);
    let nearest = nearest.map(|(threshold, target)| Nearest { threshold, target });
    Error::OutOfReach { target, population, nearest, liars_max: met }
}

/// The best `k` for an `n`, and the likelier of its two failures. Of two as good, the larger: a lie is worse than a delay.
fn best(population: Population, n: u16) -> (Threshold, f64) {
    let tails = tail::tails(population.others(), population.liars, n);
    let all = (1..=n).rev().map(|k| {
        let [lie, miss] = failures(&tails, k, n);
        (Threshold { k, n }, lie.max(miss))
    });
    all.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Threshold { k: 1, n }, 1.0))
}

/// The chances of a lie and of a miss: at least `k` of `n` lie, and at least `n - k + 1` do.
fn failures(tails: &[f64], k: u16, n: u16) -> [f64; 2] {
    [k, n - k + 1].map(|least| tails.get(usize::from(least)).copied().unwrap_or(0.0))
}

/// That it happens to any of so many, each on its own. As logarithms, since `1 - chance` would forget what is below 1e-16.
fn anywhere(chance: f64, nodes: u32) -> f64 {
    (-(f64::from(nodes) * (-chance).ln_1p()).exp_m1()).max(0.0)
}

/// The least depth of a graph of so many peers with `2 n` links each (Moore's bound).
fn hops(peers: u32, n: u16) -> u32 {
    let links = 2 * u64::from(n);
    let (mut reached, mut rim, mut hops) = (1, links, 0);
    while reached < u64::from(peers) {
        reached += rim;
        rim = rim.saturating_mul(links - 1);
        hops += 1;
    }
    hops
}

#[cfg(test)]
mod tests;
