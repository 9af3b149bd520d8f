//! Drives the behaviour as libp2p's swarm does, without a network.

use std::collections::BTreeSet;

use libp2p::swarm::ListenError;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished, ListenFailure};
use proptest::prelude::*;

use super::super::origin::Loopback;
use super::*;

/// A behaviour and the connections that it has seen.
struct Door {
    behaviour: Behaviour,
    next: usize,
}

fn local() -> Multiaddr {
    "/ip4/10.0.0.1/tcp/1".parse().unwrap()
}

fn listener(remote: &Multiaddr) -> ConnectedPoint {
    ConnectedPoint::Listener { local_addr: local(), send_back_addr: remote.clone() }
}

fn dialer(remote: &Multiaddr) -> ConnectedPoint {
    ConnectedPoint::Dialer {
        address: remote.clone(),
        role_override: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    }
}

impl Door {
    fn new(config: Config) -> Self {
        Self { behaviour: Behaviour::new(config), next: 0 }
    }

    fn id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId::new_unchecked(self.next)
    }

    fn knock(&mut self, remote: &Multiaddr) -> Result<ConnectionId, Exceeded> {
        let id = self.id();
        self.behaviour
            .handle_pending_inbound_connection(id, &local(), remote)
            .map(|()| id)
            .map_err(why)
    }

    fn enter(&mut self, id: ConnectionId, remote: &Multiaddr) -> Result<ConnectionId, Exceeded> {
        let peer = PeerId::random();
        let entered =
            self.behaviour.handle_established_inbound_connection(id, peer, &local(), remote);
        if let Err(denied) = entered {
            let exceeded = why(denied);
            self.fail(id, remote);
            return Err(exceeded);
        }
        self.established(id, &listener(remote));
        Ok(id)
    }

    fn accept(&mut self, remote: &str) -> Result<ConnectionId, Exceeded> {
        let remote = remote.parse().unwrap();
        let id = self.knock(&remote)?;
        self.enter(id, &remote)
    }

    fn dial(&mut self, remote: &str) -> Result<ConnectionId, Exceeded> {
        let (id, remote) = (self.id(), remote.parse().unwrap());
        self.behaviour
            .handle_established_outbound_connection(
                id,
                PeerId::random(),
                &remote,
                Endpoint::Dialer,
                PortUse::Reuse,
            )
            .map_err(why)?;
        self.established(id, &dialer(&remote));
        Ok(id)
    }

    fn established(&mut self, connection_id: ConnectionId, endpoint: &ConnectedPoint) {
        self.behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: PeerId::random(),
            connection_id,
            endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    fn close(&mut self, connection_id: ConnectionId) {
        self.behaviour.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: PeerId::random(),
            connection_id,
            endpoint: &listener(&local()),
            cause: None,
            remaining_established: 0,
        }));
    }

    fn fail(&mut self, connection_id: ConnectionId, remote: &Multiaddr) {
        self.behaviour.on_swarm_event(FromSwarm::ListenFailure(ListenFailure {
            local_addr: &local(),
            send_back_addr: remote,
            error: &ListenError::Aborted,
            connection_id,
            peer_id: None,
        }));
    }

    fn entries(&self) -> [usize; 6] {
        let b = &self.behaviour;
        [
            b.pending.len(),
            b.pending_per_address.0.len(),
            b.established.len(),
            b.per_address.0.len(),
            b.per_subnet.0.len(),
            b.inbound.len(),
        ]
    }
}

