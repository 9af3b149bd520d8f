//! Two nodes in one process: one publishes, the other accepts.
//!
//! `cargo run --example embed`

use forsooth::{
    Network, Node,
    network::{Defence, Kind, Policy, Topic},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // All nodes of a network must agree on this. Here a message counts when one of two witnesses vouches for it.
    let topics = vec![Topic::new("news", Policy::Vouched { k: 1, n: 2 })];
    let network = Network::new("example", Kind::Local, topics, Defence::recommended(Kind::Local))?;

    let alice = Node::builder(network.clone())
        .listen(["/ip4/127.0.0.1/udp/0/quic-v1".parse()?])
        .start()
        .await?;
    let bob = Node::builder(network).peers(alice.addresses()).start().await?;
    let mut news = bob.subscribe("news")?;
    bob.ready(1).await?;

    let receipt = alice.publish("news", "the library is open").await?;
    println!("alice published {} to {} peer(s)", receipt.id, receipt.sent_to);

    let message = news.recv().await.ok_or_else(|| anyhow::anyhow!("bob has shut down"))?;
    println!(
        "bob accepted {:?} from {}",
        String::from_utf8_lossy(&message.payload),
        message.author
    );
    println!("vouched for by {:?}", message.vouchers);

    alice.shutdown().await?;
    bob.shutdown().await?;
    Ok(())
}
