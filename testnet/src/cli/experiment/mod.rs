//! Experiments: arguments in, numbers out.

mod broadcast;
mod catch_up;
mod membership;
mod reconcile;
mod table;

use std::{num::NonZeroU32, time::Instant};

use clap::{Args, Subcommand};
use forsooth_protocol::overlay::{sampler::JOINING, size::Rate};

use super::{Failure, bar::bar, show};
use crate::experiment::sampling::{self, Algorithm, Ground, Setting, Summary};

/// The most nodes; a sampler of each is held in memory.
const NODES_MAX: i64 = 100_000;
/// Public IPv4 /8 blocks.
const BLOCKS_MAX: u16 = 218;

#[derive(Debug, Subcommand)]
pub(crate) enum Experiment {
    /// Whom honest nodes sample while others push lies: views, samples, who is isolated
    Sampling(SamplingArgs),
    /// How messages spread over whole nodes: latency against a flood, copies, hops, bytes, signature checks
    Broadcast(broadcast::BroadcastArgs),
    /// Who is found dead, when, and who is wrongly: crashes, losses, slow members, one-way links, liars
    Membership(membership::MembershipArgs),
    /// What it costs two nodes to find out in what their sets of messages differ: bytes, round trips, CPU time
    Reconcile(reconcile::ReconcileArgs),
    /// What a node that joins late takes to get all that is kept, against checking the signatures alone
    CatchUp(catch_up::CatchUpArgs),
    /// All that docs/sampling.md shows: a table in Markdown, and a plot. Takes about half an hour
    SamplingTable(table::TableArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SamplingArgs {
    /// Nodes, Byzantine ones included
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(2..=NODES_MAX))]
    nodes: u32,
    /// Byzantine nodes among them: a share below 1, or a number of nodes
    #[arg(long, value_name = "F", default_value = "0.2", value_parser = byzantine)]
    byzantine: Byzantine,
    /// Slots of a view
    #[arg(long, value_name = "V", default_value = "100", value_parser = clap::value_parser!(u16).range(1..=4096))]
    view: u16,
    /// Slots reseeded in a round, on average
    #[arg(long, value_name = "R", default_value = "1", value_parser = rho)]
    rho: f64,
    /// Slots reseeded at once, every so many rounds that RHO is met
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch: Option<u32>,
    /// Pushes of a Byzantine node in a round; an honest one has one
    #[arg(long, value_name = "X", default_value = "10", value_parser = clap::value_parser!(u16).range(0..=1000))]
    force: u16,
    /// Rounds
    #[arg(long, value_name = "T", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// How many seeds, from 1 on
    #[arg(long, value_name = "S", default_value = "5", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    seeds: u32,
    /// How honest nodes choose peers
    #[arg(long, value_enum, default_value_t)]
    algorithm: Algorithm,
    /// Where nodes are
    #[arg(long, value_enum, default_value_t)]
    ground: Ground,
    /// IPv4 /8 blocks that honest nodes are spread over
    #[arg(long, value_name = "N", default_value_t = BLOCKS_MAX, value_parser = clap::value_parser!(u16).range(1..=i64::from(BLOCKS_MAX)))]
    blocks: u16,
    /// Byzantine share among everybody's first contacts; as among all nodes, if not said
    #[arg(long, value_name = "SHARE", value_parser = share)]
    lies: Option<f64>,
    /// Honest nodes whose first contacts all lie, although others know them
    #[arg(long, value_name = "N", default_value_t = 0)]
    victims: u16,
    /// The most rounds at the start without reseeding
    #[arg(long, value_name = "N", default_value_t = JOINING)]
    joining: u32,
    /// Let view and rate follow the size of the network, with at most so many slots
    #[arg(long, value_name = "SLOTS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    follow: Option<u16>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// How many lie.
#[derive(Clone, Copy, Debug)]
enum Byzantine {
    Share(f64),
    Count(u32),
}

/// Runs an experiment.
pub(super) fn experiment(which: &Experiment) -> Result<(), Failure> {
    match which {
        Experiment::Sampling(args) => show(args.json, &sample(args)?),
        Experiment::Broadcast(args) => show(args.json, &broadcast::broadcast(args)?),
        Experiment::Membership(args) => show(args.json, &membership::membership(args)?),
        Experiment::Reconcile(args) => reconcile::reconcile(args),
        Experiment::CatchUp(args) => show(args.json, &catch_up::catch_up(args)?),
        Experiment::SamplingTable(args) => table::table(args),
    }
}

fn sample(args: &SamplingArgs) -> Result<Summary, Failure> {
    let setting = args.setting()?;
    let begun = Instant::now();
    let rounds = args.rounds as usize * args.seeds as usize;
    let bar = bar(Some(rounds), "round {pos} of {len} {wide_bar} {eta} left");
    let seeds = 1..=u64::from(args.seeds);
    let runs: Vec<_> = seeds.map(|seed| sampling::run(&setting, seed, || bar.inc(1))).collect();
    bar.finish_and_clear();
    Ok(Summary::of(&setting, &runs, begun.elapsed().as_secs_f64()))
}

impl SamplingArgs {
    fn setting(&self) -> Result<Setting, Failure> {
        let byzantine = match self.byzantine {
            #[expect(clippy::cast_possible_truncation, reason = "a share of a number of nodes")]
            Byzantine::Share(share) => (share * f64::from(self.nodes)).round() as usize,
            Byzantine::Count(count) => count as usize,
        };
        let nodes = self.nodes as usize;
        let honest = nodes.saturating_sub(byzantine);
        if honest == 0 {
            let text = format!("of {nodes} nodes, {byzantine} lie: leave an honest one");
            return Err(Failure::Senseless(text));
        }
        if honest < usize::from(self.victims) {
            let text = format!("{} victims, but only {honest} honest nodes", self.victims);
            return Err(Failure::Senseless(text));
        }
        self.check_ground()?;
        Ok(Setting {
            algorithm: self.algorithm,
            nodes,
            byzantine,
            view: usize::from(self.view),
            rate: self.rate()?,
            force: usize::from(self.force),
            rounds: self.rounds,
            joining: self.joining,
            lies: self.lies,
            victims: usize::from(self.victims),
            ground: self.ground,
            blocks: usize::from(self.blocks),
            view_max: self.follow.map(usize::from),
        })
    }

