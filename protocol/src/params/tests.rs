use super::*;

fn population(peers: u32, liars: &str) -> Population {
    Population::new(peers, Share::parse(liars).unwrap()).unwrap()
}

fn is_near(found: f64, expected: f64) -> bool {
    (found / expected - 1.0).abs() < 1e-6
}

#[test]
fn a_share_is_what_was_typed() {
    let millionths = |text| Share::parse(text).map(|Share(millionths)| millionths);
    for (text, expected) in [
        ("0.2", 200_000),
        (".2", 200_000),
        ("0", 0),
        ("0.", 0),
        ("00.07", 70_000),
        ("0.999999", 999_999),
    ] {
        assert_eq!(millionths(text), Some(expected), "{text}");
    }
    for text in
        ["", ".", "1", "1.0", "-0.2", "+0.2", "20%", "0,2", "0.2.0", "0.0000001", "2e-1", "10.2"]
    {
        assert_eq!(millionths(text), None, "{text}");
    }
    // As floats, 0.07 * 100 is above 7, and 0.29 * 100 below 29.
    assert_eq!(population(100, "0.07").liars(), 7);
    assert_eq!(population(100, "0.29").liars(), 29);
    assert_eq!(population(1000, "0.2001").liars(), 201, "rounded up");
}

#[test]
fn a_population_has_somebody_to_draw_and_somebody_honest() {
    let new = |peers, share| Population::new(peers, Share::parse(share).unwrap());
    assert!(new(2, "0").is_ok() && new(PEERS_MAX, "0.5").is_ok());
    for (peers, share) in [(0, "0"), (1, "0"), (PEERS_MAX + 1, "0"), (2, "0.6")] {
        assert_eq!(new(peers, share), Err(Error::Peers { peers }));
    }
}

#[test]
fn chances_are_those_computed_in_whole_numbers_elsewhere() {
    // sum(comb(L,x) * comb(N-L,n-x) for x in range(k,n+1)) / comb(N,n) in Python, with N = 999.
    for (liars, k, n, lie, miss) in [
        ("0.1", 11, 21, 8.989_557_63e-7, 8.989_557_63e-7),
        ("0.2", 13, 24, 1.791_712_691e-4, 8.461_705_997e-4),
        ("0.2", 25, 49, 6.256_831_692e-7, 6.256_831_692e-7),
    ] {
        let chances = Threshold { k, n }.chances(population(1000, liars)).unwrap();
        assert!(is_near(chances.lie, lie) && is_near(chances.miss, miss), "{chances:?}");
        assert!(chances.lie_anywhere > 700.0 * lie && chances.lie_anywhere < 900.0 * lie);
        assert!(chances.split_settled <= 1e-9 && chances.split > 0.1, "{chances:?}");
    }
}

#[test]
fn the_fewest_witnesses_meet_the_target_and_one_fewer_does_not() {
    for (liars, target, k, n) in [
        ("0.1", 1e-3, 5, 9),
        ("0.1", 1e-6, 11, 21),
        ("0.2", 1e-3, 11, 21),
        ("0.2", 1e-6, 25, 49),
        ("0.3", 1e-6, 58, 115),
        ("0.4", 1e-3, 96, 191),
        ("0", 1e-12, 1, 1),
    ] {
        assert_eq!(
            fewest(population(1000, liars), target),
            Ok(Threshold { k, n }),
            "{liars} {target}"
        );
    }
}

#[test]
fn what_cannot_be_met_names_the_nearest_that_can() {
    let error = fewest(population(1000, "0.4"), 1e-6).unwrap_err();
    let Error::OutOfReach { nearest: Some(nearest), liars_max, .. } = &error else {
        panic!("{error}")
    };
    let Nearest { threshold, target } = *nearest;
    assert_eq!(fewest(population(1000, "0.4"), target), Ok(threshold));
    assert!(fewest(population(1000, "0.4"), target * 0.999).is_err());
    let with = |liars| Population { peers: 1000, liars };
    assert!(fewest(with(*liars_max), 1e-6).is_ok() && fewest(with(liars_max + 1), 1e-6).is_err());
    assert!((300..400).contains(liars_max), "{error}");

    let error = fewest(population(1000, "0.5"), 1e-6).unwrap_err().to_string();
    assert!(error.contains("Against half") && error.contains("a share of 0.3"), "{error}");
    for target in [0.0, 0.5, 1.0, -1.0, f64::NAN] {
        assert!(matches!(fewest(with(1), target), Err(Error::Target { .. })));
    }
}

#[test]
fn who_draws_everybody_knows_everything() {
    // 3 of 9 others lie: any k from 4 to 6 tells truth from lie for certain.
    let all = population(10, "0.3");
    for (k, lie, miss) in [(3, 1.0, 0.0), (4, 0.0, 0.0), (6, 0.0, 0.0), (7, 0.0, 1.0)] {
        let chances = Threshold { k, n: 9 }.chances(all).unwrap();
        assert_eq!((chances.lie, chances.miss), (lie, miss), "{k}");
        assert_eq!((chances.lie_anywhere, chances.miss_anywhere), (lie, miss), "{k}");
    }
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_the_nearest_that_does() {
    let few = population(10, "0.2");
    for (k, n) in [(0, 3), (4, 3)] {
        assert_eq!(Threshold { k, n }.chances(few), Err(Error::Threshold { k, n }));
    }
    let error = Threshold { k: 13, n: 24 }.chances(few).unwrap_err();
    assert!(matches!(error, Error::Witnesses { nearest: Threshold { k: 5, n: 9 }, .. }), "{error}");
    let error = Threshold { k: 300, n: 300 }.chances(population(1000, "0.2")).unwrap_err();
    assert!(
        matches!(error, Error::Witnesses { nearest: Threshold { k: 256, n: 256 }, .. }),
        "{error}"
    );
}

#[test]
fn attestors_outnumber_the_liars_and_not_the_honest() {
    assert_eq!(fewest_attestors(population(10, "0.4")), Ok(5));
    assert!(matches!(
        fewest_attestors(population(10, "0.5")),
        Err(Error::Attestors { k: 6, honest: 5, liars_max: 4 })
    ));
}

#[test]
fn costs_follow_the_model() {
    // 2 links each: a ring. 1 + 2 + 2 + 2 = 7 reached in 3 hops.
    assert_eq!([hops(1, 1), hops(2, 1), hops(7, 1), hops(8, 1)], [0, 1, 3, 4]);
    // 1 + 48 + 48 * 47 = 2305.
    assert_eq!([hops(49, 24), hops(50, 24), hops(2305, 24), hops(2306, 24)], [1, 2, 2, 3]);
    let cost = Threshold { k: 13, n: 24 }.cost(population(1000, "0.2"));
    assert_eq!((cost.vouches, cost.vouch_bytes), (24, 288));
    assert_eq!((cost.hops_to_accept(), cost.hops_to_settle()), (3, 4));
}

#[test]
fn what_is_unlikely_at_one_is_likelier_at_many() {
    assert!(is_near(anywhere(1e-20, 1000), 1e-17));
    assert!(is_near(anywhere(0.5, 2), 0.75));
    assert_eq!((anywhere(0.0, 1000), anywhere(1.0, 1000)), (0.0, 1.0));
}
