//! A node's state in the OpenMetrics text format, for Prometheus.
//!
//! Labels take their values from lists that nobody on the network can lengthen: faults, lanes, classes,
//! roles, the network's topics, the core's bounded collections. Nothing is labelled by peer.

mod kept;

use std::sync::atomic::AtomicU64;

use forsooth_protocol::{Class, Fault, Lane, Role, Shortfall, snapshot::TopicState};
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::NodeSnapshot;

/// What the HTTP header says of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(&'static str, String)>;

/// Renders a snapshot. Counters run since the node's start.
#[must_use]
pub fn render(snapshot: &NodeSnapshot) -> String {
    let mut registry = Registry::with_prefix("forsooth");
    node(snapshot, &mut registry);
    links(snapshot, &mut registry);
    traffic(snapshot, &mut registry);
    topics(snapshot, &mut registry);
    members(snapshot, &mut registry);
    misconduct(snapshot, &mut registry);
    work(snapshot, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string does not fail");
    text
}

fn node(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let build =
        [labels([("version", env!("CARGO_PKG_VERSION")), ("network", snapshot.network.name())])];
    gauges(
        registry,
        "build",
        "The software and the network, as labels",
        build.map(|labels| (labels, 1)),
    );
    gauge(registry, "uptime_seconds", "Seconds since the start", snapshot.uptime.as_secs());
    gauge(
        registry,
        "generation",
        "The generation that it publishes with",
        snapshot.core.generation,
    );
}

fn links(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let core = &snapshot.core;
    let of = |role: Role| core.links.iter().filter(|link| link.role == role).count();
    let by_role = Role::ALL.map(|role| (labels([("role", role.name())]), count(of(role))));
    gauges(registry, "links", "Peers that have said hello", by_role);
    gauge(registry, "witnesses", "Witnesses in distinct address groups", count(core.witnesses));
    gauge(
        registry,
        "witnesses_wanted",
        "Links that the node wants to have chosen",
        count(core.witnesses_wanted),
    );
    gauge(registry, "candidates", "Peers whose addresses are known", count(core.candidates));
    let overlay = &core.overlay;
    gauge(registry, "overlay_view", "Peers in the sampler's view", count(overlay.view));
    gauge(registry, "overlay_slots", "Slots of the sampler's view", count(overlay.slots));
    gauge(
        registry,
        "overlay_peers",
        "Peers in the network, as far as the view tells",
        overlay.peers.into(),
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest integer there is"
    )]
    let capacity = overlay.capacity as u64;
    gauge(registry, "overlay_capacity", "C = 2 v^2 / (rho N); liars may win below 10", capacity);
    gauge(registry, "overlay_overrun", "Whether that is below 10", overlay.is_overrun.into());
    let announced = overlay.record.is_some();
    gauge(registry, "overlay_announced", "Whether others are told of this node", announced.into());
    gauge(registry, "overlay_book", "Peers in the address book", count(overlay.book));
    counter(registry, "dials_failed", "Dials that came to nothing", snapshot.dials_failed);
    let used = core.bounds.iter().map(|bound| (labels([("name", bound.name)]), count(bound.used)));
    gauges(registry, "bound_used", "What a bounded collection holds", used);
    let max = core.bounds.iter().map(|bound| (labels([("name", bound.name)]), count(bound.max)));
    gauges(registry, "bound_max", "What a bounded collection may hold", max);
}

fn traffic(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let traffic = &snapshot.traffic;
    let lane = |lane: Lane| labels([("lane", lane.name())]);
    let class = |class: Class| labels([("class", class.name())]);
    let received = |of: fn(&crate::net::stats::Traffic) -> u64| {
        Lane::ALL.map(|name| (lane(name), of(traffic.received.of(name))))
    };
    let sent = |of: fn(&crate::net::stats::Traffic) -> u64| {
        Class::ALL.map(|name| (class(name), of(traffic.sent.of(name))))
    };
    counters(
        registry,
        "received_frames",
        "Frames that arrived",
        received(|traffic| traffic.frames),
    );
    counters(
        registry,
        "received_bytes",
        "Bytes of frames that arrived",
        received(|traffic| traffic.bytes),
    );
    counters(registry, "sent_frames", "Frames queued for a peer", sent(|traffic| traffic.frames));
    counters(
        registry,
        "sent_bytes",
        "Bytes of frames queued for a peer",
        sent(|traffic| traffic.bytes),
    );
    let refused = Class::ALL.map(|name| (class(name), *traffic.refused.of(name)));
    counters(registry, "refused_frames", "Frames that a peer's full queue refused", refused);
    let queued = snapshot.links.iter().map(|link| link.stats.queued_bytes).sum();
    gauge(registry, "queued_bytes", "Bytes that wait for peers", count(queued));
}

