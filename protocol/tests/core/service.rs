//! Who tells nothing while most of the witnesses tell much, and who only seems to.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Defences, Direction, Fault, Network, Role, Safeguard, Slot,
    network::{Defence, Kind, Policy, Topic},
};

use crate::{
    overlay::roles,
    rig::{GENERATION, Rig, delivered, key},
};

/// Longer than a peer may be silent, and than the time between two reviews.
const REVIEW: Duration = Duration::from_secs(71);
/// As many as others are judged by, or a few more.
const ENOUGH: u64 = 32;

/// A core with so many witnesses, tags 1 and up.
fn rig(witnesses: u8) -> (Rig, Vec<NodeId>) {
    let mut rig = Rig::new();
    let witnesses = (1..=witnesses).map(|tag| rig.witness(tag)).collect();
    rig.wait(REVIEW);
    (rig, witnesses)
}

/// Messages that all of these tell of: the first brings them, the others vouch.
fn tell(rig: &mut Rig, from: u64, peers: &[NodeId]) {
    for seq in from..from + ENOUGH {
        let message = rig.message(99, rig.open(), seq, "news");
        let (first, others) = peers.split_first().unwrap();
        rig.relay(*first, &message);
        others.iter().for_each(|peer| drop(rig.vouch(*peer, &message)));
    }
}

fn withheld(rig: &Rig) -> usize {
    rig.faults().iter().filter(|fault| **fault == Fault::Withheld).count()
}

#[test]
fn who_tells_nothing_that_most_witnesses_tell_is_let_go() {
    let (mut rig, witnesses) = rig(7);
    let (talkers, silent) = witnesses.split_at(6);
    let [useful, useless] = [30, 31].map(|tag| rig.inbound(tag));
    tell(&mut rig, 0, &witnesses.iter().chain([&useful, &useless]).copied().collect::<Vec<_>>());
    rig.wait(REVIEW);
    let told: Vec<_> = talkers.iter().chain([&useful]).copied().collect();
    tell(&mut rig, 100, &told);
    rig.wait(REVIEW);
    assert!(told.iter().all(|peer| rig.linked(peer)));
    assert!(!rig.linked(&silent[0]) && !rig.linked(&useless));
    assert_eq!((withheld(&rig), rig.banned()), (2, vec![]));
    // A witness is not drawn anew for a while; there is nobody else here.
    rig.wait(Duration::from_secs(600));
    assert!(!rig.linked(&silent[0]));
}

#[test]
fn a_vouch_that_came_before_its_message_counts() {
    let (mut rig, witnesses) = rig(6);
    let early = rig.inbound(30);
    for seq in 100..100 + ENOUGH {
        let message = rig.message(99, rig.open(), seq, "news");
        rig.vouch(early, &message);
        rig.relay(witnesses[0], &message);
        witnesses[1..].iter().for_each(|peer| drop(rig.vouch(*peer, &message)));
    }
    rig.wait(REVIEW);
    assert!(rig.linked(&early));
    assert_eq!(withheld(&rig), 0);
}

#[test]
fn who_comes_back_to_be_silent_is_turned_away() {
    let (mut rig, witnesses) = rig(6);
    let mut stays = 0;
    for turn in 0..6 {
        let silent = rig.inbound(30);
        stays += usize::from(rig.linked(&silent));
        tell(&mut rig, turn * 1000, &witnesses);
        rig.wait(REVIEW);
        assert!(!rig.linked(&silent));
    }
    assert_eq!((stays, withheld(&rig)), (1, 1));
    assert_eq!(rig.banned(), []);
}

#[test]
fn what_a_minority_says_to_itself_makes_nobody_look_silent() {
    let (mut rig, witnesses) = rig(7);
    let honest = rig.inbound(30);
    let all: Vec<_> = witnesses.iter().chain([&honest]).copied().collect();
    tell(&mut rig, 0, &all);
    rig.wait(REVIEW);
    for turn in 1..10 {
        // Three of seven tell us alone of what they made up.
        tell(&mut rig, turn * 100, &witnesses[..3]);
        rig.wait(REVIEW);
    }
    assert!(all.iter().all(|peer| rig.linked(peer)));
    assert_eq!(withheld(&rig), 0);
}

