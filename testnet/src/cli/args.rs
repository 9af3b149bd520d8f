//! What can be asked for.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    engine::Engine,
    plan::Adversaries,
    scenario::{
        MESSAGES_MAX,
        values::{Latency, duration, loss, rate, written},
    },
    strategy::{EQUIVOCATE, FORGE, SPAM},
};

/// The largest payload that can be asked for.
const PAYLOAD_MAX: i64 = 1 << 20;
/// The most seeds of one sweep.
const SEEDS_MAX: u64 = 1_000_000;

/// As many messages as a scenario may have.
fn messages(text: &str) -> Result<usize, String> {
    let messages: u64 = text.parse().map_err(|error| format!("{error}"))?;
    let fits = usize::try_from(messages).ok().filter(|_| messages <= MESSAGES_MAX);
    fits.ok_or_else(|| format!("there may be {MESSAGES_MAX} at most"))
}

#[derive(Debug, Parser)]
#[command(
    name = "forsooth-testnet",
    version,
    about = "Attack a gossip network and see whether the truth gets through."
)]
#[command(
    after_help = "Exit codes: 0 pass, 1 fail, 2 inconclusive (the attack never happened), 3 bad arguments or file."
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
    /// Run a scenario and judge it
    Run(RunArgs),
    /// Say whether a scenario makes sense, without running it
    Check(CheckArgs),
    /// Explain strategies, metrics, faults and defences
    List(ListArgs),
    /// Run a scenario with many seeds; those that fail come first
    Sweep(SweepArgs),
    /// Run a scenario with its defences on, and with one after the other off
    Compare(CompareArgs),
    /// Tell what one node, or one message, of a run lived through that `--out` has kept
    Replay(crate::replay::Args),
    /// Measure sampling or spreading alone, in numbers that the literature can be compared with
    #[command(subcommand)]
    Experiment(super::experiment::Experiment),
    /// Make the page of a run again that `--out` has kept
    Report(ReportArgs),
    /// What `run --engine local` starts a node with that it will kill; speaks on stdin and stdout
    #[command(hide = true)]
    Node,
}

#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub(crate) struct UpArgs {
    /// Honest nodes
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) honest: usize,
    /// Adversaries, for example forge=3; repeat it for several kinds. Replaces the default of one each of
    /// forge, spam and equivocate; forge=0 for none at all
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
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print the scenario that this stands for, as a file, and run nothing
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
pub(crate) struct SimArgs {
    /// Nodes, adversaries included
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) nodes: usize,
    /// Messages that honest nodes publish, together
    #[arg(long, value_name = "N", default_value = "100", value_parser = messages)]
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
    pub(crate) latency: Latency,
    /// Probability that a transmission is lost and must be repeated
    #[arg(long, value_name = "P", default_value = "0", value_parser = loss)]
    pub(crate) loss: f64,
    /// Bytes of each message
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=PAYLOAD_MAX))]
    pub(crate) payload: u32,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print the scenario that this stands for, as a file, and run nothing
    #[arg(long)]
    pub(crate) print: bool,
}

/// What becomes of a result.
#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Write a report for people and programs into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which scenario.
#[derive(Args, Debug)]
pub(crate) struct FileArgs {
    /// The scenario
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Change a value of the scenario, for example adversaries.0.intensity=0; repeat it for several
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) scenario: FileArgs,
    /// In a simulator, or as real nodes on this machine
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: Engine,
    /// Instead of the scenario's seed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Switch a defence off; repeat it for several. Simulator only
    #[arg(long, value_name = "DEFENCE", value_parser = super::values::safeguard)]
    pub(crate) without: Vec<forsooth_protocol::Safeguard>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) scenario: FileArgs,
    /// Which engine is to run it
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: Engine,
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SweepArgs {
    #[command(flatten)]
    pub(crate) scenario: FileArgs,
    /// The seeds, both ends included
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub(crate) seeds: RangeInclusive<u64>,
    /// Runs at once; as many as there are processors, if not said
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) scenario: FileArgs,
    /// Instead of the scenario's seed
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// A defence to switch off, instead of those that the scenario names; repeat it for several
    #[arg(long, value_name = "DEFENCE", value_parser = super::values::safeguard)]
    pub(crate) without: Vec<forsooth_protocol::Safeguard>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// A folder that `--out` has written
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
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
        let duration = written(*duration);
        let rest = format!(" --for {duration} --rate {rate} --payload {payload} --seed {seed}");
        format!("forsooth-testnet up --honest {honest}{}{rest}", flags(&self.adversaries()))
    }
}

impl SimArgs {
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

impl RunArgs {
    /// The command that does this again.
    pub(crate) fn repeat(&self, seed: u64) -> String {
        let off = self.without.iter().map(|off| format!(" --without {}", off.name()));
        let off: String = off.collect();
        format!("{} --engine {}{off}", self.scenario.repeat("run", seed), self.engine)
    }
}

impl FileArgs {
    /// The beginning of a command that runs this file with this seed.
    pub(crate) fn repeat(&self, command: &str, seed: u64) -> String {
        let sets = self.sets.iter().map(|set| format!(" --set {}", quoted(set)));
        let sets: String = sets.collect();
        let file = quoted(&self.file.display().to_string());
        format!("forsooth-testnet {command} {file} --seed {seed}{sets}")
    }
}

/// As a shell reads it as one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn flags(adversaries: &[Adversaries]) -> String {
    adversaries.iter().map(|group| format!(" --adversary {group}")).collect()
}

/// `1..50`.
fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let example = "write it as 1..50, both ends included";
    let (first, last) = text.split_once("..").ok_or(example)?;
    let number = |text: &str| text.trim_start_matches('=').parse::<u64>().map_err(|_| example);
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err("the first seed must not be above the last".to_owned());
    }
    if last - first >= SEEDS_MAX {
        return Err(format!("at most {SEEDS_MAX} seeds"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_with_both_ends() {
        assert_eq!(seeds("1..50"), Ok(1..=50));
        assert_eq!(seeds("7..7"), Ok(7..=7));
        for text in ["5", "5..1", "a..b", "-1..5", "0..9999999"] {
            assert!(seeds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_split_it() {
        assert_eq!(quoted("run.duration=5s"), "run.duration=5s");
        assert_eq!(quoted("about=it's"), r"'about=it'\''s'");
    }
}
