//! From the tree of a file to a [`Scenario`]: which keys there are, and which values make sense.

use std::time::Duration;

use forsooth_protocol::{Safeguard, network::PAYLOAD_BYTES_MAX};

use super::{
    faults, identity, links,
    metric::{METRICS, Metric},
    model::{Assertion, Gang, Group, Phases, Scenario, TOPIC, Who},
    rules,
    section::{Section, unknown},
    tree::{Flaw, Node, Value},
};
use crate::{
    plan::NODES_MAX,
    strategy::{Intensity, KINDS, Kind},
    verdict::Verdict,
};

/// The format that this version reads.
const FORMAT: u64 = 1;
/// The most messages of a group.
pub(crate) const MESSAGES_MAX: u64 = 1 << 17;
/// The most messages that a node publishes in a second.
const RATE_MAX: f64 = 1000.0;

const TOP: &[&str] = &[
    "format",
    "name",
    "about",
    "seed",
    "expect",
    "network",
    "run",
    "groups",
    "links",
    "adversaries",
    "faults",
    "assert",
    "compare",
];
const RUN: &[&str] = &["warm_up", "duration", "cool_down"];
const GROUP: &[&str] = &[
    "name", "nodes", "rate", "payload", "messages", "quiet", "topics", "outbound", "subnet",
    "contacts",
];
const ADVERSARY: &[&str] =
    &["kind", "nodes", "start", "stop", "intensity", "targets", "collude", "subnet", "ids"];
const ASSERT: &[&str] = &["metric", "min", "max"];

/// Reads a whole file.
pub(super) fn scenario(root: &Node) -> Result<Scenario, Flaw> {
    format(root)?;
    let top = Section::new(root, "a scenario", TOP)?;
    let name = top.need("name", top.text("name")?)?;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(top.flaw("name", "must be letters, digits, '-', '_' and '.'"));
    }
    let verdicts = Verdict::ALL.map(|verdict| (verdict.name(), verdict));
    let mut scenario = Scenario {
        about: top.need("about", top.text("about")?)?.to_owned(),
        seed: top.count("seed", 0..=u64::MAX)?.unwrap_or(1),
        expect: top.one_of("expect", "verdict", verdicts)?.unwrap_or(Verdict::Pass),
        run: run(&top)?,
        groups: groups(&top)?,
        ..Scenario::of(name, Vec::new())
    };
    scenario.network = rules::network(&top)?;
    scenario.adversaries = adversaries(&top, &scenario)?;
    check_size(&top, &scenario)?;
    check_policy(&top, &scenario)?;
    scenario.links = links::read(&top, &scenario)?;
    scenario.faults = faults::read(&top, &scenario)?;
    scenario.asserts = each(&top, "assert", "[[assert]]", ASSERT, assertion)?;
    scenario.compare = compare(&top)?;
    Ok(scenario)
}

/// The format is asked first: a newer one may well have keys that we do not know.
fn format(root: &Node) -> Result<(), Flaw> {
    let Value::Table(entries) = &root.value else { return Ok(()) };
    let Some(entry) = entries.get("format") else {
        return Err(Flaw::new(&root.place, format!("a scenario begins with format = {FORMAT}")));
    };
    if matches!(entry.node.value, Value::Integer(1)) {
        return Ok(());
    }
    let other = &entry.node.value;
    let text =
        format!("format must be {FORMAT}, which is all that this version reads, not {other}");
    Err(Flaw::new(&entry.node.place, text))
}

fn run(top: &Section<'_>) -> Result<Phases, Flaw> {
    let defaults = Phases::default();
    let Some(node) = top.node("run") else { return Ok(defaults) };
    let section = Section::new(node, "[run]", RUN)?;
    let duration = section.time("duration")?.unwrap_or(defaults.duration);
    if duration.is_zero() {
        return Err(section.flaw("duration", "must be more than nothing"));
    }
    Ok(Phases {
        warm_up: section.time("warm_up")?.unwrap_or(defaults.warm_up),
        duration,
        cool_down: section.time("cool_down")?.unwrap_or(defaults.cool_down),
    })
}

fn groups(top: &Section<'_>) -> Result<Vec<Group>, Flaw> {
    let groups = each(top, "groups", "[[groups]]", GROUP, group)?;
    if groups.is_empty() {
        return Err(top.flaw("groups", "is missing: a network needs [[groups]] with honest nodes"));
    }
    for (place, group) in groups.iter().enumerate() {
        if groups.iter().take(place).any(|earlier| earlier.name == group.name) {
            return Err(top.flaw("groups", format!("has two groups called {:?}", group.name)));
        }
    }
    Ok(groups)
}

