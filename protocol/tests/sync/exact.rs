//! Any two sets are told apart exactly.

use core::ops::Range;

use forsooth_protocol::sync::{
    Bounds, Index, Item,
    reconcile::{Cut, Ending, Limits, Method},
};
use proptest::prelude::*;

use crate::pair::{compare, index, missing, scattered};

/// Bytes of an id that are in a stem.
const STEM: Range<usize> = 0..10;

/// Random items, and many that differ in one of these bytes of the id alone.
fn items(bytes: Range<usize>) -> impl Strategy<Value = Item> {
    let at = prop_oneof![0..4_u64, 0..5_000_u64, 0..Item::AT_MAX];
    let id = prop_oneof![
        any::<[u8; 32]>(),
        (any::<u8>(), bytes).prop_map(|(byte, place)| {
            let mut id = [7; 32];
            id[place] = byte;
            id
        })
    ];
    (at, id).prop_map(|(at, id)| Item::new(at, id))
}

/// Items that both have, and that one of the two has.
fn sets(bytes: Range<usize>) -> impl Strategy<Value = (Index, Index)> {
    let some = |max| prop::collection::vec(items(bytes.clone()), 0..max);
    (some(400), some(60), some(60)).prop_map(|(both, here, there)| {
        let with = |only: &[Item]| index(both.iter().chain(only).copied());
        (with(&here), with(&there))
    })
}

