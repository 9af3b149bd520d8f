//! `network new` and `network show`.

use std::io::Write as _;

use anyhow::Context as _;
use forsooth::{
    Network,
    config::Layer,
    http::view::{NetworkView, PolicyView, RetentionView},
    manifest::Manifest,
    membership::{Preset, Settings},
    network::{Defence, Kind, Retention, Topic},
};
use serde_json::{Value, json};

use super::{
    Place,
    args::{MembershipArg, NewNetworkArgs, ShowNetworkArgs},
    init::new_file,
    output,
};

pub(super) fn new(args: NewNetworkArgs) -> anyhow::Result<()> {
    let NewNetworkArgs { name, kind, retention, topics, membership, bootnodes, output } = args;
    let retention = retention.map(Retention::of);
    let topics = topics.into_iter().map(|topic| Topic { retention, ..topic }).collect();
    let kind = Kind::from(kind);
    let preset = membership.map_or(Some(Preset::of(kind)), MembershipArg::preset);
    let network = Network::new(name, kind, topics, Defence::recommended(kind))?
        .with_membership(preset.map(Settings::preset))?;
    let text = Manifest::new(network, bootnodes)?.to_toml();
    let Some(path) = output else { return Ok(output::line(text.trim_end())?) };
    new_file(&path)?
        .write_all(text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn show(place: &Place, args: ShowNetworkArgs) -> anyhow::Result<()> {
    let path = match args.file {
        Some(path) => path,
        None => place.settings(Layer::default())?.network.value,
    };
    let manifest = Manifest::load(&path)?;
    if args.output.json {
        return output::json(&as_json(&manifest));
    }
    let NetworkView { name, kind, digest, protocol } = NetworkView::from(manifest.network());
    output::line(output::pairs([
        ("name", name),
        ("kind", kind),
        ("digest", digest),
        ("protocol", protocol),
    ]))?;
    for address in manifest.bootnodes() {
        output::line(format_args!("bootnode  {address}"))?;
    }
    let rows: Vec<_> = manifest.network().topics().map(|(_, topic)| row(topic)).collect();
    let head = ["TOPIC", "POLICY", "RATE", "BURST", "PAYLOAD", "LIFETIME", "KEPT"];
    output::line(format_args!("\n{}", output::table(head, &rows)))?;
    output::line(format_args!("\n{}", defence_text(manifest.network().defence())))?;
    output::line(format_args!("\n{}", membership_text(manifest.network().membership())))?;
    Ok(())
}

fn row(topic: &Topic) -> [String; 7] {
    [
        topic.name.clone(),
        topic.policy.to_string(),
        format!("{}/min", topic.rate_per_minute),
        topic.burst.to_string(),
        format!("{} B", topic.payload_bytes_max),
        format!("{} s", topic.lifetime_max.as_secs()),
        topic.retention.map_or_else(|| "-".to_owned(), |it| output::span(it.time.as_secs())),
    ]
}

fn defence_text(defence: &Defence) -> String {
    output::pairs([
        ("clock skew", format!("at most {} s", defence.clock_skew_max.as_secs())),
        ("one voter is", format!("one {}", defence.grouping.name())),
        (
            "control quota",
            quota(defence.control_frames_per_second, defence.control_bytes_per_second),
        ),
        ("data quota", quota(defence.data_frames_per_second, defence.data_bytes_per_second)),
        ("quota burst", format!("{} s", defence.burst_seconds)),
    ])
}

fn membership_text(settings: Option<&Settings>) -> String {
    let Some(settings) = settings else {
        return output::pairs([(
            "membership",
            "none: nodes do not know who is a member".to_owned(),
        )]);
    };
    output::pairs([
        ("observers", format!("drawn anew every {} s", settings.shift.as_secs())),
        (
            "probes",
            format!(
                "every {:?}, late after {:?}; {} helpers for {:?}",
                settings.probe_every,
                settings.probe_timeout,
                settings.helpers,
                settings.help_timeout
            ),
        ),
        ("rebuttal", format!("within {:?} to {:?}", settings.rebut_min, settings.rebut_max)),
        ("liars", format!("up to {} %", settings.liars_percent)),
    ])
}

fn quota(frames: u32, bytes: u32) -> String {
    format!("{frames} frames/s, {bytes} B/s a peer")
}

fn as_json(manifest: &Manifest) -> Value {
    let topic = |topic: &Topic| {
        json!({
            "name": topic.name,
            "policy": PolicyView::from(topic.policy),
            "rate_per_minute": topic.rate_per_minute,
            "burst": topic.burst,
            "payload_bytes_max": topic.payload_bytes_max,
            "lifetime_s_max": topic.lifetime_max.as_secs(),
            "retention": topic.retention.map(RetentionView::from),
        })
    };
    let network = manifest.network();
    let defence = network.defence();
    json!({
        "network": NetworkView::from(network),
        "bootnodes": manifest.bootnodes(),
        "topics": network.topics().map(|(_, t)| topic(t)).collect::<Vec<_>>(),
        "defence": {
            "clock_skew_s_max": defence.clock_skew_max.as_secs(),
            "grouping": defence.grouping.name(),
            "control_frames_per_second": defence.control_frames_per_second,
            "control_bytes_per_second": defence.control_bytes_per_second,
            "data_frames_per_second": defence.data_frames_per_second,
            "data_bytes_per_second": defence.data_bytes_per_second,
            "burst_seconds": defence.burst_seconds,
        },
        "membership": network.membership().map(membership_json),
    })
}

fn membership_json(settings: &Settings) -> Value {
    json!({
        "shift_s": settings.shift.as_secs(),
        "probe_every_ms": settings.probe_every.as_millis(),
        "probe_timeout_ms": settings.probe_timeout.as_millis(),
        "helpers": settings.helpers,
        "help_timeout_ms": settings.help_timeout.as_millis(),
        "rebut_ms_min": settings.rebut_min.as_millis(),
        "rebut_ms_max": settings.rebut_max.as_millis(),
        "accusation_lifetime_ms": settings.accusation_lifetime.as_millis(),
        "gossip_every_ms": settings.gossip_every.as_millis(),
        "gossip_fanout": settings.gossip_fanout,
        "gossip_bytes": settings.gossip_bytes,
        "sync_every_s": settings.sync_every.as_secs(),
        "liars_percent": settings.liars_percent,
    })
}
