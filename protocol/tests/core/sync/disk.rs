//! What is on disk, on its way there, refused, or no longer there.

use super::*;

#[test]
fn what_is_on_its_way_to_the_disk_is_not_fetched_again() {
    let mut shore = Shore::new(3);
    shore.unsaid = Some(Vec::new());
    let message = shore.open(0, 300);
    shore.keep([1, 2, 3], &message);
    shore.wait(30);
    let fetched = |frame: &&Frame| matches!(frame, Frame::Fetch { .. });
    assert_eq!(shore.peers.values().flat_map(|peer| &peer.asked).filter(fetched).count(), 1);
    let requests = shore.unsaid.take().unwrap();
    assert_eq!(requests.len(), 1);
    assert!(shore.delivered().is_empty());
    shore.input(Input::Kept { requests });
    assert_eq!(shore.delivered(), [message.id()]);
    assert_eq!(shore.state("open").held, 1);
}

#[test]
fn what_the_disk_refuses_is_handed_over_and_not_fetched_again_at_once() {
    let mut shore = Shore::new(3);
    shore.unsaid = Some(Vec::new());
    let message = shore.open(0, 300);
    shore.keep([1, 2, 3], &message);
    shore.wait(5);
    let requests = shore.unsaid.take().unwrap();
    shore.input(Input::Unkept { requests });
    shore.wait(60);
    assert_eq!(shore.delivered(), [message.id()]);
    assert_eq!(shore.state("open").held, 0);
}

#[test]
fn a_comparison_says_nothing_of_what_the_disk_refused() {
    let mut shore = Shore::new(3);
    shore.unsaid = Some(Vec::new());
    let message = shore.news(0, 0);
    let guest = shore.rig.inbound(4);
    shore.send(guest, &Frame::Publication(message));
    let requests = shore.unsaid.take().unwrap();
    assert_eq!(requests.len(), 1);
    shore.input(Input::Unkept { requests });
    shore.wait(50);
    assert!(shore.delivered().is_empty(), "no witness has it");
    assert!(shore.state("news").comparisons > 0);
}

#[test]
fn what_came_and_went_while_it_was_fetched_is_not_handed_over_again() {
    let mut shore = Shore::new(2);
    let message = shore.open(0, 300);
    shore.keep([1, 2], &message);
    shore.peer(2).mumbles = true;
    shore.wait(3);
    assert_eq!(shore.delivered(), [message.id()]);
    shore.input(Input::Forgotten(vec![Held::new(&message, &Standing::Own)]));
    // What it was asked before the message was here, it answers now.
    shore.speak(2);
    shore.wait(60);
    assert_eq!(shore.delivered(), [message.id()], "once");
}

#[test]
fn an_author_that_is_exposed_while_its_message_is_written_is_not_stood_behind() {
    let mut shore = Shore::new(1);
    let one = shore.message("open", 0, 20, "one");
    let other = shore.message("open", 0, 20, "other");
    shore.unsaid = Some(Vec::new());
    for message in [&one, &other] {
        shore.send(key(1).id(), &Frame::Publication(message.clone()));
    }
    assert_eq!(shore.rig.snapshot().exposed, 1);
    let requests = shore.unsaid.take().unwrap();
    shore.input(Input::Kept { requests });
    assert_eq!(shore.state("open").held, 0);
}

#[test]
fn what_is_on_disk_as_accepted_is_not_delivered_again() {
    let mut shore = Shore::new(0);
    let (alive, over) = (shore.open(0, 20), shore.open(1, 300));
    let accepted = Standing::Accepted { vouchers: Vec::new(), attestors: Vec::new() };
    let held = [&alive, &over].map(|message| Held::new(message, &accepted));
    shore.input(Input::Holds(held.to_vec()));
    (1..=3).for_each(|tag| shore.join(tag));
    [&alive, &over].iter().for_each(|message| shore.keep([1, 2, 3], message));
    shore.wait(10);
    shore.send(key(1).id(), &Frame::Publication(alive.clone()));
    assert!(shore.delivered().is_empty());
    let fetched = |frame: &Frame| matches!(frame, Frame::Fetch { .. });
    assert!(!shore.peers.values().flat_map(|peer| &peer.asked).any(fetched));
}

