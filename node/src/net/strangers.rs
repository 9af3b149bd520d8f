//! Inbound connections that are no links yet: few places, and nobody holds one for long.
//!
//! A connection costs whoever makes it one handshake and proves nothing, and as long as it opens no lanes the core
//! does not hear of it and cannot make room. So its places are apart from those of links, and a newcomer always
//! gets one: from the oldest of its own subnet, if that has its share, else from the oldest of the subnet that has
//! most. An honest peer needs its place for two round trips. How long anybody may take is the handler's business.

use std::cmp::Reverse;
use std::collections::HashMap;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::origin::{Counting, Subnet};

/// How many there may be. Addresses that are not counted are not counted here either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// In all. At least 1; recommended 24, which is 12 newcomers a second where a round trip takes 1 s.
    pub places: usize,
    /// Of one subnet. At least 1; recommended 4, since homes and offices share addresses.
    pub per_subnet: usize,
    /// How addresses are counted. In a node's swarm, as [`super::limits::Config::counting`] says.
    pub counting: Counting,
}

impl Default for Config {
    fn default() -> Self {
        Self { places: 24, per_subnet: 4, counting: Counting::default() }
    }
}

/// The connections. See the module's documentation.
#[derive(Debug)]
pub(super) struct Strangers {
    config: Config,
    /// The oldest first.
    waiting: Vec<Stranger>,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    id: ConnectionId,
    peer: PeerId,
    subnet: Subnet,
}

impl Strangers {
    pub(super) const fn new(config: Config) -> Self {
        Self { config, waiting: Vec::new() }
    }

    /// Takes in a connection. Somebody else's may have to be closed for it, and has no place any more.
    pub(super) fn admit(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
    ) -> Option<(PeerId, ConnectionId)> {
        let subnet = self.config.counting.origin(remote)?.subnet;
        self.waiting.push(Stranger { id, peer, subnet });
        let goes = self.surplus()?;
        let gone = self.waiting.remove(goes);
        Some((gone.peer, gone.id))
    }

    /// It has become a link, or is closed.
    pub(super) fn remove(&mut self, id: ConnectionId) {
        self.waiting.retain(|stranger| stranger.id != id);
    }

    /// Who has to go since the last one came: the oldest of the largest subnet, if it or all are too many. The last
    /// one is young, so it is somebody else.
    fn surplus(&self) -> Option<usize> {
        let mut sizes = HashMap::<Subnet, usize>::new();
        for stranger in &self.waiting {
            *sizes.entry(stranger.subnet).or_default() += 1;
        }
        let largest = sizes.values().max()?;
        if self.waiting.len() <= self.config.places && *largest <= self.config.per_subnet {
            return None;
        }
        let size = |(place, stranger): &(usize, &Stranger)| {
            (sizes.get(&stranger.subnet).copied(), Reverse(*place))
        };
        self.waiting.iter().enumerate().max_by_key(size).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::Loopback;
    use super::*;

    fn strangers(places: usize, per_subnet: usize) -> Strangers {
        Strangers::new(Config { places, per_subnet, ..Config::default() })
    }

    /// Lets in connections 0, 1, ... from these addresses; returns whose place each took.
    fn admitted(strangers: &mut Strangers, from: &[&str]) -> Vec<Option<ConnectionId>> {
        let admit = |(number, ip): (usize, &&str)| {
            let remote = format!("/ip4/{ip}/tcp/1").parse().unwrap();
            let id = ConnectionId::new_unchecked(number);
            strangers.admit(id, PeerId::random(), &remote).map(|(_, gone)| gone)
        };
        from.iter().enumerate().map(admit).collect()
    }

    fn gone(number: usize) -> Option<ConnectionId> {
        Some(ConnectionId::new_unchecked(number))
    }

    #[test]
    fn a_subnet_that_has_its_share_gives_up_its_own_oldest() {
        let from = ["9.9.9.9", "1.2.3.4", "1.2.3.5", "1.2.3.4", "1.2.3.6"];
        let went = admitted(&mut strangers(24, 2), &from);
        assert_eq!(went, [None, None, None, gone(1), gone(2)]);
    }

    #[test]
    fn when_all_places_are_taken_the_oldest_of_the_largest_subnet_goes() {
        let from = ["9.9.9.9", "1.2.3.4", "1.2.3.5", "8.8.8.8", "7.7.7.7"];
        // The second newcomer finds four subnets of one each.
        assert_eq!(admitted(&mut strangers(3, 3), &from), [None, None, None, gone(1), gone(0)]);
    }

    #[test]
    fn a_newcomer_always_finds_a_place_and_no_more_are_held_than_there_are() {
        let mut strangers = strangers(24, 4);
        for number in 0..1000 {
            let remote = format!("/ip4/1.2.{}.4/tcp/1", number % 97).parse().unwrap();
            let id = ConnectionId::new_unchecked(number);
            strangers.admit(id, PeerId::random(), &remote);
            assert!(strangers.waiting.len() <= 24);
            assert!(strangers.waiting.iter().any(|stranger| stranger.id == id));
        }
    }

    #[test]
    fn who_became_a_link_or_left_holds_no_place() {
        let mut strangers = strangers(1, 1);
        let remote = "/ip4/1.2.3.4/tcp/1".parse().unwrap();
        for number in 0..9 {
            let id = ConnectionId::new_unchecked(number);
            assert_eq!(strangers.admit(id, PeerId::random(), &remote), None);
            strangers.remove(id);
        }
    }

    #[test]
    fn an_address_that_is_not_counted_takes_no_place() {
        let counting = Counting { loopback: Loopback::Exempt, ..Counting::default() };
        let mut strangers = Strangers::new(Config { places: 1, per_subnet: 1, counting });
        assert_eq!(admitted(&mut strangers, &["127.0.0.1"; 50]), [None; 50]);
        assert!(strangers.waiting.is_empty());
    }
}
