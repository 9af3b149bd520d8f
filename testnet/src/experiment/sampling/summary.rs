//! What came out.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::setting::Setting;
use crate::verdict::plural;

/// What one seed gave.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The mean Byzantine share of honest nodes' views, over the last tenth of the rounds.
    pub view_byzantine_share: f64,
    /// The Byzantine share of all samples that honest nodes drew, if they drew any.
    pub sample_byzantine_share: Option<f64>,
    /// Honest nodes whose view was all Byzantine at the end.
    pub isolated: usize,
    /// The most of them in any round of the second half.
    pub isolated_worst: usize,
    /// `C = 2 v^2 / (rho N)`.
    pub capacity: f64,
    /// What the honest node in the middle takes `C` to be.
    pub capacity_estimated: Option<f64>,
    /// What it takes for the number of other nodes.
    pub nodes_estimated: Option<f64>,
    /// The mean Byzantine share of the victims' views at the end.
    pub victims_byzantine_share: Option<f64>,
    /// Samples drawn.
    pub samples: u64,
    /// The mean Byzantine share of honest nodes' views after each round.
    pub course: Vec<f64>,
}

/// What several seeds gave: medians, and between which bounds they lie.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was measured.
    pub setting: Described,
    /// How many seeds.
    pub seeds: usize,
    /// The medians, by the names of [`Measured`]; those that do not apply are missing, and those of nothing are null.
    #[serde(flatten)]
    pub medians: BTreeMap<&'static str, Option<f64>>,
    /// The least and the most of each.
    pub spread: BTreeMap<&'static str, [f64; 2]>,
    /// The mean of each, if there are several seeds.
    pub mean: BTreeMap<&'static str, f64>,
    /// The standard deviation of each over the seeds, if there are several.
    pub deviation: BTreeMap<&'static str, f64>,
    /// The median over the seeds of the Byzantine share of views after each round.
    pub course: Vec<f64>,
    /// How long it took.
    pub elapsed_seconds: f64,
}

/// A setting in words and numbers.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "see Setting")]
pub struct Described {
    pub algorithm: super::Algorithm,
    pub nodes: usize,
    pub byzantine: usize,
    pub view: usize,
    pub replaced: u32,
    pub every_rounds: u32,
    pub force: usize,
    pub rounds: u32,
    pub joining: u32,
    pub lies: Option<f64>,
    pub victims: usize,
    pub ground: super::Ground,
    pub blocks: usize,
    pub view_max: Option<usize>,
}

impl Measured {
    /// All numbers that apply, by name; none where there is nothing to measure.
    fn numbers(&self) -> impl Iterator<Item = (&'static str, Option<f64>)> {
        let always = [
            ("view_byzantine_share", Some(self.view_byzantine_share)),
            ("sample_byzantine_share", self.sample_byzantine_share),
            ("isolated", Some(self.isolated as f64)),
            ("isolated_worst", Some(self.isolated_worst as f64)),
            ("capacity", Some(self.capacity)),
            ("samples", Some(self.samples as f64)),
        ];
        let sometimes = [
            ("capacity_estimated", self.capacity_estimated),
            ("nodes_estimated", self.nodes_estimated),
            ("victims_byzantine_share", self.victims_byzantine_share),
        ];
        always.into_iter().chain(sometimes.into_iter().filter(|(_, number)| number.is_some()))
    }
}

