//! What the book promises, against those who would fill it.

mod flood;
mod restart;
mod trial;

use std::collections::BTreeSet;

use bytes::Bytes;
use rand_core::SeedableRng as _;

use super::{entry::Standing, *};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) fn later(secs: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(secs))
}

pub(super) fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

pub(super) fn peer(n: u32) -> NodeId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&n.to_be_bytes());
    NodeId::from_bytes(id)
}

pub(super) fn book(key: u64) -> Book {
    book_with(key, "")
}

/// A book with a table of autonomous systems.
fn book_with(key: u64, table: &str) -> Book {
    let me = NodeId::from_bytes([0xff; 32]);
    let asns = Arc::new(AsnMap::parse(table).unwrap());
    Book::new(Config { me, kind: Kind::Production, grouping: Grouping::Subnet, key, asns })
}

/// An address in a /16 of its own for each of the first 30,000 or so.
pub(super) fn ip(n: u32) -> [u8; 4] {
    let [_, _, high, low] = n.to_be_bytes();
    [20 + high % 60, low, high, 1]
}

pub(super) fn address([a, b, c, d]: [u8; 4]) -> Address {
    Address::new(&format!("/ip4/{a}.{b}.{c}.{d}/tcp/8650")).unwrap()
}

pub(super) fn contact(n: u32, ip: [u8; 4]) -> Contact {
    Contact {
        peer: peer(n),
        number: 1,
        time: NOW,
        addresses: vec![address(ip)],
        record: Bytes::copy_from_slice(&n.to_be_bytes()),
    }
}

pub(super) fn source(n: u32, ip: [u8; 4]) -> Source {
    Source { peer: peer(n), ip: Some(ip.into()) }
}

impl Book {
    /// Checks that places and peers agree, that nothing is over its bound, and that nothing gone is kept.
    pub(super) fn assert_sound(&self) {
        let mut places = 0;
        for entry in self.entries.iter() {
            let handle = self.entries.handle(&entry.contact.peer);
            assert_eq!(handle.and_then(|handle| self.entries.at(handle)), Some(entry));
            match &entry.standing {
                Standing::New(spots) => {
                    assert!((1..=SPOTS_MAX).contains(&spots.len()));
                    assert_eq!(spots.iter().collect::<BTreeSet<_>>().len(), spots.len());
                    assert!(spots.iter().all(|spot| self.new.get(*spot) == handle));
                    places += spots.len();
                }
                Standing::Tried(reached) => {
                    assert_eq!(self.tried.get(reached.spot), handle);
                    places += 1;
                }
            }
        }
        assert_eq!(places, self.new.used() + self.tried.used());
        assert!(self.contests.keys().all(|peer| self.shelf(peer) == Some(Shelf::New)));
        assert!(
            self.contests.values().all(|contest| self.tried.get(contest.reached.spot).is_some())
        );
        for Bound { name, used, max } in self.bounds() {
            assert!(used <= max, "{name}: {used} of {max}");
        }
    }
}

#[test]
fn a_record_is_learned_once_and_a_higher_number_replaces_it() {
    let mut book = book(1);
    let mut learn = |contact| book.learn(contact, &source(9, [9, 9, 9, 9]), NOW, &mut rng(1));
    assert_eq!(learn(contact(1, ip(1))), Ok(Learned::Added));
    assert_eq!(learn(contact(1, ip(2))), Ok(Learned::Known));
    assert_eq!(learn(Contact { number: 2, ..contact(1, ip(3)) }), Ok(Learned::Updated));
    assert_eq!(learn(Contact { number: 1, ..contact(1, ip(4)) }), Ok(Learned::Known));
    let known = book.contact(&peer(1)).unwrap();
    assert_eq!((known.number, &known.addresses), (2, &vec![address(ip(3))]));
    book.assert_sound();
}

#[test]
fn absurd_records_are_refused_with_their_reason_and_leave_no_trace() {
    let mut book = book(1);
    book.set_own(&[address([8, 8, 8, 8])]);
    let me = Contact { peer: NodeId::from_bytes([0xff; 32]), ..contact(1, ip(1)) };
    let with = |addresses| Contact { addresses, ..contact(1, ip(1)) };
    let cases = [
        (me, Refused::Own),
        (contact(1, [8, 8, 8, 8]), Refused::Own),
        (contact(1, [10, 0, 0, 1]), Refused::Private),
        (contact(1, [224, 0, 0, 1]), Refused::Multicast),
        (with(vec![]), Refused::NoAddress),
        (with(vec![address(ip(1)); ADDRESSES_MAX + 1]), Refused::ManyAddresses),
        (Contact { time: later(601), ..contact(1, ip(1)) }, Refused::FromFuture),
        (Contact { time: NOW.saturating_sub(HORIZON * 2), ..contact(1, ip(1)) }, Refused::Outdated),
        (
            Contact { record: vec![0; RECORD_BYTES_MAX + 1].into(), ..contact(1, ip(1)) },
            Refused::Oversized,
        ),
    ];
    for (contact, reason) in cases {
        let outcome = book.learn(contact, &source(9, [9, 9, 9, 9]), NOW, &mut rng(1));
        assert_eq!(outcome, Err(reason));
    }
    assert!(book.is_empty());
    // Almost absurd ones.
    for contact in [
        with(vec![address([10, 0, 0, 1]), address(ip(1))]),
        Contact { time: later(600), ..contact(2, ip(2)) },
        Contact { time: NOW.saturating_sub(HORIZON), ..contact(3, ip(3)) },
    ] {
        let outcome = book.learn(contact, &source(9, [9, 9, 9, 9]), NOW, &mut rng(1));
        assert_eq!(outcome, Ok(Learned::Added));
    }
    assert_eq!(book.contact(&peer(1)).unwrap().addresses, [address(ip(1))]);
}

