//! `[links.default]` and `[links.GROUP]`.

use std::time::Duration;

use super::{
    model::{Link, Links, Scenario},
    section::{Section, unknown},
    tree::{Flaw, Value},
    values::{self, LOSS_MAX},
};

const LINK: &[&str] = &["latency", "jitter", "loss", "duplicate", "bandwidth"];
/// The name of what all links are like that no other name covers.
const DEFAULT: &str = "default";
/// The longest jitter.
const JITTER_MAX: Duration = Duration::from_secs(5);

pub(super) fn read(top: &Section<'_>, scenario: &Scenario) -> Result<Links, Flaw> {
    let mut links = Links::default();
    let Some(node) = top.node("links") else { return Ok(links) };
    let Value::Table(entries) = &node.value else {
        return Err(Flaw::new(&node.place, "links must be tables such as [links.default]"));
    };
    if let Some(entry) = entries.get(DEFAULT) {
        links.default =
            link(&Section::new(&entry.node, "[links.default]", LINK)?, Link::default())?;
    }
    for (name, entry) in entries.iter().filter(|(name, _)| *name != DEFAULT) {
        let known = || {
            let groups = scenario.groups.iter().map(|group| group.name.as_str());
            let kinds = scenario.adversaries.iter().map(|gang| gang.kind.name);
            groups.chain(kinds).chain([DEFAULT])
        };
        if !known().any(|known| known == name) {
            return Err(Flaw::new(&entry.key, unknown("group", name, known())));
        }
        let section = Section::new(&entry.node, "[links.GROUP]", LINK)?;
        links.by_group.push((name.clone(), link(&section, links.default)?));
    }
    Ok(links)
}

/// What is not said is as `otherwise`.
fn link(section: &Section<'_>, otherwise: Link) -> Result<Link, Flaw> {
    let latency = section.parsed("latency", values::latency)?;
    let jitter = section.time("jitter")?.unwrap_or(otherwise.jitter);
    if jitter > JITTER_MAX {
        return Err(section.flaw("jitter", format!("must be at most {JITTER_MAX:?}")));
    }
    let bandwidth = section.parsed("bandwidth", values::bandwidth)?;
    Ok(Link {
        latency: latency.unwrap_or(otherwise.latency),
        jitter,
        loss: section.number("loss", 0.0..=LOSS_MAX)?.unwrap_or(otherwise.loss),
        duplicate: section.number("duplicate", 0.0..=1.0)?.unwrap_or(otherwise.duplicate),
        bandwidth: bandwidth.or(otherwise.bandwidth),
    })
}
