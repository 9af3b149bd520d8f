//! Whatever the other side says, a comparison ends within its limits, with a result or a name for what was wrong.

use forsooth_protocol::sync::{
    Bounds, Index, Item, Prefix, Stem, Symbol,
    reconcile::{
        Ask, Claim, Cut, Difference, Ending, Failure, Fallback, Limits, Method, Part, Question,
        Reply, Tell, answer,
    },
};
use proptest::prelude::*;

use crate::pair::{Outcome, compare_with, index, missing, scattered};

/// Two large sets, each of which has 20 items that the other lacks.
fn two() -> (Index, Index) {
    let all: Vec<Item> = scattered(20_040, 0).collect();
    (index(all.iter().skip(20).copied()), index(all.iter().take(20_020).copied()))
}

/// Compares with a side that changes what it says.
fn with_liar(
    (here, there): (&Index, &Index),
    limits: Limits,
    mut change: impl FnMut(&Question, &mut Reply),
) -> Outcome {
    compare_with(here, Bounds::ALL, limits, |question| {
        let mut reply = answer(there, Bounds::ALL, question);
        change(question, &mut reply);
        reply
    })
}

fn found_all(difference: &Difference, here: &Index, there: &Index) {
    assert_eq!(difference.ending, Ending::Complete);
    assert!(difference.theirs.iter().eq(&missing(there, here)));
    assert!(difference.ours.iter().eq(&missing(here, there)));
}

/// Symbols are changed and all else is honest: what differs is found all the same, by ranges.
fn falls_back(why: Fallback, mut change: impl FnMut(&mut Vec<Symbol>)) {
    let (here, there) = two();
    let outcome = with_liar((&here, &there), Limits::default(), |_, reply| {
        if let Tell::Symbols { symbols, .. } = &mut reply.tell {
            change(symbols);
        }
    });
    let difference = outcome.result.unwrap();
    assert_eq!(difference.fallback, Some(why));
    found_all(&difference, &here, &there);
    // What ranges cost for 40 differences, and symbols in vain on top: that much a liar, or prepared items, can cost.
    assert!(outcome.bytes < 60_000, "{} bytes", outcome.bytes);
}

fn refused(failure: Failure, change: impl FnMut(&Question, &mut Reply)) {
    let (here, there) = two();
    let limits = Limits { method: Method::Merkle, ..Limits::default() };
    let outcome = with_liar((&here, &there), limits, change);
    assert_eq!(outcome.result.unwrap_err(), failure);
}

#[test]
fn garbage_instead_of_symbols_ends_in_ranges() {
    let mut state = 1_u64;
    falls_back(Fallback::Unsolved, |symbols| {
        for symbol in symbols {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            symbol.stem = Stem::from_bytes(u128::from(state).to_be_bytes());
            (symbol.check, symbol.count) = (state, 1);
        }
    });
}

#[test]
fn symbols_that_can_never_be_solved_are_given_up() {
    falls_back(Fallback::Unsolved, |symbols| symbols.iter_mut().for_each(|it| it.check ^= 1));
}

#[test]
fn no_symbols_at_all_end_in_ranges() {
    falls_back(Fallback::Unsolved, Vec::clear);
}

#[test]
fn symbols_that_give_one_item_again_and_again_end_in_ranges() {
    // Against an empty set: one item alone in every symbol, also where it does not belong.
    let (here, there) = (index([]), index(scattered(1, 3)));
    let outcome = with_liar((&here, &there), Limits::default(), |_, reply| {
        if let Tell::Symbols { symbols, .. } = &mut reply.tell {
            *symbols = vec![symbols[0]; 40];
        }
    });
    let difference = outcome.result.unwrap();
    assert_eq!(difference.fallback, Some(Fallback::Garbage));
    found_all(&difference, &here, &there);
}