impl Summary {
    /// Sums up what the seeds gave.
    #[must_use]
    pub fn of(setting: &Setting, runs: &[Measured], elapsed_seconds: f64) -> Self {
        let mut all: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
        for (name, number) in runs.iter().flat_map(Measured::numbers) {
            all.entry(name).or_default().extend(number);
        }
        let rounds = 0..runs.iter().map(|run| run.course.len()).max().unwrap_or(0);
        let course = rounds.map(|round| {
            median(runs.iter().filter_map(|run| run.course.get(round).copied()).collect())
        });
        let spread = |of: &Vec<f64>| {
            let least = of.iter().copied().fold(f64::INFINITY, f64::min);
            [least, of.iter().copied().fold(f64::NEG_INFINITY, f64::max)]
        };
        Self {
            setting: Described::of(setting),
            seeds: runs.len(),
            spread: all
                .iter()
                .filter(|(_, of)| !of.is_empty())
                .map(|(name, of)| (*name, spread(of)))
                .collect(),
            mean: all
                .iter()
                .filter_map(|(name, of)| Some((*name, mean_and_deviation(of)?.0)))
                .collect(),
            deviation: all
                .iter()
                .filter_map(|(name, of)| Some((*name, mean_and_deviation(of)?.1)))
                .collect(),
            medians: all
                .into_iter()
                .map(|(name, of)| (name, (!of.is_empty()).then(|| median(of))))
                .collect(),
            course: course.collect(),
            elapsed_seconds,
        }
    }

    /// A median by name.
    #[must_use]
    pub fn median(&self, name: &str) -> Option<f64> {
        self.medians.get(name).copied().flatten()
    }
}

impl Described {
    fn of(setting: &Setting) -> Self {
        Self {
            algorithm: setting.algorithm,
            nodes: setting.nodes,
            byzantine: setting.byzantine,
            view: setting.view,
            replaced: setting.rate.replaced,
            every_rounds: setting.rate.rounds.get(),
            force: setting.force,
            rounds: setting.rounds,
            joining: setting.joining,
            lies: setting.lies,
            victims: setting.victims,
            ground: setting.ground,
            blocks: setting.blocks,
            view_max: setting.view_max,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Described { algorithm, nodes, byzantine, view, replaced, every_rounds, .. } =
            self.setting;
        let Described { force, rounds, .. } = self.setting;
        writeln!(
            f,
            "{algorithm}: {nodes} nodes, {byzantine} of them Byzantine with force {force}; \
             {view} slots, {replaced} reseeded every {}; {}, {}, {:.1} s",
            plural(every_rounds as usize, "round"),
            plural(rounds as usize, "round"),
            plural(self.seeds, "seed"),
            self.elapsed_seconds
        )?;
        if self.median("sample_byzantine_share").is_none() {
            writeln!(f, "no samples: nodes had not joined yet; ask for more --rounds")?;
        }
        writeln!(f, "{:<26}{:>12}{:>24}", "", "median", "least .. most")?;
        for (name, median) in self.medians.iter().filter_map(|(name, of)| Some((name, (*of)?))) {
            let [least, most] = self.spread.get(name).copied().unwrap_or([median; 2]);
            let written = |number: f64| {
                if name.ends_with("share") {
                    format!("{:.2} %", number * 100.0)
                } else {
                    format!("{}", (number * 100.0).round() / 100.0)
                }
            };
            let range = format!("{} .. {}", written(least), written(most));
            writeln!(f, "{:<26}{:>12}{range:>24}", name.replace('_', " "), written(median))?;
        }
        Ok(())
    }
}

/// The mean of several, and their standard deviation; none of fewer than two.
pub(super) fn mean_and_deviation(of: &[f64]) -> Option<(f64, f64)> {
    let count = of.len() as f64;
    let mean = of.iter().sum::<f64>() / count;
    let squares = of.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
    (of.len() > 1).then(|| (mean, (squares / (count - 1.0)).sqrt()))
}

/// The number in the middle; of an even count, the mean of the two in the middle.
pub(super) fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let middle = of.len() / 2;
    let at = |at: usize| of.get(at).copied();
    match (at(middle), middle.checked_sub(1).and_then(at)) {
        (Some(upper), Some(lower)) if of.len().is_multiple_of(2) => f64::midpoint(lower, upper),
        (Some(upper), _) => upper,
        (None, _) => f64::NAN,
    }
}
