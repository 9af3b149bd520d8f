//! What is refused, each named after it.

use bytes::Bytes;
use forsooth_crypto::Keypair;
use forsooth_protocol::{
    Address, Fault, Participant as _,
    membership::{Accusation, Answer, Epoch, Member, News, SignedMember, Tags, signed::Signed},
    sync::{
        Bounds, Set,
        reconcile::{Ask, Question, Reply, Tell},
    },
    wire::{Ack, Frame, Probe},
};

use super::town::Town;

fn record(town: &Town, key: &Keypair, epoch: Epoch, version: u64) -> SignedMember {
    let octet = key.id().as_bytes()[0];
    let address = Address::new(&format!("/ip4/127.1.{octet}.1/tcp/8650")).unwrap();
    let member = Member {
        id: key.id(),
        addresses: vec![address],
        epoch,
        version,
        time: town.wall(),
        nonce: 7,
        left: false,
        tags: Tags::default(),
        work: Bytes::new(),
    };
    Signed::sign(member, key, &town.network)
}

fn tell(town: &mut Town, from: usize, to: usize, members: Vec<SignedMember>) {
    town.send(from, to, &Frame::Rumours { members, accusations: vec![], asked: false });
}

/// A peer that a node is linked with.
fn neighbour(town: &Town, node: usize) -> usize {
    town.number(&town.snapshot(node).links[0].peer)
}

fn known(town: &Town, at: usize, of: usize) -> SignedMember {
    let members = town.cores[at].as_ref().unwrap().members();
    let state = members.iter().find(|it| it.record.content().id == town.id(of)).unwrap();
    state.record.clone()
}

fn epoch_of(town: &Town, at: usize, of: usize) -> Epoch {
    known(town, at, of).content().epoch
}

/// What was said of somebody's trouble.
fn said_of(town: &Town, subject: usize) -> usize {
    let id = town.id(subject);
    let of = |(_, _, news): &&(_, _, News)| match news {
        News::Suspected { peer, .. } => *peer == id,
        News::Died { certificate } => certificate.subject == id,
        _ => false,
    };
    town.news.iter().filter(of).count()
}

#[test]
fn one_forged_dead() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let victim = (1..20).find(|node| *node != from).unwrap();
    let (subject, epoch, time) = (town.id(victim), epoch_of(&town, 0, victim), town.wall());
    let accuse = |town: &Town, by: usize, ring| {
        let accusation = Accusation { accuser: town.id(by), subject, epoch, ring, time };
        Signed::sign(accusation, town.key(from), &town.network)
    };
    // In its own name on each ring, of which it has one at most; and then in the names of all others.
    let own = (0..9).map(|ring| accuse(&town, from, ring)).collect();
    let others = (0..20).filter(|by| *by != victim && *by != from);
    let forged: Vec<_> = others.flat_map(|by| (0..9).map(move |ring| (by, ring))).collect();
    let forged = forged.into_iter().map(|(by, ring)| accuse(&town, by, ring)).collect();
    town.news.clear();
    town.send(from, 0, &Frame::Rumours { members: vec![], accusations: own, asked: false });
    town.run(10);
    assert!(town.news.is_empty(), "{:?}", town.news);
    assert!(town.blamed.is_empty());
    town.run(1);
    town.send(from, 0, &Frame::Rumours { members: vec![], accusations: forged, asked: false });
    assert!(town.blamed.contains(&(0, Some(town.id(from)), Fault::BadStatement)));
    town.run(10);
    assert_eq!(said_of(&town, victim), 0);
}

