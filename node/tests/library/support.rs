//! Real nodes on this machine, and a limit on how long a test may wait for them.

use std::{future::Future, time::Duration};

use forsooth::{
    Builder, Message, Multiaddr, Network, Node, NodeSnapshot, Subscription,
    network::{Defence, Kind, Policy, Topic},
};

/// Far above what any of these tests takes: reached only when something never happens.
const PATIENCE: Duration = Duration::from_secs(60);

/// The outcome of something that must happen.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, happens).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => panic!("never happened: {what}"),
    }
}

/// A local network with one topic, `t`.
pub(crate) fn network(name: &str, policy: Policy) -> Network {
    network_of(name, Topic::new("t", policy))
}

/// A local network with this topic.
pub(crate) fn network_of(name: &str, topic: Topic) -> Network {
    Network::new(name, Kind::Local, vec![topic], Defence::recommended(Kind::Local)).unwrap()
}

/// A node to be, on a port of the system's choice.
pub(crate) fn local(network: &Network) -> Builder {
    Node::builder(network.clone()).listen([tcp()])
}

/// TCP on a port of the system's choice.
pub(crate) fn tcp() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().unwrap()
}

/// A snapshot of which something holds that must come to hold.
pub(crate) async fn until(
    what: &str,
    node: &Node,
    holds: impl Fn(&NodeSnapshot) -> bool,
) -> NodeSnapshot {
    let asking = async {
        loop {
            let snapshot = node.snapshot().await.unwrap();
            if holds(&snapshot) {
                return snapshot;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(what, asking).await
}

/// The next message of a subscription.
pub(crate) async fn next(subscription: &mut Subscription) -> Message {
    soon("a message is delivered", subscription.recv()).await.expect("the node runs")
}

/// Nodes that all know of each other and have all said hello.
pub(crate) async fn mesh(nodes: Vec<Node>) -> Vec<Node> {
    for node in &nodes {
        let others = nodes.iter().filter(|other| other.id() != node.id());
        node.add_peers(others.flat_map(Node::addresses).collect::<Vec<_>>()).await.unwrap();
    }
    for node in &nodes {
        soon("all have said hello", node.ready(nodes.len() - 1)).await.unwrap();
    }
    nodes
}
