use rand_core::SeedableRng as _;

use super::*;
use crate::network::{Defence, Kind, Network, Policy, Topic};

const fn at(seconds: u64) -> Time {
    Time::from_duration(Duration::from_secs(seconds))
}

fn peer(tag: u32) -> NodeId {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&tag.to_be_bytes());
    NodeId::from_bytes(id)
}

const CALM: Carried = Carried { was_asked: false, size: Size::Small };
const ASKED: Carried = Carried { was_asked: true, size: Size::Small };

fn topic() -> TopicId {
    let topics = vec![Topic::new("a", Policy::Verified)];
    let defence = Defence::recommended(Kind::Local);
    Network::new("trees", Kind::Local, topics, defence).unwrap().topic_id("a").unwrap()
}

fn payloads(trees: &mut Trees, author: u32) -> Vec<NodeId> {
    let mut payloads = Vec::new();
    let nobody = |_: &NodeId| false;
    trees.shares(&peer(author), (topic(), Size::Small), at(0), nobody, |peer, share| {
        if share == Share::Payload {
            payloads.push(peer);
        }
    });
    payloads
}

#[test]
fn trees_are_bounded_and_those_in_use_are_kept() {
    let (mut trees, topic) = (Trees::default(), topic());
    trees.join(peer(1));
    for author in 0..2000 {
        trees.carry(peer(author), topic, (Some(peer(1)), CALM), at(0));
    }
    assert_eq!(trees.bound().used, AUTHORS_MAX);
    assert!(trees.authors.contains_key(&peer(0)) && !trees.authors.contains_key(&peer(1999)));
    trees.carry(peer(0), topic, (Some(peer(1)), CALM), at(50));
    trees.carry(peer(5000), topic, (Some(peer(1)), CALM), at(61));
    assert!(trees.authors.contains_key(&peer(5000)), "who was silent makes room");
    assert!(trees.authors.contains_key(&peer(0)));
    assert_eq!((trees.authors.len(), trees.heard.iter().count()), (AUTHORS_MAX, AUTHORS_MAX));
}

#[test]
fn a_large_message_goes_whole_to_children_that_have_no_other_parent() {
    let (mut trees, topic, author) = (Trees::default(), topic(), peer(90));
    (1..=4).for_each(|tag| trees.join(peer(tag)));
    let shares = |trees: &mut Trees, size, now| {
        trees.carry(author, topic, (None, CALM), now);
        let mut all = Vec::new();
        trees.shares(&author, (topic, size), now, |_| false, |_, share| all.push(share));
        all
    };
    let (payload, offer) = (Share::Payload, Share::Offer);
    assert_eq!(shares(&mut trees, Size::Large, at(0)), [offer; 4]);
    trees.graft(peer(1), &author, topic);
    assert_eq!(shares(&mut trees, Size::Large, at(0)), [payload, offer, offer, offer]);
    trees.prune(&peer(2), topic, Some(&author), at(0));
    assert_eq!(shares(&mut trees, Size::Small, at(0)), [payload; 3]);
    trees.prune(&peer(3), topic, Some(&author), at(0));
    // The fourth was sent a small one, and may yet send it back.
    assert_eq!(shares(&mut trees, Size::Large, at(0)), [payload, offer]);
    assert_eq!(shares(&mut trees, Size::Large, at(1)), [payload, payload]);
}

#[test]
fn an_authors_tree_begins_as_the_topics_and_is_then_its_own() {
    let (mut trees, topic) = (Trees::default(), topic());
    (1..=4).for_each(|tag| trees.join(peer(tag)));
    trees.carry(peer(90), topic, (Some(peer(1)), CALM), at(0));
    assert_eq!(payloads(&mut trees, 90), [peer(2), peer(3), peer(4)]);
    let duplicate = trees.duplicate((peer(2), Repeated::Sent), topic, &peer(90), at(0));
    assert_eq!(duplicate, Duplicate { author: true, topic: true });
    trees.carry(peer(91), topic, (Some(peer(3)), CALM), at(0));
    assert_eq!(payloads(&mut trees, 91), [peer(1), peer(4)]);
    // No longer a new tree: a duplicate says nothing of the others.
    trees.carry(peer(91), topic, (Some(peer(3)), CALM), at(0));
    let duplicate = trees.duplicate((peer(4), Repeated::Sent), topic, &peer(91), at(0));
    assert_eq!(duplicate, Duplicate { author: true, topic: false });
    assert_eq!((payloads(&mut trees, 91), trees.eager(&peer(4), topic)), (vec![peer(1)], true));
}

