//! `/v1/node`, `/v1/peers` and `/v1/topics`: the node's state as it is shown.

use std::sync::Arc;

use axum::{Json, extract::State as Shared};
use data_encoding::BASE64;
use forsooth_protocol::{
    Lane, Receipt, Shortfall,
    network::Topic,
    snapshot::{Link, SyncState, TopicState},
};

use super::{
    failure::Failure,
    state::State,
    view::{
        BoundView, LanesView, MembershipView, MessageView, NetworkView, NodeView, OverlayView,
        PeerView, ReceiptView, RetentionView, SyncView, TopicView, TrafficView,
    },
};
use crate::{
    Holding, Message, NodeSnapshot,
    net::{
        identity::peer_id,
        stats::{PerLane, Stats, Traffic},
    },
    status::LinkSnapshot,
};

pub(super) async fn node(Shared(state): Shared<Arc<State>>) -> Result<Json<NodeView>, Failure> {
    Ok(Json(NodeView::from(&state.snapshot().await?)))
}

pub(super) async fn peers(
    Shared(state): Shared<Arc<State>>,
) -> Result<Json<Vec<PeerView>>, Failure> {
    let NodeSnapshot { core, links, .. } = state.snapshot().await?;
    let open = |link: &Link| links.iter().find(|open| open.peer == link.peer);
    Ok(Json(core.links.iter().map(|link| PeerView::new(link, open(link))).collect()))
}

pub(super) async fn topics(
    Shared(state): Shared<Arc<State>>,
) -> Result<Json<Vec<TopicView>>, Failure> {
    let NodeSnapshot { core, keeping, .. } = state.snapshot().await?;
    let holding = |id| Some(*keeping.as_ref()?.holdings.get(&id)?);
    let view = |(id, topic)| {
        let of_topic = core.topics.get(&id).copied().unwrap_or_default();
        let sync = core.sync.get(&id).map(SyncView::from);
        TopicView { sync, ..TopicView::new(topic, of_topic, holding(id).unwrap_or_default()) }
    };
    Ok(Json(state.node.network().topics().map(view).collect()))
}

impl From<&NodeSnapshot> for NodeView {
    fn from(snapshot: &NodeSnapshot) -> Self {
        let core = &snapshot.core;
        let bound = |bound: &forsooth_protocol::snapshot::Bound| BoundView {
            name: bound.name.to_owned(),
            used: bound.used,
            max: bound.max,
        };
        Self {
            id: snapshot.id,
            peer_id: peer_id(&snapshot.id).to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            network: NetworkView::from(&*snapshot.network),
            generation: core.generation,
            started: snapshot.started.as_millis(),
            uptime_s: snapshot.uptime.as_secs(),
            listen: snapshot.listen.iter().map(ToString::to_string).collect(),
            external: snapshot.external.iter().map(ToString::to_string).collect(),
            links: core.links.len(),
            witnesses: core.witnesses,
            witnesses_wanted: core.witnesses_wanted,
            candidates: core.candidates,
            overlay: OverlayView::from(&core.overlay),
            membership: core.membership.as_ref().map(MembershipView::from),
            bans: core.bans.len(),
            exposed: core.exposed,
            faults: core
                .faults
                .iter()
                .map(|(fault, count)| (fault.name().to_owned(), *count))
                .collect(),
            unkept: snapshot.keeping.as_ref().map_or(0, |keeping| keeping.lost),
            bounds: core.bounds.iter().map(bound).collect(),
        }
    }
}

impl PeerView {
    /// A link as the core sees it, and as the transport does if it is still open there.
    fn new(link: &Link, open: Option<&LinkSnapshot>) -> Self {
        let stats = open.map_or_else(Stats::default, |open| open.stats);
        Self {
            id: link.peer,
            peer_id: peer_id(&link.peer).to_string(),
            role: link.role.name().to_owned(),
            address: open.map(|open| open.remote.to_string()),
            age_s: link.age.as_secs(),
            agent: link.agent.clone(),
            generation: link.generation,
            score: link.score,
            eager_topics: link.eager_topics,
            sent: LanesView::from(&stats.sent),
            received: LanesView::from(&stats.received),
            queued_bytes: stats.queued_bytes,
            dropped: forsooth_protocol::Class::ALL
                .iter()
                .map(|class| stats.dropped.of(*class))
                .sum(),
        }
    }
}

impl From<&PerLane<Traffic>> for LanesView {
    fn from(traffic: &PerLane<Traffic>) -> Self {
        let view = |lane| {
            let Traffic { frames, bytes } = *traffic.of(lane);
            TrafficView { frames, bytes }
        };
        Self { control: view(Lane::Control), data: view(Lane::Data) }
    }
}

impl TopicView {
    fn new(topic: &Topic, state: TopicState, holding: Holding) -> Self {
        Self {
            name: topic.name.clone(),
            policy: topic.policy.into(),
            rate_per_minute: topic.rate_per_minute,
            burst: topic.burst,
            payload_bytes_max: topic.payload_bytes_max,
            lifetime_s_max: topic.lifetime_max.as_secs(),
            subscribed: state.subscribed,
            acceptable: state.acceptable,
            witnesses_needed: state.witnesses_needed,
            published: state.published,
            verified: state.verified,
            accepted: state.accepted,
            waiting: state.waiting,
            unaccepted: state.unaccepted.total(),
            unaccepted_for: Shortfall::ALL
                .map(|why| (why.name().to_owned(), state.unaccepted.of(why)))
                .into(),
            contested: state.contested,
            retention: topic.retention.map(RetentionView::from),
            kept: holding.messages,
            kept_bytes: holding.bytes,
            sync: None,
        }
    }
}

impl From<&SyncState> for SyncView {
    fn from(state: &SyncState) -> Self {
        Self {
            catching_up: state.is_behind,
            settled: state.is_settled,
            equal_for_s: state.equal_for.map(|time| time.as_secs()),
            held: state.held,
            wanted: state.wanted,
            pending: state.pending,
            comparisons: state.comparisons,
            fetched: state.pulled,
            hidden: state.hidden,
        }
    }
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        let Receipt { id, sent_to, queued, witnesses_lacking } = receipt;
        Self { id: id.to_string(), sent_to, queued, witnesses_lacking }
    }
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        Self {
            id: message.id.to_string(),
            topic: message.topic.clone(),
            author: message.author,
            generation: message.generation,
            seq: message.seq,
            published: message.published.as_millis(),
            accepted: message.accepted.as_millis(),
            vouchers: message.vouchers.clone(),
            attestors: message.attestors.clone(),
            payload: BASE64.encode(&message.payload),
            text: str::from_utf8(&message.payload).ok().map(ToOwned::to_owned),
        }
    }
}
