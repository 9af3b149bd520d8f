//! Short ids: what vouches are called on a link, and what becomes of names that nobody explains.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Defences, Effect, Fault, MessageId, Publication, Safeguard, ShortId, VouchKey,
    wire::{Frame, IDS_MAX},
};

use crate::rig::{KEY, Rig, delivered, sent};

/// Longer than it takes until what a name means is asked.
const PATIENCE: Duration = Duration::from_millis(40);

/// The key that the core told a peer in its hello.
fn told_key(rig: &Rig, peer: NodeId) -> VouchKey {
    let hello = |frame| match frame {
        Frame::Hello(hello) => Some(hello.vouch_key),
        _ => None,
    };
    sent(rig, &rig.log, peer).into_iter().find_map(hello).unwrap()
}

fn inquiries(rig: &Rig, effects: &[Effect], peer: NodeId) -> Vec<ShortId> {
    let names = |frame| match frame {
        Frame::Inquire { names, payloads: false } => names,
        _ => Vec::new(),
    };
    sent(rig, effects, peer).into_iter().flat_map(names).collect()
}

/// Whether a peer was asked for a payload, by an id or a name.
fn is_asked(rig: &Rig, effects: &[Effect], peer: NodeId) -> bool {
    let is_graft = |frame: &Frame| {
        matches!(frame, Frame::Graft { .. } | Frame::Inquire { payloads: true, .. })
    };
    sent(rig, effects, peer).iter().any(is_graft)
}

/// A name of a message that there is none of.
fn invented(n: u64) -> ShortId {
    ShortId::from_bytes(n.to_le_bytes())
}

/// A peer names a message, and is not there to explain what it meant.
fn name(rig: &mut Rig, from: NodeId, message: &Publication) -> Vec<Effect> {
    let name = told_key(rig, from).name(&message.id());
    rig.send(from, &Frame::ShortVouch { names: vec![name] })
}

#[test]
fn each_peer_is_told_another_key_and_the_same_again() {
    let mut rig = Rig::new();
    let peers = [1, 2, 3].map(|tag| rig.inbound(tag));
    let keys = peers.map(|peer| told_key(&rig, peer).as_bytes().to_owned());
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    rig.input(forsooth_protocol::Input::Disconnected { peer: peers[0] });
    rig.log.clear();
    rig.inbound(1);
    assert_eq!(told_key(&rig, peers[0]).as_bytes(), &keys[0]);
}

#[test]
fn a_vouch_takes_twelve_bytes_and_less_in_company() {
    let names = |count| Frame::ShortVouch { names: vec![invented(1); count] }.encode().len();
    assert_eq!([1, 2, 10].map(names), [12, 20, 84]);
    assert_eq!(names(IDS_MAX), 8 * IDS_MAX + 6);
}

#[test]
fn names_count_whether_they_come_before_or_after_the_message() {
    let mut rig = Rig::new();
    let [one, two, three] = [1, 2, 3].map(|tag| rig.witness(tag));
    let early = rig.message(9, rig.news(), 0, "early");
    name(&mut rig, two, &early);
    assert_eq!(delivered(&rig.relay(one, &early)).len(), 1);
    let late = rig.message(9, rig.news(), 1, "late");
    assert_eq!(delivered(&rig.relay(one, &late)).len(), 0);
    assert_eq!(delivered(&name(&mut rig, three, &late)).len(), 1);
    assert_eq!(rig.faults(), []);
}

#[test]
fn a_name_under_anothers_key_means_nothing() {
    let mut rig = Rig::new();
    let [one, two, liar] = [1, 2, 3].map(|tag| rig.witness(tag));
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(one, &message);
    let stolen = told_key(&rig, two).name(&message.id());
    let effects = rig.send(liar, &Frame::ShortVouch { names: vec![stolen] });
    assert!(delivered(&effects).is_empty());
}

#[test]
fn who_named_what_does_not_come_is_asked_what_it_meant_and_the_others_need_not_be() {
    let mut rig = Rig::new();
    let peers: Vec<_> = (1..=6).map(|tag| rig.inbound(tag)).collect();
    let message = rig.message(9, rig.open(), 0, "hi");
    peers.iter().for_each(|peer| drop(name(&mut rig, *peer, &message)));
    let effects = rig.wait(PATIENCE);
    let asked: Vec<_> =
        peers.iter().filter(|peer| !inquiries(&rig, &effects, **peer).is_empty()).collect();
    assert_eq!(asked.len(), 6);
    // One answers: now all six are known to have it, and one of them is asked for it.
    rig.send(*asked[0], &Frame::Vouch { topic: rig.open(), ids: vec![message.id()] });
    let effects = rig.wait(Duration::from_secs(5));
    let is_graft = |frame: &Frame| matches!(frame, Frame::Graft { .. });
    let grafts = peers.iter().flat_map(|peer| sent(&rig, &effects, *peer)).filter(is_graft);
    assert_eq!(grafts.count(), 6, "one after the other");
    assert!(peers.iter().all(|peer| inquiries(&rig, &effects, *peer).is_empty()));
}

