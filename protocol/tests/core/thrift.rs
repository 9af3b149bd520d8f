//! What a peer is sent because it asks, in proportion to what there is.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Defences, Fault, Input, Publication, Safeguard, wire::Frame};

use crate::rig::{Rig, key, network, pushed_to};

/// How many of so many messages, each of which it asks for when it hears of it, a peer is sent, asked or not.
fn drained(rig: &mut Rig, from: NodeId, drain: NodeId, messages: u64) -> usize {
    let topic = rig.open();
    rig.send(drain, &Frame::Prune { topic, author: None });
    let mut sent = 0;
    for seq in 0..messages {
        let message = rig.message(9, topic, seq, "hi");
        let effects = rig.relay(from, &message);
        sent += pushed_to(rig, &effects, drain).len();
        // It gets rid of the place that its graft has given it, as if it had the message from elsewhere.
        rig.send(drain, &Frame::Prune { topic, author: Some(key(9).id()) });
        rig.wait(Duration::from_secs(1));
        let effects = rig.send(drain, &graft(rig, &message));
        sent += pushed_to(rig, &effects, drain).len();
    }
    sent
}

fn graft(rig: &Rig, message: &Publication) -> Frame {
    Frame::Graft { topic: rig.open(), ids: vec![message.id()] }
}

#[test]
fn whoever_asks_for_everything_is_sent_an_eighth_of_it() {
    for (defences, least, most) in [
        (Defences::ALL, 32, 2 * (33 + 200 / 8)),
        (Defences::ALL.without(Safeguard::ServeLimit), 399, 400),
    ] {
        let mut rig = Rig::with(network(), |config| config.defences = defences);
        let (from, drain) = (rig.inbound(1), rig.inbound(2));
        let sent = drained(&mut rig, from, drain, 200);
        assert!((least..=most).contains(&sent), "{sent}");
        assert!(rig.faults().iter().all(|fault| *fault == Fault::Greedy));
        assert!(rig.linked(&drain), "overload makes honest nodes ask as well");
    }
}

#[test]
fn a_newcomer_is_sent_all_that_was_there_before_it() {
    let mut rig = Rig::new();
    let from = rig.inbound(1);
    let messages: Vec<_> = (0..200)
        .map(|seq| {
            let message = rig.message(9, rig.open(), seq, "hi");
            rig.relay(from, &message);
            rig.wait(Duration::from_millis(200));
            message
        })
        .collect();
    let newcomer = rig.inbound(2);
    let mut sent = 0;
    for message in messages {
        let effects = rig.send(newcomer, &graft(&rig, &message));
        sent += pushed_to(&rig, &effects, newcomer).len();
    }
    assert_eq!((sent, rig.faults()), (200, Vec::new()));
}

#[test]
fn what_was_pushed_a_moment_ago_is_not_sent_again() {
    let mut rig = Rig::new();
    let (from, peer) = (rig.inbound(1), rig.inbound(2));
    let [early, late] = [0, 1].map(|seq| rig.message(9, rig.open(), seq, "hi"));
    let effects = rig.relay(from, &early);
    assert_eq!(pushed_to(&rig, &effects, peer), [early.id()]);
    let effects = rig.send(peer, &graft(&rig, &early));
    assert!(pushed_to(&rig, &effects, peer).is_empty(), "they have crossed");
    rig.relay(from, &late);
    rig.wait(Duration::from_secs(2));
    let effects = rig.send(peer, &graft(&rig, &late));
    assert_eq!(
        pushed_to(&rig, &effects, peer),
        [late.id()],
        "it may have been lost in a full queue"
    );
    assert!(rig.faults().is_empty());
}

#[test]
fn who_was_killed_and_asks_again_is_not_sent_all_again_and_not_to_blame() {
    let mut rig = Rig::new();
    let (from, peer) = (rig.inbound(1), rig.inbound(2));
    let topic = rig.open();
    let messages: Vec<_> = (0..200).map(|seq| rig.message(9, topic, seq, "hi")).collect();
    let asks = |rig: &mut Rig| {
        let ask = |message: &Publication| {
            let effects = rig.send(peer, &graft(rig, message));
            pushed_to(rig, &effects, peer).len()
        };
        messages.iter().map(ask).sum::<usize>()
    };
    rig.send(peer, &Frame::Prune { topic, author: None });
    for message in &messages {
        rig.relay(from, message);
    }
    let returns = |rig: &mut Rig| {
        rig.input(Input::Disconnected { peer });
        rig.wait(Duration::from_secs(3));
        rig.inbound(2);
    };
    returns(&mut rig);
    assert_eq!(asks(&mut rig), 200, "it has lost them");
    returns(&mut rig);
    assert_eq!(asks(&mut rig), 0, "once in a while");
    assert!(rig.faults().is_empty());
    rig.wait(Duration::from_secs(601));
    let again = rig.message(9, topic, 200, "hi");
    rig.relay(from, &again);
    rig.wait(Duration::from_secs(3));
    for _ in 0..300 {
        rig.send(peer, &graft(&rig, &again));
    }
    assert!(rig.faults().iter().all(|fault| *fault == Fault::Greedy) && !rig.faults().is_empty());
}
