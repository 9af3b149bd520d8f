//! Events as sentences.

use std::collections::BTreeMap;

use anyhow::bail;

use super::Args;
use crate::{
    output::Run,
    record::history::{Event, Tree},
    verdict::plural,
};

/// What of a run is told, and how.
pub(super) struct Story<'a> {
    run: &'a Run,
    args: &'a Args,
    kinds: BTreeMap<u32, &'a str>,
}

impl<'a> Story<'a> {
    /// # Errors
    /// When the run has no such node.
    pub(super) fn new(run: &'a Run, args: &'a Args) -> anyhow::Result<Self> {
        let adversaries = &run.history.adversaries;
        let kinds: BTreeMap<_, _> =
            adversaries.iter().map(|it| (it.node, it.kind.as_str())).collect();
        let nodes = run.honest + kinds.len() as u64;
        match args.node {
            Some(node) if u64::from(node) >= nodes => {
                bail!("there is no node {node}: the run has nodes 0 to {}", nodes.saturating_sub(1))
            }
            Some(_) | None => Ok(Self { run, args, kinds }),
        }
    }

    /// The whole story.
    ///
    /// # Errors
    /// When nothing is known of the message.
    pub(super) fn tell(&self, events: &[Event]) -> anyhow::Result<String> {
        let run = self.run;
        let mut text =
            format!("{}, seed {}: {}\n{}\n\n", run.name, run.seed, run.verdict.name(), run.repeat);
        let until = self.args.until.map_or(f64::INFINITY, |until| until.as_secs_f64());
        let told: Vec<_> =
            events.iter().filter(|event| event.t <= until && self.concerns(event)).collect();
        if let Some(message) = &self.args.message
            && !told.iter().any(|event| event.message.is_some())
        {
            bail!(
                "nothing is known of a message {message}{}; messages are in {}",
                if run.history.events_left_out > 0 { ", or it was left out" } else { "" },
                crate::output::EVENTS
            );
        }
        let published = told.iter().find(|event| event.what == "published").map(|event| event.t);
        for event in &told {
            text.push_str(&self.line(event, published.filter(|_| self.args.message.is_some())));
        }
        text.push_str(&self.ending(&told));
        Ok(text)
    }

    /// Whether an event belongs to the story that was asked for.
    fn concerns(&self, event: &Event) -> bool {
        let Args { node, message, .. } = self.args;
        let about_all = event.node.is_none() && event.message.is_none();
        let node_fits =
            node.is_none_or(|node| event.node == Some(node) || event.peer == Some(node));
        let message_fits = message.as_ref().is_none_or(|wanted| {
            let wanted = wanted.to_lowercase();
            // Events know the first digits only; who asks may know them all.
            let same = |id: &String| id.starts_with(&wanted) || wanted.starts_with(id.as_str());
            event.message.as_ref().is_some_and(same)
        });
        let chosen = node.is_some() || message.is_some();
        let notable = matches!(
            event.what.as_str(),
            "banned" | "exposed" | "violation" | "left" | "joined" | "unaccepted" | "contested"
        );
        about_all || (node_fits && message_fits && (chosen || notable))
    }

    fn line(&self, event: &Event, published: Option<f64>) -> String {
        let after = published.map_or_else(String::new, |published| {
            format!("{:>+9.1} ms", (event.t - published) * 1000.0)
        });
        format!("{:>10.3} s{after}  {}\n", event.t, self.sentence(event))
    }

    /// What happened, in words.
    fn sentence(&self, event: &Event) -> String {
        let who = event.node.map_or_else(String::new, |node| self.name(node));
        let peer = event.peer.map_or_else(|| "somebody".to_owned(), |peer| self.name(peer));
        let message = event.message.as_deref().unwrap_or("a message");
        let text = &event.text;
        match event.what.as_str() {
            "phase" => format!("── {text}"),
            "attack_begins" => format!("── the attack begins: {text}"),
            "attack_ends" => format!("── the attack is over: {text}"),
            "fault_begins" => format!("── a fault: {text}"),
            "fault_ends" => format!("── the fault is healed: {text}"),
            "published" => format!("{who} published {message}"),
            "relayed" => match event.peer {
                Some(_) => format!("{who} passed on {message}, which {peer} brought first"),
                None => format!("{who} sent out its own {message}"),
            },
            "accepted" => format!("{who} accepted {message} of {peer}"),
            "unaccepted" => format!("{who} dropped {message} unaccepted: {text}"),
            "contested" => {
                format!("{who} had accepted {message}, and {peer} said another thing too")
            }
            "fault" => format!("{who} found a fault of {peer}: {text}"),
            "banned" => format!("{who} banned {peer}: {text}"),
            "exposed" => format!("{who} holds the proof that {peer} said two things"),
            "link_up" => match text.as_str() {
                "witness" => format!("{who} linked to {peer}, as its witness"),
                _ => format!("{peer} linked to {who}"),
            },
            "link_down" => format!("{who} lost its link to {peer}"),
            "hostile" => format!("{peer} attacked {who}"),
            "left" => format!("{who} left the network"),
            "joined" => format!("{who} joined the network"),
            "violation" => format!("VIOLATION at {who}: {text}"),
            "end" => format!("── the end: {text}"),
            other => format!("{who} {other} {text}"),
        }
    }

    /// `node 7`, `node 30 (forge)`.
    fn name(&self, node: u32) -> String {
        match self.kinds.get(&node) {
            Some(kind) => format!("node {node} ({kind})"),
            None => format!("node {node}"),
        }
    }

    /// What it came to.
    fn ending(&self, told: &[&Event]) -> String {
        let count = |what: &str| told.iter().filter(|event| event.what == what).count();
        let mut lines = Vec::new();
        if self.args.message.is_some() {
            let accepted = plural(count("accepted"), "honest node");
            lines.push(format!("accepted by {accepted}, passed on by {}", count("relayed")));
            lines.extend(
                self.run
                    .history
                    .tree
                    .as_ref()
                    .filter(|tree| self.is_of(tree))
                    .map(|_| format!("its tree is drawn in {}", crate::output::REPORT)),
            );
        } else if let Some(node) = self.args.node {
            lines.push(format!(
                "{}: {} published, {} accepted, {} passed on, {}",
                self.name(node),
                count("published"),
                count("accepted"),
                count("relayed"),
                plural(count("banned"), "ban")
            ));
        } else {
            lines.push(
                "more of one node with --node N, of one message with --message ID".to_owned(),
            );
        }
        if self.run.history.events_left_out > 0 {
            let left_out = self.run.history.events_left_out;
            lines.push(format!("{left_out} events of the run were too many to be kept"));
        }
        format!("\n{}\n", lines.join("\n"))
    }

    fn is_of(&self, tree: &Tree) -> bool {
        self.args.message.as_ref().is_some_and(|wanted| tree.message.starts_with(wanted))
    }
}
