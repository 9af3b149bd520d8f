//! The binary `forsooth-testnet`. Everything is in the library, so that tests can have it too.

use std::process::ExitCode;

/// A world of a thousand nodes lives from small allocations that are looked at in no order: this allocator
/// keeps those of one size together on large pages, which makes the simulator a quarter faster.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    forsooth_testnet::cli::main()
}
