//! `/v1/bans`: who is banned, `PUT` and `DELETE /v1/bans/{whom}`.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
};
use forsooth_protocol::{Ban, Timestamp, Whom};
use serde::Deserialize;

use super::{failure::Failure, guard, state::State, view::BanView};
use crate::parse_whom;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    for_ms: Option<u64>,
}

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Json<Vec<BanView>>, Failure> {
    Ok(Json(state.snapshot().await?.core.bans.iter().map(BanView::from).collect()))
}

pub(super) async fn add(
    Shared(state): Shared<Arc<State>>,
    whom: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<BanView>, Failure> {
    guard::check_token(&state, &headers)?;
    let whom = read(whom)?;
    let Query(Parameters { for_ms }) =
        parameters.map_err(|error| Failure::bad_request(error.body_text()))?;
    if whom == Whom::Peer(state.node.id()) {
        let message = "that is this node itself; a node cannot ban itself";
        return Err(Failure::new(StatusCode::CONFLICT, "own_id", message));
    }
    if for_ms == Some(0) {
        return Err(Failure::bad_request(
            "a ban of no time is none; leave for_ms out to ban for good",
        ));
    }
    let length = for_ms.map(Duration::from_millis);
    state.node.ban(whom, length).await.map_err(|_closed| Failure::closed())?;
    state.ban(whom).await?.ok_or_else(|| {
        // It was over before we could look.
        Failure::new(
            StatusCode::CONFLICT,
            "not_banned",
            format!("the ban of {whom} is over already"),
        )
    })
}

pub(super) async fn lift(
    Shared(state): Shared<Arc<State>>,
    whom: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<BanView>, Failure> {
    guard::check_token(&state, &headers)?;
    let whom = read(whom)?;
    let lifted = state.ban(whom).await?.ok_or_else(|| {
        let message = format!("{whom} is not banned; `forsooth bans` lists who is");
        Failure::new(StatusCode::NOT_FOUND, "not_banned", message)
    })?;
    state.node.pardon(whom).await.map_err(|_closed| Failure::closed())?;
    Ok(lifted)
}

fn read(whom: Result<Path<String>, PathRejection>) -> Result<Whom, Failure> {
    let Path(text) = whom.map_err(|error| Failure::bad_request(error.body_text()))?;
    parse_whom(&text).map_err(|error| Failure::bad_request(error.to_string()))
}

impl State {
    async fn ban(&self, whom: Whom) -> Result<Option<Json<BanView>>, Failure> {
        let bans = self.snapshot().await?.core.bans;
        Ok(bans.iter().find(|ban| ban.whom == whom).map(|ban| Json(BanView::from(ban))))
    }
}

impl From<&Ban> for BanView {
    fn from(Ban { whom, cause, until }: &Ban) -> Self {
        Self {
            whom: whom.to_string(),
            cause: cause.name().to_owned(),
            reason: cause.to_string(),
            until: until.map(Timestamp::as_millis),
        }
    }
}
