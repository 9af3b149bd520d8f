//! What others hold and this node lacks: who has it, and who is asked for it.
//!
//! Nobody is asked for a message while another is. What somebody does not send in time, or leaves out though it
//! sends nothing else, is asked of the next who has it. Each peer can only add so much.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::NodeId;

use crate::{message::MessageId, sync::Item, time::Time};

/// Messages that are wanted on one topic.
const WANTS_MAX: usize = 65_536;
/// Of these, such as one peer alone told of.
const WANTS_PER_PEER_MAX: usize = 32_768;
/// Peers remembered that have one message.
const HOLDERS_MAX: usize = 8;
/// Whoever is asked and sends nothing for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// A request may take so long in all, however little comes at a time.
const REQUEST_TIME: Duration = Duration::from_secs(60);

/// What is wanted on one topic.
#[derive(Debug, Default)]
pub(super) struct Wants {
    wants: BTreeMap<Item, Want>,
    /// What nobody is asked for, by those who have it: of what is [free](State::Free), and of nothing else.
    free: BTreeMap<NodeId, BTreeSet<Item>>,
    asked: BTreeMap<NodeId, Asked>,
    /// How much each peer has added.
    told: BTreeMap<NodeId, usize>,
    /// What each peer left out when it last sent nothing of what it was asked for.
    left_out: BTreeMap<NodeId, BTreeSet<Item>>,
    /// The number of the last request.
    number: u32,
}

#[derive(Debug)]
struct Want {
    holders: Vec<NodeId>,
    /// Who is to blame for its room.
    first: NodeId,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    /// This peer is asked.
    Asked(NodeId),
    Checking,
}

#[derive(Debug)]
struct Asked {
    number: u32,
    items: BTreeSet<Item>,
    /// It has sent some of it.
    has_sent: bool,
    /// When it was asked, or last sent any of it.
    since: Time,
    /// When it was asked.
    begun: Time,
    bytes: usize,
}

impl Asked {
    /// It is waited for until then.
    fn until(&self) -> Time {
        (self.since + PATIENCE).min(self.begun + REQUEST_TIME)
    }
}

/// What to ask a peer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) number: u32,
    pub(super) items: Vec<Item>,
}

impl Wants {
    /// A peer has a message that is lacking here. Whether it is noted.
    pub(super) fn add(&mut self, item: Item, holder: NodeId) -> bool {
        if let Some(want) = self.wants.get_mut(&item) {
            if !want.holders.contains(&holder) && want.holders.len() < HOLDERS_MAX {
                want.holders.push(holder);
                if want.state == State::Free {
                    self.free.entry(holder).or_default().insert(item);
                }
            }
            return true;
        }
        let told = self.told.get(&holder).copied().unwrap_or(0);
        if self.wants.len() >= WANTS_MAX || told >= WANTS_PER_PEER_MAX {
            return false;
        }
        self.told.insert(holder, told.saturating_add(1));
        self.free.entry(holder).or_default().insert(item);
        let want = Want { holders: vec![holder], first: holder, state: State::Free };
        self.wants.insert(item, want);
        true
    }

    /// Who can be asked for something, and is not.
    pub(super) fn idle(&self) -> Vec<NodeId> {
        self.free.keys().filter(|peer| !self.asked.contains_key(peer)).copied().collect()
    }

    /// What a peer is to be asked for now: the oldest first.
    pub(super) fn ask(&mut self, peer: NodeId, max: usize, now: Time) -> Option<Request> {
        let free = self.free.get(&peer).into_iter().flatten();
        let items: BTreeSet<Item> = free.take(max).copied().collect();
        if items.is_empty() || self.asked.contains_key(&peer) {
            return None;
        }
        for item in &items {
            let Some(want) = self.wants.get_mut(item) else { continue };
            want.state = State::Asked(peer);
            for holder in &want.holders {
                unlist(&mut self.free, holder, item);
            }
        }
        self.number = self.number.wrapping_add(1);
        let request = Request { number: self.number, items: items.iter().copied().collect() };
        let asked =
            Asked { number: self.number, items, has_sent: false, since: now, begun: now, bytes: 0 };
        self.asked.insert(peer, asked);
        Some(request)
    }

    /// Whether a peer is being waited for because of this request.
    pub(super) fn expects(&self, peer: &NodeId, number: u32) -> bool {
        self.asked.get(peer).is_some_and(|asked| asked.number == number)
    }

    /// A peer sent a message. Whether it was asked for it. If it is wanted still, it is being checked.
    pub(super) fn came(&mut self, peer: &NodeId, item: &Item, bytes: usize, now: Time) -> bool {
        let Some(asked) = self.asked.get_mut(peer) else { return false };
        if !asked.items.remove(item) {
            return false;
        }
        asked.since = now;
        asked.has_sent = true;
        asked.bytes = asked.bytes.saturating_add(bytes);
        if let Some(want) = self.wants.get_mut(item)
            && want.state == State::Asked(*peer)
        {
            want.state = State::Checking;
        }
        true
    }

