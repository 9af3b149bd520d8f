//! What a scenario can name.

use forsooth_protocol::Safeguard;
use serde::Serialize;

use super::{Failure, print, show};
use crate::{
    engine::REAL,
    scenario::{FaultKind, METRICS},
    strategy::KINDS,
};

/// Everything that has a name.
#[derive(Serialize)]
struct Names {
    strategies: Vec<Strategy>,
    metrics: Vec<Named>,
    faults: Vec<Fault>,
    defences: Vec<Named>,
}

#[derive(Serialize)]
struct Strategy {
    name: &'static str,
    /// In the table of attacks that Forsooth must survive.
    row: u8,
    sentence: &'static str,
}

#[derive(Serialize)]
struct Named {
    name: &'static str,
    sentence: &'static str,
}

#[derive(Serialize)]
struct Fault {
    name: &'static str,
    sentence: &'static str,
    /// Whether real nodes on one machine can have it.
    local: bool,
}

/// Prints all names, each with a sentence.
pub(super) fn list(json: bool) -> Result<(), Failure> {
    let names = names();
    if json { show(true, &names) } else { print(&names.to_string()) }
}

fn names() -> Names {
    let strategy = |kind: &&'static crate::strategy::Kind| Strategy {
        name: kind.name,
        row: kind.row,
        sentence: kind.sentence,
    };
    let fault = |(name, sentence)| Fault { name, sentence, local: REAL.contains(&name) };
    Names {
        strategies: KINDS.iter().map(strategy).collect(),
        metrics: METRICS
            .iter()
            .map(|metric| Named { name: metric.name, sentence: metric.sentence })
            .collect(),
        faults: FaultKind::NAMES.into_iter().map(fault).collect(),
        defences: Safeguard::ALL
            .into_iter()
            .map(|safeguard| Named {
                name: safeguard.name(),
                sentence: safeguard_sentence(safeguard),
            })
            .collect(),
    }
}

/// What happens without a safeguard, in a sentence.
const fn safeguard_sentence(safeguard: Safeguard) -> &'static str {
    match safeguard {
        Safeguard::Quota => "Without it, a peer may send as many frames and bytes as it likes.",
        Safeguard::Bans => "Without them, faults cost nothing, and a liar stays.",
        Safeguard::AuthorRate => {
            "Without it, all that an author signs is passed on, however much it is."
        }
        Safeguard::Proofs => "Without them, who says two things is neither told of nor banned.",
        Safeguard::Witnesses => "Without them, vouches of peers that dialled us count too.",
        Safeguard::Threshold => "Without it, one's own check is enough to accept a message.",
        Safeguard::Expiry => "Without it, old messages and messages from the future are taken.",
        Safeguard::Repair => "Without it, nobody asks for what the tree did not bring.",
        Safeguard::Promises => "Without them, who vouches and does not serve is not blamed.",
        Safeguard::ServeLimit => "Without it, a peer may ask for the same payload without end.",
        Safeguard::Sampling => "Without it, whoever came last is made a witness.",
        Safeguard::Networks => "Without them, each identity is drawn as often, wherever it is.",
        Safeguard::Memory => "Without it, a node that starts again knows what it is told then.",
        Safeguard::Service => "Without it, who passes nothing on keeps its place all the same.",
        Safeguard::CrossVerification => {
            "Without it, a node that missed something asks one peer, and believes it."
        }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "Strategies, for `kind` of [[adversaries]] and for --adversary:\n")?;
        for Strategy { name, sentence, .. } in &self.strategies {
            writeln!(f, "{name:<15} {sentence}")?;
        }
        writeln!(f, "\nMetrics, for [[assert]]:\n")?;
        self.metrics
            .iter()
            .try_for_each(|Named { name, sentence }| writeln!(f, "{name:<25} {sentence}"))?;
        writeln!(f, "\nFaults, for [[faults]] (* real nodes can have them too):\n")?;
        for Fault { name, sentence, local } in &self.faults {
            writeln!(f, "{name:<10}{} {sentence}", if *local { '*' } else { ' ' })?;
        }
        writeln!(f, "\nDefences, for `without` of [compare] and --without:\n")?;
        self.defences
            .iter()
            .try_for_each(|Named { name, sentence }| writeln!(f, "{name:<18} {sentence}"))
    }
}
