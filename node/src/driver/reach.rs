//! Where others reach this node: where it listens, and where the operator says.

use std::collections::BTreeSet;

use forsooth_protocol::{Address, network::Kind};
use libp2p::Multiaddr;

use crate::external::check;

/// What is known of that beyond the listeners.
#[derive(Debug)]
pub(crate) struct Reach {
    kind: Kind,
    external: Vec<Multiaddr>,
    is_judged: bool,
}

impl Reach {
    /// On a network of this kind, at what the operator says.
    pub(crate) const fn new(kind: Kind, external: Vec<Multiaddr>) -> Self {
        Self { kind, external, is_judged: false }
    }

    /// What the operator says.
    pub(super) fn external(&self) -> &[Multiaddr] {
        &self.external
    }

    /// All addresses, each once. What the operator says comes first: others see the first as the place where we
    /// are, and have room for a few.
    pub(super) fn addresses<'a>(
        &'a self,
        others: impl Iterator<Item = &'a Multiaddr>,
    ) -> Vec<Address> {
        let mut known = BTreeSet::new();
        let all = self.external.iter().chain(others).filter(|address| known.insert(*address));
        all.filter_map(|address| Address::new(&address.to_string())).collect()
    }

    /// Whether the operator is to hear that nobody can be told of this node; once at most.
    pub(super) fn is_worth_a_warning<'a>(
        &'a mut self,
        mut others: impl Iterator<Item = &'a Multiaddr>,
    ) -> bool {
        let is_first = !std::mem::replace(&mut self.is_judged, true);
        let is_public = match self.kind {
            Kind::Local => false,
            Kind::Testnet | Kind::Production => true,
        };
        is_first
            && is_public
            && self.external.is_empty()
            && !others.any(|address| check(address, self.kind).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(addresses: &[&str]) -> Vec<Multiaddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn what_the_operator_says_comes_first_and_everything_once() {
        let listeners = all(&["/ip4/10.0.0.1/tcp/8650", "/ip4/8.8.8.8/tcp/8650"]);
        let external =
            all(&["/ip4/9.9.9.9/tcp/80", "/ip4/8.8.8.8/tcp/8650", "/ip4/9.9.9.9/tcp/80"]);
        let told = Reach::new(Kind::Testnet, external).addresses(listeners.iter());
        let told: Vec<_> = told.iter().map(Address::as_str).collect();
        let expected = ["/ip4/9.9.9.9/tcp/80", "/ip4/8.8.8.8/tcp/8650", "/ip4/10.0.0.1/tcp/8650"];
        assert_eq!(told, expected);
    }

    #[test]
    fn nobody_to_be_told_of_is_worth_one_warning_on_a_public_network() {
        let private = all(&["/ip4/127.0.0.1/tcp/8650", "/ip4/10.0.0.1/udp/8650/quic-v1"]);
        let public = all(&["/ip4/127.0.0.1/tcp/8650", "/ip4/8.8.8.8/tcp/8650"]);
        let external = all(&["/ip4/8.8.8.8/tcp/8650"]);
        for (kind, listeners, external, expected) in [
            (Kind::Testnet, &private, &[][..], true),
            (Kind::Production, &Vec::new(), &[], true),
            (Kind::Testnet, &public, &[], false),
            (Kind::Testnet, &private, &external, false),
            (Kind::Local, &private, &[], false),
        ] {
            let mut reach = Reach::new(kind, external.to_vec());
            assert_eq!(reach.is_worth_a_warning(listeners.iter()), expected, "{listeners:?}");
            assert!(!reach.is_worth_a_warning(listeners.iter()), "a second time");
        }
    }
}
