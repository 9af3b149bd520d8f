//! `POST /v1/topics/{topic}/messages`: the body is the payload, byte for byte.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use serde::Deserialize;

use super::{failure::Failure, guard, state::State, view::ReceiptView};

/// Bytes of a refused payload that are read and thrown away, so that the client hears why instead of
/// finding its connection reset.
const DRAIN_BYTES_MAX: usize = 8 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    lifetime_ms: Option<u64>,
}

pub(super) async fn publish(
    Shared(state): Shared<Arc<State>>,
    topic: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ReceiptView>), Failure> {
    guard::check_token(&state, &headers)?;
    let Path(name) = topic.map_err(|error| Failure::bad_request(error.body_text()))?;
    let Query(Parameters { lifetime_ms }) =
        parameters.map_err(|error| Failure::bad_request(error.body_text()))?;
    let topic = state.topic(&name)?;
    let bytes_max = state.node.network().topic(topic).payload_bytes_max;
    let payload = read_body(&state, body, bytes_max, &headers).await?;
    let receipt = match lifetime_ms {
        None => state.node.publish(&name, payload).await,
        Some(ms) => state.node.publish_for(&name, payload, Duration::from_millis(ms)).await,
    };
    let receipt = receipt.map_err(|error| state.refuse(error))?;
    Ok((StatusCode::CREATED, Json(receipt.into())))
}

/// A body of at most `bytes_max` bytes, in the time that a client has for one.
pub(super) async fn read_body(
    state: &State,
    body: Body,
    bytes_max: u32,
    headers: &HeaderMap,
) -> Result<Bytes, Failure> {
    let reading = read(body, bytes_max, announced_length(headers));
    let slow = "the payload took too long to come";
    tokio::time::timeout(state.limits.body_timeout, reading)
        .await
        .map_err(|_| Failure::new(StatusCode::REQUEST_TIMEOUT, "slow_body", slow))?
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The body if it has at most `bytes_max` bytes.
async fn read(body: Body, bytes_max: u32, announced: Option<usize>) -> Result<Bytes, Failure> {
    let max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut oversize = announced.is_some_and(|length| length > max);
    if announced.is_some_and(|length| length > DRAIN_BYTES_MAX) {
        return Err(Failure::oversize(bytes_max));
    }
    let mut payload = BytesMut::new();
    let mut seen = 0usize;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) =
        chunks.try_next().await.map_err(|error| Failure::bad_request(error.to_string()))?
    {
        seen = seen.saturating_add(chunk.len());
        oversize |= seen > max;
        match oversize {
            false => payload.extend_from_slice(&chunk),
            true => payload = BytesMut::new(),
        }
        if seen > DRAIN_BYTES_MAX {
            break;
        }
    }
    if oversize { Err(Failure::oversize(bytes_max)) } else { Ok(payload.freeze()) }
}