fn topics(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let by_topic = |of: fn(&TopicState) -> u64| {
        let states = snapshot.core.topics.iter();
        let rows = states.map(|(id, state)| {
            (labels([("topic", snapshot.network.topic(*id).name.as_str())]), of(state))
        });
        rows.collect::<Vec<_>>()
    };
    let acceptable = by_topic(|topic| u64::from(topic.acceptable));
    gauges(
        registry,
        "topic_acceptable",
        "1 if there are enough witnesses for the topic's policy",
        acceptable,
    );
    gauges(
        registry,
        "messages_waiting",
        "Messages that wait for vouches",
        by_topic(|topic| topic.waiting),
    );
    counters(
        registry,
        "messages_published",
        "Messages published here",
        by_topic(|topic| topic.published),
    );
    counters(
        registry,
        "messages_verified",
        "Messages verified and valid",
        by_topic(|topic| topic.verified),
    );
    counters(registry, "messages_accepted", "Messages accepted", by_topic(|topic| topic.accepted));
    let unaccepted = snapshot.core.topics.iter().flat_map(|(id, state)| {
        let topic = snapshot.network.topic(*id).name.as_str();
        let row = |why: Shortfall| {
            (labels([("topic", topic), ("reason", why.name())]), state.unaccepted.of(why))
        };
        Shortfall::ALL.map(row)
    });
    let help = "Messages dropped before the topic's policy accepted them";
    counters(registry, "messages_unaccepted", help, unaccepted);
    counters(
        registry,
        "messages_contested",
        "Accepted messages whose authors turned out to have said two things",
        by_topic(|topic| topic.contested),
    );
    let needed = by_topic(|topic| count(topic.witnesses_needed));
    gauges(registry, "topic_witnesses_needed", "Witnesses that must vouch", needed);
    kept::keeping(snapshot, registry);
    kept::synchronisation(snapshot, registry);
    counter(
        registry,
        "messages_delivered",
        "Messages queued for subscriptions",
        snapshot.delivery.delivered,
    );
    counter(
        registry,
        "messages_missed",
        "Messages that slow subscriptions missed",
        snapshot.delivery.missed,
    );
}

fn members(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let Some(membership) = &snapshot.core.membership else { return };
    for (name, help, value) in [
        ("members", "Members, this node among them if it is one", membership.members),
        ("members_suspected", "Members that several observers accuse", membership.suspected),
        ("members_buried", "Members that left or died and are remembered", membership.graves),
        ("members_observed", "Members that this node observes", membership.subjects),
        ("members_doubtful", "Those of them that do not answer", membership.doubtful),
        ("membership_observers", "Observers of each member", membership.observers),
        (
            "membership_needed",
            "Independent accusers whose word is a certificate",
            membership.needed,
        ),
        ("membership_rumours", "Pieces of news that are being told", membership.rumours),
    ] {
        gauge(registry, name, help, count(value));
    }
    let help = "By how much this node stretches its timeouts: 0 is well, 8 the most";
    gauge(registry, "membership_health", help, membership.health.into());
    let changes = snapshot.member_changes.by_name();
    let rows = changes.map(|(name, value)| (labels([("news", name)]), value));
    counters(registry, "member_changes", "What became of members", rows);
}

fn misconduct(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let core = &snapshot.core;
    let faults = Fault::ALL.map(|fault| {
        (labels([("fault", fault.name())]), core.faults.get(&fault).copied().unwrap_or_default())
    });
    counters(registry, "faults", "Faults seen", faults);
    let help = "Frames dropped because all peers together sent too much";
    counter(registry, "crowded_frames", help, core.crowded);
    gauge(registry, "banned", "Peers and authors that are banned", count(core.bans.len()));
    let twin = u64::from(core.twin.is_some());
    gauge(registry, "twin", "Another machine signs with this node's key", twin);
    gauge(registry, "exposed", "Authors whose equivocation is proven", count(core.exposed));
}

