//! What one node or one message lived through, told from what a run left behind.
//!
//! A run is deterministic in the simulator, so it can also be run once more from the scenario and the seed
//! that it left, to see whether it was the same.

mod story;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, bail};
use forsooth_protocol::{Defences, Safeguard};

use self::story::Story;
use crate::{
    engine::{self, Engine, Options},
    output::{self, Run},
    scenario::{Scenario, values::duration},
    verdict::Verdict,
};

/// What to tell of a run.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// The folder that `--out` was given
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Nothing after this time from the beginning, for example 12.5s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub until: Option<Duration>,
    /// Only what this node lived through, or others with it; honest nodes come first, from 0
    #[arg(long, value_name = "N")]
    pub node: Option<u32>,
    /// Only what concerns this message, by the first digits of its id
    #[arg(long, value_name = "ID")]
    pub message: Option<String>,
    /// Simulate the run again first, and say whether it is the same
    #[arg(long)]
    pub rerun: bool,
}

/// Tells what happened on stdout.
///
/// # Errors
/// When there is no such run, or it has no such node or message.
pub fn command(args: &Args) -> anyhow::Result<Verdict> {
    if args.message.as_ref().is_some_and(String::is_empty) {
        bail!("--message needs the first digits of a message's id");
    }
    let run = output::read(&args.run)?;
    let again = if args.rerun { rerun(&run)? } else { Again::NotAsked };
    match &again {
        Again::NotAsked => {}
        Again::Same(text) | Again::Other(text) => print(text)?,
    }
    let events = output::read_events(&args.run)?;
    let story = Story::new(&run, args)?;
    print(&story.tell(&events)?)?;
    Ok(match again {
        Again::NotAsked | Again::Same(_) => Verdict::Pass,
        Again::Other(_) => Verdict::Fail,
    })
}

/// What came of simulating a run again, in words.
#[derive(Debug)]
pub enum Again {
    /// It was not.
    NotAsked,
    /// It is the same run.
    Same(String),
    /// It is another run.
    Other(String),
}

/// Simulates a run again.
///
/// # Errors
/// When it cannot be.
pub fn rerun(run: &Run) -> anyhow::Result<Again> {
    let Some(before) = &run.trace_digest else {
        bail!("only simulated runs can be repeated exactly; this one was of real nodes");
    };
    let scenario = Scenario::parse(&run.scenario, output::RUN, &[])
        .context("the scenario in the run does not make sense to this version")?;
    let off = |defences: Defences, name: &String| {
        let safeguard = Safeguard::ALL.into_iter().find(|safeguard| safeguard.name() == *name);
        safeguard.map_or(defences, |safeguard| defences.without(safeguard))
    };
    let defences = run.without.iter().fold(Defences::ALL, off);
    let options = Options { defences, ..Options::of(Engine::Sim) };
    let again = engine::simulate(&scenario, options, run.repeat.clone())?;
    let digest = again.pace.trace_digest.map_or_else(String::new, |digest| digest.to_string());
    if digest != *before {
        return Ok(Again::Other(format!(
            "simulated again, the run is another: its trace digest is {digest}, not {before}; \
             it was made by forsooth-testnet {}, this is {}\n",
            run.version,
            env!("CARGO_PKG_VERSION")
        )));
    }
    Ok(Again::Same(format!("simulated again, and the same: trace digest {digest}\n")))
}

/// Prints on stdout.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        // Whoever reads has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.context("printing"),
    }
}

#[cfg(test)]
mod tests;
