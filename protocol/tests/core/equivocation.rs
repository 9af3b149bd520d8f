//! One slot, two messages: who is exposed, who is told, and who is not blamed.

use std::{collections::BTreeSet, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Ban, BanCause, Effect, Event, Fault, Input, Network, Proof, Record, Refusal, Slot, Whom,
    sync::{
        Bounds, Index, Item, Set, SketchKey,
        reconcile::{Difference, Limits, Opener, Reply, Step, Tell, answer},
    },
    wire::{Frame, VERSION},
};

use crate::rig::{Rig, delivered, key, pushed_to, sent, vouched_to};

fn publication(message: &forsooth_protocol::Publication) -> Frame {
    Frame::Publication(message.clone())
}

fn stored_proofs(effects: &[Effect]) -> Vec<Record> {
    let record = |effect: &Effect| match effect {
        Effect::Store(record @ Record::Proof { .. }) => Some(record.clone()),
        _ => None,
    };
    effects.iter().filter_map(record).collect()
}

#[test]
fn an_equivocator_is_exposed_and_its_messengers_are_not_blamed() {
    let mut rig = Rig::new();
    let (one, other, third) = (rig.inbound(1), rig.inbound(2), rig.inbound(3));
    let yes = rig.message(9, rig.open(), 0, "yes");
    let no = rig.message(9, rig.open(), 0, "no");
    rig.send(one, &publication(&yes));
    let effects = rig.send(other, &publication(&no));

    assert!(delivered(&effects).is_empty(), "the second message is not accepted");
    assert!(pushed_to(&rig, &effects, third).is_empty(), "nor relayed");
    assert!(vouched_to(&rig, &effects, other).is_empty(), "nor vouched for");
    for peer in [one, other, third] {
        let frames = sent(&rig, &effects, peer);
        assert!(
            matches!(frames.as_slice(), [Frame::Proof(proof)] if proof.author() == key(9).id())
        );
    }
    assert_eq!(rig.banned(), [key(9).id()]);
    assert!([one, other, third].iter().all(|peer| rig.linked(peer)));
    assert_eq!(stored_proofs(&effects).len(), 1);
}

#[test]
fn a_proof_is_under_400_bytes() {
    let rig = Rig::new();
    let slot = Slot { author: key(9).id(), topic: rig.open(), generation: u64::MAX, seq: u64::MAX };
    let long = Duration::from_secs(3600);
    let one = rig.sign(9, slot, rig.wall(), long, "yes");
    let other = rig.sign(9, slot, rig.wall(), long, "no");
    let proof = Proof::new(one.signed().clone(), other.signed().clone()).unwrap();
    let bytes = Frame::Proof(proof).encode().len();
    assert!(bytes < 400, "{bytes} bytes");
}

#[test]
fn a_proof_travels_on_once_and_ahead_of_all_else() {
    let mut rig = Rig::new();
    let (from, other) = (rig.inbound(1), rig.inbound(2));
    let one = rig.message(9, rig.open(), 0, "yes");
    let two = rig.message(9, rig.open(), 0, "no");
    let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
    let effects = rig.send(from, &Frame::Proof(proof.clone()));
    assert_eq!(sent(&rig, &effects, other), [Frame::Proof(proof.clone())]);
    assert!(sent(&rig, &effects, from).is_empty(), "it has it");
    let again = rig.send(other, &Frame::Proof(proof));
    assert!(again.is_empty());
}

#[test]
fn an_exposed_author_is_not_heard_any_more_and_its_link_is_closed() {
    let mut rig = Rig::new();
    let (author, honest) = (rig.inbound(9), rig.inbound(1));
    for text in ["yes", "no"] {
        let message = rig.message(9, rig.open(), 0, text);
        rig.send(author, &publication(&message));
    }
    assert!(!rig.linked(&author));
    let later = rig.message(9, rig.open(), 1, "later");
    let effects = rig.send(honest, &publication(&later));
    assert!(delivered(&effects).is_empty());
    assert!(rig.linked(&honest), "relaying an exposed author is no fault: not all know yet");
    let again = rig.input(Input::Connected {
        peer: author,
        connection: forsooth_protocol::Connection {
            direction: forsooth_protocol::Direction::Inbound,
            remote: None,
        },
    });
    assert!(matches!(again.as_slice(), [Effect::Disconnect { banned: true, .. }]));
}

