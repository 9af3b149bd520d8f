//! Writes a manifest as TOML with comments.

use std::fmt::{self, Write as _};

use forsooth_protocol::{
    membership::Settings,
    network::{Defence, Identity, Policy, Retention, Topic},
};
use libp2p::Multiaddr;

use super::{FORMAT, Manifest};

pub(super) fn manifest(manifest: &Manifest) -> String {
    let mut text = String::new();
    write(&mut text, manifest).expect("writing to a string does not fail");
    text
}

fn write(out: &mut String, manifest: &Manifest) -> fmt::Result {
    let network = manifest.network();
    writeln!(
        out,
        "# A Forsooth network. All of it but the bootnodes is part of the network's identity: nodes whose"
    )?;
    writeln!(out, "# manifests differ in one number never talk to each other. This one speaks")?;
    writeln!(out, "# {}", network.protocol_name())?;
    writeln!(out)?;
    writeln!(out, "format = {FORMAT}")?;
    writeln!(out, "name = \"{}\"", network.name())?;
    writeln!(
        out,
        "# local: one machine or bench. testnet: open, for experiments. production: open, relied upon."
    )?;
    writeln!(out, "kind = \"{}\"", network.kind().name())?;
    identity(out, network.identity())?;
    bootnodes(out, manifest.bootnodes())?;
    for (_, topic) in network.topics() {
        write_topic(out, topic)?;
    }
    write_defence(out, network.defence())?;
    network.membership().map_or(Ok(()), |settings| write_membership(out, settings))
}

fn identity(out: &mut String, identity: &Identity) -> fmt::Result {
    writeln!(
        out,
        "# What a key has to have to take part. open: nothing. work: a proof of work of so many bits,"
    )?;
    writeln!(
        out,
        "# {{ work = {{ effort = 16 }} }}. admitted: a place in a list, {{ admitted = [\"12D3KooW...\"] }}."
    )?;
    match identity {
        Identity::Open => writeln!(out, "identity = \"open\""),
        Identity::Work { effort } => {
            writeln!(out, "identity = {{ work = {{ effort = {effort} }} }}")
        }
        Identity::Admitted(keys) => {
            writeln!(out, "identity = {{ admitted = [")?;
            for key in keys {
                writeln!(out, "    \"{}\",", crate::net::identity::peer_id(key))?;
            }
            writeln!(out, "] }}")
        }
    }
}

fn bootnodes(out: &mut String, addresses: &[Multiaddr]) -> fmt::Result {
    writeln!(out, "# Where newcomers find the network, as `forsooth run` prints it:")?;
    writeln!(out, "# \"/ip4/192.0.2.1/tcp/8650/p2p/12D3KooW...\"")?;
    if addresses.is_empty() {
        return writeln!(out, "bootnodes = []");
    }
    writeln!(out, "bootnodes = [")?;
    for address in addresses {
        writeln!(out, "    {},", toml::Value::String(address.to_string()))?;
    }
    writeln!(out, "]")
}

fn write_topic(out: &mut String, topic: &Topic) -> fmt::Result {
    let Topic { name, policy, rate_per_minute, burst, payload_bytes_max, lifetime_max, retention } =
        topic;
    writeln!(out, "\n[[topics]]")?;
    writeln!(out, "name = \"{name}\"")?;
    match policy {
        Policy::Verified => {
            writeln!(
                out,
                "# Accepted once its signature is good and the application has no objection."
            )?;
            writeln!(out, "policy = \"verified\"")?;
        }
        Policy::Vouched { k, n } => {
            writeln!(out, "# Accepted once k of the n witnesses that a node chose vouch for it.")?;
            writeln!(out, "policy = {{ vouched = {{ k = {k}, n = {n} }} }}")?;
        }
        Policy::Attested { k } => {
            writeln!(out, "# Accepted, once, when k authors have signed the same payload.")?;
            writeln!(out, "policy = {{ attested = {{ k = {k} }} }}")?;
        }
        Policy::Settled { k, n, settle } => {
            writeln!(
                out,
                "# Accepted once k of the n witnesses that a node chose vouch for it, and no other message for its"
            )?;
            writeln!(
                out,
                "# place, or proof against its author, has come to light for so many milliseconds."
            )?;
            let ms = settle.as_millis();
            writeln!(out, "policy = {{ vouched = {{ k = {k}, n = {n}, settle_ms = {ms} }} }}")?;
        }
    }
    writeln!(out, "# What one author may publish: a rate, and so many at once on top of it.")?;
    writeln!(out, "rate_per_minute = {rate_per_minute}")?;
    writeln!(out, "burst = {burst}")?;
    writeln!(out, "payload_bytes_max = {payload_bytes_max}")?;
    writeln!(out, "# Seconds for which a message is worth relaying, at most.")?;
    writeln!(out, "lifetime_s_max = {}", lifetime_max.as_secs())?;
    let Some(Retention { time, bytes, messages }) = retention else { return Ok(()) };
    writeln!(out, "# How long accepted messages are kept for those who come later.")?;
    let time_s = time.as_secs();
    writeln!(out, "retention = {{ time_s = {time_s}, bytes = {bytes}, messages = {messages} }}")
}