    /// Bytes that have come of what a peer is being asked for.
    pub(super) fn bytes(&self, peer: &NodeId) -> usize {
        self.asked.get(peer).map_or(0, |asked| asked.bytes)
    }

    /// A peer has sent all that it will. What it left out it has no room for now, if it sent anything; else it does not have
    /// it. How much of that it had left out before, and says again that it has.
    pub(super) fn sent(&mut self, peer: &NodeId) -> usize {
        let Some(asked) = self.asked.remove(peer) else { return 0 };
        if asked.has_sent {
            self.left_out.remove(peer);
            asked.items.iter().for_each(|item| self.take_back(item, peer));
            return 0;
        }
        asked.items.iter().for_each(|item| self.renounce(item, peer));
        let before = self.left_out.remove(peer).unwrap_or_default();
        let again = asked.items.intersection(&before).count();
        self.left_out.insert(*peer, asked.items);
        again
    }

    /// Whoever was asked and sends nothing, or little, is not waited for.
    pub(super) fn expire(&mut self, now: Time) -> Vec<NodeId> {
        let late = self.asked.iter().filter(|(_, asked)| asked.until() <= now);
        let late: Vec<NodeId> = late.map(|(peer, _)| *peer).collect();
        for peer in &late {
            for item in self.asked.remove(peer).into_iter().flat_map(|asked| asked.items) {
                self.renounce(&item, peer);
            }
        }
        late
    }

    /// When somebody is late next.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.asked.values().map(Asked::until).min()
    }

    /// A message is wanted no more, whatever became of it. Those who have it.
    pub(super) fn settle(&mut self, item: &Item) -> Vec<NodeId> {
        let Some(want) = self.wants.remove(item) else { return Vec::new() };
        if want.state == State::Free {
            want.holders.iter().for_each(|holder| unlist(&mut self.free, holder, item));
        }
        if let Some(told) = self.told.get_mut(&want.first) {
            *told = told.saturating_sub(1);
            if *told == 0 {
                self.told.remove(&want.first);
            }
        }
        want.holders
    }

    /// What came could not be checked now.
    pub(super) fn release(&mut self, item: &Item) {
        let Some(want) = self.wants.get_mut(item) else { return };
        want.state = State::Free;
        for holder in &want.holders {
            self.free.entry(*holder).or_default().insert(*item);
        }
        if want.holders.is_empty() {
            self.settle(item);
        }
    }

    /// What came from a peer was no message.
    pub(super) fn spoil(&mut self, id: &MessageId, peer: &NodeId) {
        let is_it = |(item, want): &(&Item, &Want)| {
            want.state == State::Checking && item.id() == id.as_bytes()
        };
        let spoiled = self.wants.iter().find(is_it).map(|(item, _)| *item);
        if let Some(item) = spoiled {
            self.release(&item);
            self.renounce(&item, peer);
        }
    }

    /// A peer is asked no more for a message. If it has come meanwhile, or another is asked, that stays so.
    fn take_back(&mut self, item: &Item, peer: &NodeId) {
        if self.wants.get(item).is_some_and(|want| want.state == State::Asked(*peer)) {
            self.release(item);
        }
    }

    /// A peer does not have what it told of. Others may.
    fn renounce(&mut self, item: &Item, peer: &NodeId) {
        self.take_back(item, peer);
        let Some(want) = self.wants.get_mut(item) else { return };
        want.holders.retain(|holder| holder != peer);
        unlist(&mut self.free, peer, item);
        if want.holders.is_empty() && want.state != State::Checking {
            self.settle(item);
        }
    }

    /// A peer is gone.
    pub(super) fn leave(&mut self, peer: &NodeId) {
        self.left_out.remove(peer);
        let asked = self.asked.remove(peer).into_iter().flat_map(|asked| asked.items);
        let free = self.free.remove(peer).into_iter().flatten();
        for item in asked.chain(free) {
            self.renounce(&item, peer);
        }
    }

    /// Messages that somebody is being asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked.values().map(|asked| asked.items.len()).sum()
    }

    /// Whether a peer is to send something yet.
    pub(super) fn concern(&self, peer: &NodeId) -> bool {
        self.free.contains_key(peer) || self.asked.contains_key(peer)
    }

    /// Whether a message that was asked for is being checked.
    pub(super) fn is_checking(&self, item: &Item) -> bool {
        self.wants.get(item).is_some_and(|want| want.state == State::Checking)
    }

    /// Those who have a message.
    pub(super) fn holders(&self, item: &Item) -> Vec<NodeId> {
        self.wants.get(item).map(|want| want.holders.clone()).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        self.wants.len()
    }

    pub(super) const fn max() -> usize {
        WANTS_MAX
    }
}