#[test]
fn what_is_on_disk_and_was_not_accepted_waits_for_witnesses_again() {
    for age in [20, 300] {
        let mut shore = Shore::new(0);
        let message = shore.news(0, age);
        shore.disk.insert(message.id(), (message.frame().clone(), true));
        shore.input(Input::Holds(vec![Held::new(&message, &Standing::Held)]));
        (1..=3).for_each(|tag| shore.join(tag));
        shore.keep([1, 2, 3], &message);
        shore.wait(10);
        assert_eq!(shore.delivered(), [message.id()], "made {age} s ago");
    }
}

#[test]
fn what_is_late_of_an_earlier_life_finds_more_witnesses_than_it_takes_to_be_sure() {
    let policy = forsooth_protocol::network::Policy::Vouched { k: 8, n: 8 };
    let mut shore = Shore::of(network_of(policy), 0, |_| {});
    let message = shore.news(0, 300);
    shore.disk.insert(message.id(), (message.frame().clone(), true));
    shore.input(Input::Holds(vec![Held::new(&message, &Standing::Held)]));
    shore.keep(1..=8, &message);
    (1..=8).for_each(|tag| shore.join(tag));
    shore.wait(15);
    assert_eq!(shore.delivered(), [message.id()]);
    assert_eq!(shore.state("news").pending, 0);
}

#[test]
fn a_restart_leaves_nobody_behind_for_what_comparing_cannot_settle() {
    // Authors alone decide about an attested topic.
    let policy = forsooth_protocol::network::Policy::Attested { k: 3 };
    let mut shore = Shore::of(network_of(policy), 0, |_| {});
    let message = shore.news(0, 300);
    shore.disk.insert(message.id(), (message.frame().clone(), true));
    shore.input(Input::Holds(vec![Held::new(&message, &Standing::Held)]));
    shore.keep(1..=3, &message);
    (1..=3).for_each(|tag| shore.join(tag));
    shore.wait(30);
    let state = shore.state("news");
    assert_eq!((state.pending, state.is_behind, state.is_settled), (0, false, true));
}

#[test]
fn what_too_few_vouched_for_in_its_lifetime_is_accepted_once_enough_keep_it() {
    let mut shore = Shore::new(3);
    let (message, rumour) = (shore.news(0, 20), shore.news(1, 20));
    let guest = shore.rig.inbound(4);
    for message in [&message, &rumour] {
        shore.send(guest, &Frame::Publication(message.clone()));
    }
    shore.wait(60);
    assert!(shore.delivered().is_empty(), "no witness has it");
    let state = shore.state("news");
    assert_eq!((state.pending, state.is_behind), (2, false), "both are here, and late");
    shore.keep([1, 2], &message);
    shore.wait(10);
    assert_eq!(shore.delivered(), [message.id()]);
    let unaccepted = |shore: &Shore| {
        let is_it = |effect: &&Effect| matches!(effect, Effect::Event(Event::Unaccepted { .. }));
        shore.log.iter().filter(is_it).count()
    };
    assert_eq!(unaccepted(&shore), 0);
    shore.wait(600);
    assert_eq!((unaccepted(&shore), shore.state("news").pending), (1, 0), "nor for ever");
    shore.keep([1, 2], &rumour);
    shore.wait(60);
    assert_eq!(shore.delivered(), [message.id()]);
}

#[test]
fn what_lived_shortly_is_asked_of_all_witnesses_once_it_can_be_compared() {
    let policy = forsooth_protocol::network::Policy::Vouched { k: 8, n: 8 };
    let mut shore = Shore::of(network_of(policy), 8, |_| {});
    shore.wait(60);
    let topic = shore.rig.network.topic_id("news").unwrap();
    let slot = Slot { author: key(9).id(), topic, generation: GENERATION, seq: 0 };
    let message = shore.rig.sign(9, slot, shore.rig.wall(), Duration::from_secs(1), "hi");
    shore.keep(1..=8, &message);
    let guest = shore.rig.inbound(9);
    shore.send(guest, &Frame::Publication(message.clone()));
    shore.wait(9);
    assert!(shore.delivered().is_empty(), "it is too new");
    shore.wait(10);
    assert_eq!(shore.delivered(), [message.id()]);
}

