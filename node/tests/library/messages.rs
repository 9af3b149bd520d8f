//! What an application sees of real nodes that exchange messages.

use std::time::Duration;

use forsooth::{
    Judgement, Node, PublishError, Refusal, Submission, SubscribeError,
    network::{Policy, Topic},
};

use crate::support::{local, mesh, network, network_of, next, soon, tcp, until};

#[tokio::test]
async fn a_verified_message_is_delivered_with_its_author_and_slot() {
    let network = network("verified", Policy::Verified);
    let nodes =
        mesh(vec![local(&network).start().await.unwrap(), local(&network).start().await.unwrap()])
            .await;
    let mut inbox = nodes[1].subscribe("t").unwrap();

    let receipt = nodes[0].publish("t", "hello").await.unwrap();
    assert_eq!((receipt.sent_to, receipt.queued), (1, false));

    let message = next(&mut inbox).await;
    assert_eq!(message.topic, "t");
    assert_eq!(&message.payload[..], b"hello");
    assert_eq!((message.author, message.id), (nodes[0].id(), receipt.id));
    assert_eq!((message.missed, message.vouchers.len()), (0, 0));
    assert_eq!(message.generation, nodes[0].snapshot().await.unwrap().core.generation);
    assert!(message.accepted.since(message.published) < Duration::from_secs(30));
}

#[tokio::test]
async fn quic_carries_messages_too() {
    let network = network("quic", Policy::Verified);
    let quic = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
    let alice = Node::builder(network.clone()).listen([quic]).start().await.unwrap();
    let bob = Node::builder(network).peers(alice.addresses()).start().await.unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    soon("the link is up", bob.ready(1)).await.unwrap();
    alice.publish("t", "over quic").await.unwrap();
    assert_eq!(&next(&mut inbox).await.payload[..], b"over quic");
}

#[tokio::test]
async fn a_vouched_message_names_enough_witnesses() {
    let network = network("vouched", Policy::Vouched { k: 2, n: 3 });
    let mut nodes = Vec::new();
    for _ in 0..4 {
        nodes.push(local(&network).start().await.unwrap());
    }
    let nodes = mesh(nodes).await;
    let mut inboxes: Vec<_> =
        nodes.iter().skip(1).map(|node| node.subscribe("t").unwrap()).collect();
    for node in &nodes {
        until("enough witnesses are linked", node, |snapshot| snapshot.core.witnesses >= 3).await;
    }

    nodes[0].publish("t", "believe me").await.unwrap();
    for inbox in &mut inboxes {
        let message = next(inbox).await;
        assert_eq!(&message.payload[..], b"believe me");
        assert!(message.vouchers.len() >= 2, "{:?}", message.vouchers);
        assert!(
            message.vouchers.iter().all(|voucher| nodes.iter().any(|node| node.id() == *voucher))
        );
    }
}

#[tokio::test]
async fn what_the_validator_rejects_or_ignores_is_not_delivered() {
    fn judge(submission: Submission) -> impl Future<Output = Judgement> + Send {
        std::future::ready(match &submission.payload[..] {
            b"reject" => Judgement::Reject,
            b"ignore" => Judgement::Ignore,
            b"panic" => panic!("a validator's bug"),
            _ => Judgement::Accept,
        })
    }
    let network = network("validated", Policy::Verified);
    let alice = local(&network).start().await.unwrap();
    let bob = local(&network).validator(judge).start().await.unwrap();
    let nodes = mesh(vec![alice, bob]).await;
    let mut inbox = nodes[1].subscribe("t").unwrap();

    for payload in ["ignore", "panic", "accept", "reject", "accept too"] {
        nodes[0].publish("t", payload).await.unwrap();
    }
    assert_eq!(&next(&mut inbox).await.payload[..], b"accept");
    let last = next(&mut inbox).await;
    assert_eq!((&last.payload[..], last.missed), (&b"accept too"[..], 0));
    assert_eq!(nodes[1].snapshot().await.unwrap().validations_pending, 0);
}

