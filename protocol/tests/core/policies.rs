//! Policies beyond k of n: settling, what becomes contested, and subscriptions that ask for more.

use std::time::Duration;

use crate::rig::{
    GENERATION, Rig, asks_the_application, contested, delivered, dropped, key, network_of,
};
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Effect, Input, Judgement, Proof, Publication, Shortfall, Slot,
    network::{Defence, Kind, Policy, Topic},
    wire::Frame,
};

const SETTLE: Duration = Duration::from_secs(2);
const VOUCHED: Policy = Policy::Vouched { k: 2, n: 3 };
const SETTLED: Policy = Policy::Settled { k: 2, n: 3, settle: SETTLE };

/// A core with three witnesses; `news` has this policy.
fn rig(news: Policy) -> (Rig, [NodeId; 3]) {
    let mut rig = Rig::with(network_of(news, Defence::recommended(Kind::Local)), |_| {});
    let witnesses = [1, 2, 3].map(|tag| rig.witness(tag));
    (rig, witnesses)
}

/// All witnesses stand behind a message.
fn spread(rig: &mut Rig, witnesses: &[NodeId], message: &Publication) -> Vec<Effect> {
    let (first, others) = witnesses.split_first().unwrap();
    let mut effects = rig.relay(*first, message);
    for witness in others {
        effects.extend(rig.vouch(*witness, message));
    }
    effects
}

fn proof(one: &Publication, two: &Publication) -> Frame {
    Frame::Proof(Proof::new(one.signed().clone(), two.signed().clone()).unwrap())
}

fn subscribe(rig: &mut Rig, topic: &str, policy: Policy) {
    let topic = rig.network.topic_id(topic).unwrap();
    rig.input(Input::Subscribe { topic, policy: Some(policy) });
}

#[test]
fn what_settles_is_accepted_when_it_has_and_not_before() {
    let (mut rig, witnesses) = rig(SETTLED);
    let message = rig.message(9, rig.news(), 0, "hi");
    assert!(delivered(&spread(&mut rig, &witnesses, &message)).is_empty());
    assert!(delivered(&rig.wait(SETTLE - Duration::from_millis(1))).is_empty());
    let accepted = delivered(&rig.wait(Duration::from_millis(1)));
    assert_eq!(accepted.len(), 1);
    assert_eq!((accepted[0].policy(), accepted[0].vouchers().len()), (SETTLED, 3));
    assert!(delivered(&rig.wait(Duration::from_secs(60))).is_empty(), "once");
}

#[test]
fn what_has_settled_still_needs_its_vouches() {
    let (mut rig, witnesses) = rig(SETTLED);
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(witnesses[0], &message);
    assert!(delivered(&rig.wait(2 * SETTLE)).is_empty());
    assert_eq!(delivered(&rig.vouch(witnesses[1], &message)).len(), 1);
}

#[test]
fn of_two_messages_that_meet_while_they_settle_neither_is_accepted() {
    let (mut rig, witnesses) = rig(SETTLED);
    let (yes, no) = (rig.message(9, rig.news(), 0, "yes"), rig.message(9, rig.news(), 0, "no"));
    spread(&mut rig, &witnesses, &yes);
    rig.wait(SETTLE - Duration::from_millis(1));
    let effects = rig.relay(witnesses[1], &no);
    assert_eq!(dropped(&effects), [(yes.id(), SETTLED, Shortfall::Contested)]);
    assert!(contested(&effects).is_empty(), "nothing was accepted");
    assert!(delivered(&rig.wait(2 * SETTLE)).is_empty());
    let topic = rig.snapshot().topics[&rig.news()];
    assert_eq!((topic.waiting, topic.accepted), (0, 0));
    assert_eq!(topic.unaccepted.of(Shortfall::Contested), 1);
}

#[test]
fn a_proof_from_elsewhere_stops_all_that_settles_of_its_author() {
    let (mut rig, witnesses) = rig(SETTLED);
    let (other, message) = (rig.message(8, rig.news(), 0, "b"), rig.message(9, rig.news(), 7, "a"));
    spread(&mut rig, &witnesses, &other);
    spread(&mut rig, &witnesses, &message);
    // The proof is about another slot: nobody looks at this author's messages any more, in any slot.
    let (one, two) = (rig.message(9, rig.open(), 0, "yes"), rig.message(9, rig.open(), 0, "no"));
    let effects = rig.send(witnesses[2], &proof(&one, &two));
    assert_eq!(dropped(&effects), [(message.id(), SETTLED, Shortfall::Contested)]);
    let accepted = delivered(&rig.wait(SETTLE));
    assert_eq!(accepted.len(), 1, "others' messages settle on");
    assert_eq!(accepted[0].message().id(), other.id());
}

