//! Topics that keep their messages: what is promised only once the disk has it, and what is not held up.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{
    Effect, Input, MessageId, Network, Receipt, Standing,
    network::{Defence, Kind, Policy, Retention, Topic},
    wire::{Announce, Frame},
};

use crate::rig::{KEY, Rig, delivered, pushed_to, sent, vouched_to};

/// As the rig's own network, with a retention on both topics.
pub(crate) fn network() -> Network {
    network_of(Policy::Vouched { k: 2, n: 3 })
}

/// With this policy for `news`.
pub(crate) fn network_of(news: Policy) -> Network {
    let retention = Some(Retention::of(Duration::from_secs(3600)));
    let topic = |name, policy| Topic { retention, ..Topic::new(name, policy) };
    let topics = vec![topic("news", news), topic("open", Policy::Verified)];
    Network::new("kept", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap()
}

fn rig() -> Rig {
    Rig::with(network(), |_| {})
}

/// Orders to the disk: their numbers, messages, and standings.
fn orders(effects: &[Effect]) -> Vec<(u64, MessageId, Standing)> {
    let order = |effect: &Effect| match effect {
        Effect::Keep { request, message, standing } => {
            Some((*request, message.id(), standing.clone()))
        }
        _ => None,
    };
    effects.iter().filter_map(order).collect()
}

fn published(effects: &[Effect]) -> Vec<Receipt> {
    let receipt = |effect: &Effect| match effect {
        Effect::Published { outcome, .. } => Some(outcome.unwrap()),
        _ => None,
    };
    effects.iter().filter_map(receipt).collect()
}

#[test]
fn a_message_is_relayed_at_once_and_vouched_for_once_it_is_on_disk() {
    let mut rig = rig();
    let (first, second, third) = (rig.witness(1), rig.witness(2), rig.witness(3));
    let message = rig.message(9, rig.news(), 0, "hi");
    let effects = rig.relay(first, &message);
    let all = [second, third];
    assert!(all.iter().any(|peer| pushed_to(&rig, &effects, *peer) == [message.id()]));
    assert!([first, second, third].iter().all(|peer| vouched_to(&rig, &effects, *peer).is_empty()));
    let (request, id, standing) = orders(&effects).remove(0);
    assert_eq!((id, standing), (message.id(), Standing::Held));

    let late = rig.witness(4);
    let effects = rig.input(Input::Kept { requests: vec![request] });
    for peer in [first, second, third, late] {
        assert_eq!(vouched_to(&rig, &effects, peer).len(), 1, "{peer}");
    }
}

#[test]
fn who_asks_whether_we_vouch_is_answered_once_it_is_on_disk() {
    let mut rig = rig();
    let (from, asker) = (rig.inbound(1), rig.inbound(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    let request = orders(&rig.relay(from, &message)).remove(0).0;
    let names = vec![KEY.name(&message.id())];
    let effects = rig.send(asker, &Frame::Ask { names: names.clone() });
    assert!(sent(&rig, &effects, asker).is_empty());
    let effects = rig.input(Input::Kept { requests: vec![request] });
    assert_eq!(sent(&rig, &effects, asker), [Frame::ShortVouch { names }]);
}

#[test]
fn a_message_is_delivered_once_it_is_on_disk_as_accepted() {
    let mut rig = rig();
    let (first, second) = (rig.witness(1), rig.witness(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    let held = orders(&rig.relay(first, &message)).remove(0).0;
    rig.vouch(first, &message);
    let effects = rig.vouch(second, &message);
    assert!(delivered(&effects).is_empty());
    let (accepted, _, standing) = orders(&effects).remove(0);
    let Standing::Accepted { vouchers, .. } = standing else { panic!("{standing:?}") };
    assert_eq!(vouchers.len(), 2);
    assert!(delivered(&rig.input(Input::Kept { requests: vec![held] })).is_empty());
    let effects = rig.input(Input::Kept { requests: vec![accepted] });
    assert_eq!(delivered(&effects).len(), 1);
    assert!(delivered(&rig.input(Input::Kept { requests: vec![accepted] })).is_empty(), "once");
}

#[test]
fn a_push_is_no_vouch_where_messages_are_kept_but_its_authors_is() {
    let mut rig = rig();
    let (first, second) = (rig.witness(1), rig.witness(2));
    let accepts = |effects: Vec<Effect>| orders(&effects).len();
    let message = rig.message(9, rig.news(), 0, "hi");
    rig.relay(first, &message);
    let (topic, id, bytes) = (rig.news(), message.id(), 9000);
    rig.send(second, &Frame::Announce(Announce { topic, id, bytes, sent: true }));
    assert_eq!(accepts(rig.relay(second, &message)), 0);
    assert_eq!(accepts(rig.vouch(first, &message)), 0);
    assert_eq!(accepts(rig.vouch(second, &message)), 1);

    let of_first = rig.message(1, rig.news(), 0, "mine");
    rig.relay(first, &of_first);
    assert_eq!(accepts(rig.vouch(second, &of_first)), 1);
}

#[test]
fn what_is_held_and_accepted_at_once_is_one_order() {
    let mut rig = rig();
    let peer = rig.witness(1);
    let message = rig.message(9, rig.open(), 0, "hi");
    let orders = orders(&rig.relay(peer, &message));
    assert_eq!(orders.len(), 1);
    assert!(matches!(orders[0].2, Standing::Accepted { .. }));
    let effects = rig.input(Input::Kept { requests: vec![orders[0].0] });
    assert_eq!((delivered(&effects).len(), vouched_to(&rig, &effects, peer).len()), (1, 1));
}

#[test]
fn what_we_publish_is_sent_and_acknowledged_once_it_is_on_disk() {
    let mut rig = rig();
    let peer = rig.witness(1);
    let payload = Bytes::from_static(b"ours");
    let publish = Input::Publish { request: 5, topic: rig.news(), payload, lifetime: None };
    let effects = rig.input(publish);
    let (request, id, standing) = orders(&effects).remove(0);
    assert_eq!(standing, Standing::Own);
    assert!(published(&effects).is_empty() && pushed_to(&rig, &effects, peer).is_empty());
    let effects = rig.input(Input::Kept { requests: vec![request] });
    assert_eq!(pushed_to(&rig, &effects, peer), [id]);
    let receipt = published(&effects).remove(0);
    assert_eq!((receipt.id, receipt.sent_to), (id, 1));
}

#[test]
fn a_disk_that_refuses_holds_nothing_up() {
    let mut rig = rig();
    let (first, second) = (rig.witness(1), rig.witness(2));
    let message = rig.message(9, rig.news(), 0, "hi");
    let held = orders(&rig.relay(first, &message)).remove(0).0;
    rig.vouch(first, &message);
    let accepted = orders(&rig.vouch(second, &message)).remove(0).0;
    let effects = rig.input(Input::Unkept { requests: vec![held, accepted] });
    assert_eq!((delivered(&effects).len(), vouched_to(&rig, &effects, first).len()), (1, 1));
    let payload = Bytes::from_static(b"ours");
    let publish = Input::Publish { request: 5, topic: rig.news(), payload, lifetime: None };
    let request = orders(&rig.input(publish)).remove(0).0;
    assert_eq!(published(&rig.input(Input::Unkept { requests: vec![request] })).len(), 1);
}

#[test]
fn topics_that_keep_nothing_order_nothing() {
    let mut rig = Rig::new();
    let peer = rig.witness(1);
    for topic in [rig.open(), rig.news()] {
        let message = rig.message(9, topic, 0, "hi");
        let effects = rig.relay(peer, &message);
        assert!(orders(&effects).is_empty());
        assert_eq!(vouched_to(&rig, &effects, peer).len(), 1);
    }
}