#[test]
fn an_epoch_at_its_maximum() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let stranger = Keypair::from_seed([77; 32]);
    let victim = (1..20).find(|node| *node != from).unwrap();
    let own = epoch_of(&town, 0, from);
    let year = town.wall().as_secs() + 366 * 86_400;
    for generation in [u64::MAX, year] {
        let record = record(&town, &stranger, Epoch { generation, incarnation: 0 }, 0);
        tell(&mut town, from, 0, vec![record]);
    }
    assert_eq!(town.view(0).len(), 19);
    assert!(town.blamed.is_empty(), "clocks may be to blame");
    let often = Epoch { incarnation: u64::MAX, ..own };
    let absurd = record(&town, &town.key(from).clone(), often, u64::MAX);
    tell(&mut town, from, 0, vec![absurd]);
    assert_eq!(town.blamed, [(0, Some(town.id(from)), Fault::AbsurdMember)]);
    assert_eq!(epoch_of(&town, 0, from), own);
    // Somebody else's epoch is raised by nobody but its key, nor does anybody else say that it leaves.
    let mut raised = known(&town, 0, victim).content().clone();
    raised.epoch.incarnation += 1;
    raised.left = true;
    let forged = Signed::sign(raised, town.key(from), &town.network);
    tell(&mut town, from, 0, vec![forged]);
    assert!(town.blamed.contains(&(0, Some(town.id(from)), Fault::BadStatement)));
    assert!(town.view(0).contains(&victim));
}

#[test]
fn invented_accusers() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let victim = (1..20).find(|node| *node != from).unwrap();
    town.news.clear();
    let keys: Vec<_> = (0..60u8).map(|tag| Keypair::from_seed([tag + 100; 32])).collect();
    let epoch = Epoch { generation: 1, incarnation: 0 };
    let records: Vec<_> = keys.iter().map(|key| record(&town, key, epoch, 0)).collect();
    let subject = town.id(victim);
    // Before anybody knows them, and after, when they claim to have been there for ever.
    for members in [vec![], records] {
        let (time, epoch) = (town.wall(), epoch_of(&town, 0, victim));
        let accuse = |key: &Keypair, ring| {
            let accusation = Accusation { accuser: key.id(), subject, epoch, ring, time };
            Signed::sign(accusation, key, &town.network)
        };
        let accusations =
            keys.iter().flat_map(|key| [0, 1, 2, 3, 4].map(|ring| accuse(key, ring))).collect();
        town.send(from, 0, &Frame::Rumours { members, accusations, asked: false });
    }
    assert!(town.snapshot(0).membership.unwrap().members > 60);
    let accusing = said_of(&town, victim);
    assert_eq!(accusing, 0);
}

#[test]
fn forged_and_replayed_acks() {
    let mut town = Town::settled(20);
    let key = town.key(5).clone();
    let old = Answer { subject: key.id(), observer: town.id(0), nonce: 1 };
    let old = Signed::sign(old, &key, &town.network);
    town.kill(5);
    for nonce in 0..15 {
        for from in (1..20).filter(|from| *from != 5) {
            let forged = Answer { subject: key.id(), observer: town.id(0), nonce };
            let forged = Signed::sign(forged, town.key(from), &town.network);
            town.send(from, 0, &Frame::Ack(Ack::Through(forged)));
            town.send(from, 0, &Frame::Ack(Ack::Through(old.clone())));
            town.send(from, 0, &Frame::Ack(Ack::Direct { nonce: 1 }));
        }
        town.run(1);
    }
    assert_eq!(town.deaths().iter().filter(|(_, dead)| *dead == 5).count(), 19);
}

#[test]
fn who_is_asked_to_help_hands_back_what_the_subject_signed() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let to = (1..20).find(|node| *node != from).unwrap();
    let (subject, nonce) = (town.id(to), 4711);
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let heard = seen.clone();
    town.filter = Box::new(move |by, to, frame| {
        if let (0, Frame::Ack(Ack::Through(answer))) = (by, frame)
            && to == from
        {
            heard.borrow_mut().push(*answer.content());
        }
        true
    });
    town.send(from, 0, &Frame::Probe(Probe::Through { nonce, subject }));
    town.run(2);
    assert_eq!(*seen.borrow(), [Answer { subject, observer: town.id(from), nonce }]);
}

