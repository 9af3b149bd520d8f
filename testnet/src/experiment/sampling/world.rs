//! The rounds: honest nodes exchange views, Byzantine nodes push theirs.
//!
//! All exchanges of a round carry views as they were at its beginning, and reach a node in random order.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{
    directory::{Directory, Number, pick_many, shuffle},
    setting::Setting,
    summary::{Measured, median},
};

/// How one honest node chooses its peers.
pub(super) trait Chooser: Sized {
    /// A node that knows its first contacts.
    fn join(world: &Here<'_>, me: Number, contacts: &[Number], rng: &mut ChaCha8Rng) -> Self;

    /// A round begins: draws samples if it is time, and chooses whom to exchange with.
    fn round(
        &mut self,
        here: &Here<'_>,
        samples: &mut Vec<Number>,
        rng: &mut ChaCha8Rng,
    ) -> Exchange;

    /// What was sent to it.
    fn receive(&mut self, here: &Here<'_>, sent: &Sent<'_>, rng: &mut ChaCha8Rng);

    /// Whom it knows, into an empty list: its view.
    fn view(&self, into: &mut Vec<Number>);

    /// How many nodes it takes the network to have, and its own `C`.
    fn estimate(&self) -> Option<(u32, f64)> {
        None
    }
}

/// What all nodes share.
pub(super) struct Here<'a> {
    pub(super) setting: &'a Setting,
    pub(super) directory: Directory,
}

/// Whom a node exchanges with in a round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exchange {
    /// Whom it asks.
    pub(super) pull: Option<Number>,
    /// Whom it sends its view.
    pub(super) push: Option<Number>,
}

/// What reaches a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) from: Number,
    /// The answer to its own question, or unasked.
    pub(super) asked: Asked,
    pub(super) view: &'a [Number],
}

/// Whether a node asked for what it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Yes,
    No,
}

/// An experiment under way.
pub(super) struct World<'a, C> {
    here: Here<'a>,
    rng: ChaCha8Rng,
    /// By number, from the first honest one on.
    honest: Vec<C>,
    /// Their views at the beginning of the round.
    views: Vec<Vec<Number>>,
    /// The Byzantine nodes, in a random order.
    liars: Vec<Number>,
    /// Who sends to whom in this round.
    inboxes: Vec<Vec<(Number, Asked)>>,
    samples: Tally,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    all: u64,
    lying: u64,
}

impl Tally {
    fn add(&mut self, here: &Here<'_>, nodes: &[Number]) {
        self.all += nodes.len() as u64;
        self.lying += nodes.iter().filter(|node| here.directory.lies(**node)).count() as u64;
    }

    fn share(self) -> Option<f64> {
        (self.all > 0).then(|| self.lying as f64 / self.all as f64)
    }
}

impl<'a, C: Chooser> World<'a, C> {
    pub(super) fn new(setting: &'a Setting, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let directory = Directory::new(setting, &mut rng);
        let here = Here { setting, directory };
        let liars: Vec<Number> = (0..here.directory.byzantine()).collect();
        let others: Vec<Number> = (here.directory.byzantine()..here.directory.len()).collect();
        let everybody: Vec<Number> = (0..here.directory.len()).collect();
        let honest = others.iter().enumerate().map(|(at, me)| {
            let lies = if at < setting.victims { Some(1.0) } else { setting.lies };
            let contacts = match lies {
                None => pick_many(&everybody, setting.view, &mut rng),
                Some(share) => {
                    #[expect(clippy::cast_possible_truncation, reason = "a share of the view")]
                    let lying = (share * setting.view as f64).round() as usize;
                    let mut contacts = pick_many(&liars, lying, &mut rng);
                    contacts.extend(pick_many(
                        &others,
                        setting.view.saturating_sub(lying),
                        &mut rng,
                    ));
                    contacts
                }
            };
            C::join(&here, *me, &contacts, &mut rng)
        });
        let honest: Vec<C> = honest.collect();
        let views = vec![Vec::new(); honest.len()];
        let inboxes = vec![Vec::new(); honest.len()];
        Self { here, rng, honest, views, liars, inboxes, samples: Tally::default() }
    }

    pub(super) fn run(mut self, mut progress: impl FnMut()) -> Measured {
        let rounds = self.here.setting.rounds;
        let (mut shares, mut worst) = (Vec::new(), 0);
        for round in 0..rounds {
            self.round();
            let isolated = self.isolated();
            if round >= rounds / 2 {
                worst = worst.max(isolated);
            }
            shares.push(self.view_share(0));
            progress();
        }
        self.measure(shares, worst)
    }

