//! All faults at once: nothing is lost or disordered while links hold, and a seed is one run.

use std::collections::BTreeMap;

use forsooth_protocol::{
    Config, Core, Network,
    network::{Defence, Kind, Policy, Topic},
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Slow, lossy links with little bandwidth, differently for each group.
fn rough() -> Links {
    let lossy = Conditions { loss: 0.05, jitter: MS * 20, ..Conditions::default() };
    let thin = Conditions {
        latency: Latency::LogNormal { median: MS * 30, sigma: 0.5 },
        bandwidth: Some(200_000),
        ..lossy
    };
    let odd = Conditions {
        latency: Latency::Normal { mean: MS * 40, dev: MS * 10 },
        ..Conditions::default()
    };
    Links { by_group: [(Group(1), thin), (Group(2), odd)].into(), ..lossy.into() }
}

/// Does something bad to the world, or ends it; nothing lasts long enough to end a link.
fn trouble(world: &mut World, rng: &mut ChaCha8Rng, nodes: u32) {
    let mut node = || Index(rng.random_range(0..nodes));
    let (one, other) = (node(), node());
    match rng.random_range(0..9) {
        0 => world.partition(&[vec![one], vec![other]]),
        1 => world.one_way(one, other, true),
        2 => world.pause(one),
        3 => world.reads_slowly(one, Some(rng.random_range(5_000..100_000))),
        4 => world.set_conditions(rough()),
        5 => world.set_conditions(Conditions::default()),
        _ => {
            world.heal();
            (0..nodes).map(Index).for_each(|node| {
                world.resume(node);
                world.reads_slowly(node, None);
            });
        }
    }
}

#[test]
fn nothing_is_lost_or_disordered_while_links_hold() {
    for seed in 0..30 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let classes = [Class::Evidence, Class::Vouch, Class::Requested, Class::Payload];
        let batch = |batch: usize| {
            let frame = |place: usize| {
                let class = classes[place % classes.len()];
                let frame = format!("{} {:04}{:>200}", class.name(), batch * 8 + place, "");
                Effect::Send { to: id(2), class, frame: frame.into() }
            };
            (0..8).map(frame).collect()
        };
        let mut stage = linked(rough(), (0..100).map(batch).collect(), vec![]);
        for second in 0..100 {
            stage.pull(1000 + second * 200, stage.a);
            stage.world.run_until(at(1000 + second * 200));
            trouble(&mut stage.world, &mut rng, 2);
        }
        stage.world.heal();
        for node in [stage.a, stage.b] {
            stage.world.resume(node);
            stage.world.reads_slowly(node, None);
        }
        stage.world.run_until(at(300_000));
        let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in stage.told().into_iter().filter(|entry| !entry.contains("tick")) {
            let words: Vec<_> = entry.split_whitespace().map(str::to_owned).collect();
            assert_eq!((words.len(), words[0].as_str()), (3, "b"), "seed {seed}: {entry}");
            heard.entry(words[1].clone()).or_default().push(words[2].clone());
        }
        assert_eq!(heard.len(), classes.len(), "seed {seed}");
        for (class, numbers) in heard {
            assert_eq!(numbers.len(), 200, "seed {seed}: {class}");
            assert!(numbers.is_sorted(), "seed {seed}: {class} {numbers:?}");
        }
        assert_eq!(stage.world.dropped(), 0);
    }
}

fn all(world: &World) -> impl Iterator<Item = Index> {
    (0..u32::try_from(world.len()).unwrap()).map(Index)
}

/// A network of cores under all faults, with nodes that come and go.
fn run(seed: u64) -> (Digest, u64, u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let topic = Topic::new("news", Policy::Vouched { k: 3, n: 5 });
    let defence = Defence::recommended(Kind::Local);
    let network = Arc::new(Network::new("chaos", Kind::Local, vec![topic], defence).unwrap());
    let (topic, _) = network.topics().next().unwrap();
    let core = |tag: u8, generation| {
        let config = Config::new(Arc::clone(&network), generation);
        Box::new(Core::new(config, Keypair::from_seed([tag; 32]), [tag; 32]))
    };
    let mut world = World::new(seed, Links { ..rough() });
    let introduce = |world: &mut World, node: Index| {
        let known = all(world).map(|other| world.candidate(other)).collect();
        world.tell(world.now(), node, Input::Subscribe { topic, policy: None });
        world.tell(world.now(), node, Input::Known(known));
    };
    for tag in 0..24 {
        let place = Place { group: Group(u16::from(tag) % 4), ip: None };
        world.add_at(place, id(tag), core(tag, 1));
    }
    (0..24).for_each(|node| introduce(&mut world, Index(node)));
    for step in 0..200_u8 {
        world.run_until(at(u64::from(step) * 250));
        let author = Index(rng.random_range(0..24));
        let payload = Bytes::from(vec![step; 300]);
        let publish = Input::Publish { request: step.into(), topic, payload, lifetime: None };
        world.tell(world.now(), author, publish);
        trouble(&mut world, &mut rng, 24);
        let tag = rng.random_range(0..24);
        let node = Index(tag.into());
        match rng.random_range(0..6) {
            0 => world.crash(node),
            1 => {
                world.restart(node, core(tag, u64::from(step) + 2));
                introduce(&mut world, node);
            }
            2 => world.skew(node, rng.random_range(-2000..2000)),
            3 => world.disk_full(node, rng.random_range(0..2) == 0),
            4 if world.len() < 40 => {
                let tag = u8::try_from(world.len()).unwrap();
                let node = world.add(id(tag), core(tag, 1));
                introduce(&mut world, node);
            }
            _ => {}
        }
    }
    let accepted = |node| {
        let topics = world.snapshot(node).topics;
        topics.values().map(|topic| topic.accepted).sum::<u64>()
    };
    let accepted = all(&world).map(accepted).sum();
    (world.trace_digest(), world.frames(), accepted)
}

#[test]
fn one_seed_is_one_run_whatever_goes_wrong() {
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
    assert!(first.1 > 5_000 && first.2 > 200, "{first:?}");
}
