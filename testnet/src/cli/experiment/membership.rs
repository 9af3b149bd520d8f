//! The arguments of `experiment membership`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use forsooth_protocol::membership;
use indicatif::ProgressBar;

use crate::{
    cli::{Failure, bar::bar},
    experiment::membership::{Error, Progress, Report, Setting, run},
};

/// The most nodes: each is a whole core that knows all others.
const NODES_MAX: i64 = 10_000;

/// Nodes start together; once all know all, trouble begins, and is measured.
#[derive(Args, Debug)]
pub(crate) struct MembershipArgs {
    /// Nodes
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(3..=NODES_MAX))]
    nodes: u32,
    /// Random nodes that each knows at first; 0: all know one seed and nobody else
    #[arg(long, value_name = "K", default_value_t = 16)]
    contacts: u16,
    /// Nodes that crash, all at once
    #[arg(long, value_name = "C", default_value_t = 0)]
    crash: u32,
    /// They fall silent, instead of having their links closed by their system
    #[arg(long)]
    vanish: bool,
    /// Share of transmissions that are lost and made again
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = share)]
    loss: f64,
    /// Share of the nodes that are paused for 0.5 to 2.5 s every 10 s
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = share)]
    slow: f64,
    /// Share of the nodes whose links lose 80 % of all transmissions
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = share)]
    lossy: f64,
    /// Share of the nodes that hear nobody for 20 s, then all for 20 s, and so on
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = share)]
    one_way: f64,
    /// Share of the nodes that accuse all whom they observe, all the time
    #[arg(long, value_name = "F", default_value_t = 0.0, value_parser = share)]
    liars: f64,
    /// Share of the nodes that accuse nobody
    #[arg(long, value_name = "F", default_value_t = 0.0, value_parser = share)]
    silent: f64,
    /// All nodes restart within 5 s, so long after measuring began
    #[arg(long, value_name = "AT", value_parser = humantime::parse_duration)]
    restart_all: Option<Duration>,
    /// How members are observed
    #[arg(long, value_enum, default_value_t = Preset::Lan)]
    preset: Preset,
    /// How long is measured
    #[arg(long, value_name = "T", default_value = "60s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// From which everything random comes: one seed, one result
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    Local,
    Lan,
    Wan,
}

/// Measures who is found dead.
pub(super) fn membership(args: &MembershipArgs) -> Result<Report, Failure> {
    let setting = Setting {
        nodes: args.nodes as usize,
        contacts: args.contacts.into(),
        crash: args.crash as usize,
        vanish: args.vanish,
        loss: args.loss,
        slow: args.slow,
        lossy: args.lossy,
        one_way: args.one_way,
        liars: args.liars,
        silent: args.silent,
        restart_all: args.restart_all,
        preset: match args.preset {
            Preset::Local => membership::Preset::Local,
            Preset::Lan => membership::Preset::Lan,
            Preset::Wan => membership::Preset::Wan,
        },
        duration: args.duration,
        seed: args.seed,
    };
    let bar = bar(None, "{msg} {pos} of {len} s {wide_bar} {eta} left");
    let report = run(&setting, |progress| show(&bar, progress));
    bar.finish_and_clear();
    Ok(report?)
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (what, done, of) = match progress {
        Progress::Gathering { done, of } => ("members meet:", done, of),
        Progress::Resting { done, of } => ("all know all, and rest:", done, of),
        Progress::Measuring { done, of } => ("measured:", done, of),
    };
    if bar.message() != what {
        bar.set_message(what);
        bar.reset_eta();
    }
    bar.set_length(of.as_secs());
    bar.set_position(done.as_secs());
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..0.5).contains(share));
    share.ok_or_else(|| "a share from 0 to below 0.5".to_owned())
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Senseless(error.to_string())
    }
}