fn why(denied: ConnectionDenied) -> Exceeded {
    denied.downcast().expect("denied by us")
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config() -> Config {
    Config {
        per_address: 2,
        per_subnet: 3,
        pending_per_address: 2,
        inbound: 5,
        ..Config::default()
    }
}

#[test]
fn an_address_gets_its_places_and_gets_them_back() {
    let mut door = Door::new(config());
    let first = door.accept("/ip4/1.2.3.4/tcp/1").unwrap();
    door.accept("/ip4/1.2.3.4/udp/2/quic-v1").unwrap();
    assert_eq!(door.accept("/ip4/1.2.3.4/tcp/3"), Err(Exceeded::PerAddress(ip("1.2.3.4"))));
    door.close(first);
    door.accept("/ip4/1.2.3.4/tcp/4").unwrap();
}

#[test]
fn a_subnet_is_full_although_its_addresses_are_not() {
    for (name, members, stranger, full) in [
        (
            "IPv4",
            [
                "/ip4/1.2.3.4/tcp/1",
                "/ip4/1.2.3.5/tcp/1",
                "/ip4/1.2.3.6/tcp/1",
                "/ip4/1.2.3.7/tcp/1",
            ],
            "/ip4/1.2.4.4/tcp/1",
            (ip("1.2.3.0"), 24),
        ),
        (
            "IPv6",
            [
                "/ip6/2001:db8:1::1/tcp/1",
                "/ip6/2001:db8:1:ffff::1/tcp/1",
                "/ip6/2001:db8:1:2::/tcp/1",
                "/ip6/2001:db8:1::9/tcp/1",
            ],
            "/ip6/2001:db8:2::1/tcp/1",
            (ip("2001:db8:1::"), 48),
        ),
    ] {
        let mut door = Door::new(config());
        let (last, first) = members.split_last().unwrap();
        for member in first {
            assert!(door.accept(member).is_ok(), "{name}");
        }
        assert_eq!(door.accept(last), Err(Exceeded::PerSubnet(full.0, full.1)), "{name}");
        assert!(door.accept(stranger).is_ok(), "{name}");
    }
}

#[test]
fn a_mapped_address_is_the_address_that_it_maps() {
    let mut door = Door::new(config());
    door.accept("/ip4/1.2.3.4/tcp/1").unwrap();
    door.accept("/ip6/::ffff:1.2.3.4/tcp/1").unwrap();
    assert_eq!(door.accept("/ip6/::ffff:1.2.3.4/tcp/1"), Err(Exceeded::PerAddress(ip("1.2.3.4"))));
}

#[test]
fn filled_inbound_places_do_not_keep_us_from_dialling() {
    let mut door = Door::new(config());
    for host in 4..7 {
        door.accept(&format!("/ip4/1.2.3.{host}/tcp/1")).unwrap();
    }
    door.dial("/ip4/1.2.3.4/tcp/1").unwrap();
    door.dial("/ip4/1.2.3.4/tcp/1").unwrap();
    assert_eq!(door.dial("/ip4/1.2.3.4/tcp/1"), Err(Exceeded::PerAddress(ip("1.2.3.4"))));
}

#[test]
fn handshakes_in_progress_are_capped_and_failing_frees_their_places() {
    let mut door = Door::new(config());
    let remote: Multiaddr = "/ip4/1.2.3.4/tcp/1".parse().unwrap();
    let first = door.knock(&remote).unwrap();
    let second = door.knock(&remote).unwrap();
    assert_eq!(door.knock(&remote), Err(Exceeded::PendingPerAddress(ip("1.2.3.4"))));
    door.fail(first, &remote);
    door.knock(&remote).unwrap();
    door.enter(second, &remote).unwrap();
    door.knock(&remote).unwrap();
}

#[test]
fn a_handshake_that_began_in_time_is_counted_when_it_ends() {
    let mut door = Door::new(Config { pending_per_address: 9, ..config() });
    let remote: Multiaddr = "/ip4/1.2.3.4/tcp/1".parse().unwrap();
    let ids: Vec<_> = (0..3).map(|_| door.knock(&remote).unwrap()).collect();
    let entered: Vec<_> = ids.into_iter().map(|id| door.enter(id, &remote).is_ok()).collect();
    assert_eq!(entered, [true, true, false]);
}

#[test]
fn the_total_includes_those_without_an_address() {
    let mut door = Door::new(config());
    for port in 1..=5 {
        door.accept(&format!("/memory/{port}")).unwrap();
    }
    assert_eq!(door.accept("/ip4/1.2.3.4/tcp/1"), Err(Exceeded::Inbound));
    door.dial("/ip4/1.2.3.4/tcp/1").unwrap();
}

#[test]
fn loopback_addresses_are_their_own_subnets_or_exempt() {
    let mut counted = Door::new(config());
    counted.accept("/ip4/127.0.0.5/tcp/1").unwrap();
    counted.accept("/ip4/127.0.0.5/tcp/1").unwrap();
    assert!(counted.accept("/ip4/127.0.0.5/tcp/1").is_err());
    counted.accept("/ip4/127.0.0.6/tcp/1").unwrap();
    assert_eq!(
        counted.accept("/ip4/127.0.0.7/tcp/1"),
        Err(Exceeded::PerSubnet(ip("127.0.0.0"), 24))
    );
    counted.accept("/ip4/127.0.1.7/tcp/1").unwrap();

    let mut exempt = Door::new(Config {
        counting: Counting { loopback: Loopback::Exempt, ..Counting::default() },
        ..config()
    });
    for _ in 0..5 {
        exempt.accept("/ip4/127.0.0.5/tcp/1").unwrap();
    }
}

#[test]
fn an_exempt_address_is_not_counted_and_its_neighbour_is() {
    let mut door = Door::new(Config {
        counting: Counting { exempt: BTreeSet::from([ip("1.2.3.4")]), ..Counting::default() },
        per_subnet: 1,
        ..config()
    });
    for _ in 0..3 {
        door.accept("/ip4/1.2.3.4/tcp/1").unwrap();
    }
    door.accept("/ip4/1.2.3.5/tcp/1").unwrap();
    assert!(door.accept("/ip4/1.2.3.5/tcp/1").is_err());
}

proptest! {
    /// However connections come, go and fail, the tables hold live ones only, and nothing once all
    /// are gone.
    #[test]
    fn tables_are_bounded_by_live_connections(
        steps in proptest::collection::vec((0..4_u8, 0..4_u8, any::<u8>()), 0..200),
    ) {
        let mut door = Door::new(config());
        let (mut open, mut waiting) = (Vec::new(), Vec::new());
        for (step, host, pick) in steps {
            let remote: Multiaddr = format!("/ip4/9.9.{}.{host}/tcp/1", host % 2).parse().unwrap();
            match step {
                0 => waiting.extend(door.knock(&remote).map(|id| (id, remote))),
                1 => open.extend(door.dial(&remote.to_string())),
                2 if !waiting.is_empty() => {
                    let (id, remote) = waiting.swap_remove(usize::from(pick) % waiting.len());
                    if pick % 2 == 0 {
                        open.extend(door.enter(id, &remote));
                    } else {
                        door.fail(id, &remote);
                    }
                }
                _ if !open.is_empty() => {
                    door.close(open.swap_remove(usize::from(pick) % open.len()));
                }
                _ => {}
            }
            let live = open.len() + waiting.len();
            prop_assert!(door.entries().iter().all(|entries| *entries <= live));
        }
        waiting.into_iter().for_each(|(id, remote)| door.fail(id, &remote));
        open.into_iter().for_each(|id| door.close(id));
        prop_assert_eq!(door.entries(), [0; 6]);
    }
}
