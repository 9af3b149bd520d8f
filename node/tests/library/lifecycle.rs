//! How real nodes start, end, and start again.

use forsooth::{
    Builder, Keypair, Network, Node, StartError,
    net::identity::peer_id,
    network::{Defence, Identity, Kind, Policy, Topic},
};
use libp2p::{Multiaddr, multiaddr::Protocol};

use crate::support::{local, mesh, network, next, soon, tcp, until};

/// The address at which a node listens, for another to listen there too.
fn place_of(node: &Node) -> Multiaddr {
    let addresses = node.addresses().into_iter().flat_map(|address| {
        address
            .iter()
            .filter(|part| !matches!(part, Protocol::P2p(_)))
            .map(Protocol::acquire)
            .collect::<Vec<_>>()
    });
    addresses.collect()
}

async fn failure(builder: Builder) -> StartError {
    builder.start().await.map(drop).expect_err("it should not start")
}

#[tokio::test]
async fn a_data_folder_serves_one_node_at_a_time_and_one_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alice");
    let builder = || Node::builder(network("home", Policy::Verified)).data_dir(&path);
    let node = builder().start().await.unwrap();
    let error = failure(builder()).await;
    assert!(matches!(error, StartError::DataDirBusy { .. }), "{error}");
    assert!(error.to_string().contains("in use by another process"), "{error}");

    soon("it shuts down", node.shutdown()).await.unwrap();
    let error = failure(Node::builder(network("away", Policy::Verified)).data_dir(&path)).await;
    assert!(error.to_string().contains("another network"), "{error}");
    soon("it shuts down", builder().start().await.unwrap().shutdown()).await.unwrap();
}

#[tokio::test]
async fn each_start_publishes_in_a_new_generation_that_peers_accept() {
    let folder = tempfile::tempdir().unwrap();
    let network = network("restart", Policy::Verified);
    let bob = local(&network).start().await.unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    let mut newest = 0;
    for _ in 0..3 {
        // Within one second: the clock alone would give one generation to all three.
        let alice = local(&network)
            .keypair(Keypair::from_seed([1; 32]))
            .data_dir(folder.path())
            .peers(bob.addresses())
            .start()
            .await
            .unwrap();
        soon("the link is up", alice.ready(1)).await.unwrap();
        alice.publish("t", "again").await.unwrap();
        let message = next(&mut inbox).await;
        assert!(message.generation > newest, "{} after {newest}", message.generation);
        assert_eq!(message.seq, 0);
        newest = message.generation;
        soon("it shuts down", alice.shutdown()).await.unwrap();
    }
    let snapshot = bob.snapshot().await.unwrap();
    assert_eq!((snapshot.core.exposed, snapshot.core.bans.len()), (0, 0));
}

