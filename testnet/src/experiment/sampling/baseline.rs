//! The algorithms that the product's sampler is compared with.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::{
    directory::{Number, pick, pick_many},
    world::{Asked, Chooser, Exchange, Here, Sent},
};

/// Rounds at the start in which nobody is drawn.
pub(super) const JOINING: u32 = 40;

/// Brahms (Bortnikov, Gurevich, Keidar, Kliot, Shraer: "Brahms: Byzantine resilient random membership
/// sampling", 2009), with as many exchanges as the others, as in Basalt's evaluation.
///
/// A third of the view comes from pushes, a third from pulls, a third from samplers, which keep the
/// least of a private random order of all that they were ever shown.
pub(super) struct Brahms {
    view: Vec<Number>,
    /// A secret, and who is least under it.
    samplers: Vec<(u64, Option<(u64, Number)>)>,
    pushed: Vec<Number>,
    pulled: Vec<Number>,
    rounds: u32,
    next: usize,
}

impl Brahms {
    fn show(&mut self, nodes: &[Number]) {
        for (secret, held) in &mut self.samplers {
            for node in nodes {
                let rank = mix(*secret, *node);
                if held.is_none_or(|(least, _)| rank < least) {
                    *held = Some((rank, *node));
                }
            }
        }
    }

    fn sampled(&self) -> Vec<Number> {
        self.samplers.iter().filter_map(|(_, held)| held.map(|(_, node)| node)).collect()
    }

    fn draw(&mut self, here: &Here<'_>, samples: &mut Vec<Number>, rng: &mut ChaCha8Rng) {
        let known: Vec<Number> = self.view.iter().copied().chain(self.sampled()).collect();
        for _ in 0..here.setting.rate.replaced {
            let at = self.next % self.samplers.len().max(1);
            self.next = at + 1;
            let Some(sampler) = self.samplers.get_mut(at) else { return };
            samples.extend(sampler.1.map(|(_, node)| node));
            let secret = rng.random();
            let least = known.iter().map(|node| (mix(secret, *node), *node)).min();
            *sampler = (secret, least);
        }
    }

    /// The new view; none if too many pushed, since then an attack is under way.
    fn renew(&mut self, here: &Here<'_>, rng: &mut ChaCha8Rng) {
        let third = here.setting.view / 3;
        let (pushed, pulled) = (std::mem::take(&mut self.pushed), std::mem::take(&mut self.pulled));
        if !pushed.is_empty() && !pulled.is_empty() && pushed.len() <= third {
            let mut view = pick_many(&pushed, third, rng);
            view.extend(pick_many(&pulled, third, rng));
            let rest = here.setting.view.saturating_sub(view.len());
            view.extend(pick_many(&self.sampled(), rest, rng));
            self.view = view;
        }
        self.show(&pushed);
        self.show(&pulled);
    }
}

impl Chooser for Brahms {
    fn join(here: &Here<'_>, _: Number, contacts: &[Number], rng: &mut ChaCha8Rng) -> Self {
        let samplers = (0..here.setting.view).map(|_| (rng.random(), None)).collect();
        let view = contacts.to_vec();
        let (pushed, pulled) = (Vec::new(), Vec::new());
        let mut node = Self { view, samplers, pushed, pulled, rounds: 0, next: 0 };
        node.show(contacts);
        node
    }

    fn round(
        &mut self,
        here: &Here<'_>,
        samples: &mut Vec<Number>,
        rng: &mut ChaCha8Rng,
    ) -> Exchange {
        self.rounds += 1;
        if self.rounds > JOINING.min(here.setting.joining)
            && self.rounds.is_multiple_of(here.setting.rate.rounds.get())
        {
            self.draw(here, samples, rng);
        }
        self.renew(here, rng);
        Exchange { pull: pick(&self.view, rng).copied(), push: pick(&self.view, rng).copied() }
    }

    fn receive(&mut self, _: &Here<'_>, sent: &Sent<'_>, _: &mut ChaCha8Rng) {
        match sent.asked {
            Asked::Yes => self.pulled.extend_from_slice(sent.view),
            // A push of Brahms is the sender's id alone.
            Asked::No => self.pushed.push(sent.from),
        }
    }

    fn view(&self, into: &mut Vec<Number>) {
        into.extend_from_slice(&self.view);
    }
}

/// Shuffles, as Cyclon (Voulgaris et al., 2005) and HyParView's passive view (Leitao et al., 2007) do: a
/// random part of the view is exchanged with a random peer, and what comes takes random places.
pub(super) struct Shuffle {
    me: Number,
    view: Vec<Number>,
    rounds: u32,
}

impl Chooser for Shuffle {
    fn join(_: &Here<'_>, me: Number, contacts: &[Number], _: &mut ChaCha8Rng) -> Self {
        Self { me, view: contacts.to_vec(), rounds: 0 }
    }

    fn round(
        &mut self,
        here: &Here<'_>,
        samples: &mut Vec<Number>,
        rng: &mut ChaCha8Rng,
    ) -> Exchange {
        self.rounds += 1;
        if self.rounds > JOINING.min(here.setting.joining)
            && self.rounds.is_multiple_of(here.setting.rate.rounds.get())
        {
            samples.extend(pick_many(&self.view, here.setting.rate.replaced as usize, rng));
        }
        let partner = pick(&self.view, rng).copied();
        Exchange { pull: partner, push: partner }
    }

    fn receive(&mut self, here: &Here<'_>, sent: &Sent<'_>, rng: &mut ChaCha8Rng) {
        let part = pick_many(sent.view, here.setting.view / 4, rng);
        for node in part.into_iter().chain([sent.from]) {
            if node == self.me || self.view.contains(&node) {
                continue;
            }
            let at = rng.random_range(0..here.setting.view);
            match self.view.get_mut(at) {
                Some(place) => *place = node,
                None => self.view.push(node),
            }
        }
    }

    fn view(&self, into: &mut Vec<Number>) {
        into.extend_from_slice(&self.view);
    }
}

/// A random order of nodes for each secret; good enough where nobody attacks the order itself.
pub(super) const fn mix(secret: u64, node: Number) -> u64 {
    let mut x = secret ^ (node as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
