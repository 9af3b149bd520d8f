//! `GET /v1/topics/{topic}/messages`: accepted messages as server-sent events.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{Path, State as Shared, rejection::PathRejection},
    http::StatusCode,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    failure::Failure,
    state::State,
    view::{MessageView, MissedView},
};
use crate::{Message, SubscribeError, Subscription};

pub(super) async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    topic: Result<Path<String>, PathRejection>,
) -> Result<impl IntoResponse, Failure> {
    let Path(name) = topic.map_err(|error| Failure::bad_request(error.body_text()))?;
    state.topic(&name)?;
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| too_many(&state))?;
    let subscription = state.node.subscribe(&name).map_err(|error| refuse(&state, error))?;
    let stopped = state.stop.clone().cancelled_owned();
    let events = events(subscription, permit).take_until(stopped);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(state.limits.keep_alive)))
}

fn refuse(state: &State, error: SubscribeError) -> Failure {
    match error {
        SubscribeError::UnknownTopic { topic, .. } => {
            Failure::unknown_topic(&topic, state.node.network())
        }
        SubscribeError::Busy => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy", error.to_string())
        }
        SubscribeError::Closed => Failure::closed(),
    }
}

fn too_many(state: &State) -> Failure {
    let message = format!("{} subscriptions are open, which is the limit", state.limits.streams);
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message)
}

/// The messages as events, each after a marker if some were lost before it. Holds the permit.
fn events(
    subscription: Subscription,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    subscription.flat_map(move |message| {
        let _held_as_long = &permit;
        stream::iter(missed(&message).into_iter().chain([Ok(event(&message))]))
    })
}

fn missed(message: &Message) -> Option<Result<Event, Infallible>> {
    let view = MissedView { count: message.missed };
    (message.missed > 0).then(|| Ok(with_json(Event::default().event("missed"), &view)))
}

fn event(message: &Message) -> Event {
    let view = MessageView::from(message);
    with_json(Event::default().event("message").id(&view.id), &view)
}

fn with_json(event: Event, view: &impl Serialize) -> Event {
    event.json_data(view).expect("our views have string keys and no failing parts")
}
