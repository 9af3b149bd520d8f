//! How messages spread: who accepted what, how long it took, and what is owed to whom.
//!
//! A message is owed to every honest node but its author that was there when it was published and stayed
//! until it accepted it. A node that leaves within a minute takes the debt with it. So does an author that is
//! killed before anybody else had its message: no network can deliver what nobody has.
//!
//! Where messages are kept, none of this is an excuse: each is owed to every honest node but its author, once in all its lives,
//! since who was away asks for what it missed, and an author has on its disk what it has published.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use forsooth_protocol::{MessageId, Slot, Time};

use super::{Seat, latencies::Latencies, seats::Seats};

/// Messages that are followed. What is published beyond that is not judged, and the findings say so.
const MESSAGES_MAX: usize = 1 << 17;
/// A message that a node has not accepted after this long is still owed to it when it leaves.
const OWED_AFTER: Duration = Duration::from_secs(60);

/// A message's place in the order in which the recorder got to know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u32);

/// The spread of all messages of a run.
#[derive(Debug)]
pub(crate) struct Spread {
    // Only looked up in; what is iterated is `messages`.
    numbers: HashMap<MessageId, Number>,
    messages: Vec<Message>,
    /// The first message that was accepted for each slot.
    slots: HashMap<Slot, Number>,
    /// Slots for which honest nodes accepted different messages.
    split: BTreeSet<Slot>,
    honest: u64,
    is_kept: bool,
    away: Seats,
    /// What nodes that came back have accepted since.
    lives: BTreeMap<Seat, BTreeSet<Number>>,
    pub(crate) latencies: Latencies,
    pub(crate) published: u64,
    /// Acceptances that are due.
    pub(crate) wanted: u64,
    /// Those of them that came.
    pub(crate) accepted: u64,
    /// Payload bytes of all acceptances at honest nodes, whoever the author.
    pub(crate) accepted_bytes: u64,
    /// Messages that were not followed.
    pub(crate) untracked: u64,
    /// Messages that nobody had when their authors went.
    pub(crate) orphaned: u64,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) published: Option<Published>,
    /// Acceptances that are due and came.
    pub(crate) accepted: u64,
    /// Acceptances that are due.
    pub(crate) wanted: u64,
    holders: Seats,
    excused: Option<Box<Seats>>,
    reach: Reach,
}

/// Whether a message depends on its author alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nobody else is known to have it.
    Author,
    /// Nobody else was known to have it when its author went.
    Nobody,
    /// Another honest node has passed it on.
    Others,
}

/// An honest author's part in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) at: Time,
    pub(crate) author: Seat,
    /// Whether an attack or a fault was on.
    pub(crate) disturbed: bool,
}

/// An acceptance that is the first by this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) number: Number,
    /// If an honest author published it.
    pub(crate) published: Option<Published>,
}

/// What an acceptance was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Acceptance {
    /// The node's first of this message.
    First(Taken),
    /// The node had accepted it before.
    Again,
    /// The message is not followed.
    Untracked,
}

impl Spread {
    pub(crate) fn new(honest: usize, is_kept: bool) -> Self {
        Self {
            is_kept,
            numbers: HashMap::new(),
            messages: Vec::new(),
            slots: HashMap::new(),
            split: BTreeSet::new(),
            honest: u64::try_from(honest).unwrap_or(u64::MAX),
            away: Seats::default(),
            lives: BTreeMap::new(),
            latencies: Latencies::default(),
            published: 0,
            wanted: 0,
            accepted: 0,
            accepted_bytes: 0,
            untracked: 0,
            orphaned: 0,
        }
    }

    /// An honest node has published. Returns the message's number if it is followed.
    pub(crate) fn published(&mut self, id: MessageId, published: Published) -> Option<Number> {
        self.published += 1;
        let mut excused = if self.is_kept { Seats::default() } else { self.away.clone() };
        excused.remove(published.author);
        let number = self.number(id)?;
        let wanted = self.honest.saturating_sub(1).saturating_sub(excused.len() as u64);
        let message = self.messages.get_mut(number.0 as usize)?;
        if message.published.is_none() {
            message.published = Some(published);
            message.wanted = wanted;
            message.excused = (excused.len() > 0).then(|| Box::new(excused));
            self.wanted += wanted;
        }
        Some(number)
    }

