//! `/healthz`, `/readyz` and `/metrics`: for whoever watches the node.

use std::sync::Arc;

use axum::{
    Json,
    extract::State as Shared,
    http::{StatusCode, header},
    response::IntoResponse,
};
use forsooth_protocol::{Network, Snapshot};
use serde::{Deserialize, Serialize};

use super::{failure::Failure, state::State};
use crate::metrics;

/// Whether the node can do what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessView {
    /// There are no reasons.
    pub ready: bool,
    /// Why it cannot.
    pub reasons: Vec<Reason>,
}

/// Why a node cannot do what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum Reason {
    /// Nobody would hear what it publishes.
    NoPeers {
        /// For people.
        message: String,
    },
    /// Another machine signs with this node's key.
    Twin {
        /// For people.
        message: String,
        /// The generation that it signs in.
        generation: u64,
    },
    /// Accepted messages are not kept: they will be missing for those who come later.
    Disk {
        /// For people.
        message: String,
    },
    /// Nothing on the topic can be accepted.
    TooFewWitnesses {
        /// For people.
        message: String,
        /// Which topic.
        topic: String,
        /// Witnesses that there are.
        have: usize,
        /// Witnesses that must vouch.
        need: usize,
    },
}

pub(super) async fn alive(Shared(state): Shared<Arc<State>>) -> Result<impl IntoResponse, Failure> {
    state.snapshot().await?;
    Ok(Json(serde_json::json!({ "status": "ok" })))
}

pub(super) async fn ready(Shared(state): Shared<Arc<State>>) -> Result<impl IntoResponse, Failure> {
    let snapshot = state.snapshot().await?;
    let refusal = snapshot.keeping.as_ref().and_then(|keeping| keeping.refusal.as_deref());
    let reasons = reasons(&snapshot.core, state.node.network(), refusal);
    let view = ReadinessView { ready: reasons.is_empty(), reasons };
    let status = if view.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(view)))
}

pub(super) async fn metrics(
    Shared(state): Shared<Arc<State>>,
) -> Result<impl IntoResponse, Failure> {
    let text = metrics::render(&state.snapshot().await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn reasons(snapshot: &Snapshot, network: &Network, refusal: Option<&str>) -> Vec<Reason> {
    let disk = refusal.map(|refusal| Reason::Disk {
        message: format!(
            "messages are delivered and relayed, but not kept, since the disk refuses: {refusal}"
        ),
    });
    let no_peers = snapshot.links.is_empty().then(|| Reason::NoPeers {
        message: "no peer is linked: check the bootnodes, and that they can be reached".to_owned(),
    });
    let have = snapshot.witnesses;
    let too_few = network.topics().filter_map(|(id, topic)| {
        let need = snapshot.topics.get(&id).map_or(0, |state| state.witnesses_needed);
        (need > have).then(|| Reason::TooFewWitnesses {
            message: format!(
                "too few witnesses for topic {}: have {have}, need {need}",
                topic.name
            ),
            topic: topic.name.clone(),
            have,
            need,
        })
    });
    let twin = snapshot.twin.map(|twin| Reason::Twin {
        message: format!(
            "another machine signs with this node's key, in generation {}: stop one of the two, or the key will be banned for good",
            twin.generation
        ),
        generation: twin.generation,
    });
    twin.into_iter().chain(no_peers).chain(disk).chain(too_few).collect()
}
