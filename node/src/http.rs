//! The node's local HTTP interface: health, metrics, status, bans, members, publishing and subscribing.
//!
//! It is for the operator and for applications on the same machine. What it promises: only requests that
//! call this host by a name of its own are answered, so a web page that points its name at 127.0.0.1
//! learns nothing; only who can read the token file publishes, bans or tags; sizes, times and numbers of everything
//! that a client may send or hold open are bounded. There is no CORS: no page may read an answer.
//!
//! It knows the node only through its public handle.

mod bans;
mod failure;
mod guard;
mod health;
mod listener;
mod members;
mod pages;
mod publish;
mod state;
mod stream;
mod token;
pub mod view;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router, middleware,
    routing::{get, post, put},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use self::guard::Hosts;
pub use self::token::{Token, TokenError};
use crate::Node;

/// What the interface needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Names that clients may call this host besides `localhost` and the address itself, with or without
    /// a port. At least one is needed if `listen` is not a loopback address.
    pub hosts: Vec<String>,
    /// Lets one publish.
    pub token: Token,
    /// Bounds on what clients may use.
    pub limits: Limits,
}

/// Bounds on what clients may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once, and so requests at once; more wait in the system's queue. Recommended: 128.
    pub connections: usize,
    /// Subscriptions at once, each of which keeps a connection. Recommended: 32.
    pub streams: usize,
    /// How long a client may take for a request's head, or be idle before the next. Recommended: 10 s.
    pub head_timeout: Duration,
    /// How long a client may take for a payload. Recommended: 30 s.
    pub body_timeout: Duration,
    /// How often a subscription without messages says that it is alive. Recommended: 15 s.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 128,
            streams: 32,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
        }
    }
}

/// Why the interface did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Whoever can reach the address could read the node's state under any name.
    #[error(
        "the HTTP interface is to listen on {0}, which others can reach: name the hosts that it is called \
         by with --http-host, or listen on a loopback address"
    )]
    HostsNeeded(SocketAddr),
    /// Another program listens there.
    #[error(
        "cannot serve HTTP on {0}: the port is in use, perhaps by another forsooth; \
         choose another with --http, such as --http 127.0.0.1:0 for any free one"
    )]
    InUse(SocketAddr),
    /// The system does not let us.
    #[error("cannot serve HTTP on {address}: {source}; choose another address with --http")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The running interface. It stops when [`shutdown`](Self::shutdown) is called, not when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve a node's interface.
    ///
    /// # Errors
    /// The address cannot be used.
    pub async fn start(node: Node, config: Config) -> Result<Self, StartError> {
        let Config { listen, hosts, token, limits } = config;
        if !listen.ip().is_loopback() && hosts.is_empty() {
            return Err(StartError::HostsNeeded(listen));
        }
        let failed = |source: io::Error| {
            if source.kind() == io::ErrorKind::AddrInUse {
                return StartError::InUse(listen);
            }
            StartError::Listen { address: listen, source }
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let state = state::State {
            node,
            token,
            hosts: Hosts::new(address, &hosts),
            streams: Arc::new(Semaphore::new(limits.streams)),
            stop: stop.clone(),
            limits,
        };
        let task =
            tokio::spawn(listener::serve(listener, router(Arc::new(state)), limits, stop.clone()));
        Ok(Self { address, stop, task })
    }

    /// Where it listens, with the port that it got.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the subscriptions, lets requests under way finish for a few seconds, and stops.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the HTTP interface ended early");
        }
    }
}

fn router(state: Arc<state::State>) -> Router {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/v1/node", get(pages::node))
        .route("/v1/peers", get(pages::peers))
        .route("/v1/bans", get(bans::list))
        .route("/v1/bans/{whom}", put(bans::add).delete(bans::lift))
        .route("/v1/members", get(members::list))
        .route("/v1/members/events", get(members::events))
        .route("/v1/tags", put(members::set_tags))
        .route("/v1/topics", get(pages::topics))
        .route("/v1/topics/{topic}/messages", post(publish::publish).get(stream::subscribe))
        .fallback(failure::no_such_page)
        .method_not_allowed_fallback(failure::no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&state), guard::check_host))
        .with_state(state)
}