#[test]
fn nobody_is_silent_when_there_is_nothing_to_tell_or_nobody_to_compare_with() {
    let (mut rig, witnesses) = rig(6);
    rig.wait(10 * REVIEW);
    assert!(witnesses.iter().all(|peer| rig.linked(peer)));
    let (mut few, witnesses) = self::rig(4);
    let quiet = few.inbound(30);
    for turn in 0..4 {
        tell(&mut few, turn * 100, &witnesses);
        few.wait(REVIEW);
    }
    assert!(few.linked(&quiet));
    assert_eq!([withheld(&rig), withheld(&few)], [0, 0]);
}

#[test]
fn little_news_adds_up_over_several_reviews() {
    let (mut rig, witnesses) = rig(6);
    let silent = rig.inbound(30);
    for seq in 100..100 + ENOUGH {
        assert!(rig.linked(&silent) || seq >= 124);
        let message = rig.message(99, rig.open(), seq, "a message a minute");
        witnesses.iter().for_each(|peer| drop(rig.relay(*peer, &message)));
        rig.wait(REVIEW);
    }
    assert!(!rig.linked(&silent));
    assert!(rig.linked(&witnesses[5]) && rig.linked(&key(1).id()));
}

#[test]
fn whom_the_operator_wants_may_be_silent() {
    let (mut rig, witnesses) = rig(6);
    let kept = crate::rig::candidate(30);
    rig.input(forsooth_protocol::Input::Keep(vec![kept]));
    let kept = rig.link(30, forsooth_protocol::Direction::Outbound, None);
    for turn in 0..4 {
        tell(&mut rig, turn * 100, &witnesses);
        rig.wait(REVIEW);
    }
    assert!(rig.linked(&kept));
    assert_eq!(withheld(&rig), 0);
}

/// A core with twelve witnesses, tags 1 and up, of which eight must vouch.
fn strict(defences: Defences) -> (Rig, Vec<NodeId>) {
    let topics = vec![
        Topic::new("news", Policy::Vouched { k: 8, n: 12 }),
        Topic::new("open", Policy::Verified),
    ];
    let defence = Defence::recommended(Kind::Local);
    let network = Network::new("strict", Kind::Local, topics, defence).unwrap();
    let mut rig = Rig::with(network, |config| config.defences = defences);
    let witnesses: Vec<_> = (1..=12).map(|tag| rig.witness(tag)).collect();
    (rig, witnesses)
}

/// A message on the strict topic, brought by the first of these and vouched for by the others.
fn spread(rig: &mut Rig, seq: u64, peers: &[NodeId]) -> usize {
    let message = rig.message(99, rig.news(), seq, "news");
    let (first, others) = peers.split_first().unwrap();
    let mut effects = rig.relay(*first, &message);
    others.iter().for_each(|peer| effects.extend(rig.vouch(*peer, &message)));
    delivered(&effects).len()
}

fn spread_all(rig: &mut Rig, seqs: core::ops::Range<u64>, peers: &[NodeId]) -> usize {
    seqs.map(|seq| spread(rig, seq, peers)).sum()
}

/// How many witnesses there are.
fn witnesses(rig: &Rig) -> usize {
    roles(rig).values().filter(|role| **role == Role::Witness).count()
}

#[test]
fn who_lacks_vouches_because_many_are_silent_asks_more_for_a_while() {
    for (defences, most) in [(Defences::ALL, 20), (Defences::ALL.without(Safeguard::Service), 12)] {
        let (mut rig, drawn) = strict(defences);
        let more: Vec<_> = (21..=40).map(|tag| rig.witness(tag)).collect();
        assert_eq!(witnesses(&rig), 12);
        let message = rig.message(99, rig.news(), 9, "news");
        assert_eq!(spread_all(&mut rig, 0..10, &drawn[..6]), 0);
        rig.wait(Duration::from_millis(1900));
        assert_eq!(witnesses(&rig), 12, "vouches are given their time");
        rig.wait(Duration::from_millis(200));
        assert_eq!(witnesses(&rig), most);
        // With 20 of them, 14 must vouch.
        let roles = roles(&rig);
        let new: Vec<_> = more.into_iter().filter(|peer| roles[peer] == Role::Witness).collect();
        let mut vouch = |peer: &NodeId| delivered(&rig.vouch(*peer, &message)).len();
        let accepted: Vec<_> = new.iter().map(&mut vouch).collect();
        assert_eq!(accepted.iter().sum::<usize>(), new.len() / 8);
        assert!(accepted[..accepted.len().saturating_sub(1)].iter().all(|one| *one == 0));
        assert_eq!(rig.faults(), [], "who had bad luck may be silent without ill will");
        rig.wait(Duration::from_secs(400));
        assert_eq!(witnesses(&rig), 12);
    }
}

