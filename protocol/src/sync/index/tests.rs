//! The index against a set that is as simple as can be.

use std::collections::BTreeSet;

use forsooth_crypto::Digest;
use proptest::prelude::*;

use super::{node::LEAF_MAX, *};
use crate::sync::prefix::Prefix;

/// Items of which many share a position or the beginnings of their ids.
fn items() -> impl Strategy<Value = Item> {
    let at = prop_oneof![0..4_u64, 0..2_000_u64, 0..Item::AT_MAX];
    let id = prop_oneof![
        any::<[u8; 32]>(),
        any::<u8>().prop_map(|last| {
            let mut id = [7; 32];
            id[31] = last;
            id
        })
    ];
    (at, id).prop_map(|(at, id)| Item::new(at, id))
}

fn bounds() -> impl Strategy<Value = Bounds> {
    let some = (0..2_100_u64, 0..2_100_u64).prop_map(|(from, until)| Bounds { from, until });
    prop_oneof![some, Just(Bounds::ALL)]
}

fn digest(items: &BTreeSet<Item>) -> Digest {
    items.iter().copied().collect::<Index>().fingerprint()
}

proptest! {
    #[test]
    fn an_index_is_the_set_of_what_was_added_and_not_taken_out(
        steps in prop::collection::vec((items(), 0..4_u8), 0..400), bounds in bounds(),
    ) {
        let (mut index, mut model) = (Index::new(), BTreeSet::new());
        let mut added = Vec::new();
        for (item, step) in steps {
            if step == 0 && !added.is_empty() {
                let item: Item = added[usize::try_from(item.at()).unwrap() % added.len()];
                prop_assert_eq!(index.remove(&item), model.remove(&item));
            } else {
                added.push(item);
                prop_assert_eq!(index.insert(item), model.insert(item));
            }
            // Asked in between, so that digests are there to be outdated.
            let _ = index.fingerprint();
        }
        prop_assert_eq!(index.len(), model.len());
        prop_assert_eq!(index.is_empty(), model.is_empty());
        let mut listed = Vec::new();
        index.for_each(|item| listed.push(*item));
        prop_assert!(listed.iter().eq(&model));
        // Whatever happened on the way, the digest is that of the set.
        prop_assert_eq!(index.fingerprint(), digest(&model));
        // And within bounds, that of the items within.
        let within: BTreeSet<Item> = model.iter().filter(|it| bounds.contains(it.at())).copied().collect();
        let view = index.within(bounds);
        prop_assert_eq!(view.count(), within.len());
        prop_assert_eq!(view.fingerprint(), digest(&within));
    }

    #[test]
    fn a_range_is_summed_up_as_if_nothing_else_were_there(
        all in prop::collection::btree_set(items(), 1..300), bounds in bounds(), which: prop::sample::Index, len in 0..304_u16,
    ) {
        let index: Index = all.iter().copied().collect();
        let view = index.within(bounds);
        let range = Prefix::new(which.get(&all.iter().copied().collect::<Vec<_>>()), len);
        let inside: BTreeSet<Item> = all.iter()
            .filter(|item| bounds.contains(item.at()) && range.contains(item)).copied().collect();
        let summary = view.summary(range);
        prop_assert_eq!(summary.count(), inside.len());
        prop_assert_eq!(summary.print(), digest(&inside));
        prop_assert_eq!(matches!(summary, Summary::Few(_)), inside.len() <= LEAF_MAX);
        let listed = view.items(range, inside.len());
        prop_assert!(listed.is_some_and(|listed| listed.iter().eq(&inside)));
        if !inside.is_empty() {
            prop_assert_eq!(view.items(range, inside.len() - 1), None);
        }
        let around: usize = view.around(Prefix::ALL, range).iter().map(|(_, summary)| summary.count()).sum();
        prop_assert_eq!(around + inside.len(), view.count());
    }
}

#[test]
fn sets_that_xor_or_add_up_alike_have_other_digests() {
    let item = |byte| Item::new(5, [byte; 32]);
    let [one, other] =
        [[1, 2, 4], [7, 0, 0]].map(|bytes| bytes.map(item).into_iter().collect::<Index>());
    assert_ne!(one.fingerprint(), other.fingerprint());
}

#[test]
fn an_item_that_is_there_is_not_added_twice_and_one_that_is_not_stays_away() {
    let mut index = Index::new();
    let item = Item::new(1, [1; 32]);
    assert!(index.insert(item) && !index.insert(item));
    assert!(!index.remove(&Item::new(2, [1; 32])));
    assert!(index.remove(&item) && !index.remove(&item));
    assert!(index.is_empty());
    assert_eq!(index.fingerprint(), Index::new().fingerprint());
}