#[test]
fn a_push_pull_of_a_million_members() {
    let mut town = Town::settled(12);
    let from = neighbour(&town, 0);
    let epoch = Epoch { generation: 1, incarnation: 0 };
    for frame in 0..60u32 {
        let key = |n: u32| {
            let mut seed = [1; 32];
            seed[..4].copy_from_slice(&(frame * 100 + n).to_le_bytes());
            Keypair::from_seed(seed)
        };
        let members = (0..100).map(|n| record(&town, &key(n), epoch, 0)).collect();
        town.send(from, 0, &Frame::Rumours { members, accusations: vec![], asked: true });
    }
    let state = town.snapshot(0).membership.unwrap();
    assert!(state.members < 4200, "{}", state.members);
    let pushy = (0, Some(town.id(from)), Fault::Pushy);
    assert_eq!(town.blamed.iter().filter(|blamed| **blamed == pushy).count(), 20);
    for bound in town.snapshot(0).bounds {
        assert!(bound.used <= bound.max, "{bound:?}");
    }
    let members = town.cores[0].as_ref().unwrap().members();
    let real = |node: usize| members.iter().any(|it| it.record.content().id == town.id(node));
    assert!((1..12).all(real), "members of the real town are still there");
}

#[test]
fn resurrected_old_records() {
    let mut town = Town::settled(20);
    let old = known(&town, 0, 5);
    town.kill(5);
    town.run(20);
    assert!(!town.view(0).contains(&5));
    for second in 0..30 {
        let from = 1 + second % 4;
        tell(&mut town, from, 0, vec![old.clone()]);
        town.run(1);
        assert!(!town.view(0).contains(&5));
    }
}

#[test]
fn two_records_of_one_version_evict_their_member_without_a_quorum() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let epoch = Epoch { incarnation: 9, ..epoch_of(&town, 0, from) };
    let one = record(&town, town.key(from), epoch, 0);
    let tags = Tags::new([("role".to_owned(), "liar".to_owned())].into()).unwrap();
    let other = Member { tags, ..one.content().clone() };
    let other = Signed::sign(other, town.key(from), &town.network);
    for record in [one, other] {
        tell(&mut town, from, 0, vec![record]);
    }
    assert!(town.blamed.contains(&(0, Some(town.id(from)), Fault::Equivocation)));
    town.run(20);
    for node in town.up().filter(|node| *node != from) {
        assert!(!town.view(node).contains(&from), "node {node}");
    }
}

#[test]
fn tags_reach_everybody_and_the_latest_win() {
    let mut town = Town::settled(20);
    for value in ["one", "two"] {
        let tags = Tags::new([("zone".to_owned(), value.to_owned())].into()).unwrap();
        town.input(3, forsooth_protocol::Input::Tagged(tags));
        town.run(5);
    }
    // Whoever was left out finds out when it compares tables.
    town.run(75);
    for node in (0..20).filter(|node| *node != 3) {
        assert_eq!(known(&town, node, 3).content().tags.get("zone"), Some("two"));
    }
    let long = [("k".to_owned(), "v".repeat(1024))].into();
    assert_eq!(Tags::new(long), None);
}

#[test]
fn replies_about_tables_that_nobody_asked_for() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    // What comes too late looks like that, and is nobody's fault.
    let reply = Reply { number: u32::MAX, tell: Tell::Equal };
    town.send(from, 0, &Frame::Reconciled { set: Set::Members, reply });
    assert!(town.blamed.is_empty());
    assert_eq!(town.view(0).len(), 19);
}

#[test]
fn a_flood_of_questions_about_tables() {
    let mut town = Town::settled(20);
    let from = neighbour(&town, 0);
    let before = town.bytes[0];
    for number in 0..200 {
        let ask = Ask::Open { count: 0, root: [7; 16], tallies: None };
        let question = Question { number, nonce: [1; 16], bounds: Bounds::ALL, ask };
        town.send(from, 0, &Frame::Reconcile { set: Set::Members, question });
    }
    let told = town.bytes[0] - before;
    // Some 64 times the digests of 16 parts, and what else was to be said.
    assert!(told < 64 * 400, "{told} bytes");
}
