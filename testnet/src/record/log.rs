//! What happened, event by event, in bounded memory.
//!
//! Each [`Sort`] of event has room of its own, so that a flood of one leaves the others alone. When it is
//! full, every second event is forgotten and from then on only every second is kept, and so on: what is
//! kept is spread evenly over the run. Of messages, whole lives are kept or forgotten.

use forsooth_protocol::{Fault, Role, Shortfall, Time};

use super::{Seat, spread::Number};

/// Something that happened at an honest node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Time,
    pub(crate) seat: Seat,
    pub(crate) what: Happening,
    /// The other node, if known.
    pub(crate) peer: Option<u32>,
    pub(crate) message: Option<Number>,
    order: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// It published a message.
    Published,
    /// It passed a message on that the peer brought.
    Relayed,
    /// It accepted a message.
    Accepted,
    /// It dropped a message that it had not accepted.
    Unaccepted(Shortfall),
    /// A message that it had accepted turned out to be one of two.
    Contested,
    /// It found a fault that it blames on the peer.
    Fault(Fault),
    /// It banned the peer.
    Banned(Fault),
    /// It holds a proof against the peer.
    Exposed,
    /// A link to the peer came up.
    LinkUp(Role),
    /// A link to the peer went down.
    LinkDown,
    /// A hostile frame of the peer arrived.
    Hostile,
    /// It heard that several observers accuse the peer.
    Suspected,
    /// It heard that the peer lives, which was suspected or dead.
    Recovered,
    /// It holds a certificate of the peer's death.
    Died,
    /// It heard that the peer leaves, or has signed two things of itself.
    Parted,
    /// The node left the network.
    Left,
    /// The node joined it.
    Joined,
}

/// Events that share a room.
#[derive(Clone, Copy, Debug)]
enum Sort {
    Message,
    Fault,
    Verdict,
    Link,
    Hostile,
    Member,
}

impl Sort {
    const COUNT: usize = 6;

    /// Events that are kept.
    const fn room(self) -> usize {
        match self {
            Self::Message => 60_000,
            Self::Verdict => 40_000,
            Self::Fault | Self::Link | Self::Hostile | Self::Member => 20_000,
        }
    }
}

impl Happening {
    /// A short, stable name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Relayed => "relayed",
            Self::Accepted => "accepted",
            Self::Unaccepted(_) => "unaccepted",
            Self::Contested => "contested",
            Self::Fault(_) => "fault",
            Self::Banned(_) => "banned",
            Self::Exposed => "exposed",
            Self::LinkUp(_) => "link_up",
            Self::LinkDown => "link_down",
            Self::Hostile => "hostile",
            Self::Suspected => "suspected",
            Self::Recovered => "recovered",
            Self::Died => "died",
            Self::Parted => "parted",
            Self::Left => "left",
            Self::Joined => "joined",
        }
    }

    const fn sort(self) -> Sort {
        match self {
            Self::Published | Self::Relayed | Self::Accepted | Self::Unaccepted(_) => Sort::Message,
            Self::Banned(_) | Self::Exposed | Self::Contested | Self::Left | Self::Joined => {
                Sort::Verdict
            }
            Self::Suspected | Self::Recovered | Self::Died | Self::Parted => Sort::Member,
            Self::Fault(_) => Sort::Fault,
            Self::LinkUp(_) | Self::LinkDown => Sort::Link,
            Self::Hostile => Sort::Hostile,
        }
    }
}

/// The events of a run.
#[derive(Debug, Default)]
pub(crate) struct Log {
    rooms: [Room; Sort::COUNT],
    seen: u64,
}

/// Events of one sort.
#[derive(Debug)]
struct Room {
    /// Which ones of a sequence are kept: those that this divides.
    stride: u64,
    seen: u64,
    kept: Vec<(u64, Entry)>,
}

impl Default for Room {
    fn default() -> Self {
        Self { stride: 1, seen: 0, kept: Vec::new() }
    }
}

impl Log {
    pub(crate) fn note(
        &mut self,
        at: Time,
        seat: Seat,
        what: Happening,
        peer: Option<u32>,
        message: Option<Number>,
    ) {
        let sort = what.sort();
        let order = self.seen;
        self.seen += 1;
        let Some(room) = self.rooms.get_mut(sort as usize) else { return };
        let place = match message {
            Some(Number(number)) => u64::from(number),
            None => room.seen,
        };
        room.seen += 1;
        if !place.is_multiple_of(room.stride) {
            return;
        }
        room.kept.push((place, Entry { at, seat, what, peer, message, order }));
        while room.kept.len() > sort.room() && room.stride < 1 << 32 {
            room.stride *= 2;
            let stride = room.stride;
            room.kept.retain(|(place, _)| place.is_multiple_of(stride));
        }
        // One message in a huge network can be too much on its own.
        room.kept.truncate(sort.room());
    }

    /// What was kept, in the order in which it happened.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let kept = self.rooms.iter().flat_map(|room| &room.kept);
        let mut entries: Vec<_> = kept.map(|(_, entry)| *entry).collect();
        entries.sort_by_key(|entry| entry.order);
        entries
    }

    /// How many events were not kept.
    pub(crate) fn left_out(&self) -> u64 {
        let kept: usize = self.rooms.iter().map(|room| room.kept.len()).sum();
        self.seen - kept as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_thinned_evenly_and_leaves_the_rest_alone() {
        let mut log = Log::default();
        log.note(Time::ZERO, Seat(0), Happening::Exposed, Some(9), None);
        for _ in 0..100_000 {
            log.note(Time::ZERO, Seat(1), Happening::Hostile, Some(9), None);
        }
        let entries = log.entries();
        assert!(entries.len() <= 20_001 && entries.len() > 10_000, "{}", entries.len());
        assert_eq!(entries.len() as u64 + log.left_out(), 100_001);
        assert_eq!(entries[0].what, Happening::Exposed);
        assert_eq!(entries[2].order - entries[1].order, 8);
    }

    #[test]
    fn of_a_message_the_whole_life_is_kept_or_nothing() {
        let mut log = Log::default();
        for number in 0..1000 {
            for seat in 0..200 {
                let what = if seat == 0 { Happening::Published } else { Happening::Accepted };
                log.note(Time::ZERO, Seat(seat), what, None, Some(Number(number)));
            }
        }
        let entries = log.entries();
        let kept =
            |number| entries.iter().filter(|entry| entry.message == Some(Number(number))).count();
        assert!((0..1000).all(|number| kept(number) == 0 || kept(number) == 200));
        assert!(entries.len() > 20_000, "{}", entries.len());
    }
}
