//! The command line: arguments in, verdict out.
//!
//! Exit codes: 0 pass, 1 fail, 2 inconclusive (the attack never happened, or nothing could be started),
//! 3 bad arguments.

mod args;
mod values;

use std::{
    ffi::OsString,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use serde::Serialize;

use self::args::{Cli, Command, SimArgs, UpArgs};
use crate::{
    plan::{Adversaries, Impossible, Load, Plan},
    sim,
    strategy::KINDS,
    up,
    verdict::Verdict,
};

/// The exit code for arguments that make no sense.
const BAD_ARGUMENTS: u8 = 3;

/// Why there is no verdict.
#[derive(Debug)]
enum Failure {
    /// The arguments do not fit together.
    Impossible(Impossible),
    /// Something could not be started or printed.
    Broken(anyhow::Error),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs a command; the first argument is the program's name.
#[must_use]
pub fn run(args: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Without a place to print it there is nothing better to do than to say it by the code.
            drop(error.print());
            return if error.use_stderr() {
                ExitCode::from(BAD_ARGUMENTS)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "error".into());
    // A second call in one process, as in tests, keeps the first subscriber.
    drop(tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init());
    let outcome = match cli.command {
        Command::Up(args) => run_up(&args),
        Command::Sim(args) => run_sim(&args),
        Command::List => list().map(|()| Verdict::Pass),
    };
    match outcome {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(Failure::Impossible(error)) => {
            complain(&format!("error: {error}"));
            ExitCode::from(BAD_ARGUMENTS)
        }
        Err(Failure::Broken(error)) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(Verdict::Inconclusive.exit_code())
        }
    }
}

fn run_up(args: &UpArgs) -> Result<Verdict, Failure> {
    let load = Load { rate: args.rate, payload_bytes: args.payload };
    let plan = Plan::new(args.seed, args.honest, &args.adversaries(), load)?;
    let options =
        up::Options { duration: args.duration, rate: args.rate, payload_bytes: args.payload };
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let report = runtime.block_on(up::run(&plan, options, args.repeat()))?;
    show(args.json, &report)?;
    Ok(report.verdict)
}

fn run_sim(args: &SimArgs) -> Result<Verdict, Failure> {
    let count = |group: &Adversaries| group.count;
    let hostile = args.adversary.iter().map(count).fold(0, usize::saturating_add);
    let honest = args.nodes.saturating_sub(hostile);
    let authors = honest.max(1) as f64;
    let load = Load { rate: args.rate / authors, payload_bytes: args.payload };
    let plan = Plan::new(args.seed, honest, &args.adversary, load)?;
    let options = sim::Options {
        messages: args.messages,
        rate: args.rate,
        payload_bytes: args.payload,
        conditions: args.conditions(),
    };
    let simulated = sim::run(&plan, &options, args.repeat());
    show(args.json, &simulated)?;
    Ok(simulated.report.verdict)
}

fn list() -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut line = |text: String| writeln!(out, "{text}").context("printing");
    KINDS.iter().try_for_each(|kind| line(format!("{:<12} {}", kind.name, kind.sentence)))?;
    Ok(())
}

/// Prints a result: for people, or as the last line for programs.
fn show(json: bool, result: &(impl Serialize + std::fmt::Display)) -> Result<(), Failure> {
    let text = if json {
        serde_json::to_string(result).context("encoding the result")?
    } else {
        result.to_string()
    };
    writeln!(io::stdout().lock(), "{}", text.trim_end()).context("printing the result")?;
    Ok(())
}

fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

impl From<Impossible> for Failure {
    fn from(error: Impossible) -> Self {
        Self::Impossible(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}
