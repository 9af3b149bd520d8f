//! What it costs two nodes to find out in what their sets of messages differ: two indexes, and frames between them.
//!
//! Positions are spread over a day, ids are random. Half of the differences are lacking on each side. No links, no
//! latency: round trips are counted, and bytes are those of encoded frames. CPU time is this thread's.

mod report;
mod summary;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::VecDeque;

use cpu_time::ThreadTime;
use forsooth_protocol::{
    Network, TopicId,
    network::{self, Defence, Kind, Policy, Topic},
    sync::{
        Bounds, Index, Item, SketchKey,
        reconcile::{Difference, Failure, Limits, Method, Opener, Step, answer},
    },
    wire::Frame,
};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

pub use self::{report::Report, summary::Summary};

/// Milliseconds over which positions are spread.
const DAY_MS: u64 = 86_400_000;
/// The first position: a day in 2026.
const START_MS: u64 = 1_780_000_000_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Items of each side.
    pub records: u32,
    /// Items that one of them has and the other has not.
    pub differences: u32,
    /// How they are compared.
    pub method: Method,
    /// From which everything random comes.
    pub seed: u64,
}

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Items that differ are among the records.
    #[error("{differences} differences among {records} records: there can be no more than records")]
    TooManyDifferences {
        /// Wanted.
        differences: u32,
        /// Of each side.
        records: u32,
    },
    /// There is no such network.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// Both sides are ours: this is a bug.
    #[error("the comparison failed: {0}")]
    Failed(#[from] Failure),
    /// A frame that we encoded is refused: this is a bug.
    #[error("a frame was refused: {0}")]
    Refused(forsooth_protocol::Fault),
}

/// What a comparison cost.
#[derive(Clone, Debug, Default)]
struct Cost {
    questions: usize,
    question_bytes: usize,
    reply_bytes: usize,
    round_trips: u32,
    opener: Duration,
    answerer: Duration,
}

/// Measures a setting.
///
/// # Errors
/// When the setting makes no sense.
pub fn run(setting: &Setting) -> Result<Report, Error> {
    Sides::new(setting)?.run(setting)
}

/// Measures a setting with this seed and those that follow: the same sets, other differences.
///
/// # Errors
/// When the setting makes no sense.
pub fn run_many(setting: &Setting, seeds: u32) -> Result<Summary, Error> {
    let mut sides = Sides::new(setting)?;
    let seeds = (setting.seed..).zip(0..seeds).map(|(seed, _)| seed);
    let reports: Result<Vec<Report>, Error> =
        seeds.map(|seed| sides.run(&Setting { seed, ..*setting })).collect();
    Ok(Summary::of(&reports?))
}

/// Two sets, which differ in nothing before and after a run.
struct Sides {
    network: Network,
    here: Index,
    there: Index,
    /// CPU time of the first set, with its sketch and digests.
    building: Duration,
}

impl Sides {
    fn new(setting: &Setting) -> Result<Self, Error> {
        let Setting { records, differences, seed, .. } = *setting;
        if differences > records {
            return Err(Error::TooManyDifferences { differences, records });
        }
        let topics = vec![Topic::new("news", Policy::Verified)];
        let network =
            Network::new("reconcile", Kind::Local, topics, Defence::recommended(Kind::Local))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let common = items(records.saturating_sub(differences.div_ceil(2)), &mut rng);
        let begun = ThreadTime::now();
        // As a node builds it: one after the other, with the sketch kept up to date.
        let mut here = Index::new().keyed(SketchKey::of(&network));
        common.iter().for_each(|item| _ = here.insert(*item));
        _ = here.fingerprint();
        let building = begun.elapsed();
        Ok(Self { network, there: here.clone(), here, building })
    }

