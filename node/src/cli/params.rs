//! `params`: how many witnesses are enough.

use clap::Args;
use forsooth::params::{
    CHECKS, Chances, Cost, Population, Share, Threshold, VOUCH_BYTES, fewest, fewest_attestors,
};
use serde_json::{Value, json};

use super::{args::OutputArgs, output};

const HELP: &str = "\
The model: the liars act as one, and nobody can tell them from the others. Each honest node draws n witnesses among the
other peers, at random and on its own. A lie is vouched for by all liars and nobody else; it is accepted if k of the n
lie. A truth is vouched for by all but the liars; it is missed if fewer than k of the n are honest. The chances are exact.
Take for --liars what an attacker's peers come to in a view, a little more than their share (docs/sampling.md), and count
honest nodes that are down as liars.

What a server of kept messages says there is, a node asks of 4 more witnesses in other groups before it believes it (docs/protocol.md,
section 18): a lie is undetected if all of them lie along with it, which is the share of liars to the power of 4 at most.

Bytes: each node sends a vouch of about 12 bytes to each node that drew it, which are n on average. Delay: in hops, each
half a round trip. No network whose nodes have 2 n links spreads a message in fewer than is said here; vouches come one hop later.

k of n promises nothing about an author who says two things, each to one half of the network. A settling time does: a message is
accepted only if none other for its place has come to light meanwhile. It has to be longer than a message and then a proof take through the
network, and holds unless the honest nodes fall apart. Of attested messages, the authors are counted and not drawn, so there is no chance:
liars sign as often as they have keys, which an open network gives away.

Examples:
  forsooth params --liars 0.2 --peers 1000
  forsooth params --liars 0.3 --peers 1000 --target 1e-3 --policy settle
  forsooth params --liars 0.2 --peers 1000 --policy 13/24 --json";

#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct ParamsArgs {
    /// The share of all peers that lie, as a decimal
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    liars: Share,
    /// Peers in the network
    #[arg(long, value_name = "N")]
    peers: u32,
    /// What to compute: the fewest witnesses for `vouched` or `settle`, the fewest authors for `attested`, or the
    /// chances of a given K/N
    #[arg(long, default_value = "vouched", value_parser = parse_wish)]
    policy: Wish,
    /// The chance, at one node, up to which a lie may be accepted or a truth missed
    #[arg(long, default_value = "1e-6")]
    target: f64,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Vouched,
    Settle,
    Attested,
    Given(Threshold),
}

fn parse_share(text: &str) -> Result<Share, String> {
    let form = "a share is a decimal below 1 of at most six places, such as 0.2";
    Share::parse(text).ok_or_else(|| form.to_owned())
}

fn parse_wish(text: &str) -> Result<Wish, String> {
    let form = "a policy is vouched, settle, attested or K/N, such as 13/24";
    match text {
        "vouched" => Ok(Wish::Vouched),
        "settle" => Ok(Wish::Settle),
        "attested" => Ok(Wish::Attested),
        _ => {
            let (k, n) = text.split_once('/').ok_or(form)?;
            let [k, n] = [k, n].map(|number| number.parse().map_err(|_| form));
            Ok(Wish::Given(Threshold { k: k?, n: n? }))
        }
    }
}

pub(super) fn params(args: &ParamsArgs) -> anyhow::Result<()> {
    let &ParamsArgs { liars, peers, policy, target, output: OutputArgs { json } } = args;
    let population = Population::new(peers, liars)?;
    let threshold = match policy {
        Wish::Attested => return attested(population, json),
        Wish::Vouched | Wish::Settle => fewest(population, target)?,
        Wish::Given(threshold) => threshold,
    };
    let answer = Answer {
        population,
        policy,
        threshold,
        target,
        chances: threshold.chances(population)?,
        cost: threshold.cost(population),
    };
    match json {
        true => output::json(&answer.as_json()),
        false => Ok(output::line(answer.text())?),
    }
}

fn attested(population: Population, json: bool) -> anyhow::Result<()> {
    let k = fewest_attestors(population)?;
    if json {
        let [peers, liars] = [population.peers(), population.liars()];
        return output::json(
            &json!({ "peers": peers, "liars": liars, "policy": "attested", "k": k }),
        );
    }
    output::line(output::pairs([
        ("network", network(population)),
        ("policy", format!("attested by {k} authors: one more than the liars, who may all sign")),
        (
            "promises",
            "nothing where keys are free: then liars have as many as they like".to_owned(),
        ),
    ]))?;
    Ok(())
}

fn network(population: Population) -> String {
    format!("{} peers, {} of them liars", population.peers(), population.liars())
}

/// All that is known of a threshold.
struct Answer {
    population: Population,
    policy: Wish,
    threshold: Threshold,
    target: f64,
    chances: Chances,
    cost: Cost,
}

impl Answer {
    fn meets_target(&self) -> bool {
        self.chances.lie <= self.target && self.chances.miss <= self.target
    }

