//! What is learned survives a restart.

use std::collections::BTreeMap;

use super::*;
use crate::Record;

/// A disk: what of the stored records is in force.
#[derive(Default)]
struct Disk {
    key: u64,
    anchors: Vec<NodeId>,
    peers: BTreeMap<NodeId, Bytes>,
}

impl Disk {
    fn save(&mut self, book: &mut Book) {
        loop {
            let records = book.changes(100);
            if records.is_empty() {
                return;
            }
            for record in records {
                match record {
                    Record::Peer { peer, entry } => drop(self.peers.insert(peer, entry)),
                    Record::PeerGone { peer } => {
                        assert!(self.peers.remove(&peer).is_some(), "it was stored");
                    }
                    Record::BookKey { key } => self.key = key,
                    Record::Anchors { peers } => self.anchors = peers,
                    Record::Ban(_) | Record::Pardon { .. } | Record::Proof { .. } => {
                        panic!("not the book's: {record:?}")
                    }
                }
            }
        }
    }

    /// A new life. The record of a peer, here, is its number.
    fn load(&self, contacts: &BTreeMap<NodeId, Contact>) -> Book {
        let mut book = book(999);
        book.restore_key(self.key);
        book.restore_anchors(self.anchors.clone());
        for (peer, entry) in &self.peers {
            let stored = Stored::decode(entry.clone()).unwrap();
            assert_eq!(stored.record, contacts[peer].record);
            book.restore(stored, contacts[peer].clone()).unwrap();
        }
        book
    }
}

fn eventful(seed: u64) -> Book {
    let mut book = book(seed);
    let mut rng = rng(seed);
    for n in 0..3000_u32 {
        let now = later(u64::from(n));
        let _ = book.learn(
            contact(n % 2500, ip(n % 2500)),
            &source(n % 77, ip(n % 77 + 9000)),
            now,
            &mut rng,
        );
        if n % 3 == 0 {
            book.tried(&peer(n), Some(ip(n).into()), now);
        }
        if n % 7 == 0 {
            book.failed(&peer(n), now);
        }
        if n % 50 == 0 {
            book.forget(&peer(n / 2));
        }
    }
    book
}

#[test]
fn a_restart_brings_everybody_back_to_the_place_that_they_had() {
    let mut book = eventful(21);
    book.set_anchors((0..3000).map(peer));
    let mut disk = Disk::default();
    disk.save(&mut book);
    // Some come and go after the first save.
    (100..500).for_each(|n| book.forget(&peer(n)));
    book.learn(contact(7, ip(7)), &source(1, ip(1)), NOW, &mut rng(1)).unwrap();
    disk.save(&mut book);
    assert_eq!(disk.peers.len(), book.len());

    let contacts = book.contacts().map(|contact| (contact.peer, contact.clone())).collect();
    let mut reborn = disk.load(&contacts);
    assert!(reborn.entries.iter().eq(book.entries.iter()));
    assert_eq!(reborn.anchors(), book.anchors());
    assert_eq!(reborn.anchors().len(), ANCHORS_MAX);
    assert_eq!(reborn.last_reached, book.last_reached);
    assert!(reborn.changes(10).is_empty(), "nothing is written that is on the disk");
    reborn.assert_sound();
}

#[test]
fn anchors_are_of_distinct_groups_and_were_reached() {
    let mut book = book(1);
    let peers = [[50, 1, 1, 1], [50, 1, 2, 2], [60, 1, 1, 1], [70, 1, 1, 1]];
    for (n, ip) in (0..).zip(peers) {
        book.learn(contact(n, ip), &source(9, [9; 4]), NOW, &mut rng(1)).unwrap();
    }
    book.tried(&peer(0), Some(peers[0].into()), NOW);
    book.tried(&peer(1), Some(peers[1].into()), NOW);
    book.tried(&peer(3), Some(peers[3].into()), NOW);
    book.set_anchors((0..4).map(peer));
    assert_eq!(book.anchors(), [peer(0), peer(3)]);
    // With all links lost, the last anchors are better than none.
    book.set_anchors([]);
    assert_eq!(book.anchors(), [peer(0), peer(3)]);
}

#[test]
fn who_was_met_in_this_life_before_the_disk_was_read_is_not_doubled() {
    let mut book = eventful(22);
    let mut disk = Disk::default();
    disk.save(&mut book);
    let contacts: BTreeMap<_, _> =
        book.contacts().map(|contact| (contact.peer, contact.clone())).collect();

    let mut reborn = super::book(5);
    reborn.restore_key(disk.key);
    let mut rng = rng(22);
    for (n, contact) in (0..).zip(contacts.values().step_by(3)) {
        let fresh = Contact { number: 5, ..contact.clone() };
        let _ = reborn.learn(fresh, &source(n, ip(n + 9000)), NOW, &mut rng);
    }
    for (peer, entry) in &disk.peers {
        let _ = reborn.restore(Stored::decode(entry.clone()).unwrap(), contacts[peer].clone());
        reborn.assert_sound();
    }
    assert!(reborn.len() * 100 >= book.len() * 95, "{} of {}", reborn.len(), book.len());
    // The newer record wins.
    let newer = reborn.contacts().filter(|contact| contact.number == 5).count();
    assert!(newer * 4 > reborn.len(), "{newer}");
}

#[test]
fn a_flood_and_a_restart_bring_no_more_than_the_flood_alone() {
    let mut book = eventful(23);
    let mut rng = rng(23);
    let honest = book.len();
    for n in 0..50_000_u32 {
        let lie = contact(1_000_000 + n, ip(n * 31));
        let _ = book.learn(lie, &source(2, [66, 6, 6, 6]), NOW, &mut rng);
    }
    let mut disk = Disk::default();
    disk.save(&mut book);
    let contacts = book.contacts().map(|contact| (contact.peer, contact.clone())).collect();
    let reborn = disk.load(&contacts);
    let left = reborn.contacts().filter(|contact| contact.peer < peer(1_000_000)).count();
    assert_eq!(left, honest);
    let anybody_tried =
        (0..100).all(|_| reborn.pick_tried(NOW, &mut rng).is_some_and(|id| id < peer(1_000_000)));
    assert!(anybody_tried, "the tried table is free of lies");
}

#[test]
fn damaged_rows_and_addresses_that_became_our_own_are_dropped() {
    assert_eq!(Stored::decode(Bytes::from_static(b"junk")), None);
    let mut book = book(1);
    book.learn(contact(1, ip(1)), &source(9, ip(9)), NOW, &mut rng(1)).unwrap();
    let mut disk = Disk::default();
    disk.save(&mut book);
    let stored = Stored::decode(disk.peers[&peer(1)].clone()).unwrap();

    let mut reborn = super::book(1);
    reborn.set_own(&[address(ip(1))]);
    assert_eq!(reborn.restore(stored, contact(1, ip(1))), Err(Refused::Own));
    let gone = Record::PeerGone { peer: peer(1) };
    assert!(reborn.changes(10).contains(&gone));
}
