//! Conditions made ready for use: how long this frame takes, in whole nanoseconds.
//!
//! Randomness for latency, losses and duplicates comes from streams of their own, so that a change of one
//! leaves the others as they were. Where a latency is drawn once for two nodes, nothing is remembered: it is
//! drawn each time from what the pair and the seed give.

use std::time::Duration;

use rand::{Rng, RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use rand_chacha::ChaCha8Rng;

use super::{Conditions, Drawn, Group, Index, Latency, Links, moment::Nanos};
use crate::plan::{Purpose, stream};

/// Tries after which a frame comes through anyway: more losses in a row would be a broken link.
const TRIES_MAX: u32 = 16;
/// The time until a sender knows that a transmission was lost: TCP's minimum, unless a round trip is longer.
const RETRANSMIT_MIN: Duration = Duration::from_millis(200);
/// What a frame costs on the wire beyond its bytes: a guess at what Yamux, Noise, TCP and IP add to a small
/// one, some of which share a packet.
const WIRE_BYTES: u64 = 60;
/// Bytes that a node's operating system takes before they are on the wire. What is beyond them waits in the
/// node, where more urgent frames overtake it.
const SOCKET_BYTES: u64 = 64 * 1024;

/// The streams of randomness of all links.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    latency: ChaCha8Rng,
    loss: ChaCha8Rng,
    duplicate: ChaCha8Rng,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let [latency, loss, duplicate] = [0, 1, 2].map(|die| stream(seed, Purpose::Links, die));
        Self { seed, latency, loss, duplicate }
    }

    /// What two nodes draw from that have one latency; the same for both.
    fn pair(&self, (one, other): (Index, Index)) -> Xoshiro256PlusPlus {
        let pair = u64::from(one.0.min(other.0)) << 32 | u64::from(one.0.max(other.0));
        // Pairs that are next to each other, and seeds that are, give what has nothing in common.
        let mixed = pair.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Xoshiro256PlusPlus::seed_from_u64(self.seed.rotate_left(32) ^ mixed)
    }
}

/// All roads, by the groups at both ends.
#[derive(Debug)]
pub(crate) struct Roads {
    links: Links,
    /// One more than the highest group that is named: groups beyond are like that one.
    width: usize,
    roads: Vec<Road>,
}

impl Roads {
    pub(crate) fn new(links: Links) -> Self {
        // One row more, for all that is not named.
        let highest = usize::from(links.highest().0) + 1;
        let group = |place: usize| Group(u16::try_from(place).unwrap_or(u16::MAX));
        let plain = links.by_group.is_empty() && links.by_pair.is_empty();
        let width = if plain { 1 } else { highest + 1 };
        let road = |place: usize| {
            Road::new(links.between(group(place / width), group(place % width)), links.drawn)
        };
        Self { width, roads: (0..width * width).map(road).collect(), links }
    }

    pub(crate) const fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn between(&self, from: Group, to: Group) -> &Road {
        let place = |Group(group)| usize::from(group).min(self.width - 1);
        let road = self.roads.get(place(from) * self.width + place(to));
        road.expect("there is a road for each pair of places below the width")
    }
}

/// The way from one node to another.
#[derive(Clone, Debug)]
pub(crate) struct Road {
    latency: Span,
    drawn: Drawn,
    jitter: Nanos,
    timeout: Nanos,
    loss: f64,
    duplicate: f64,
    /// Nanoseconds for a byte, times 2^16.
    pace: Option<u64>,
    /// How far a sender's network card may lag behind before frames wait in the node.
    slack: Nanos,
}

#[derive(Clone, Copy, Debug)]
enum Span {
    Uniform { min: Nanos, width: Nanos },
    Normal { mean: f64, dev: f64 },
    LogNormal { median: f64, sigma: f64 },
}