    fn round(&mut self) {
        let Self { here, rng, honest, views, .. } = self;
        let first = here.directory.byzantine();
        let mut drawn = Vec::new();
        for ((node, view), me) in honest.iter_mut().zip(views).zip(first..) {
            drawn.clear();
            let exchange = node.round(here, &mut drawn, rng);
            self.samples.add(here, &drawn);
            view.clear();
            node.view(view);
            let inbox = |of: Number| usize::try_from(of.checked_sub(first)?).ok();
            if let Some(from) = exchange.pull
                && let Some(inbox) = inbox(me).and_then(|at| self.inboxes.get_mut(at))
            {
                inbox.push((from, Asked::Yes));
            }
            if let Some(to) = exchange.push
                && let Some(inbox) = inbox(to).and_then(|at| self.inboxes.get_mut(at))
            {
                inbox.push((me, Asked::No));
            }
        }
        self.attack();
        self.deliver();
    }

    /// Each Byzantine node pushes to random nodes; what it pushes is made up when it arrives.
    fn attack(&mut self) {
        shuffle(&mut self.liars, &mut self.rng);
        let first = self.here.directory.byzantine();
        for liar in 0..first {
            for _ in 0..self.here.setting.force {
                let to = self.rng.random_range(0..self.here.directory.len());
                let at = to.checked_sub(first).and_then(|at| usize::try_from(at).ok());
                if let Some(inbox) = at.and_then(|at| self.inboxes.get_mut(at)) {
                    inbox.push((liar, Asked::No));
                }
            }
        }
    }

    fn deliver(&mut self) {
        let Self { here, rng, honest, views, liars, inboxes, .. } = self;
        let first = here.directory.byzantine();
        for (node, inbox) in honest.iter_mut().zip(inboxes) {
            shuffle(inbox, rng);
            for (from, asked) in inbox.drain(..) {
                let at = from.checked_sub(first).and_then(|at| usize::try_from(at).ok());
                let made_up;
                let view = match at.and_then(|at| views.get(at)) {
                    Some(view) => view,
                    None => {
                        made_up = some(liars, here.setting.view, rng);
                        &made_up
                    }
                };
                node.receive(here, &Sent { from, asked, view }, rng);
            }
        }
    }

    fn isolated(&self) -> usize {
        let lies = |view: &&Vec<Number>| view.iter().all(|node| self.here.directory.lies(*node));
        self.views.iter().filter(lies).count()
    }

    /// The mean Byzantine share of the honest views, or of the first so many of them.
    fn view_share(&self, first: usize) -> f64 {
        let count = if first == 0 { self.views.len() } else { first };
        let share = |view: &Vec<Number>| {
            let lying = view.iter().filter(|node| self.here.directory.lies(**node)).count();
            lying as f64 / view.len().max(1) as f64
        };
        self.views.iter().take(count).map(share).sum::<f64>() / count.max(1) as f64
    }

    fn measure(self, shares: Vec<f64>, isolated_worst: usize) -> Measured {
        let late = shares.get(shares.len() - shares.len().div_ceil(10)..).unwrap_or_default();
        let estimates: Vec<_> = self.honest.iter().filter_map(Chooser::estimate).collect();
        let middle = |all: Vec<f64>| (!all.is_empty()).then(|| median(all));
        let victims = self.here.setting.victims;
        Measured {
            view_byzantine_share: late.iter().sum::<f64>() / late.len().max(1) as f64,
            sample_byzantine_share: self.samples.share(),
            isolated: self.isolated(),
            isolated_worst,
            capacity: self.here.setting.capacity(),
            capacity_estimated: middle(estimates.iter().map(|(_, c)| *c).collect()),
            nodes_estimated: middle(estimates.iter().map(|(peers, _)| f64::from(*peers)).collect()),
            victims_byzantine_share: (victims > 0).then(|| self.view_share(victims)),
            samples: self.samples.all,
            course: shares,
        }
    }
}

/// So many Byzantine nodes, from anywhere in their random order of this round.
fn some(liars: &[Number], count: usize, rng: &mut ChaCha8Rng) -> Vec<Number> {
    if liars.is_empty() {
        return Vec::new();
    }
    let (before, after) = liars.split_at(rng.random_range(0..liars.len()));
    after.iter().chain(before).take(count).copied().collect()
}
