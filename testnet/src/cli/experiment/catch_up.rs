//! The arguments of `experiment catch-up`.

use clap::Args;
use forsooth_protocol::network::PAYLOAD_BYTES_MAX;

use crate::{
    cli::Failure,
    experiment::catch_up::{Report, Setting, run},
};

/// The most messages: all are in memory, once for each node.
const MESSAGES_MAX: i64 = 2_000_000;

/// A node joins when others keep many messages, and pulls them all.
#[derive(Args, Debug)]
pub(crate) struct CatchUpArgs {
    /// Messages that are kept
    #[arg(long, value_name = "M", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=MESSAGES_MAX))]
    messages: u32,
    /// Bytes of each payload
    #[arg(long, value_name = "B", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAYLOAD_BYTES_MAX)))]
    payload: u32,
    /// Nodes that keep them
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16))]
    servers: u8,
    /// From which everything random comes
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Measures how fast a node catches up.
pub(super) fn catch_up(args: &CatchUpArgs) -> Result<Report, Failure> {
    let setting = Setting {
        messages: args.messages as usize,
        payload_bytes: args.payload as usize,
        servers: args.servers,
        seed: args.seed,
    };
    run(&setting).map_err(|error| Failure::Senseless(error.to_string()))
}
