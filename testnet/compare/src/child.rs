//! Each run is a process of its own, with a loopback interface of its own where the system allows it: so that no
//! run finds the memory, the sockets or the packets of another.

use std::{
    env,
    ffi::OsString,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::task::{Found, Task};

/// The hidden subcommand of a process that measures.
pub(crate) const MEASURE: &str = "measure";
/// Says to such a process that nobody else uses its loopback interface.
pub(crate) const OWN_LOOPBACK: &str = "--own-loopback";

/// How to get a network namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// As an administrator.
    Plain,
    /// As a user, in a namespace of users.
    Mapped,
    /// Not at all: what others send on loopback is counted too.
    None,
}

impl Isolation {
    /// The best that this system allows.
    pub(crate) fn find() -> Self {
        let works = |isolation: &Self| {
            isolation.command().is_some_and(|mut unshare| {
                let quiet = unshare.args(["sh", "-c", "ip link set lo up"]);
                let quiet = quiet.stdout(Stdio::null()).stderr(Stdio::null());
                quiet.status().is_ok_and(|status| status.success())
            })
        };
        [Self::Plain, Self::Mapped].into_iter().find(works).unwrap_or(Self::None)
    }

    fn command(self) -> Option<Command> {
        let mut unshare = Command::new("unshare");
        match self {
            Self::Plain => unshare.arg("--net"),
            Self::Mapped => unshare.args(["--user", "--map-root-user", "--net"]),
            Self::None => return None,
        };
        Some(unshare)
    }
}

/// Has another process do a task.
///
/// # Errors
/// When it cannot be started, or fails.
pub(crate) fn run(task: &Task, isolation: Isolation) -> anyhow::Result<Found> {
    let program = env::current_exe().context("finding this program")?;
    let task_text = OsString::from(serde_json::to_string(task)?);
    let mut command = match isolation.command() {
        Some(mut unshare) => {
            unshare.args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
            unshare.arg(program).args([MEASURE, OWN_LOOPBACK]).arg(task_text);
            unshare
        }
        None => {
            let mut plain = Command::new(program);
            plain.arg(MEASURE).arg(task_text);
            plain
        }
    };
    let output = command.stderr(Stdio::inherit()).output().context("starting a run")?;
    if !output.status.success() {
        bail!("the run of {} failed: {}", task.system.name(), output.status);
    }
    serde_json::from_slice(&output.stdout).context("reading what the run found")
}