#[test]
fn newcomers_are_told_of_the_exposed() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    for text in ["yes", "no"] {
        let message = rig.message(9, rig.open(), 0, text);
        rig.send(peer, &publication(&message));
    }
    rig.log.clear();
    let newcomer = rig.inbound(2);
    let frames = sent(&rig, &rig.log.clone(), newcomer);
    assert!(frames.iter().any(|frame| matches!(frame, Frame::Proof(_))));
}

#[test]
fn false_proofs_cost_their_sender_and_nobody_else() {
    let cases: [fn(&Rig) -> Proof; 5] = [
        // One header twice.
        |rig| {
            let one = rig.message(9, rig.open(), 0, "yes");
            Proof::unchecked(one.signed().clone(), one.signed().clone())
        },
        // Two slots.
        |rig| {
            let (one, two) =
                (rig.message(9, rig.open(), 0, "a"), rig.message(9, rig.open(), 1, "b"));
            Proof::unchecked(one.signed().clone(), two.signed().clone())
        },
        // Two authors.
        |rig| {
            let (one, two) =
                (rig.message(8, rig.open(), 0, "a"), rig.message(9, rig.open(), 0, "b"));
            Proof::unchecked(one.signed().clone(), two.signed().clone())
        },
        // A signature of somebody else's.
        |rig| {
            let slot = Slot { author: key(8).id(), topic: rig.open(), generation: 1, seq: 0 };
            let forge = |text| rig.sign(9, slot, rig.wall(), Duration::from_secs(1), text);
            Proof::new(forge("a").signed().clone(), forge("b").signed().clone()).unwrap()
        },
        // The right two in the wrong order: there is one encoding of each proof.
        |rig| {
            let (one, two) =
                (rig.message(9, rig.open(), 0, "a"), rig.message(9, rig.open(), 0, "b"));
            let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
            let (first, second) = proof.headers();
            Proof::unchecked(second.clone(), first.clone())
        },
    ];
    for case in cases {
        let mut rig = Rig::new();
        let (liar, honest) = (rig.inbound(1), rig.inbound(2));
        let frame = Frame::Proof(case(&rig));
        let effects = rig.send(liar, &frame);
        assert_eq!(rig.faults(), [Fault::FalseProof]);
        assert_eq!(rig.banned(), [liar]);
        assert!(sent(&rig, &effects, honest).is_empty(), "a false proof does not travel");
    }
}

#[test]
fn a_loaded_proof_is_verified_again_and_then_holds() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    for text in ["yes", "no"] {
        let message = rig.message(9, rig.open(), 0, text);
        rig.send(peer, &publication(&message));
    }
    let cause = BanCause::Fault(Fault::Equivocation);
    let ban = Record::Ban(Ban { whom: key(9).id().into(), cause, until: None });
    let records = [vec![ban], stored_proofs(&rig.log)].concat();
    let mut reborn = Rig::new();
    let effects = reborn.input(Input::Loaded(records));
    assert!(effects.is_empty(), "nothing is news");
    assert_eq!(reborn.snapshot().exposed, 1);
    assert_eq!(reborn.banned(), [key(9).id()]);
    let newcomer = reborn.inbound(2);
    let told = sent(&reborn, &reborn.log.clone(), newcomer);
    assert!(matches!(told.as_slice(), [Frame::Hello(_), Frame::Proof(_)]), "{told:?}");

    let mut tampered = Rig::new();
    let forged = {
        let slot = Slot { author: key(8).id(), topic: rig.open(), generation: 1, seq: 0 };
        let sign = |text| tampered.sign(9, slot, tampered.wall(), Duration::from_secs(1), text);
        Proof::new(sign("a").signed().clone(), sign("b").signed().clone()).unwrap()
    };
    let frame = Frame::Proof(forged).encode();
    tampered.input(Input::Loaded(vec![Record::Proof { author: key(8).id(), frame }]));
    assert_eq!(tampered.snapshot().exposed, 0);
    assert!(tampered.banned().is_empty(), "one does not ban oneself");
}

