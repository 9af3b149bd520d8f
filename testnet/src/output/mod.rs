//! What a run leaves in its folder: `run.json`, `events.ndjson`, `junit.xml` and `report.html`.
//!
//! [`Run`] is all that is known of a run; the other files are made from it, so that [`read()`] and
//! [`write()`] can make them again. The schema is documented in `docs/run-json.md`.

mod events;
mod junit;
mod of;
mod run;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, bail};

pub(crate) use self::junit::escape;
pub use self::run::{
    Assertion, Baseline, Compared, FORMAT, FirstViolation, Header, Kept, Metrics, Promise, Run,
    Speed,
};
use crate::{record::history::Event, report::html};

/// The file with all that is known of a run.
pub const RUN: &str = "run.json";
/// The file with what happened, a line for each event.
pub const EVENTS: &str = "events.ndjson";
/// The file for CI.
pub const JUNIT: &str = "junit.xml";
/// The file for people.
pub const REPORT: &str = "report.html";

/// Makes the folder for a run, if it is not there.
///
/// # Errors
/// When it cannot be made.
pub fn prepare(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("making the folder {}", dir.display()))
}

/// Writes all files of a run into a folder, which is made if it is not there.
///
/// # Errors
/// When a file cannot be written.
pub fn write(dir: &Path, run: &Run) -> anyhow::Result<()> {
    prepare(dir)?;
    let json = serde_json::to_string_pretty(run).context("encoding the run")?;
    put(dir, RUN, &json)?;
    put(dir, JUNIT, &junit::render(run))?;
    put(dir, REPORT, &html::render(run))?;
    let path = dir.join(EVENTS);
    let writing = || format!("writing {}", path.display());
    let mut file = BufWriter::new(File::create(&path).with_context(writing)?);
    events::write(&mut file, &run.history).and_then(|()| file.flush()).with_context(writing)
}

/// Reads the run that is in a folder, without its events.
///
/// # Errors
/// When there is none, or it was written by another version.
pub fn read(dir: &Path) -> anyhow::Result<Run> {
    let path = dir.join(RUN);
    let text = fs::read_to_string(&path).with_context(|| {
        format!("reading {}; name the folder that `--out` was given", path.display())
    })?;
    let format: Format = serde_json::from_str(&text)
        .with_context(|| format!("{} is not the record of a run", path.display()))?;
    if format.format != FORMAT {
        bail!(
            "{} has format {}, this program reads {FORMAT}; repeat the run to get a new one",
            path.display(),
            format.format
        );
    }
    serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

/// Reads the events beside a run.
///
/// # Errors
/// When they cannot be read.
pub fn read_events(dir: &Path) -> anyhow::Result<Vec<Event>> {
    let path = dir.join(EVENTS);
    let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut events = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let place = || format!("{}, line {}", path.display(), number + 1);
        events.push(serde_json::from_str(&line.with_context(place)?).with_context(place)?);
    }
    Ok(events)
}

/// Replaces one file of a run.
pub(crate) fn put(dir: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// The part of a run that every version can read.
#[derive(serde::Deserialize)]
struct Format {
    format: u32,
}

#[cfg(test)]
pub(crate) mod tests;
