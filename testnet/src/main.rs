//! The binary `forsooth-testnet`. Everything is in the library, so that tests can have it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    forsooth_testnet::cli::main()
}
