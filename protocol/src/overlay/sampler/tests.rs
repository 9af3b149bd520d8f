use core::num::NonZeroU32;
use std::collections::BTreeMap;

use rand_core::SeedableRng as _;

use super::*;

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn id(n: u32) -> NodeId {
    let mut bytes = [1; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    NodeId::from_bytes(bytes)
}

/// A scattered public address for each number.
fn place(n: u32) -> Place {
    let bits = n.wrapping_mul(0x9e37_79b1) ^ n.rotate_left(13).wrapping_mul(0x85eb_ca6b);
    Place::of(Some(std::net::IpAddr::V4(bits.into())), None)
}

fn rate(replaced: u32, rounds: u32) -> Rate {
    Rate { replaced, rounds: NonZeroU32::new(rounds).unwrap() }
}

fn config(view: usize) -> Config {
    Config { me: id(0), view, rate: rate(1, 1), joining: 0, sizing: Sizing::Fixed }
}

fn offer_flat(sampler: &mut Sampler, peers: core::ops::Range<u32>) {
    peers.for_each(|n| sampler.offer(id(n), Place::UNKNOWN));
}

#[test]
fn to_be_offered_a_thousand_times_is_worth_no_more_than_once() {
    let mut rng = rng();
    let mut sampler = Sampler::new(config(200), &mut rng);
    (0..1000).for_each(|_| offer_flat(&mut sampler, 1..2));
    offer_flat(&mut sampler, 2..51);
    let held = sampler.view().filter(|(peer, _)| *peer == id(1)).count();
    // 200 slots of 50 equals: 4 on average, and 12 or more once in two thousand tries.
    assert!(held < 12, "{held}");
    assert_eq!(sampler.view().count(), 200);
}

#[test]
fn remembering_whom_it_ranked_changes_no_choice() {
    let mut rng = rng();
    // Two slots remember at most 128 candidates; there are a thousand.
    for view in [2, 100] {
        let mut sampler = Sampler::new(config(view), &mut rng);
        for round in 0..300_u32 {
            let begin = round.wrapping_mul(7919) % 900;
            (begin + 1..begin + 100).for_each(|n| sampler.offer(id(n), place(n)));
            sampler.round(&mut rng);
        }
        (1..1000).for_each(|n| sampler.offer(id(n), place(n)));
        for n in 1..1000 {
            let candidate =
                Candidate { peer: id(n), mark: sampler.names.mark(&id(n)), place: place(n) };
            for at in 0..view {
                assert_ne!(sampler.slots.offer(at, &candidate), Offered::Won);
            }
        }
    }
}

#[test]
fn nobody_is_drawn_while_joining_and_then_so_many_in_so_many_rounds() {
    let mut rng = rng();
    let joining = Config { joining: 40, rate: rate(3, 5), ..config(32) };
    let mut sampler = Sampler::new(joining, &mut rng);
    for round in 0..40 {
        // Ever more of the network: the view never settles.
        offer_flat(&mut sampler, 1..1 << (round / 3 + 1));
        assert_eq!(sampler.round(&mut rng).samples, []);
    }
    assert!(sampler.joining());
    let drawn: Vec<usize> = (0..50).map(|_| sampler.round(&mut rng).samples.len()).collect();
    assert_eq!(drawn.iter().sum::<usize>(), 30);
    assert_eq!(drawn.iter().filter(|drawn| **drawn == 3).count(), 10);
}

#[test]
fn a_view_that_is_calm_has_joined() {
    let mut rng = rng();
    let mut sampler = Sampler::new(Config { joining: 40, ..config(32) }, &mut rng);
    (0..20).for_each(|_| assert_eq!(sampler.round(&mut rng), Round::default()));
    assert!(sampler.joining(), "an empty view is not calm, it is empty");
    offer_flat(&mut sampler, 1..10);
    let rounds = (0..40).take_while(|_| sampler.round(&mut rng).samples.is_empty()).count();
    // The first of them saw the view fill.
    assert_eq!(rounds, CALM_ROUNDS);
}

#[test]
fn who_is_met_least_is_asked_and_another_is_told() {
    let mut rng = rng();
    let mut sampler = Sampler::new(Config { rate: rate(0, 1), ..config(64) }, &mut rng);
    offer_flat(&mut sampler, 1..9);
    // All but one are mentioned again.
    for _ in 0..50 {
        offer_flat(&mut sampler, 2..9);
    }
    let mut asked = BTreeMap::new();
    for _ in 0..40 {
        let Round { pull, push, .. } = sampler.round(&mut rng);
        assert_ne!(pull, push);
        *asked.entry(pull.unwrap()).or_insert(0) += 1;
    }
    let slots = sampler.view().filter(|(peer, _)| *peer == id(1)).count();
    assert!(slots > 0);
    assert_eq!(asked.get(&id(1)), Some(&40), "{asked:?}");
}

#[test]
fn who_is_removed_is_nowhere_and_its_slots_are_filled_by_others() {
    let mut rng = rng();
    let mut sampler = Sampler::new(config(64), &mut rng);
    offer_flat(&mut sampler, 0..9);
    assert!(sampler.view().all(|(peer, _)| peer != id(0)), "oneself is no candidate");
    (0..64).for_each(|_| drop(sampler.round(&mut rng)));
    sampler.remove(&id(3), &mut rng);
    assert_eq!(sampler.view().count(), 64);
    (0..128).for_each(|_| drop(sampler.round(&mut rng)));
    assert!(sampler.view().all(|(peer, _)| peer != id(3)), "nor does it come back by itself");
}

#[test]
fn who_moves_is_ranked_where_it_is() {
    let mut rng = rng();
    let mut sampler = Sampler::new(config(200), &mut rng);
    (1..101).for_each(|n| sampler.offer(id(n), place(n)));
    // One key claims one scattered address after the other.
    (0..1000).for_each(|n| sampler.offer(id(1), place(1000 + n)));
    sampler.offer(id(1), place(2));
    (2..101).for_each(|n| sampler.offer(id(n), place(n)));
    for (peer, at) in sampler.view() {
        assert!(peer != id(1) || at == place(2));
    }
    // What it won elsewhere goes back as soon as others are offered again.
    (0..200).for_each(|_| drop(sampler.round(&mut rng)));
    let held = sampler.view().filter(|(peer, _)| *peer == id(1)).count();
    assert!(held < 12, "{held}");
}

#[test]
fn the_size_of_the_network_is_estimated_from_ranks() {
    for peers in [100, 1000] {
        for scattered in [false, true] {
            let mut rng = rng();
            let mut sampler = Sampler::new(config(100), &mut rng);
            for _ in 0..600 {
                for n in 1..=peers {
                    sampler.offer(id(n), if scattered { place(n) } else { Place::UNKNOWN });
                }
                sampler.round(&mut rng);
            }
            // Five levels, each with an error of one in sqrt(512); the uneven ones lean to less.
            let found = f64::from(sampler.peers()) / f64::from(peers);
            assert!((0.6..1.3).contains(&found), "{peers} {scattered}: {found}");
        }
    }
}

#[test]
fn keys_crowded_into_one_network_make_it_look_no_larger() {
    let mut rng = rng();
    let mut sampler = Sampler::new(config(100), &mut rng);
    let crowded =
        |n: u32| Place::of(Some(std::net::IpAddr::V4((0x0505_0500 | n & 0xff).into())), None);
    for _ in 0..300 {
        (1..200).for_each(|n| sampler.offer(id(n), place(n)));
        (1000..3000).for_each(|n| sampler.offer(id(n), crowded(n)));
        sampler.round(&mut rng);
    }
    assert!(sampler.peers() < 400, "{}", sampler.peers());
}

#[test]
fn view_and_rate_follow_the_network() {
    let mut rng = rng();
    for (view_max, expected) in [(256, 100), (50, 50)] {
        let sizing = Sizing::Follow { view_max };
        let mut sampler = Sampler::new(Config { sizing, ..config(32) }, &mut rng);
        for _ in 0..400 {
            offer_flat(&mut sampler, 1..1001);
            sampler.round(&mut rng);
        }
        assert!(sampler.slots().abs_diff(expected) <= expected / 4, "{}", sampler.slots());
        assert!(sampler.capacity() > f64::from(CAPACITY_MIN), "{}", sampler.capacity());
        assert_eq!(sampler.rate() == rate(1, 1), view_max == 256, "{:?}", sampler.rate());
    }
}

#[test]
fn a_view_is_as_wide_as_it_is_to_be_and_then_follows_the_network_again() {
    let mut rng = rng();
    let sizing = Sizing::Follow { view_max: 256 };
    let mut sampler = Sampler::new(Config { sizing, ..config(32) }, &mut rng);
    let mut live = |sampler: &mut Sampler| {
        for _ in 0..64 {
            offer_flat(sampler, 1..60);
            sampler.round(&mut rng);
        }
        sampler.slots()
    };
    let usual = live(&mut sampler);
    assert!(usual < 64, "{usual}");
    let mut rng = self::rng();
    assert!(sampler.widen(100, &mut rng) && !sampler.widen(100, &mut rng));
    let distinct = |sampler: &Sampler| {
        sampler.view().map(|(peer, _)| peer).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((sampler.slots(), sampler.view().count()), (100, 100), "from whom it knows");
    assert_eq!(live(&mut sampler), 100);
    assert!(distinct(&sampler) > 40);
    assert!(sampler.widen(1000, &mut rng));
    assert_eq!(sampler.slots(), 256, "it has its bound");
    assert!(!sampler.widen(0, &mut rng));
    assert!(live(&mut sampler) < 64);
    let mut fixed = Sampler::new(config(32), &mut rng);
    assert!(!fixed.widen(100, &mut rng) && fixed.slots() == 32);
}
