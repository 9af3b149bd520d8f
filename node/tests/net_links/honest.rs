//! What honest peers get.

use forsooth::net::behaviour::{DownReason, SendOutcome};
use forsooth_protocol::{Class, Lane};

use super::node::{Node, config, join};

const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

#[tokio::test]
async fn frames_of_both_lanes_arrive_over_tcp_and_over_quic() {
    for (seed, listen) in [(1, TCP), (3, QUIC)] {
        let mut a = Node::start(seed, listen, &config()).await;
        let mut b = Node::start(seed + 1, listen, &config()).await;
        join(&mut a, &mut b).await;

        let large = vec![7; 1024 * 1024];
        assert_eq!(a.send(b.peer, Class::Vouch, "vouch").await, SendOutcome::Queued);
        assert_eq!(b.frames(Lane::Control, 1).await, ["vouch"]);
        assert_eq!(b.send(a.peer, Class::Payload, large.clone()).await, SendOutcome::Queued);
        assert_eq!(a.frames(Lane::Data, 1).await, [large]);

        let (to, from) = (b.peer, a.peer);
        let sent = a.with(move |swarm| swarm.behaviour().links.stats(&to)).await.unwrap().sent;
        let received =
            b.with(move |swarm| swarm.behaviour().links.stats(&from)).await.unwrap().received;
        assert_eq!((sent.control.bytes, sent.control.frames), (5, 1));
        assert_eq!(sent.control, received.control);
    }
}

#[tokio::test]
async fn many_frames_arrive_once_and_in_order() {
    const FRAMES: u32 = 20_000;
    let (mut a, mut b) = (Node::on_tcp(1).await, Node::on_tcp(2).await);
    join(&mut a, &mut b).await;
    let to = b.peer;
    let mut next = 0;
    while next < FRAMES {
        // As many as there is room for; the rest when some have left.
        next = a
            .with(move |swarm| {
                let links = &mut swarm.behaviour_mut().links;
                (next..FRAMES)
                    .find(|number| {
                        links.send(&to, Class::Payload, number.to_be_bytes().to_vec().into())
                            != SendOutcome::Queued
                    })
                    .unwrap_or(FRAMES)
            })
            .await;
        tokio::task::yield_now().await;
    }
    let frames = b.frames(Lane::Data, FRAMES as usize).await;
    assert!(frames.iter().zip(0_u32..).all(|(frame, number)| *frame == number.to_be_bytes()[..]));
    assert_eq!(frames.len(), FRAMES as usize);
}

#[tokio::test]
async fn what_the_peer_would_take_for_a_fault_is_not_sent() {
    let (mut a, mut b) = (Node::on_tcp(1).await, Node::on_tcp(2).await);
    assert_eq!(a.send(b.peer, Class::Vouch, "early").await, SendOutcome::NotConnected);
    join(&mut a, &mut b).await;
    let max = config().links.frame_bytes_max.control;
    assert_eq!(a.send(b.peer, Class::Vouch, "").await, SendOutcome::Unsendable);
    assert_eq!(a.send(b.peer, Class::Vouch, vec![1; max + 1]).await, SendOutcome::Unsendable);
    assert_eq!(a.send(b.peer, Class::Vouch, vec![1; max]).await, SendOutcome::Queued);
    assert_eq!(b.frames(Lane::Control, 1).await[0].len(), max);
}

#[tokio::test]
async fn two_that_dial_each_other_at_once_are_up_once() {
    for seed in 0..10 {
        let (mut a, mut b) = (Node::on_tcp(2 * seed + 1).await, Node::on_tcp(2 * seed + 2).await);
        tokio::join!(a.dial(&b.address), b.dial(&a.address));
        assert_eq!((a.up().await.0, b.up().await.0), (b.peer, a.peer));
        for round in 0..20_u8 {
            assert_eq!(a.send(b.peer, Class::Tree, vec![round]).await, SendOutcome::Queued);
            assert_eq!(b.send(a.peer, Class::Tree, vec![round]).await, SendOutcome::Queued);
            assert_eq!(b.frames(Lane::Control, 1).await, [vec![round]]);
            assert_eq!(a.frames(Lane::Control, 1).await, [vec![round]]);
        }
        // It was a simultaneous dial indeed.
        let connections =
            a.with(|swarm| swarm.network_info().connection_counters().num_established()).await;
        assert_eq!(connections, 2);
        let peer = b.peer;
        a.with(move |swarm| swarm.behaviour_mut().links.disconnect(&peer)).await;
        assert_eq!(
            (a.down().await, b.down().await),
            (DownReason::Disconnected, DownReason::Closed)
        );
        assert_eq!((a.closed().await, b.closed().await), (b.peer, a.peer));
        assert!(!a.has_event() && !b.has_event());
    }
}

#[tokio::test]
async fn a_node_that_came_back_replaces_its_former_self() {
    let mut node = Node::on_tcp(1).await;
    let mut before = Node::on_tcp(2).await;
    join(&mut before, &mut node).await;

    // Its former connection is not closed: a crash over QUIC, or a pulled cable.
    let mut after = Node::on_tcp(2).await;
    after.dial(&node.address).await;
    assert_eq!(node.down().await, DownReason::Replaced);
    assert_eq!((node.up().await.0, after.up().await.0), (after.peer, node.peer));
    assert_eq!(node.send(after.peer, Class::Tree, "hello").await, SendOutcome::Queued);
    assert_eq!(after.frames(Lane::Control, 1).await, ["hello"]);
    assert_eq!(before.down().await, DownReason::Closed);
}

#[tokio::test]
async fn a_node_dials_from_the_address_that_it_listens_on() {
    for (listen, there) in [
        ("/ip4/127.0.0.5/tcp/0", "/ip4/127.0.0.9/tcp/0"),
        ("/ip4/127.0.0.5/udp/0/quic-v1", "/ip4/127.0.0.9/udp/0/quic-v1"),
    ] {
        let mut a = Node::start(1, listen, &config()).await;
        let mut b = Node::start(2, there, &config()).await;
        a.dial(&b.address).await;
        a.up().await;
        assert_eq!(b.up().await.1.to_string(), "127.0.0.5", "{listen}");
    }
}

#[tokio::test]
async fn a_banned_peer_is_cut_off_and_does_not_come_back() {
    let (mut a, mut b) = (Node::on_tcp(1).await, Node::on_tcp(2).await);
    join(&mut b, &mut a).await;
    let peer = b.peer;
    a.with(move |swarm| swarm.behaviour_mut().bans.block_peer(peer)).await;
    assert_eq!((a.down().await, b.down().await), (DownReason::Closed, DownReason::Closed));
    assert_eq!(b.closed().await, a.peer);
    b.dial(&a.address).await;
    // Established for a moment, at the far end only.
    assert_eq!(b.closed().await, a.peer);
    assert!(!a.has_event());
    a.with(move |swarm| swarm.behaviour_mut().bans.unblock_peer(peer)).await;
    b.dial(&a.address).await;
    a.up().await;
}