fn group(section: &Section<'_>) -> Result<Group, Flaw> {
    let name = section.text("name")?.unwrap_or("honest");
    if name.is_empty() || name == "default" {
        return Err(section.flaw("name", "must not be empty or \"default\""));
    }
    let usual = Group::of(name, nodes(section)?);
    let quiet = section.parsed("quiet", super::values::span)?;
    let payload = section.count("payload", 1..=PAYLOAD_BYTES_MAX.into())?;
    let messages = section.count("messages", 0..=MESSAGES_MAX)?;
    let outbound = section.count("outbound", 1..=256)?;
    Ok(Group {
        rate: section.rate("rate", RATE_MAX)?.unwrap_or(usual.rate),
        payload_bytes: payload
            .and_then(|bytes| u32::try_from(bytes).ok())
            .unwrap_or(usual.payload_bytes),
        messages: messages.and_then(|messages| usize::try_from(messages).ok()),
        quiet,
        topics: topics(section)?,
        outbound: outbound.and_then(|links| usize::try_from(links).ok()),
        subnet: identity::subnet(section)?,
        contacts: identity::contacts(section)?,
        ..usual
    })
}

fn topics(section: &Section<'_>) -> Result<Vec<String>, Flaw> {
    let Some(items) = section.list("topics")? else { return Ok(vec![TOPIC.to_owned()]) };
    let topic = |item: &Node| {
        let Value::Text(name) = &item.value else {
            let text = format!("a topic is a text in quotes, not {}", item.value.what());
            return Err(Flaw::new(&item.place, text));
        };
        Ok(name.clone())
    };
    let topics: Vec<String> = items.iter().map(topic).collect::<Result<_, _>>()?;
    if topics.is_empty() {
        return Err(section.flaw("topics", "must name at least one"));
    }
    Ok(topics)
}

fn nodes(section: &Section<'_>) -> Result<usize, Flaw> {
    let nodes = section.need("nodes", section.count("nodes", 1..=NODES_MAX as u64)?)?;
    Ok(usize::try_from(nodes).unwrap_or(NODES_MAX))
}

fn adversaries(top: &Section<'_>, scenario: &Scenario) -> Result<Vec<Gang>, Flaw> {
    each(top, "adversaries", "[[adversaries]]", ADVERSARY, |section| gang(section, scenario))
}

