//! The arguments of `experiment reconcile`.

use clap::{Args, ValueEnum};
use forsooth_protocol::sync::reconcile;

use crate::{
    cli::Failure,
    experiment::reconcile::{Error, Report, Setting, run},
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
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
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

/// Measures what a comparison costs.
pub(super) fn reconcile(args: &ReconcileArgs) -> Result<Report, Failure> {
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
    Ok(run(&setting)?)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Senseless(error.to_string())
    }
}
