//! The arguments of `experiment reconcile`.

use clap::{Args, ValueEnum};
use forsooth_protocol::sync::reconcile;

use crate::{
    cli::{Failure, show},
    experiment::reconcile::{Error, Setting, run, run_many},
};

/// The most records: each takes some 150 bytes, on both sides.
const RECORDS_MAX: i64 = 10_000_000;

/// Two indexes of as many records are compared over encoded frames; half of the differences are lacking on each side.
#[derive(Args, Debug)]
pub(crate) struct ReconcileArgs {
    /// Records of each side
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(0..=RECORDS_MAX))]
    records: u32,
    /// Records that one side has and the other lacks
    #[arg(long, value_name = "D", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=RECORDS_MAX))]
    differences: u32,
    /// How they are compared
    #[arg(long, value_enum, default_value_t)]
    method: Method,
    /// From which everything random comes: one seed, one result, but for CPU times
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Compare as many times, with this seed and those that follow, and print the median and the worst
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seeds: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Method {
    /// By symbols of a sketch; by ranges if these do not do
    #[default]
    Auto,
    /// By digests of ranges alone
    Merkle,
    /// By symbols of a sketch alone
    Sketch,
}

/// Measures what a comparison costs, and shows it.
pub(super) fn reconcile(args: &ReconcileArgs) -> Result<(), Failure> {
    let setting = Setting {
        records: args.records,
        differences: args.differences,
        method: match args.method {
            Method::Auto => reconcile::Method::Auto,
            Method::Merkle => reconcile::Method::Merkle,
            Method::Sketch => reconcile::Method::Sketch,
        },
        seed: args.seed,
    };
    match args.seeds {
        1 => show(args.json, &run(&setting)?),
        seeds => show(args.json, &run_many(&setting, seeds)?),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Senseless(error.to_string())
    }
}