proptest! {
    #[test]
    fn any_two_sets_are_told_apart_by_each_method((here, there) in sets(STEM)) {
        for method in [Method::Auto, Method::Merkle, Method::Sketch] {
            let limits = Limits { method, ..Limits::default() };
            let difference = compare(&here, &there, Bounds::ALL, limits).result.unwrap();
            prop_assert_eq!(difference.ending, Ending::Complete);
            prop_assert_eq!(difference.fallback, None);
            prop_assert!(difference.theirs.iter().eq(&missing(&there, &here)));
            prop_assert!(difference.ours.iter().eq(&missing(&here, &there)));
        }
    }

    #[test]
    fn items_of_one_stem_are_told_apart_too((here, there) in sets(0..32)) {
        for method in [Method::Auto, Method::Merkle] {
            let limits = Limits { method, ..Limits::default() };
            let difference = compare(&here, &there, Bounds::ALL, limits).result.unwrap();
            prop_assert_eq!(difference.ending, Ending::Complete);
            prop_assert!(difference.theirs.iter().eq(&missing(&there, &here)));
            prop_assert!(difference.ours.iter().eq(&missing(&here, &there)));
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_not_compared((here, there) in sets(STEM), from in 0..6_000_u64, len in 0..6_000_u64) {
        let bounds = Bounds { from, until: from + len };
        let outcome = compare(&here, &there, bounds, Limits::default());
        let difference = outcome.result.unwrap();
        prop_assert_eq!(difference.fallback, None);
        let within = |items: std::collections::BTreeSet<Item>| -> Vec<Item> {
            items.into_iter().filter(|item| bounds.contains(item.at())).collect()
        };
        prop_assert_eq!(difference.theirs, within(missing(&there, &here)));
        prop_assert_eq!(difference.ours, within(missing(&here, &there)));
    }

    #[test]
    fn limits_cut_a_comparison_short_and_what_is_found_is_true(
        (here, there) in sets(STEM), rounds_max in 1..4_u32, items_max in 1..20_usize,
        bytes_max in 0..4_000_usize, ranges_max in 0..40_usize, which in 0..3_usize,
    ) {
        let method = [Method::Auto, Method::Merkle, Method::Sketch][which];
        let limits = Limits { method, rounds_max, items_max, bytes_max, ranges_max, ..Limits::default() };
        let difference = compare(&here, &there, Bounds::ALL, limits).result.unwrap();
        let (theirs, ours) = (missing(&there, &here), missing(&here, &there));
        prop_assert!(difference.theirs.iter().all(|item| theirs.contains(item)));
        prop_assert!(difference.ours.iter().all(|item| ours.contains(item)));
        if difference.ending == Ending::Complete {
            prop_assert_eq!((difference.theirs.len(), difference.ours.len()), (theirs.len(), ours.len()));
        }
    }
}

#[test]
fn a_range_of_more_items_than_may_be_found_is_named_all_the_same() {
    let all: Vec<Item> = scattered(16, 0).collect();
    let (here, there) = (index(all[..15].iter().copied()), index(all[6..].iter().copied()));
    for items_max in 1..16 {
        let limits = Limits { method: Method::Merkle, items_max, ..Limits::default() };
        let difference = compare(&here, &there, Bounds::ALL, limits).result.unwrap();
        let is_complete = difference.ending == Ending::Complete;
        assert_eq!(is_complete, items_max > 7, "{items_max} of seven: {:?}", difference.ending);
    }
}

#[test]
fn nothing_differs_where_nothing_can_be() {
    let (here, there) = (large(2, 0), large(2, 1));
    for at in [0, 7, u64::MAX] {
        let outcome = compare(&here, &there, Bounds { from: at, until: at }, Limits::default());
        let difference = outcome.result.unwrap();
        assert_eq!((difference.ending, difference.fallback), (Ending::Complete, None));
        assert!(difference.theirs.is_empty() && difference.ours.is_empty());
    }
}

/// A set too large for its symbols to be computed when they are asked for, which lacks every so many items.
fn large(without: u64, salt: u64) -> Index {
    let there = scattered(20_000, 0).enumerate();
    let items = there.filter(|(n, _)| *n as u64 % without != salt).map(|(_, item)| item);
    index(items)
}

#[test]
fn large_sets_are_told_apart_by_symbols_in_three_round_trips() {
    for (every, differences) in [(2_000, 20), (200, 200), (20, 2_000)] {
        let (here, there) = (large(every, 1), large(every, 2));
        let outcome = compare(&here, &there, Bounds::ALL, Limits::default());
        let difference = outcome.result.unwrap();
        assert_eq!((difference.ending, difference.fallback), (Ending::Complete, None));
        assert!(difference.theirs.iter().eq(&missing(&there, &here)));
        assert!(difference.ours.iter().eq(&missing(&here, &there)));
        assert!(outcome.rounds <= 3, "{} round trips", outcome.rounds);
        let most = 90 * differences + 500;
        assert!(outcome.bytes <= most, "{} bytes for {differences} differences", outcome.bytes);
    }
}

#[test]
fn large_sets_are_compared_by_symbols_within_bounds_that_leave_little_out() {
    let (here, there) = (large(1_000, 1), large(1_000, 2));
    let bounds =
        Bounds { from: 1_700_000_000_000 + 10_000_000, until: 1_700_000_000_000 + 80_000_000 };
    let difference = compare(&here, &there, bounds, Limits::default()).result.unwrap();
    assert_eq!((difference.ending, difference.fallback), (Ending::Complete, None));
    let within = |item: &&Item| bounds.contains(item.at());
    assert!(difference.theirs.iter().eq(missing(&there, &here).iter().filter(within)));
    assert!(difference.ours.iter().eq(missing(&here, &there).iter().filter(within)));
}

#[test]
fn a_set_that_grew_and_shrank_is_compared_like_one_that_never_did() {
    let (mut here, there) = (large(2_000, 1), large(2_000, 2));
    let others: Vec<Item> = scattered(5_000, 9).collect();
    others.iter().for_each(|item| assert!(here.insert(*item)));
    others.iter().for_each(|item| assert!(here.remove(item)));
    let difference = compare(&here, &there, Bounds::ALL, Limits::default()).result.unwrap();
    assert_eq!(
        (difference.theirs.len(), difference.ours.len(), difference.fallback),
        (10, 10, None)
    );
}

#[test]
fn sets_that_have_little_in_common_are_compared_by_ranges() {
    let (here, there) = (index(scattered(10_000, 1)), index(scattered(10_000, 2)));
    let limits = Limits { items_max: 30_000, ..Limits::default() };
    let difference = compare(&here, &there, Bounds::ALL, limits).result.unwrap();
    assert_eq!(difference.ending, Ending::Complete);
    assert_eq!((difference.theirs.len(), difference.ours.len()), (10_000, 10_000));
}

#[test]
fn equal_sets_cost_one_question_and_one_reply() {
    let all = index(scattered(20_000, 0));
    let outcome = compare(&all, &all.clone(), Bounds::ALL, Limits::default());
    assert!(outcome.bytes <= 200, "{} bytes", outcome.bytes);
    assert_eq!(outcome.rounds, 1);
    assert_eq!(outcome.result.unwrap().ending, Ending::Complete);
}

#[test]
fn who_has_nothing_learns_all_in_a_few_comparisons() {
    let all = index(scattered(40_000, 0));
    let mut own = Index::new();
    for turn in 0..3 {
        let outcome = compare(&own, &all, Bounds::ALL, Limits::default());
        let difference = outcome.result.unwrap();
        assert!(difference.ours.is_empty());
        let last = turn == 2;
        assert_eq!(difference.ending == Ending::Complete, last, "{turn}: {:?}", difference.ending);
        assert!(last || difference.ending == Ending::Cut(Cut::Items));
        difference.theirs.into_iter().for_each(|item| assert!(own.insert(item)));
    }
    assert_eq!(own.fingerprint(), all.fingerprint());
}

#[test]
fn who_has_all_learns_what_an_empty_set_lacks() {
    let all = index(scattered(10_000, 0));
    let difference = compare(&all, &Index::new(), Bounds::ALL, Limits::default()).result.unwrap();
    assert_eq!((difference.theirs.len(), difference.ours.len()), (0, 10_000));
}