fn write_defence(out: &mut String, defence: &Defence) -> fmt::Result {
    let Defence {
        clock_skew_max,
        grouping,
        control_frames_per_second,
        control_bytes_per_second,
        data_frames_per_second,
        data_bytes_per_second,
        burst_seconds,
    } = defence;
    writeln!(out, "\n# What one peer may cost another.\n[defence]")?;
    writeln!(out, "# Seconds that two honest clocks may differ.")?;
    writeln!(out, "clock_skew_s_max = {}", clock_skew_max.as_secs())?;
    writeln!(
        out,
        "# Which peers count as one voter: peer (each key), host (each address), subnet (IPv4 /24, IPv6 /48)."
    )?;
    writeln!(out, "grouping = \"{}\"", grouping.name())?;
    writeln!(
        out,
        "# Quota of one peer on each lane, and how many seconds of it may be spent at once."
    )?;
    writeln!(out, "control_frames_per_second = {control_frames_per_second}")?;
    writeln!(out, "control_bytes_per_second = {control_bytes_per_second}")?;
    writeln!(out, "data_frames_per_second = {data_frames_per_second}")?;
    writeln!(out, "data_bytes_per_second = {data_bytes_per_second}")?;
    writeln!(out, "burst_seconds = {burst_seconds}")
}

fn write_membership(out: &mut String, settings: &Settings) -> fmt::Result {
    let Settings {
        shift,
        probe_every,
        probe_timeout,
        helpers,
        help_timeout,
        rebut_min,
        rebut_max,
        accusation_lifetime,
        gossip_every,
        gossip_fanout,
        gossip_bytes,
        sync_every,
        liars_percent,
    } = settings;
    writeln!(
        out,
        "\n# All nodes know who is a member, and who is alive. Without this table they do not.\n[membership]"
    )?;
    writeln!(out, "# Who observes whom is drawn anew so often.")?;
    writeln!(out, "shift_s = {}", shift.as_secs())?;
    writeln!(
        out,
        "# How often a member is probed, how long it has to answer, how many others try then, and how long they have."
    )?;
    writeln!(out, "probe_every_ms = {}", probe_every.as_millis())?;
    writeln!(out, "probe_timeout_ms = {}", probe_timeout.as_millis())?;
    writeln!(out, "helpers = {helpers}")?;
    writeln!(out, "help_timeout_ms = {}", help_timeout.as_millis())?;
    writeln!(
        out,
        "# How long the accused has to say that it lives: the more accuse it, the less; and how long an accusation counts."
    )?;
    writeln!(out, "rebut_ms_min = {}", rebut_min.as_millis())?;
    writeln!(out, "rebut_ms_max = {}", rebut_max.as_millis())?;
    writeln!(out, "accusation_lifetime_ms = {}", accusation_lifetime.as_millis())?;
    writeln!(
        out,
        "# A node's share of bandwidth for news of members: how often, to how many peers, bytes for each."
    )?;
    writeln!(out, "gossip_every_ms = {}", gossip_every.as_millis())?;
    writeln!(out, "gossip_fanout = {gossip_fanout}")?;
    writeln!(out, "gossip_bytes = {gossip_bytes}")?;
    writeln!(out, "# How often two nodes compare all that they know.")?;
    writeln!(out, "sync_every_s = {}", sync_every.as_secs())?;
    writeln!(out, "# Of 100 members so many may lie; observers of each member follow from it.")?;
    writeln!(out, "liars_percent = {liars_percent}")
}