    fn run(&mut self, setting: &Setting) -> Result<Report, Error> {
        // Not the stream that the common items came from.
        let mut rng = ChaCha8Rng::seed_from_u64(setting.seed);
        rng.set_stream(1);
        let half = setting.differences.div_ceil(2);
        let theirs = items(half, &mut rng);
        let ours = items(setting.differences.saturating_sub(half), &mut rng);
        ours.iter().for_each(|item| _ = self.here.insert(*item));
        theirs.iter().for_each(|item| _ = self.there.insert(*item));
        // Digests are computed when they are first asked for. That belongs to the index, not to the comparison.
        _ = (self.here.fingerprint(), self.there.fingerprint());
        let (difference, cost) =
            compare(&self.here, &self.there, setting.method, &self.network, &mut rng)?;
        ours.iter().for_each(|item| _ = self.here.remove(item));
        theirs.iter().for_each(|item| _ = self.there.remove(item));
        let exact = same(&difference.theirs, theirs) && same(&difference.ours, ours);
        let each = self.building.as_secs_f64() * 1e9 / self.here.len().max(1) as f64;
        Ok(Report::of(setting, &cost, &difference, exact, each))
    }
}

fn items(count: u32, rng: &mut ChaCha8Rng) -> Vec<Item> {
    let item = |_| {
        let mut id = [0; 32];
        rng.fill_bytes(&mut id);
        Item::new(START_MS + rng.next_u64() % DAY_MS, id)
    };
    (0..count).map(item).collect()
}

fn compare(
    here: &Index,
    there: &Index,
    method: Method,
    network: &Network,
    rng: &mut ChaCha8Rng,
) -> Result<(Difference, Cost), Error> {
    let mut cost = Cost::default();
    let topic =
        network.topic_at(0).ok_or(Error::Refused(forsooth_protocol::Fault::UnknownTopic))?;
    let limits = Limits { method, items_max: usize::MAX, ranges_max: usize::MAX, ..unbounded() };
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    let begun = ThreadTime::now();
    let (mut opener, first) = Opener::open(here, Bounds::ALL, limits, nonce);
    cost.opener += begun.elapsed();
    let mut questions = VecDeque::from([first]);
    while let Some(question) = questions.pop_front() {
        let begun = ThreadTime::now();
        let question = Frame::Compare { topic, question }.encode();
        cost.opener += begun.elapsed();
        cost.questions += 1;
        cost.question_bytes += question.len();
        let begun = ThreadTime::now();
        let reply = replied(there, topic, &question, network)?;
        cost.answerer += begun.elapsed();
        cost.reply_bytes += reply.len();
        let begun = ThreadTime::now();
        let Frame::Compared { reply, .. } =
            Frame::decode(&reply, network).map_err(Error::Refused)?
        else {
            return Err(Error::Failed(Failure::Unasked));
        };
        let step = opener.hear(&reply, here);
        cost.opener += begun.elapsed();
        match step {
            Step::Ask(more) => questions.extend(more),
            Step::Done(difference) => {
                cost.round_trips = opener.rounds();
                return Ok((difference, cost));
            }
            Step::Failed(failure) => return Err(Error::Failed(failure)),
        }
    }
    Err(Error::Failed(Failure::Stuck))
}

/// What the other side sends back.
fn replied(
    there: &Index,
    topic: TopicId,
    question: &bytes::Bytes,
    network: &Network,
) -> Result<bytes::Bytes, Error> {
    let Frame::Compare { question, .. } =
        Frame::decode(question, network).map_err(Error::Refused)?
    else {
        return Err(Error::Failed(Failure::Unasked));
    };
    let reply = answer(there, Bounds::ALL, &question);
    Ok(Frame::Compared { topic, reply, is_behind: false }.encode())
}

/// Nothing is cut short; questions and what is in flight are as in a node.
fn unbounded() -> Limits {
    Limits { rounds_max: u32::MAX, bytes_max: usize::MAX, ..Limits::default() }
}

fn same(found: &[Item], mut expected: Vec<Item>) -> bool {
    expected.sort_unstable();
    found == expected
}