#[test]
fn a_message_whose_author_is_exposed_while_the_application_judges_is_not_held() {
    let network = network_of(SETTLED, Defence::recommended(Kind::Local));
    let mut rig = Rig::with(network, asks_the_application);
    let witnesses = [1, 2, 3].map(|tag| rig.witness(tag));
    let (yes, no) = (rig.message(9, rig.news(), 0, "yes"), rig.message(9, rig.news(), 0, "no"));
    let effects = spread(&mut rig, &witnesses, &yes);
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::Validate { ticket, .. } => Some(*ticket),
        _ => None,
    });
    rig.relay(witnesses[1], &no);
    rig.input(Input::Validated { ticket: ticket.unwrap(), judgement: Judgement::Accept });
    assert!(delivered(&rig.wait(2 * SETTLE)).is_empty());
}

#[test]
fn what_ends_before_it_settles_is_dropped_for_that() {
    let (mut rig, witnesses) = rig(SETTLED);
    let slot = Slot { author: key(9).id(), topic: rig.news(), generation: GENERATION, seq: 0 };
    let message = rig.sign(9, slot, rig.wall(), SETTLE / 2, "brief");
    spread(&mut rig, &witnesses, &message);
    assert_eq!(dropped(&rig.wait(SETTLE)), [(message.id(), SETTLED, Shortfall::Expired)]);
}

#[test]
fn what_was_accepted_and_turns_out_contested_is_reported_once() {
    let (mut rig, witnesses) = rig(VOUCHED);
    let (yes, no) = (rig.message(9, rig.news(), 0, "yes"), rig.message(9, rig.news(), 0, "no"));
    let later = rig.message(9, rig.news(), 1, "later");
    let unheard = rig.message(8, rig.news(), 0, "8");
    for message in [&yes, &later, &unheard] {
        assert_eq!(delivered(&spread(&mut rig, &witnesses, message)).len(), 1);
    }
    let effects = rig.relay(witnesses[1], &no);
    assert_eq!(contested(&effects), [yes.id()], "its other slots are not in doubt");
    let again = rig.send(witnesses[2], &proof(&yes, &no));
    assert!(contested(&again).is_empty());
    let topic = rig.snapshot().topics[&rig.news()];
    assert_eq!((topic.contested, topic.accepted), (1, 3));
}

#[test]
fn a_proof_by_two_other_messages_contests_what_was_accepted_too() {
    let (mut rig, witnesses) = rig(VOUCHED);
    let [a, b, c] = ["a", "b", "c"].map(|text| rig.message(9, rig.news(), 0, text));
    spread(&mut rig, &witnesses, &a);
    assert_eq!(contested(&rig.send(witnesses[1], &proof(&b, &c))), [a.id()]);
}

#[test]
fn what_the_application_never_got_is_not_reported_as_contested() {
    let (mut rig, witnesses) = rig(VOUCHED);
    let topic = rig.news();
    rig.input(Input::Unsubscribe { topic, policy: None });
    let (yes, no) = (rig.message(9, rig.news(), 0, "yes"), rig.message(9, rig.news(), 0, "no"));
    spread(&mut rig, &witnesses, &yes);
    assert!(contested(&rig.relay(witnesses[1], &no)).is_empty());
}

#[test]
fn a_stricter_subscription_gets_the_message_when_its_own_policy_is_met() {
    let (mut rig, [one, two, three]) = rig(VOUCHED);
    let all = Policy::Vouched { k: 3, n: 3 };
    subscribe(&mut rig, "news", all);
    subscribe(&mut rig, "news", SETTLED);
    let message = rig.message(9, rig.news(), 0, "hi");
    let policies = |effects: &[Effect]| -> Vec<Policy> {
        delivered(effects).iter().map(|accepted| accepted.policy()).collect()
    };
    assert!(policies(&rig.relay(one, &message)).is_empty());
    assert_eq!(policies(&rig.vouch(two, &message)), [VOUCHED]);
    assert_eq!(policies(&rig.vouch(three, &message)), [all]);
    assert_eq!(policies(&rig.wait(SETTLE)), [SETTLED]);
    assert_eq!(rig.snapshot().topics[&rig.news()].accepted, 1, "by the topic's own policy");

    let topic = rig.news();
    rig.input(Input::Unsubscribe { topic, policy: Some(all) });
    let message = rig.message(9, rig.news(), 1, "again");
    assert_eq!(policies(&spread(&mut rig, &[one, two, three], &message)), [VOUCHED]);
}

