//! Basalt to the letter: algorithm 1 of the paper (Auvolat et al., Middleware 2023), ranks by id alone.
//!
//! What the product's sampler is compared with to see what its additions change. It shares no code with it,
//! so it is also a second opinion on the parts that they have in common.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::{
    baseline::{JOINING, mix},
    directory::Number,
    world::{Chooser, Exchange, Here, Sent},
};

/// An honest node with the paper's Basalt.
pub(super) struct Paper {
    me: Number,
    slots: Vec<Slot>,
    rounds: u32,
    next: usize,
}

/// A secret, who ranks least under it, and how often it was met.
struct Slot {
    secret: u64,
    held: Option<(u64, Number)>,
    hits: u32,
}

impl Slot {
    fn update(&mut self, nodes: impl Iterator<Item = Number>) {
        for node in nodes {
            let rank = mix(self.secret, node);
            match self.held {
                Some((least, _)) if least < rank => {}
                Some((_, held)) if held == node => self.hits = self.hits.saturating_add(1),
                Some(_) | None => (self.held, self.hits) = (Some((rank, node)), 1),
            }
        }
    }
}

impl Paper {
    fn update(&mut self, nodes: &[Number]) {
        let me = self.me;
        for slot in &mut self.slots {
            slot.update(nodes.iter().copied().filter(|node| *node != me));
        }
    }

    /// The first of those met least; counts the meeting.
    fn select(&mut self) -> Option<Number> {
        let known = self.slots.iter_mut().filter(|slot| slot.held.is_some());
        let slot = known.min_by_key(|slot| slot.hits)?;
        slot.hits = slot.hits.saturating_add(1);
        slot.held.map(|(_, node)| node)
    }

    fn draw(&mut self, here: &Here<'_>, samples: &mut Vec<Number>, rng: &mut ChaCha8Rng) {
        for _ in 0..here.setting.rate.replaced {
            let mut view = Vec::new();
            self.view(&mut view);
            let at = self.next % self.slots.len().max(1);
            self.next = at + 1;
            let Some(slot) = self.slots.get_mut(at) else { return };
            samples.extend(slot.held.map(|(_, node)| node));
            *slot = Slot { secret: rng.random(), held: None, hits: 0 };
            slot.update(view.into_iter());
        }
    }
}

impl Chooser for Paper {
    fn join(here: &Here<'_>, me: Number, contacts: &[Number], rng: &mut ChaCha8Rng) -> Self {
        let slot = |_| Slot { secret: rng.random(), held: None, hits: 0 };
        let slots = (0..here.setting.view).map(slot).collect();
        let mut node = Self { me, slots, rounds: 0, next: 0 };
        node.update(contacts);
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
        Exchange { pull: self.select(), push: self.select() }
    }

    fn receive(&mut self, _: &Here<'_>, sent: &Sent<'_>, _: &mut ChaCha8Rng) {
        self.update(sent.view);
        self.update(&[sent.from]);
    }

    fn view(&self, into: &mut Vec<Number>) {
        into.extend(self.slots.iter().filter_map(|slot| slot.held).map(|(_, node)| node));
    }
}