fn unlist(free: &mut BTreeMap<NodeId, BTreeSet<Item>>, holder: &NodeId, item: &Item) {
    if let Some(items) = free.get_mut(holder) {
        items.remove(item);
        if items.is_empty() {
            free.remove(holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    fn item(n: u8) -> Item {
        Item::new(n.into(), [n; 32])
    }

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    fn ask(wants: &mut Wants, tag: u8, seconds: u64) -> Vec<Item> {
        wants.ask(peer(tag), 9, at(seconds)).map(|request| request.items).unwrap_or_default()
    }

    #[test]
    fn nobody_is_asked_for_what_another_is_asked_for() {
        let mut wants = Wants::default();
        for holder in [1, 2] {
            assert!((0..4).all(|n| wants.add(item(n), peer(holder))));
        }
        assert_eq!(wants.ask(peer(1), 3, at(0)).unwrap().items.len(), 3);
        assert_eq!(ask(&mut wants, 2, 0), [item(3)]);
        assert!(!wants.came(&peer(2), &item(0), 9, at(0)), "the other was asked");
        assert!(wants.came(&peer(1), &item(0), 9, at(0)));
        assert!(!wants.came(&peer(1), &item(0), 9, at(0)), "once");
        assert_eq!(
            (ask(&mut wants, 1, 0), ask(&mut wants, 2, 0)),
            (vec![], vec![]),
            "one at a time"
        );
    }

    #[test]
    fn what_one_does_not_send_is_asked_of_another() {
        let mut wants = Wants::default();
        for holder in [1, 2] {
            wants.add(item(0), peer(holder));
        }
        let request = wants.ask(peer(1), 9, at(0)).unwrap();
        assert!(wants.expire(at(9)).is_empty());
        assert_eq!(wants.expire(at(10)), [peer(1)]);
        assert!(!wants.expects(&peer(1), request.number), "what still comes is late");
        assert_eq!(ask(&mut wants, 1, 10), []);
        assert_eq!(ask(&mut wants, 2, 10), [item(0)]);
        wants.leave(&peer(2));
        assert_eq!((wants.len(), wants.free.len(), wants.told.len()), (0, 0, 0));
    }

    #[test]
    fn what_comes_another_way_and_is_wanted_again_is_asked_of_one_only() {
        let mut wants = Wants::default();
        wants.add(item(0), peer(1));
        ask(&mut wants, 1, 0);
        wants.settle(&item(0));
        wants.add(item(0), peer(2));
        assert_eq!(ask(&mut wants, 2, 0), [item(0)]);
        assert!(wants.came(&peer(1), &item(0), 9, at(1)), "it was asked as well");
        assert!(!wants.is_checking(&item(0)));
        wants.sent(&peer(1));
        assert!(wants.idle().is_empty(), "the other is still asked");
        assert!(wants.came(&peer(2), &item(0), 9, at(2)));
        assert!(wants.is_checking(&item(0)));
    }

    #[test]
    fn what_is_left_out_for_want_of_room_is_asked_for_again() {
        let mut wants = Wants::default();
        assert!((0..2).all(|n| wants.add(item(n), peer(1))));
        assert_eq!(ask(&mut wants, 1, 0).len(), 2);
        wants.came(&peer(1), &item(0), 9, at(0));
        assert_eq!(wants.sent(&peer(1)), 0);
        assert_eq!(ask(&mut wants, 1, 0), [item(1)]);
    }

    #[test]
    fn who_says_again_that_it_has_what_it_left_out_breaks_a_promise() {
        let mut wants = Wants::default();
        for again in [0, 1] {
            wants.add(item(0), peer(1));
            assert_eq!(ask(&mut wants, 1, 0), [item(0)]);
            assert_eq!((wants.sent(&peer(1)), wants.len()), (again, 0), "it may have just gone");
        }
    }

    #[test]
    fn who_drips_is_waited_for_only_so_long() {
        let mut wants = Wants::default();
        assert!((0..8).all(|n| wants.add(item(n), peer(1))));
        assert_eq!(ask(&mut wants, 1, 0).len(), 8);
        for n in 0..7 {
            assert!(wants.came(&peer(1), &item(n), 9, at(9 * u64::from(n))));
            assert!(wants.expire(at(9 * u64::from(n) + 5)).is_empty());
        }
        assert_eq!(wants.deadline(), Some(at(60)));
        assert_eq!(wants.expire(at(60)), [peer(1)]);
    }

    #[test]
    fn one_peer_adds_only_so_much() {
        let mut wants = Wants::default();
        let many = (0..60_000_u32).map(|n| Item::new(n.into(), [0; 32]));
        assert_eq!(many.filter(|item| wants.add(*item, peer(1))).count(), WANTS_PER_PEER_MAX);
        assert!(wants.add(Item::new(1, [9; 32]), peer(2)));
    }
}
