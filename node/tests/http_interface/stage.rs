//! A node with its HTTP interface.

use std::{net::SocketAddr, time::Duration};

use forsooth::{
    Builder, Network, Node,
    http::{Config, Limits, Server, Token},
    membership::{Preset, Settings},
    network::{Defence, Kind, Policy, Retention, Topic},
};

use super::client::{Answer, Lines, Request};

pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) server: Server,
    pub(crate) token: Token,
}

/// A topic for each thing that can be different about one.
fn network() -> Network {
    let open =
        Topic { rate_per_minute: 60_000, burst: 1000, ..Topic::new("open", Policy::Verified) };
    let topics = vec![
        Topic { payload_bytes_max: 1 << 20, ..open.clone() },
        Topic { name: "a/b".into(), ..open.clone() },
        Topic { name: "small".into(), payload_bytes_max: 10, ..open.clone() },
        Topic { name: "slow".into(), rate_per_minute: 1, burst: 1, ..open.clone() },
        Topic { name: "brief".into(), lifetime_max: Duration::from_secs(2), ..open },
        Topic::new("vouched", Policy::Vouched { k: 2, n: 3 }),
    ];
    Network::new("http", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap()
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default(), |builder| builder).await
    }

    /// On a network whose nodes know who is a member.
    pub(crate) async fn of_members() -> Self {
        let settings = Settings::preset(Preset::Local);
        let network = network().with_membership(Some(settings)).unwrap();
        Self::on(network, Limits::default(), |builder| builder).await
    }

    /// On a network that keeps messages.
    pub(crate) async fn kept(retention: Option<Retention>) -> Self {
        let bare = network();
        let topics = bare.topics().map(|(_, topic)| Topic { retention, ..topic.clone() }).collect();
        let network = Network::new("kept", Kind::Local, topics, *bare.defence()).unwrap();
        Self::on(network, Limits::default(), |builder| builder).await
    }

    pub(crate) async fn with(limits: Limits, change: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(network(), limits, change).await
    }

    async fn on(network: Network, limits: Limits, change: impl FnOnce(Builder) -> Builder) -> Self {
        let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let node = change(Node::builder(network).listen([listen])).start().await.unwrap();
        let token = Token::random().unwrap();
        let listen = ([127, 0, 0, 1], 0).into();
        let config =
            Config { listen, hosts: vec!["node.example".into()], token: token.clone(), limits };
        let server = Server::start(node.clone(), config).await.unwrap();
        Self { node, server, token }
    }

    /// Another node, linked with this one. A node does not hear its own messages.
    pub(crate) async fn friend(&self) -> Node {
        self.friend_with(|builder| builder).await
    }

    pub(crate) async fn friend_with(&self, change: impl FnOnce(Builder) -> Builder) -> Node {
        let network = (**self.node.network()).clone();
        let builder = Node::builder(network).peers(self.node.addresses());
        let friend = change(builder).start().await.unwrap();
        friend.ready(1).await.unwrap();
        self.node.ready(1).await.unwrap();
        friend
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn request(&self, line: &str) -> Request {
        Request::new(line, self.address())
    }

    pub(crate) async fn get(&self, page: &str) -> Answer {
        self.request(&format!("GET {page}")).send(self.address()).await
    }

    /// Publishes, with the token; `topic` may have a query behind it.
    pub(crate) async fn post(&self, page: &str, payload: impl Into<Vec<u8>>) -> Answer {
        let request =
            self.request(&format!("POST {page}")).with("Authorization", self.token.authorization());
        request.body(payload).send(self.address()).await
    }

    pub(crate) async fn subscribe(&self, topic: &str) -> Lines {
        self.subscribe_by(topic, "").await
    }

    /// As [`Self::subscribe`], with a query.
    pub(crate) async fn subscribe_by(&self, topic: &str, query: &str) -> Lines {
        let line = format!("GET /v1/topics/{topic}/messages{query}");
        let lines = self.request(&line).open(self.address()).await;
        assert!(lines.head.starts_with("HTTP/1.0 200"), "{}", lines.head);
        lines
    }

    pub(crate) async fn end(self) {
        self.server.shutdown().await;
        self.node.shutdown().await.unwrap();
    }
}