fn gang(section: &Section<'_>, scenario: &Scenario) -> Result<Gang, Flaw> {
    let kinds = KINDS.iter().map(|kind: &&'static Kind| (kind.name, *kind));
    let kind = section.need("kind", section.one_of("kind", "strategy", kinds)?)?;
    let usual = Gang::of(kind, nodes(section)?);
    let start = section.time("start")?.unwrap_or(usual.start);
    within(section, "start", start, scenario)?;
    let stop = section.time("stop")?;
    if let Some(stop) = stop {
        within(section, "stop", stop, scenario)?;
        if stop <= start {
            return Err(section.flaw("stop", "must be after start"));
        }
    }
    let intensity = section.rate("intensity", 1000.0)?;
    Ok(Gang {
        start,
        stop,
        intensity: intensity.and_then(Intensity::new).unwrap_or(usual.intensity),
        targets: who_in(section, "targets", scenario)?,
        collude: section.flag("collude")?.unwrap_or(false),
        subnet: identity::subnet(section)?,
        ids: identity::ids(section)?,
        ..usual
    })
}

/// A moment must be before the end of the load.
pub(super) fn within(
    section: &Section<'_>,
    key: &str,
    at: Duration,
    scenario: &Scenario,
) -> Result<(), Flaw> {
    if at <= scenario.run.duration {
        return Ok(());
    }
    let text = format!(
        "is {at:?}, after the end of the run: [run] duration is {:?}, counted from the end of the warm-up",
        scenario.run.duration
    );
    Err(section.flaw(key, text))
}

/// A group's name or a list of places.
pub(super) fn who_in(
    section: &Section<'_>,
    key: &str,
    scenario: &Scenario,
) -> Result<Option<Who>, Flaw> {
    let Some(node) = section.node(key) else { return Ok(None) };
    match &node.value {
        Value::Text(name) => {
            check_group(node, name, scenario)?;
            Ok(Some(Who::Group(name.clone())))
        }
        Value::List(items) => {
            let place = |item: &Node| {
                let Value::Integer(place) = item.value else {
                    let text = format!("a node is a whole number, not {}", item.value.what());
                    return Err(Flaw::new(&item.place, text));
                };
                usize::try_from(place).ok().filter(|place| *place < scenario.honest()).ok_or_else(
                    || {
                        let last = scenario.honest().saturating_sub(1);
                        let text = format!("there is no honest node {place}: they are 0 to {last}");
                        Flaw::new(&item.place, text)
                    },
                )
            };
            items.iter().map(place).collect::<Result<_, _>>().map(|places| Some(Who::Nodes(places)))
        }
        other @ (Value::Integer(_) | Value::Number(_) | Value::Flag(_) | Value::Table(_)) => {
            Err(section.flaw(
                key,
                format!("must be a group's name or a list of nodes, not {}", other.what()),
            ))
        }
    }
}

pub(super) fn check_group(node: &Node, name: &str, scenario: &Scenario) -> Result<(), Flaw> {
    if scenario.places(name).is_some() {
        return Ok(());
    }
    let names = scenario.groups.iter().map(|group| group.name.as_str());
    Err(Flaw::new(&node.place, unknown("group", name, names)))
}

fn check_size(top: &Section<'_>, scenario: &Scenario) -> Result<(), Flaw> {
    let (honest, nodes) = (scenario.honest(), scenario.honest().saturating_add(scenario.hostile()));
    if honest < 2 {
        return Err(
            top.flaw("groups", format!("need at least 2 honest nodes in all, not {honest}"))
        );
    }
    if nodes > NODES_MAX {
        return Err(top.flaw(
            "groups",
            format!("and adversaries are {nodes} nodes in all; {NODES_MAX} are possible"),
        ));
    }
    Ok(())
}

fn check_policy(top: &Section<'_>, scenario: &Scenario) -> Result<(), Flaw> {
    let Some(policy) = scenario.network.policy.filter(|policy| policy.threshold() > 0) else {
        return Ok(());
    };
    let (k, n) = (policy.threshold(), policy.witnesses());
    let others = scenario.honest() + scenario.hostile() - 1;
    let place = match top.node("network").map(|node| &node.value) {
        Some(Value::Table(entries)) => {
            entries.get("policy").map_or(top.place("network"), |entry| &entry.node.place)
        }
        Some(_) | None => top.place("network"),
    };
    if policy.settle() >= scenario.network.lifetime {
        return Err(Flaw::new(
            place,
            "settle must be less than the lifetime of messages".to_owned(),
        ));
    }
    if usize::from(n) > others {
        return Err(Flaw::new(
            place,
            format!("n must be at most the {others} other nodes that there are, not {n}"),
        ));
    }
    if usize::from(k) >= scenario.honest() {
        let honest = scenario.honest() - 1;
        return Err(Flaw::new(
            place,
            format!("k must be at most the {honest} other honest nodes that there are, not {k}"),
        ));
    }
    Ok(())
}

fn assertion(section: &Section<'_>) -> Result<Assertion, Flaw> {
    let metrics = METRICS.iter().map(|metric: &&'static Metric| (metric.name, *metric));
    let metric = section.need("metric", section.one_of("metric", "metric", metrics)?)?;
    let bar = |key| section.number(key, f64::MIN..=f64::MAX);
    let (min, max) = (bar("min")?, bar("max")?);
    match (min, max) {
        (None, None) => {
            Err(section.flaw("metric", format!("{:?} needs a min or a max", metric.name)))
        }
        (Some(min), Some(max)) if min > max => Err(section.flaw(
            "min",
            format!("must be at most max: nothing is at least {min} and at most {max}"),
        )),
        (Some(_) | None, Some(_)) | (Some(_), None) => Ok(Assertion { metric, min, max }),
    }
}

fn compare(top: &Section<'_>) -> Result<Vec<Safeguard>, Flaw> {
    let Some(node) = top.node("compare") else { return Ok(Vec::new()) };
    let section = Section::new(node, "[compare]", &["without"])?;
    let items = section.need("without", section.list("without")?)?;
    let safeguard = |item: &Node| {
        let Value::Text(name) = &item.value else {
            return Err(Flaw::new(
                &item.place,
                format!("a defence is a text in quotes, not {}", item.value.what()),
            ));
        };
        let found = Safeguard::ALL.into_iter().find(|safeguard| safeguard.name() == name);
        let names = Safeguard::ALL.into_iter().map(Safeguard::name);
        found.ok_or_else(|| Flaw::new(&item.place, unknown("defence", name, names)))
    };
    items.iter().map(safeguard).collect()
}

/// Reads each table of a list.
pub(super) fn each<T>(
    top: &Section<'_>,
    key: &str,
    name: &str,
    keys: &[&str],
    read: impl Fn(&Section<'_>) -> Result<T, Flaw>,
) -> Result<Vec<T>, Flaw> {
    let items = top.list(key)?.unwrap_or(&[]);
    items.iter().map(|item| read(&Section::new(item, name, keys)?)).collect()
}
