//! A node in a task: a listening swarm that takes orders and reports events.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use forsooth::net::behaviour::{DownReason, Event as Link, SendOutcome};
use forsooth::net::swarm::{self, Config, NodeSwarm};
use forsooth_crypto::Keypair;
use forsooth_protocol::{Class, Fault, Lane};
use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Far above what anything here takes; reached only when a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PROTOCOL: &str = "/forsooth/1/0123456789abcdef";

type Order = Box<dyn FnOnce(&mut NodeSwarm) + Send>;

pub(crate) struct Node {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    orders: mpsc::Sender<Order>,
    links: mpsc::Receiver<Link>,
    closed: mpsc::Receiver<PeerId>,
}

/// Short limits, so that tests of them are quick.
pub(crate) fn config() -> Config {
    let mut config = Config::new(PROTOCOL);
    config.links.read_stall = Duration::from_millis(200);
    config.links.write_stall = Duration::from_millis(300);
    config.closing = Duration::from_millis(200);
    config
}

impl Node {
    /// A node with the key of a seed, listening on an address of its own.
    pub(crate) async fn start(seed: u8, listen: &str, config: &Config) -> Self {
        let mut swarm = swarm::build(&Keypair::from_seed([seed; 32]), config).unwrap();
        swarm.listen_on(listen.parse().unwrap()).unwrap();
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let (orders, inbox) = mpsc::channel(64);
        let (links_out, links) = mpsc::channel(100_000);
        let (closed_out, closed) = mpsc::channel(64);
        let peer = *swarm.local_peer_id();
        tokio::spawn(run(swarm, inbox, links_out, closed_out));
        Self { peer, address, orders, links, closed }
    }

    pub(crate) async fn on_tcp(seed: u8) -> Self {
        Self::start(seed, "/ip4/127.0.0.1/tcp/0", &config()).await
    }

    /// Runs something in the node's task.
    pub(crate) async fn with<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut NodeSwarm) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let order: Order = Box::new(move |swarm| drop(reply.send(order(swarm))));
        assert!(self.orders.send(order).await.is_ok(), "the node's task ended");
        timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    pub(crate) async fn dial(&self, address: &Multiaddr) {
        let address = address.clone();
        self.with(move |swarm| swarm.dial(address)).await.unwrap();
    }

    pub(crate) async fn send(
        &self,
        to: PeerId,
        class: Class,
        frame: impl Into<Bytes>,
    ) -> SendOutcome {
        let frame = frame.into();
        self.with(move |swarm| swarm.behaviour_mut().links.send(&to, class, frame)).await
    }

    pub(crate) async fn link(&mut self) -> Link {
        timeout(PATIENCE, self.links.recv())
            .await
            .expect("an event in time")
            .expect("a running node")
    }

    /// Whether there was an event of a link that nobody has waited for.
    pub(crate) fn has_event(&mut self) -> bool {
        self.links.try_recv().is_ok()
    }

    /// Waits until a peer is up; returns the address that it came from.
    pub(crate) async fn up(&mut self) -> (PeerId, IpAddr) {
        let event = self.link().await;
        let Link::Up { peer, remote, .. } = event else { panic!("not up: {event:?}") };
        let ip = remote
            .iter()
            .next()
            .and_then(|part| part.to_string().rsplit('/').next().map(str::to_owned));
        (peer, ip.unwrap().parse().unwrap())
    }

    /// Waits for so many frames of a lane; other lanes' must not come in between.
    pub(crate) async fn frames(&mut self, lane: Lane, count: usize) -> Vec<Bytes> {
        let mut all = Vec::new();
        while all.len() < count {
            let event = self.link().await;
            let Link::Received { lane: on, frames, .. } = event else {
                panic!("no frames: {event:?}")
            };
            assert_eq!(on, lane);
            all.extend(frames);
        }
        all
    }

    pub(crate) async fn down(&mut self) -> DownReason {
        let event = self.link().await;
        let Link::Down { reason, .. } = event else { panic!("not down: {event:?}") };
        reason
    }

    pub(crate) async fn misbehaved(&mut self) -> Fault {
        let event = self.link().await;
        let Link::Misbehaved { fault, .. } = event else { panic!("no fault: {event:?}") };
        assert_eq!(self.down().await, DownReason::Misbehaved(fault));
        fault
    }

    /// Waits until the last connection with some peer is closed.
    pub(crate) async fn closed(&mut self) -> PeerId {
        timeout(PATIENCE, self.closed.recv())
            .await
            .expect("a closed connection in time")
            .expect("a running node")
    }
}

/// Has `a` dial `b` and waits until both are up.
pub(crate) async fn join(a: &mut Node, b: &mut Node) {
    a.dial(&b.address).await;
    assert_eq!(a.up().await.0, b.peer);
    assert_eq!(b.up().await.0, a.peer);
}

async fn run(
    mut swarm: NodeSwarm,
    mut inbox: mpsc::Receiver<Order>,
    links: mpsc::Sender<Link>,
    closed: mpsc::Sender<PeerId>,
) {
    loop {
        tokio::select! {
            order = inbox.recv() => match order {
                Some(order) => order(&mut swarm),
                None => return,
            },
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(swarm::Event::Link(event)) = event {
                    links.try_send(event).expect("the test reads on");
                } else if let SwarmEvent::ConnectionClosed { peer_id, num_established, .. } = event
                    && num_established == 0
                {
                    closed.try_send(peer_id).expect("the test reads on");
                }
            }
        }
    }
}
