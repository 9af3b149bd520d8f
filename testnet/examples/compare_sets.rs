//! What comparing two sets costs, beside negentropy (range-based, as nostr's relays use it) and beside what nothing can
//! beat: `cargo run --release -p forsooth-testnet --example compare_sets -- 1000000`.
//!
//! Prints the table of docs/sync.md: for each number of differences, half of them on each side, bytes both ways, CPU time of
//! both sides and round trips. Ours are medians of eleven seeds, negentropy's are one run (its bytes hardly vary).

use anyhow::{Context as _, ensure};
use cpu_time::ThreadTime;
use forsooth_protocol::sync::reconcile::Method;
use forsooth_testnet::experiment::reconcile::{Setting, run_many};
use negentropy::{Id, Negentropy, NegentropyStorageBase as _, NegentropyStorageVector};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

const SEEDS: u32 = 11;

fn main() -> anyhow::Result<()> {
    let records = std::env::args().nth(1).unwrap_or_else(|| "1000000".to_owned());
    let records: u32 = records.parse().context("how many records? A number, such as 1000000")?;
    println!(
        "| differences | 32 bytes each | `auto` | `merkle` | negentropy |\n|---|---|---|---|---|"
    );
    for differences in [0, 10, 100, 1_000, 10_000].into_iter().filter(|it| *it <= records) {
        let ours = |method| run_many(&Setting { records, differences, method, seed: 1 }, SEEDS);
        let (auto, merkle) = (ours(Method::Auto)?, ours(Method::Merkle)?);
        let cell = |bytes: usize, cpu_ms: f64, trips: u32| {
            let each = bytes as f64 / f64::from(differences.max(1));
            format!("{bytes} B ({each:.0} each), {cpu_ms:.2} ms, {trips} trips")
        };
        println!(
            "| {differences} | {} B | {} | {} | {} |",
            differences * 32,
            cell(auto.bytes, auto.cpu_ms, auto.round_trips),
            cell(merkle.bytes, merkle.cpu_ms, merkle.round_trips),
            negentropy(records, differences).map(|it| cell(it.bytes, it.cpu_ms, it.round_trips))?,
        );
    }
    Ok(())
}

struct Cost {
    bytes: usize,
    cpu_ms: f64,
    round_trips: u32,
}

/// A set of negentropy's, in its fastest form: a sorted vector.
struct Set(NegentropyStorageVector);

impl Set {
    fn of(items: impl Iterator<Item = (u64, Id)>) -> Result<Self, negentropy::Error> {
        let mut set = NegentropyStorageVector::new();
        items.into_iter().try_for_each(|(at, id)| set.insert(at, id))?;
        set.seal()?;
        Ok(Self(set))
    }
}

fn negentropy(records: u32, differences: u32) -> anyhow::Result<Cost> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut items = |count: u32| -> Vec<(u64, Id)> {
        let item = |_| {
            let mut id = [0; 32];
            rng.fill_bytes(&mut id);
            (1_780_000_000_000 + rng.next_u64() % 86_400_000, Id::from_byte_array(id))
        };
        (0..count).map(item).collect()
    };
    let half = differences.div_ceil(2);
    let (common, theirs) = (items(records - half), items(half));
    let ours = items(differences - half);
    let here = Set::of(common.iter().chain(&ours).copied())?.0;
    let there = Set::of(common.iter().chain(&theirs).copied())?.0;
    ensure!(here.size()? <= records as usize, "more records than there should be");

    let (mut have, mut need) = (Vec::new(), Vec::new());
    let (mut bytes, mut round_trips) = (0, 0);
    let begun = ThreadTime::now();
    let mut opener = Negentropy::borrowed(&here, 0)?;
    let mut answerer = Negentropy::borrowed(&there, 0)?;
    let mut question = Some(opener.initiate()?);
    while let Some(asked) = question {
        let reply = answerer.reconcile(&asked)?;
        bytes += asked.len() + reply.len();
        round_trips += 1;
        question = opener.reconcile_with_ids(&reply, &mut have, &mut need)?;
    }
    let cpu_ms = begun.elapsed().as_secs_f64() * 1e3;
    let found = (have.len(), need.len()) == (ours.len(), theirs.len());
    ensure!(found, "negentropy found {} and {}", have.len(), need.len());
    Ok(Cost { bytes, cpu_ms, round_trips })
}