#[test]
fn who_is_adopted_in_vain_is_not_adopted_for_ever() {
    let (mut trees, topic, author) = (Trees::default(), topic(), peer(90));
    (1..=2).for_each(|tag| trees.join(peer(tag)));
    let mut adopted = 0;
    for turn in 0..20 {
        trees.carry(author, topic, (Some(peer(1)), CALM), at(turn));
        adopted += u8::from(trees.adopt(&author, peer(2)).is_some());
    }
    assert_eq!(adopted, TRIES_MAX);
    trees.carry(author, topic, (Some(peer(2)), CALM), at(30));
    trees.carry(author, topic, (Some(peer(1)), CALM), at(31));
    assert!(trees.adopt(&author, peer(2)).is_some(), "it has brought one");
}

#[test]
fn the_parent_goes_at_once_if_the_new_one_has_proven_itself() {
    let (mut trees, topic, author) = (Trees::default(), topic(), peer(90));
    (1..=2).for_each(|tag| trees.join(peer(tag)));
    trees.carry(author, topic, (Some(peer(1)), CALM), at(0));
    assert_eq!(trees.adopt(&author, peer(2)), Some(Adoption { from: None }));
    trees.carry(author, topic, (Some(peer(2)), CALM), at(1));
    trees.carry(author, topic, (Some(peer(1)), CALM), at(2));
    assert_eq!(trees.adopt(&author, peer(2)), Some(Adoption { from: Some(peer(1)) }));
}

#[test]
fn a_neighbour_that_did_not_choose_us_hears_of_a_message_now_and_then() {
    let (topic, author) = (topic(), peer(90));
    // Messages, how many there are in a second, and how many it hears of.
    for (messages, rate, heard) in [(300, 1, 20), (300, 10, 2), (20, 1, 1)] {
        let mut trees = Trees::default();
        (1..=3).for_each(|tag| trees.join(peer(tag)));
        assert!(trees.want(&peer(2), true) && !trees.want(&peer(2), true));
        let mut told = BTreeMap::new();
        for turn in 0..messages {
            let now = at(u64::from(turn / rate));
            trees.carry(author, topic, (Some(peer(1)), CALM), now);
            (2..=3).for_each(|tag| trees.prune(&peer(tag), topic, Some(&author), now));
            trees.shares(
                &author,
                (topic, Size::Small),
                now,
                |_| false,
                |peer, share| {
                    *told.entry(peer).or_insert(0) += u32::from(share == Share::Vouch);
                },
            );
        }
        assert_eq!([2, 3].map(|tag| told[&peer(tag)]), [messages, heard], "{rate} a second");
    }
}

/// A tree that has found its shape, with four neighbours, the first of which is the parent; and what is done to it.
struct Grown {
    trees: Trees,
    topic: TopicId,
    rng: ChaCha8Rng,
    seconds: u64,
}

impl Grown {
    const AUTHOR: u32 = 90;

    fn new() -> Self {
        let rng = ChaCha8Rng::seed_from_u64(1);
        let mut grown = Self { trees: Trees::default(), topic: topic(), rng, seconds: 0 };
        (1..=4).for_each(|tag| grown.trees.join(peer(tag)));
        (0..20).for_each(|_| grown.carry(1, CALM));
        grown
    }

    /// One that has a second parent: the third neighbour.
    fn troubled() -> Self {
        let mut grown = Self::new();
        grown.carry(1, ASKED);
        assert_eq!(grown.double([2, 3]), None, "it may happen once");
        grown.carry(1, ASKED);
        assert_eq!(grown.double([1]), None, "it is the parent already");
        assert_eq!(grown.double([3]), Some(peer(3)));
        assert_eq!(grown.double([2]), None, "one is enough");
        grown
    }

    fn carry(&mut self, from: u32, how: Carried) {
        let now = at(self.seconds);
        self.trees.carry(peer(Self::AUTHOR), self.topic, (Some(peer(from)), how), now);
    }

    fn double<const N: usize>(&mut self, vouchers: [u32; N]) -> Option<NodeId> {
        let vouchers = vouchers.map(peer).into_iter();
        self.trees.double(&peer(Self::AUTHOR), vouchers, at(self.seconds), &mut self.rng)
    }

    /// Whether who brings a message again is told that it need not.
    fn prunes(&mut self, from: u32) -> bool {
        self.repeats(from, Repeated::Sent)
    }

    fn repeats(&mut self, from: u32, what: Repeated) -> bool {
        let author = peer(Self::AUTHOR);
        self.trees.duplicate((peer(from), what), self.topic, &author, at(self.seconds)).author
    }