    /// What would be ignored is refused: the result would be taken for what was asked.
    fn check_ground(&self) -> Result<(), Failure> {
        let is_product = self.algorithm == Algorithm::Basalt;
        let text = if !is_product && self.follow.is_some() {
            "--follow is for the product's sampler, --algorithm basalt"
        } else if !is_product && self.ground != Ground::Flat {
            "only the product's sampler, --algorithm basalt, looks at addresses: leave out --ground"
        } else if self.blocks != BLOCKS_MAX && self.ground == Ground::Flat {
            "--blocks says nothing without --ground: where nobody has an address, there are no blocks"
        } else {
            return Ok(());
        };
        Err(Failure::Senseless(text.to_owned()))
    }

    /// The smallest batch with which a whole number of rounds gives the rate, or the one asked for.
    fn rate(&self) -> Result<Rate, Failure> {
        let batches = self.batch.map_or(1..=100, |batch| batch..=batch);
        for replaced in batches {
            let rounds = f64::from(replaced) / self.rho;
            #[expect(clippy::cast_possible_truncation, reason = "found to be nearly whole")]
            #[expect(clippy::cast_sign_loss, reason = "positive")]
            let whole = rounds.round().min(f64::from(u32::MAX)) as u32;
            if let Some(rounds) =
                NonZeroU32::new(whole).filter(|_| (rounds - rounds.round()).abs() < 1e-6)
            {
                return Ok(Rate { replaced, rounds });
            }
        }
        let text = "no whole number of rounds between reseedings gives this --rho; \
                    say how many slots are reseeded at once with --batch";
        Err(Failure::Senseless(text.to_owned()))
    }
}

fn byzantine(text: &str) -> Result<Byzantine, String> {
    match (text.parse::<u32>(), text.parse::<f64>()) {
        (Ok(count), _) => Ok(Byzantine::Count(count)),
        (Err(_), Ok(share)) if (0.0..1.0).contains(&share) => Ok(Byzantine::Share(share)),
        (Err(_), _) => Err("a share such as 0.2, or a number of nodes such as 250".to_owned()),
    }
}

fn rho(text: &str) -> Result<f64, String> {
    let rho = text.parse::<f64>().ok().filter(|rho| (1e-4..=4096.0).contains(rho));
    rho.ok_or_else(|| "a number of slots between 0.0001 and 4096".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share between 0 and 1".to_owned())
}