    fn as_json(&self) -> Value {
        let Self { population, threshold: Threshold { k, n }, target, chances, cost, .. } = self;
        json!({
            "peers": population.peers(),
            "liars": population.liars(),
            "policy": if self.policy == Wish::Settle { "settle" } else { "vouched" },
            "k": k,
            "n": n,
            "target": target,
            "meets_target": self.meets_target(),
            "sync": { "checks": CHECKS, "undetected_max": population.undetected_max() },
            "chances": {
                "lie": chances.lie,
                "lie_anywhere": chances.lie_anywhere,
                "miss": chances.miss,
                "miss_anywhere": chances.miss_anywhere,
                "split": chances.split,
                "split_settled_max": chances.split_settled,
            },
            "cost": {
                "vouches": cost.vouches,
                "vouch_bytes": cost.vouch_bytes,
                "hops_to_deliver": cost.hops,
                "hops_to_accept": cost.hops_to_accept(),
                "hops_to_settle": cost.hops_to_settle(),
            },
        })
    }

    fn text(&self) -> String {
        let Self { population, threshold: Threshold { k, n }, chances, cost, .. } = self;
        let everywhere = format!("ANY OF {} HONEST", population.honest());
        let row = |what: &str, one, any| [what.to_owned(), chance(one), chance(any)];
        let odds = output::table(
            ["CHANCE THAT", "ONE NODE", &everywhere],
            &[
                row("a lie is accepted", chances.lie, chances.lie_anywhere),
                row("a truth is missed", chances.miss, chances.miss_anywhere),
            ],
        );
        let rows = [
            ("network", network(*population)),
            ("policy", format!("{k} of {n} witnesses must vouch{}", self.verdict())),
            (
                "bytes",
                format!(
                    "{n} vouches of {VOUCH_BYTES} B: {} B a message and node, beside the payload",
                    cost.vouch_bytes
                ),
            ),
            ("delay", self.delay()),
            (
                "sync",
                format!(
                    "{CHECKS} others are asked after a server; a lie of its is undetected with {} at most",
                    chance(population.undetected_max())
                ),
            ),
        ];
        format!("{}\n\n{odds}\n\n{}", output::pairs(rows), self.two_faces())
    }

    fn verdict(&self) -> String {
        let Self { target, .. } = self;
        match (self.policy, self.meets_target()) {
            (Wish::Given(_), true) => format!(", which meets {target:e}"),
            (Wish::Given(_), false) => match fewest(self.population, *target) {
                Ok(Threshold { k, n }) => format!(", which does not meet {target:e}; {k}/{n} does"),
                Err(error) => format!(", which does not meet {target:e}: {error}"),
            },
            (Wish::Vouched | Wish::Settle | Wish::Attested, _) => {
                format!(", the fewest for {target:e}")
            }
        }
    }

    fn delay(&self) -> String {
        let Cost { hops, .. } = self.cost;
        let trips = |hops: u32| format!("{hops} hops ({} round trips)", f64::from(hops) / 2.0);
        let accepted = trips(self.cost.hops_to_accept());
        match self.policy {
            Wish::Settle => format!(
                "{hops} hops to everybody at best; accepted after {accepted}, and not before the settling time"
            ),
            Wish::Vouched | Wish::Attested | Wish::Given(_) => {
                format!("{hops} hops to everybody at best; accepted after {accepted}")
            }
        }
    }

    /// What an author who says two things can do.
    fn two_faces(&self) -> String {
        let Chances { split, split_settled, .. } = self.chances;
        let rows = [
            ["k of n alone, before a proof has come".to_owned(), chance(split)],
            [
                format!("with a settling time of {} hops and more", self.cost.hops_to_settle()),
                format!("{} at most, anywhere", chance(split_settled)),
            ],
        ];
        let head = ["IF AN AUTHOR SAYS TWO THINGS", "TWO HONEST NODES DIFFER"];
        output::table(head, &rows)
    }
}

/// A chance with two digits; below 1e-300 it is none.
fn chance(chance: f64) -> String {
    match chance {
        0.0..1e-300 => "0".to_owned(),
        1e-300..0.001 => format!("{chance:.1e}"),
        _ => format!("{chance:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_or_refused_with_an_example() {
        assert_eq!(parse_wish("settle"), Ok(Wish::Settle));
        assert_eq!(parse_wish("13/24"), Ok(Wish::Given(Threshold { k: 13, n: 24 })));
        for bad in ["", "verified", "13", "13/", "/24", "-1/8", "1/70000", "1.5/8"] {
            assert!(parse_wish(bad).unwrap_err().contains("such as 13/24"), "{bad}");
        }
        assert!(parse_share("20%").unwrap_err().contains("such as 0.2"));
    }

    #[test]
    fn chances_have_two_digits() {
        let shown = [0.0, 1e-301, 6.256e-7, 0.00099, 0.5, 1.0].map(chance);
        assert_eq!(shown, ["0", "0", "6.3e-7", "9.9e-4", "0.500", "1.000"]);
    }
}