impl Road {
    fn new(conditions: Conditions, drawn: Drawn) -> Self {
        let latency = match conditions.latency {
            Latency::Uniform { min, max } => {
                Span::Uniform { min: nanos(min), width: nanos(max.saturating_sub(min)) }
            }
            Latency::Normal { mean, dev } => {
                Span::Normal { mean: nanos(mean) as f64, dev: nanos(dev) as f64 }
            }
            Latency::LogNormal { median, sigma } => {
                Span::LogNormal { median: nanos(median) as f64, sigma }
            }
        };
        let pace = |rate: u64| (1_000_000_000 << 16) / rate.max(1);
        let pace = conditions.bandwidth.map(pace);
        Self {
            latency,
            drawn,
            jitter: nanos(conditions.jitter),
            timeout: nanos(RETRANSMIT_MIN.max(conditions.latency.long() * 2)),
            loss: conditions.loss,
            duplicate: conditions.duplicate,
            pace,
            slack: pace.map_or(Nanos::MAX, |pace| over(pace, SOCKET_BYTES)),
        }
    }

    /// How long one frame takes once it is on the wire, if each has a latency of its own.
    pub(crate) fn takes(&self, dice: &mut Dice) -> Nanos {
        let latency = self.latency.draw(&mut dice.latency);
        self.delays(latency, dice)
    }

    /// How long one frame takes between two nodes once it is on the wire.
    pub(crate) fn takes_between(&self, pair: (Index, Index), dice: &mut Dice) -> Nanos {
        match self.drawn {
            Drawn::EachFrame => self.takes(dice),
            Drawn::OncePerPair => self.delays(self.latency.draw(&mut dice.pair(pair)), dice),
        }
    }

    /// How long every frame between two nodes takes, if it is the same for all.
    pub(crate) fn constant(&self, pair: (Index, Index), dice: &Dice) -> Option<Nanos> {
        let is_constant = self.drawn == Drawn::OncePerPair && self.jitter == 0 && self.loss <= 0.0;
        is_constant.then(|| self.latency.draw(&mut dice.pair(pair)))
    }

    /// A latency with what jitter and losses add to it.
    fn delays(&self, latency: Nanos, dice: &mut Dice) -> Nanos {
        let mut takes = latency;
        if self.jitter > 0 {
            takes += below(self.jitter, &mut dice.latency);
        }
        if self.loss > 0.0 {
            let mut tries = 1;
            while tries < TRIES_MAX && dice.loss.random::<f64>() < self.loss {
                // The timeout doubles with each try, as TCP's does.
                takes += self.timeout << (tries - 1).min(6);
                tries += 1;
            }
        }
        takes
    }

    /// Whether a frame arrives a second time.
    pub(crate) fn doubles(&self, dice: &mut Dice) -> bool {
        self.duplicate > 0.0 && dice.duplicate.random::<f64>() < self.duplicate
    }

    /// How long a frame keeps the sender's network card busy.
    pub(crate) fn occupies(&self, bytes: usize) -> Nanos {
        self.pace.map_or(0, |pace| over(pace, bytes as u64 + WIRE_BYTES))
    }

    /// How far the sender's network card may lag behind.
    pub(crate) const fn slack(&self) -> Nanos {
        self.slack
    }
}

impl Span {
    fn draw(self, rng: &mut impl Rng) -> Nanos {
        match self {
            Self::Uniform { min, width } => min + below(width, rng),
            Self::Normal { mean, dev } => whole(mean + dev * bell(rng)),
            Self::LogNormal { median, sigma } => whole(median * (sigma * bell(rng)).exp()),
        }
    }
}

/// A number from zero up to `width`, in steps of a 2^32nd of it.
fn below(width: Nanos, rng: &mut impl Rng) -> Nanos {
    let part = u128::from(width) * u128::from(rng.next_u32());
    u64::try_from(part >> 32).unwrap_or(width)
}