#[test]
fn a_stricter_subscription_is_told_what_it_did_not_get() {
    let (mut rig, [one, two, _]) = rig(VOUCHED);
    let all = Policy::Vouched { k: 3, n: 3 };
    subscribe(&mut rig, "news", all);
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(one, &message);
    assert_eq!(delivered(&rig.vouch(two, &message)).len(), 1);
    let gone = dropped(&rig.wait(Duration::from_secs(61)));
    assert_eq!(gone, [(message.id(), all, Shortfall::TooFewVouches)]);
    assert_eq!(
        rig.snapshot().topics[&rig.news()].unaccepted.total(),
        0,
        "the topic's policy is met"
    );
}

#[test]
fn a_weaker_subscription_gets_no_more_than_the_topics_policy_gives() {
    let (mut rig, [one, two, _]) = rig(VOUCHED);
    let topic = rig.news();
    rig.input(Input::Unsubscribe { topic, policy: None });
    subscribe(&mut rig, "news", Policy::Verified);
    let message = rig.message(9, rig.news(), 0, "hi");
    assert!(delivered(&rig.relay(one, &message)).is_empty());
    assert_eq!(delivered(&rig.vouch(two, &message))[0].policy(), VOUCHED);
}

#[test]
fn vouches_count_on_a_verified_topic_for_who_asks_for_them() {
    let (mut rig, [one, two, _]) = rig(VOUCHED);
    subscribe(&mut rig, "open", VOUCHED);
    let message = rig.message(9, rig.open(), 0, "hi");
    assert_eq!(delivered(&rig.relay(one, &message))[0].policy(), Policy::Verified);
    assert_eq!(delivered(&rig.vouch(two, &message))[0].policy(), VOUCHED);
}

#[test]
fn with_more_witnesses_as_large_a_share_must_vouch() {
    let (mut rig, _) = rig(VOUCHED);
    let witnesses: Vec<_> = (4..7).map(|tag| rig.witness(tag)).collect();
    assert_eq!(rig.snapshot().topics[&rig.news()].witnesses_needed, 4, "2 of 3 are 4 of 6");
    let message = rig.message(9, rig.news(), 0, "hi");
    assert!(delivered(&spread(&mut rig, &witnesses, &message)).is_empty(), "3 of 6");
    // With one witness fewer, who said nothing, 4 of 5 are needed still; with two fewer, 3 of 4.
    for (tag, accepted) in [(1, 0), (2, 1)] {
        let effects = rig.input(Input::Disconnected { peer: key(tag).id() });
        assert_eq!(delivered(&effects).len(), accepted, "{tag}");
    }
}

#[test]
fn a_receipt_says_how_many_witnesses_this_node_lacks_itself() {
    let mut rig = Rig::new();
    for (tag, lacking) in [(1, 2), (2, 1), (3, 0), (4, 0)] {
        let publish =
            |topic| Input::Publish { request: 0, topic, payload: "x".into(), lifetime: None };
        let receipt = |effects: Vec<Effect>| {
            effects.iter().find_map(|effect| match effect {
                Effect::Published { outcome, .. } => outcome.ok(),
                _ => None,
            })
        };
        let news = publish(rig.news());
        assert_eq!(receipt(rig.input(news)).unwrap().witnesses_lacking, lacking, "{tag}");
        let open = publish(rig.open());
        assert_eq!(receipt(rig.input(open)).unwrap().witnesses_lacking, 0);
        rig.witness(tag);
    }
}

#[test]
fn who_brings_more_than_there_is_room_for_loses_its_own_oldest_with_a_reason() {
    let mut news = Topic::new("news", VOUCHED);
    news.payload_bytes_max = 1 << 20;
    let topics = vec![news, Topic::new("open", Policy::Verified)];
    let defence = Defence::recommended(Kind::Local);
    let network = forsooth_protocol::Network::new("rig", Kind::Local, topics, defence).unwrap();
    let mut rig = Rig::with(network, |_| {});
    let (honest, flooder) = (rig.witness(1), rig.inbound(2));
    let kept = rig.message(8, rig.news(), 0, "kept");
    rig.relay(honest, &kept);
    let large = "x".repeat(1 << 20);
    let first = rig.message(9, rig.news(), 0, &large);
    rig.relay(flooder, &first);
    let mut gone = Vec::new();
    for seq in 1..65 {
        rig.wait(Duration::from_millis(200));
        let message = rig.message(9, rig.news(), seq, &large);
        gone.extend(dropped(&rig.relay(flooder, &message)));
    }
    assert_eq!(gone.first(), Some(&(first.id(), VOUCHED, Shortfall::Crowded)));
    assert!(gone.iter().all(|(id, ..)| *id != kept.id()), "nobody else's");
}