#[tokio::test]
async fn a_message_without_peers_is_queued_and_delivered_to_the_first_that_comes() {
    let network = network("queued", Policy::Verified);
    let alice = local(&network).start().await.unwrap();
    let receipt = alice.publish("t", "anybody there?").await.unwrap();
    assert_eq!((receipt.sent_to, receipt.queued), (0, true));

    let bob = Node::builder(network).start().await.unwrap();
    let mut inbox = bob.subscribe("t").unwrap();
    bob.add_peers(alice.addresses()).await.unwrap();
    assert_eq!(next(&mut inbox).await.id, receipt.id);
}

#[tokio::test]
async fn what_cannot_be_published_says_why() {
    let node = Node::builder(network("errors", Policy::Verified)).start().await.unwrap();
    let known = vec!["t".to_owned()];
    let unknown = node.publish("news", "").await.unwrap_err();
    assert_eq!(
        unknown,
        PublishError::UnknownTopic { topic: "news".to_owned(), known: known.clone() }
    );
    assert_eq!(unknown.to_string(), "the network has no topic \"news\"; its topics are: t");
    let unknown = node.subscribe("news").map(drop).unwrap_err();
    assert_eq!(unknown, SubscribeError::UnknownTopic { topic: "news".to_owned(), known });

    let max = 64 << 10;
    assert!(node.publish("t", vec![0; max]).await.is_ok());
    let oversize = node.publish("t", vec![0; max + 1]).await.unwrap_err();
    assert_eq!(
        oversize,
        PublishError::Refused(Refusal::Oversize { bytes: max + 1, max: 64 << 10 })
    );
    let eternal = node.publish_for("t", "", Duration::from_secs(3600)).await.unwrap_err();
    assert!(matches!(eternal, PublishError::Refused(Refusal::Lifetime { .. })), "{eternal}");
}

#[tokio::test]
async fn a_slow_subscriber_is_told_how_much_it_missed() {
    let topic = Topic { burst: 100, ..Topic::new("t", Policy::Verified) };
    let network = network_of("slow", topic);
    let alice = local(&network).start().await.unwrap();
    let bob = local(&network).subscription_messages_max(2).start().await.unwrap();
    let nodes = mesh(vec![alice, bob]).await;
    let (mut slow, mut events) = (nodes[1].subscribe("t").unwrap(), nodes[1].events());

    for n in 0..10 {
        nodes[0].publish("t", format!("{n}")).await.unwrap();
    }
    // Messages may overtake each other on their way through verification, but none is lost.
    soon("bob has seen all ten", async {
        let mut relayed = 0;
        while relayed < 10 {
            if let Ok(forsooth::Event::Relayed { .. }) = events.recv().await.unwrap() {
                relayed += 1;
            }
        }
    })
    .await;
    let delivery = nodes[1].snapshot().await.unwrap().delivery;
    assert_eq!((delivery.delivered, delivery.missed), (2, 8));
    assert_eq!((next(&mut slow).await.missed, next(&mut slow).await.missed), (0, 0));

    nodes[0].publish("t", "more").await.unwrap();
    let message = next(&mut slow).await;
    assert_eq!((&message.payload[..], message.missed), (&b"more"[..], 8));
}

#[tokio::test]
async fn nodes_of_different_networks_never_link() {
    let (one, other) = (network("one", Policy::Verified), network("other", Policy::Verified));
    let alice = local(&one).start().await.unwrap();
    let stranger = Node::builder(other)
        .peers(alice.addresses())
        // It finds no common protocol at once; this is how long it keeps a connection for nothing.
        .net(|net| net.idle = Duration::from_millis(200))
        .start()
        .await
        .unwrap();
    let bob = Node::builder(one).listen([tcp()]).peers(alice.addresses()).start().await.unwrap();
    soon("bob links", bob.ready(1)).await.unwrap();
    let failed =
        until("the stranger's dial fails", &stranger, |snapshot| snapshot.dials_failed > 0).await;
    assert!(failed.links.is_empty());
    let snapshot = alice.snapshot().await.unwrap();
    assert_eq!(snapshot.links.iter().map(|link| link.peer).collect::<Vec<_>>(), [bob.id()]);
    // Nobody is to blame for a wrong manifest.
    assert!(snapshot.core.bans.is_empty());
}