#[test]
fn a_peer_heard_of_from_many_groups_has_a_few_places_and_from_one_has_one() {
    let mut book = book(4);
    let mut rng = rng(4);
    for n in 0..200 {
        book.learn(contact(1, ip(1)), &source(1000 + n, ip(1000 + n)), NOW, &mut rng).unwrap();
        book.learn(contact(2, ip(2)), &source(5, ip(5)), NOW, &mut rng).unwrap();
    }
    let places = |n| match &book.entries.get(&peer(n)).unwrap().standing {
        Standing::New(spots) => spots.len(),
        Standing::Tried(_) => 0,
    };
    assert_eq!((places(1), places(2)), (SPOTS_MAX, 1));
    book.assert_sound();
}

#[test]
fn all_networks_of_one_system_are_one_group_of_sources_and_of_peers() {
    for (table, places, anchors) in [("20.0.0.0/6 64500", 1, 1), ("", SPOTS_MAX, 2)] {
        let mut book = book_with(4, table);
        let mut rng = rng(4);
        for n in 0..200 {
            let heard = contact(1, [99, 1, 1, 1]);
            book.learn(heard, &source(1000 + n, ip(n)), NOW, &mut rng).unwrap();
        }
        let entry = book.entries.get(&peer(1)).unwrap();
        let Standing::New(spots) = &entry.standing else { panic!("not tried") };
        assert_eq!(spots.len(), places);
        for n in [2, 3] {
            book.learn(contact(n, ip(n)), &source(9, [9; 4]), NOW, &mut rng).unwrap();
            book.tried(&peer(n), Some(ip(n).into()), NOW);
        }
        book.set_anchors([peer(2), peer(3)]);
        assert_eq!(book.anchors().len(), anchors);
        book.assert_sound();
    }
}

#[test]
fn who_never_answers_makes_room_after_three_failures_and_is_picked_less() {
    let mut book = book(2);
    book.learn(contact(1, ip(1)), &source(9, ip(9)), NOW, &mut rng(1)).unwrap();
    book.learn(contact(2, ip(2)), &source(9, ip(9)), NOW, &mut rng(1)).unwrap();
    book.learn(contact(3, ip(3)), &source(9, ip(9)), NOW, &mut rng(1)).unwrap();
    for n in 1..=3 {
        // Somebody else is reached in between, so the failures are the peer's.
        book.tried(&peer(3), Some(ip(3).into()), later(n * 600));
        book.failed(&peer(1), later(n * 600 + 1));
        assert_eq!(book.entries.get(&peer(1)).unwrap().is_terrible(later(n * 600 + 100)), n == 3);
    }
    let mut rng = rng(2);
    let now = later(10_000);
    let picked = (0..1000).filter(|_| book.pick_feeler(now, &mut rng) == Some(peer(1))).count();
    // 0.66^3 = 0.29 of the other's chance, so about 22 %.
    assert!((100..350).contains(&picked), "picked {picked} times of 1000");
}

#[test]
fn a_node_that_is_offline_counts_one_failure_of_each() {
    let mut book = book(2);
    for n in 0..50 {
        book.learn(contact(n, ip(n)), &source(99, ip(99)), NOW, &mut rng(1)).unwrap();
    }
    for round in 0..100 {
        (0..50).for_each(|n| book.failed(&peer(n), later(round * 600)));
    }
    assert!(book.entries.iter().all(|entry| entry.dials().failures == 1));
}

#[test]
fn a_banned_peer_is_forgotten_everywhere() {
    let mut book = book(2);
    book.learn(contact(1, ip(1)), &source(9, ip(9)), NOW, &mut rng(1)).unwrap();
    book.tried(&peer(1), Some(ip(1).into()), NOW);
    book.set_anchors([peer(1)]);
    assert_eq!(book.anchors(), [peer(1)]);
    book.forget(&peer(1));
    assert!(book.is_empty() && book.anchors().is_empty());
    assert_eq!(book.pick(NOW, &mut rng(1)), None);
    assert_eq!(book.pick_feeler(NOW, &mut rng(1)), None);
    book.assert_sound();
}