#[tokio::test]
async fn a_peer_that_was_learned_just_before_the_end_is_found_again_without_being_named() {
    let folder = tempfile::tempdir().unwrap();
    let network = network("memory", Policy::Verified);
    let bob = local(&network).start().await.unwrap();
    let alice = || local(&network).keypair(Keypair::from_seed([1; 32])).data_dir(folder.path());
    let first = alice().peers(bob.addresses()).start().await.unwrap();
    until("bob is in the book", &first, |snapshot| snapshot.core.overlay.book == 1).await;
    // Within the minute in which changes gather.
    soon("it shuts down", first.shutdown()).await.unwrap();
    let second = alice().start().await.unwrap();
    soon("the link is up", second.ready(1)).await.unwrap();
    second.shutdown().await.unwrap();
    bob.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_named_for_tcp_and_for_quic() {
    for transport in ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"] {
        let network = network("ports", Policy::Verified);
        let node = Node::builder(network.clone())
            .listen([transport.parse().unwrap()])
            .start()
            .await
            .unwrap();
        let taken = place_of(&node);
        let error = failure(Node::builder(network).listen([taken.clone()])).await;
        assert!(
            matches!(&error, StartError::PortInUse { address } if *address == taken),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_it_cannot_listen_on_or_dial_is_said_before_anything_starts() {
    let network = network("addresses", Policy::Verified);
    let nowhere = "/dns4/example.org/tcp/1".parse().unwrap();
    let error = failure(Node::builder(network.clone()).listen([nowhere])).await;
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
    let error = failure(Node::builder(network).peers([tcp()])).await;
    assert!(matches!(error, StartError::BadPeerAddress(_)), "{error}");
}

#[tokio::test]
async fn after_a_shutdown_the_port_is_free_streams_end_and_calls_say_closed() {
    let network = network("shutdown", Policy::Verified);
    let nodes =
        mesh(vec![local(&network).start().await.unwrap(), local(&network).start().await.unwrap()])
            .await;
    let [alice, bob] = <[Node; 2]>::try_from(nodes).unwrap();
    let port = place_of(&bob);
    let (mut inbox, mut events, handle) = (bob.subscribe("t").unwrap(), bob.events(), bob.clone());
    let mut at_alice = alice.events();

    soon("bob shuts down", bob.shutdown()).await.unwrap();
    assert!(soon("the subscription ends", inbox.recv()).await.is_none());
    soon("the events end", async { while events.recv().await.is_some() {} }).await;
    assert_eq!(handle.publish("t", "").await, Err(forsooth::PublishError::Closed));
    assert_eq!(handle.ready(1).await, Err(forsooth::Closed));
    assert_eq!(handle.subscribe("t").map(drop), Err(forsooth::SubscribeError::Closed));
    assert!(handle.snapshot().await.is_err());
    soon("a second shutdown finds it done", handle.shutdown()).await.unwrap();
    soon("alice sees the link go", async {
        while !matches!(at_alice.recv().await, Some(Ok(forsooth::Event::LinkDown { .. }))) {}
    })
    .await;
    Node::builder(network).listen([port]).start().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_sent_before_a_shutdown_ends() {
    let network = network("flush", Policy::Verified);
    let nodes =
        mesh(vec![local(&network).start().await.unwrap(), local(&network).start().await.unwrap()])
            .await;
    let [alice, bob] = <[Node; 2]>::try_from(nodes).unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    for n in 0..20 {
        alice.publish("t", vec![n; 60_000]).await.unwrap();
    }
    soon("alice shuts down", alice.shutdown()).await.unwrap();
    let mut received: Vec<u8> = Vec::new();
    while received.len() < 20 {
        received.push(next(&mut inbox).await.payload[0]);
    }
    received.sort_unstable();
    assert_eq!(received, (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_last_handle_takes_the_node_with_it() {
    let network = network("dropped", Policy::Verified);
    let nodes =
        mesh(vec![local(&network).start().await.unwrap(), local(&network).start().await.unwrap()])
            .await;
    let [alice, bob] = <[Node; 2]>::try_from(nodes).unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    drop(bob);
    assert!(soon("the subscription ends", inbox.recv()).await.is_none());
    drop(alice);
}

#[tokio::test]
async fn an_unreachable_peer_does_not_keep_a_node_from_starting() {
    let network = network("unreachable", Policy::Verified);
    let gone = local(&network).start().await.unwrap();
    let addresses = gone.addresses();
    soon("it shuts down", gone.shutdown()).await.unwrap();
    let node = local(&network).peers(addresses).start().await.unwrap();
    until("the dial fails", &node, |snapshot| snapshot.dials_failed > 0).await;
    let late = local(&network).peers(node.addresses()).start().await.unwrap();
    soon("others are reached", late.ready(1)).await.unwrap();
}

#[tokio::test]
async fn a_node_is_announced_at_its_external_address_and_without_one_not_on_a_public_network() {
    let kind = Kind::Testnet;
    let topics = vec![Topic::new("t", Policy::Verified)];
    let network = Network::new("public", kind, topics, Defence::recommended(kind)).unwrap();
    let at = |address: &str| local(&network).external([address.parse::<Multiaddr>().unwrap()]);

    let unseen = local(&network).start().await.unwrap();
    let unseen = unseen.snapshot().await.unwrap();
    assert_eq!((unseen.core.overlay.record, unseen.external), (None, Vec::new()));
    let seen = at("/ip4/8.8.8.8/tcp/8650").start().await.unwrap();
    let snapshot = until("it is announced", &seen, |it| it.core.overlay.record.is_some()).await;
    assert_eq!(snapshot.external[0].to_string(), "/ip4/8.8.8.8/tcp/8650");

    let error = failure(at("/ip4/192.168.1.1/tcp/8650")).await;
    assert!(matches!(error, StartError::BadExternal(_)), "{error}");
    assert!(error.to_string().contains("it is private, and the network is public"), "{error}");
}

#[tokio::test]
async fn a_node_whose_key_is_not_admitted_does_not_start_and_says_which_key_to_add() {
    let [admitted, other] = [1, 2].map(|seed| Keypair::from_seed([seed; 32]));
    let keys = Identity::Admitted([admitted.id()].into());
    let network = network("listed", Policy::Verified).with_identity(keys).unwrap();
    let (peer, named) = (peer_id(&other.id()), peer_id(&admitted.id()));
    let error = failure(local(&network).keypair(other)).await;
    assert!(matches!(error, StartError::NotAdmitted { .. }), "{error}");
    assert!(error.to_string().contains(&peer.to_string()), "{error}");
    let node = local(&network).keypair(admitted).start().await.unwrap();
    assert!(node.addresses()[0].to_string().ends_with(&named.to_string()));
}
