//! The whole ingress pipeline against the signature checks alone, in one run.
//!
//! `raw` is `ed25519-zebra`'s batch verification of the same signatures by the same authors in the same
//! batches. `pipeline` takes frames as they came off the wire, and ends with the effects of a core that has
//! accepted them: quota, decoding, digests, clock, duplicates, signatures, slots, relay to 8 links, vouches,
//! k-of-n. The last line says how much of the raw rate is left; measured alternately, because the
//! machines are shared.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use ed25519_zebra::{Signature, VerificationKeyBytes, batch};
use forsooth_crypto::{Digest, Keypair, Preimage, Purpose};
use forsooth_protocol::{
    Address, Candidate, Config, Connection, Core, Direction, Effect, Input, Lane, Network,
    Participant, Publication, Slot, Time, Timestamp, VouchKey, check_all,
    network::{Defence, Kind, Policy, Topic},
    wire::{Frame, Hello, Intent, VERSION},
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

const MESSAGES: usize = 512;
const AUTHORS: u8 = 128;
const LINKS: u8 = 8;
const BATCH: usize = 256;
const WALL: Timestamp = Timestamp::from_millis(1_800_000_000_000);

struct Work {
    network: Arc<Network>,
    frames: Vec<Bytes>,
    raw: Vec<(VerificationKeyBytes, Signature, [u8; 96])>,
}

fn work(payload_bytes: usize) -> Work {
    let topic = Topic::new("bench", Policy::Vouched { k: 1, n: 8 });
    let defence = Defence::recommended(Kind::Local);
    let network = Arc::new(
        Network::new("bench", Kind::Local, vec![topic], defence).expect("a valid network"),
    );
    let topic = network.topic_id("bench").expect("it is there");
    let authors: Vec<_> = (0..AUTHORS).map(|tag| Keypair::from_seed([tag; 32])).collect();
    let (mut frames, mut raw) = (Vec::new(), Vec::new());
    for (n, author) in (0u64..).zip(authors.iter().cycle()).take(MESSAGES) {
        let slot = Slot { author: author.id(), topic, generation: 1, seq: n };
        let payload = Bytes::from(vec![7; payload_bytes]);
        let message =
            Publication::sign(slot, WALL, Duration::from_secs(60), payload, author, &network);
        let digest = Digest::from_bytes(*message.id().as_bytes());
        let preimage = Preimage::new(Purpose::Message, network.digest(), &digest);
        let signature = Signature::from_bytes(message.signed().signature().as_bytes());
        raw.push((
            VerificationKeyBytes::from(*author.id().as_bytes()),
            signature,
            *preimage.as_bytes(),
        ));
        frames.push(message.frame().clone());
    }
    Work { network, frames, raw }
}

fn raw(work: &Work, rng: &mut ChaCha8Rng) {
    for chunk in work.raw.chunks(BATCH) {
        let mut batch = batch::Verifier::new();
        chunk
            .iter()
            .for_each(|(key, signature, preimage)| batch.queue((*key, *signature, preimage)));
        batch.verify(&mut *rng).expect("all are good");
    }
}

/// A core with witnesses, which is not what is measured.
fn linked_core(work: &Work) -> Core {
    let mut core =
        Core::new(Config::new(work.network.clone(), 1), Keypair::from_seed([255; 32]), [0; 32]);
    let _ = core.handle(Time::ZERO, Input::WallClock(WALL));
    for (topic, _) in work.network.topics() {
        let _ = core.handle(Time::ZERO, Input::Subscribe { topic, policy: None });
    }
    for tag in 0..LINKS {
        let peer = Keypair::from_seed([tag; 32]).id();
        // Known, and then reached, so that it may be drawn.
        let known =
            Candidate { peer, address: Address::new("/ip4/127.0.0.1/tcp/1").expect("it is short") };
        let _ = core.handle(Time::ZERO, Input::Known(vec![known]));
        let connection = Connection { direction: Direction::Outbound, remote: None };
        let _ = core.handle(Time::ZERO, Input::Connected { peer, connection });
        let hello = Hello {
            version: VERSION,
            generation: 1,
            agent: "bench".into(),
            intent: Intent::Gossip,
            vouch_key: VouchKey::from_bytes([0; 16]),
        };
        let frame = Frame::Hello(hello).encode();
        let _ = core.handle(Time::ZERO, Input::Received { from: peer, lane: Lane::Control, frame });
    }
    core
}

fn pipeline(work: &Work, mut core: Core, rng: &mut ChaCha8Rng) -> Core {
    let from = Keypair::from_seed([0; 32]).id();
    let mut delivered = 0;
    for chunk in work.frames.chunks(BATCH) {
        let mut checks = Vec::with_capacity(chunk.len());
        for frame in chunk {
            let frame = frame.clone();
            for effect in core.handle(Time::ZERO, Input::Received { from, lane: Lane::Data, frame })
            {
                if let Effect::Verify { ticket, check } = effect {
                    checks.push((ticket, check));
                }
            }
        }
        let verdicts = check_all(checks, rng);
        for effect in core.handle(Time::ZERO, Input::Verdicts(verdicts)) {
            delivered += usize::from(matches!(black_box(effect), Effect::Deliver(_)));
        }
    }
    assert_eq!(delivered, MESSAGES);
    core
}

/// The median time of the pipeline as a share of the median time of the raw checks.
#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock; the core does not")]
fn ratio(work: &Work, rounds: usize) -> f64 {
    let mut rng = ChaCha8Rng::from_seed([1; 32]);
    let (mut raw_times, mut pipeline_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let start = Instant::now();
        raw(work, &mut rng);
        raw_times.push(start.elapsed());
        let core = linked_core(work);
        let start = Instant::now();
        let core = pipeline(work, core, &mut rng);
        pipeline_times.push(start.elapsed());
        drop(core);
    }
    median(raw_times).as_secs_f64() / median(pipeline_times).as_secs_f64()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut rng = ChaCha8Rng::from_seed([1; 32]);
    for payload_bytes in [256, 4096] {
        let work = work(payload_bytes);
        let mut group = criterion.benchmark_group(format!("ingress/{payload_bytes}B"));
        group.throughput(Throughput::Elements(MESSAGES as u64));
        group.bench_function("raw", |b| b.iter(|| raw(&work, &mut rng)));
        group.bench_function("pipeline", |b| {
            let setup = || linked_core(&work);
            b.iter_batched(setup, |core| pipeline(&work, core, &mut rng), BatchSize::LargeInput);
        });
        group.finish();
        // `cargo test --benches` asks for a single pass.
        let rounds = if std::env::args().any(|arg| arg == "--bench") { 50 } else { 1 };
        println!("ingress/{payload_bytes}B: pipeline/raw = {:.3}", ratio(&work, rounds));
    }
    criterion.final_summary();
}