#[test]
fn what_the_disk_refused_and_comes_again_while_it_waits_is_handed_over_once_at_most() {
    let mut shore = Shore::new(3);
    shore.unsaid = Some(Vec::new());
    let message = shore.news(0, 0);
    let guest = shore.rig.inbound(4);
    shore.send(guest, &Frame::Publication(message.clone()));
    let requests = shore.unsaid.take().unwrap();
    shore.input(Input::Unkept { requests });
    shore.wait(61);
    assert_eq!(shore.state("news").pending, 0, "no comparison is about it");
    // It is not fetched for ten minutes, and waits for ten more than it lived.
    shore.wait(550);
    shore.keep([1], &message);
    shore.wait(120);
    assert!(shore.delivered().is_empty(), "one of three is not two");
    shore.keep([2], &message);
    shore.wait(120);
    assert!(shore.delivered().len() <= 1);
}

#[test]
fn what_is_forgotten_while_it_lives_waits_for_no_comparison() {
    let mut shore = Shore::new(3);
    let message = shore.news(0, 20);
    let guest = shore.rig.inbound(4);
    shore.send(guest, &Frame::Publication(message.clone()));
    shore.input(Input::Forgotten(vec![Held::new(&message, &Standing::Held)]));
    shore.wait(60);
    let state = shore.state("news");
    assert_eq!((state.pending, state.is_behind), (0, false));
}

#[test]
fn what_the_application_ignored_is_fetched_once_though_others_keep_it() {
    let mut shore = Shore::with(3, asks_the_application);
    let message = shore.open(0, 20);
    let guest = shore.rig.inbound(4);
    shore.send(guest, &Frame::Publication(message.clone()));
    let ticket = shore.log.iter().find_map(|effect| match effect {
        Effect::Validate { ticket, .. } => Some(*ticket),
        _ => None,
    });
    shore.input(Input::Validated { ticket: ticket.unwrap(), judgement: Judgement::Ignore });
    shore.keep([1, 2, 3], &message);
    shore.wait(120);
    let asked = shore.peers.values().flat_map(|peer| &peer.asked);
    let fetched = asked.filter(|frame| matches!(frame, Frame::Fetch { .. })).count();
    assert!(fetched <= 1, "{fetched} times");
}

#[test]
fn what_is_forgotten_is_not_fetched_again() {
    let mut shore = Shore::new(3);
    let message = shore.open(0, 300);
    shore.keep([1, 2, 3], &message);
    shore.wait(10);
    let accepted = Standing::Accepted { vouchers: Vec::new(), attestors: Vec::new() };
    shore.input(Input::Forgotten(vec![Held::new(&message, &accepted)]));
    assert_eq!(shore.state("open").held, 0);
    shore.wait(60);
    assert_eq!(shore.delivered().len(), 1);
    assert_eq!(shore.state("open").held, 0);
}

#[test]
fn a_node_whose_disk_refuses_compares_nothing() {
    let mut shore = Shore::new(1);
    shore.begin();
    let peer = key(1).id();
    let message = shore.open(0, 20);
    let effects = shore.rig.send(peer, &Frame::Publication(message.clone()));
    let requests = effects.iter().filter_map(|effect| match effect {
        Effect::Keep { request, .. } => Some(*request),
        _ => None,
    });
    let requests = requests.collect();
    shore.input(Input::Unkept { requests });
    let topic = message.header().slot.topic;
    let index = Index::new();
    let bounds = Bounds { from: 0, until: 1 << 40 };
    let limits = forsooth_protocol::sync::reconcile::Limits::default();
    let (_, question) =
        forsooth_protocol::sync::reconcile::Opener::open(&index, bounds, limits, [0; 16]);
    shore.log.clear();
    shore.send(peer, &Frame::Compare { topic, question });
    let narrowed = shore.log.iter().any(|effect| match effect {
        Effect::Send { frame, .. } => match Frame::decode(frame, &shore.rig.network) {
            Ok(Frame::Compared { reply, .. }) => {
                use forsooth_protocol::sync::reconcile::Tell;
                matches!(reply.tell, Tell::Narrow(bounds) if bounds.is_empty())
            }
            _ => false,
        },
        _ => false,
    });
    assert!(narrowed);
}
