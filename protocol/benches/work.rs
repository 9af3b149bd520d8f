//! What one attempt at a key's proof of work costs, and so what a check costs: `docs/identity.md`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use forsooth_crypto::{Digest, Domain, NodeId};
use forsooth_protocol::overlay::work::Puzzle;

fn attempt(c: &mut Criterion) {
    let network = Digest::of(Domain::Network, b"bench");
    let peer = NodeId::from_bytes([7; 32]);
    let mut puzzle = Puzzle::new(&peer, &network, 40);
    let mut nonce = 0;
    c.bench_function("work/attempt", |b| {
        b.iter(|| {
            nonce += 1;
            black_box(puzzle.attempt(nonce))
        });
    });
    c.bench_function("work/check_of_a_stranger", |b| {
        b.iter(|| {
            nonce += 1;
            black_box(Puzzle::new(&peer, &network, 40).attempt(nonce))
        });
    });
}

criterion_group!(benches, attempt);
criterion_main!(benches);
