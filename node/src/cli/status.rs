//! `status` and `peers`: what the running node says of itself.

use forsooth::{
    config::DataDir,
    http::view::{
        MembershipView, NodeView, OverlayView, PeerView, ReadinessView, Reason, SyncView, TopicView,
    },
};
use serde_json::json;

use super::{args::OutputArgs, client::Client, output};

pub(super) fn status(data: &DataDir, output: OutputArgs) -> anyhow::Result<()> {
    let client = Client::find(data)?;
    let node: NodeView = client.get("/v1/node")?;
    let topics: Vec<TopicView> = client.get("/v1/topics")?;
    let readiness = client.readiness()?;
    if output.json {
        return output::json(&json!({ "node": node, "topics": topics, "readiness": readiness }));
    }
    output::line(node_text(&node, &readiness))?;
    let rows: Vec<_> = topics.iter().map(topic_row).collect();
    let head = [
        "TOPIC",
        "POLICY",
        "PUBLISHED",
        "VERIFIED",
        "ACCEPTED",
        "WAITING",
        "UNACCEPTED",
        "KEPT",
        "SYNC",
    ];
    output::line(format_args!("\n{}", output::table(head, &rows)))?;
    Ok(())
}

fn node_text(node: &NodeView, readiness: &ReadinessView) -> String {
    let network = &node.network;
    let mut rows = vec![
        ("node", node.id.to_string()),
        ("network", format!("{} ({}), {}", network.name, network.kind, network.protocol)),
        (
            "running",
            format!(
                "{}, generation {}, version {}",
                output::span(node.uptime_s),
                node.generation,
                node.version
            ),
        ),
        (
            "links",
            format!(
                "{}, {} of them witnesses ({} wanted)",
                node.links, node.witnesses, node.witnesses_wanted
            ),
        ),
        (
            "known",
            format!("{} peers, {} banned, {} exposed", node.candidates, node.bans, node.exposed),
        ),
        ("view", view_text(&node.overlay)),
        ("announced", announced_text(node.overlay.record)),
        ("members", members_text(node.membership.as_ref())),
        ("faults", node.faults.values().sum::<u64>().to_string()),
    ];
    rows.extend(node.listen.iter().map(|address| ("listening", address.clone())));
    rows.extend(node.external.iter().map(|address| ("external", address.clone())));
    let reasons = readiness.reasons.iter().map(|reason| ("not ready", reason_text(reason)));
    match readiness.ready {
        true => rows.push(("ready", "yes".to_owned())),
        false => rows.extend(reasons),
    }
    output::pairs(rows)
}

fn view_text(overlay: &OverlayView) -> String {
    let state = match (overlay.joining, overlay.overrun) {
        (true, _) => ", yet to settle",
        (false, true) => ", too small for the network",
        (false, false) => "",
    };
    format!("{} of about {} peers{state}", overlay.view, overlay.peers)
}

fn members_text(membership: Option<&MembershipView>) -> String {
    let Some(MembershipView { members, suspected, subjects, doubtful, .. }) = membership else {
        return "the network has no membership".to_owned();
    };
    format!(
        "{members}, {suspected} suspected; {subjects} observed from here, {doubtful} of them silent"
    )
}

fn announced_text(record: Option<u64>) -> String {
    record.map_or_else(
        || "no: it has no address that others could be told of; see --external".to_owned(),
        |number| format!("yes, by record {number}"),
    )
}

fn reason_text(reason: &Reason) -> String {
    match reason {
        Reason::NoPeers { message }
        | Reason::Disk { message }
        | Reason::Twin { message, .. }
        | Reason::TooFewWitnesses { message, .. } => message.clone(),
    }
}

/// In a few words, how complete what is kept is.
fn sync_text(sync: Option<&SyncView>) -> String {
    let Some(SyncView { catching_up, equal_for_s, wanted, pending, .. }) = sync else {
        return "-".to_owned();
    };
    match (*wanted, *pending, catching_up, equal_for_s) {
        (0, 0, false, Some(seconds)) => format!("complete for {}", output::span(*seconds)),
        (0, 0, false, None) => "complete".to_owned(),
        (0, 0, true, _) => "comparing".to_owned(),
        (0, pending, ..) => format!("{pending} wait for vouches"),
        (wanted, ..) => format!("{wanted} to fetch"),
    }
}

fn topic_row(topic: &TopicView) -> [String; 9] {
    [
        topic.name.clone(),
        topic.policy.to_string(),
        topic.published.to_string(),
        topic.verified.to_string(),
        topic.accepted.to_string(),
        topic.waiting.to_string(),
        topic.unaccepted.to_string(),
        topic.retention.map_or_else(|| "-".to_owned(), |_| topic.kept.to_string()),
        sync_text(topic.sync.as_ref()),
    ]
}

pub(super) fn peers(data: &DataDir, output: OutputArgs) -> anyhow::Result<()> {
    let peers: Vec<PeerView> = Client::find(data)?.get("/v1/peers")?;
    if output.json {
        return output::json(&peers);
    }
    let rows: Vec<_> = peers.iter().map(peer_row).collect();
    output::line(output::table(
        ["PEER", "ROLE", "ADDRESS", "UP", "SCORE", "RECEIVED", "SENT", "AGENT"],
        &rows,
    ))?;
    Ok(())
}

fn peer_row(peer: &PeerView) -> [String; 8] {
    let bytes = |lanes: forsooth::http::view::LanesView| {
        format!("{} B", lanes.control.bytes + lanes.data.bytes)
    };
    [
        peer.id.short().to_string(),
        peer.role.clone(),
        peer.address.clone().unwrap_or_else(|| "-".to_owned()),
        output::span(peer.age_s),
        format!("{:.1}", peer.score),
        bytes(peer.received),
        bytes(peer.sent),
        // The peer chose these words.
        output::printable(&peer.agent),
    ]
}
