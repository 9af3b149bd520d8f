//! What is measured.

use std::fmt;

use forsooth_protocol::overlay::size::Rate;
use serde::Serialize;

/// What is measured.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How honest nodes choose peers.
    pub algorithm: Algorithm,
    /// All nodes.
    pub nodes: usize,
    /// Byzantine nodes among them.
    pub byzantine: usize,
    /// Slots of a view.
    pub view: usize,
    /// How fast they are reseeded.
    pub rate: Rate,
    /// Pushes of a Byzantine node in a round; an honest one has one.
    pub force: usize,
    /// Rounds.
    pub rounds: u32,
    /// The most rounds at the start in which nothing is reseeded.
    pub joining: u32,
    /// Byzantine share among everybody's first contacts; as among all nodes, if not said.
    pub lies: Option<f64>,
    /// Honest nodes whose first contacts all lie, although others know them.
    pub victims: usize,
    /// Where nodes are.
    pub ground: Ground,
    /// IPv4 /8 blocks that honest nodes are spread over.
    pub blocks: usize,
    /// The most slots that a view may grow to with the network; it stays as it is, if not said.
    pub view_max: Option<usize>,
}

/// How honest nodes choose peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// The product's sampler
    #[default]
    Basalt,
    /// Basalt as its paper has it, without what the product adds; ranks by id alone
    Paper,
    /// Brahms (Bortnikov et al., 2009), with one push and one pull a round
    Brahms,
    /// Shuffles of random parts of views, as HyParView and Cyclon do
    Shuffle,
}

/// Where nodes are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Ground {
    /// Nobody's address is known: all are in one place, and ranked by key alone, as in the paper
    #[default]
    Flat,
    /// Everybody is at a random public IPv4 address
    Scattered,
    /// The Byzantine nodes are in one IPv4 /24
    Slash24,
    /// The Byzantine nodes are in one IPv4 /16
    Slash16,
}

impl Setting {
    /// `C = 2 v^2 / (rho N)`.
    #[must_use]
    pub fn capacity(&self) -> f64 {
        self.rate.capacity(self.view, u32::try_from(self.nodes).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basalt => "basalt",
            Self::Paper => "paper",
            Self::Brahms => "brahms",
            Self::Shuffle => "shuffle",
        })
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flat => "flat",
            Self::Scattered => "scattered",
            Self::Slash24 => "slash24",
            Self::Slash16 => "slash16",
        })
    }
}