    /// An honest node has accepted a message.
    pub(crate) fn accepted(
        &mut self,
        seat: Seat,
        id: MessageId,
        slot: Slot,
        payload_bytes: usize,
        at: Time,
    ) -> Acceptance {
        let Some(number) = self.number(id) else { return Acceptance::Untracked };
        let Some(message) = self.messages.get_mut(number.0 as usize) else {
            return Acceptance::Untracked;
        };
        let new = message.holders.insert(seat);
        let new_in_life = self.lives.get_mut(&seat).map(|life| life.insert(number));
        if !new_in_life.unwrap_or(new) {
            return Acceptance::Again;
        }
        self.accepted_bytes += u64::try_from(payload_bytes).unwrap_or(u64::MAX);
        let published = message.published;
        if let Some(published) = published
            && new
            && message.is_owed_to(seat)
        {
            message.accepted += 1;
            self.accepted += 1;
            self.latencies.record(published, at);
        }
        if *self.slots.entry(slot).or_insert(number) != number {
            self.split.insert(slot);
        }
        Acceptance::First(Taken { number, published })
    }

    /// An honest node has found a message good and passes it on.
    pub(crate) fn relayed(&mut self, seat: Seat, number: Number) {
        let Some(message) = self.messages.get_mut(number.0 as usize) else { return };
        if message.published.is_none_or(|published| published.author == seat) {
            return;
        }
        if message.reach == Reach::Nobody {
            self.wanted += message.wanted;
            self.orphaned = self.orphaned.saturating_sub(1);
        }
        message.reach = Reach::Others;
    }

    /// A node is gone, or not there yet.
    pub(crate) fn left(&mut self, seat: Seat, at: Time) {
        self.away.insert(seat);
        if self.is_kept {
            return;
        }
        let recent = |message: &&mut Message| {
            message.published.is_none_or(|published| at.since(published.at) < OWED_AFTER)
        };
        // Messages are numbered in the order of their publishing, but for adversaries'.
        for message in self.messages.iter_mut().rev().take_while(recent) {
            if !message.holders.contains(seat) && message.is_owed_to(seat) {
                message.excused.get_or_insert_default().insert(seat);
                message.wanted = message.wanted.saturating_sub(1);
                if message.reach != Reach::Nobody {
                    self.wanted = self.wanted.saturating_sub(1);
                }
            }
            if message.published.is_some_and(|published| published.author == seat)
                && message.reach == Reach::Author
            {
                message.reach = Reach::Nobody;
                self.wanted = self.wanted.saturating_sub(message.wanted);
                self.orphaned += 1;
            }
        }
    }

    /// A node is there, or again: what it accepted in an earlier life it may accept once more.
    pub(crate) fn joined(&mut self, seat: Seat) {
        self.away.remove(seat);
        if !self.is_kept {
            self.lives.insert(seat, BTreeSet::new());
        }
    }

    /// What honest nodes have published and this one has not.
    pub(crate) fn lacking(&self, seat: Seat) -> BTreeSet<Number> {
        let lacks = |(number, message): (usize, &Message)| {
            let is_lacking = !message.holders.contains(seat) && message.is_owed_to(seat);
            is_lacking.then_some(Number(u32::try_from(number).ok()?))
        };
        self.messages.iter().enumerate().filter_map(lacks).collect()
    }

    /// Slots for which honest nodes accepted different messages.
    pub(crate) fn slots_split(&self) -> usize {
        self.split.len()
    }

    /// All messages that are followed, by their numbers.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// A message's id.
    pub(crate) fn id(&self, number: Number) -> Option<MessageId> {
        self.messages.get(number.0 as usize).map(|message| message.id)
    }

    /// The number of a message that is followed.
    pub(crate) fn find(&self, id: &MessageId) -> Option<Number> {
        self.numbers.get(id).copied()
    }

    /// The number of a message, which is followed from now on if there is room.
    fn number(&mut self, id: MessageId) -> Option<Number> {
        if let Some(number) = self.find(&id) {
            return Some(number);
        }
        if self.messages.len() >= MESSAGES_MAX {
            self.untracked += 1;
            return None;
        }
        let number = Number(u32::try_from(self.messages.len()).ok()?);
        self.numbers.insert(id, number);
        let holders = Seats::default();
        self.messages.push(Message {
            id,
            published: None,
            accepted: 0,
            wanted: 0,
            holders,
            excused: None,
            reach: Reach::Author,
        });
        Some(number)
    }
}

