//! `[[faults]]`.

use std::time::Duration;

use super::{
    model::{Blocked, Fault, FaultKind, Scenario, Who},
    read::{check_group, who_in, within},
    section::{Section, unknown},
    tree::{Flaw, Value},
    values::{self, LOSS_MAX},
};

/// Keys of every fault.
const COMMON: &[&str] = &["kind", "at", "for", "nodes", "group", "share"];
/// Keys of any fault.
const ALL: &[&str] = &[
    "kind",
    "at",
    "for",
    "nodes",
    "group",
    "share",
    "blocked",
    "loss",
    "by",
    "per_minute",
    "away",
];
/// How long a restart takes, and how long a node that churns is away, if not said.
const AWAY: Duration = Duration::from_secs(1);

pub(super) fn read(top: &Section<'_>, scenario: &Scenario) -> Result<Vec<Fault>, Flaw> {
    super::read::each(top, "faults", "[[faults]]", ALL, |section| fault(section, scenario))
}

fn fault(section: &Section<'_>, scenario: &Scenario) -> Result<Fault, Flaw> {
    let name = section.need("kind", section.text("kind")?)?;
    let kind = kind(section, name)?;
    let own: &[&str] = match kind {
        FaultKind::OneWay(_) => &["blocked"],
        FaultKind::Loss(_) => &["loss"],
        FaultKind::Skew(_) => &["by"],
        FaultKind::Churn { .. } => &["per_minute", "away"],
        FaultKind::Kill
        | FaultKind::Restart
        | FaultKind::Pause
        | FaultKind::Partition
        | FaultKind::DiskFull => &[],
    };
    let keys: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    section.only(&keys)?;
    let at = section.time("at")?.unwrap_or(Duration::ZERO);
    within(section, "at", at, scenario)?;
    let mut lasts = section.time("for")?;
    if lasts == Some(Duration::ZERO) {
        return Err(section.flaw("for", "must be more than nothing"));
    }
    if matches!(kind, FaultKind::Restart) {
        lasts = lasts.or(Some(AWAY));
    }
    let end = scenario.run.duration.saturating_add(scenario.run.cool_down);
    if lasts.is_some_and(|lasts| at.saturating_add(lasts) > end) {
        return Err(section.flaw("for", format!("ends after the run, which is over after {end:?}")));
    }
    Ok(Fault { kind, at, lasts, who: who(section, scenario)? })
}

fn kind(section: &Section<'_>, name: &str) -> Result<FaultKind, Flaw> {
    let blocked = [("outward", Blocked::Outward), ("inward", Blocked::Inward)];
    Ok(match name {
        "kill" => FaultKind::Kill,
        "restart" => FaultKind::Restart,
        "pause" => FaultKind::Pause,
        "partition" => FaultKind::Partition,
        "one-way" => FaultKind::OneWay(
            section.one_of("blocked", "direction", blocked)?.unwrap_or(Blocked::Outward),
        ),
        "loss" => FaultKind::Loss(section.need("loss", section.number("loss", 0.0..=LOSS_MAX)?)?),
        "skew" => {
            FaultKind::Skew(section.need("by", section.parsed("by", values::signed_millis)?)?)
        }
        "churn" => FaultKind::Churn {
            per_minute: section.need("per_minute", section.rate("per_minute", 60.0)?)?,
            away: section.time("away")?.unwrap_or(AWAY),
        },
        "disk-full" => FaultKind::DiskFull,
        _ => {
            let names = FaultKind::NAMES.iter().map(|(name, _)| *name);
            return Err(Flaw::new(section.place("kind"), unknown("fault", name, names)));
        }
    })
}

/// `nodes = [0, 3]`, `nodes = 3`, `group = "..."`, `share = 0.2`.
fn who(section: &Section<'_>, scenario: &Scenario) -> Result<Who, Flaw> {
    let group = section.text("group")?.map(str::to_owned);
    if let (Some(node), Some(name)) = (section.node("group"), &group) {
        check_group(node, name, scenario)?;
    }
    let share = section.number("share", 0.0..=1.0)?;
    let pool = group
        .as_deref()
        .and_then(|name| scenario.places(name))
        .map_or(scenario.honest(), |places| places.len());
    match section.node("nodes").map(|node| &node.value) {
        Some(_) if share.is_some() => Err(section.flaw("share", "and nodes exclude each other")),
        Some(Value::Integer(_)) => {
            let count = section
                .count("nodes", 1..=pool as u64)?
                .and_then(|count| usize::try_from(count).ok());
            Ok(Who::Count(group, count.unwrap_or(0)))
        }
        Some(Value::List(_)) if group.is_some() => {
            Err(section.flaw("group", "and a list of nodes exclude each other"))
        }
        Some(Value::Text(_) | Value::Number(_) | Value::Flag(_) | Value::Table(_)) => {
            Err(section.flaw("nodes", "must be a number of nodes or a list of them"))
        }
        Some(Value::List(_)) => Ok(who_in(section, "nodes", scenario)?.unwrap_or(Who::All)),
        None => Ok(match (group, share) {
            (group, Some(share)) => Who::Share(group, share),
            (Some(group), None) => Who::Group(group),
            (None, None) => Who::All,
        }),
    }
}