/// A number from a distribution that is nearly normal: the sum of twelve numbers between 0 and 1, less 6.
fn bell(rng: &mut impl Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

/// Nanoseconds for so many bytes at a pace.
pub(crate) fn over(pace: u64, bytes: u64) -> Nanos {
    let nanos = (u128::from(pace) * u128::from(bytes)) >> 16;
    u64::try_from(nanos).unwrap_or(Nanos::MAX)
}

#[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and a negative time is none")]
const fn whole(nanos: f64) -> Nanos {
    nanos as u64
}

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PAIR: (Index, Index) = (Index(1), Index(2));

    fn way(conditions: Conditions) -> Road {
        Road::new(conditions, Drawn::EachFrame)
    }

    #[test]
    fn two_nodes_are_as_far_from_each_other_whoever_sends_and_pairs_differ() {
        let conditions = Conditions::uniform(10 * MS, 50 * MS);
        let road = Road::new(conditions, Drawn::OncePerPair);
        let mut dice = Dice::new(7);
        let mut takes = |one, other| road.takes_between((Index(one), Index(other)), &mut dice);
        let first = takes(3, 900);
        assert_eq!([takes(3, 900), takes(900, 3)], [first; 2]);
        let all: Vec<Nanos> = (1..1000).map(|other| takes(0, other)).collect();
        let (min, max) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        assert!((10_000_000..10_500_000).contains(min) && (49_500_000..50_000_000).contains(max));
        let mean = all.iter().sum::<Nanos>() / all.len() as u64;
        assert!(mean.abs_diff(30_000_000) < 1_500_000, "{mean}");
        assert_eq!(road.constant((Index(900), Index(3)), &dice), Some(first));
        assert_ne!(road.constant((Index(900), Index(3)), &Dice::new(8)), Some(first));
        let shaky = Conditions { jitter: MS, ..conditions };
        assert_eq!(Road::new(shaky, Drawn::OncePerPair).constant(PAIR, &dice), None);
        assert_eq!(Road::new(conditions, Drawn::EachFrame).constant(PAIR, &dice), None);
    }

    fn draws(conditions: Conditions) -> Vec<Duration> {
        let (road, mut dice) = (Road::new(conditions, Drawn::EachFrame), Dice::new(1));
        let mut draws: Vec<_> =
            (0..1000).map(|_| Duration::from_nanos(road.takes(&mut dice))).collect();
        draws.sort();
        draws
    }

    #[test]
    fn latency_is_within_its_range_and_a_loss_costs_a_timeout() {
        let calm = Conditions::uniform(10 * MS, 50 * MS);
        let latencies = draws(calm);
        assert!(latencies[0] >= 10 * MS && latencies[0] < 11 * MS);
        assert!(latencies[999] <= 50 * MS && latencies[999] > 49 * MS);
        let lossy = draws(Conditions { loss: 0.25, ..calm });
        let late = lossy.iter().filter(|latency| **latency >= 200 * MS).count();
        assert!((200..300).contains(&late), "{late}");
        let shaky = draws(Conditions { jitter: 100 * MS, ..calm });
        assert!(shaky[999] > 120 * MS && shaky[999] <= 150 * MS, "{:?}", shaky[999]);
    }

    #[test]
    fn a_range_of_one_value_is_a_range() {
        assert!(draws(Conditions::uniform(MS, MS)).iter().all(|latency| *latency == MS));
    }

    #[test]
    fn bells_and_tails_have_the_shapes_that_they_are_named_for() {
        let normal = Latency::Normal { mean: 50 * MS, dev: 10 * MS };
        let bell = draws(Conditions { latency: normal, ..Conditions::default() });
        assert!((bell[500].as_secs_f64() - 0.050).abs() < 0.002, "{:?}", bell[500]);
        assert!((bell[159].as_secs_f64() - 0.040).abs() < 0.002, "{:?}", bell[159]);
        let tail = Latency::LogNormal { median: 50 * MS, sigma: 0.5 };
        let tail = draws(Conditions { latency: tail, ..Conditions::default() });
        assert!((tail[500].as_secs_f64() - 0.050).abs() < 0.004, "{:?}", tail[500]);
        assert!((tail[977].as_secs_f64() - 0.136).abs() < 0.015, "{:?}", tail[977]);
        let wide = Latency::Normal { mean: MS, dev: 100 * MS };
        assert_eq!(draws(Conditions { latency: wide, ..Conditions::default() })[0], Duration::ZERO);
    }

    #[test]
    fn a_megabyte_a_second_takes_a_microsecond_for_a_byte() {
        let road = way(Conditions { bandwidth: Some(1_000_000), ..Conditions::default() });
        assert_eq!(road.occupies(940), 1_000_000);
        assert_eq!(way(Conditions::default()).occupies(1 << 30), 0);
        let crawl = way(Conditions { bandwidth: Some(0), ..Conditions::default() });
        assert!(crawl.occupies(1) > 1_000_000_000);
    }
}