#[test]
fn symbols_of_another_set_than_the_digest_end_in_ranges() {
    let (here, there) = two();
    // They are solved, into less than there is, and are not believed.
    let mut lacks_one = there.clone();
    assert!(lacks_one.remove(&scattered(1, 0).next().unwrap()));
    let outcome = with_liar((&here, &there), Limits::default(), |question, reply| {
        let Tell::Symbols { root, .. } = reply.tell else { return };
        let mut tell = answer(&lacks_one, Bounds::ALL, question).tell;
        if let (Ask::Symbols { first, len, .. }, Tell::Symbols { root, .. }) =
            (&question.ask, &tell)
        {
            let ask = Ask::Symbols { first: *first, len: *len, root: *root };
            tell = answer(&lacks_one, Bounds::ALL, &Question { ask, ..question.clone() }).tell;
        }
        if let Tell::Symbols { root: claimed, .. } = &mut tell {
            *claimed = root;
        }
        reply.tell = tell;
    });
    let difference = outcome.result.unwrap();
    assert_eq!(difference.fallback, Some(Fallback::Mismatch));
    found_all(&difference, &here, &there);
}

#[test]
fn a_set_that_changes_between_two_replies_ends_in_ranges() {
    let (here, there) = two();
    let mut changed = false;
    let outcome = with_liar((&here, &there), Limits::default(), |_, reply| {
        if let Tell::Symbols { root, symbols, .. } = &mut reply.tell {
            // Too few at first, so that it is asked for more.
            symbols.truncate(5);
            root[0] ^= u8::from(changed);
            changed = true;
        }
    });
    let difference = outcome.result.unwrap();
    assert_eq!(difference.fallback, Some(Fallback::Moved));
    found_all(&difference, &here, &there);
}

/// Items that have been looked for (2^40 tries for each two, by birthday) until their stems were the same.
fn alike(stem_of: &Item, last: u8) -> Item {
    let mut tail = stem_of.tail();
    tail[21] ^= last;
    stem_of.stem().with(&tail)
}

#[test]
fn prepared_items_of_one_stem_end_in_ranges_and_in_the_right_difference() {
    let (here, there) = two();
    let [shared, theirs, ours] = [0, 1, 2].map(|n| Item::new(1_700_000_000_000 + n, [9; 32]));
    // What each side is given, and whether symbols can tell.
    let cases: [(&[Item], &[Item], bool); 6] = [
        // Two of one stem are never alone in a symbol.
        (&[], &[theirs, alike(&theirs, 1)], false),
        (&[ours, alike(&ours, 1)], &[], false),
        // One on each side: they are gone, as if they were the same.
        (&[ours], &[alike(&ours, 1)], false),
        // Which of two we lack is told with the rest of them.
        (&[shared], &[shared, alike(&shared, 1)], true),
        // Which of two they lack is not told.
        (&[shared, alike(&shared, 1)], &[shared], false),
        // More than are told.
        (&[], &[1, 2, 3].map(|last| alike(&theirs, last)), false),
    ];
    for (own, other, can_tell) in cases {
        let with = |index: &Index, items: &[Item]| {
            let mut index = index.clone();
            items.iter().for_each(|item| assert!(index.insert(*item)));
            index
        };
        let (here, there) = (with(&here, own), with(&there, other));
        let outcome = with_liar((&here, &there), Limits::default(), |_, _| {});
        let difference = outcome.result.unwrap();
        assert_eq!(difference.fallback.is_none(), can_tell, "{own:?} {other:?}");
        found_all(&difference, &here, &there);
        assert!(outcome.bytes < 60_000, "{} bytes", outcome.bytes);
    }
}

#[test]
fn rests_of_other_items_end_in_ranges_and_rests_of_more_are_refused() {
    let (here, there) = two();
    let changed = |change: fn(&mut Vec<Vec<[u8; 22]>>)| {
        with_liar((&here, &there), Limits::default(), move |_, reply| {
            if let Tell::Tails(tails) = &mut reply.tell {
                change(tails);
            }
        })
    };
    for change in [
        |tails: &mut Vec<Vec<[u8; 22]>>| tails[0][0][5] ^= 1,
        |tails: &mut Vec<Vec<[u8; 22]>>| tails[0].clear(),
        |tails: &mut Vec<Vec<[u8; 22]>>| tails[0].push([1; 22]),
    ] {
        let outcome = changed(change);
        let difference = outcome.result.unwrap();
        assert_eq!(difference.fallback, Some(Fallback::Mismatch));
        found_all(&difference, &here, &there);
        assert!(outcome.bytes < 60_000, "{} bytes", outcome.bytes);
    }
    let more = changed(|tails| tails.push(vec![[1; 22]]));
    assert_eq!(more.result.unwrap_err(), Failure::Misplaced);
    let fewer = changed(|tails| _ = tails.pop());
    assert_eq!(fewer.result.unwrap_err(), Failure::Misplaced);
}

