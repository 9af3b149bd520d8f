//! Why a wish cannot be met, and the nearest that can.

use super::{PEERS_MAX, Population, Threshold};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The network is too small, too large, or all of it lies.
    #[error(
        "a network has 2 to {PEERS_MAX} peers of whom at least one is honest; this one has {peers}"
    )]
    Peers {
        /// How many were said.
        peers: u32,
    },
    /// The numbers of a policy contradict each other.
    #[error("k of n needs 1 <= k <= n, not k = {k}, n = {n}")]
    Threshold {
        /// Witnesses that must vouch.
        k: u16,
        /// Witnesses drawn.
        n: u16,
    },
    /// There are not so many to draw from.
    #[error(
        "a node cannot draw {n} witnesses among the others of {peers} peers, and never more than 256; \
         the nearest policy is {}/{}", .nearest.k, .nearest.n
    )]
    Witnesses {
        /// Witnesses asked for.
        n: u16,
        /// Peers that there are.
        peers: u32,
        /// The most that can be drawn, with as large a share of them.
        nearest: Threshold,
    },
    /// A chance that makes no sense as a target.
    #[error("the target must be above 0 and below 0.5, such as 1e-6, not {target}")]
    Target {
        /// What was said.
        target: f64,
    },
    /// No number of witnesses meets the target.
    #[error(
        "with {} liars among {} peers no k of n meets {target:e}. {}At {target:e} there may be at most {liars_max} liars ({})",
        .population.liars(), .population.peers(), worse(.nearest.as_ref()), share(*.liars_max, .population.peers())
    )]
    OutOfReach {
        /// What was asked for.
        target: f64,
        /// Of whom.
        population: Population,
        /// The smallest target that these peers can meet; none if it is not below 1/2.
        nearest: Option<Nearest>,
        /// The most liars for that target.
        liars_max: u32,
    },
    /// Fewer honest peers than liars could attest.
    #[error(
        "{k} authors would have to sign, so that liars alone are too few, and only {honest} are honest; \
         there may be at most {liars_max} liars"
    )]
    Attestors {
        /// One more than the liars.
        k: u32,
        /// Those who do not lie.
        honest: u32,
        /// The most liars.
        liars_max: u32,
    },
}

/// A wish that can be met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// How.
    pub threshold: Threshold,
    /// The likelier of its two failures.
    pub target: f64,
}

fn worse(nearest: Option<&Nearest>) -> String {
    nearest.map_or_else(
        || "Against half and more of them no number of witnesses helps. ".to_owned(),
        |Nearest { threshold: Threshold { k, n }, target }| {
            format!("The smallest target for them is {:e}, by {k}/{n}. ", rounded_up(*target))
        },
    )
}

/// To two digits and not below, so that it can be asked for as it is printed.
fn rounded_up(target: f64) -> f64 {
    let near = format!("{target:.1e}");
    let (mantissa, exponent) = near.split_once('e').unwrap_or((&near, "0"));
    let next = mantissa.parse().map(|mantissa: f64| format!("{:.1}e{exponent}", mantissa + 0.1));
    let candidates = [Ok(near.clone()), next].into_iter().flatten();
    let mut candidates = candidates.filter_map(|text| text.parse().ok());
    candidates.find(|near| (target..0.5).contains(near)).unwrap_or(target)
}

fn share(liars: u32, peers: u32) -> String {
    format!("a share of {:.3}", f64::from(liars) / f64::from(peers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_printed_can_be_asked_for() {
        let cases = [
            (0.03321, "3.4e-2"),
            (6.2e-4, "6.2e-4"),
            (9.91e-7, "1e-6"),
            (0.4999, "4.999e-1"),
            (1e-5, "1e-5"),
        ];
        for (target, printed) in cases {
            assert_eq!(format!("{:e}", rounded_up(target)), printed);
        }
    }
}
