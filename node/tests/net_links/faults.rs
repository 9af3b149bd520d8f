//! Every wrong that can be done to the wire, and what almost is one.

use std::time::Duration;

use forsooth::net::behaviour::{DownReason, Event, SendOutcome};
use forsooth_protocol::{Class, Fault, Lane};

use super::node::{Node, config, join};
use super::raw::{Script, play};

#[tokio::test]
async fn garbage_on_the_wire_is_a_fault_of_its_kind() {
    let half = [10, 1, 2, 3];
    for (name, script, fault) in [
        ("an empty frame", Script::control(&[0]), Fault::Malformed),
        ("an endless varint", Script::control(&[0xff; 12]), Fault::Malformed),
        ("an empty frame on data", Script::data(&[0]), Fault::Malformed),
        ("a claimed gigabyte", Script::control(&[0x80, 0x80, 0x80, 0x80, 4]), Fault::Oversized),
        ("one byte too many", Script::control(&[0x81, 0x80, 0x04]), Fault::Oversized),
        ("half a frame", Script::control(&half), Fault::Stalled),
        ("half a frame on data", Script::data(&half), Fault::Stalled),
        ("half a length", Script::control(&[0x80]), Fault::Stalled),
    ] {
        let mut node = Node::on_tcp(1).await;
        let (peer, _more) = play(script, node.address.clone());
        assert_eq!(node.up().await.0, peer, "{name}");
        assert_eq!(node.misbehaved().await, fault, "{name}");
        assert_eq!(node.closed().await, peer, "{name}");
    }
}

#[tokio::test]
async fn frames_before_garbage_are_delivered() {
    let mut node = Node::on_tcp(1).await;
    let (_, _more) = play(Script::control(b"\x02hi\x00"), node.address.clone());
    node.up().await;
    assert_eq!(node.frames(Lane::Control, 1).await, ["hi"]);
    assert_eq!(node.misbehaved().await, Fault::Malformed);
}

#[tokio::test]
async fn the_largest_frame_in_two_halves_is_no_fault() {
    let mut node = Node::on_tcp(1).await;
    let (_, more) = play(Script::control(&[0x80, 0x80, 0x04]), node.address.clone());
    node.up().await;
    more.send(vec![1; 0x1_0000]).await.unwrap();
    assert_eq!(node.frames(Lane::Control, 1).await[0].len(), 0x1_0000);
}

#[tokio::test]
async fn a_second_substream_for_one_lane_is_a_fault() {
    let mut node = Node::on_tcp(1).await;
    let (peer, _more) = play(Script::control_twice(), node.address.clone());
    // It may or may not have been up in between; the fault is certain.
    let mut event = node.link().await;
    if let Event::Up { .. } = event {
        event = node.link().await;
    }
    let fault = Fault::Malformed;
    assert_eq!(event, Event::Misbehaved { peer, fault });
    assert_eq!(node.closed().await, peer);
}

#[tokio::test]
async fn a_peer_that_never_reads_is_dropped_and_delays_nobody_else() {
    let mut config = config();
    config.links.write_stall = Duration::from_secs(1);
    let mut node = Node::start(1, "/ip4/127.0.0.1/tcp/0", &config).await;
    let mut friend = Node::on_tcp(2).await;
    join(&mut friend, &mut node).await;
    let (wedged, _more) = play(Script::control(&[]), node.address.clone());
    node.up().await;

    let bound = config.links.queued_bytes_max.data;
    let mut waiting = SendOutcome::Queued;
    while waiting == SendOutcome::Queued {
        waiting = node.send(wedged, Class::Payload, vec![0; 100_000]).await;
    }
    assert_eq!(waiting, SendOutcome::Dropped);
    let queued = node.with(move |swarm| swarm.behaviour().links.queued_bytes(&wedged)).await;
    assert!((bound / 2..=bound).contains(&queued), "{queued}");

    // Its friend's frames pass all the while: they come before the end of the wedged link does.
    for _ in 0..10 {
        assert_eq!(
            node.send(friend.peer, Class::Payload, vec![0; 100_000]).await,
            SendOutcome::Queued
        );
        assert_eq!(friend.frames(Lane::Data, 1).await[0].len(), 100_000);
    }
    assert!(node.with(move |swarm| swarm.behaviour().links.is_up(&wedged)).await);
    assert_eq!(node.down().await, DownReason::Wedged);
    assert_eq!(node.closed().await, wedged);
    assert_eq!(node.send(wedged, Class::Payload, "late").await, SendOutcome::NotConnected);
}
