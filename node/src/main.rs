//! The command line of Forsooth: `forsooth --help` says what it can do, `docs/operating.md` how to use it.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