fn work(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let verification = &snapshot.verification;
    counter(registry, "verified_batches", "Batches of signature checks", verification.batches);
    counter(registry, "verified_checks", "Signature checks", verification.checks);
    counter(registry, "verified_rejected", "Signature checks that failed", verification.rejected);
    let spent = Counter::<f64, AtomicU64>::default();
    spent.inc_by(verification.spent.as_secs_f64());
    registry.register_with_unit(
        "verification",
        "Time that threads spent on signature checks",
        Unit::Seconds,
        spent,
    );
    gauge(
        registry,
        "verification_waiting",
        "Signature checks that wait for a thread",
        count(verification.waiting),
    );
    let pending = count(snapshot.validations_pending);
    gauge(registry, "validations_pending", "Messages at the application's validator", pending);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let metric = Gauge::<f64, AtomicU64>::default();
    metric.set(value as f64);
    registry.register(name, help, metric);
}

fn gauges(
    registry: &mut Registry,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, u64)>,
) {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for (labels, value) in rows {
        family.get_or_create(&labels).set(value as f64);
    }
    registry.register(name, help, family);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let metric = Counter::<u64>::default();
    metric.inc_by(value);
    registry.register(name, help, metric);
}

fn counters(
    registry: &mut Registry,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, u64)>,
) {
    let family = Family::<Labels, Counter>::default();
    for (labels, value) in rows {
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}

fn labels<const N: usize>(labels: [(&'static str, &str); N]) -> Labels {
    labels.map(|(name, value)| (name, value.to_owned())).into()
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use forsooth_crypto::NodeId;
    use forsooth_protocol::{
        Network, Snapshot, Timestamp,
        network::{Defence, Kind, Policy, Topic},
        snapshot::{Bound, SyncState},
    };

    use super::*;

    fn snapshot() -> NodeSnapshot {
        let topics = vec![Topic::new("news", Policy::Verified)];
        let network =
            Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap();
        let topic = network.topic_id("news").unwrap();
        let mut core = Snapshot { generation: 7, ..Snapshot::default() };
        core.topics.insert(
            topic,
            TopicState { accepted: 5, contested: 2, acceptable: true, ..TopicState::default() },
        );
        core.sync.insert(topic, SyncState { pulled: 9, wanted: 4, ..SyncState::default() });
        core.faults.insert(Fault::Forged, 3);
        core.membership =
            Some(forsooth_protocol::snapshot::Membership { members: 3, ..Default::default() });
        core.bounds.push(Bound { name: "ledger", used: 1, max: 10 });
        NodeSnapshot {
            id: NodeId::from_bytes([1; 32]),
            network: Arc::new(network),
            core,
            links: Vec::new(),
            listen: Vec::new(),
            external: Vec::new(),
            started: Timestamp::default(),
            uptime: Duration::from_secs(60),
            traffic: crate::status::TrafficTotals::default(),
            verification: crate::status::Verification::default(),
            validations_pending: 0,
            delivery: crate::status::Delivery::default(),
            dials_failed: 2,
            keeping: None,
            member_changes: crate::status::MemberChanges { died: 1, ..Default::default() },
        }
    }

    #[test]
    fn the_text_has_help_type_and_one_line_for_each_value() {
        let text = render(&snapshot());
        for line in [
            "# HELP forsooth_faults Faults seen.",
            "# TYPE forsooth_faults counter",
            "forsooth_faults_total{fault=\"forged\"} 3",
            "forsooth_faults_total{fault=\"greedy\"} 0",
            "forsooth_messages_accepted_total{topic=\"news\"} 5",
            "forsooth_topic_acceptable{topic=\"news\"} 1.0",
            "forsooth_messages_unaccepted_total{topic=\"news\",reason=\"crowded\"} 0",
            "forsooth_messages_contested_total{topic=\"news\"} 2",
            "forsooth_sync_fetched_total{topic=\"news\"} 9",
            "forsooth_sync_wanted{topic=\"news\"} 4.0",
            "forsooth_bound_max{name=\"ledger\"} 10.0",
            "forsooth_sent_bytes_total{class=\"vouch\"} 0",
            "forsooth_received_frames_total{lane=\"data\"} 0",
            "forsooth_verification_seconds_total 0.0",
            "forsooth_dials_failed_total 2",
            "forsooth_members 3.0",
            "forsooth_member_changes_total{news=\"died\"} 1",
            "forsooth_generation 7.0",
            "forsooth_uptime_seconds 60.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn no_peer_can_add_a_line() {
        let before = render(&snapshot()).lines().count();
        let mut crowded = snapshot();
        crowded.core.bans = (0..9)
            .map(|byte| forsooth_protocol::Ban {
                whom: NodeId::from_bytes([byte; 32]).into(),
                cause: forsooth_protocol::BanCause::Fault(Fault::Forged),
                until: None,
            })
            .collect();
        assert_eq!(render(&crowded).lines().count(), before);
    }
}
