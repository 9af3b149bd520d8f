//! The product's sampler as a chooser: nothing is added but what its caller does in a core.

use forsooth_protocol::overlay::sampler::{Config, Sampler, Sizing};
use rand_chacha::ChaCha8Rng;

use super::{
    directory::{Number, number_of},
    world::{Chooser, Exchange, Here, Sent},
};

/// An honest node with the product's sampler.
pub(super) struct Basalt(Sampler);

impl Basalt {
    fn offer(&mut self, here: &Here<'_>, nodes: impl Iterator<Item = Number>) {
        let list: Vec<_> = nodes.map(|node| here.directory.entry(node)).collect();
        self.0.offer_all(&list);
    }
}

impl Chooser for Basalt {
    fn join(here: &Here<'_>, me: Number, contacts: &[Number], rng: &mut ChaCha8Rng) -> Self {
        let setting = here.setting;
        let config = Config {
            me: here.directory.id(me),
            view: setting.view,
            rate: setting.rate,
            joining: setting.joining,
            sizing: setting.view_max.map_or(Sizing::Fixed, |view_max| Sizing::Follow { view_max }),
        };
        let mut node = Self(Sampler::new(config, rng));
        node.offer(here, contacts.iter().copied());
        node
    }

    fn round(&mut self, _: &Here<'_>, samples: &mut Vec<Number>, rng: &mut ChaCha8Rng) -> Exchange {
        let round = self.0.round(rng);
        samples.extend(round.samples.iter().map(number_of));
        Exchange {
            pull: round.pull.as_ref().map(number_of),
            push: round.push.as_ref().map(number_of),
        }
    }

    fn receive(&mut self, here: &Here<'_>, sent: &Sent<'_>, _: &mut ChaCha8Rng) {
        self.offer(here, sent.view.iter().copied().chain([sent.from]));
    }

    fn view(&self, into: &mut Vec<Number>) {
        into.extend(self.0.view().map(|(peer, _)| number_of(&peer)));
    }

    fn estimate(&self) -> Option<(u32, f64)> {
        Some((self.0.peers(), self.0.capacity()))
    }
}
