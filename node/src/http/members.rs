//! `GET /v1/members`, its events, and `PUT /v1/tags`: who is a member of the network, and what this one says of itself.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use data_encoding::BASE64;
use forsooth_protocol::{
    membership::{Certificate, Epoch, News, SignedMember, Tags, record::TAG_BYTES_MAX},
    snapshot::{MemberState, Membership},
};
use futures::{Stream, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    failure::Failure,
    guard,
    publish::read_body,
    state::State,
    stream::{too_many, with_json},
    view::{
        AccusationView, MemberNewsView, MemberView, MembersView, MembershipView, MissedView,
        TagsView,
    },
};
use crate::{Events, Lagged, MembersError, clock, net::identity::peer_id};

/// Bytes of a body with tags: those that fit, with every character escaped, and room for the JSON around them.
const TAGS_BODY_BYTES_MAX: u32 = 16 << 10;

pub(super) async fn list(Shared(state): Shared<Arc<State>>) -> Result<Json<MembersView>, Failure> {
    let asking = state.node.members();
    let asked = tokio::time::timeout(state.limits.head_timeout, asking).await;
    let others = asked.map_err(|_elapsed| Failure::stuck())?.map_err(Failure::from)?;
    let membership = state.snapshot().await?.core.membership.unwrap_or_default();
    let own = membership.own.as_ref().map(MemberView::own);
    let members = own.into_iter().chain(others.iter().map(MemberView::from)).collect();
    Ok(Json(MembersView { membership: MembershipView::from(&membership), members }))
}

pub(super) async fn events(
    Shared(state): Shared<Arc<State>>,
) -> Result<impl IntoResponse, Failure> {
    if state.node.network().membership().is_none() {
        return Err(MembersError::NoMembership.into());
    }
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| too_many(&state))?;
    let stopped = state.stop.clone().cancelled_owned();
    let events = told(state.node.member_news(), permit).take_until(stopped);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(state.limits.keep_alive)))
}

pub(super) async fn set_tags(
    Shared(state): Shared<Arc<State>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TagsView>, Failure> {
    guard::check_token(&state, &headers)?;
    let reading = read_body(&state, body, TAGS_BODY_BYTES_MAX, &headers);
    let body = reading.await?;
    let view: TagsView = serde_json::from_slice(&body).map_err(|error| {
        Failure::bad_request(format!(
            "the body must be a JSON object of strings, such as {{\"role\": \"relay\"}}: {error}"
        ))
    })?;
    let tags = Tags::new(view.0.clone()).ok_or_else(|| {
        let message = format!(
            "too many tags: keys and values may have {TAG_BYTES_MAX} bytes together, and no key may be empty"
        );
        Failure::new(StatusCode::BAD_REQUEST, "bad_tags", message)
    })?;
    state.node.set_tags(tags).await?;
    Ok(Json(view))
}

/// News as events, each with the time at which this node has told it. Holds the permit.
fn told(
    news: Events<News>,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    news.map(move |news| {
        let _held_as_long = &permit;
        Ok(match news {
            Ok(news) => {
                let view = MemberNewsView::from(&news);
                with_json(Event::default().event(view.event.clone()), &view)
            }
            Err(Lagged(count)) => {
                with_json(Event::default().event("missed"), &MissedView { count })
            }
        })
    })
}

impl From<MembersError> for Failure {
    fn from(error: MembersError) -> Self {
        match error {
            MembersError::NoMembership => {
                Self::new(StatusCode::NOT_FOUND, "no_membership", error.to_string())
            }
            MembersError::Closed(_) => Self::closed(),
        }
    }
}

impl MemberView {
    fn new(record: &SignedMember) -> Self {
        let member = record.content();
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        Self {
            id: member.id,
            peer_id: peer_id(&member.id).to_string(),
            is_this_node: false,
            suspected: false,
            generation: member.epoch.generation,
            incarnation: member.epoch.incarnation,
            version: member.version,
            signed: member.time.as_millis(),
            addresses: member.addresses.iter().map(|it| it.as_str().to_owned()).collect(),
            tags: member.tags.iter().map(owned).collect(),
            observed_on: None,
            phi: None,
        }
    }

    fn own(record: &SignedMember) -> Self {
        Self { is_this_node: true, ..Self::new(record) }
    }
}

impl From<&MemberState> for MemberView {
    fn from(state: &MemberState) -> Self {
        let MemberState { record, is_suspected, observed_on, phi } = state;
        // JSON has no infinity.
        let phi = phi.map(|phi| phi.min(f64::MAX));
        Self { suspected: *is_suspected, observed_on: *observed_on, phi, ..Self::new(record) }
    }
}

impl From<&Membership> for MembershipView {
    fn from(membership: &Membership) -> Self {
        Self {
            members: membership.members,
            suspected: membership.suspected,
            buried: membership.graves,
            tolerated: membership.tolerated,
            observers: membership.observers,
            needed: membership.needed,
            subjects: membership.subjects,
            doubtful: membership.doubtful,
            health: membership.health,
            is_member: membership.own.is_some(),
        }
    }
}

impl From<&News> for MemberNewsView {
    fn from(news: &News) -> Self {
        let at = clock::wall().unwrap_or_default().as_millis();
        let view = |event: &str, id, epoch: Option<Epoch>| Self {
            event: event.to_owned(),
            id,
            at,
            generation: epoch.map(|epoch| epoch.generation),
            incarnation: epoch.map(|epoch| epoch.incarnation),
            certificate: Vec::new(),
        };
        match news {
            News::Joined { peer, epoch } => view("joined", *peer, Some(*epoch)),
            News::Suspected { peer, epoch } => view("suspected", *peer, Some(*epoch)),
            News::Recovered { peer, epoch } => view("recovered", *peer, Some(*epoch)),
            News::Died { certificate } => Self {
                certificate: accusations(certificate),
                ..view("died", certificate.subject, Some(certificate.epoch))
            },
            News::Left { peer } => view("left", *peer, None),
            News::Evicted { peer } => view("evicted", *peer, None),
        }
    }
}

fn accusations(certificate: &Certificate) -> Vec<AccusationView> {
    let one = |signed: &forsooth_protocol::membership::SignedAccusation| AccusationView {
        accuser: signed.content().accuser,
        ring: signed.content().ring,
        signed: signed.content().time.as_millis(),
        statement: BASE64.encode(signed.encoded()),
        signature: BASE64.encode(signed.signature().as_bytes()),
    };
    certificate.accusations.iter().map(|accusation| one(accusation)).collect()
}
