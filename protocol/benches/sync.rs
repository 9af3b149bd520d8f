//! What keeping an index with its sketch costs, and what a comparison costs.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use forsooth_crypto::{Digest, Domain};
use forsooth_protocol::sync::{
    Bounds, Index, Item, SketchKey,
    reconcile::{Limits, Method, Opener, Step, answer},
};

const RECORDS: u64 = 100_000;

fn item(n: u64) -> Item {
    let id = *Digest::of(Domain::Trace, &n.to_le_bytes()).as_bytes();
    Item::new(1_780_000_000_000 + n * 7_919 % 86_400_000, id)
}

fn index(numbers: impl Iterator<Item = u64>) -> Index {
    let index = numbers.map(item).collect::<Index>().keyed(SketchKey::from_bytes([1; 16]));
    black_box(index.fingerprint());
    index
}

fn keeping(c: &mut Criterion) {
    let mut group = c.benchmark_group("index");
    let mut index = index(0..RECORDS);
    let others: Vec<Item> = (RECORDS..RECORDS + 1000).map(item).collect();
    group.throughput(Throughput::Elements(2000));
    group.bench_function("1000 inserted and removed", |b| {
        b.iter(|| {
            others.iter().for_each(|item| _ = index.insert(*item));
            others.iter().for_each(|item| _ = index.remove(item));
        });
    });
    group.throughput(Throughput::Elements(2));
    group.bench_function("inserted and removed, with digest", |b| {
        b.iter(|| {
            for item in others.iter().take(1) {
                index.insert(*item);
                black_box(index.fingerprint());
                index.remove(item);
                black_box(index.fingerprint());
            }
        });
    });
    group.finish();
}

fn comparing(c: &mut Criterion) {
    let here = index(0..RECORDS);
    let mut group = c.benchmark_group("comparison");
    for (name, from, method) in [
        ("equal", 0, Method::Auto),
        ("100 differences", 50, Method::Auto),
        ("100 differences, ranges", 50, Method::Merkle),
    ] {
        let there = index(from..RECORDS + from);
        let limits = Limits { method, ..Limits::default() };
        group.bench_function(name, |b| {
            b.iter_batched(|| (), |()| compare(&here, &there, limits), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn compare(here: &Index, there: &Index, limits: Limits) {
    let (mut opener, first) = Opener::open(here, Bounds::ALL, limits, [3; 16]);
    let mut questions = vec![first];
    while let Some(question) = questions.pop() {
        match opener.hear(&answer(there, Bounds::ALL, &question), here) {
            Step::Ask(more) => questions.extend(more),
            Step::Done(difference) => _ = black_box(difference),
            Step::Failed(failure) => panic!("{failure}"),
        }
    }
}

criterion_group!(benches, keeping, comparing);
criterion_main!(benches);
