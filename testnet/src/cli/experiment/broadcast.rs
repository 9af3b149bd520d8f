//! The arguments of `experiment broadcast`.

use clap::Args;
use indicatif::ProgressBar;

use crate::{
    cli::{Failure, bar::bar},
    experiment::broadcast::{self, Error, Manner, Progress, Report, Setting, Since, Withholders},
    scenario::values,
    world::Latency,
};

/// The most nodes: each is a whole core.
const NODES_MAX: i64 = 20_000;
/// The largest payload.
const PAYLOAD_MAX: i64 = 1 << 20;

/// Nodes link up and their views settle; then authors publish in turn, one message every 200 ms, and nothing else is
/// asked of the network. The first messages of each author are not measured.
#[derive(Args, Debug)]
pub(crate) struct BroadcastArgs {
    /// Nodes, those that withhold included
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..=NODES_MAX))]
    nodes: u32,
    /// Random honest nodes that publish in turn, a message every 200 ms
    #[arg(long, value_name = "A", default_value_t = 1)]
    authors: u32,
    /// Measured messages of each author; more after a flash, if those would not last 64 s
    #[arg(long, value_name = "M", default_value_t = 10)]
    messages: u32,
    /// Bytes of a payload
    #[arg(long, value_name = "B", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=PAYLOAD_MAX))]
    payload: u32,
    /// Messages of each author that come first and are not measured
    #[arg(long, value_name = "W", default_value_t = 12)]
    warmup: u32,
    /// Share of the nodes, below 0.5, that pass on 8 messages of the warm-up and then nothing any more
    #[arg(long, value_name = "F", value_parser = share)]
    silent: Option<f64>,
    /// Share of the nodes, below 0.5, that behave until the first measured message and then all withhold at once
    #[arg(long, value_name = "F", value_parser = share, conflicts_with = "silent")]
    covert_flash: Option<f64>,
    /// Those who withhold vouch for what they withhold
    #[arg(long)]
    lie: bool,
    /// How far two nodes are from each other, drawn once for each two: uniform:10ms..50ms, normal:40ms,10ms (mean
    /// and deviation) or lognormal:40ms,0.4 (median and sigma)
    #[arg(long, value_name = "DIST", default_value = "uniform:10ms..50ms", value_parser = latency)]
    latency: Latency,
    /// Links that a node chooses; a majority of them must vouch for a message, 13 of 24
    #[arg(long, value_name = "L", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=256))]
    outbound: u16,
    /// From which everything random comes: one seed, one result
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

/// Measures how messages spread.
pub(super) fn broadcast(args: &BroadcastArgs) -> Result<Report, Failure> {
    let setting = args.setting()?;
    let bar = bar(None, "{msg} {pos} of {len} {wide_bar} {eta} left");
    let report = broadcast::run(&setting, |progress| show(&bar, progress));
    bar.finish_and_clear();
    Ok(report?)
}

fn show(bar: &ProgressBar, progress: Progress) {
    match progress {
        Progress::Linking => bar.set_message("linking"),
        Progress::Settling => bar.set_message("views settle"),
        Progress::Published { done, of } => {
            bar.set_message("message");
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        }
    }
}

impl BroadcastArgs {
    fn setting(&self) -> Result<Setting, Failure> {
        let manner = if self.lie { Manner::Vouching } else { Manner::Silent };
        let withholders = match (self.silent, self.covert_flash) {
            (Some(share), _) => Some(Withholders { share, manner, since: Since::WarmUp }),
            (None, Some(share)) => Some(Withholders { share, manner, since: Since::Flash }),
            (None, None) if self.lie => {
                let text =
                    "--lie says nothing without --silent or --covert-flash: nobody withholds";
                return Err(Failure::Senseless(text.to_owned()));
            }
            (None, None) => None,
        };
        Ok(Setting {
            nodes: self.nodes as usize,
            authors: self.authors as usize,
            messages: self.messages as usize,
            warm_up: self.warmup as usize,
            payload_bytes: self.payload,
            withholders,
            latency: self.latency,
            outbound: self.outbound,
            seed: self.seed,
        })
    }
}

/// As scenarios have it, or with the name of the distribution and a colon in front.
fn latency(text: &str) -> Result<Latency, String> {
    let plain = text.strip_prefix("uniform:").unwrap_or(text).replace([':', ','], " ");
    values::latency(&plain).map_err(|error| {
        format!("{error}; or as uniform:10ms..50ms, normal:40ms,10ms or lognormal:40ms,0.4")
    })
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..0.5).contains(share));
    share.ok_or_else(|| {
        "a share from 0 to below 0.5: beyond that, no honest majority is left".to_owned()
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Senseless(error.to_string())
    }
}
