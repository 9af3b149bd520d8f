//! What can be asked for.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::values::{Latency, duration, loss, rate};
use crate::{
    plan::Adversaries,
    strategy::{EQUIVOCATE, FORGE, SPAM},
    world::Conditions,
};

/// The largest payload that can be asked for.
const PAYLOAD_MAX: i64 = 1 << 20;

#[derive(Debug, Parser)]
#[command(
    name = "forsooth-testnet",
    version,
    about = "Attack a gossip network and see whether the truth gets through."
)]
#[command(
    after_help = "Exit codes: 0 pass, 1 fail, 2 inconclusive (the attack never happened), 3 bad arguments."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start real nodes on this machine, attackers among them, and judge what happens
    Up(UpArgs),
    /// Run the same cores in a simulated network; one seed, one outcome
    Sim(SimArgs),
    /// Explain what adversaries can do
    List,
}

#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub(crate) struct UpArgs {
    /// Honest nodes
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) honest: usize,
    /// Adversaries, for example forge=3; repeat it for several kinds. Replaces the default of one of each kind;
    /// forge=0 for none at all
    #[arg(long, value_name = "KIND=COUNT")]
    adversary: Vec<Adversaries>,
    /// For how long the nodes publish and are attacked
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Messages that each honest node publishes in a second
    #[arg(long, value_name = "PER_SECOND", default_value = "2", value_parser = rate)]
    pub(crate) rate: f64,
    /// Bytes of each message
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=PAYLOAD_MAX))]
    pub(crate) payload: u32,
    /// For keys, cores and load; real networks differ from run to run all the same
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SimArgs {
    /// Nodes, adversaries included
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) nodes: usize,
    /// Messages that honest nodes publish, together
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) messages: usize,
    /// Messages in a second, of all honest nodes together
    #[arg(long, value_name = "PER_SECOND", default_value = "10", value_parser = rate)]
    pub(crate) rate: f64,
    /// From which everything random comes
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Adversaries among the nodes, for example forge=3; repeat it for several kinds
    #[arg(long, value_name = "KIND=COUNT")]
    pub(crate) adversary: Vec<Adversaries>,
    /// How long a frame takes
    #[arg(long, value_name = "MIN..MAX", default_value = "10..50ms")]
    latency: Latency,
    /// Probability that a transmission is lost and must be repeated
    #[arg(long, value_name = "P", default_value = "0", value_parser = loss)]
    loss: f64,
    /// Bytes of each message
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=PAYLOAD_MAX))]
    pub(crate) payload: u32,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl UpArgs {
    /// The adversaries asked for, or one of each kind.
    pub(crate) fn adversaries(&self) -> Vec<Adversaries> {
        if self.adversary.is_empty() {
            [&FORGE, &SPAM, &EQUIVOCATE].map(|kind| Adversaries { kind, count: 1 }).into()
        } else {
            self.adversary.clone()
        }
    }

    /// The command that does this again.
    pub(crate) fn repeat(&self) -> String {
        let Self { honest, duration, rate, payload, seed, .. } = self;
        let duration = humantime::format_duration(*duration).to_string().replace(' ', "");
        let rest = format!(" --for {duration} --rate {rate} --payload {payload} --seed {seed}");
        format!("forsooth-testnet up --honest {honest}{}{rest}", flags(&self.adversaries()))
    }
}

impl SimArgs {
    pub(crate) const fn conditions(&self) -> Conditions {
        Conditions { latency_min: self.latency.min, latency_max: self.latency.max, loss: self.loss }
    }

    /// The command that does this again.
    pub(crate) fn repeat(&self) -> String {
        let Self { nodes, messages, rate, seed, latency, loss, payload, .. } = self;
        let what = format!(
            "--nodes {nodes} --messages {messages} --rate {rate}{}",
            flags(&self.adversary)
        );
        format!(
            "forsooth-testnet sim {what} --latency {latency} --loss {loss} --payload {payload} --seed {seed}"
        )
    }
}

fn flags(adversaries: &[Adversaries]) -> String {
    adversaries.iter().map(|group| format!(" --adversary {group}")).collect()
}
