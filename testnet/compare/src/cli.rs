//! The command line.

use clap::{Args, Parser, Subcommand};
use forsooth_protocol::network::Policy;

use crate::{
    child::{self, Isolation},
    measure, table,
    task::{Found, Load, System, Task},
};

/// A system keeps up if this much of what is published has arrived 5 s after the end.
const KEEPS_UP: f64 = 0.99;

/// Compares Forsooth with libp2p-gossipsub and iroh-gossip: real nodes in one process on loopback, one system after
/// the other at the same work.
///
/// Prints a table of the runs to the standard output, and what it is doing to the standard error. Needs Linux; with
/// `unshare` and `ip` each run has a loopback interface of its own, else what others send there is counted as well.
#[derive(Debug, Parser)]
#[command(name = "forsooth-compare", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// As many messages as go through: every node publishes, with so many under way in all.
    Saturated {
        #[command(flatten)]
        common: Common,
        /// Nodes.
        #[arg(long, default_value_t = 16)]
        nodes: usize,
        /// Messages under way in all; of several numbers, the one with which a system delivers most, and keeps
        /// up, is shown.
        #[arg(long, value_delimiter = ',', default_value = "64,256,1024")]
        in_flight: Vec<usize>,
        /// Seconds that are measured.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// Seconds with load before that.
        #[arg(long, default_value_t = 5.0)]
        warm_up: f64,
    },
    /// A few messages a second, by random nodes: what a quiet network costs.
    Steady {
        #[command(flatten)]
        common: Common,
        /// Nodes.
        #[arg(long, default_value_t = 50)]
        nodes: usize,
        /// Messages a second in all.
        #[arg(long, default_value_t = 10.0)]
        rate: f64,
        /// Seconds that are measured.
        #[arg(long, default_value_t = 60.0)]
        seconds: f64,
        /// Seconds with load before that.
        #[arg(long, default_value_t = 30.0)]
        warm_up: f64,
    },
    /// One run of one system, in this process.
    #[command(name = child::MEASURE, hide = true)]
    Measure {
        /// Nobody else uses the loopback interface.
        #[arg(long = "own-loopback")]
        own_loopback: bool,
        /// The task, as JSON.
        task: String,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// Bytes of a payload, at least 16.
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Which to run.
    #[arg(long, value_delimiter = ',', default_value = "forsooth,gossipsub,iroh")]
    systems: Vec<System>,
    /// Forsooth's policy, vouches of witnesses such as 5/8.
    #[arg(long, default_value = "5/8")]
    policy: Policy,
    /// Other nodes that each node is told of, or dials, at the start.
    #[arg(long, default_value_t = 8)]
    contacts: usize,
    /// Seconds without load once the nodes are linked; then idle memory is read.
    #[arg(long, default_value_t = 15.0)]
    settle: f64,
    /// Decides who is told of whom, and who publishes.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Prints all runs as JSON, one a line, instead of the table.
    #[arg(long)]
    json: bool,
}

/// Does what the command line says.
///
/// # Errors
/// When a run fails, or an argument makes no sense.
pub(crate) fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Measure { own_loopback, task } => {
            let found = measure::run(serde_json::from_str(&task)?, own_loopback)?;
            println!("{}", serde_json::to_string(&found)?);
            Ok(())
        }
        Command::Saturated { common, nodes, in_flight, seconds, warm_up } => {
            let loads: Vec<_> =
                in_flight.into_iter().map(|in_flight| Load::Saturated { in_flight }).collect();
            compare(&common, &loads, |system, load| {
                common.task(system, load, nodes, seconds, warm_up)
            })
        }
        Command::Steady { common, nodes, rate, seconds, warm_up } => {
            compare(&common, &[Load::Steady { per_second: rate }], |system, load| {
                common.task(system, load, nodes, seconds, warm_up)
            })
        }
    }
}

impl Common {
    fn task(&self, system: System, load: Load, nodes: usize, seconds: f64, warm_up: f64) -> Task {
        Task {
            system,
            load,
            nodes,
            payload_bytes: self.payload,
            contacts: self.contacts,
            k: self.policy.threshold(),
            n: self.policy.witnesses(),
            settle_seconds: self.settle,
            warm_up_seconds: warm_up,
            seconds,
            seed: self.seed,
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            matches!(self.policy, Policy::Vouched { .. }),
            "--policy takes vouches of witnesses, such as 5/8"
        );
        anyhow::ensure!(
            self.payload >= 16,
            "--payload takes at least 16 bytes: each says when it was sent"
        );
        anyhow::ensure!(
            self.contacts > 0,
            "--contacts takes at least 1: nobody would find anybody"
        );
        Ok(())
    }
}

/// Runs every system at every load, and shows of each system the run with the most deliveries.
fn compare(
    common: &Common,
    loads: &[Load],
    task: impl Fn(System, Load) -> Task,
) -> anyhow::Result<()> {
    common.check()?;
    let isolation = Isolation::find();
    if isolation == Isolation::None {
        eprintln!(
            "no network namespace here (needs `unshare`, `ip` and the right to use them): what others send on \
             loopback is counted too"
        );
    }
    let mut best: Vec<Found> = Vec::new();
    for system in &common.systems {
        let mut runs = Vec::new();
        for load in loads {
            eprintln!("{}: {load:?} …", system.name());
            let found = child::run(&task(*system, *load), isolation)?;
            eprintln!("  {:.0} deliveries a second", found.deliveries_per_second);
            if common.json {
                println!("{}", serde_json::to_string(&found)?);
            }
            runs.push(found);
        }
        // A run that fell behind for good has many deliveries, of messages that nobody waits for any more.
        let most = |a: &Found, b: &Found| {
            (a.delivery_ratio >= KEEPS_UP)
                .cmp(&(b.delivery_ratio >= KEEPS_UP))
                .then(a.deliveries_per_second.total_cmp(&b.deliveries_per_second))
        };
        best.extend(runs.into_iter().max_by(most));
    }
    if let Some(first) = best.first().filter(|_| !common.json) {
        println!("{}\n\n{}", table::heading(first), table::render(&best));
    }
    Ok(())
}
