//! What a file says of its network: `[network]`.

use std::time::Duration;

use forsooth_protocol::{
    membership::Preset,
    network::{Grouping, Kind as NetworkKind, Policy, RETENTION_MAX},
};

use super::{
    model::{NetworkRules, Quota},
    section::{Section, unknown},
    tree::{Flaw, Value},
};

const NETWORK: &[&str] = &[
    "kind",
    "policy",
    "lifetime",
    "retention",
    "retention_messages",
    "rate_per_minute",
    "burst",
    "grouping",
    "membership",
    "control_frames_per_second",
    "control_bytes_per_second",
    "data_frames_per_second",
    "data_bytes_per_second",
    "burst_seconds",
];

pub(super) fn network(top: &Section<'_>) -> Result<NetworkRules, Flaw> {
    let defaults = NetworkRules::default();
    let Some(node) = top.node("network") else { return Ok(defaults) };
    let section = Section::new(node, "[network]", NETWORK)?;
    let kinds = [NetworkKind::Local, NetworkKind::Testnet, NetworkKind::Production];
    let groupings = [Grouping::Peer, Grouping::Host, Grouping::Subnet];
    let lifetime = section.time("lifetime")?.unwrap_or(defaults.lifetime);
    let lifetime_max = forsooth_protocol::network::LIFETIME_MAX;
    if lifetime < Duration::from_secs(1) || lifetime > lifetime_max {
        return Err(
            section.flaw("lifetime", format!("must be from 1s to {}s", lifetime_max.as_secs()))
        );
    }
    let retention = section.time("retention")?;
    if retention.is_some_and(|time| time < lifetime || time > RETENTION_MAX) {
        let longest = RETENTION_MAX.as_secs();
        let text = format!("must be from the lifetime, {}s, to {longest}s", lifetime.as_secs());
        return Err(section.flaw("retention", text));
    }
    let within = |key, range| -> Result<Option<u32>, Flaw> {
        Ok(section.count(key, range)?.and_then(|number| u32::try_from(number).ok()))
    };
    let number = |key, max| within(key, 1..=max);
    Ok(NetworkRules {
        kind: section
            .one_of("kind", "kind of network", kinds.map(|kind| (kind.name(), kind)))?
            .unwrap_or(defaults.kind),
        policy: policy(&section)?,
        lifetime,
        retention,
        retention_messages: number("retention_messages", 1_000_000)?,
        rate_per_minute: number("rate_per_minute", 6_000_000)?,
        burst: number("burst", 1_000_000)?,
        grouping: section.one_of(
            "grouping",
            "grouping",
            groupings.map(|grouping| (grouping.name(), grouping)),
        )?,
        quota: Quota {
            control_frames_per_second: within("control_frames_per_second", 10..=10_000_000)?,
            control_bytes_per_second: within("control_bytes_per_second", 4096..=1 << 27)?,
            data_frames_per_second: within("data_frames_per_second", 10..=10_000_000)?,
            data_bytes_per_second: within("data_bytes_per_second", 1 << 18..=1 << 27)?,
            burst_seconds: within("burst_seconds", 1..=30)?,
        },
        membership: section.one_of(
            "membership",
            "preset",
            Preset::ALL.map(|preset| (preset.name(), preset)),
        )?,
    })
}

fn policy(network: &Section<'_>) -> Result<Option<Policy>, Flaw> {
    let Some(node) = network.node("policy") else { return Ok(None) };
    if let Value::Text(name) = &node.value {
        return if name == "verified" {
            Ok(Some(Policy::Verified))
        } else {
            let text = unknown("policy", name, ["verified"]);
            Err(Flaw::new(&node.place, format!("{text} Or write {{ k = 5, n = 8 }}")))
        };
    }
    let section = Section::new(node, "policy", &["k", "n", "settle", "attested"])?;
    if let Some(k) = section.count("attested", 1..=256)? {
        return Ok(Some(Policy::Attested { k: u16::try_from(k).unwrap_or(u16::MAX) }));
    }
    let number = |key| -> Result<u16, Flaw> {
        let number = section.need(key, section.count(key, 1..=256)?)?;
        Ok(u16::try_from(number).unwrap_or(u16::MAX))
    };
    let (k, n) = (number("k")?, number("n")?);
    if k > n {
        return Err(
            section.flaw("k", format!("must be at most n: {k} of {n} witnesses cannot vouch"))
        );
    }
    let settle = section.time("settle")?;
    Ok(Some(settle.map_or(Policy::Vouched { k, n }, |settle| Policy::Settled { k, n, settle })))
}
