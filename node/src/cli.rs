//! The commands of `forsooth`.
//!
//! `init`, `run`, `key`, `network` and `config` work on files, `params` on nothing but its arguments; the others ask the
//! running node over its HTTP interface and find it through `http.addr` in the data folder. Results go to stdout, everything
//! else to stderr. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod args;
mod bans;
mod client;
mod commands;
mod events;
mod init;
mod members;
mod network;
mod output;
mod params;
mod parse;
mod publish;
mod run;
mod signals;
mod status;
mod subscribe;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser as _;
use forsooth::config::{DataDir, Environment, Layer, Settings};

use self::args::{Cli, Command, ConfigCommand, KeyCommand, NetworkCommand};

/// Runs the command that the arguments ask for.
pub(crate) fn main() -> ExitCode {
    let Err(error) = dispatch(Cli::parse()) else { return ExitCode::SUCCESS };
    // Whoever read our output has seen enough, as `head` does.
    if error.chain().any(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    // If stderr is gone too, there is nobody to tell.
    let _ = writeln!(io::stderr(), "error: {}", explain(&error));
    ExitCode::FAILURE
}

fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let place = Place::find(cli.data)?;
    match cli.command {
        Command::Init(args) => init::init(&place, args),
        Command::Run(args) => run::run(&place, args),
        Command::Status(args) => status::status(&place.data, args.output),
        Command::Peers(args) => status::peers(&place.data, args.output),
        Command::Bans(args) => bans::bans(&place.data, args),
        Command::Members(args) => members::members(&place.data, args),
        Command::Publish(args) => publish::publish(&place.data, args),
        Command::Subscribe(args) => subscribe::subscribe(&place.data, &args),
        Command::Key(KeyCommand::Show(args)) => commands::show_key(&place, args),
        Command::Network(NetworkCommand::New(args)) => network::new(args),
        Command::Network(NetworkCommand::Show(args)) => network::show(&place, args),
        Command::Config(ConfigCommand::Show(args)) => commands::show_config(&place, args),
        Command::Params(args) => params::params(&args),
    }
}

/// Where the node is, and what the environment says.
struct Place {
    data: DataDir,
    environment: Environment,
}

impl Place {
    fn find(flag: Option<std::path::PathBuf>) -> anyhow::Result<Self> {
        let environment = Environment::of_process();
        let path = flag.or_else(|| environment.data_dir());
        let path =
            path.context("there is no home folder to keep data in: choose a folder with --data")?;
        Ok(Self { data: DataDir::new(path), environment })
    }

    /// All settings, resolved; warns of variables that look like ours.
    fn settings(&self, flags: Layer) -> anyhow::Result<Settings> {
        for warning in self.environment.unknown() {
            output::note(format_args!("warning: {warning}"));
        }
        Ok(Settings::load(flags, &self.environment, &self.data)?)
    }
}

fn is_broken_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The error and its causes, without those that it already tells.
fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