#[test]
fn a_key_used_elsewhere_is_noticed_and_stops_publishing_once_exposed() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let topic = rig.open();
    let publish = |rig: &mut Rig| {
        let effects =
            rig.input(Input::Publish { request: 0, topic, payload: "mine".into(), lifetime: None });
        let outcome = |effect: &Effect| match effect {
            Effect::Published { outcome, .. } => Some(*outcome),
            _ => None,
        };
        effects.iter().find_map(outcome).unwrap()
    };
    publish(&mut rig).unwrap();
    let mine = pushed_to(&rig, &rig.log.clone(), peer)[0];
    let theirs = rig.message(200, topic, 0, "the other machine's");
    assert_ne!(theirs.id(), mine);
    let effects = rig.send(peer, &publication(&theirs));
    assert!(effects.iter().any(|e| matches!(e, Effect::Event(Event::Twin(_)))));

    let other = rig.message(200, topic, 0, "and again");
    let proof = Proof::new(theirs.signed().clone(), other.signed().clone()).unwrap();
    rig.send(peer, &Frame::Proof(proof));
    assert_eq!(publish(&mut rig), Err(Refusal::Exposed));
    assert!(rig.banned().is_empty());
    assert_eq!(VERSION, 1);
}

#[test]
fn a_twin_that_was_first_keeps_us_from_saying_two_things() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let topic = rig.open();
    let theirs = rig.message(200, topic, 0, "the other machine's");
    rig.send(peer, &publication(&theirs));
    let publish = Input::Publish { request: 1, topic, payload: "mine".into(), lifetime: None };
    let effects = rig.input(publish);
    assert!(
        effects.iter().any(|effect| {
            matches!(effect, Effect::Published { outcome: Err(Refusal::Twin), .. })
        })
    );
    assert!(sent(&rig, &effects, peer).is_empty());
    assert_eq!(rig.snapshot().exposed, 0);
}

/// Carries a comparison that a peer opens with a node to its end.
fn compare(rig: &mut Rig, peer: NodeId, index: &Index) -> Difference {
    let (mut opener, first) = Opener::open(index, Bounds::ALL, Limits::default(), [5; 16]);
    let mut questions = vec![first];
    while let Some(question) = questions.pop() {
        let effects = rig.send(peer, &Frame::Reconcile { set: Set::Proofs, question });
        for frame in sent(rig, &effects, peer) {
            let Frame::Reconciled { set: Set::Proofs, reply } = frame else { continue };
            match opener.hear(&reply, index) {
                Step::Ask(more) => questions.extend(more),
                Step::Done(difference) => return difference,
                Step::Failed(failure) => panic!("{failure}"),
            }
        }
    }
    panic!("a question was not answered");
}

fn exposed_by(effects: &[Frame]) -> BTreeSet<NodeId> {
    let author = |frame: &Frame| match frame {
        Frame::Proof(proof) => Some(proof.author()),
        _ => None,
    };
    effects.iter().filter_map(author).collect()
}

#[test]
fn who_missed_a_proof_asks_for_it_when_exposures_are_compared() {
    let mut rig = Rig::new();
    let source = rig.inbound(1);
    for author in [7, 8, 9] {
        for text in ["yes", "no"] {
            let message = rig.message(author, rig.open(), 0, text);
            rig.send(source, &publication(&message));
        }
    }
    let peer = rig.inbound(2);
    let nothing = rig_index(&rig.network);
    let Difference { theirs, ours, .. } = compare(&mut rig, peer, &nothing);
    assert!(ours.is_empty());
    let authors: Vec<NodeId> = theirs.iter().map(|item| NodeId::from_bytes(*item.id())).collect();
    let exposed: BTreeSet<NodeId> = [7, 8, 9].map(|author| key(author).id()).into();
    assert_eq!(authors.iter().copied().collect::<BTreeSet<_>>(), exposed);
    let effects = rig.send(peer, &Frame::WantProofs { authors });
    assert_eq!(exposed_by(&sent(&rig, &effects, peer)), exposed);
    // What nobody did is not shown, and asking without end is in vain.
    let strangers = vec![key(3).id(); 200];
    let effects = rig.send(peer, &Frame::WantProofs { authors: strangers });
    assert!(sent(&rig, &effects, peer).is_empty());
    let shown = (0..10).map(|_| {
        let authors = vec![key(7).id(); 200];
        let effects = rig.send(peer, &Frame::WantProofs { authors });
        sent(&rig, &effects, peer).len()
    });
    assert!(shown.sum::<usize>() < 512);
}

