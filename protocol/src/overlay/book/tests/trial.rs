//! Test before evict.

use super::*;

/// A book with two peers, both reached, that want one place in the tried table: who has it, and who waits.
fn contested() -> (Book, NodeId, NodeId) {
    let mut book = book(5);
    let mut rng = rng(5);
    let at = [66, 6, 6, 6];
    let group = Group::V4([66, 6]);
    let spot = book.key.reached(&peer(0), &group);
    let rival = (1..).find(|n| book.key.reached(&peer(*n), &group) == spot).unwrap();
    for n in [0, rival] {
        book.learn(contact(n, at), &source(9, ip(n)), NOW, &mut rng).unwrap();
    }
    book.tried(&peer(0), Some(at.into()), NOW);
    assert_eq!(book.shelf(&peer(0)), Some(Shelf::Tried));
    let now = later(5 * 3600);
    book.tried(&peer(rival), Some(at.into()), now);
    assert_eq!(book.contests.len(), 1);
    (book, peer(0), peer(rival))
}

#[test]
fn a_tried_peer_keeps_its_place_when_it_passes_the_test() {
    let (mut book, old, new) = contested();
    let now = later(5 * 3600 + 60);
    assert_eq!(book.pick_feeler(now, &mut rng(1)), Some(old));
    book.tried(&old, Some([66, 6, 6, 6].into()), now);
    assert_eq!((book.shelf(&old), book.shelf(&new)), (Some(Shelf::Tried), Some(Shelf::New)));
    assert_eq!(book.contests.len(), 0);
    book.assert_sound();
}

#[test]
fn a_tried_peer_that_fails_the_test_goes_back_and_the_newcomer_takes_its_place() {
    let (mut book, old, new) = contested();
    book.failed(&old, later(5 * 3600 + 60));
    assert_eq!((book.shelf(&old), book.shelf(&new)), (Some(Shelf::New), Some(Shelf::Tried)));
    book.assert_sound();
}

#[test]
fn a_tried_peer_that_nobody_wants_to_replace_stays_however_often_it_fails() {
    let (mut book, old, new) = contested();
    book.forget(&new);
    for n in 0..100 {
        // Somebody else is reached in between.
        book.last_reached = Some(later(20_000 + n * 600));
        book.failed(&old, later(20_001 + n * 600));
    }
    assert_eq!(book.shelf(&old), Some(Shelf::Tried));
}

#[test]
fn a_test_that_never_takes_place_evicts_nobody() {
    let (mut book, old, new) = contested();
    let now = later(5 * 3600 + 41 * 60);
    let picked = book.pick_feeler(now, &mut rng(1));
    assert_eq!(picked, Some(new), "no longer a test, but a new one to try");
    book.failed(&old, now);
    assert_eq!((book.shelf(&old), book.shelf(&new)), (Some(Shelf::Tried), Some(Shelf::New)));
}

#[test]
fn a_peer_reached_within_four_hours_needs_no_test() {
    let (mut book, old, new) = contested();
    book.tried(&old, Some([66, 6, 6, 6].into()), later(5 * 3600 + 1));
    book.tried(&new, Some([66, 6, 6, 6].into()), later(9 * 3600));
    assert_eq!(book.contests.len(), 0);
    book.tried(&new, Some([66, 6, 6, 6].into()), later(9 * 3600 + 2));
    assert_eq!(book.contests.len(), 1);
}

#[test]
fn who_moves_away_from_where_it_was_reached_has_to_be_reached_again() {
    let mut book = book(5);
    let learn = |book: &mut Book, number, ip| {
        let contact = Contact { number, ..contact(1, ip) };
        book.learn(contact, &source(9, [9; 4]), NOW, &mut rng(1)).unwrap();
    };
    learn(&mut book, 1, [66, 6, 6, 6]);
    book.tried(&peer(1), Some([66, 6, 6, 6].into()), NOW);
    learn(&mut book, 2, [66, 6, 7, 7]);
    assert_eq!(book.shelf(&peer(1)), Some(Shelf::Tried), "the same /16");
    learn(&mut book, 3, [77, 7, 7, 7]);
    assert_eq!(book.shelf(&peer(1)), Some(Shelf::New));
    book.assert_sound();
}

#[test]
fn no_flood_of_reached_peers_evicts_tried_ones_that_answer() {
    let mut book = book(11);
    let mut rng = rng(11);
    let tellers = |n: u32| source(n % 500, ip(n % 500 + 7000));
    for n in 0..3000 {
        let _ = book.learn(contact(n, ip(n)), &tellers(n), NOW, &mut rng);
        book.tried(&peer(n), Some(ip(n).into()), NOW);
    }
    let tried = |book: &Book| -> BTreeSet<_> {
        book.entries.iter().filter(|e| e.is_tried()).map(|e| e.contact.peer).collect()
    };
    let before = tried(&book);
    assert!(before.len() > 2000, "{}", before.len());
    // An attacker with addresses in 20,000 groups, each of which answers; a feeler for each of its joins.
    for n in 0..20_000 {
        let now = later(5 * 3600 + u64::from(n) * 120);
        let sybil = Contact { time: now, ..contact(1_000_000 + n, ip(n + 8000)) };
        let _ = book.learn(sybil, &source(n, ip(n + 8000)), now, &mut rng);
        book.tried(&peer(1_000_000 + n), Some(ip(n + 8000).into()), now);
        if let Some(feeler) = book.pick_feeler(now, &mut rng) {
            book.tried(&feeler, None, now);
        }
    }
    assert!(before.is_subset(&tried(&book)));
    book.assert_sound();
}
