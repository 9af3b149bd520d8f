//! `attested`: several authors sign the same claim, and the application gets it once.

use std::time::Duration;

use crate::rig::{GENERATION, Rig, contested, delivered, dropped, key, network_of};
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Effect, Input, Proof, Publication, Shortfall, Slot,
    network::{Defence, Kind, Policy},
    wire::Frame,
};

const THREE: Policy = Policy::Attested { k: 3 };

fn rig() -> (Rig, NodeId) {
    let mut rig = Rig::with(network_of(THREE, Defence::recommended(Kind::Local)), |_| {});
    let peer = rig.inbound(1);
    (rig, peer)
}

/// An author signs a payload on `news`.
fn sign(
    rig: &mut Rig,
    from: NodeId,
    author: u8,
    seq: u64,
    claim: &str,
) -> (Publication, Vec<Effect>) {
    let message = rig.message(author, rig.news(), seq, claim);
    let effects = rig.relay(from, &message);
    (message, effects)
}

fn authors(tags: &[u8]) -> Vec<NodeId> {
    let mut authors: Vec<_> = tags.iter().map(|tag| key(*tag).id()).collect();
    authors.sort_unstable();
    authors
}

#[test]
fn a_claim_is_handed_over_once_with_all_who_attest_it() {
    let (mut rig, peer) = rig();
    for author in [11, 12] {
        assert!(delivered(&sign(&mut rig, peer, author, 0, "rain").1).is_empty());
        assert!(delivered(&sign(&mut rig, peer, author, 1, "sun").1).is_empty());
    }
    let (last, effects) = sign(&mut rig, peer, 13, 0, "rain");
    let accepted = delivered(&effects);
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].message().id(), last.id());
    assert_eq!(
        (accepted[0].policy(), accepted[0].attestors()),
        (THREE, &authors(&[11, 12, 13])[..])
    );
    for author in [14, 15, 16, 17] {
        assert!(delivered(&sign(&mut rig, peer, author, 0, "rain").1).is_empty(), "once");
    }
    let topic = rig.snapshot().topics[&rig.news()];
    assert_eq!((topic.accepted, topic.waiting, topic.acceptable), (1, 2, true));
}

#[test]
fn one_author_who_says_it_often_is_one_author() {
    let (mut rig, peer) = rig();
    for seq in 0..9 {
        assert!(delivered(&sign(&mut rig, peer, 11, seq, "rain").1).is_empty());
    }
    assert!(delivered(&sign(&mut rig, peer, 12, 0, "rain").1).is_empty());
    assert_eq!(delivered(&sign(&mut rig, peer, 13, 0, "rain").1).len(), 1);
}

#[test]
fn the_same_words_on_another_topic_attest_nothing_here() {
    let (mut rig, peer) = rig();
    sign(&mut rig, peer, 11, 0, "rain");
    sign(&mut rig, peer, 12, 0, "rain");
    let elsewhere = rig.message(13, rig.open(), 0, "rain");
    let accepted = delivered(&rig.relay(peer, &elsewhere));
    assert_eq!(accepted[0].policy(), Policy::Verified);
    assert_eq!(accepted.len(), 1);
}

#[test]
fn an_attestation_counts_until_its_message_expires() {
    let (mut rig, peer) = rig();
    let (first, _) = sign(&mut rig, peer, 11, 0, "rain");
    rig.wait(Duration::from_secs(30));
    let (second, _) = sign(&mut rig, peer, 12, 0, "rain");
    assert_eq!(
        dropped(&rig.wait(Duration::from_secs(31))),
        [(first.id(), THREE, Shortfall::TooFewVouches)]
    );
    assert!(delivered(&sign(&mut rig, peer, 13, 0, "rain").1).is_empty(), "two are left");
    // Who says it again lasts longer.
    sign(&mut rig, peer, 12, 1, "rain");
    let gone = dropped(&rig.wait(Duration::from_secs(31)));
    assert!(gone.iter().all(|(id, ..)| *id != second.id()));
    assert_eq!(delivered(&sign(&mut rig, peer, 11, 1, "rain").1).len(), 1);
}

#[test]
fn who_is_exposed_attests_nothing() {
    let (mut rig, peer) = rig();
    let (said, _) = sign(&mut rig, peer, 11, 0, "rain");
    sign(&mut rig, peer, 12, 0, "rain");
    let (_, effects) = sign(&mut rig, peer, 11, 0, "sun");
    assert_eq!(dropped(&effects), [(said.id(), THREE, Shortfall::Contested)]);
    assert!(delivered(&sign(&mut rig, peer, 13, 0, "rain").1).is_empty());
    assert_eq!(delivered(&sign(&mut rig, peer, 14, 0, "rain").1).len(), 1);
}

#[test]
fn a_claim_whose_attestor_is_exposed_afterwards_is_contested() {
    let (mut rig, peer) = rig();
    let messages = [11, 12, 13].map(|author| sign(&mut rig, peer, author, 0, "rain").0);
    let slot = Slot { author: key(12).id(), topic: rig.news(), generation: GENERATION, seq: 0 };
    let other = rig.sign(12, slot, rig.wall(), Duration::from_secs(9), "sun");
    let proof = Proof::new(messages[1].signed().clone(), other.signed().clone()).unwrap();
    assert_eq!(contested(&rig.send(peer, &Frame::Proof(proof))), [messages[1].id()]);
}

#[test]
fn a_subscription_may_ask_for_more_attestors() {
    let (mut rig, peer) = rig();
    let (topic, four) = (rig.news(), Policy::Attested { k: 4 });
    for policy in [four, Policy::Attested { k: 2 }, Policy::Verified] {
        rig.input(Input::Subscribe { topic, policy: Some(policy) });
    }
    let mut policies = Vec::new();
    for author in 11..16 {
        let effects = sign(&mut rig, peer, author, 0, "rain").1;
        policies.push(delivered(&effects).iter().map(|a| a.policy()).collect::<Vec<_>>());
    }
    assert_eq!(policies, [vec![], vec![], vec![THREE], vec![four], vec![]]);
}

#[test]
fn a_flood_of_attestations_costs_its_bringer_its_own_alone() {
    let (mut rig, flooder) = rig();
    let honest = rig.inbound(2);
    sign(&mut rig, honest, 11, 0, "rain");
    sign(&mut rig, honest, 12, 0, "rain");
    for seq in 0..1100 {
        rig.wait(Duration::from_millis(20));
        sign(&mut rig, flooder, 90, seq, &format!("claim {seq}"));
    }
    let used = rig.snapshot().bounds;
    let bound = used.iter().find(|bound| bound.name == "acceptance.attestations").unwrap();
    assert!(bound.used <= bound.max && bound.used > 100, "{bound:?}");
    assert_eq!(delivered(&sign(&mut rig, honest, 13, 0, "rain").1).len(), 1);
}
