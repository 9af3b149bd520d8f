//! All links of a world, each with its two ends, of which one may be up when the other is not.
//!
//! A link has a place and a serial number; what is on its way names both, so that nothing arrives on a link
//! that has taken the place of another.

use forsooth::net::queue::Queue;

use super::{Index, moment::Nanos};

/// Names a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkId {
    place: u32,
    serial: u32,
}

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Who dialled.
    Caller,
    /// Who was dialled.
    Host,
}

impl Side {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Host,
            Self::Host => Self::Caller,
        }
    }
}

/// One end of a link.
#[derive(Debug)]
pub(crate) struct End {
    /// Whose.
    pub(crate) node: Index,
    pub(crate) is_up: bool,
    /// When the last frame of each lane arrives at the other end; later ones do not overtake it.
    pub(crate) arrivals: [Nanos; 2],
    /// Only for links that have had trouble: most never do.
    pub(crate) strain: Option<Box<Strain>>,
}

/// What there is to remember of a link that cannot carry all that it is given.
#[derive(Debug)]
pub(crate) struct Strain {
    /// Frames that wait at this end.
    pub(crate) waiting: Queue,
    /// Whether this end is in its node's line for the network card.
    pub(crate) is_in_line: bool,
    /// Bytes sent that the other end does not read.
    pub(crate) unread_bytes: u64,
    /// When the other end has read what it was sent.
    pub(crate) read_at: Nanos,
    /// When a frame last left, or the first began to wait.
    pub(crate) moved_at: Nanos,
    /// Whether somebody looks whether anything moves.
    pub(crate) is_watched: bool,
    /// Since when nothing comes through, if nothing does.
    pub(crate) dead_since: Option<Nanos>,
}

impl End {
    const fn new(node: Index, is_up: bool, not_before: Nanos) -> Self {
        Self { node, is_up, arrivals: [not_before; 2], strain: None }
    }
}

#[derive(Debug)]
struct Link {
    serial: u32,
    ends: [End; 2],
}

/// The links.
#[derive(Debug, Default)]
pub(crate) struct Links {
    links: Vec<Link>,
    free: Vec<u32>,
    serials: u32,
}

impl Links {
    /// A link that is up at its host's end. Nothing that the host sends arrives before `not_before`.
    pub(crate) fn open(&mut self, caller: Index, host: Index, not_before: Nanos) -> LinkId {
        // After four billion links the numbers begin anew: what was on its way on those has arrived.
        self.serials = self.serials.wrapping_add(1);
        let ends = [End::new(caller, false, not_before), End::new(host, true, not_before)];
        let link = Link { serial: self.serials, ends };
        if let Some(place) = self.free.pop()
            && let Some(slot) = self.links.get_mut(place as usize)
        {
            *slot = link;
            return LinkId { place, serial: self.serials };
        }
        let place = u32::try_from(self.links.len());
        self.links.push(link);
        let place = place.expect("there are far less than 2^32 links at once");
        LinkId { place, serial: self.serials }
    }

    /// An end of a link, if it is up.
    pub(crate) fn end(&self, id: LinkId, side: Side) -> Option<&End> {
        let [caller, host] = &self.get(id)?.ends;
        Some(match side {
            Side::Caller => caller,
            Side::Host => host,
        })
        .filter(|end| end.is_up)
    }

    /// An end of a link, if it is up.
    pub(crate) fn end_mut(&mut self, id: LinkId, side: Side) -> Option<&mut End> {
        self.any_end_mut(id, side).filter(|end| end.is_up)
    }

    /// The caller has its answer.
    pub(crate) fn answer(&mut self, id: LinkId, now: Nanos) {
        if let Some(end) = self.any_end_mut(id, Side::Caller) {
            end.is_up = true;
            end.arrivals = [now; 2];
        }
    }

    /// An end is down, if it was up: who is at the other end, and when the last frame arrives there.
    pub(crate) fn close(&mut self, id: LinkId, side: Side) -> Option<(Index, Nanos)> {
        let other = self.any_end_mut(id, side.other())?;
        let (peer, other_is_up) = (other.node, other.is_up);
        let end = self.end_mut(id, side)?;
        end.is_up = false;
        end.strain = None;
        let last = end.arrivals.into_iter().max().unwrap_or(0);
        // A caller that has no answer yet finds that there is no link when it comes.
        if !other_is_up {
            self.serials = self.serials.wrapping_add(1);
            if let Some(link) = self.links.get_mut(id.place as usize) {
                link.serial = self.serials;
            }
            self.free.push(id.place);
        }
        Some((peer, last))
    }

    /// Who is at the other end, whether or not it is up there.
    pub(crate) fn peer(&self, id: LinkId, side: Side) -> Option<Index> {
        let [caller, host] = &self.get(id)?.ends;
        Some(match side {
            Side::Caller => host.node,
            Side::Host => caller.node,
        })
    }

    /// Which end of a link a node has.
    pub(crate) fn side(&self, id: LinkId, node: Index) -> Option<Side> {
        let [caller, host] = &self.get(id)?.ends;
        if caller.node == node {
            Some(Side::Caller)
        } else {
            (host.node == node).then_some(Side::Host)
        }
    }

    /// All ends that are up, in a fixed order.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (LinkId, Side)> {
        let both = |(place, link): (u32, &Link)| {
            let id = LinkId { place, serial: link.serial };
            let [caller, host] = &link.ends;
            [(caller, Side::Caller), (host, Side::Host)].map(|(end, side)| (end.is_up, id, side))
        };
        let ends = (0..).zip(&self.links).flat_map(both);
        ends.filter(|(is_up, ..)| *is_up).map(|(_, id, side)| (id, side))
    }

    fn get(&self, id: LinkId) -> Option<&Link> {
        self.links.get(id.place as usize).filter(|link| link.serial == id.serial)
    }

    fn any_end_mut(&mut self, id: LinkId, side: Side) -> Option<&mut End> {
        let link = self.links.get_mut(id.place as usize).filter(|link| link.serial == id.serial)?;
        let [caller, host] = &mut link.ends;
        Some(match side {
            Side::Caller => caller,
            Side::Host => host,
        })
    }
}