#[test]
fn absurd_counts_end_in_ranges() {
    let (here, there) = two();
    for absurd in [0, 1, u64::MAX] {
        let outcome = with_liar((&here, &there), Limits::default(), |_, reply| {
            if let Tell::Symbols { count, .. } = &mut reply.tell {
                *count = absurd;
            }
        });
        found_all(&outcome.result.unwrap(), &here, &there);
    }
}

#[test]
fn lying_digests_cost_what_the_limits_say_and_put_nothing_into_the_result() {
    let (here, there) = two();
    let limits = Limits { method: Method::Merkle, bytes_max: 1 << 20, ..Limits::default() };
    let mut salt = 1_u64;
    let outcome = with_liar((&here, &there), limits, |_, reply| {
        if let Tell::Ranges { claims, .. } = &mut reply.tell {
            for claim in claims {
                if let Claim::Split { parts, .. } = claim {
                    *parts = (0..16).map(|number| Part { number, print: salt }).collect();
                    salt += 1;
                }
            }
        }
    });
    let difference = outcome.result.unwrap();
    let lacked = missing(&there, &here);
    assert!(difference.theirs.iter().all(|item| lacked.contains(item)));
    assert!(outcome.bytes < (1 << 20) + (300 << 10), "{} bytes", outcome.bytes);
}

#[test]
fn ranges_without_end_come_to_an_end() {
    let (here, there) = two();
    let limits = Limits { method: Method::Merkle, ..Limits::default() };
    // Each range that is asked about is said to have more in all of its parts.
    let outcome = with_liar((&here, &there), limits, |question, reply| {
        let parts = || (0..16).map(|number| Part { number, print: 3 }).collect();
        let deeper = |claim: &Claim| match claim {
            Claim::Split { range, .. } | Claim::Few { range, .. } | Claim::Items { range, .. } => {
                Claim::Split { range: *range, within: *range, parts: parts() }
            }
        };
        if let Ask::Ranges(claims) = &question.ask {
            let claims = claims.iter().filter(|claim| matches!(claim, Claim::Few { .. }));
            reply.tell = Tell::Ranges { claims: claims.map(deeper).collect(), unanswered: 0 };
        }
    });
    let ending = outcome.result.unwrap().ending;
    assert!(matches!(ending, Ending::Complete | Ending::Cut(_)), "{ending:?}");
    assert!(outcome.bytes <= (16 << 20) + (300 << 10));
}

#[test]
fn a_limit_on_rounds_ends_what_nothing_else_does() {
    let (here, there) = two();
    let limits = Limits { method: Method::Merkle, rounds_max: 2, ..Limits::default() };
    let outcome = with_liar((&here, &there), limits, |_, _| {});
    assert_eq!(outcome.result.unwrap().ending, Ending::Cut(Cut::Rounds));
    assert_eq!(outcome.rounds, 2);
}

#[test]
fn replies_to_other_questions_are_refused() {
    refused(Failure::Unasked, |_, reply| reply.number = 99);
    refused(Failure::Unasked, |question, reply| {
        if question.number == 1 {
            reply.tell = Tell::Equal;
        }
    });
    refused(Failure::Unasked, |_, reply| {
        // Symbols, though none were wanted.
        reply.tell = Tell::Symbols { count: 1, root: [0; 16], first: 0, symbols: Vec::new() };
    });
}

#[test]
fn replies_that_lead_nowhere_are_refused() {
    refused(Failure::Stuck, |question, reply| {
        if question.number == 1 {
            reply.tell = Tell::Ranges { claims: Vec::new(), unanswered: u32::MAX };
        }
    });
    refused(Failure::Stuck, |_, reply| reply.tell = Tell::Narrow(Bounds::ALL));
}

