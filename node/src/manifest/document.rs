//! The manifest as TOML has it, and the way from there to a [`Network`].
//!
//! Fields that a rule may refuse keep their place in the text. They are set one at a time and the rules
//! are asked after each, so that a broken rule is shown where it is broken.

use std::{collections::BTreeSet, time::Duration};

use forsooth_protocol::{
    Network,
    membership::{Preset, Settings},
    network::{self, Defence, Grouping, Identity, Kind, Policy, Retention, Topic},
};
use libp2p::{Multiaddr, PeerId};
use serde::Deserialize;
use toml::Spanned;

use super::{BOOTNODES_MAX, FORMAT, Manifest, check_member};
use crate::diagnosis::Flaw;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: Spanned<u32>,
    name: Spanned<String>,
    kind: KindWord,
    identity: Option<Spanned<IdentityWord>>,
    #[serde(default)]
    bootnodes: Vec<Spanned<Multiaddr>>,
    topics: Vec<Spanned<TopicTable>>,
    defence: Option<DefenceTable>,
    membership: Option<MembershipTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindWord {
    Local,
    Testnet,
    Production,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum IdentityWord {
    Open,
    Work(EffortTable),
    Admitted(Vec<Spanned<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EffortTable {
    effort: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicTable {
    name: Spanned<String>,
    policy: Spanned<PolicyWord>,
    rate_per_minute: Option<Spanned<u32>>,
    burst: Option<Spanned<u32>>,
    payload_bytes_max: Option<Spanned<u32>>,
    lifetime_s_max: Option<Spanned<u64>>,
    retention: Option<Spanned<RetentionTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetentionTable {
    time_s: u64,
    bytes: Option<u64>,
    messages: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PolicyWord {
    Verified,
    Vouched(Threshold),
    Attested(Attestors),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Threshold {
    k: u16,
    n: u16,
    settle_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attestors {
    k: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefenceTable {
    clock_skew_s_max: Option<Spanned<u64>>,
    grouping: Option<GroupingWord>,
    control_frames_per_second: Option<Spanned<u32>>,
    control_bytes_per_second: Option<Spanned<u32>>,
    data_frames_per_second: Option<Spanned<u32>>,
    data_bytes_per_second: Option<Spanned<u32>>,
    burst_seconds: Option<Spanned<u32>>,
}

/// What is not said is as recommended for the network's kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipTable {
    shift_s: Option<Spanned<u64>>,
    probe_every_ms: Option<Spanned<u64>>,
    probe_timeout_ms: Option<Spanned<u64>>,
    helpers: Option<Spanned<u8>>,
    help_timeout_ms: Option<Spanned<u64>>,
    rebut_ms_min: Option<Spanned<u64>>,
    rebut_ms_max: Option<Spanned<u64>>,
    accusation_lifetime_ms: Option<Spanned<u64>>,
    gossip_every_ms: Option<Spanned<u64>>,
    gossip_fanout: Option<Spanned<u8>>,
    gossip_bytes: Option<Spanned<u32>>,
    sync_every_s: Option<Spanned<u64>>,
    liars_percent: Option<Spanned<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum GroupingWord {
    Peer,
    Host,
    Subnet,
}

/// The format, if it is newer than ours. Asked first: a newer format may well have keys that we do not know.
pub(super) fn newer_format(text: &str) -> Option<i64> {
    #[derive(Deserialize)]
    struct FormatOnly {
        format: i64,
    }
    let FormatOnly { format } = toml::from_str(text).ok()?;
    (format > FORMAT.into()).then_some(format)
}

pub(super) fn read(text: &str) -> Result<Manifest, Flaw> {
    let document: Document = toml::from_str(text)?;
    if *document.format.get_ref() != FORMAT {
        return Err(Flaw::new(document.format.span(), format!("the format must be {FORMAT}")));
    }
    let kind = match document.kind {
        KindWord::Local => Kind::Local,
        KindWord::Testnet => Kind::Testnet,
        KindWord::Production => Kind::Production,
    };
    let name = network_name(document.name)?;
    let topics = topics(document.topics)?;
    let defence = defence(document.defence, kind)?;
    let mut network =
        Network::new(name, kind, topics, defence).map_err(|error| Flaw::new(0..0, error))?;
    if let Some(word) = document.identity {
        let span = word.span();
        let identity = identity(word.into_inner())?;
        network = network.with_identity(identity).map_err(|error| Flaw::new(span, error))?;
    }
    if let Some(table) = document.membership {
        let settings = membership(table, kind)?;
        network =
            network.with_membership(Some(settings)).map_err(|error| Flaw::new(0..0, error))?;
    }
    let bootnodes = bootnodes(document.bootnodes, &network)?;
    Ok(Manifest { network, bootnodes })
}

fn network_name(name: Spanned<String>) -> Result<String, Flaw> {
    let topic = Topic::new("topic", Policy::Verified);
    Network::new(name.get_ref(), Kind::Local, vec![topic], Defence::recommended(Kind::Local))
        .map_err(|error| Flaw::new(name.span(), error))?;
    Ok(name.into_inner())
}

fn identity(word: IdentityWord) -> Result<Identity, Flaw> {
    let admitted = |keys: Vec<Spanned<String>>| {
        let mut admitted = BTreeSet::new();
        for key in keys {
            let peer = key.get_ref().parse::<PeerId>().ok();
            let node = peer.and_then(|peer| crate::net::identity::node_id(&peer));
            let node = node.ok_or_else(|| {
                Flaw::new(
                    key.span(),
                    "this is no forsooth node's peer id, which begins with 12D3KooW",
                )
            })?;
            if !admitted.insert(node) {
                return Err(Flaw::new(key.span(), "this peer is admitted twice"));
            }
        }
        Ok(Identity::Admitted(admitted))
    };
    match word {
        IdentityWord::Open => Ok(Identity::Open),
        IdentityWord::Work(EffortTable { effort }) => Ok(Identity::Work { effort }),
        IdentityWord::Admitted(keys) => admitted(keys),
    }
}

fn topics(tables: Vec<Spanned<TopicTable>>) -> Result<Vec<Topic>, Flaw> {
    let mut names = BTreeSet::new();
    for table in &tables {
        let name = &table.get_ref().name;
        if !names.insert(name.get_ref()) {
            return Err(Flaw::new(name.span(), network::Error::TopicTwice(name.get_ref().clone())));
        }
    }
    tables.into_iter().map(|table| topic(table.into_inner())).collect()
}

fn topic(table: TopicTable) -> Result<Topic, Flaw> {
    let TopicTable {
        name,
        policy,
        rate_per_minute,
        burst,
        payload_bytes_max,
        lifetime_s_max,
        retention,
    } = table;
    let mut topic = Topic::new("topic", Policy::Verified);
    let lifetime_max = lifetime_s_max;
    set(&mut topic, Some(name), |topic, name| topic.name = name)?;
    set(&mut topic, rate_per_minute, |topic, rate| topic.rate_per_minute = rate)?;
    set(&mut topic, burst, |topic, burst| topic.burst = burst)?;
    set(&mut topic, payload_bytes_max, |topic, bytes| topic.payload_bytes_max = bytes)?;
    set(&mut topic, lifetime_max, |topic, seconds| {
        topic.lifetime_max = Duration::from_secs(seconds)
    })?;
    // After the lifetime, which a settling time has to be shorter than, and a retention longer.
    set(&mut topic, retention, |topic, RetentionTable { time_s, bytes, messages }| {
        let usual = Retention::of(Duration::from_secs(time_s));
        let (bytes, messages) = (bytes.unwrap_or(usual.bytes), messages.unwrap_or(usual.messages));
        topic.retention = Some(Retention { bytes, messages, ..usual });
    })?;
    set(&mut topic, Some(policy), |topic, policy| topic.policy = policy.into())?;
    Ok(topic)
}

fn defence(table: Option<DefenceTable>, kind: Kind) -> Result<Defence, Flaw> {
    let mut defence = Defence::recommended(kind);
    let Some(table) = table else { return Ok(defence) };
    let DefenceTable {
        clock_skew_s_max,
        grouping,
        control_frames_per_second,
        control_bytes_per_second,
        data_frames_per_second,
        data_bytes_per_second,
        burst_seconds,
    } = table;
    let d = &mut defence;
    d.grouping = grouping.map_or(d.grouping, Grouping::from);
    set(d, clock_skew_s_max, |d, seconds| d.clock_skew_max = Duration::from_secs(seconds))?;
    set(d, control_frames_per_second, |d, frames| d.control_frames_per_second = frames)?;
    set(d, control_bytes_per_second, |d, bytes| d.control_bytes_per_second = bytes)?;
    set(d, data_frames_per_second, |d, frames| d.data_frames_per_second = frames)?;
    set(d, data_bytes_per_second, |d, bytes| d.data_bytes_per_second = bytes)?;
    set(d, burst_seconds, |d, seconds| d.burst_seconds = seconds)?;
    Ok(defence)
}

fn membership(table: MembershipTable, kind: Kind) -> Result<Settings, Flaw> {
    let MembershipTable {
        shift_s,
        probe_every_ms,
        probe_timeout_ms,
        helpers,
        help_timeout_ms,
        rebut_ms_min,
        rebut_ms_max,
        accusation_lifetime_ms,
        gossip_every_ms,
        gossip_fanout,
        gossip_bytes,
        sync_every_s,
        liars_percent,
    } = table;
    let mut settings = Settings::preset(Preset::of(kind));
    let s = &mut settings;
    let ms = Duration::from_millis;
    set(s, shift_s, |s, seconds| s.shift = Duration::from_secs(seconds))?;
    set(s, probe_every_ms, |s, time| s.probe_every = ms(time))?;
    set(s, probe_timeout_ms, |s, time| s.probe_timeout = ms(time))?;
    set(s, helpers, |s, helpers| s.helpers = helpers)?;
    set(s, help_timeout_ms, |s, time| s.help_timeout = ms(time))?;
    // These bound each other, so they are looked at together.
    let bound = [rebut_ms_min, rebut_ms_max, accusation_lifetime_ms];
    let spans = bound.each_ref().map(|time| time.as_ref().map(Spanned::span));
    let [min, max, lifetime] = bound.map(|time| time.map(|time| ms(time.into_inner())));
    s.rebut_min = min.unwrap_or(s.rebut_min);
    s.rebut_max = max.unwrap_or(s.rebut_max);
    s.accusation_lifetime = lifetime.unwrap_or(s.accusation_lifetime);
    s.check().map_err(|error| {
        let text = error.to_string();
        let names = ["rebut_min", "rebut_max", "accusation_lifetime"];
        let named = names.iter().zip(&spans).find(|(name, _)| text.contains(*name));
        let place = named.and_then(|(_, span)| span.clone());
        let place = place.or_else(|| spans.iter().flatten().next().cloned());
        Flaw::new(place.unwrap_or_default(), error)
    })?;
    set(s, gossip_every_ms, |s, time| s.gossip_every = ms(time))?;
    set(s, gossip_fanout, |s, peers| s.gossip_fanout = peers)?;
    set(s, gossip_bytes, |s, bytes| s.gossip_bytes = bytes)?;
    set(s, sync_every_s, |s, seconds| s.sync_every = Duration::from_secs(seconds))?;
    set(s, liars_percent, |s, percent| s.liars_percent = percent)?;
    Ok(settings)
}

fn bootnodes(
    addresses: Vec<Spanned<Multiaddr>>,
    network: &Network,
) -> Result<Vec<Multiaddr>, Flaw> {
    if let Some(one_too_many) = addresses.get(BOOTNODES_MAX) {
        let message = format!("a manifest has at most {BOOTNODES_MAX} bootnodes");
        return Err(Flaw::new(one_too_many.span(), message));
    }
    let checked = |address: Spanned<Multiaddr>| {
        check_member(address.get_ref(), network)
            .map_err(|error| Flaw::new(address.span(), error))?;
        Ok(address.into_inner())
    };
    addresses.into_iter().map(checked).collect()
}

/// What has rules that only a [`Network`] knows.
trait Ruled {
    fn check(&self) -> Result<(), network::Error>;
}

impl Ruled for Topic {
    fn check(&self) -> Result<(), network::Error> {
        let defence = Defence::recommended(Kind::Local);
        Network::new("network", Kind::Local, vec![self.clone()], defence).map(drop)
    }
}

impl Ruled for Defence {
    fn check(&self) -> Result<(), network::Error> {
        let topic = Topic::new("topic", Policy::Verified);
        Network::new("network", Kind::Local, vec![topic], *self).map(drop)
    }
}

impl Ruled for Settings {
    fn check(&self) -> Result<(), network::Error> {
        let topic = Topic::new("topic", Policy::Verified);
        let defence = Defence::recommended(Kind::Local);
        let network = Network::new("network", Kind::Local, vec![topic], defence)?;
        network.with_membership(Some(*self)).map(drop)
    }
}

/// Puts a value from the text, if there is one, and blames its place if that breaks a rule.
fn set<R: Ruled, T>(
    ruled: &mut R,
    value: Option<Spanned<T>>,
    put: impl FnOnce(&mut R, T),
) -> Result<(), Flaw> {
    let Some(value) = value else { return Ok(()) };
    let span = value.span();
    put(ruled, value.into_inner());
    ruled.check().map_err(|error| Flaw::new(span, error))
}

impl From<PolicyWord> for Policy {
    fn from(word: PolicyWord) -> Self {
        match word {
            PolicyWord::Verified => Self::Verified,
            PolicyWord::Attested(Attestors { k }) => Self::Attested { k },
            PolicyWord::Vouched(Threshold { k, n, settle_ms: None }) => Self::Vouched { k, n },
            PolicyWord::Vouched(Threshold { k, n, settle_ms: Some(ms) }) => {
                Self::Settled { k, n, settle: Duration::from_millis(ms) }
            }
        }
    }
}

impl From<GroupingWord> for Grouping {
    fn from(word: GroupingWord) -> Self {
        match word {
            GroupingWord::Peer => Self::Peer,
            GroupingWord::Host => Self::Host,
            GroupingWord::Subnet => Self::Subnet,
        }
    }
}
