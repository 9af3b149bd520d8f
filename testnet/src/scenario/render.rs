//! A scenario as a file again: what `up --print` shows, and what a report keeps.

use std::time::Duration;

use forsooth_protocol::network::{Kind as NetworkKind, Policy};

use super::{
    model::{
        Assertion, Blocked, Fault, FaultKind, Gang, Group, Link, Links, NetworkRules, Scenario,
        TOPIC, Who,
    },
    values::{written, written_latency},
};

impl Scenario {
    /// The scenario as the text of a file; reading it gives the same scenario.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut page = Page(String::new());
        page.line("format", 1);
        page.text("name", &self.name);
        page.text("about", &self.about);
        page.line("seed", self.seed);
        page.text("expect", self.expect.name());
        page.network(&self.network);
        page.header("[run]");
        page.time("warm_up", self.run.warm_up);
        page.time("duration", self.run.duration);
        page.time("cool_down", self.run.cool_down);
        self.groups.iter().for_each(|group| page.group(group));
        page.links(&self.links);
        self.adversaries.iter().for_each(|gang| page.gang(gang));
        self.faults.iter().for_each(|fault| page.fault(fault));
        self.asserts.iter().for_each(|assertion| page.assertion(assertion));
        if !self.compare.is_empty() {
            page.header("[compare]");
            let names: Vec<_> =
                self.compare.iter().map(|off| format!("{:?}", off.name())).collect();
            page.line("without", format!("[{}]", names.join(", ")));
        }
        page.0
    }
}

struct Page(String);

impl Page {
    fn header(&mut self, name: &str) {
        self.0 += &format!("\n{name}\n");
    }

    fn line(&mut self, key: &str, value: impl std::fmt::Display) {
        self.0 += &format!("{key} = {value}\n");
    }

    fn text(&mut self, key: &str, value: &str) {
        let value = toml::Value::String(value.to_owned());
        self.line(key, value);
    }

    fn time(&mut self, key: &str, value: Duration) {
        self.text(key, &written(value));
    }

    fn maybe<T: std::fmt::Display>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.line(key, value);
        }
    }

    fn network(&mut self, rules: &NetworkRules) {
        if *rules == NetworkRules::default() {
            return;
        }
        self.header("[network]");
        if rules.kind != NetworkKind::Local {
            self.text("kind", rules.kind.name());
        }
        match rules.policy {
            Some(Policy::Verified) => self.text("policy", "verified"),
            Some(Policy::Vouched { k, n }) => {
                self.line("policy", format!("{{ k = {k}, n = {n} }}"))
            }
            Some(Policy::Attested { k }) => self.line("policy", format!("{{ attested = {k} }}")),
            Some(Policy::Settled { k, n, settle }) => {
                let settle = written(settle);
                self.line("policy", format!("{{ k = {k}, n = {n}, settle = \"{settle}\" }}"))
            }
            None => {}
        }
        self.time("lifetime", rules.lifetime);
        if let Some(retention) = rules.retention {
            self.time("retention", retention);
        }
        self.maybe("retention_messages", rules.retention_messages);
        self.maybe("rate_per_minute", rules.rate_per_minute);
        self.maybe("burst", rules.burst);
        for (key, number) in rules.quota.keys() {
            self.maybe(key, number);
        }
        if let Some(grouping) = rules.grouping {
            self.text("grouping", grouping.name());
        }
        if let Some(preset) = rules.membership {
            self.text("membership", preset.name());
        }
    }

    fn group(&mut self, group: &Group) {
        self.header("[[groups]]");
        self.text("name", &group.name);
        self.line("nodes", group.nodes);
        self.line("rate", group.rate);
        self.line("payload", group.payload_bytes);
        self.maybe("messages", group.messages);
        if let Some(quiet) = &group.quiet {
            self.text("quiet", &format!("{}..{}", written(quiet.start), written(quiet.end)));
        }
        if group.topics != [TOPIC] {
            self.line("topics", format!("{:?}", group.topics));
        }
        self.maybe("outbound", group.outbound);
        if let Some(subnet) = group.subnet {
            self.text("subnet", &subnet.to_string());
        }
        self.maybe("contacts", group.contacts);
    }

    fn links(&mut self, links: &Links) {
        if links.default != Link::default() {
            self.link("default", &links.default);
        }
        links.by_group.iter().for_each(|(name, link)| self.link(name, link));
    }

    fn link(&mut self, name: &str, link: &Link) {
        self.header(&format!("[links.{name:?}]"));
        self.text("latency", &written_latency(link.latency));
        self.time("jitter", link.jitter);
        self.line("loss", link.loss);
        self.line("duplicate", link.duplicate);
        if let Some(bytes) = link.bandwidth {
            self.text("bandwidth", &format!("{bytes}B/s"));
        }
    }

    fn gang(&mut self, gang: &Gang) {
        self.header("[[adversaries]]");
        self.text("kind", gang.kind.name);
        self.line("nodes", gang.nodes);
        self.time("start", gang.start);
        if let Some(stop) = gang.stop {
            self.time("stop", stop);
        }
        self.line("intensity", gang.intensity.factor());
        match &gang.targets {
            Some(Who::Group(name)) => self.text("targets", name),
            Some(Who::Nodes(places)) => self.line("targets", format!("{places:?}")),
            // What a file cannot say is everybody.
            Some(Who::All | Who::Share(..) | Who::Count(..)) | None => {}
        }
        if gang.collude {
            self.line("collude", true);
        }
        if let Some(subnet) = gang.subnet {
            self.text("subnet", &subnet.to_string());
        }
        if let Some(ids) = gang.ids {
            self.text("ids", ids.name());
        }
    }

    fn fault(&mut self, fault: &Fault) {
        self.header("[[faults]]");
        self.text("kind", fault.kind.name());
        self.time("at", fault.at);
        if let Some(lasts) = fault.lasts {
            self.time("for", lasts);
        }
        match &fault.who {
            Who::All => {}
            Who::Nodes(places) => self.line("nodes", format!("{places:?}")),
            Who::Group(name) => self.text("group", name),
            Who::Share(group, share) => {
                self.some_group(group.as_deref());
                self.line("share", share);
            }
            Who::Count(group, count) => {
                self.some_group(group.as_deref());
                self.line("nodes", count);
            }
        }
        match fault.kind {
            FaultKind::OneWay(Blocked::Outward) => self.text("blocked", "outward"),
            FaultKind::OneWay(Blocked::Inward) => self.text("blocked", "inward"),
            FaultKind::Loss(loss) => self.line("loss", loss),
            FaultKind::Skew(millis) => self.text("by", &format!("{millis}ms")),
            FaultKind::Churn { per_minute, away } => {
                self.line("per_minute", per_minute);
                self.time("away", away);
            }
            FaultKind::Kill
            | FaultKind::Restart
            | FaultKind::Pause
            | FaultKind::Partition
            | FaultKind::DiskFull => {}
        }
    }

    fn some_group(&mut self, name: Option<&str>) {
        if let Some(name) = name {
            self.text("group", name);
        }
    }

    fn assertion(&mut self, assertion: &Assertion) {
        self.header("[[assert]]");
        self.text("metric", assertion.metric.name);
        self.maybe("min", assertion.min);
        self.maybe("max", assertion.max);
    }
}