impl Message {
    /// Whether this honest node should have it.
    fn is_owed_to(&self, seat: Seat) -> bool {
        self.published.is_some_and(|published| published.author != seat)
            && !self.excused.as_ref().is_some_and(|excused| excused.contains(seat))
    }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;

    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_duration(Duration::from_millis(ms))
    }

    fn id(byte: u8) -> MessageId {
        MessageId::from_bytes([byte; 32])
    }

    fn slot(seq: u64) -> Slot {
        let network =
            crate::plan::Plan::new(1, 2, &[], crate::plan::Load { rate: 1.0, payload_bytes: 1 });
        let author = Keypair::from_seed([1; 32]).id();
        Slot { author, topic: network.unwrap().topic, generation: 1, seq }
    }

    fn publish(spread: &mut Spread, byte: u8, ms: u64) {
        spread.published(id(byte), Published { at: at(ms), author: Seat(0), disturbed: false });
    }

    fn accept(spread: &mut Spread, seat: u32, byte: u8, ms: u64) -> Acceptance {
        spread.accepted(Seat(seat), id(byte), slot(byte.into()), 10, at(ms))
    }

    #[test]
    fn what_is_wanted_is_each_message_at_each_other_honest_node() {
        let mut spread = Spread::new(3, false);
        publish(&mut spread, 1, 100);
        assert!(matches!(accept(&mut spread, 0, 1, 100), Acceptance::First(_)));
        assert!(matches!(accept(&mut spread, 1, 1, 110), Acceptance::First(_)));
        assert_eq!((spread.accepted, spread.wanted), (1, 2));
        assert!(matches!(accept(&mut spread, 2, 1, 130), Acceptance::First(_)));
        assert!(matches!(accept(&mut spread, 2, 1, 131), Acceptance::Again));
        // An adversary's message is worth its bytes, not a place in the ratio.
        assert!(matches!(accept(&mut spread, 2, 2, 140), Acceptance::First(_)));
        assert_eq!((spread.accepted, spread.wanted, spread.accepted_bytes), (2, 2, 40));
        assert_eq!(spread.latencies.all().max.as_millis(), 30);
    }

    #[test]
    fn a_node_that_leaves_is_owed_nothing_and_one_that_returns_may_hear_it_again() {
        let mut spread = Spread::new(3, false);
        publish(&mut spread, 1, 100);
        accept(&mut spread, 1, 1, 110);
        spread.left(Seat(1), at(120));
        spread.left(Seat(2), at(120));
        assert_eq!(
            (spread.accepted, spread.wanted),
            (1, 1),
            "who had it counts, who had not does not"
        );
        publish(&mut spread, 2, 130);
        assert_eq!(spread.wanted, 1, "nobody is there");
        spread.joined(Seat(1));
        assert!(matches!(accept(&mut spread, 1, 1, 140), Acceptance::First(_)), "another life");
        assert!(matches!(accept(&mut spread, 1, 1, 150), Acceptance::Again), "the same life");
        assert!(
            matches!(accept(&mut spread, 1, 2, 150), Acceptance::First(_)),
            "not owed, welcome"
        );
        publish(&mut spread, 3, 160);
        accept(&mut spread, 1, 3, 170);
        assert_eq!((spread.accepted, spread.wanted), (2, 2));
    }

    #[test]
    fn what_nobody_had_when_its_author_went_is_owed_to_nobody_unless_somebody_had_it() {
        let mut spread = Spread::new(3, false);
        publish(&mut spread, 1, 100);
        publish(&mut spread, 2, 110);
        let [one, two] = [1, 2].map(|byte| spread.find(&id(byte)).unwrap());
        spread.relayed(Seat(0), one);
        spread.relayed(Seat(1), two);
        spread.left(Seat(0), at(120));
        assert_eq!((spread.wanted, spread.orphaned), (2, 1), "its own relaying is no help");
        spread.relayed(Seat(2), one);
        assert_eq!((spread.wanted, spread.orphaned), (4, 0), "it was on its way");
    }

    #[test]
    fn what_is_kept_is_owed_to_whoever_was_away_and_once_in_all_its_lives() {
        let mut spread = Spread::new(3, true);
        publish(&mut spread, 1, 100);
        accept(&mut spread, 1, 1, 110);
        spread.left(Seat(1), at(120));
        spread.left(Seat(0), at(120));
        publish(&mut spread, 2, 130);
        assert_eq!((spread.accepted, spread.wanted, spread.orphaned), (1, 4, 0));
        spread.joined(Seat(1));
        assert_eq!(spread.lacking(Seat(1)), BTreeSet::from([Number(1)]));
        assert!(matches!(accept(&mut spread, 1, 1, 140), Acceptance::Again), "in another life");
        assert!(matches!(accept(&mut spread, 1, 2, 140), Acceptance::First(_)));
        assert_eq!(spread.lacking(Seat(1)), BTreeSet::new());
    }

    #[test]
    fn leaving_late_does_not_hide_what_was_never_delivered() {
        let mut spread = Spread::new(2, false);
        publish(&mut spread, 1, 0);
        spread.left(Seat(1), Time::from_duration(OWED_AFTER));
        assert_eq!((spread.accepted, spread.wanted), (0, 1));
    }

    #[test]
    fn a_slot_with_two_accepted_messages_is_counted_once() {
        let mut spread = Spread::new(4, false);
        for (seat, byte) in [(0, 1), (1, 2), (2, 1), (3, 2)] {
            spread.accepted(Seat(seat), id(byte), slot(7), 10, at(1));
        }
        assert_eq!(spread.slots_split(), 1);
    }
}
