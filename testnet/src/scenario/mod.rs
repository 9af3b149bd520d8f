//! Scenarios: experiments as files.
//!
//! A file is read into a tree that knows its lines, `--set` changes the tree, and what comes out is a
//! [`Scenario`] that makes sense, or an [`Error`] that shows the line and names the nearest thing that would
//! have. Nothing here runs anything.

mod faults;
mod identity;
mod links;
pub mod metric;
mod model;
mod read;
mod render;
mod rules;
mod section;
mod tree;
pub(crate) mod values;

use std::{fs, io, path::Path};

use self::tree::Place;
pub use self::{
    identity::{Contacts, Ids, Subnet},
    metric::{Baseline, METRICS, Metric, Seen},
    model::{
        Assertion, Blocked, Described, Fault, FaultKind, Gang, Group, Link, Links, NetworkRules,
        Phases, Quota, Scenario, TOPIC, Who,
    },
};
pub(crate) use self::{read::MESSAGES_MAX, section::unknown};

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Something in it is wrong.
    #[error("{place}: {text}")]
    Wrong {
        /// The file, line and column, or the `--set`.
        place: String,
        /// What is wrong, and what would be right.
        text: String,
    },
}

impl Scenario {
    /// Reads a file, changed by `--set key=value` arguments.
    ///
    /// # Errors
    /// Shows the line of the first thing that makes no sense.
    pub fn load(path: &Path, sets: &[String]) -> Result<Self, Error> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|cause| Error::Unreadable { path: name.clone(), cause })?;
        Self::parse(&text, &name, sets)
    }

    /// Reads a text, which errors call `name`.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn parse(text: &str, name: &str, sets: &[String]) -> Result<Self, Error> {
        let read = || {
            let mut root = tree::parse(text)?;
            sets.iter().try_for_each(|argument| tree::set(&mut root, argument))?;
            read::scenario(&root)
        };
        read().map_err(|flaw| {
            let place = match flaw.place {
                Place::Line { line, column } => format!("{name}:{line}:{column}"),
                Place::Set(argument) => format!("--set {argument}"),
            };
            Error::Wrong { place, text: flaw.text }
        })
    }
}

#[cfg(test)]
mod tests;