#[test]
fn who_does_not_say_what_it_meant_breaks_a_promise_once_for_each_question() {
    for (defences, faults) in [(Defences::ALL, 1), (Defences::ALL.without(Safeguard::Promises), 0)]
    {
        let mut rig = Rig::with(crate::rig::network(), |config| config.defences = defences);
        let liar = rig.inbound(1);
        let names = (0..100).map(invented).collect();
        rig.send(liar, &Frame::ShortVouch { names });
        let effects = rig.wait(Duration::from_secs(7));
        assert_eq!(inquiries(&rig, &effects, liar).len(), 100);
        assert_eq!(rig.faults(), []);
        rig.speak(liar);
        let effects = rig.wait(Duration::from_secs(60));
        assert_eq!(inquiries(&rig, &effects, liar), []);
        assert_eq!(rig.faults(), vec![Fault::BrokenPromise; faults]);
    }
}

#[test]
fn liars_that_explain_nothing_are_asked_last() {
    let mut rig = Rig::new();
    let liars: Vec<_> = (10..30).map(|tag| rig.inbound(tag)).collect();
    let honest = rig.inbound(1);
    for turn in 0..10 {
        for (n, liar) in (0..).zip(&liars) {
            rig.send(*liar, &Frame::ShortVouch { names: vec![invented(turn * 100 + n)] });
        }
        let message = rig.message(9, rig.open(), turn, "true");
        rig.vouch(honest, &message);
        let effects = rig.wait(Duration::from_millis(200));
        assert!(is_asked(&rig, &effects, honest) || turn < 7, "in turn {turn}");
        rig.relay(honest, &message);
    }
}

#[test]
fn a_flood_of_names_stays_within_bounds_and_costs_nobody_else() {
    let mut rig = Rig::new();
    let (liar, honest) = (rig.inbound(1), rig.inbound(2));
    let truth = rig.message(9, rig.open(), 0, "true");
    rig.vouch(honest, &truth);
    for batch in 0..200 {
        let names = (0..1024).map(|n| invented(batch * 1024 + n)).collect();
        rig.send(liar, &Frame::ShortVouch { names });
        rig.now = rig.now + Duration::from_millis(1);
    }
    assert_eq!(waiting(&rig), 2048, "of the liar, and none of the other");
    rig.wait(Duration::from_millis(300));
    assert!(is_asked(&rig, &rig.log, honest));
}

#[test]
fn what_was_named_is_explained_to_whom_it_was_told() {
    let mut rig = Rig::new();
    let (from, asker, stranger) = (rig.inbound(1), rig.inbound(2), rig.inbound(3));
    let messages: Vec<_> = (0..5).map(|seq| rig.message(9, rig.open(), seq, "hi")).collect();
    messages.iter().for_each(|message| drop(rig.relay(from, message)));
    let names: Vec<_> = messages.iter().map(|message| KEY.name(&message.id())).collect();
    let explained = |rig: &mut Rig, peer, names: &[ShortId]| {
        let effects = rig.send(peer, &Frame::Inquire { names: names.to_vec(), payloads: false });
        let ids = |frame| match frame {
            Frame::Vouch { ids, .. } => ids,
            _ => Vec::new(),
        };
        sent(rig, &effects, peer).into_iter().flat_map(ids).collect::<Vec<MessageId>>()
    };
    let all: Vec<_> = messages.iter().map(Publication::id).collect();
    assert_eq!(explained(&mut rig, asker, &names), all);
    assert_eq!(explained(&mut rig, asker, &names[1..3]), all[1..3]);
    assert_eq!(explained(&mut rig, stranger, &[invented(7)]), []);
    // Which topics they are on does not matter.
    let news = rig.message(9, rig.news(), 0, "news");
    rig.relay(from, &news);
    let both = [names[0], KEY.name(&news.id())];
    assert_eq!(explained(&mut rig, asker, &both).len(), 2);
}

#[test]
fn who_names_a_message_twice_is_asked_at_most_what_it_meant() {
    let mut rig = Rig::new();
    let (from, peer) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.relay(from, &message);
    name(&mut rig, peer, &message);
    assert_eq!(waiting(&rig), 0, "it was known");
    name(&mut rig, peer, &message);
    assert_eq!(waiting(&rig), 1);
    rig.wait(PATIENCE);
    rig.send(peer, &Frame::Vouch { topic: rig.open(), ids: vec![message.id()] });
    assert_eq!(waiting(&rig), 0);
    assert!(rig.wait(Duration::from_secs(20)).iter().all(|e| !matches!(e, Effect::Send { .. })));
    assert_eq!(rig.faults(), []);
}

/// Names that wait to be understood.
fn waiting(rig: &Rig) -> usize {
    rig.snapshot().bounds.iter().find(|bound| bound.name == "gossip.names").unwrap().used
}
