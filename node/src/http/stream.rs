//! `GET /v1/topics/{topic}/messages`: accepted messages as server-sent events, and what became of others; those that are kept, too.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse as _, Response,
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
    view::{ContestedView, FaultView, MessageView, MissedView, UnacceptedView},
};
use crate::{Begin, HistoryError, Message, News, Notice, SubscribeError, Subscription};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    /// Stricter than the topic's, as on the command line.
    policy: Option<String>,
    /// `now`, `start`, or the id of a message: of a topic that is kept, those after it and what comes then.
    from: Option<String>,
}

pub(super) async fn subscribe(
    Shared(state): Shared<Arc<State>>,
    topic: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Path(name) = topic.map_err(|error| Failure::bad_request(error.body_text()))?;
    let Query(Parameters { policy, from }) =
        parameters.map_err(|error| Failure::bad_request(error.body_text()))?;
    let policy = policy.map(|text| text.parse::<Policy>()).transpose();
    let policy = policy.map_err(|error| Failure::bad_request(error.to_string()))?;
    let id = state.topic(&name)?;
    let from = from.map(|text| begin(&text)).transpose()?;
    let is_kept = state.node.network().topic(id).retention.is_some();
    // What a client that lost its connection had last; of a topic that is not kept nothing can be said.
    let last = headers.get("last-event-id").filter(|_| is_kept && policy.is_none());
    let last = last.and_then(|last| last.to_str().ok()?.parse().ok()).map(Begin::After);
    if let Some(wanted) = from.or(last) {
        if policy.is_some() {
            return Err(Failure::bad_request(
                "messages are kept by their topic's policy: leave out either `from` or `policy`",
            ));
        }
        return resume(&state, &name, wanted, from.is_some()).await;
    }
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| too_many(&state))?;
    let subscription = match policy {
        None => state.node.subscribe(&name),
        Some(policy) => state.node.subscribe_with(&name, policy),
    };
    let subscription = subscription.map_err(|error| refuse(&state, error))?;
    let stopped = state.stop.clone().cancelled_owned();
    let events = events(subscription, permit).take_until(stopped);
    Ok(sse(&state, events))
}

fn sse(
    state: &State,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    Sse::new(events).keep_alive(KeepAlive::new().interval(state.limits.keep_alive)).into_response()
}

fn begin(text: &str) -> Result<Begin, Failure> {
    match text {
        "now" => Ok(Begin::Now),
        "start" => Ok(Begin::Start),
        id => id
            .parse()
            .map(Begin::After)
            .map_err(|_| Failure::bad_request("`from` must be now, start, or the id of a message")),
    }
}

/// Kept messages, and then those that come.
async fn resume(
    state: &Arc<State>,
    topic: &str,
    from: Begin,
    is_asked_for: bool,
) -> Result<Response, Failure> {
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| too_many(state))?;
    let history = match state.node.history(topic, from).await {
        // It was away for longer than messages are kept: it gets all that there are.
        Err(HistoryError::UnknownMessage { .. }) if !is_asked_for => {
            state.node.history(topic, Begin::Start).await
        }
        history => history,
    };
    let history = history.map_err(|error| refuse_history(state, &error))?;
    let stopped = state.stop.clone().cancelled_owned();
    let events = history.into_stream().flat_map(move |read| {
        let _held_as_long = &permit;
        let events = match read {
            Ok(message) => {
                missed(&message).into_iter().chain([Ok(event(&message))]).collect::<Vec<_>>()
            }
            Err(error) => {
                let view = FaultView { message: error.to_string() };
                vec![Ok(with_json(Event::default().event("error"), &view))]
            }
        };
        stream::iter(events)
    });
    Ok(sse(state, events.take_until(stopped)))
}

fn refuse_history(state: &State, error: &HistoryError) -> Failure {
    match error {
        HistoryError::UnknownTopic { topic, .. } => {
            Failure::unknown_topic(topic, state.node.network())
        }
        HistoryError::NotKept { .. } => {
            Failure::new(StatusCode::NOT_FOUND, "not_kept", error.to_string())
        }
        HistoryError::UnknownMessage { .. } => {
            Failure::new(StatusCode::NOT_FOUND, "unknown_message", error.to_string())
        }
        HistoryError::Store(_) => {
            Failure::new(StatusCode::SERVICE_UNAVAILABLE, "disk", error.to_string())
        }
        HistoryError::Closed => Failure::closed(),
    }
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