#[test]
fn a_node_compares_exposures_with_a_neighbour_and_asks_for_what_it_lacks() {
    let mut rig = Rig::new();
    let peer = rig.inbound(2);
    for text in ["yes", "no"] {
        let message = rig.message(7, rig.open(), 0, text);
        rig.send(peer, &publication(&message));
    }
    let (one, two) = (rig.message(9, rig.open(), 0, "a"), rig.message(9, rig.open(), 0, "b"));
    let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
    let mut theirs = rig_index(&rig.network);
    theirs.insert(Item::new(0, *key(9).id().as_bytes()));
    let mut effects = rig.wait(Duration::from_secs(61));
    let (mut wanted, mut shown) = (Vec::new(), BTreeSet::new());
    for _ in 0..20 {
        let frames = sent(&rig, &effects, peer);
        shown.extend(exposed_by(&frames));
        effects.clear();
        for frame in frames {
            match frame {
                Frame::Reconcile { set: Set::Proofs, question } => {
                    let reply = answer(&theirs, Bounds::ALL, &question);
                    let set = Set::Proofs;
                    effects.extend(rig.send(peer, &Frame::Reconciled { set, reply }));
                }
                Frame::WantProofs { authors } => wanted.extend(authors),
                _ => {}
            }
        }
    }
    assert_eq!(wanted, [key(9).id()], "what is lacking here");
    assert!(shown.contains(&key(7).id()), "what is lacking there");
    rig.send(peer, &Frame::Proof(proof));
    assert_eq!(rig.snapshot().exposed, 2);
    assert!(rig.faults().iter().all(|fault| *fault == Fault::Equivocation));
}

#[test]
fn a_reply_about_exposures_that_nobody_asked_for_is_ignored() {
    let mut rig = Rig::new();
    let peer = rig.inbound(2);
    let reply = Reply { number: 4096, tell: Tell::Equal };
    rig.send(peer, &Frame::Reconciled { set: Set::Proofs, reply });
    assert!(rig.faults().is_empty());
}

#[test]
fn who_asks_about_exposures_without_end_is_answered_so_often() {
    let mut rig = Rig::new();
    let (peer, other) = (rig.inbound(1), rig.inbound(2));
    let index = rig_index(&rig.network);
    let (_, question) = Opener::open(&index, Bounds::ALL, Limits::default(), [5; 16]);
    let answers = |peer: NodeId, times: usize, rig: &mut Rig| {
        let ask = |_| {
            let question = question.clone();
            let effects = rig.send(peer, &Frame::Reconcile { set: Set::Proofs, question });
            sent(rig, &effects, peer).len()
        };
        (0..times).map(ask).sum::<usize>()
    };
    assert_eq!(answers(peer, 100, &mut rig), 32);
    assert_eq!(answers(other, 1, &mut rig), 1, "others are not the worse for it");
    rig.wait(Duration::from_secs(2));
    assert_eq!(answers(peer, 100, &mut rig), 2, "one a second comes back");
}

#[test]
fn what_a_banned_one_did_is_proven_all_the_same() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let (one, two) = (rig.message(9, rig.open(), 0, "a"), rig.message(9, rig.open(), 0, "b"));
    let proof = Proof::new(one.signed().clone(), two.signed().clone()).unwrap();
    rig.input(Input::Ban { whom: Whom::Peer(key(9).id()), length: None });
    let effects = rig.send(peer, &Frame::Proof(proof));
    assert_eq!(rig.snapshot().exposed, 1);
    assert_eq!(stored_proofs(&effects).len(), 1);
}

fn rig_index(network: &Network) -> Index {
    Index::new().keyed(SketchKey::of(network))
}
