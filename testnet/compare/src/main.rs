//! Forsooth beside libp2p-gossipsub and iroh-gossip: real nodes of one system at a time in one process on
//! loopback, at the same work. `docs/performance.md` has the table that it makes.

mod child;
mod cli;
mod load;
mod measure;
mod meters;
mod system;
mod table;
mod tally;
mod task;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