    /// Five messages a second, which a second parent leaves out.
    fn miss(&mut self) {
        for _ in 0..5 {
            assert_eq!(self.double([4]), None);
            self.carry(1, CALM);
        }
        self.seconds += 1;
    }
}

#[test]
fn there_are_two_parents_while_much_has_to_be_asked_for_and_one_when_that_is_over() {
    let mut grown = Grown::troubled();
    for _ in 0..15 {
        grown.carry(1, CALM);
        assert!(!grown.prunes(3));
    }
    assert!(grown.prunes(2), "of all others nothing changes");
    grown.carry(1, CALM);
    assert!(grown.prunes(3), "it is over");
    assert_eq!(grown.double([2]), None);
}

#[test]
fn the_parent_that_comes_later_is_the_second_one() {
    let mut grown = Grown::troubled();
    for first in [3, 1, 3] {
        grown.carry(first, CALM);
        assert!(!grown.prunes(4 - first));
    }
    // Somebody else who was asked takes the place of the parent, and not of the second one.
    grown.carry(2, ASKED);
    assert!(!grown.prunes(1) && grown.prunes(3));
}

#[test]
fn a_second_parent_that_brings_nothing_or_leaves_is_replaced() {
    let mut grown = Grown::troubled();
    grown.miss();
    grown.carry(1, ASKED);
    assert_eq!(grown.double([4]), Some(peer(4)), "five messages, and a second");
    grown.trees.leave(&peer(4));
    assert_eq!(grown.double([2]), Some(peer(2)));
}

#[test]
fn a_second_parent_has_time_for_its_first_copy_however_fast_the_author_is() {
    let mut grown = Grown::troubled();
    for _ in 0..12 {
        grown.carry(1, ASKED);
        assert_eq!(grown.double([4]), None);
    }
    assert!(!grown.prunes(3));
}

#[test]
fn a_second_parent_may_miss_a_few() {
    let mut grown = Grown::troubled();
    grown.seconds += 2;
    for _ in 0..4 {
        grown.carry(1, ASKED);
        assert_eq!(grown.double([4]), None);
    }
    grown.carry(1, ASKED);
    assert_eq!(grown.double([4]), Some(peer(4)));
}

#[test]
fn a_tree_that_has_yet_to_find_its_shape_has_no_second_parent() {
    let (mut trees, topic, author) = (Trees::default(), topic(), peer(9));
    (1..=2).for_each(|tag| trees.join(peer(tag)));
    let mut rng = ChaCha8Rng::from_seed([0; 32]);
    for _ in 0..9 {
        trees.carry(author, topic, (Some(peer(1)), ASKED), at(0));
        assert_eq!(trees.double(&author, [peer(2)].into_iter(), at(0), &mut rng), None);
    }
    trees.carry(author, topic, (Some(peer(1)), ASKED), at(0));
    assert!(trees.double(&author, [peer(2)].into_iter(), at(0), &mut rng).is_some());
}

#[test]
fn what_a_second_parent_offers_is_not_what_it_brings() {
    let mut grown = Grown::troubled();
    for _ in 0..5 {
        grown.carry(1, CALM);
        assert!(!grown.repeats(3, Repeated::Offered));
    }
    grown.seconds += 1;
    grown.carry(1, ASKED);
    assert_eq!(grown.double([4]), Some(peer(4)));
}

#[test]
fn who_fails_as_a_second_parent_is_not_drawn_for_ever() {
    let mut grown = Grown::troubled();
    let mut drawn = 1;
    for _ in 0..8 {
        (0..5).for_each(|_| grown.carry(1, ASKED));
        grown.seconds += 1;
        grown.carry(1, ASKED);
        drawn += u8::from(grown.double([3]).is_some());
    }
    assert_eq!(drawn, TRIES_MAX);
}

#[test]
fn who_is_adopted_is_no_second_parent() {
    let mut grown = Grown::new();
    (0..2).for_each(|_| grown.carry(1, ASKED));
    assert!(grown.trees.adopt(&peer(Grown::AUTHOR), peer(3)).is_some());
    assert_eq!(grown.double([1, 3]), None);
    assert_eq!(grown.double([1, 2, 3]), Some(peer(2)));
}

#[test]
fn large_messages_say_nothing_of_how_small_ones_come() {
    let mut grown = Grown::new();
    let large = Carried { was_asked: true, size: Size::Large };
    (0..9).for_each(|_| grown.carry(1, large));
    assert_eq!(grown.double([3]), None);
    (0..2).for_each(|_| grown.carry(1, ASKED));
    assert_eq!(grown.double([3]), Some(peer(3)));
    grown.carry(1, large);
    assert!(!grown.prunes(3));
}
