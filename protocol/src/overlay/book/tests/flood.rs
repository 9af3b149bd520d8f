//! Floods: how much of the book they reach, and what they leave.

use proptest::prelude::*;

use super::*;

/// A book that has heard of `count` honest peers from 200 honest ones, all in groups of their own.
fn peaceful(key: u64, count: u32) -> Book {
    let mut book = book(key);
    let mut rng = rng(key);
    for n in 0..count {
        let teller = 100_000 + n % 200;
        let _ = book.learn(contact(n, ip(n)), &source(teller, ip(teller)), NOW, &mut rng);
    }
    book
}

fn honest(book: &Book) -> BTreeSet<NodeId> {
    book.contacts().map(|contact| contact.peer).filter(|id| *id < peer(1_000_000)).collect()
}

fn lies(n: u32) -> Contact {
    let [_, high, middle, low] = n.wrapping_mul(2_654_435_761).to_be_bytes();
    contact(1_000_000 + n, [20 + high % 100, middle, low, 1])
}

#[test]
fn a_flood_of_100_000_records_from_one_16_displaces_nobody_and_gets_a_sixteenth() {
    for key in 0..5 {
        let mut book = peaceful(key, 5_000);
        let before = honest(&book);
        let mut rng = rng(key);
        for n in 0..100_000_u32 {
            let [_, _, high, low] = n.to_be_bytes();
            let _ = book.learn(lies(n), &source(2_000_000 + n, [66, 6, high, low]), NOW, &mut rng);
        }
        book.assert_sound();
        let after = honest(&book);
        assert_eq!(after, before, "all of {} are left", before.len());
        let lies = book.len() - after.len();
        let share = lies as f64 / book.new.max() as f64;
        assert!(share <= 1.0 / 16.0, "the flood has {lies} places, {share:.3} of the table");
        let picked = (0..4000).filter_map(|_| book.pick(NOW, &mut rng));
        let picked = picked.filter(|id| *id >= peer(1_000_000)).count() as f64 / 4000.0;
        // Its share of buckets, however full it makes them.
        assert!(picked <= 1.2 / 16.0, "{picked:.3} of the picks are lies");
    }
}

#[test]
fn peers_who_come_after_a_flood_still_find_their_places() {
    let mut book = book(3);
    let mut rng = rng(3);
    for n in 0..100_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let _ = book.learn(lies(n), &source(2_000_000 + n, [66, 6, high, low]), NOW, &mut rng);
    }
    let mut added = 0;
    for n in 0..2000 {
        let teller = 100_000 + n % 200;
        let outcome = book.learn(contact(n, ip(n)), &source(teller, ip(teller)), NOW, &mut rng);
        added += usize::from(outcome == Ok(Learned::Added));
    }
    let quiet = peaceful(3, 2000).len();
    // What they would have had without the flood, less the sixteenth.
    assert!(added as f64 >= 0.92 * quiet as f64, "{added} of {quiet}");
    book.assert_sound();
}

#[test]
fn addresses_of_one_16_told_by_everybody_get_one_bucket_of_each_teller() {
    let mut book = peaceful(7, 5_000);
    let before = honest(&book);
    let mut rng = rng(7);
    for n in 0..100_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let teller = 100_000 + n % 20;
        let lie = contact(1_000_000 + n, [66, 6, high, low]);
        let _ = book.learn(lie, &source(teller, ip(teller)), NOW, &mut rng);
    }
    assert_eq!(honest(&book), before);
    let lies = book.len() - before.len();
    assert!(lies <= 20 * usize::from(SLOTS), "{lies} places");
}

#[test]
fn a_thousand_reached_sybils_of_one_16_get_four_tried_buckets() {
    let mut book = peaceful(8, 3_000);
    let mut rng = rng(8);
    for n in 0..1500 {
        book.tried(&peer(n), Some(ip(n).into()), NOW);
    }
    let before: BTreeSet<_> =
        book.entries.iter().filter(|e| e.is_tried()).map(|e| e.contact.peer).collect();
    for n in 0..10_000_u32 {
        let [_, _, high, low] = n.to_be_bytes();
        let sybil = contact(1_000_000 + n, [66, 6, high, low]);
        let _ = book.learn(sybil, &source(n, [66, 6, high, low]), NOW, &mut rng);
        book.tried(&peer(1_000_000 + n), Some([66, 6, high, low].into()), NOW);
    }
    book.assert_sound();
    let tried: Vec<_> = book.entries.iter().filter(|entry| entry.is_tried()).collect();
    let sybils = tried.len() - before.len();
    assert!(sybils <= usize::from(TRIED_PER_GROUP) * usize::from(SLOTS), "{sybils}");
    assert!(before.iter().all(|peer| book.shelf(peer) == Some(Shelf::Tried)));
}

/// What one step of a random life is.
#[derive(Clone, Debug)]
enum Step {
    Learn { peer: u32, number: u64, at: u8, from: u8 },
    Tried { peer: u32, at: u8 },
    Failed { peer: u32 },
    Forget { peer: u32 },
    Feel,
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    // Few peers and one lane's worth of groups, so that places collide.
    let peer = 0..600_u32;
    prop_oneof![
        8 => (peer.clone(), 0..4_u64, 0..3_u8, 0..3_u8)
            .prop_map(|(peer, number, at, from)| Step::Learn { peer, number, at, from }),
        4 => (peer.clone(), 0..2_u8).prop_map(|(peer, at)| Step::Tried { peer, at }),
        4 => peer.clone().prop_map(|peer| Step::Failed { peer }),
        1 => peer.prop_map(|peer| Step::Forget { peer }),
        1 => Just(Step::Feel),
        1 => Just(Step::Save),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn places_and_peers_always_agree(steps in prop::collection::vec(step(), 1..1500), hours in 0..40_u64) {
        let mut book = book(6);
        let mut rng = rng(6);
        for (index, step) in steps.into_iter().enumerate() {
            let now = later(index as u64 * hours * 60);
            let at = |at: u8| [50 + at, 1, 1, 1];
            match step {
                Step::Learn { peer, number, at: to, from } => {
                    let contact = Contact { number, time: now, ..contact(peer, at(to)) };
                    let _ = book.learn(contact, &source(1, at(from)), now, &mut rng);
                }
                Step::Tried { peer: n, at: to } => book.tried(&peer(n), Some(at(to).into()), now),
                Step::Failed { peer: n } => book.failed(&peer(n), now),
                Step::Forget { peer: n } => book.forget(&peer(n)),
                Step::Feel => drop(book.pick_feeler(now, &mut rng)),
                Step::Save => drop(book.changes(7)),
            }
        }
        book.assert_sound();
    }
}
