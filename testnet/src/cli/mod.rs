//! The command line: arguments in, verdict out.
//!
//! Exit codes: 0 pass, 1 fail, 2 inconclusive (the attack never happened, or nothing could be started),
//! 3 bad arguments or a bad file.

mod args;
mod bar;
mod compare;
mod experiment;
mod list;
mod shorthand;
mod sweep;
mod values;

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use forsooth_protocol::{Defences, Safeguard};
use serde::Serialize;

use self::args::{CheckArgs, Cli, Command, FileArgs, OutputArgs, RunArgs, SimArgs, UpArgs};
use crate::{
    engine::{self, Engine, Options, Unfit, View, local},
    output::{self, Run},
    plan::Impossible,
    replay, report,
    scenario::{self, Scenario},
    verdict::{Verdict, plural},
};

/// The exit code for arguments or files that make no sense.
const BAD_ARGUMENTS: u8 = 3;

/// Why there is no verdict.
#[derive(Debug)]
enum Failure {
    /// The arguments or the file make no sense; says why.
    Senseless(String),
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
        Command::Up(args) => up(&args),
        Command::Sim(args) => sim(&args),
        Command::Run(args) => run_file(&args),
        Command::Check(args) => check(&args),
        Command::List(args) => list::list(args.json).map(|()| Verdict::Pass),
        Command::Sweep(args) => sweep::sweep(&args),
        Command::Compare(args) => compare::compare(&args),
        Command::Replay(args) => replay::command(&args).map_err(senseless),
        Command::Experiment(which) => experiment::experiment(&which).map(|()| Verdict::Pass),
        Command::Report(args) => {
            report::command(&args.dir).map(|()| Verdict::Pass).map_err(senseless)
        }
        Command::Node => local::remote::child::main().map(|()| Verdict::Pass).map_err(broken),
    };
    match outcome {
        Ok(verdict) => ExitCode::from(verdict.exit_code()),
        Err(Failure::Senseless(text)) => {
            complain(&format!("error: {text}"));
            ExitCode::from(BAD_ARGUMENTS)
        }
        Err(Failure::Broken(error)) => {
            complain(&format!("error: {error:#}"));
            ExitCode::from(Verdict::Inconclusive.exit_code())
        }
    }
}

/// A run that cannot be told of is the caller's mistake, and proves nothing.
fn senseless(error: anyhow::Error) -> Failure {
    Failure::Senseless(format!("{error:#}"))
}

fn broken(error: anyhow::Error) -> Failure {
    Failure::Broken(error)
}

fn up(args: &UpArgs) -> Result<Verdict, Failure> {
    let scenario = args.scenario();
    engine::check(&scenario, Engine::Local)?;
    if args.print {
        return print_scenario(&scenario);
    }
    let options = Options { view: View::Shown, ..Options::of(Engine::Local) };
    execute(&scenario, options, args.repeat(), &args.output)
}

fn sim(args: &SimArgs) -> Result<Verdict, Failure> {
    let scenario = args.scenario()?;
    // What a file may not say, arguments may not either: others have to read it again.
    Scenario::parse(&scenario.to_toml(), "the scenario that this stands for", &[])?;
    engine::check(&scenario, Engine::Sim)?;
    if args.print {
        return print_scenario(&scenario);
    }
    execute(&scenario, Options::of(Engine::Sim), args.repeat(), &args.output)
}

fn run_file(args: &RunArgs) -> Result<Verdict, Failure> {
    let scenario = load(&args.scenario, args.seed)?;
    engine::check(&scenario, args.engine)?;
    if args.engine == Engine::Local && !args.without.is_empty() {
        let text = "real nodes always have all their defences; use --engine sim";
        return Err(Failure::Senseless(text.to_owned()));
    }
    let defences = args.without.iter().copied().fold(Defences::ALL, Defences::without);
    // Only found for those who need it.
    let program = std::env::current_exe().ok().map(|path| &*Box::leak(path.into_boxed_path()));
    let options = Options { engine: args.engine, defences, view: View::Shown, program };
    execute(&scenario, options, args.repeat(scenario.seed), &args.output)
}

/// Runs a scenario, writes and prints what came out.
fn execute(
    scenario: &Scenario,
    options: Options,
    repeat: String,
    to: &OutputArgs,
) -> Result<Verdict, Failure> {
    if let Some(dir) = &to.out {
        // Before the run, which may be long.
        output::prepare(dir).map_err(senseless)?;
    }
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let outcome = runtime.block_on(engine::run(scenario, options, repeat))?;
    show(to.json, &outcome)?;
    if let Some(dir) = &to.out {
        output::write(dir, &Run::of(scenario, options.defences, &outcome))?;
    }
    Ok(outcome.verdict())
}

fn check(args: &CheckArgs) -> Result<Verdict, Failure> {
    let scenario = load(&args.scenario, None)?;
    let plan = engine::check(&scenario, args.engine)?;
    let policy = plan.network.topic(plan.topic).policy;
    let line = format!(
        "{}: {} ({}, {}, {}, {}; messages are {policy})",
        args.scenario.file.display(),
        scenario.about,
        plural(scenario.honest(), "honest node"),
        adversaries(scenario.hostile()),
        plural(scenario.faults.len(), "fault"),
        plural(scenario.asserts.len(), "assertion"),
    );
    print(&line)?;
    Ok(Verdict::Pass)
}

fn adversaries(count: usize) -> String {
    if count == 1 { "1 adversary".to_owned() } else { format!("{count} adversaries") }
}

fn print_scenario(scenario: &Scenario) -> Result<Verdict, Failure> {
    print(&scenario.to_toml())?;
    Ok(Verdict::Pass)
}

/// Reads a scenario's file.
fn load(args: &FileArgs, seed: Option<u64>) -> Result<Scenario, Failure> {
    let scenario = Scenario::load(&args.file, &args.sets)?;
    Ok(Scenario { seed: seed.unwrap_or(scenario.seed), ..scenario })
}

/// The defences to switch off one at a time: those asked for, or those that the scenario names.
fn to_compare(asked: &[Safeguard], scenario: &Scenario) -> Result<Vec<Safeguard>, Failure> {
    let chosen = if asked.is_empty() { scenario.compare.clone() } else { asked.to_vec() };
    if chosen.is_empty() {
        let text = "there is nothing to compare: the scenario has no [compare] with \
                    without = [...], and no --without was given";
        return Err(Failure::Senseless(text.to_owned()));
    }
    Ok(chosen)
}

/// Prints a result: for people, or as the last line for programs.
fn show(json: bool, result: &(impl Serialize + fmt::Display)) -> Result<(), Failure> {
    if json {
        print(&serde_json::to_string(result).context("encoding the result")?)
    } else {
        print(&result.to_string())
    }
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(replay::print(text)?)
}

fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}

impl From<Impossible> for Failure {
    fn from(error: Impossible) -> Self {
        Self::Senseless(error.to_string())
    }
}

impl From<Unfit> for Failure {
    fn from(error: Unfit) -> Self {
        Self::Senseless(error.to_string())
    }
}

impl From<scenario::Error> for Failure {
    fn from(error: scenario::Error) -> Self {
        Self::Senseless(error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}