#[test]
fn who_draws_more_witnesses_looks_for_others_and_has_room_for_them() {
    let (mut rig, drawn) = strict(Defences::ALL);
    (21..=60).for_each(|tag| _ = rig.witness(tag));
    rig.wait(Duration::from_secs(100));
    let overlay = |rig: &Rig| rig.snapshot().overlay;
    let before = overlay(&rig);
    assert_eq!(before.slots, 64);
    assert_eq!(spread_all(&mut rig, 0..10, &drawn[..6]), 0);
    rig.wait(Duration::from_secs(12));
    // All new ones are silent, too: so all there are have been drawn, and it is as many again that are to be known.
    assert_eq!(witnesses(&rig), 52);
    let during = overlay(&rig);
    assert!((104..=168).contains(&during.slots), "{} slots", during.slots);
    assert!(during.rounds >= before.rounds + 3, "rounds begin anew");
    rig.wait(Duration::from_secs(60));
    assert!(overlay(&rig).rounds >= during.rounds + 5, "and none is calm meanwhile");
    rig.wait(Duration::from_secs(4000));
    assert_eq!(witnesses(&rig), 12);
    assert!(overlay(&rig).slots <= 64, "that is over: {} slots", overlay(&rig).slots);
}

#[test]
fn what_is_over_and_waits_for_those_who_keep_it_has_nobody_drawn() {
    let network = crate::keeping::network_of(Policy::Vouched { k: 8, n: 12 });
    let mut rig = Rig::with(network, |_| {});
    let drawn: Vec<_> = (1..=12).map(|tag| rig.witness(tag)).collect();
    (21..=40).for_each(|tag| _ = rig.witness(tag));
    let mut drawn_for = |lifetime: Duration, seqs: core::ops::Range<u64>| {
        for seq in seqs {
            let topic = rig.news();
            let slot = Slot { author: key(99).id(), topic, generation: GENERATION, seq };
            let message = rig.sign(99, slot, rig.wall(), lifetime, "news");
            rig.relay(drawn[0], &message);
            drawn[1..6].iter().for_each(|peer| drop(rig.vouch(*peer, &message)));
        }
        rig.wait(Duration::from_secs(20));
        witnesses(&rig)
    };
    assert_eq!(drawn_for(Duration::from_millis(500), 0..10), 12);
    assert!(drawn_for(Duration::from_secs(60), 10..20) > 12);
}

#[test]
fn a_message_for_which_nobody_vouches_has_nobody_drawn() {
    let (mut rig, drawn) = strict(Defences::ALL);
    for tag in 21..=40 {
        rig.witness(tag);
    }
    assert_eq!(spread_all(&mut rig, 0..20, &drawn), 20);
    // A lie, of which only one tells us, for as long as it lives.
    assert_eq!(spread(&mut rig, 100, &drawn[..1]), 0);
    rig.wait(Duration::from_secs(50));
    assert_eq!(witnesses(&rig), 12);
    assert!(drawn.iter().all(|peer| rig.linked(peer)));
}

#[test]
fn more_witnesses_than_are_of_use_are_never_drawn() {
    let (mut rig, drawn) = strict(Defences::ALL);
    for tag in 21..=140 {
        rig.link(tag, Direction::Outbound, None);
    }
    for seq in 0..100 {
        spread(&mut rig, seq, &drawn[..6]);
        rig.wait(Duration::from_secs(1));
        assert!(witnesses(&rig) <= 12 + 72);
    }
    assert!(drawn.iter().all(|peer| rig.linked(peer)), "none goes for it");
}
