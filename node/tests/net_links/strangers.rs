//! What becomes of connections that are no links: of strangers, and of those who only take places.

use std::time::Duration;

use futures::StreamExt;
use libp2p::swarm::{NetworkBehaviour, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, SwarmBuilder, identify, noise, ping, tcp, yamux};
use tokio::time::timeout;

use super::node::{Node, PATIENCE, config, join};

const TCP: &str = "/ip4/127.0.0.1/tcp/0";

#[derive(NetworkBehaviour)]
struct Stranger {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

/// Somebody without our protocol, who keeps a connection for longer than any test lasts.
fn stranger() -> Swarm<Stranger> {
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Stranger {
            identify: identify::Behaviour::new(identify::Config::new(
                "stranger/1".to_owned(),
                key.public(),
            )),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(Duration::from_millis(100)),
            ),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(2 * PATIENCE))
        .build()
}

/// Has it connect, and waits until the node must have seen that.
async fn connected(mut stranger: Swarm<Stranger>, to: &Multiaddr) -> Swarm<Stranger> {
    stranger.dial(to.clone()).unwrap();
    let ponged = async {
        while !matches!(
            stranger.select_next_some().await,
            SwarmEvent::Behaviour(StrangerEvent::Ping(ping::Event { result: Ok(_), .. }))
        ) {}
    };
    timeout(PATIENCE, ponged).await.expect("it is served");
    stranger
}

async fn closed(stranger: &mut Swarm<Stranger>) -> PeerId {
    let closed = async {
        loop {
            let event = stranger.select_next_some().await;
            if let SwarmEvent::ConnectionClosed { peer_id, .. } = event {
                return peer_id;
            }
        }
    };
    timeout(PATIENCE, closed).await.expect("its connection is closed in time")
}

#[tokio::test]
async fn a_stranger_without_our_protocol_is_served_and_not_accused() {
    let mut config = config();
    config.links.setup_inbound = 2 * PATIENCE;
    let mut node = Node::start(1, TCP, &config).await;
    let mut stranger = stranger();
    let peer = *stranger.local_peer_id();
    stranger.dial(node.address.clone()).unwrap();

    let (mut pings, mut agent) = (0, None);
    while pings < 5 || agent.is_none() {
        let event = timeout(PATIENCE, stranger.select_next_some()).await.unwrap();
        assert!(!matches!(event, SwarmEvent::ConnectionClosed { .. }), "{event:?}");
        let SwarmEvent::Behaviour(event) = event else {
            continue;
        };
        if let StrangerEvent::Ping(ping::Event { result, .. }) = event {
            assert!(result.is_ok());
            pings += 1;
        } else if let StrangerEvent::Identify(identify::Event::Received { info, .. }) = event {
            assert!(info.listen_addrs.is_empty(), "our addresses are our own");
            agent = Some(info.agent_version);
        }
    }
    assert_eq!(agent.unwrap(), concat!("forsooth/", env!("CARGO_PKG_VERSION")));
    assert!(!node.has_event());
    let is_banned =
        node.with(move |swarm| swarm.behaviour().bans.blocked_peers().contains(&peer)).await;
    assert!(!is_banned);
}

#[tokio::test]
async fn a_connection_that_becomes_no_link_is_closed_when_its_time_is_up() {
    let mut config = config();
    config.links.setup_inbound = Duration::from_millis(200);
    let mut node = Node::start(1, TCP, &config).await;
    let mut stranger = stranger();
    stranger.dial(node.address.clone()).unwrap();
    assert_eq!(closed(&mut stranger).await, node.peer);
    assert!(!node.has_event());

    // What is a link by then, stays.
    let mut friend = Node::on_tcp(2).await;
    join(&mut friend, &mut node).await;
    stranger.dial(node.address.clone()).unwrap();
    closed(&mut stranger).await;
    assert!(!node.has_event() && !friend.has_event());
}

#[tokio::test]
async fn who_only_takes_places_keeps_nobody_out() {
    let mut config = config();
    config.links.setup_inbound = 2 * PATIENCE;
    config.links.strangers.places = 2;
    let mut node = Node::start(1, TCP, &config).await;
    let mut first = connected(stranger(), &node.address).await;
    let mut second = connected(stranger(), &node.address).await;

    let mut friend = Node::on_tcp(2).await;
    join(&mut friend, &mut node).await;
    assert_eq!(closed(&mut first).await, node.peer);
    // A link holds no place, so there are two again, of which the second stranger has one.
    let _third = connected(stranger(), &node.address).await;
    let _fourth = connected(stranger(), &node.address).await;
    assert_eq!(closed(&mut second).await, node.peer);
    assert!(!node.has_event() && !friend.has_event());
}
