//! `GET /v1/topics/{topic}/messages`: accepted messages as server-sent events, and what became of others.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use forsooth_protocol::network::Policy;
use futures::{Stream, StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    failure::Failure,
    state::State,
    view::{ContestedView, MessageView, MissedView, UnacceptedView},
};
use crate::{Message, News, Notice, SubscribeError, Subscription};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// Stricter than the topic's, as on the command line.
    policy: Option<String>,
}

pub(super) async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    topic: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Path(name) = topic.map_err(|error| Failure::bad_request(error.body_text()))?;
    let Query(Parameters { policy }) =
        parameters.map_err(|error| Failure::bad_request(error.body_text()))?;
    let policy = policy.map(|text| text.parse::<Policy>()).transpose();
    let policy = policy.map_err(|error| Failure::bad_request(error.to_string()))?;
    state.topic(&name)?;
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| too_many(&state))?;
    let subscription = match policy {
        None => state.node.subscribe(&name),
        Some(policy) => state.node.subscribe_with(&name, policy),
    };
    let subscription = subscription.map_err(|error| refuse(&state, error))?;
    let stopped = state.stop.clone().cancelled_owned();
    let events = events(subscription, permit).take_until(stopped);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(state.limits.keep_alive)))
}

fn refuse(state: &State, error: SubscribeError) -> Failure {
    match error {
        SubscribeError::UnknownTopic { topic, .. } => {
            Failure::unknown_topic(&topic, state.node.network())
        }
        SubscribeError::TooWeak(weak) => {
            Failure::new(StatusCode::BAD_REQUEST, "policy_too_weak", weak.to_string())
        }
        SubscribeError::Busy => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string())
        }
        SubscribeError::Closed => Failure::closed(),
    }
}

pub(super) fn too_many(state: &State) -> Failure {
    let message = format!("{} subscriptions are open, which is the limit", state.limits.streams);
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message)
}

/// The messages as events, each after a marker if some were lost before it. Holds the permit.
fn events(
    subscription: Subscription,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    subscription.news().flat_map(move |news| {
        let _held_as_long = &permit;
        let events = match news {
            News::Message(message) => {
                missed(&message).into_iter().chain([Ok(event(&message))]).collect::<Vec<_>>()
            }
            News::Notice(notice) => vec![Ok(told(&notice))],
        };
        stream::iter(events)
    })
}

fn told(notice: &Notice) -> Event {
    match notice {
        Notice::Unaccepted { id, vouched, threshold, why } => {
            let reason = why.name().to_owned();
            let (id, vouched, threshold) = (id.to_string(), *vouched, *threshold);
            let view = UnacceptedView { id, reason, vouched, threshold };
            with_json(Event::default().event("unaccepted"), &view)
        }
        Notice::Contested { id, slot } => {
            let (author, generation, seq) = (slot.author, slot.generation, slot.seq);
            let view = ContestedView { id: id.to_string(), author, generation, seq };
            with_json(Event::default().event("contested"), &view)
        }
    }
}

fn missed(message: &Message) -> Option<Result<Event, Infallible>> {
    let view = MissedView { count: message.missed };
    (message.missed > 0).then(|| Ok(with_json(Event::default().event("missed"), &view)))
}

fn event(message: &Message) -> Event {
    let view = MessageView::from(message);
    with_json(Event::default().event("message").id(&view.id), &view)
}

pub(super) fn with_json(event: Event, view: &impl Serialize) -> Event {
    event.json_data(view).expect("our views have string keys and no failing parts")
}