#[test]
fn a_side_whose_oldest_items_go_meanwhile_is_heard_no_further_and_blamed_for_nothing() {
    let mut from = 0;
    refused(Failure::Moved, |question, reply| {
        from += 1;
        reply.tell = Tell::Narrow(Bounds { from, ..question.bounds });
    });
    refused(Failure::Moved, |question, reply| {
        if question.number == 1 {
            reply.tell = Tell::Narrow(Bounds { from: 7, ..question.bounds });
        }
    });
}

#[test]
fn replies_about_other_ranges_or_with_items_that_are_not_in_them_are_refused() {
    let listed = |range, items| Claim::Items { range, items, lacking: 0 };
    let strange = Item::new(5, [5; 32]);
    refused(Failure::Misplaced, |question, reply| {
        if question.number == 1 {
            let claims = vec![listed(Prefix::ALL, vec![strange])];
            reply.tell = Tell::Ranges { claims, unanswered: 0 };
        }
    });
    refused(Failure::Misplaced, |question, reply| {
        if question.number == 0 {
            reply.tell = Tell::Ranges { claims: Vec::new(), unanswered: 0 };
        }
    });
}

#[test]
fn items_out_of_bounds_are_refused() {
    let (here, there) = (index([]), index([Item::new(50, [1; 32])]));
    let bounds = Bounds { from: 0, until: 10 };
    let mut first = true;
    let outcome = compare_with(&here, bounds, Limits::default(), |question| {
        let unbounded = Question { bounds: Bounds::ALL, ..question.clone() };
        let mut reply = answer(&there, Bounds::ALL, &unbounded);
        if let (true, Tell::Symbols { .. }) = (first, &reply.tell) {
            reply.tell = answer(&there, Bounds::ALL, &Question { ask: few(), ..unbounded }).tell;
        }
        first = false;
        reply
    });
    assert_eq!(outcome.result.unwrap_err(), Failure::Misplaced);
}

fn few() -> Ask {
    Ask::Ranges(vec![Claim::Few { range: Prefix::ALL, names: Vec::new() }])
}

fn symbols() -> impl Strategy<Value = Vec<Symbol>> {
    let symbol = (any::<[u8; 16]>(), any::<u64>(), -3..4_i64)
        .prop_map(|(stem, check, count)| Symbol { stem: Stem::from_bytes(stem), check, count });
    prop::collection::vec(symbol, 0..40)
}

/// Anything, that may fit to what was asked.
fn tells() -> impl Strategy<Value = Tell> {
    let parts = prop::collection::btree_map(0..16_u8, any::<u64>(), 1..16);
    let claim = (0..4_u8, parts, prop::collection::vec(any::<u64>(), 0..16));
    let claims = prop::collection::vec(claim, 0..4);
    prop_oneof![
        Just(Tell::Equal),
        any::<(u64, u64)>().prop_map(|(from, until)| Tell::Narrow(Bounds { from, until })),
        (symbols(), any::<u64>(), 0..9_u32).prop_map(|(symbols, count, first)| Tell::Symbols {
            count,
            root: [0; 16],
            first: if first > 4 { 0 } else { first },
            symbols
        }),
        prop::collection::vec(prop::collection::vec(any::<[u8; 22]>(), 0..3), 0..9)
            .prop_map(Tell::Tails),
        (claims, 0..3_u32).prop_map(|(claims, unanswered)| {
            let range = Prefix::ALL;
            let claims = claims.into_iter().map(|(form, parts, names)| match form {
                0 => Claim::Few { range, names },
                _ => Claim::Split {
                    range,
                    within: range,
                    parts: parts
                        .into_iter()
                        .map(|(number, print)| Part { number, print })
                        .collect(),
                },
            });
            Tell::Ranges { claims: claims.collect(), unanswered }
        }),
    ]
}

proptest! {
    #[test]
    fn any_replies_come_to_an_end(tells in prop::collection::vec(tells(), 1..40), items in 0..300_u64) {
        let here = index(scattered(items, 1));
        let there = index(scattered(300, 2));
        let mut tells = tells.into_iter();
        let outcome = compare_with(&here, Bounds::ALL, Limits::default(), |question| {
            let honest = answer(&there, Bounds::ALL, question);
            Reply { number: question.number, tell: tells.next().unwrap_or(honest.tell) }
        });
        // That it ended is what was to be shown.
        prop_assert!(outcome.rounds > 0);
    }
}
